"""What quantisation did to a network, in numbers: per population, projection and input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.deploy.quantise.fitting import Fit
from snnsim.deploy.quantise.integers import MOST_STATE, UNIT, Numbers
from snnsim.deploy.quantise.neuron import Neuron
from snnsim.deploy.quantise.weights import Part
from snnsim.plan import delay_steps
from snnsim.units import unit_name


@dataclass(frozen=True)
class Change:
    """A number that was wanted, what became of it, and by which part of it that is off; of the worst unit."""

    wanted: float
    got: float
    error: float


@dataclass(frozen=True)
class PopulationReport:
    """A population on the chip; potentials in `unit` of the float model.

    scale: whole numbers for one `unit`, and least: what one of them is (the middle one, where units differ).
    limited_by: what keeps the scale from being larger. spared: bits that it is coarser than that, since no weight needs
    them. lag: steps by which it is behind the float one. potential, current: time constants in ms (None: nothing is
    left after a step). threshold: above the reset. rest: where the constant input alone takes the potential, above the
    reset (without a leak: per step). mended: what weights were multiplied with to make up for the time constants.
    rounding: at most so far off is the potential because each step cuts fractions. lowest: where the potential
    saturates, and reach: how far from the reset it is expected to go. current_share: the part of its range that the
    current is expected to use. overflow: how many arrivals of the largest weight in one step overflow the current,
    which then turns its sign (None: nothing arrives). dropped: ms of refractory time left out.
    """

    population: str
    units: int
    model: str
    chip_model: str
    unit: str
    scale: float
    least: float
    limited_by: str
    spared: int
    lag: int
    potential: Change | None
    current: Change | None
    threshold: Change | None
    rest: Change | None
    mended: float
    rounding: float
    lowest: float
    reach: float
    current_share: float
    overflow: int | None
    dropped: float


@dataclass(frozen=True)
class ProjectionReport:
    """A projection on the chip; errors in parts of the weights.

    place: in the network as it was given. listed: its synapses are named one by one. step: the smallest change of a
    weight, in the unit it had. mean: of the sum of all, over the sum of their sizes; rms, over their root mean square;
    largest: of any, over the largest weight. zero, cut: the part of the synapses that became 0 though they were not, or
    reached the largest mantissa. delays: steps on the chip, smallest and largest; added: steps that they are longer
    than in the float network; rounded: by how many ms a delay is off for having to be whole steps; too_long: the part
    that is cut to the longest.
    """

    projection: str
    place: str
    source: str
    target: str
    synapses: int
    listed: bool
    exponent: int
    mantissas: tuple[int, int]
    sign_mode: str
    step: float
    mean: float
    rms: float
    largest: float
    zero: float
    cut: float
    delays: tuple[int, int]
    added: int
    rounded: float
    too_long: float


@dataclass(frozen=True)
class InputReport:
    """Spikes that the host brings; weight in the unit it had, whole: on the chip."""

    input: str
    target: str
    type: str
    weight: Change
    whole: int


@dataclass(frozen=True)
class QuantisationReport:
    """All of it. notes: what else changed, in words."""

    target: str
    semantics: str
    populations: tuple[PopulationReport, ...]
    projections: tuple[ProjectionReport, ...]
    inputs: tuple[InputReport, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Numbers and texts, as JSON has them."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _change(wanted: Numbers, got: Numbers, size: Numbers | None = None) -> Change:
    """Of the unit with the largest relative error; `size`: what errors are parts of."""
    wanted, got = np.broadcast_arrays(np.asarray(wanted, float), np.asarray(got, float))
    whole = np.abs(np.broadcast_to(np.asarray(wanted if size is None else size, float), wanted.shape))
    error = np.divide(got - wanted, whole, out=np.zeros(wanted.shape), where=whole > 0)
    worst = np.unravel_index(int(np.argmax(np.abs(error))), error.shape)
    return Change(float(wanted[worst]), float(got[worst]), float(error[worst]))


# --- populations -----------------------------------------------------------------------------------------------------


def population_report(
    population: graph.Population, potential: str, fit: Fit, params: dict[str, Any], chip_model: str, dt: float,
    dropped: float,
) -> PopulationReport:
    """The report of one population with the parameters it got."""
    neuron, size = fit.neuron, float(np.median(fit.size))
    current = float(fit.room.current * fit.scale * UNIT / MOST_STATE)
    return PopulationReport(
        population.name, population.n, population.model.name, chip_model,
        unit_name(population.model.states[potential].dimension), size, 1 / size, fit.limited_by, fit.spared,
        fit.lag, _time_constant(neuron.keep, fit.keep, dt),
        _time_constant(neuron.fade, fit.fade, dt) if neuron.currents else None,
        _threshold(fit, params), _rest(fit, params), float(np.median(np.asarray(fit.mended[0]) * fit.mended[1])),
        fit.cut / float(np.min(fit.size)), float(np.median(neuron.reset - MOST_STATE / np.asarray(fit.size))),
        fit.room.potential * float(np.median(fit.unit)), current, _overflow(fit), dropped,
    )


def _time_constant(wanted: Numbers, got: Numbers, dt: float) -> Change | None:
    with np.errstate(divide="ignore"):
        times = [-dt / np.log(np.asarray(left, float)) for left in (wanted, got)]
    if not np.any(np.asarray(wanted) > 0):
        return None
    finite = [np.where(np.isfinite(time), time, 0.0) for time in times]   # no leak is said as 0 ms
    return _change(*finite)


def _threshold(fit: Fit, params: dict[str, Any]) -> Change | None:
    if fit.neuron.threshold is None:
        return None
    least = np.asarray(params["vth"]) * UNIT + (0 if fit.neuron.strict else 1)
    return _change(fit.neuron.threshold, least / fit.size)


def _rest(fit: Fit, params: dict[str, Any]) -> Change | None:
    """The bias, as what it does to the potential; errors in parts of the threshold, where there is one."""
    if not np.any(fit.neuron.rise):
        return None
    rise = np.asarray(params["bias_mant"]) * 2.0 ** np.asarray(params["bias_exp"]) / fit.size
    wanted = np.divide(fit.neuron.rise, _leak(fit.neuron.keep))
    return _change(wanted, rise / _leak(fit.keep), fit.neuron.threshold)


def _leak(keep: Numbers) -> Any:
    leak = 1 - np.asarray(keep, float)
    return np.where(leak > 0, leak, 1.0)


def _overflow(fit: Fit) -> int | None:
    largest = max((float(np.abs(way.moved(fit.gains)).max(initial=0.0)) for way in fit.ways), default=0.0)
    return int(MOST_STATE / UNIT / (largest / np.median(fit.unit) * fit.scale)) if largest else None


# --- projections and inputs ------------------------------------------------------------------------------------------


def projection_report(part: Part, label: str, factor: float, dt: float) -> ProjectionReport:
    """The report of one projection; factor: from its weights to mantissas of exponent 0."""
    p, wanted, sizes = part.projection, part.wanted, np.asarray(part.got.sizes, float)
    error, whole = sizes - wanted, part.got.whole
    step = 2.0**part.got.exponent * (2 if part.mode == "mixed" else 1) / abs(factor) if factor else 0.0
    return ProjectionReport(
        label, f"projections.{p.entry}", p.source.name, p.target.name, part.synapses, part.drawn is not None,
        part.got.exponent, (int(whole.min(initial=0)), int(whole.max(initial=0))), part.mode, float(step),
        _over(error.sum(), np.abs(wanted).sum()), _over(_rms(error), _rms(wanted)),
        _over(np.abs(error).max(initial=0.0), np.abs(wanted).max(initial=0.0)), _part((whole == 0) & (wanted != 0)),
        _part(np.abs(wanted) > np.abs(sizes) + 2.0**part.got.exponent), part.delays, part.added, _rounded(part, dt),
        part.cut,
    )


def _over(a: float, b: float) -> float:
    return float(a / b) if b else 0.0


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0


def _part(chosen: Any) -> float:
    return float(np.mean(chosen)) if len(chosen) else 0.0


def _rounded(part: Part, dt: float) -> float:
    """Half a step where delays are spread over many; the difference where there is but one."""
    delay = part.projection.delay
    if delay.constant is None:
        return dt / 2
    return abs(float(delay_steps(delay.constant, dt)) * dt - delay.constant)


def input_report(each: graph.Input, link: graph.Link, factor: float, whole: int) -> InputReport:
    """The report of an input into one population; factor: from its weight to the whole one."""
    weight = _change(link.weight, whole / factor if factor else 0.0)
    return InputReport(each.name, link.target.name, each.kind, weight, whole)


def no_leak(neuron: Neuron, fit: Fit) -> bool:
    """Whether a leak is lost to rounding."""
    return bool(np.any((np.asarray(neuron.keep) < 1) & (np.asarray(fit.keep) == 1)))
