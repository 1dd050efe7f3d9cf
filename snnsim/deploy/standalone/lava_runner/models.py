"""The models that a graph may have, and what Lava calls them."""

from __future__ import annotations

from typing import NamedTuple


class Model(NamedTuple):
    """A process of Lava. params: what may differ between its units; split: what Lava takes once for all of them."""

    process: str
    states: str
    params: str
    split: str = ""
    ports: dict[str, str] = {"in": "a_in"}  # noqa: RUF012


LIF = "du dv bias_mant bias_exp"
ADAPTIVE = "delta_i delta_v delta_theta delta_r theta_0"
CODED = "act residue error"
RESONATOR = ("real imag", "period alpha vth", "state_exp decay_bits", {"real": "a_real_in", "imag": "a_imag_in"})
MODELS = {
    "loihi_lif": Model("LIF", "u v", f"{LIF} vth"),
    "loihi_lif_reset": Model("LIFReset", "u v phase", f"{LIF} vth", "reset_interval reset_offset"),
    "loihi_ternary_lif": Model("TernaryLIF", "u v", f"{LIF} vth_hi vth_lo"),
    "loihi_atrlif": Model("ATRLIF", "i v theta r", f"{ADAPTIVE} bias_mant bias_exp", "theta_step"),
    "loihi_sigma_delta": Model("SigmaDelta", f"sigma {CODED}", "vth bias spike_exp state_exp", "cum_error relu"),
    "loihi_delta": Model("Delta", CODED, "vth spike_exp state_exp", "cum_error"),
    "loihi_sigma": Model("Sigma", "sigma", ""),
    "loihi_rf": Model("RF", *RESONATOR),
    "loihi_rf_iz": Model("RF_IZ", *RESONATOR),
    "loihi_graded": Model("GradedVec", "", "vth"),
    "loihi_graded_relu": Model("GradedReluVec", "", "vth"),
    "loihi_product": Model("ProdNeuron", "", "vth shift", ports={"in1": "a_in1", "in2": "a_in2"}),
}
SOURCES = ("spike_times", "poisson", "relay")  # the host makes their spikes
FRACTIONS = ("delta_i", "delta_v", "delta_theta", "delta_r", "period", "alpha")
SIGN_MODES = ("mixed", "excitatory", "inhibitory")
ANY_NUMBER = ("theta_0", "theta_step")  # Lava cuts them to 1/64
