"""One suite, every backend a parameter. ``LEDGER`` lists what a backend cannot do, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim import registry
from snnsim.recording import Recorder

LEDGER: dict[tuple[str, str], str] = {}  # (backend, case): reason

BACKENDS = [(name, threads) for name in registry.backends() if name != "reference"
            for threads in ((1, 2, 3) if name == "cpu" else (None,))]


@pytest.fixture(params=BACKENDS, ids=lambda b: f"{b[0]}-{b[1]}")
def other(request: pytest.FixtureRequest) -> tuple[str, int | None]:
    """A backend to compare with ``reference``, and its number of threads."""
    name, _ = request.param
    if (why := registry.backends()[name].lacks()) is not None:
        pytest.skip(why)
    return request.param


Outcome = tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[tuple[str, str], np.ndarray]]


def outcome(make: Callable[[], sn.Network], backend: str, threads: int | None, duration: str) -> Outcome:
    """Spikes of every population and the final value of every state."""
    net = make()
    net.record(spikes=list(net.populations))
    program = sn.compile(net, backend=backend, threads=threads)
    recorder = Recorder(program.recording_plan({}))
    program.run(duration, recorder)
    result = recorder.close()
    spikes = {name: result.spikes(name) for name in net.populations}
    states = {(name, s): program[name][s] for name in net.populations for s in program[name]}
    return spikes, states


_known: dict[Any, Outcome] = {}


@pytest.fixture
def agree(other: tuple[str, int | None], request: pytest.FixtureRequest) -> Callable[..., int]:
    """``agree(make, duration)``: the backend gives the spikes and states of ``reference``, bit for bit."""

    def check(make: Callable[[], sn.Network], duration: str = "100 ms", key: Any = None) -> int:
        case = key or request.node.originalname
        if (reason := LEDGER.get((other[0], str(case)))) is not None:
            pytest.xfail(reason)
        if case not in _known:
            _known[case] = outcome(make, "reference", None, duration)
        spikes, states = outcome(make, other[0], other[1], duration)
        for name, (times, ids) in _known[case][0].items():
            assert np.array_equal(times, spikes[name][0]), f"{name}: spike times differ"
            assert np.array_equal(ids, spikes[name][1]), f"{name}: spiking units differ"
        for place, values in _known[case][1].items():
            assert np.array_equal(values, states[place]), f"{place}: states differ"
        return sum(len(times) for times, _ in _known[case][0].values())

    return check
