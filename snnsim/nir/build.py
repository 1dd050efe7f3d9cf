"""From the populations and maps of a graph to a network."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from snnsim.errors import InputError, Problem
from snnsim.network import Network
from snnsim.nir.arrays import Arrays
from snnsim.nir.flow import Flow, Signal
from snnsim.nir.graph import GRADED, Node
from snnsim.nir.maps import Map
from snnsim.nir.models import document, is_time, model_name

_HUGE = 50.0   # times the threshold: an impulse that moves a neuron so far was hardly meant as one


class Build:
    """Makes the network of one graph. The choices are those of ``snnsim.nir.read``."""

    def __init__(self, flow: Flow, dt: Any, reading: str, reset: str, precision: str, arrays: Arrays) -> None:
        self.flow, self.graph, self.arrays = flow, flow.graph, arrays
        self.reading, self.reset = reading, reset
        name = self.graph.path.stem[:200] or "nir"
        self.net = Network(dt=dt, name=name, precision=precision, base_dir=arrays.base_dir)
        self.names = _names([*flow.shapes, *flow.received])
        self.sizes: dict[str, int] = {}
        self.calls: list[Callable[[], Any]] = []
        self.modelled: set[str] = set()

    def network(self) -> Network:
        """Populations, projections, and what the Outputs show as the recording."""
        self._check()
        sums = [name for name in self._outputs() if self._shown(name) is None]
        self.sizes = {name: math.prod(shape) for name, shape in self.flow.shapes.items()}
        self.sizes |= {name: self.flow.received[name].n for name in sums}
        for name in self.sizes:
            self._population(self.graph.nodes[name])
        self._project([name for name in self.flow.received if name in self.sizes])
        self.arrays.save()   # before the network is made that reads them
        for call in self.calls:
            call()
        self._record(sums)
        renamed = ", ".join(f"{name!r} is {self.names[name]}" for name in self.sizes if name != self.names[name])
        self.net.notes += ([f"populations of nodes: {renamed}"] if renamed else []) + self._doubts()
        return self.net

    def _outputs(self) -> list[str]:
        return [name for name in self.flow.received if self.graph.nodes[name].kind == "Output"]

    def _check(self) -> None:
        """What a reading cannot say."""
        if self.reading != "impulse":
            return
        faults = [Problem(name, "expected the reading pulse or euler for a Threshold, found impulse: its output lasts "
                                "as long as its input is high") for name in self.flow.shapes
                  if self.graph.nodes[name].kind == "Threshold"]
        faults += [Problem(name, "expected the reading pulse or euler for an Output with a bias, found impulse: the "
                                 "sum of impulses and a constant is no number") for name in self._outputs()
                   if self.flow.received[name].bias is not None]
        if faults:
            raise InputError(faults)

    # --- populations ------------------------------------------------------------------------------------------------

    def _population(self, node: Node) -> None:
        name, n = self.names[node.name], self.sizes[node.name]
        if node.kind == "Input":
            self.calls.append(lambda: self.net.population(name, n, "relay"))
            return
        model, says = model_name(node.kind), document(node.kind, self.reading, self.reset)
        keys = [key for key in node.parameters() if key in says["parameters"]]
        params = {key: self._parameter(node, key, n) for key in keys}
        bias = self.flow.received[node.name].bias
        if bias is not None:
            params["bias"] = self.arrays.keep(f"{name}.bias", bias)
        if model not in self.modelled:
            self.modelled.add(model)
            self.calls.append(lambda: self.net.model(model, says))
        self.calls.append(lambda: self.net.population(name, n, model, **params))

    def _parameter(self, node: Node, key: str, n: int) -> Any:
        values = np.broadcast_to(node.numbers(key).ravel(), n)
        unit = "ms" if is_time(key) else ""
        return self.arrays.keep(f"{self.names[node.name]}.{key}", values * 1000.0 if unit else values, unit)

    # --- projections ------------------------------------------------------------------------------------------------

    def _project(self, targets: Iterable[str]) -> None:
        wanted = [(source, target, m) for target in targets
                  for source, both in self.flow.received[target].maps.items()
                  for m in _by_delay(both) if len(m.weight)]
        inputs = [name for name in self.sizes if self.graph.nodes[name].kind == "Input"]
        late = _closing([(source, target) for source, target, m in wanted if not m.delay.any()], inputs)
        for number, (source, target, m) in enumerate(wanted):
            back = not m.delay.any() and (source, target) in late
            self._projection(number, source, target, m, "1 step" if back else None)

    def _projection(self, number: int, source: str, target: str, m: Map, delay: Any) -> None:
        a, b = self.names[source], self.names[target]
        key = f"{a}-{b}-{number}"
        connect = self._connect(key, m, self.sizes[source], self.sizes[target])
        weight = self.arrays.keep(f"{key}.weight", m.weight)
        if delay is None:
            delay = self.arrays.keep(f"{key}.delay", m.delay, "ms")
        self.calls.append(lambda: self.net.project(a, b, connect, weight=weight, delay=delay, port="in"))

    def _connect(self, key: str, m: Map, n_source: int, n_target: int) -> Any:
        """The rule that says these pairs with the fewest numbers."""
        k = len(m.weight)
        if k == n_source * n_target and (m.target * n_source + m.source == np.arange(k)).all():
            return {"rule": "all_to_all"}
        if k == n_source == n_target and (m.source == m.target).all() and (m.source == np.arange(k)).all():
            return {"rule": "one_to_one"}
        ids = {end: self.arrays.keep(f"{key}.{end}", getattr(m, end)) for end in ("source", "target")}
        return {"rule": "explicit", **ids}

    # --- recording --------------------------------------------------------------------------------------------------

    def _shown(self, output: str) -> list[str] | None:
        """The populations that an Output shows as they are; None where it shows a sum of weighted spikes."""
        signal = self.flow.received[output]
        single = signal.bias is None and len(signal.maps) == 1
        return list(signal.maps) if single and all(_is_identity(m, signal) for m in signal.maps.values()) else None

    def _record(self, sums: list[str]) -> None:
        shown = [name for output in self._outputs() for name in self._shown(output) or ()]
        graded = {name for name in shown if self.graph.nodes[name].kind in GRADED}
        traces = {self.names[name]: {"variables": ["v"]} for name in sorted(graded)}
        traces |= {self.names[name]: {"variables": ["x"]} for name in sums}
        spikes = [self.names[name] for name in dict.fromkeys(shown) if name not in graded]
        self.net.record(spikes=spikes, traces=traces)

    def _doubts(self) -> list[str]:
        """Neurons that an impulse of area 1 s would throw far beyond their threshold."""
        if self.reading != "impulse":
            return []
        thrown = {name: jump for name, signal in self.flow.received.items()
                  if (jump := _jump(self.graph.nodes[name], signal)) > _HUGE}
        return [f"node {name!r}: a spike, read as an impulse of area 1 s, moves it by {jump:.3g} thresholds; where the "
                "file is from a tool in which a spike is 1 for one step, use the reading euler (or pulse) with its dt"
                for name, jump in thrown.items()]


def _jump(node: Node, signal: Signal) -> float:
    """By how many thresholds the largest weight moves a neuron, in the reading impulse."""
    if node.kind not in ("LIF", "CubaLIF"):
        return 0.0
    largest = max((float(np.abs(m.weight).max(initial=0.0)) for m in signal.maps.values()), default=0.0)
    tau = node.numbers("tau" if node.kind == "LIF" else "tau_syn").min(initial=np.inf)
    gain = float(np.abs(node.numbers("r")).max(initial=0.0)) * float(np.abs(node.numbers("w_in", 1.0)).max(initial=0.0))
    threshold = float(np.abs(node.numbers("v_threshold")).min(initial=np.inf))
    return largest * gain / float(tau) / threshold if threshold else 0.0


def _is_identity(m: Map, signal: Signal) -> bool:
    n = len(m.weight)
    return (n == signal.n and bool((m.source == m.target).all() and (m.weight == 1).all() and not m.delay.any()))


def _by_delay(m: Map) -> list[Map]:
    """Synapses without delay and those with one: a projection has one kind."""
    late = m.delay > 0
    return [m.part(~late), m.part(late)] if late.any() and not late.all() else [m]


def _closing(edges: list[tuple[str, str]], inputs: list[str]) -> set[tuple[str, str]]:
    """Edges that close a cycle, met by going through all of them in depth, from the inputs on."""
    following: dict[str, list[str]] = {name: [] for name in inputs}
    for a, b in edges:
        following.setdefault(a, []).append(b)
    closing, done, open_ = set(), set[str](), dict[str, None]()
    for root in following:
        stack = [] if root in done else [(root, iter(following[root]))]
        open_.update(dict.fromkeys(name for name, _ in stack))
        while stack:
            name, rest = stack[-1]
            after = next(rest, None)
            if after is None:
                stack.pop()
                open_.pop(name)
                done.add(name)
            elif after in open_:
                closing.add((name, after))
            elif after not in done:
                open_[after] = None
                stack.append((after, iter(following.get(after, ()))))
    return closing


def _names(nodes: Iterable[str]) -> dict[str, str]:
    """Names that a network may have, unlike each other."""
    found: dict[str, str] = {}
    taken = set[str]()
    for node in dict.fromkeys(nodes):
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", node)
        base = name = plain if re.match(r"[A-Za-z_]", plain) else f"n{plain}"
        k = 1
        while name in taken:
            k += 1
            name = f"{base}_{k}"
        taken.add(name)
        found[node] = name
    return found
