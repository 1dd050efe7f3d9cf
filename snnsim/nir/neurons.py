"""Which node of NIR a population is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.errors import InputError, Problem
from snnsim.graph import Population
from snnsim.network import Network
from snnsim.nir.models import identified, is_time
from snnsim.random import Stream
from snnsim.units import TIME, to_text

SOURCES = ("relay", "poisson", "spike_times")
WRITTEN = ("lif_psc_delta", "lif_psc_exp", *SOURCES)
Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Neuron:
    """A population as NIR says it: type of the node, its values [n], and a constant input where there is one.

    reading, reset: what its equations take for granted; "" where nothing.
    """

    kind: str
    values: Values
    n: int
    bias: np.ndarray | None = None
    reading: str = ""
    reset: str = ""

    def node(self, nir: Any) -> Any:
        """The node, made by the library."""
        if self.kind == "Input":
            return nir.Input({"input": np.array([self.n])})
        if self.kind == "Output":
            return nir.Output({"output": np.array([self.n])})
        return getattr(nir, self.kind)(**self.values)


def neuron(net: Network, population: Population) -> Neuron:
    """`population` in NIR's terms; ``InputError`` naming what NIR cannot say."""
    model, n = population.model, population.n
    if model.name in SOURCES and model.name not in net.models:
        return Neuron("Input", {}, n)
    values = _drawn(net, population)
    known = identified(model.document)
    if known is not None:
        bias = values.pop("bias")
        in_seconds = {key: value / 1000.0 if is_time(key) else value for key, value in values.items()}
        reset = known.reset if known.kind in ("LIF", "CubaLIF", "IF") else ""
        reading = "" if known.kind == "Output" else known.reading
        return Neuron(known.kind, in_seconds, n, bias if bias.any() else None, reading, reset)
    if model.name in net.models or model.name not in _BUILTIN:
        raise InputError(Problem("model", f"expected a model that NIR has, found {model.name}; these can be written: "
                                          f"{', '.join(WRITTEN)}, and those of networks read from NIR"))
    _check_refractory(net, values["t_ref"])
    return _BUILTIN[model.name](net, population, values)


def _drawn(net: Network, population: Population) -> Values:
    """All parameters of a population, [n]."""
    constant = {key: p.default for key, p in population.model.parameters.items()}
    constant |= {key: value.constant for key, value in population.params.items() if value.constant is not None}
    found = {key: np.full(population.n, value) for key, value in constant.items()}
    for key, value in population.params.items():
        if value.constant is None:
            stream = Stream(net.seed, f"populations.{population.name}/params/{key}")
            given = value.given({**constant, "dt": net.dt}, population.n)
            found[key] = np.asarray(given.draw(stream, (0, population.n)))
    return found


def _check_refractory(net: Network, t_ref: np.ndarray) -> None:
    if (np.floor(t_ref / net.dt + 0.5) > 0).any():
        raise InputError(Problem("params.t_ref", f"expected 0 ms, since NIR has no refractory time, found "
                                                 f"{to_text(float(t_ref.max()), TIME)}"))


def _leaky(values: Values) -> Values:
    """Voltages from the resting potential on, where a neuron begins; a constant current moves the leak."""
    rest = values["v_rest"]
    return {"v_leak": values["i_e"] * values["tau_m"] / values["c_m"], "v_threshold": values["v_th"] - rest,
            "v_reset": values["v_reset"] - rest}


def _delta(net: Network, population: Population, values: Values) -> Neuron:
    """Weights stay voltages, since r/tau is 1."""
    tau = values["tau_m"] / 1000.0
    made = {"tau": tau, "r": tau.copy(), **_leaky(values)}
    return Neuron("LIF", made, population.n, None, "impulse", "set")


def _exponential(net: Network, population: Population, values: Values) -> Neuron:
    """Weights stay currents, since w_in/tau_syn is 1; r in Gohm."""
    tau = values[f"tau_syn_{_used(net, population, values)}"] / 1000.0
    made = {"tau_syn": tau, "w_in": tau.copy(), "tau_mem": values["tau_m"] / 1000.0,
            "r": values["tau_m"] / values["c_m"], **_leaky(values)}
    return Neuron("CubaLIF", made, population.n, None, "impulse", "set")


def _used(net: Network, population: Population, values: Values) -> str:
    """The port whose time constant is that of all synapses."""
    ports = {port for p in net.projections if p.target is population for port in p.ports}
    links = (link for each in net.inputs.values() for link in getattr(each, "links", ()))
    ports |= {link.ports[int(link.weight < 0)] for link in links if link.target is population}
    if len(ports) > 1 and (values["tau_syn_exc"] != values["tau_syn_inh"]).any():
        found = " and ".join(to_text(float(values[f"tau_syn_{port}"][0]), TIME) for port in ("exc", "inh"))
        raise InputError(Problem("params.tau_syn_inh", "expected the same as tau_syn_exc, since a CubaLIF has one "
                                                       f"synaptic current, found {found}"))
    return "inh" if ports == {"inh"} else "exc"


_BUILTIN: dict[str, Callable[[Network, Population, Values], Neuron]] = {
    "lif_psc_delta": _delta, "lif_psc_exp": _exponential,
}
