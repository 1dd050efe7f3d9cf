"""The full text of every message about a connection rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snnsim import connect
from snnsim.connect import Bound, rule_from_spec
from snnsim.errors import InputError
from snnsim.positions import Placed

NAMES = "all_to_all, distance, explicit, fixed_indegree, fixed_outdegree, fixed_total, one_to_one, pairwise"
SPECS: list[tuple[Any, str]] = [
    (3, "expected a rule such as {rule: fixed_indegree, k: 100}, found 3"),
    ({"k": 3}, "expected a rule such as {rule: fixed_indegree, k: 100}, found {'k': 3}"),
    ("fixed_indegre", f"rule: unknown connection rule 'fixed_indegre'; expected one of: {NAMES} (did you mean "
                      "fixed_indegree?)"),
    ({"rule": "fixed_indegree", "K": 3, "autapses": "no"},
     "unknown key of fixed_indegree 'K'; expected one of: autapses, k, multapses\n"
     "k: missing; fixed_indegree needs it\nautapses: expected true or false, found 'no'"),
    (connect.fixed_indegree(-1), "k: expected a whole number from 0 on, found -1"),
    (connect.fixed_outdegree(2.5), "k: expected a whole number from 0 on, found 2.5"),  # type: ignore[arg-type]
    (connect.fixed_total(True), "n: expected a whole number from 0 on, found True"),
    (connect.pairwise(1.5), "p: expected a probability from 0 to 1, found 1.5"),
    (connect.pairwise("0.1"), "p: expected a probability from 0 to 1, found '0.1'"),  # type: ignore[arg-type]
    (connect.distance({}), "kernel: expected one kernel such as {gaussian: {p0: 0.5, sigma: 100 um}}, found {}"),
    (connect.distance({"gauss": {}}, "round"),
     "kernel: unknown kernel 'gauss'; expected one of: disc, exponential, gaussian (did you mean gaussian?)\n"
     "boundary: unknown boundary 'round'; expected one of: open, periodic"),
    (connect.distance({"gaussian": {"p0": 2, "sigma": "0 um"}}),
     "kernel.gaussian.p0: expected a probability from 0 to 1, found 2\n"
     "kernel.gaussian.sigma: expected a length above 0, found 0 um"),
    (connect.distance({"disc": {"sigma": "1 um"}}),
     "kernel.disc: unknown key 'sigma'; expected one of: p0, radius\nkernel.disc.radius: missing"),
    (connect.distance({"exponential": {"lambda": "1 ms"}}),
     "kernel.exponential.lambda: wrong unit: expected a length (um), found 1 ms (a time (ms))"),
]


@pytest.mark.parametrize(("spec", "message"), SPECS, ids=[str(spec) for spec, _ in SPECS])
def test_wrong_rules(spec: Any, message: str) -> None:
    """A rule is checked before any population is known."""
    with pytest.raises(InputError) as caught:
        rule_from_spec(spec)
    assert str(caught.value) == message


def bind(spec: dict[str, Any], n_source: int, n_target: int, same: bool = False, positions: Any = None) -> Bound:
    return rule_from_spec(spec).bind(n_source, n_target, same, 1, "x", positions=positions)


BOUND: list[tuple[dict[str, Any], int, int, bool, str]] = [
    (connect.one_to_one(), 3, 4, False, "one_to_one needs populations of one size, found 3 sources and 4 targets"),
    ({"rule": "one_to_one", "autapses": False}, 3, 3, True,
     "autapses: one_to_one from a population to itself makes autapses only"),
    (connect.fixed_indegree(4, multapses=False), 3, 9, False,
     "k: each unit needs 4 distinct sources, but there are 3 (multapses are switched off)"),
    (connect.fixed_indegree(3, False, False), 3, 3, True,
     "k: each unit needs 3 distinct sources, but there are 2 other (multapses are switched off)"),
    (connect.fixed_outdegree(4, multapses=False), 9, 3, False,
     "k: each unit needs 4 distinct targets, but there are 3 (multapses are switched off)"),
    (connect.fixed_indegree(1, autapses=False), 1, 1, True, "k: each unit needs 1 sources, but there are 0 other"),
    (connect.fixed_total(13, multapses=False), 3, 4, False,
     "n: 13 synapses do not fit on the 12 pairs (multapses are switched off)"),
    (connect.fixed_total(1, autapses=False), 1, 1, True, "n: 1 synapses do not fit on 1 sources and 1 targets"),
    (connect.explicit([0, 3], [0, 1]), 3, 3, False, "source: value number 1 is 3, but there are 3 units"),
    (connect.explicit([0], [-1]), 3, 3, False, "target: value number 0 is -1, expected whole numbers from 0 on"),
    (connect.explicit([0, 1.5], "x"), 3, 3, False,
     "source: value number 1 is 1.5, expected whole numbers from 0 on\n"
     "target: expected a list of whole numbers, found 'x'"),
    (connect.explicit([0, "a"], [[0, 1]]), 3, 3, False,
     "source: expected a list of whole numbers, found 'a' in it\n"
     "target: expected a list of whole numbers, found [0, 1] in it"),
    (connect.explicit([0], [1, 2]), 3, 3, False, "expected as many sources as targets, found 1 and 2"),
    (connect.explicit([0, 1], [0, 1], autapses=False), 3, 3, True,
     "autapses: are switched off, but pair number 0 connects unit 0 to itself"),
    (connect.explicit([2, 1, 2], [0, 1, 0], multapses=False), 3, 3, False,
     "multapses: are switched off, but pairs number 0 and 2 both connect unit 2 to unit 0"),
    (connect.distance({"disc": {"radius": "1 um"}}), 3, 3, False,
     "distance needs the positions of the source and the target population"),
]


@pytest.mark.parametrize(("spec", "n_source", "n_target", "same", "message"), BOUND, ids=[str(c[0]) for c in BOUND])
def test_rules_that_cannot_hold(spec: dict[str, Any], n_source: int, n_target: int, same: bool, message: str) -> None:
    """A rule that these populations cannot fulfil is refused before anything is drawn."""
    with pytest.raises(InputError) as caught:
        bind(spec, n_source, n_target, same)
    assert str(caught.value) == message


def placed(n: int, dimensions: int, extent: float | None = None) -> Placed:
    return Placed(np.zeros((n, dimensions)), None if extent is None else np.full(dimensions, extent))


POSITIONS = [
    (placed(3, 2), None, "open", "distance needs the positions of the target population"),
    (placed(3, 2), placed(3, 1), "open",
     "expected positions of one dimension, found 2 coordinates of the source and 1 of the target"),
    (placed(3, 2), placed(3, 2), "periodic", "boundary: a periodic one needs positions on a grid or in a box"),
    (placed(3, 2, 10), placed(3, 2, 20), "periodic",
     "boundary: a periodic one needs one extent, found 10 x 10 um of the source and 20 x 20 um of the target"),
]


@pytest.mark.parametrize(("source", "target", "boundary", "message"), POSITIONS, ids=[case[3] for case in POSITIONS])
def test_positions_that_do_not_fit(source: Any, target: Any, boundary: str, message: str) -> None:
    """The positions of both populations must be there and belong to one space."""
    with pytest.raises(InputError) as caught:
        bind(connect.distance({"disc": {"radius": "1 um"}}, boundary), 3, 3, positions=(source, target))
    assert str(caught.value) == message


def test_targets_outside_the_population() -> None:
    """A range of targets must lie within the population."""
    with pytest.raises(InputError) as caught:
        next(bind(connect.all_to_all(), 3, 3).blocks(2, 4))
    assert str(caught.value) == "expected a range of targets within [0, 3), found [2, 4)"
