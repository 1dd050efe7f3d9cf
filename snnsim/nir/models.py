"""NIR's neurons as model documents, in each of the three readings of a graph (see ``snnsim.nir``)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from snnsim.errors import InputError, Problem, unknown

READINGS = ("impulse", "pulse", "euler")
RESETS = ("set", "subtract")
SOURCE = "Pedersen JE et al. (2024) Nat Commun 15:8122"

_ABOUT = {
    "LIF": "Leaky integrate-and-fire", "CubaLIF": "Leaky integrate-and-fire with a synaptic current",
    "IF": "Integrate-and-fire", "LI": "Leaky integrator", "CubaLI": "Leaky integrator with a synaptic current",
    "I": "Integrator", "Threshold": "Spikes while its input is at least the threshold",
    "Output": "The weighted sum of the spikes of a step",
}
_MEANS = {"impulse": "a spike is an impulse of area 1 s", "pulse": "a spike is 1 for one step",
          "euler": "a spike is 1 for one step, and a step is one of Euler's"}
_TIMES = ("tau", "tau_syn", "tau_mem")
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LIF": {"tau": "10 ms", "r": 1.0, "v_leak": 0.0}, "LI": {"tau": "10 ms", "r": 1.0, "v_leak": 0.0},
    "CubaLIF": {"tau_syn": "5 ms", "tau_mem": "10 ms", "r": 1.0, "v_leak": 0.0, "w_in": 1.0},
    "CubaLI": {"tau_syn": "5 ms", "tau_mem": "10 ms", "r": 1.0, "v_leak": 0.0, "w_in": 1.0},
    "IF": {"r": 1.0}, "I": {"r": 1.0}, "Threshold": {"threshold": 1.0}, "Output": {},
}
_FORM = {"LIF": "leaky", "LI": "leaky", "CubaLIF": "cuba", "CubaLI": "cuba", "IF": "integrator", "I": "integrator"}
_IMPULSE = {
    "leaky": ("dv/dt = (v_leak - v + r*bias)/tau : 1", "v += w*r*(1*s)/tau"),
    "cuba": ("di/dt = (w_in*bias - i)/tau_syn : 1\ndv/dt = (v_leak - v + r*i)/tau_mem : 1",
             "i += w*w_in*(1*s)/tau_syn"),
    "integrator": ("dv/dt = r*bias/(1*s) : 1", "v += w*r"),
}
_PULSE = {
    "leaky": "dv/dt = (v_leak - v + r*(bias + arrived))/tau : 1",
    "cuba": "di/dt = (w_in*(bias + arrived) - i)/tau_syn : 1\ndv/dt = (v_leak - v + r*i)/tau_mem : 1",
    "integrator": "dv/dt = r*(bias + arrived)/(1*s) : 1",
}
# The new current moves the membrane in the same step, as in Norse, snnTorch and Lava.
_EULER = {
    "leaky": "v[n+1] = v + dt/tau*(v_leak - v + r*(bias + arrived)) : 1",
    "cuba": "i[n+1] = i + dt/tau_syn*(w_in*(bias + arrived) - i) : 1\n"
            "v[n+1] = v + dt/tau_mem*(v_leak - v + r*i[n+1]) : 1",
    "integrator": "v[n+1] = v + dt/(1*s)*r*(bias + arrived) : 1",
}
_ARRIVED = {"in": "arrived = w : 1"}


class Kind(NamedTuple):
    """Which of the models one is."""

    kind: str
    reading: str
    reset: str


def check_choice(key: str, word: str, choices: tuple[str, ...]) -> None:
    """``InputError`` where a reading or a reset is not one of those that exist."""
    if word not in choices:
        raise InputError(Problem(key, unknown(key, word, choices)))


def model_name(kind: str) -> str:
    """``nir_cuba_lif`` and the like."""
    return "nir_" + {"CubaLIF": "cuba_lif", "CubaLI": "cuba_li", "Output": "sum"}.get(kind, kind.lower())


def document(kind: str, reading: str, reset: str) -> dict[str, Any]:
    """The model document of a kind of node; an Output that sums spikes is one of them."""
    head = {"about": f"{_ABOUT[kind]}; {_MEANS[reading]}.", "source": SOURCE}
    spiking = kind in ("LIF", "CubaLIF", "IF")
    defaults = {**_DEFAULTS[kind], **({"v_threshold": 1.0} if spiking else {}),
                **({"v_reset": 0.0} if spiking and reset == "set" else {}), "bias": 0.0}
    made = {**head, "parameters": defaults, **_equations(kind, reading)}
    if spiking:
        made |= {"spike": "v >= v_threshold", "reset": {"v": "v_reset" if reset == "set" else "v - v_threshold"}}
    return made


def _equations(kind: str, reading: str) -> dict[str, Any]:
    if kind == "Threshold":
        return {"receive": _ARRIVED, "spike": "arrived + bias >= threshold"}
    if kind == "Output":
        return {"dynamics": "x[n+1] = arrived + bias : 1", "receive": _ARRIVED}
    form = _FORM[kind]
    if reading == "impulse":
        dynamics, arrival = _IMPULSE[form]
        return {"dynamics": dynamics, "receive": {"in": arrival}, "integrate": "exact"}
    if reading == "pulse":
        return {"dynamics": _PULSE[form], "receive": _ARRIVED, "integrate": "exact"}
    return {"dynamics": _EULER[form], "receive": _ARRIVED}


def is_time(parameter: str) -> bool:
    """Whether a parameter of NIR is a time, in seconds there."""
    return parameter in _TIMES


@lru_cache(maxsize=1)
def _all() -> list[tuple[Kind, dict[str, Any]]]:
    kinds = [Kind(kind, reading, reset) for kind in _DEFAULTS for reading in READINGS for reset in RESETS]
    return [(kind, document(*kind)) for kind in kinds]


def identified(model_document: dict[str, Any]) -> Kind | None:
    """Which of these models a document is; None for any other."""
    return next((kind for kind, known in _all() if known == model_document), None)
