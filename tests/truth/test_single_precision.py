"""Single precision against double precision: the same spikes, and potentials that agree to a tenth of a microvolt."""

from __future__ import annotations

import numpy as np
import pytest

import snnsim as sn

# model: parameters; weight and rate of its Poisson input per port (dyadic weights: exact in both); bound of the error.
CASES = {
    "lif_psc_delta": ({"i_e": "200 pA"}, {"in": ("0.125 mV", "8 kHz")}, 1e-4),
    "lif_psc_delta at -65 mV": ({"i_e": "200 pA", "v_rest": "-65 mV", "v_reset": "-65 mV", "v_th": "-50 mV"},
                                {"in": ("0.125 mV", "8 kHz")}, 1e-4),
    "lif_psc_exp": ({"i_e": "250 pA"}, {"exc": ("64 pA", "6 kHz"), "inh": ("-128 pA", "1 kHz")}, 1e-4),
    "lif_psc_alpha": ({"i_e": "250 pA"}, {"exc": ("32 pA", "6 kHz"), "inh": ("-64 pA", "1 kHz")}, 1e-4),
    "lif_cond_exp": ({"i_e": "100 pA"}, {"exc": ("4 nS", "8 kHz"), "inh": ("-4 nS", "1 kHz")}, 1e-4),
    "mat2_psc_exp": ({"i_e": "350 pA"}, {"exc": ("32 pA", "6 kHz"), "inh": ("-64 pA", "1 kHz")}, 1e-4),
    "izhikevich": ({"i_e": "10 mV/ms"}, {"in": ("0.25 mV", "1 kHz")}, 2e-2),
}


def potentials(case: str, precision: str) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Spikes and potentials [steps, units] of a second."""
    params, inputs, _ = CASES[case]
    net = sn.Network(dt="0.1 ms", seed=4, precision=precision)
    cells = net.population("cells", 10, case.split()[0], **params)
    for port, (weight, rate) in inputs.items():
        net.input(port, type="poisson", rate=rate, to=cells, weight=weight, port=port)
    net.record(spikes=["cells"], traces={"cells": {"variables": ["v"], "every": "0.1 ms"}})
    result = sn.run(net, "1 s", backend="cpu", threads=1)
    return result.spikes("cells"), np.asarray(result.trace("cells", "v"), np.float64)


@pytest.mark.parametrize("case", CASES)
def test_single_precision_keeps_the_spikes(case: str) -> None:
    """Over a second with constant current and noise, every spike is in the same step and v within the tolerance."""
    (times, ids), v = potentials(case, "double")
    (also, whose), single = potentials(case, "single")
    assert len(times) > 50
    assert np.array_equal(times, also)
    assert np.array_equal(ids, whose)
    # The upstroke of Izhikevich's neuron magnifies every difference a thousandfold, until its spike cuts it off.
    compared = v < -40 if case == "izhikevich" else slice(None)
    assert np.abs(single - v)[compared].max() <= CASES[case][2]
