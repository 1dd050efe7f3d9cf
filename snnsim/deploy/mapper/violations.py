"""What a target does not hold of a graph, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from snnsim.deploy.graph import Connection, Graph
from snnsim.deploy.mapper.packing import pack
from snnsim.deploy.mapper.pieces import Piece, cut_all, hard, neuron_bits
from snnsim.deploy.mapper.placement import Core, Violation
from snnsim.deploy.target import Fact, Limit, Target
from snnsim.deploy.mapper.wiring import on_host, outgoing


def violations(graph: Graph, target: Target, pieces: list[Piece], cores: Sequence[Core]) -> Iterator[Violation]:
    """All of them: of groups, of connections, of units that are too much for a core, of cores, of the whole."""
    yield from _of_groups(graph, target)
    for connection in graph.connections:
        yield from _of_connection(connection, graph, target)
    yield from _of_units(graph, target, pieces)
    yield from _of_cores(target, cores)
    yield from _of_chips(graph, target, cores)


def _violation(
    kind: str, where: str, fact: Fact, used: int, message: str, remedy: str, limit: int | None = None,
) -> Violation:
    level: Literal["error", "warning"] = "warning" if isinstance(fact, Limit) and fact.warn else "error"
    most = getattr(fact, "value", 0) if limit is None else limit
    return Violation(kind, level, where, int(most), int(used), message, remedy, fact.sure, fact.source)


def _of_groups(graph: Graph, target: Target) -> Iterator[Violation]:
    known = Fact(source=f"models of the target {target.name}", sure="given")
    for group in graph.groups:
        if not on_host(group) and group.model not in target.models:
            yield _violation(
                "model", f"group {group.name}", known, group.n,
                f"{target.name} has no neurons of the model {group.model}",
                f"use one of: {', '.join(sorted(target.models))}; or list the model below 'models:' in a target of "
                "your own, with the bytes that a neuron takes", 0)


def _of_connection(connection: Connection, graph: Graph, target: Target) -> Iterator[Violation]:
    where = f"connection {connection.label}"
    if on_host(graph.groups[connection.target]):
        name = graph.groups[connection.target].name
        yield _violation("host", where, Fact(source="units of the host only send", sure="given"), connection.pre.size,
                         f"{name} is made by the host and receives nothing from the chip",
                         "let a group of neurons receive, or leave the connection out", 0)
    yield from _of_fields(connection, where, graph, target)
    if connection.learning is not None:
        yield from _of_learning(connection, where, target)


def _of_fields(connection: Connection, where: str, graph: Graph, target: Target) -> Iterator[Violation]:
    weights, bits = target.synapses.weight_bits, connection.num_weight_bits
    if bits > max(weights.value):
        yield _violation("weight bits", where, weights, bits, f"weights of {bits} bits; at most {max(weights.value)}",
                         f"set num_weight_bits: {max(weights.value)}", max(weights.value))
    latest, longest = int(connection.delay.max(initial=1)), target.delay.value + 1
    if latest > longest:
        yield _violation("delay", where, target.delay, latest, f"a delay of {latest} steps; at most {longest}",
                         f"shorten delays to {longest} steps, or let {-(-latest // longest) - 1} more group(s) of "
                         "neurons pass the spikes on", longest)
    message = connection.num_message_bits
    if message > target.message_bits.value and not on_host(graph.groups[connection.source]):   # the host sends often
        yield _violation("message bits", where, target.message_bits, message,
                         f"messages of {message} bits; at most {target.message_bits.value}",
                         f"set num_message_bits: {target.message_bits.value}, or choose a target with graded spikes")


def _of_learning(connection: Connection, where: str, target: Target) -> Iterator[Violation]:
    assert connection.learning is not None
    epoch = connection.learning.t_epoch
    if not target.learning.value:
        yield _violation("learning", where, target.learning, connection.pre.size,
                         f"{connection.pre.size} synapses learn; {target.name} has no learning",
                         "leave 'synapse:' out, so that the weights stay as they are")
    elif epoch > target.epoch.value:
        yield _violation("epoch", where, target.epoch, epoch,
                         f"epochs of {epoch} steps; at most {target.epoch.value}", f"set t_epoch: {target.epoch.value}")


class _Need(NamedTuple):
    """What a core has only so much of: the need of a piece, and what helps where one unit needs too much."""

    kind: str
    limit: Limit | None
    of: Callable[[Piece], int]
    remedy: Callable[[int, int], str]


def _of_units(graph: Graph, target: Target, pieces: list[Piece]) -> Iterator[Violation]:
    """Of units that are too much for a core of their own, by group and limit: how many, and the worst."""
    alone: dict[int, list[Piece]] = {}
    for piece in pieces:
        if not piece.fits or piece.axons_out > hard(target.axons_out_per_core):
            alone.setdefault(piece.group, []).append(piece)
    for number, found in alone.items():
        group = graph.groups[number]
        for need in _needs(target, group.model):
            most = hard(need.limit)
            over = [piece for piece in found if need.of(piece) > most]
            if over and need.limit is not None:
                worst = max(over, key=need.of)
                used = need.of(worst)
                yield _violation(
                    need.kind, f"group {group.name}", need.limit, used,
                    f"{len(over)} of {group.n} units need more {need.kind} than a core has: unit {worst.start} needs "
                    f"{used:,}, a core has {most:,}", need.remedy(used, most))


def _needs(target: Target, model: str) -> Iterator[_Need]:
    state = neuron_bits(target, model)
    yield _Need("synaptic memory (bits)", target.memory.bits_per_core, lambda piece: piece.bits + state,
                lambda used, most: _spread(used, most - state))
    yield _Need("axons in", target.axons_in_per_core, lambda piece: piece.axons_in, _spread)
    yield _Need("axons out", target.axons_out_per_core, lambda piece: piece.axons_out, lambda *_: (
        "let it send to fewer cores: to fewer units, or through groups that pass its spikes on"))
    yield _Need("delay slots", target.delay_slots_per_core, lambda piece: piece.delay + 2, lambda used, most: (
        f"shorten its delays to {max(most - 1, 1)} steps"))
    yield _Need("synapse formats", target.synapse_formats_per_core, lambda piece: len(piece.formats), lambda *_: (
        "give more of its connections the same weight bits, exponent, sign mode and delays"))


def _spread(used: int, most: int) -> str:
    return f"spread the inputs of each over {-(-used // max(most, 1))} units that it adds up"


def _of_cores(target: Target, cores: Sequence[Core]) -> Iterator[Violation]:
    """Of limits that only warn."""
    for kind, key, fact in (("axons_in", "axons_in_per_core", target.axons_in_per_core),
                            ("axons_out", "axons_out_per_core", target.axons_out_per_core),
                            ("memory_bits", "memory.bits_per_core", target.memory.bits_per_core)):
        used = [getattr(core, kind) for core in cores]
        if fact.warn and used and max(used) > fact.value:
            over, name = sum(n > fact.value for n in used), kind.replace("_", " ")
            yield _violation(
                name, "network", fact, max(used),
                f"{over} of {len(cores)} cores use more than {fact.value:,} {name}: core {used.index(max(used))} uses "
                f"{max(used):,}", f"with '{key}: {fact.value}' in a target of your own it is placed within that")


def _of_chips(graph: Graph, target: Target, cores: Sequence[Core]) -> Iterator[Violation]:
    chips = 1 + max((core.chip for core in cores), default=-1)
    if target.chips is not None and chips > target.chips.value:
        yield _violation("chips", "network", target.chips, chips,
                         f"{len(cores):,} cores on {chips} chips of {target.cores_per_chip.value}; there are "
                         f"{target.chips.value}", _smaller(graph, target, cores, chips))


def _smaller(graph: Graph, target: Target, cores: Sequence[Core], chips: int) -> str:
    """What would make a graph fit on the chips there are."""
    fullest, mean = _fullest(target, cores)
    cause = f"what fills the cores is {fullest} ({mean:.0%} on average)"
    if fullest != "memory":
        return f"{cause}; take {chips} chips or fewer units and synapses"
    tried = {bits: _chips_with(graph, target, bits) for bits in _fewer_bits(graph, target)}
    enough = [bits for bits, takes in tried.items() if target.chips is not None and takes <= target.chips.value]
    if enough:
        return f"{cause}; with num_weight_bits: {max(enough)} it takes {tried[max(enough)]}"
    least = f", even with num_weight_bits: {min(tried)} it takes {tried[min(tried)]}" if tried else ""
    return f"{cause}{least}; take {chips} chips or fewer units and synapses"


def _fullest(target: Target, cores: Sequence[Core]) -> tuple[str, float]:
    """Which limit of a core is used most, and how much of it."""
    shares = {
        "neurons": (target.neurons_per_core.value, [core.neurons for core in cores]),
        "memory": (target.memory.bits_per_core.value, [core.memory_bits for core in cores]),
        "axons in": (target.axons_in_per_core.value, [core.axons_in for core in cores]),
        "axons out": (target.axons_out_per_core.value, [core.axons_out for core in cores]),
    }
    means = {name: sum(used) / len(used) / max(limit, 1) for name, (limit, used) in shares.items()}
    return max(means.items(), key=lambda item: item[1])


def _fewer_bits(graph: Graph, target: Target) -> list[int]:
    """Numbers of weight bits to try: half as many, and the least; learning takes all."""
    most = max((c.num_weight_bits for c in graph.connections if c.learning is None), default=0)
    widths = [bits for bits in target.synapses.weight_bits.value if bits < most]
    return sorted({widths[0], *(bits for bits in (4, 6) if bits in widths)}) if widths else []


def _chips_with(graph: Graph, target: Target, bits: int) -> int:
    """How many chips it takes with at most so many weight bits."""
    fewer = tuple(replace(c, num_weight_bits=min(bits, c.num_weight_bits)) for c in graph.connections)
    smaller = replace(graph, connections=fewer)
    cores = len(pack(cut_all(smaller, target, outgoing(smaller)), smaller, target))
    return -(-cores // target.cores_per_chip.value)
