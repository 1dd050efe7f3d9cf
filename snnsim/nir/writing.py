"""From a network to a NIR graph."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.errors import InputError, Problem, Problems, UnavailableError
from snnsim.graph import Current, Noise, Projection
from snnsim.network import Network
from snnsim.nir.neurons import Neuron, neuron
from snnsim.random import Stream

_MOST_DELAYS = 64          # branches that one projection is split into
_LARGEST = 1 << 28         # numbers of one matrix


def write_network(net: Network, path: Path, overwrite: bool) -> list[str]:
    """Write `net`; what is returned are notes. Nothing is written where something cannot be said."""
    nir = _library()
    if path.exists() and not overwrite:
        raise InputError(Problem(str(path), "exists already; choose another name, or overwrite=True to replace it"))
    if not path.parent.is_dir():
        raise InputError(Problem(str(path), f"the folder {path.parent} does not exist"))
    writing = _Writing(net, nir)
    graph = writing.graph()
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        nir.write(new, graph)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return writing.notes


def _library() -> Any:
    try:
        import nir
    except ImportError as error:
        raise UnavailableError('the library nir is not installed: pip install "snnsim[nir]"') from error
    return nir


class _Writing:
    """Makes one graph."""

    def __init__(self, net: Network, nir: Any) -> None:
        self.net, self.nir = net, nir
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.neurons: dict[str, Neuron] = {}

    def graph(self) -> Any:
        """The graph; ``InputError`` with everything that NIR cannot say."""
        problems = Problems()
        for name, population in self.net.populations.items():
            with problems.at("populations", name):
                self.neurons[name] = neuron(self.net, population)
        with problems.at(""):
            choice = self._choice()
        for name, entry in self.net.inputs.items():
            with problems.at("inputs", name):
                self._input(name, entry)
        problems.check()
        for name, each in self.neurons.items():
            self.nodes[name] = each.node(self.nir)
        for p in self.net.projections:
            with problems.at("projections", p.label):
                self._projection(p)
        problems.check()
        for population in self.net.populations.values():
            if population.init:
                self.notes.append(f"populations.{population.name}.init: initial values are not written, NIR has none")
        self._biases()
        self._outputs()
        said = {"snnsim_dt_ms": f"{self.net.dt!r} ms", "snnsim_reading": choice[0], "snnsim_reset": choice[1]}
        return self.nir.NIRGraph(self.nodes, self.edges, metadata=said, type_check=False)

    def _choice(self) -> tuple[str, str]:
        """The reading and the reset that all neurons share."""
        readings = {each.reading for each in self.neurons.values() if each.reading}
        resets = {each.reset for each in self.neurons.values() if each.reset}
        for what, found in (("reading", readings), ("reset", resets)):
            if len(found) > 1:
                listed = " and ".join(sorted(found))
                raise InputError(Problem("populations", f"expected neurons of one {what}, found {listed}"))
        reading, reset = next(iter(readings), "impulse"), next(iter(resets), "set")
        if reading != "impulse":
            self.notes.append(f"the reading {reading} is noted in the file for snnsim; other tools do as they do")
        if reset == "subtract":
            self.notes.append("the reset by subtraction is noted in the file for snnsim; to other tools v_reset is 0")
        return reading, reset

    def _input(self, name: str, entry: Any) -> None:
        """Spikes sent to Inputs are no part of a graph; those sent to neurons come from an Input of their own."""
        if isinstance(entry, (Current, Noise)):
            raise InputError(f"expected spikes or none, found type {entry.kind}: NIR holds no currents")
        direct = [link for link in entry.links if self._is_neuron(link.target.name)]
        self.notes.append(f"inputs.{name}: its spikes are not written, NIR holds no data")
        if not direct:
            return
        if len({link.target.n for link in direct}) > 1:
            raise InputError("expected targets of one size, found several: give each an input of its own")
        n = direct[0].target.n
        source = self._add(name, self.nir.Input({"input": np.array([n])}))
        for k, link in enumerate(direct):
            made = self.nir.Scale(np.full(n, float(link.weight)))
            self._chain(f"{name}_{k}", source, link.target.name, np.full(n, link.delay), made)

    def _is_neuron(self, name: str) -> bool:
        return name in self.neurons and self.neurons[name].kind != "Input"

    # --- projections ------------------------------------------------------------------------------------------------

    def _projection(self, p: Projection) -> None:
        source, target, weight, delay = _synapses(self.net, p)
        delays = np.unique(delay)
        if len(delays) > _MOST_DELAYS:
            raise InputError(Problem("delay", f"expected at most {_MOST_DELAYS} different delays, found {len(delays)}"))
        if p.source.n * p.target.n > _LARGEST:
            raise InputError(Problem("", f"expected a matrix of at most {_LARGEST} weights, found {p.source.n} x "
                                         f"{p.target.n}"))
        for k, each in enumerate(delays):
            mine = delay == each
            matrix = np.zeros((p.target.n, p.source.n))
            np.add.at(matrix, (target[mine], source[mine]), weight[mine])
            base = _name(p.label) + (f"_{k}" if len(delays) > 1 else "")
            own_step = p.source is p.target and abs(each - self.net.dt) < 1e-9   # what a cycle takes anyway
            wait = np.full(p.source.n, 0.0 if own_step else each)
            self._chain(base, p.source.name, p.target.name, wait, _linear(self.nir, matrix))

    def _chain(self, base: str, source: str, target: str, delay: np.ndarray, node: Any) -> None:
        """source -> Delay, where there is one -> node -> target."""
        names = [source]
        if delay.any():
            names.append(self._add(f"{base}_delay", self.nir.Delay(delay / 1000.0)))
        names += [self._add(base, node), target]
        self.edges += pairwise(names)

    def _add(self, name: str, node: Any) -> str:
        free, k = name, 1
        while free in self.nodes or free in self.net.populations:
            k += 1
            free = f"{name}_{k}"
        self.nodes[free] = node
        return free

    def _biases(self) -> None:
        """A constant input of a neuron is the bias of a linear node that leads to it."""
        for name, each in self.neurons.items():
            if each.bias is None:
                continue
            before = [a for a, b in self.edges if b == name and type(self.nodes[a]).__name__ in ("Linear", "Scale")]
            if not before:
                raise InputError(Problem(f"populations.{name}.params.bias", "expected a projection to the population, "
                                         "which NIR needs for a bias, found none"))
            weight = self.nodes[before[0]]
            matrix = np.diag(weight.scale) if hasattr(weight, "scale") else weight.weight
            self.nodes[before[0]] = self.nir.Affine(matrix, each.bias)

    def _outputs(self) -> None:
        """What is recorded: Outputs that show populations."""
        shown = [*self.net.recording.spikes, *(t.population.name for t in self.net.recording.traces)]
        for name in dict.fromkeys(shown):
            each = self.neurons[name]
            if each.kind in ("Output", "Input"):
                continue
            output = self._add("output" if len(set(shown)) == 1 else f"{name}_output",
                               self.nir.Output({"output": np.array([each.n])}))
            self.edges.append((name, output))


def _linear(nir: Any, matrix: np.ndarray) -> Any:
    """A diagonal matrix is a Scale."""
    diagonal = matrix.shape[0] == matrix.shape[1] and len(matrix) > 1 and not (matrix - np.diag(np.diag(matrix))).any()
    return nir.Scale(np.diag(matrix).copy()) if diagonal else nir.Linear(matrix)


def _name(label: str) -> str:
    return label.replace("->", "_to_").replace("/", "_")


def _synapses(net: Network, p: Projection) -> tuple[np.ndarray, ...]:
    """Source, target, weight and delay (whole steps, in ms) of every synapse."""
    from snnsim.plan import delay_steps

    parts = []
    weights, delays = (Stream(net.seed, f"{p.label}/{what}") for what in ("weight", "delay"))
    for block in p.bound.blocks():
        k = len(block.source)
        delay = np.full(k, p.delay.constant) if p.delay.constant is not None else p.delay.draw_for(delays, block)
        weight = np.full(k, p.weight.constant) if p.weight.constant is not None else p.weight.draw_for(weights, block)
        parts.append((block.source, block.target, weight, np.broadcast_to(delay_steps(delay, net.dt), k) * net.dt))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return tuple(columns) if columns else (np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))

