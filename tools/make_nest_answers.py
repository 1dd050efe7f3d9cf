"""Print what NEST's models answer to one fixed stimulus, as JSON for tests/truth/nest_answers.json. Needs `nest`.

One neuron each: excitatory and inhibitory spikes at fixed times, a constant current, a further one from 51.0 ms on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import nest
import numpy as np

DT, CURRENT_FROM = 0.1, 510
# The k-th arrival of a train is in step `stride` k mod 1890 + 20.
TRAINS = {"exc": (150, 37), "inh": (40, 53)}
NAMES = {"i_e": "I_e", "tau_m": "tau_m", "v_rest": "E_L", "v_th": "V_th", "v_reset": "V_reset", "t_ref": "t_ref",
         "tau_syn_exc": "tau_syn_ex", "tau_syn_inh": "tau_syn_in", "tau_a": "adapt_tau", "beta": "adapt_beta"}
LIF = {"v": "V_m", "i_exc": "I_syn_ex", "i_inh": "I_syn_in"}
COND = {"v": "V_m", "g_exc": "g_ex", "g_inh": "g_in"}
GATES = {"m": "Act_m", "h": "Inact_h", "n": "Act_n"}
GLIF = ("spike_dependent_threshold", "after_spike_currents", "adapting_threshold")
TH_SPIKE, TH_VOLTAGE = {"th_spike": "threshold_spike"}, {"th_voltage": "threshold_voltage"}


class Case(NamedTuple):
    """model: NEST's; states: our names -> NEST's; extra: what NEST alone has to be told.

    crossing: the potential whose upward crossing counts as a spike; NEST's own spikes where None.
    receptors: whether the two trains arrive at receptors with numbers.
    """

    model: str
    params: dict[str, float]
    weights: tuple[float, float]
    current: float
    steps: int
    states: dict[str, str]
    extra: Mapping[str, Any] = MappingProxyType({})
    crossing: float | None = None
    receptors: bool = False


def glif(mechanisms: str, states: dict[str, str]) -> Case:
    """A GLIF neuron; `mechanisms`: a 1 for each of ``GLIF`` that it has."""
    chosen = {name: flag == "1" for name, flag in zip(GLIF, mechanisms, strict=True)}
    return Case("glif_psc", {"t_ref": 4.0}, (90.0, -60.0), 500.0, 1990, {"v": "V_m"} | states,
                chosen | {"tau_syn": [2.0, 2.0]}, receptors=True)


DELTA = {"tau_m": 20.0, "v_rest": 0.0, "v_th": 20.0, "v_reset": 0.0}
CASES = {
    "lif_psc_delta": Case("iaf_psc_delta", DELTA | {"i_e": 50.0}, (3.0, -2.0), 100.0, 1990, {"v": "V_m"}, {"V_m": 0.0}),
    "lif_psc_exp": Case("iaf_psc_exp", {"i_e": 100.0}, (900.0, -300.0), 200.0, 1990, LIF),
    "lif_psc_alpha": Case("iaf_psc_alpha", {"i_e": 100.0}, (400.0, -300.0), 200.0, 1990, LIF),
    "lif_cond_exp": Case("iaf_cond_exp", {"i_e": 50.0, "tau_syn_exc": 2.0}, (12.0, -6.0), 100.0, 1990, COND),
    "lif_cond_alpha": Case("iaf_cond_alpha", {"i_e": 50.0, "tau_syn_exc": 2.0}, (12.0, -6.0), 100.0, 1990, COND),
    "adex_cond_exp": Case("aeif_cond_exp", {"i_e": 800.0}, (30.0, -10.0), 300.0, 1500, COND | {"w": "w"}),
    "adex_cond_exp, refractory": Case("aeif_cond_exp", {"i_e": 700.0, "t_ref": 2.0}, (30.0, -10.0), 300.0, 1500,
                                      COND | {"w": "w"}),
    "izhikevich": Case("izhikevich", {"i_e": 2.0}, (3.0, -2.0), 6.0, 1990, {"v": "V_m", "u": "U_m"}),
    "izhikevich_2003": Case("izhikevich", {"i_e": 4.0}, (64.0, -32.0), 6.0, 1990, {"v": "V_m", "u": "U_m"},
                            {"consistent_integration": False}),
    "hodgkin_huxley": Case("hh_psc_alpha", {"i_e": 650.0}, (300.0, -50.0), 100.0, 600, {"v": "V_m"} | GATES),
    "aeif_psc_exp": Case("aeif_psc_exp", {"i_e": 800.0}, (1200.0, -300.0), 300.0, 1500,
                         {"v": "V_m", "w": "w", "i_exc": "I_syn_ex"}),
    "aeif_psc_exp, refractory": Case("aeif_psc_exp", {"i_e": 700.0, "t_ref": 2.0}, (1200.0, -300.0), 300.0, 1500,
                                     {"v": "V_m", "w": "w", "i_exc": "I_syn_ex"}),
    "mat2_psc_exp": Case("mat2_psc_exp", {"i_e": 100.0}, (500.0, -200.0), 400.0, 1990, {"v": "V_m"}),
    # A refractory time of R steps keeps R - 1 steps silent there.
    "adaptive_lif": Case("eprop_iaf_adapt_bsshslm_2020", {"tau_m": 20.0, "v_rest": 0.0, "v_th": 10.0, "tau_a": 200.0,
                                                          "beta": 1.8, "t_ref": 2.0},
                         (3.0, -2.0), 200.0, 1990, {"v": "V_m", "a": "adaptation"}, {"t_ref": 2.1, "V_m": 0.0}),
    "glif1": glif("000", {}), "glif2": glif("100", TH_SPIKE), "glif3": glif("010", {}), "glif4": glif("110", TH_SPIKE),
    "glif5": glif("111", TH_SPIKE | TH_VOLTAGE),
    # NEST calls the peak of an action potential its spike, we the upward crossing of v_th.
    "hh_cond_exp_traub": Case("hh_cond_exp_traub", {"i_e": 300.0, "v_rest": -65.0}, (6.0, -20.0), 100.0, 1000,
                              COND | GATES, {"V_m": -65.0, "Act_m": 0.0, "Act_n": 0.0, "Inact_h": 0.0}, -20.0),
}


def train(kind: str) -> list[int]:
    """The steps in which the spikes of a train arrive."""
    count, stride = TRAINS[kind]
    return sorted(stride * k % 1890 + 20 for k in range(count))


def answer(case: Case) -> dict[str, Any]:
    """Spike steps and states of NEST's neuron."""
    nest.ResetKernel()
    nest.resolution, nest.verbosity = DT, nest.VerbosityLevel.ERROR
    neuron = nest.Create(case.model, params={NAMES[name]: x for name, x in case.params.items()} | dict(case.extra))
    for receptor, (kind, weight) in enumerate(zip(TRAINS, case.weights, strict=True), 1):
        source = nest.Create("spike_generator", params={"spike_times": [round((s - 10) * DT, 1) for s in train(kind)]})
        place = {"receptor_type": receptor} if case.receptors else {}
        nest.Connect(source, neuron, syn_spec={"weight": weight, "delay": 1.0} | place)
    source = nest.Create("dc_generator", params={"amplitude": case.current, "start": CURRENT_FROM * DT - 1.0})
    nest.Connect(source, neuron, syn_spec={"delay": 1.0})
    spikes, meter = nest.Create("spike_recorder"), nest.Create("multimeter")
    meter.set(record_from=list(case.states.values()), interval=DT)
    nest.Connect(neuron, spikes)
    nest.Connect(meter, neuron)
    nest.Simulate((case.steps + 1) * DT)
    return _report(case, spikes.events["times"], meter.events)


def _report(case: Case, times: np.ndarray, events: dict[str, np.ndarray]) -> dict[str, Any]:
    steps = np.rint(times / DT).astype(int)
    if case.crossing is not None:
        above = events["V_m"] > case.crossing
        steps = np.flatnonzero(above[1:] & ~above[:-1]) + 2
    steps = steps[steps <= case.steps]
    calm = [s for s in range(100, case.steps + 1, 110) if np.abs(steps - s).min(initial=99) > 5]
    states = {ours: [float(events[theirs][s - 1]) for s in calm] for ours, theirs in case.states.items()}
    return {"nest": case.model, "params": case.params, "weights": dict(zip(TRAINS, case.weights, strict=True)),
            "current": case.current, "steps": case.steps, "spikes": steps.tolist(), "at": calm, "states": states}


def main() -> None:
    """The whole table on standard output."""
    table = {"version": nest.__version__, "dt": DT, "current_from": CURRENT_FROM,
             "trains": {kind: train(kind) for kind in TRAINS},
             "models": {name: answer(case) for name, case in CASES.items()}}
    print(json.dumps(table).replace('"models": {', '"models": {\n').replace("}}, ", "}},\n"))


if __name__ == "__main__":
    main()
