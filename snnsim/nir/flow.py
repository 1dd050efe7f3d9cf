"""From a graph to populations and the linear maps between them: what lies between two neurons becomes one map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

import numpy as np

from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.nir.graph import BORDER, GRADED, JOINT, KINDS, LINEAR, NEEDS, STATEFUL, Graph, Node
from snnsim.nir.layers import layer
from snnsim.nir.maps import Floats, Map, Shape, identity, merged


@dataclass(frozen=True)
class Signal:
    """What a node gives out: maps from the units of the stateful nodes it comes from, and a constant, flat."""

    shape: Shape
    maps: dict[str, Map] = field(default_factory=dict)
    bias: Floats | None = None

    @property
    def n(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Flow:
    """Stateful nodes (Inputs too) with their shapes, and what each of them and each Output receives.

    given: the shape that every node gives out.
    """

    graph: Graph
    shapes: dict[str, Shape]
    received: dict[str, Signal]
    given: dict[str, Shape]


def make_flow(graph: Graph) -> Flow:
    """The populations and maps of a graph. Raises ``InputError`` with every node that cannot be expressed."""
    faults = node_faults(graph)
    if faults:
        raise InputError(faults)
    shapes = {name: node.shape() for name, node in graph.nodes.items() if _begins(node)}
    made = {name: _own(name, shape) for name, shape in shapes.items()}
    for name in _order(graph):
        made[name] = _passed(graph.nodes[name], _sum(graph, name, made))
    ends = [name for name, node in graph.nodes.items() if node.kind in STATEFUL or node.kind == "Output"]
    received, problems = {}, Problems()
    for name in ends:
        with problems.at(""):
            received[name] = _received(graph, name, made)
    problems.check()
    given = {name: signal.shape for name, signal in (received | made).items()}
    return Flow(graph, shapes, received, given)


def node_faults(graph: Graph) -> list[Problem]:
    """Every node that cannot be simulated for itself, with the reason."""
    problems = Problems()
    for node in graph.nodes.values():
        with problems.at(""):
            _check(graph, node)
    return problems.found


def _check(graph: Graph, node: Node) -> None:
    if node.kind not in NEEDS:
        raise InputError(Problem(node.name, unknown("type of node", node.kind, KINDS)))
    missing = [key for key in NEEDS[node.kind] if node.values.get(key) is None]
    if missing:
        needed = ", ".join(NEEDS[node.kind])
        raise InputError([Problem(f"{node.name}.{key}", f"missing; {node.kind} needs {needed}") for key in missing])
    if node.kind in STATEFUL:
        node.shape()
        for key in (key for key in node.parameters() if key.startswith("tau")):
            _check_positive(node, key)
    if node.kind in GRADED:
        _check_graded(graph, node)


def _check_positive(node: Node, key: str) -> None:
    lowest = node.numbers(key).min(initial=1.0)
    if lowest <= 0:
        raise InputError(Problem(f"{node.name}.{key}", f"expected times above 0, found {lowest:g} s"))


def _check_graded(graph: Graph, node: Node) -> None:
    """The membrane potential of a node that does not spike may lead to Outputs only."""
    seen, ahead = {node.name}, [node.name]
    while ahead:
        here = ahead.pop()
        for b in (b for b in graph.after(here) if b not in seen):
            kind = graph.nodes[b].kind
            if kind not in ("Output", "Flatten", JOINT):
                raise InputError(Problem(b, f"expected spikes as the input of {kind}, found the membrane potential of "
                                            f"{node.name} ({node.kind}); only spikes travel between populations"))
            seen.add(b)
            ahead.append(b)


def _own(name: str, shape: Shape) -> Signal:
    """What a stateful node gives out: itself."""
    try:
        return Signal(shape, {name: identity(math.prod(shape))})
    except InputError as error:
        raise InputError([replace(p, path=name) for p in error.problems]) from error


def _begins(node: Node) -> bool:
    return node.kind in STATEFUL or node.kind == "Input"


def _order(graph: Graph) -> Iterator[str]:
    """The stateless nodes, each after those that lead to it."""
    inner = [name for name, node in graph.nodes.items() if node.kind in LINEAR or node.kind == JOINT]
    known = set(inner)
    sorter = TopologicalSorter({name: [a for a in graph.before(name) if a in known] for name in inner})
    try:
        yield from list(sorter.static_order())
    except CycleError as error:
        cycle = error.args[1]
        message = f"expected a neuron somewhere in the cycle {' -> '.join(cycle)}, found none"
        raise InputError(Problem(cycle[0], message)) from error


def _sum(graph: Graph, name: str, made: dict[str, Signal]) -> Signal:
    """All that edges lead to a node, added."""
    before = graph.before(name)
    dead = [a for a in before if a not in made]   # Outputs
    if dead or not before:
        found = f"one from {dead[0]}, an Output" if dead else "none"
        raise InputError(Problem(name, f"expected edges from nodes that give something out, found {found}"))
    signals = [made[a] for a in before]
    if len({s.n for s in signals}) > 1:
        listed = ", ".join(f"{s.n} from {a}" for a, s in zip(before, signals, strict=True))
        raise InputError(Problem(name, f"expected inputs of one size, found {listed}"))
    sources = dict.fromkeys(source for s in signals for source in s.maps)
    maps = {source: [s.maps[source] for s in signals if source in s.maps] for source in sources}
    biases = [s.bias for s in signals if s.bias is not None]
    shape = max((s.shape for s in signals), key=len)
    together = {source: each[0] if len(each) == 1 else merged(each) for source, each in maps.items()}
    return Signal(shape, together, np.sum(biases, axis=0) if biases else None)


def _passed(node: Node, signal: Signal) -> Signal:
    """A signal after a node without a state."""
    problems = Problems()
    found = signal
    with problems.at(""):
        found = _through(node, signal)
    if problems.found:
        raise InputError([p if p.path else replace(p, path=node.name) for p in problems.found])
    return found


def _through(node: Node, signal: Signal) -> Signal:
    done = layer(node, signal.shape)
    bias = None if signal.bias is None else _constant(done.change(_of_one(signal.bias)), math.prod(done.shape))
    if done.bias is not None and done.bias.any():
        bias = done.bias if bias is None else bias + done.bias
    return Signal(done.shape, {source: done.change(m) for source, m in signal.maps.items()}, bias)


def _of_one(values: Floats) -> Map:
    """A constant, as a map from a single unit that always says 1."""
    n = len(values)
    return Map(np.zeros(n, np.int64), np.arange(n), values, np.zeros(n))


def _constant(bias: Map, n: int) -> Floats:
    return np.bincount(bias.target, bias.weight, n).astype(np.float64)


def _received(graph: Graph, name: str, made: dict[str, Signal]) -> Signal:
    node = graph.nodes[name]
    if node.kind in STATEFUL and not graph.before(name):
        return Signal(node.shape())
    signal = _sum(graph, name, made)
    n = math.prod(node.shape() if node.kind not in BORDER else node.announced())
    if signal.n != n:
        raise InputError(Problem(name, f"expected {signal.n} units, the size of what comes in, found {n}"))
    return signal
