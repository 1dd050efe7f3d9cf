"""Built-in models against the answers of NEST 3.10 in nest_answers.json, which tools/make_nest_answers.py makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnsim.equations import model_from_document
from snnsim.ir.interpret import Environment, interpret
from snnsim.models import builtin

TABLE = json.loads(Path(__file__).with_name("nest_answers.json").read_text(encoding="utf-8"))
QUANTUM = 2.0**-20
# Largest error of a state, in its unit: rounding where both integrate alike, else what NEST's adaptive solver allows.
ALIKE = {"lif_psc_delta", "lif_psc_exp", "lif_psc_alpha", "izhikevich", "izhikevich_2003", "mat2_psc_exp",
         "adaptive_lif", "glif1", "glif2", "glif3", "glif4", "glif5"}
# The equations are compared; the method of the benchmark, of first order, makes intervals some percent longer.
METHOD = {"hh_cond_exp_traub": {"rk4": 4}}


def arrivals(answer: dict[str, Any], port: str, step: int) -> np.int64:
    """Quanta that arrive at a port in a step; a single port takes both trains."""
    kinds = [port] if port in TABLE["trains"] else TABLE["trains"]
    return np.int64(sum(TABLE["trains"][k].count(step) * round(answer["weights"][k] / QUANTUM) for k in kinds))


def simulate(name: str, answer: dict[str, Any]) -> tuple[list[int], dict[str, list[float]]]:
    """Spike steps, and the states after the steps that the table samples; `name`: of the model, and maybe more."""
    model, dt = builtin(name.split(",")[0]), TABLE["dt"]
    if name in METHOD:
        model = model_from_document(name, model.document | {"integrate": METHOD[name]})
    params = model.bind(answer["params"], dt) | {f"quantum.{port}": QUANTUM for port in model.ports}
    offsets = model.offsets(answer["params"], dt)
    states: dict[str, Any] = {s: v - offsets.get(s, 0) for s, v in model.initial(answer["params"], dt).items()}
    spikes: list[int] = []
    sampled: dict[str, list[float]] = {s: [] for s in answer["states"]}
    for step in range(1, answer["steps"] + 1):
        now = {port: arrivals(answer, port, step) for port in model.ports}
        drives = {"i_inj": answer["current"] if step > TABLE["current_from"] else 0.0}
        done = interpret(model.program(), Environment(np.float64, params, states, now, drives))
        states = done.stored
        if done.emitted["spikes"]:
            spikes.append(step)
        if step in answer["at"]:
            for s, values in sampled.items():
                values.append(float(states[s] + offsets.get(s, 0)))
    return spikes, sampled


@pytest.mark.parametrize("name", TABLE["models"])
def test_spike_steps_and_states_are_those_of_nest(name: str) -> None:
    """In double precision a model spikes in the steps in which NEST's does; states away from spikes agree."""
    answer = TABLE["models"][name]
    spikes, states = simulate(name, answer)
    assert answer["spikes"] == spikes
    for state, expected in answer["states"].items():
        errors = np.subtract(states[state], expected)
        error, most = (np.abs(errors).max(), 1e-9) if name in ALIKE else (np.sqrt(np.mean(errors**2)), 0.05)
        assert error <= most
