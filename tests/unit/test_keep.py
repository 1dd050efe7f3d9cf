"""What is held of lists and chosen pairs can be cut to some targets; what is cut off is had again when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.connect import rule_from_spec
from snnsim.connect.base import Bound
from snnsim.distributions import value_from_spec
from snnsim.errors import InputError
from snnsim.random import numpy_words
from snnsim.units import VOLTAGE

RNG = np.random.default_rng(1)
LISTS = RNG.integers(0, 40, (2, 500))
RULES = {
    "explicit": sn.explicit(*LISTS), "distinct": sn.fixed_total(300, multapses=False),
    "most": sn.fixed_total(1500, multapses=False), "total": sn.fixed_total(300), "indegree": sn.fixed_indegree(7),
}


def drawn(bound: Bound, low: int, high: int) -> np.ndarray:
    """Source, target and number of all synapses onto [low, high)."""
    blocks = [[b.source, b.target, np.arange(*np.cumsum(b.index)) if isinstance(b.index, tuple) else b.index]
              for b in bound.blocks(low, high)]
    return np.concatenate([np.stack(block) for block in blocks], axis=1).astype(np.int64)


def held(bound: Bound) -> int:
    """Bytes of arrays that the rule keeps, but for one entry per target."""
    arrays = (x for value in bound.cache.values() for x in value or () if isinstance(x, np.ndarray))
    return sum(x.nbytes for x in arrays if x.size != bound.n_target + 1)


def bind(name: str) -> Bound:
    """A rule between populations of 40 units."""
    return rule_from_spec(RULES[name]).bind(40, 40, False, 5, "it")


@pytest.mark.parametrize("name", RULES)
def test_synapses_stay_the_same(name: str) -> None:
    """Inside the range that is kept, beyond it, and across its ends."""
    whole, cut = bind(name), bind(name)
    for bound in (whole, cut):
        bound.prepared(numpy_words)
    expected = drawn(whole, 0, 40)
    cut.keep(10, 20)
    for low, high in ((10, 20), (12, 13), (0, 40), (5, 15), (30, 40)):
        inside = (expected[1] >= low) & (expected[1] < high)
        assert np.array_equal(drawn(cut, low, high), expected[:, inside]), (low, high)
    if held(whole):
        assert held(cut) < held(whole) / 2


def test_numbers_of_a_file_are_read_again(tmp_path: Path) -> None:
    """Their bounds are known all the time; a file that has changed is refused."""
    np.save(tmp_path / "w.npy", np.arange(5.0))
    value: Any = value_from_spec({"file": "w.npy", "unit": "mV"}, VOLTAGE, tmp_path)
    given: Any = value_from_spec(np.arange(5.0) * 1, value_from_spec(1.0, sn.units.DIMENSIONLESS).dimension)
    for each in (value, given):
        each.forget()
        assert (each.size, each.low, each.high) == (5, 0.0, 4.0)
    assert value._held is None
    assert given._held is not None
    assert value.values.tolist() == [0, 1, 2, 3, 4]
    value.forget()
    np.save(tmp_path / "w.npy", np.arange(4.0))
    with pytest.raises(InputError) as found:
        value.values
    assert str(found.value) == "the file has changed: expected 5 numbers as before, found 4"
