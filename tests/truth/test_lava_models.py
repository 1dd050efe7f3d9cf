"""Fixed-point models and connections against Lava's process models and against brian2-loihi.

tools/make_lava_answers.py and tools/make_loihi1_answers.py wrote their answers. Every state and every payload of every
step is equal, in random networks, too, 32-bit overflow included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_cases import CASES, CONVOLUTIONS, LOIHI1, Case, digest, signature

import snnsim as sn
from snnsim.deploy.conv import conv_connection, output_shape
from snnsim.models import builtin_names

FOLDER = Path(__file__).with_name("lava")
OWN = {"phase", "rest"}   # states that the others do not have, or do not show
# Most of the time is taken by compiling the programs.
ENGINES = [("reference", None), pytest.param("cpu", 1, marks=pytest.mark.slow), pytest.param("cpu", 2, marks=pytest.mark.long)]


def network(case: Case) -> sn.Network:
    """The case as a network with steps of 1 ms that records all states."""
    net, groups = sn.Network(dt="1 ms"), case.graph.groups
    for k, group in enumerate(groups):
        if group.model == "spike_times":
            net.population(group.name, group.n, group.model, times=_played(case, k))
            continue
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
        if groups[train.group].model == "spike_times":
            continue
        net.input(f"train{k}", type="spike_times", to=groups[train.group].name, port=train.port, weight=train.weight,
                  times=[f"{step - 1} ms" for step in train.step], ids=train.unit.tolist(), delay="1 ms")
    return net


def _played(case: Case, group: int) -> dict[int, list[str]]:
    """The spikes of a group that plays them."""
    train = next(train for train in case.trains if train.group == group)
    return {unit: [f"{step} ms" for step in train.step[train.unit == unit]] for unit in range(case.graph.groups[group].n)}


def _given(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def columns(case: Case, backend: str, threads: int | None) -> dict[str, np.ndarray]:
    """States and payloads, [steps, n], under the names of the answers."""
    program = sn.compile(network(case), backend, threads)
    plan, chunks = program.plan, []
    while program.engine.done < case.steps:
        chunks.append(program.engine.advance(case.steps - program.engine.done))
    step, unit = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("step", "unit"))
    payload = np.concatenate([np.ones_like(c.unit) if c.payload is None else c.payload for c in chunks])
    found: dict[str, np.ndarray] = {}
    for k, population in enumerate(plan.populations):
        if case.graph.groups[k].model == "spike_times":
            continue
        recorded = {t.variable: np.concatenate([chunk.traces[number] for chunk in chunks])
                    for number, t in enumerate(plan.traces) if t.population == k and t.variable not in OWN}
        found |= {f"{population.name}.{name}": recorded[name] for name in sorted(recorded)}
        sent, its = np.zeros((case.steps, population.n), np.int64), unit - population.first
        mine = (its >= 0) & (its < population.n)
        sent[step[mine] - 1, its[mine]] = payload[mine]
        found[f"{population.name}.payload"] = sent
    return found


def check(name: str, case: Case, backend: str, threads: int | None) -> None:
    """The digests of all steps are those of the answers; if not, the first record of a state that differs is shown."""
    answer = np.load(FOLDER / f"{name}.npz")
    assert answer["signature"] == signature(case), "made for another version of the case: see tools/make_*_answers.py"
    found = {key: column for key, column in columns(case, backend, threads).items() if key in answer}
    wrong = np.flatnonzero(answer["digest"] != digest(list(found.values()))) + 1
    if wrong.size:
        for key, column in found.items():
            every = case.steps // len(answer[key])
            assert np.array_equal(answer[key], column[every - 1::every]), f"{key} (first difference in step {wrong[0]})"
    assert not wrong.size, f"first difference in step {wrong[0]}"


@pytest.mark.parametrize("backend, threads", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_states_and_messages_are_those_of_lava(name: str, backend: str, threads: int | None) -> None:
    """In each of 1000 steps."""
    check(name, CASES[name], backend, threads)


@pytest.mark.parametrize("backend, threads", ENGINES)
@pytest.mark.parametrize("name", LOIHI1)
def test_potentials_and_spikes_are_those_of_brian2_loihi(name: str, backend: str, threads: int | None) -> None:
    """In each of 500 steps."""
    check(name, LOIHI1[name], backend, threads)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_are_those_of_lava(name: str) -> None:
    """As synapses between units in the order of Lava's; its sums have 24 bits, which those of spikes do not reach."""
    case, answer = CONVOLUTIONS[name], np.load(FOLDER / "convolutions.npz")
    assert answer["signature"] == signature(CONVOLUTIONS)
    shape = case.inputs.shape[1:]
    source, target, weight = conv_connection(case.weight, shape, **case.settings)
    out = output_shape(case.weight, shape, **{key: value for key, value in case.settings.items() if key != "groups"})
    sums = np.zeros((len(case.inputs), int(np.prod(out))), np.int64)
    for row, messages in zip(sums, case.inputs.reshape(len(case.inputs), -1), strict=True):
        np.add.at(row, target, weight * messages[source])
    assert (np.abs(sums) >= 1 << 23).any() == (name == "wraps")
    expected = answer[name]
    assert expected.shape == (len(case.inputs), *out)
    assert np.array_equal(expected.reshape(sums.shape), (sums + (1 << 23)) % (1 << 24) - (1 << 23))


def test_most_cases_send_messages() -> None:
    """So that equal silence is not taken for equal behaviour."""
    silent = [name for name in CASES | LOIHI1 if np.load(FOLDER / f"{name}.npz")["spikes"] < 20]
    assert silent == []


def test_every_model_that_lava_has_is_among_the_cases() -> None:
    """A new one needs answers."""
    of_lava = {name for name in builtin_names() if name.startswith("loihi_")}
    assert {group.model for case in CASES.values() for group in case.graph.groups} == of_lava
