"""What Lava's learning synapses did (tests/truth/lava_learning.npz), and the same as networks, for several test modules."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import snnsim as sn
from snnsim import registry
from snnsim.engine import Backend
from snnsim.lowering import make_plan
from snnsim.program import Program

FILE = Path(__file__).parent / "truth" / "lava_learning.npz"
TRACES = ("x1", "x2", "y1", "y2", "y3")
KICK = 250   # what an input adds in Lava's networks


@cache
def answers() -> dict[str, Any]:
    """The file, with its cases and texts read."""
    with np.load(FILE) as data:
        return {name: json.loads(str(data[name])) if name in ("cases", "texts") else data[name] for name in data.files}


def of(number: int, name: str) -> np.ndarray:
    """An array of a case."""
    return answers()[f"{number}/{name}"]  # type: ignore[no-any-return]


def cases(networks: bool) -> list[tuple[int, dict[str, Any]]]:
    """Numbers and settings of the cases with given spikes, or of those that are networks."""
    return [(k, case) for k, case in enumerate(answers()["cases"]) if ("share" in case) is networks]


def find(rule: str, epoch: int, networks: bool = False) -> int:
    """The number of a case."""
    return next(k for k, case in cases(networks) if (case["rule"], case["t_epoch"]) == (rule, epoch))


def learning(case: dict[str, Any]) -> dict[str, Any]:
    """What ``synapse:`` says of it, without initial tags."""
    names = ("dw", "dd", "dt", "t_epoch", "rng_seed")
    params = {name: value for name, value in case.items() if name in names or name.endswith(("_impulse", "_tau"))}
    return {"model": "loihi_learning", "params": params}


def trains(rows: np.ndarray) -> dict[int, list[str]]:
    """Rows (step, unit) as what ``times`` of given spikes takes."""
    return {int(unit): [f"{step} step" for step in rows[rows[:, 1] == unit, 0]] for unit in np.unique(rows[:, 1])}


def network(number: int, dense: bool = False) -> sn.Network:
    """The network of a case. dense: with all pairs; those that Lava's case lacks have other weights, and no effect."""
    case, net = answers()["cases"][number], sn.Network(dt="1 ms")
    if "share" in case:
        net.population("pre", case["n"], "loihi_lif", **case["neuron"])
        net.input("in", type="spike_times", to="pre", times=trains(of(number, "input")), weight=KICK, delay="0 ms")
        source, target = "pre", "pre"
    else:
        source, target = "pre", "post"
        for side in (source, target):
            net.population(side, case[side], "spike_times", times=trains(of(number, side)))
    synapse, sizes = learning(case), (net.populations[source].n, net.populations[target].n)
    columns = {name: of(number, name).astype(int) for name in ("source", "target", "weight", "tag_1", "tag_2")}
    rule: Any = {"rule": "explicit", **{side: columns.pop(side).tolist() for side in ("source", "target")}}
    if dense:
        for name, values in columns.items():
            full = np.zeros(sizes[::-1], int)
            full[rule["target"], rule["source"]] = values
            columns[name] = full.ravel()
        rule = sn.all_to_all()
    if case.get("tags"):
        synapse["init"] = {name: columns[name].tolist() for name in ("tag_1", "tag_2")}
    fixed = {name: case[name] for name in ("weight_exp", "num_weight_bits", "sign_mode") if name in case}
    net.project(source, target, rule, weight=columns["weight"].tolist(), name="learns", synapse=synapse, **fixed)
    net.record(spikes=[target], weights={"w": {"projection": "learns", "every": "1 step"}})
    return net


class Found(NamedTuple):
    """What a run of a case did: spikes [spikes, 2], a check of the weights of each step, the rest after the last."""

    spikes: np.ndarray
    checks: np.ndarray
    last: dict[str, np.ndarray]


def run(number: int, backend: str | Backend, threads: int | None = None, dense: bool = False, piece: int = 97) -> Found:
    """Run a case in pieces of some steps."""
    net, case = network(number, dense), answers()["cases"][number]
    chosen_backend = registry.backends()[backend] if isinstance(backend, str) else backend
    program, rows, spikes = Program(net, make_plan(net), chosen_backend, threads), [], []
    chosen: Any = slice(None)
    if dense:
        chosen = np.ravel_multi_index((of(number, "source"), of(number, "target")),
                                      (net.projections[0].source.n, net.projections[0].target.n))
    while program.done < case["steps"]:
        chunk = program.engine.advance(min(piece, case["steps"] - program.done))
        rows.append(chunk.weights[0][:, chosen])
        spikes.append(np.stack([chunk.step, chunk.unit], axis=1))
    checks = [zlib.crc32(row.astype("<i2").tobytes()) for row in np.concatenate(rows)]
    changed = {name.removeprefix("trace."): np.asarray(values) for name, values in program.engine.plasticity(0).items()}
    changed |= {name: changed[name][chosen] for name in ("w", "tag_1", "tag_2") if name in changed}
    states = {name: program["pre"][name] for name in program["pre"]} if "share" in case else {}
    return Found(np.concatenate(spikes), np.array(checks, np.uint32), changed | states)


def assert_as_lava(number: int, found: Found) -> None:
    """The weights of every step and everything after the last are Lava's."""
    differ = np.flatnonzero(found.checks != of(number, "checks"))
    assert not differ.size, f"weights differ from step {differ[0] + 1} on"
    names = {"w", "tag_1", "tag_2", *TRACES, "u", "v"} & found.last.keys()
    assert {"w"} < names
    for name in names:
        assert np.array_equal(of(number, f"last/{name}"), found.last[name]), name


# --- other networks that learn -----------------------------------------------------------------------------------------

STDP = {"dw": "2^-1*x1*y0 - 2^-1*y1*x0", "x1_impulse": 30, "x1_tau": 10, "y1_impulse": 30.5, "y1_tau": 8}
TAGGED = {"dw": "2^-2*u1*t*x1", "dt": "2^1*y0*x1 - x0*y1", "x1_impulse": 40, "x1_tau": 6, "y1_impulse": 60, "y1_tau": 5,
          "t_epoch": 3, "rng_seed": 11}


def network_of_chips(connect: Any = None, params: dict[str, Any] = STDP, source: str = "cells", **options: Any) -> sn.Network:
    """Neurons of a chip that learn among themselves, or from a source."""
    net = sn.Network(dt="1 ms", seed=4)
    net.population("noise", 11, "poisson", rate="150 Hz")
    net.population("cells", 14, "loihi_lif", du=1500, dv=500, vth=300, bias_mant=[20 + 3*k for k in range(14)], bias_exp=5)
    net.input("kick", type="poisson", to="cells", rate="60 Hz", weight=120)
    net.project(source, "cells", connect or sn.pairwise(0.5), weight={"uniform": [-100, 120]}, name="learns",
                synapse={"model": "loihi_learning", "params": params}, **options)
    net.record(spikes=["cells"], weights={"w": {"projection": "learns", "every": "7 ms"}})
    return net


# Sources that spike several times in a step, pairs with several synapses.
CASES = [(sn.pairwise(0.5), STDP, "cells"), (sn.all_to_all(), TAGGED, "cells"), (sn.all_to_all(), STDP, "noise"),
         (sn.fixed_total(90), TAGGED, "noise")]
