"""The engine of the backend lava, with fake runners: what it says where Lava fails, and what it cannot do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runners import Fake, here

import snnsim as sn
from snnsim import registry
from snnsim.backends.lava import LavaBackend
from snnsim.backends.lava.engine import LavaEngine
from snnsim.deploy.from_plan import arrivals_of, graph_of
from snnsim.errors import EngineError, InputError
from snnsim.lowering import make_plan
from snnsim.plan import Plan
from snnsim.program import Program

CELLS = """
snnsim: 1
name: cells
seed: 1
dt: 1 ms
duration: 100 ms
populations:
  cells: {n: 2, model: loihi_lif, init: {v: 3}}
record: {spikes: [cells], traces: {cells: {variables: [v], every: 2 ms}}}
"""


class FakeLava(LavaBackend):
    """The backend with a fake runner."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def lacks(self) -> str | None:
        """Nothing."""
        return None

    def compile(self, plan: Plan, threads: int | None = None) -> LavaEngine:
        """An engine."""
        return LavaEngine(plan, graph_of(plan), partial(arrivals_of, plan), here(), self.fake.script)


Make = Callable[[str], Program]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a program whose Lava is a fake; at the end nothing of it is left."""
    monkeypatch.setenv("PIDS", "")
    made: list[tuple[Fake, Program]] = []

    def program(kind: str) -> Program:
        backend, net = FakeLava(Fake(tmp_path, kind)), sn.loads(CELLS)
        monkeypatch.setitem(registry.backends(), "lava", backend)
        made.append((backend.fake, Program(net, make_plan(net), backend)))
        return made[-1][1]

    yield program
    for fake, it in made:
        it.engine.close()   # type: ignore[attr-defined]
        assert fake.left() == []


def test_a_run(make: Make) -> None:
    """Spikes, traces and states are those of the runner, whatever the pieces are."""
    program = make("good")
    program.run("4 ms")
    assert program.counts.tolist() == [4]
    assert program["cells"]["v"].tolist() == [7, 8]
    chunk = program.engine.advance(3)
    assert (chunk.step.tolist(), chunk.unit.tolist(), chunk.payload) == ([5, 6, 7], [1, 1, 1], None)
    assert chunk.traces[0].tolist() == [[7, 8]]
    assert program.engine.history().step.tolist() == [7]
    assert program.engine.facts()["how"].startswith("3 processes of Lava 0.10.0 in ")


def test_what_was_recorded_is_said(make: Make, tmp_path: Path) -> None:
    """A run that Lava does not finish ends in one message: what happened, and where everything before it is."""
    make("good")
    fake: Any = registry.backends()["lava"]
    source = fake.fake.script.read_text()
    fake.fake.script.write_text(source.replace("    steps = range", "    if done: sys.exit('out of cheese')\n    steps = range"))
    out = tmp_path / "out.h5"
    with pytest.raises(EngineError) as caught:
        sn.run(sn.loads(CELLS), backend="lava", out=out)
    assert re.fullmatch(r"Lava ended by itself \(exit code 1\) while running steps 51 to \d+; its last words: out of cheese; "
                        rf"{re.escape(str(out))} holds everything up to there", str(caught.value))
    times, ids = sn.open(out).spikes("cells")
    assert (times.tolist(), set(ids.tolist())) == ([float(k) for k in range(1, 51)], {1})


def test_states_before_the_first_step(make: Make) -> None:
    """They are those of the network, or those that were set; Lava is started again with them."""
    program = make("good")
    assert program["cells"]["v"].tolist() == [3, 3]
    program["cells"]["v"] = [0, 5]
    assert program["cells"]["v"].tolist() == [0, 5]
    engine: Any = program.engine
    assert engine.graph.groups[0].initial["v"].tolist() == [0, 5]
    program.run("2 ms")
    with pytest.raises(InputError) as caught:
        program["cells"]["v"] = 0
    assert str(caught.value) == (
        "cells.v: lava can set states before the first step only; take --backend loihi, or set it before the run")


def test_going_back(make: Make) -> None:
    """To the beginning, by starting again, and nowhere else."""
    program = make("good")
    start = program.engine.snapshot()
    program.run("3 ms")
    middle = program.engine.snapshot()
    program.engine.restore(middle)
    assert program.done == 3
    program.run("1 ms")
    with pytest.raises(InputError, match=r"^backend: lava cannot go on from step 3: "):
        program.engine.restore(middle)
    program.engine.restore(start)
    assert program.done == 0
    assert program["cells"]["v"].tolist() == [3, 3]
    assert program.engine.advance(2).step.tolist() == [1, 2]


def test_a_checkpoint(make: Make, tmp_path: Path) -> None:
    """A run is saved, and goes on with another backend; lava cannot go on with it, and says so."""
    program = make("good")
    program.run("5 ms")
    program.save(tmp_path / "saved.h5")
    with pytest.raises(InputError) as caught:
        sn.resume(tmp_path / "saved.h5", backend="lava")
    assert str(caught.value) == (
        "backend: lava cannot go on from step 5: its processes begin at step 1; run from the beginning, or go on with --backend loihi")
    other = sn.resume(tmp_path / "saved.h5", backend="loihi")
    assert other["cells"]["v"].tolist() == [7, 8]
    assert other.done == 5


def test_a_state_that_lava_does_not_keep(make: Make) -> None:
    """It is not taken for 0."""
    program = make("good")
    fake: Any = program.backend
    fake.fake.script.write_text(fake.fake.script.read_text().replace('("u", "v")', '("v", )'))
    program["cells"]["v"] = 1   # so that it is started again
    program.run("1 ms")
    with pytest.raises(InputError) as caught:
        program["cells"]["u"]
    assert str(caught.value) == "populations.cells: Lava does not keep a state u"


def test_memory(make: Make) -> None:
    """The estimate grows with populations and synapses, and the engine says what it holds."""
    program = make("good")
    assert set(program.engine.memory()) == {"synapses", "states"}
    net = sn.loads(CELLS)
    small = FakeLava(Fake(Path(os.environ["PIDS"]).parent, "good")).memory(make_plan(net))
    net.project(net.populations["cells"], net.populations["cells"], sn.all_to_all(), weight=1, delay="1 ms")
    assert FakeLava(Fake(Path(os.environ["PIDS"]).parent, "good")).memory(make_plan(net)) > small
    assert np.isfinite(small)
