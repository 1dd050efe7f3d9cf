"""The numbers of a chip's LIF neurons: decays first, then the scale that all that reaches them suits, then the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.deploy.quantise.integers import DECAYS, MOST_STATE, MOST_THRESHOLD, UNIT, bias, decay, threshold
from snnsim.deploy.quantise.neuron import Neuron, Numbers
from snnsim.deploy.quantise.reading import Measured, Reading
from snnsim.deploy.quantise.scale import FINE, NO_ROOM, Load, Room, best_scale
from snnsim.deploy.quantise.synapses import thinned
from snnsim.deploy.quantise.traffic import LONGEST, Way, memory, reach, remembered, ways
from snnsim.feeds import port_of

_MARGIN = 1.5   # over what a run has shown
_FEW = 512      # weights of a way that a scale is judged by


@dataclass
class Fit:
    """A population on the chip.

    dv, du: as the chip's model takes them; keep, fade: what they leave after a step. mended: what weights are
    multiplied with to make up for rounded decays (of the current, of the potential). ways: what arrives. gains: port ->
    what a weight of 1 adds to U, mended. unit: what a weight of size 1 at the first port adds (1 where nothing
    arrives), a number or [n]. scale: units of 64 for such a weight. spared: by how many bits it is coarser than it
    could be.
    """

    neuron: Neuron
    dv: Numbers
    du: Numbers
    keep: Numbers
    fade: Numbers
    mended: tuple[Numbers, Numbers]
    ways: list[Way]
    gains: dict[str, Numbers]
    unit: Numbers
    room: Room = NO_ROOM
    limited_by: str = ""
    scale: float = 1.0
    spared: int = 0
    lag: int = 0

    @property
    def size(self) -> Numbers:
        """Units of the chip's potential for one of the float one, a number or [n]."""
        return UNIT * self.scale / self.unit

    @property
    def cut(self) -> float:
        """By how many units the potential may be off because each step cuts fractions of current and potential.

        Both lose less than one unit in a step, and forget it as they forget all.
        """
        current = np.where(np.equal(self.fade, 0), 0.0, 1 / np.maximum(1 - np.asarray(self.fade), 1 / DECAYS))
        leak = np.maximum(1 - np.asarray(self.keep), 1 / LONGEST)
        return float(np.max((np.where(np.equal(self.keep, 1), 0.0, 1.0) + current) / leak))

    def spare(self, scale: float) -> int:
        """By how many bits a scale may be coarser with threshold, bias and what steps cut still within 2^-10."""
        height = self.neuron.threshold if self.neuron.threshold is not None else self.room.potential * self.unit
        units = float(np.min(UNIT * scale * np.asarray(height) / self.unit))
        off = self.cut + UNIT / 2 + (memory(self.neuron.keep) / 2 if np.any(self.neuron.rise) else 0.0)
        return int(np.floor(np.log2(max(1.0, units * FINE / off))))

    def factor(self, port: str) -> Numbers:
        """What a weight at a port is multiplied with to be a mantissa of exponent 0, a number, or [n]."""
        return _collapsed(self.scale * np.asarray(self.gains[port]) / self.unit)

    def params(self, semantics: str) -> dict[str, Any]:
        """Parameters of the chip's model, whole numbers or int64 [n]."""
        neuron, size = self.neuron, self.size
        vth: Any = MOST_THRESHOLD
        if neuron.threshold is not None:
            vth = threshold(neuron.threshold * size, neuron.strict)
        mantissa, exponent = bias(neuron.rise * self.mended[1] * size)
        names = ("decay_u", "decay_v") if semantics == "loihi1" else ("du", "dv")
        made = {names[0]: self.du, names[1]: self.dv, "vth": vth, "bias_mant": mantissa, "bias_exp": exponent}
        if semantics == "loihi1" and np.any(neuron.refractory):
            made["t_ref"] = neuron.refractory
        return {name: whole(value) for name, value in made.items()}

    def initial(self) -> dict[str, Any]:
        """States in the beginning, those that are not 0."""
        v, u = self.neuron.at(-self.lag)
        mended = self.mended[0] * self.mended[1]
        made = {"v": np.clip(np.rint(v * self.size), -MOST_STATE, MOST_STATE), "u": np.rint(u * mended * self.size)}
        return {name: whole(value) for name, value in made.items() if np.any(value)}


def whole(values: Numbers) -> Any:
    """An int where all are equal, int64 [n] otherwise."""
    flat = np.unique(values)
    return int(flat[0]) if len(flat) == 1 else np.asarray(values).astype(np.int64)


def _collapsed(values: Numbers) -> Numbers:
    """One number where all are, to rounding."""
    values = np.asarray(values, float)
    same = values.ndim == 0 or np.allclose(values, values.flat[0], rtol=1e-12, atol=0)
    return float(values.flat[0]) if same else values


def fit(reading: Reading, name: str) -> Fit:
    """A population without its scale."""
    neuron, options = reading.neurons[name], reading.options
    dv, keep = decay(neuron.keep, options.semantics, current=False)
    du, fade = decay(neuron.fade, options.semantics, current=True)
    mended = (_mended(neuron.fade, fade), _mended(neuron.keep, keep)) if options.preserve == "mean" else (1.0, 1.0)
    gains = {port: _collapsed(np.asarray(gain) * mended[0] * mended[1]) for port, gain in neuron.gains.items()}
    unit = _unit(gains, [port_of(link) for _, link in reading.links(name)])
    found = ways(reading, name)
    one = Fit(neuron, dv, du, keep, fade, mended, found, gains, unit)
    one.room = _room(one, reading.options.headroom, reading.measured.get(name))
    return one


def _mended(left: Numbers, got: Numbers) -> Numbers:
    """What makes a steady input come to the same with a rounded decay; 1 where there is none."""
    wanted, found = 1 - np.asarray(left, float), 1 - np.asarray(got, float)
    leaks = (wanted > 0) & (found > 0)
    return _collapsed(np.where(leaks, found / np.where(leaks, wanted, 1.0), 1.0))


def _unit(gains: Mapping[str, Numbers], first: Iterable[str]) -> Numbers:
    """The size of the gain of the port that an input reaches, since its weight is one number, or else of any."""
    ports = [*first, *gains]
    if not ports:
        return 1.0
    size = np.abs(np.asarray(gains[ports[0]], float))
    return _collapsed(np.where(size > 0, size, np.median(size[size > 0]) if np.any(size > 0) else 1.0))


def _room(one: Fit, headroom: float, measured: Measured | None) -> Room:
    """What potential and current may reach: as far as a run has shown, or as can be told without one."""
    neuron, start = one.neuron, [np.abs(value) for value in one.neuron.start]
    height = 0.0 if neuron.threshold is None else neuron.threshold
    if measured is not None:
        potential, current = _MARGIN * measured.potential, _MARGIN * measured.current
    else:
        current = reach(one.ways, one.gains, neuron.fade) + start[1]
        potential = headroom * height if neuron.threshold is not None else _silent(one)
    below = np.where(np.isfinite(neuron.rest), np.maximum(-np.asarray(neuron.rest), 0), 0.0)
    weight = max((np.abs(way.moved(one.gains)).max(initial=0.0) for way in one.ways if way.synapse), default=0.0)
    rise = np.abs(neuron.rise * np.asarray(one.mended[1]))
    values = height, _most(potential, height, start[0], below), _most(current, start[1]), rise, weight
    return Room(*(float(np.max(np.asarray(value) / one.unit)) for value in values))


def _silent(one: Fit) -> Numbers:
    """How far a potential goes that no spike resets: from where it began, by what arrives, and without a leak by what
    drives it on."""
    neuron = one.neuron
    pushed = reach(one.ways, one.gains, neuron.fade, neuron.keep)
    return _MARGIN * (pushed + np.abs(neuron.start[0]) + np.abs(neuron.rise) * memory(neuron.keep))


def _most(*values: Numbers) -> Numbers:
    return np.maximum.reduce(np.broadcast_arrays(*values))


# --- scales ----------------------------------------------------------------------------------------------------------


def choose_scales(reading: Reading, fits: dict[str, Fit]) -> None:
    """Give every population its scale; those that share an input share the scale, so that its weight stays one.

    Bits that no weight needs are given up: they are room for potential and current beyond what is expected.
    """
    for names in _together(reading, fits):
        split = reading.options.split_signs
        loads = [load for name in names for load in _loads(fits[name], split)]
        limits = {(most, name): reason for name in names for reason, most in fits[name].room.limits().items()}
        most = min(limits, default=(1.0, ""))[0]
        least = reading.options.least_exponent
        scale = best_scale(loads, most, least)
        spare = [load.spare(scale, least) for load in loads]
        spared = min(*spare, *(fits[name].spare(scale) for name in names)) if spare else 0
        for name in names:
            own, one = fits[name].room.limits(), fits[name]
            one.limited_by = min(own, key=lambda reason: own[reason], default="")
            one.scale, one.spared = scale / 2**spared, spared


def _loads(fit: Fit, split: bool) -> list[Load]:
    height = fit.room.height or fit.room.potential or 1.0
    unit = float(np.median(fit.unit))
    steps = remembered(fit.neuron)
    loads = []
    for way in fit.ways:
        moved = thinned(way.moved(fit.gains), _FEW) / unit
        mixed = bool((moved > 0).any() and (moved < 0).any()) and not split
        loads.append(Load(moved, height, max(way.mean * steps, 1e-3), way.synapse, mixed,
                          way.most_moved(fit.gains) / unit))
    return loads


def _together(reading: Reading, fits: Mapping[str, Fit]) -> list[list[str]]:
    """Populations in groups that share Poisson inputs."""
    group = {name: name for name in fits}

    def head(name: str) -> str:
        return name if group[name] == name else head(group[name])

    for each in reading.net.inputs.values():
        if isinstance(each, graph.Poisson):
            reached = [link.target.name for link in each.links if link.target.name in fits]
            for name in reached[1:]:
                group[head(name)] = head(reached[0])
    heads = dict.fromkeys(map(head, fits))
    return [[name for name in fits if head(name) == one] for one in heads]
