"""``snnsim compare --backends loihi,lava``: the emulator and Lava itself agree in every spike, state and weight."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from snnsim.backends.lava.environment import fault
from snnsim.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.skipif(fault() is not None, reason=str(fault())),
              pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are looked for in /proc")]

HEAD = "snnsim: 1\nseed: 3\ndt: 1 ms\nduration: 200 ms\n"
NETWORKS = {
    "feed_forward": """
populations:
  input: {n: 20, model: poisson, params: {rate: 100 Hz}}
  hidden: {n: 15, model: loihi_lif, params: {du: 1000, dv: 300, vth: 120}}
  output: {n: 5, model: loihi_lif, params: {du: 4095, dv: 100, vth: 90}}
projections:
  - {from: input, to: hidden, connect: all_to_all, weight: {uniform: [-20, 60]}, weight_exp: 1}
  - {from: hidden, to: output, connect: all_to_all, weight: {uniform: [0, 90]}}
record: {spikes: [input], traces: {hidden: {variables: [u, v]}, output: {variables: [u, v]}}}
""",
    "recurrent": """
populations:
  cells: {n: 60, model: loihi_lif, params: {du: 400, dv: 200, vth: 200, bias_mant: {discrete: {values: [20, 60, 90]}}, bias_exp: 4}}
projections:
  - {from: cells, to: cells, connect: {rule: pairwise, p: 0.2}, weight: {uniform: [-60, 40]}, weight_exp: 2}
record: {traces: {cells: {variables: [u, v]}}}
""",
    "overflow": """
populations:
  cells: {n: 40, model: loihi_lif, params: {du: 3, dv: 2, vth: 100000, bias_mant: 4000, bias_exp: 7}}
projections:
  - {from: cells, to: cells, connect: {rule: pairwise, p: 0.5}, weight: {uniform: [-256, 255]}, weight_exp: 7}
record: {traces: {cells: {variables: [u, v]}}}
""",
    "delays": """
populations:
  cells: {n: 50, model: loihi_lif, params: {du: 900, dv: 100, vth: 150, bias_mant: 30, bias_exp: 3}}
projections:
  - {from: cells, to: cells, connect: {rule: fixed_indegree, k: 8}, weight: {uniform: [-40, 50]}, delay: {uniform: [1 ms, 63 ms]}}
  - {from: cells, to: cells, connect: {rule: fixed_indegree, k: 3, multapses: false}, weight: 77, weight_exp: -2, delay: 7 ms}
record: {traces: {cells: {variables: [u, v]}}}
""",
    "graded": """
populations:
  ternary: {n: 20, model: loihi_ternary_lif, params: {du: 300, dv: 200, vth_hi: 60, vth_lo: -60, bias_mant: {discrete: {values: [-900, 700]}}}}
  sigma: {n: 10, model: loihi_sigma_delta, params: {vth: 30, spike_exp: 1, state_exp: 2}}
  output: {n: 8, model: loihi_graded_relu, params: {vth: 2}}
  rotor: {n: 6, model: loihi_rf, params: {period: 9, alpha: 0.05, vth: 30}}
projections:
  - {from: ternary, to: sigma, connect: all_to_all, weight: {uniform: [-90, 80]}, num_message_bits: 8}
  - {from: sigma, to: output, connect: all_to_all, weight: {uniform: [-9, 9]}, num_message_bits: 24, delay: 3 ms}
  - {from: output, to: rotor, connect: all_to_all, weight: 1, num_message_bits: 16, port: real}
record: {traces: {sigma: {variables: [sigma, act]}, rotor: {variables: [real, imag]}}}
""",
    "adaptive": """
populations:
  cells:
    n: 30
    model: loihi_atrlif
    params: {delta_i: 0.3, delta_v: 0.03, delta_theta: 0.1, delta_r: 0.2, theta_0: 40, theta_step: 8, bias_mant: 120, bias_exp: 1}
projections:
  - {from: cells, to: cells, connect: {rule: pairwise, p: 0.3}, weight: {uniform: [-90, 90]}}
record: {traces: {cells: {variables: [i, v, theta, r]}}}
""",
    "learning": """
populations:
  pre: {n: 12, model: loihi_lif, params: {du: 4095, vth: 20, bias_mant: {discrete: {values: [90, 130, 210]}}}}
  post: {n: 9, model: loihi_lif, params: {du: 1000, dv: 200, vth: 120, bias_mant: 100}}
projections:
  - from: pre
    to: post
    connect: all_to_all
    weight: {discrete: {values: [-20, 10, 32]}}
    sign_mode: mixed
    synapse:
      model: loihi_learning
      params: {dw: "2*x1*y0 - y1*x0", x1_impulse: 16, x1_tau: 10, y1_impulse: 16, y1_tau: 10, t_epoch: 2}
record: {traces: {post: {variables: [u, v]}}, weights: {learnt: {projection: pre->post, every: 20 ms}}}
""",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_emulator_is_lava_bit_for_bit(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No spike, payload, state or weight differs, and there are some."""
    config = tmp_path / f"{name}.yaml"
    config.write_text(HEAD + NETWORKS[name], encoding="utf-8")
    assert main(["compare", str(config), "--backends", "loihi,lava", "--json", "--quiet"]) == 0
    emulator, lava = json.loads(capsys.readouterr().out)
    assert (emulator["backend"], lava["backend"]) == ("loihi", "lava")
    assert lava["first_difference"] is None
    assert lava["trace_error"] == 0
    assert lava["weight_error"] == (0 if name == "learning" else None)
    assert emulator["spikes"] == lava["spikes"] > 100
