"""The cortical microcircuit of Potjans and Diesmann: eight populations below 1 mm^2 of early sensory cortex.

Potjans TC, Diesmann M (2014) Cereb. Cortex 24:785-806, doi:10.1093/cercor/bhs358; the numbers are those of its PyNEST
implementation (github.com/INM-6/microcircuit-PD14-model). Smaller networks keep mean and variance of the input as
van Albada SJ, Helias M, Diesmann M (2015) PLoS Comput. Biol. 11:e1004490 show: weights grow by 1/sqrt(k), a constant
current replaces the mean that is lost. What was published of its activity is in ``microcircuit_activity``.

>>> from snnsim.networks import microcircuit
>>> net = microcircuit.build(scale=0.1, drive="dc", seed=3)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from snnsim.errors import InputError, Problem
from snnsim.schema import Spec

if TYPE_CHECKING:
    from snnsim.builders import Reference
    from snnsim.network import Network

Floats = NDArray[np.float64]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Data = dict[str, Any]

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
# Connection probabilities, a row for each target.
PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
EXTERNAL_INDEGREES = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)
EXTERNAL_RATE = 8.0   # Hz for each external synapse
# Hz at full scale, which the compensation assumes: of the first NEST and PyNN implementations, and of PyNEST today.
# With the first, smaller networks keep their rates best, and fire as Romaro et al. published: docs/microcircuit.md.
RATES = {
    "sli": (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523),
    "pynest": (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829),
}
THALAMUS, THALAMIC_PROBABILITIES = 902, (0.0, 0.0, 0.0983, 0.0619, 0.0, 0.0, 0.0512, 0.0196)

C_M, TAU_M, TAU_SYN = 250.0, 10.0, 0.5   # pF, ms, ms
PSP, G, L4E_TO_L23E = 0.15, -4.0, 2.0   # mV; inhibition over excitation; factor of one projection's weight
WEIGHT_SD, DELAY_SD = 0.1, 0.5   # over the mean
DELAYS, LEAST_DELAY = (1.5, 0.75), 0.1   # ms, of excitatory and inhibitory sources
# mV, mean and standard deviation of the initial potentials
OPTIMIZED = ((-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94), (-63.11, 4.94), (-61.66, 4.55),
             (-66.72, 5.46), (-61.43, 4.48))
ORIGINAL = ((-58.0, 10.0),) * 8

MODELS: Data = {
    "lif_psc_exp_one": {
        "about": "Leaky integrate-and-fire with one exponentially decaying current for excitation and inhibition.",
        "source": "lif_psc_exp with tau_syn_exc = tau_syn_inh, whose two currents are one",
        "parameters": {
            "tau_m": {"default": f"{TAU_M} ms", "must_be": "positive", "about": "membrane time constant"},
            "c_m": {"default": f"{C_M} pF", "must_be": "positive", "about": "membrane capacitance"},
            "tau_syn": {"default": f"{TAU_SYN} ms", "must_be": "positive", "about": "time constant of the current"},
            "v_rest": {"default": "-65 mV", "about": "resting potential"},
            "v_th": {"default": "-50 mV", "about": "threshold"},
            "v_reset": {"default": "-65 mV", "about": "potential after a spike"},
            "t_ref": {"default": "2 ms", "must_be": "not negative", "about": "refractory time"},
            "i_e": {"default": "0 pA", "about": "constant current"},
        },
        "inputs": {"i_inj": "pA"},
        "dynamics": "dv/dt = -(v - v_rest)/tau_m + (i_syn + i_e + i_inj)/c_m : mV\n"
                    "di_syn/dt = -i_syn/tau_syn : pA\n",
        "receive": {"in": "i_syn += w"},
        "spike": "v >= v_th",
        "reset": {"v": "v_reset"},
        "refractory": {"for": "t_ref", "hold": "v"},
        "integrate": "exact",
        "initial": {"v": "v_rest"},
        "relative": {"v": "v_rest"},
    },
}
# Steps are counted, not times: a whole number is exact in single precision for half an hour, far beyond the pulse.
PULSE: Data = {
    "poisson_pulse": {
        "about": "A Poisson source that is active from `start` on for `duration`.",
        "parameters": {
            "rate": {"default": "120 Hz", "must_be": "not negative", "about": "mean rate of one unit"},
            "start": {"default": "700 ms", "about": "when it begins"},
            "duration": {"default": "10 ms", "about": "how long it is active"},
        },
        "dynamics": "step[n+1] = step + 1 : 1\n",
        "spike": "poisson(rate*dt) if (step - 0.5)*dt > start and (step - 0.5)*dt < start + duration else 0",
    },
}


class Options(Spec):
    """What may stand below ``network:`` beside the builder's name."""

    scale: Share = Field(default=1.0, description="Share of the neurons, and of the synapses of each.")
    n_scaling: Share | None = Field(default=None, description="Share of the neurons; `scale` unless given.")
    k_scaling: Share | None = Field(default=None, description="Share of the in-degrees; `scale` unless given.")
    drive: Literal["poisson", "dc"] = Field(
        default="poisson", description="External input: Poisson trains, or constant currents of their mean.")
    initial: Literal["optimized", "original"] = Field(
        default="optimized", description="Initial potentials: near the stationary state, or as in 2014.")
    rates: Literal["sli", "pynest"] = Field(
        default="sli", description="Below full scale: whose rates the current that replaces lost input assumes.")
    thalamus: bool = Field(default=False, description="902 thalamic neurons, a pulse of 120 Hz from 700 to 710 ms.")

    @property
    def n(self) -> float:
        """Share of the neurons."""
        return self.scale if self.n_scaling is None else self.n_scaling

    @property
    def k(self) -> float:
        """Share of the in-degrees."""
        return self.scale if self.k_scaling is None else self.k_scaling


def build(**settings: Any) -> Network:
    """The network, with the options of ``Options`` and the arguments of ``snnsim.Network`` (``seed``, ``dt``, ...).

    Nothing is recorded until ``Network.record`` says so. Raises ``InputError`` where a setting is wrong.
    """
    from snnsim import builders

    return builders.build("microcircuit", **settings)


def published(options: Options) -> Reference | None:
    """What is known of the activity of the network."""
    from snnsim.networks.microcircuit_activity import reference

    return None if options.thalamus or options.n != options.k else reference(options.k, options.drive)


def document(options: Options) -> Data:
    """The network as a file would say it: models, populations, inputs and projections."""
    thalamus = _thalamus(options) if options.thalamus else _Part({}, {}, [])
    return {
        "models": MODELS | thalamus.models,
        "populations": _populations(options) | thalamus.populations,
        "inputs": _background(options) if options.drive == "poisson" else {},
        "projections": _projections(options) + thalamus.projections,
    }


def current_per_potential() -> float:
    """pA/mV: the step of the synaptic current whose potential has its peak at 1 mV."""
    ratio, lag = TAU_M / TAU_SYN, 1 / (TAU_SYN - TAU_M)
    return C_M / (TAU_M * TAU_SYN * lag * (ratio ** (TAU_M * lag) - ratio ** (TAU_SYN * lag)))


def weights() -> Floats:
    """Mean weight of each projection at full scale in pA, [target, source]."""
    mean = np.tile(np.array([1.0, G] * 4) * PSP * current_per_potential(), (8, 1))
    mean[POPULATIONS.index("L23E"), POPULATIONS.index("L4E")] *= L4E_TO_L23E
    return mean


def synapse_numbers(n_scaling: float = 1.0, k_scaling: float = 1.0) -> NDArray[np.int64]:
    """Number of synapses of each projection, [target, source]."""
    return _numbers(np.array(SIZES), np.array(PROBABILITIES), n_scaling * k_scaling)


def _numbers(sources: NDArray[np.int64], probabilities: Floats, share: float) -> NDArray[np.int64]:
    """The number that, drawn with replacement, connects a pair at least once with the given probability."""
    pairs = np.outer(SIZES, sources).astype(float)
    return np.rint(share * np.log1p(-probabilities) / np.log1p(-1 / pairs)).astype(np.int64)


def constant_currents(options: Options) -> Floats:
    """pA for each population: the mean of a Poisson drive that is left out, and of what scaling takes away."""
    per_rate = 1e-3 * TAU_SYN   # mean current in pA of spikes of 1 pA at 1 Hz
    external = PSP * current_per_potential() * np.array(EXTERNAL_INDEGREES) * EXTERNAL_RATE * per_rate
    recurrent = (weights() * _indegrees() * np.array(RATES[options.rates])).sum(axis=1) * per_rate
    lost = 1 - math.sqrt(options.k)
    return lost * recurrent + (lost if options.drive == "poisson" else 1.0) * external


def _indegrees() -> Floats:
    return synapse_numbers() / np.array(SIZES, float)[:, None]


def _populations(options: Options) -> Data:
    potentials = OPTIMIZED if options.initial == "optimized" else ORIGINAL
    currents = constant_currents(options)
    return {
        name: {"n": _size(SIZES[i], options), "model": "lif_psc_exp_one", "params": {"i_e": _text(currents[i], "pA")},
               "init": {"v": {"normal": {"mean": f"{potentials[i][0]} mV", "sd": f"{potentials[i][1]} mV"}}}}
        for i, name in enumerate(POPULATIONS)
    }


def _size(full: int, options: Options) -> int:
    size = round(full * options.n)
    if size < 1:
        key, least = "scale" if options.n_scaling is None else "n_scaling", math.ceil(0.5e6 / min(SIZES)) / 1e6
        raise InputError(Problem(key, f"expected at least {least:g}, so that every population has a neuron, "
                                      f"found {options.n:g}"))
    return size


def _background(options: Options) -> Data:
    """A Poisson train for each neuron in place of those of its external synapses."""
    weight = _text(PSP * current_per_potential() / math.sqrt(options.k), "pA")
    return {
        f"background_{name}": {"type": "poisson", "rate": _text(indegree * options.k * EXTERNAL_RATE, "Hz"), "to": name,
                               "weight": weight, "delay": f"{DELAYS[0]} ms"}
        for name, indegree in zip(POPULATIONS, EXTERNAL_INDEGREES, strict=True)
    }


def _projections(options: Options) -> list[Data]:
    mean, count = weights() / math.sqrt(options.k), synapse_numbers(options.n, options.k)
    return [_projection(source, target, count[t, s], mean[t, s])
            for t, target in enumerate(POPULATIONS) for s, source in enumerate(POPULATIONS) if count[t, s]]


def _projection(source: str, target: str, count: int, mean: float) -> Data:
    """Weights keep their sign and delays their least value by being drawn again, as in NEST."""
    bound, delay = ("low", DELAYS[0]) if mean > 0 else ("high", DELAYS[1])
    spread = {"mean": _text(mean, "pA"), "sd": _text(WEIGHT_SD * abs(mean), "pA"), bound: "0 pA"}
    return {
        "name": f"{source}_to_{target}", "from": source, "to": target,
        "connect": {"rule": "fixed_total", "n": int(count)}, "weight": {"normal": spread},
        "delay": {"normal": {"mean": f"{delay} ms", "sd": _text(DELAY_SD * delay, "ms"), "low": f"{LEAST_DELAY} ms"}},
    }


class _Part(NamedTuple):
    models: Data
    populations: Data
    projections: list[Data]


def _thalamus(options: Options) -> _Part:
    """A thalamic population that fires in a pulse. It is scaled as the others are, so that in-degrees scale by k."""
    count = _numbers(np.array([THALAMUS]), np.array(THALAMIC_PROBABILITIES)[:, None], options.n * options.k)[:, 0]
    weight = PSP * current_per_potential() / math.sqrt(options.k)
    reached = [_projection("thalamus", name, k, weight) for name, k in zip(POPULATIONS, count, strict=True) if k]
    return _Part(PULSE, {"thalamus": {"n": _size(THALAMUS, options), "model": "poisson_pulse"}}, reached)


def _text(value: float, unit: str) -> str:
    """A quantity without the digits that rounding has made up."""
    return f"{float(f'{value:.12g}')} {unit}"
