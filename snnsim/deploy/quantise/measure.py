"""A short run of the float network, to see how far its potentials and currents go and how often it spikes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from snnsim.deploy.quantise.reading import Measured, Reading
from snnsim.errors import Problems
from snnsim.graph import Record, Trace
from snnsim.result import Result
from snnsim.timing import read_steps

_UNITS = 100   # of each population whose potential is looked at


def measure(reading: Reading) -> None:
    """Fill in ``rates`` and ``measured`` from a run of as long as the options ask for."""
    if reading.options.measure is None:
        return
    from snnsim.runner import run

    net = copy.copy(reading.net)
    spikes = dict.fromkeys(name for name, p in net.populations.items() if p.model.spiking)
    traces = [Trace(net.populations[name], reading.forms[name].potential, _some(net.populations[name].n), 1)
              for name in reading.neurons]
    net.recording = Record(spikes, traces)
    problems = Problems()
    with problems.at("measure"):
        read_steps(reading.options.measure, net.dt, [], "measure")
    problems.check()
    result = run(net, reading.options.measure, backend="cpu")
    reading.rates = {name: float(rate) / 1000.0 for name, rate in result.summary["rates_hz"].items()}
    reading.measured = {name: _measured(reading, result, name) for name in reading.neurons}


def _some(n: int) -> Any:
    return None if n <= _UNITS else np.unique(np.linspace(0, n - 1, _UNITS).astype(np.int64))


def _measured(reading: Reading, result: Result, name: str) -> Measured:
    """U is what the potential gained, where it was not reset."""
    neuron, trace = reading.neurons[name], result.trace(name, reading.forms[name].potential)
    keep, rise, reset = (_of(value, trace.units) for value in (neuron.keep, neuron.rise, neuron.reset))
    v = np.asarray(trace.data, float) - reset
    gained = v[1:] - keep * v[:-1] - rise
    moved = np.where(v[1:] == 0, 0.0, np.abs(gained))   # at the reset: just spiked, or held there
    return Measured(float(np.abs(v).max(initial=0.0)), float(moved.max(initial=0.0)))


def _of(values: Any, units: Any) -> Any:
    return np.asarray(values)[units] if np.ndim(values) else values
