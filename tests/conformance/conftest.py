"""One suite, every backend a parameter. A case that a backend refuses is skipped with the reasons that it gives.

Most backends give the bits of ``reference``. Those in ``CLOSE`` compute in double precision with numerics of their own:
with them, spikes are equal and states agree within a tolerance.

Started by mpirun, the suite compares one network over all ranks: each rank runs it, the first one compares.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from gpu.gxx import needs_gxx
from gpu.host import HostDevice
from snnsim import registry
from snnsim.backends.cupy import CupyBackend
from snnsim.engine import Backend
from snnsim.launch import communicator
from snnsim.lowering import make_plan
from snnsim.program import Program
from snnsim.recording import Recorder
from snnsim.world import ALONE, world_of

CLOSE = frozenset({"brian2"})
# They compute in whole numbers, whatever they are given: tests/lava and tests/unit/test_loihi_backend.py compare them.
CHIPS = ("loihi", "lava")
MARKS = {"brian2": [pytest.mark.brian2], "cupy": [pytest.mark.gpu]}
BACKENDS = [pytest.param((name, threads), id=f"{name}-{threads}", marks=MARKS.get(name, []))
            for name in registry.backends() if name not in ("reference", *CHIPS)
            for threads in ((1, 2, 3) if name == "cpu" else (None,))]


def on_host(strategy: str, parts: int, threads: int) -> CupyBackend:
    """The GPU backend with its kernels compiled by g++."""
    return CupyBackend(lambda: HostDevice(seed=parts), strategy=strategy, parts=parts, threads=threads)


# Each strategy with another number of blocks and threads.
SHIM = {"persistent": on_host("persistent", 3, 64), "graph": on_host("graph", 2, 96), "launches": on_host("launches", 1, 32)}
BACKENDS += [pytest.param((f"shim-{name}", None), id=f"shim-{name}", marks=needs_gxx) for name in SHIM]
WORLD = world_of(communicator())
if WORLD.size > 1:
    BACKENDS = [pytest.param(("cpu", threads), id=f"ranks-{threads}") for threads in (1, 2)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where one rank fails, the others would wait for it."""
    if WORLD.size > 1 and report.failed:
        print(f"rank {WORLD.rank}: {report.nodeid}\n{report.longreprtext}", file=sys.__stderr__, flush=True)
        WORLD.comm.Abort(1)  # type: ignore[attr-defined]


def backend_of(name: str) -> Backend:
    """The backend with a name of ``BACKENDS``."""
    return SHIM[name.removeprefix("shim-")] if name.startswith("shim-") else registry.backends()[name]


@pytest.fixture(params=BACKENDS)
def other(request: pytest.FixtureRequest) -> tuple[str, int | None]:
    """A backend to compare with ``reference``, and its number of threads."""
    name, _ = request.param
    if (why := backend_of(name).lacks()) is not None:
        pytest.skip(why)
    return request.param


Outcome = tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[tuple[str, str], np.ndarray]]


def outcome(net: sn.Network, backend: str, threads: int | None, duration: str) -> Outcome:
    """Spikes of every population, the final value of every state, all of plastic projections, recorded weights."""
    net.record(spikes=list(net.populations))
    program = Program(net, make_plan(net), backend_of(backend), threads, WORLD if backend == "cpu" else ALONE)
    recorder = Recorder(program.recording_plan({}))
    program.run(duration, recorder if program.world.leads else None)
    result = recorder.close()
    spikes = {name: result.spikes(name) for name in net.populations}
    states = {(name, s): program[name][s] for name in net.populations for s in program[name]}
    payloads = {(name, "payloads"): result.payloads(name) for name in result.graded}
    return spikes, states | payloads | changes(program) | weights(result)


def changes(program: sn.Program) -> dict[tuple[str, str], np.ndarray]:
    """Everything that changes in plastic projections, as a checkpoint has it."""
    plastic = [(k, p.label) for k, p in enumerate(program.plan.projections) if p.rule is not None]
    return {(label, name): np.asarray(values) for k, label in plastic
            for name, values in program.engine.plasticity(k).items()}


def weights(result: sn.Result) -> dict[tuple[str, str], np.ndarray]:
    """All recorded weights, with their times and synapses."""
    found = {name: result.weights(name) for name in result.weight_names}
    return {(name, part): np.asarray(getattr(recorded, part)) for name, recorded in found.items()
            for part in ("values", "times", "source", "target")}


@pytest.fixture
def takes(other: tuple[str, int | None]) -> Callable[[sn.Network], bool]:
    """``takes(net)``: whether the backend runs a network."""
    return lambda net: not backend_of(other[0]).refuses(make_plan(net))


class _Any(Counter[str]):
    """Counts of a rank that does not compare: more than any test asks for."""

    def __missing__(self, key: str) -> int:
        return 1 << 30

    def total(self) -> int:
        return 1 << 30


_known: dict[Any, Outcome] = {}


@pytest.fixture
def agree(other: tuple[str, int | None], request: pytest.FixtureRequest) -> Callable[..., Counter[str]]:
    """``agree(make, duration)``: the backend gives the spikes (returned: how many) and states of ``reference``.

    tolerance: of states, relative and absolute, for backends in ``CLOSE``.
    """
    close = other[0] in CLOSE
    if close and request.node.callspec.params.get("precision") == "single":
        pytest.skip(f"{other[0]} computes in double precision")

    def network(make: Callable[[], sn.Network]) -> sn.Network:
        net = make()
        if close:
            net.precision = "double"
        return net

    def check(make: Callable[[], sn.Network], duration: str = "100 ms", key: Any = None, tolerance: float = 1e-9) -> Counter[str]:
        if refused := backend_of(other[0]).refuses(make_plan(network(make))):
            pytest.skip("\n".join(map(str, refused)))
        case = (request.function, key, close, duration)
        if case not in _known and WORLD.leads:
            _known[case] = outcome(network(make), "reference", None, duration)
        spikes, states = outcome(network(make), other[0], other[1], duration)
        if not WORLD.leads:
            return _Any()
        for name, (times, ids) in _known[case][0].items():
            assert np.array_equal(times, spikes[name][0]), f"{name}: spike times differ"
            assert np.array_equal(ids, spikes[name][1]), f"{name}: spiking units differ"
        for place, values in _known[case][1].items():
            same = np.allclose(states[place], values, tolerance, tolerance) if close else np.array_equal(values, states[place])
            assert same, f"{place}: states differ"
        return Counter({name: len(times) for name, (times, _) in _known[case][0].items()})

    return check
