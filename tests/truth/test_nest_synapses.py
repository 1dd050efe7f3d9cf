"""Every built-in synapse model sends what NEST 3.10 sends, for given spikes of both sides (tools/make_nest_synapses.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.models import builtin_synapse
from snnsim.units import CURRENT

ANSWERS = json.loads((Path(__file__).parent / "nest_synapse_answers.json").read_text())
DT = ANSWERS["dt"]

# Our names for NEST's parameters; the amplitudes of two rules are fractions of w_max here.
MODELS = {
    "stdp_synapse": "stdp_pair", "stdp_nn_symm_synapse": "stdp_pair", "stdp_triplet_synapse": "stdp_triplet",
    "stdp_pl_synapse_hom": "stdp_power_law", "vogels_sprekeler_synapse": "stdp_vogels",
    "stdp_dopamine_synapse": "stdp_dopamine", "tsodyks_synapse": "stp_tsodyks", "tsodyks2_synapse": "stp_tsodyks2",
}
TIMES = {"tau_plus", "tau_minus", "tau_x", "tau_y", "tau", "tau_c", "tau_n", "tau_rec", "tau_fac", "tau_psc"}
WEIGHTS = {"w_max", "w_min", "eta", "w_0"}
FRACTIONS = {"a2_plus", "a2_minus", "a3_plus", "a3_minus", "a_plus", "a_minus"}
RATES = {"b", "rho_0"}
NAMES = {
    "Wmax": "w_max", "Wmin": "w_min", "tau_plus_triplet": "tau_x", "tau_minus_triplet": "tau_y", "Aplus": "a2_plus",
    "Aminus": "a2_minus", "Aplus_triplet": "a3_plus", "Aminus_triplet": "a3_minus", "A_plus": "a_plus",
    "A_minus": "a_minus", "U": "u_0",
}


def our_params(case: dict[str, Any]) -> dict[str, Any]:
    given = {NAMES.get(k, k): v for k, v in {**case["post"], **case["params"]}.items()}
    if case["nest"] in ("stdp_triplet_synapse", "stdp_dopamine_synapse"):
        given |= {k: given[k] / given["w_max"] for k in FRACTIONS & given.keys()}
    if case["nest"] == "stdp_pl_synapse_hom":
        given["w_0"] = 1.0   # NEST's lambda has the unit of this weight to the power of 1 - mu
    if case["nest"] == "vogels_sprekeler_synapse":
        given["rho_0"] = given["alpha"] / (2 * given["tau"])
    return given


def network(name: str, precision: str = "double") -> sn.Network:
    case = ANSWERS["cases"][name]
    net = sn.Network(dt=f"{DT} ms", precision=precision)
    for side in ("pre", "post", "dopamine"):
        net.population(side, 1, "spike_times", times=[f"{s} step" for s in ANSWERS[side]], ids=[0] * len(ANSWERS[side]))
    model = builtin_synapse(MODELS[case["nest"]], CURRENT)
    params = {}
    for key, value in our_params(case).items():
        if key in model.parameters:
            unit = "ms" if key in TIMES else "pA" if key in WEIGHTS else "kHz" if key in RATES else ""
            params[key] = f"{value} {unit}" if unit else value
    synapse = {"model": model.name, "params": params}
    if case["nest"] == "stdp_nn_symm_synapse":
        synapse["pairing"] = "nearest"
    if model.uses_modulator_spikes:
        synapse["modulator"] = "dopamine"
    net.project("pre", "post", sn.all_to_all(), weight=f"{ANSWERS['weight']} pA", delay=f"{ANSWERS['delay']} step",
                name="it", synapse=synapse)
    net.record(weights={"sent": {"projection": "it", "on": "pre"}})
    return net


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("name", ANSWERS["cases"])
def test_weights_are_those_of_nest(name: str, backend: str) -> None:
    sent = sn.run(network(name), f"{max(ANSWERS['pre']) + 1} step", backend=backend).weights("sent")
    np.testing.assert_allclose(sent.times, DT * np.array(ANSWERS["pre"]), rtol=1e-12)
    np.testing.assert_allclose(sent.values, ANSWERS["cases"][name]["weights"], rtol=0, atol=1e-9)
