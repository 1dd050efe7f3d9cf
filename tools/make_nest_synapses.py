"""Writes tests/truth/nest_synapse_answers.json: the weights that NEST sends, for given spikes of both sides.

Needs NEST 3.10 (``pip install nest-simulator``): ``python tools/make_nest_synapses.py``. The tests read the file and
need no NEST. Times are whole steps of 0.1 ms; pre and post spikes coincide at the synapse now and then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nest
import numpy as np

OUT = Path(__file__).parents[1] / "tests" / "truth" / "nest_synapse_answers.json"
DT, DELAY, STEPS = 0.1, 10, 10000
WEIGHT = 30.0
# The first presynaptic spike comes before all others: NEST's nearest-neighbour rule acts as if one had been at 0 ms.
FIRST = 15

CASES: dict[str, dict[str, Any]] = {
    "additive": {"nest": "stdp_synapse", "post": {"tau_minus": 33.7}, "params": {
        "tau_plus": 16.8, "lambda": 0.05, "alpha": 1.1, "mu_plus": 0.0, "mu_minus": 0.0, "Wmax": 60.0}},
    "multiplicative": {"nest": "stdp_synapse", "post": {"tau_minus": 33.7}, "params": {
        "tau_plus": 16.8, "lambda": 0.05, "alpha": 1.1, "mu_plus": 1.0, "mu_minus": 1.0, "Wmax": 60.0}},
    "guetig": {"nest": "stdp_synapse", "post": {"tau_minus": 20.0}, "params": {
        "tau_plus": 20.0, "lambda": 0.05, "alpha": 1.05, "mu_plus": 0.4, "mu_minus": 0.3, "Wmax": 60.0}},
    "nearest": {"nest": "stdp_nn_symm_synapse", "post": {"tau_minus": 33.7}, "params": {
        "tau_plus": 16.8, "lambda": 0.05, "alpha": 1.1, "mu_plus": 0.0, "mu_minus": 0.0, "Wmax": 60.0}},
    "triplet": {"nest": "stdp_triplet_synapse", "post": {"tau_minus": 33.7, "tau_minus_triplet": 125.0}, "params": {
        "tau_plus": 16.8, "tau_plus_triplet": 101.0, "Aplus": 0.2, "Aminus": 0.3, "Aplus_triplet": 0.4,
        "Aminus_triplet": 0.1, "Wmax": 60.0}},
    "power_law": {"nest": "stdp_pl_synapse_hom", "post": {"tau_minus": 33.7}, "params": {
        "tau_plus": 16.8, "lambda": 0.1, "alpha": 0.11, "mu": 0.4}},
    "vogels": {"nest": "vogels_sprekeler_synapse", "post": {}, "params": {
        "tau": 20.0, "eta": 0.5, "alpha": 0.12, "Wmax": 60.0}},
    "dopamine": {"nest": "stdp_dopamine_synapse", "post": {"tau_minus": 20.0}, "params": {
        "tau_plus": 20.0, "tau_c": 1000.0, "tau_n": 200.0, "b": 0.01, "A_plus": 1.0, "A_minus": 1.5, "Wmin": 0.0,
        "Wmax": 60.0}},
    "tsodyks": {"nest": "tsodyks_synapse", "post": {}, "params": {
        "U": 0.45, "tau_psc": 3.0, "tau_rec": 130.0, "tau_fac": 50.0, "x": 1.0, "y": 0.0, "u": 0.0}},
    "tsodyks2": {"nest": "tsodyks2_synapse", "post": {}, "params": {
        "U": 0.2, "tau_rec": 130.0, "tau_fac": 530.0, "x": 1.0, "u": 0.2}},
}


def spikes(seed: int, rate: float) -> list[int]:
    """Steps of a random train, after FIRST."""
    draws = np.random.default_rng(seed).random(STEPS)
    return [int(s) for s in np.flatnonzero(draws < rate * DT * 1e-3) if s > FIRST]


def trains() -> tuple[list[int], list[int], list[int]]:
    """Presynaptic, postsynaptic and dopamine steps; some post spikes reach the synapse in the step of a pre spike."""
    pre, post, dopamine = sorted({FIRST, *spikes(1, 40)}), spikes(2, 40), spikes(3, 10)
    together = [s - DELAY for s in pre[1::4]]
    return pre, sorted({*post, *together}), dopamine


def generator(steps: list[int]) -> Any:
    """A parrot that spikes in these steps (it repeats what it gets one step later)."""
    source = nest.Create("spike_generator", params={"spike_times": [round((s - 1) * DT, 9) for s in steps]})
    parrot = nest.Create("parrot_neuron")
    nest.Connect(source, parrot, syn_spec={"delay": DT})
    return parrot


def answer(case: dict[str, Any]) -> list[float]:
    """The weight sent at each presynaptic spike."""
    nest.ResetKernel()
    nest.resolution = DT
    pre_steps, post_steps, dopamine_steps = trains()
    pre, post = generator(pre_steps), generator(post_steps)
    post.set(case["post"])
    recorder = nest.Create("weight_recorder")
    common = {"weight_recorder": recorder}
    if case["nest"] == "stdp_dopamine_synapse":
        transmitter = nest.Create("volume_transmitter")
        nest.Connect(generator(dopamine_steps), transmitter, syn_spec={"delay": DT})
        common["volume_transmitter"] = transmitter
    own = case["params"]
    hom = case["nest"] in ("stdp_pl_synapse_hom", "stdp_dopamine_synapse")
    nest.CopyModel(case["nest"], "case", {**common, **own} if hom else common)
    given = {} if hom else own
    nest.Connect(pre, post, syn_spec={"synapse_model": "case", "weight": WEIGHT, "delay": DELAY * DT,
                                      "receptor_type": 1, **given})
    nest.Simulate(STEPS * DT + 50)
    return [float(w) for w in recorder.events["weights"]]


def main() -> None:
    """Run all cases."""
    pre, post, dopamine = trains()
    out = {"nest": nest.__version__, "dt": DT, "delay": DELAY, "weight": WEIGHT, "pre": pre, "post": post,
           "dopamine": dopamine, "cases": {name: {**case, "weights": answer(case)} for name, case in CASES.items()}}
    OUT.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
