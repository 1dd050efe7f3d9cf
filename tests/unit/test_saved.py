"""Programs are saved and go on with engines that give their synapses in columns, and with those that give arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.reference.engine import ReferenceEngine
from snnsim.checkpoint import Stored, load_state
from snnsim.columns import Whole
from snnsim.program import Program


@dataclass
class Columns:
    """An engine whose synapses come in columns of three rows at a time; asked: of which, given: what was taken."""

    engine: ReferenceEngine
    asked: list[str] = field(default_factory=list)
    given: dict[str, type] = field(default_factory=dict)

    def plasticity(self, projection: int) -> dict[str, Any]:
        values = self.engine.plasticity(projection)
        return values | {"w": Column(values["w"], self.asked)}

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, Any]) -> None:
        self.given = {name: type(each) for name, each in values.items()}
        whole = {"w": np.concatenate(list(values["w"].pieces(4)))}
        self.engine.set_plasticity(projection, done, {**values, **whole})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


class Column(Whole):
    """Weights that nobody gets as a whole."""

    def __init__(self, values: np.ndarray, asked: list[str]) -> None:
        super().__init__(values)
        object.__setattr__(self, "asked", asked)

    def pieces(self) -> Iterator[np.ndarray]:
        self.asked.append("w")
        for low in range(0, self.values.size, 3):
            yield self.values[low : low + 3]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise AssertionError("nobody needs the whole")


def learning() -> Program:
    net = sn.Network(seed=4)
    net.population("cells", 10, "lif_psc_exp", v_th="-55 mV", t_ref="1 ms")
    net.input("noise", type="poisson", rate="10 kHz", to="cells", weight="100 pA")
    net.project("cells", "cells", sn.fixed_indegree(4), weight="60 pA", delay="1 ms", name="it",
                synapse={"model": "stdp_pair", "params": {"w_max": "120 pA", "lambda": 0.05}})
    return sn.compile(net, "reference")


def in_columns() -> tuple[Program, Columns]:
    program = learning()
    engine = Columns(program.engine)   # type: ignore[arg-type]
    program.engine = engine   # type: ignore[assignment]
    return program, engine


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint of an engine that gives arrays, after 20 ms."""
    program = learning()
    program.run("20 ms")
    program.save(tmp_path / "whole.ckpt")
    return tmp_path / "whole.ckpt"


def test_columns_are_saved_as_arrays_are(whole: Path, tmp_path: Path) -> None:
    """The same file; each column is gone through once."""
    program, engine = in_columns()
    program.run("20 ms")
    program.save(tmp_path / "columns.ckpt")
    assert (tmp_path / "columns.ckpt").read_bytes() == whole.read_bytes()
    assert engine.asked == ["w"]


def test_columns_are_taken_as_columns(whole: Path, tmp_path: Path) -> None:
    """They are compared without being made; what an engine gives as an array it takes as one. The future is the same."""
    program, engine = in_columns()
    program.load(whole)
    assert engine.asked == []
    assert engine.given.pop("w") is Stored
    assert set(engine.given.values()) == {np.ndarray}
    once = learning()
    for each in (program, once):
        each.run("40 ms" if each is once else "20 ms")
    assert once.counts.tolist() == program.counts.tolist() > [2]
    for name, values in once.engine.plasticity(0).items():
        np.testing.assert_array_equal(engine.engine.plasticity(0)[name], values)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_other_engines_take_arrays(whole: Path, tmp_path: Path, backend: str) -> None:
    """And save the same numbers that they took."""
    program = sn.resume(whole, backend)
    program.save(tmp_path / "again.ckpt")
    arrays = [load_state(path)[0] for path in (whole, tmp_path / "again.ckpt")]
    assert list(arrays[0]) == list(arrays[1])
    for name, values in arrays[0].items():
        np.testing.assert_array_equal(values, arrays[1][name])
