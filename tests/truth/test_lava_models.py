"""Fixed-point models and connections against Lava's process models, whose answers tools/make_lava_answers.py wrote.

Every state and every payload of every step is equal, and so are the random networks, 32-bit overflow included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_cases import CASES, Case, digest, signature

import snnsim as sn
from snnsim.models import builtin_names

FOLDER = Path(__file__).with_name("lava")
ENGINES = [("reference", None), ("cpu", 1), ("cpu", 2)]


def network(case: Case) -> sn.Network:
    """The case as a network with steps of 1 ms that records all states."""
    net, groups = sn.Network(dt="1 ms"), case.graph.groups
    for group in groups:
        states = {key: _given(value) for key, value in group.initial.items()}
        params = {key: _given(value) for key, value in group.params.items()}
        cells = net.population(group.name, group.n, group.model, init=states, **params)
        if cells.model.states:
            net.record(traces={group.name: {"variables": sorted(cells.model.states), "every": "1 ms"}})
    for it in case.graph.connections:
        settings = {key: getattr(it, key) for key in ("weight_exp", "num_weight_bits", "num_message_bits")}
        mode = "auto" if case.auto else it.sign_mode
        connect = sn.explicit(it.pre.tolist(), it.post.tolist(), weight=it.weight.tolist(),
                              delay=[f"{steps} ms" for steps in it.delay])
        net.project(groups[it.source].name, groups[it.target].name, connect, port=it.port, name=it.label, sign_mode=mode,
                    **settings)
    for k, train in enumerate(case.trains):
        net.input(f"train{k}", type="spike_times", to=groups[train.group].name, port=train.port, weight=train.weight,
                  times=[f"{step - 1} ms" for step in train.step], ids=train.unit.tolist(), delay="1 ms")
    return net


def _given(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def columns(case: Case, backend: str, threads: int | None) -> dict[str, np.ndarray]:
    """States and payloads, [steps, n], under the names of the answers."""
    program = sn.compile(network(case), backend, threads)
    plan, found = program.plan, dict[str, np.ndarray]()
    chunk = program.engine.advance(case.steps)
    recorded = {(t.population, t.variable): rows for t, rows in zip(plan.traces, chunk.traces, strict=True)}
    for k, population in enumerate(plan.populations):
        mine = {name: rows for (group, name), rows in recorded.items() if group == k and name != "phase"}
        found |= {f"{population.name}.{name}": mine[name] for name in sorted(mine)}
        payload = np.zeros((case.steps, population.n), np.int64)
        its = (chunk.unit >= population.first) & (chunk.unit < population.first + population.n)
        payload[chunk.step[its] - 1, chunk.unit[its] - population.first] = 1 if chunk.payload is None else chunk.payload[its]
        found[f"{population.name}.payload"] = payload
    return found


@pytest.mark.parametrize("backend, threads", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_states_and_messages_are_those_of_lava(name: str, backend: str, threads: int | None) -> None:
    """In each of 1000 steps; where they are not, the first record of a state that differs is shown."""
    case, answer = CASES[name], np.load(FOLDER / f"{name}.npz")
    assert answer["signature"] == signature(case), "made for another version of the case: run tools/make_lava_answers.py"
    found = columns(case, backend, threads)
    wrong = np.flatnonzero(answer["digest"] != digest(list(found.values()))) + 1
    if wrong.size:
        for key, column in found.items():
            every = case.steps // len(answer[key])
            assert np.array_equal(answer[key], column[every - 1::every]), f"{key} (first difference in step {wrong[0]})"
    assert not wrong.size, f"first difference in step {wrong[0]}"


def test_most_cases_send_messages() -> None:
    """So that equal silence is not taken for equal behaviour."""
    silent = [name for name in CASES if np.load(FOLDER / f"{name}.npz")["spikes"] < 50]
    assert silent == []


def test_every_model_that_lava_has_is_among_the_cases() -> None:
    """A new one needs answers."""
    of_lava = {name for name in builtin_names() if name.startswith("loihi_")}
    assert {group.model for case in CASES.values() for group in case.graph.groups} == of_lava
