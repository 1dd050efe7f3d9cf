"""What one process remembers from network to network: never what belongs to another one."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu.emit import emit_update
from snnsim.backends.cpu.pool import AtOnce, make_pool
from snnsim.config import build, read
from snnsim.equations.memo import Memo
from snnsim.ir import Builder, Op, Program, Type
from snnsim.models import builtin

NET = """snnsim: 1
seed: 3
dt: 0.1 ms
duration: 20 ms
populations:
  a: {n: 40, model: lif_psc_exp, params: {tau_m: 20 ms}, init: {v: {uniform: [-65 mV, -50 mV]}}}
  b: {n: 30, model: lif_psc_exp}
inputs:
  noise: {type: poisson, rate: 40 kHz, to: [a, b], weight: 100 pA, delay: 1 ms}
projections:
  - {from: [a, b], to: [a, b], connect: {rule: fixed_indegree, k: 10}, weight: 50 pA, delay: 1.5 ms}
record: {spikes: [a, b], traces: {a: {variables: [v], units: "0:3"}}}
"""
SAME_SHAPE = {
    "as it is": [], "parameter": ["populations.a.params.tau_m=10 ms"], "dt": ["dt=0.2 ms"],
    "weight": ["projections.0.weight=-50 pA"], "per unit": ["populations.a.params.tau_m={uniform: [10 ms, 20 ms]}"],
    "double": ["precision=double"],
}
RUN = "import sys; sys.path.insert(0, sys.argv[1]); import test_remembered as t; print(t.digest(sys.argv[2], *sys.argv[3:]))"


def digest(config: str, *overrides: str) -> str:
    """Of everything that a run of the network records."""
    result = sn.run(sn.load(config, overrides), backend="cpu", threads=1)
    found = [*result.spikes("a"), *result.spikes("b"), result.trace("a", "v").data]
    assert len(found[0]) > 0
    return hashlib.sha256(b"".join(column.tobytes() for column in found)).hexdigest()


@pytest.mark.slow
def test_networks_of_one_shape_do_not_meet(tmp_path: Path) -> None:
    """Run one after the other in one process, in either order, they record what each records in a process of its own."""
    config = tmp_path / "net.yaml"
    config.write_text(NET)
    alone = {name: subprocess.run([sys.executable, "-c", RUN, str(Path(__file__).parent), str(config), *overrides],
                                  capture_output=True, text=True, check=True).stdout.strip()
             for name, overrides in SAME_SHAPE.items()}
    assert len(set(alone.values())) == len(SAME_SHAPE)
    for names in (list(SAME_SHAPE), list(SAME_SHAPE)[::-1]):
        assert {name: digest(str(config), *SAME_SHAPE[name]) for name in names} == alone


def test_numbers_are_told_apart_by_their_bits() -> None:
    """0.0 is not -0.0, and neither another dt nor another question finds what is known."""
    memo = Memo()
    asked = [("bind", 0.0, 0.1), ("bind", -0.0, 0.1), ("bind", 0.0, 0.2), ("initial", 0.0, 0.1)]
    for _ in range(2):
        assert [memo(what, {"x": x}, dt, lambda k=k: {"k": float(k)})["k"] for k, (what, x, dt) in enumerate(asked)] == [
            0.0, 1.0, 2.0, 3.0]


def test_what_is_known_is_not_made_again_and_cannot_be_changed() -> None:
    """Whoever gets it has a copy; arrays, also of one number, are made each time."""
    memo, made = Memo(), []

    def make() -> dict[str, float | np.ndarray]:
        made.append(1)
        return {"k": 1.0}

    memo("bind", {"x": 1.0}, 0.1, make)["k"] = 2.0
    assert memo("bind", {"x": 1.0}, 0.1, make) == {"k": 1.0}
    assert len(made) == 1
    for _ in range(2):
        memo("bind", {"x": np.array([1.0])}, 0.1, make)
    assert len(made) == 3


def test_a_memo_forgets_what_was_asked_longest_ago() -> None:
    """It holds 64 results."""
    memo, made = Memo(), []
    for k in (*range(65), 64, 1, 0):
        memo("bind", {"x": float(k)}, 0.1, lambda k=k: made.append(k) or {})
    assert made == [*range(65), 0]


def test_a_parameter_of_one_unit_stays_an_array() -> None:
    """A population of one unit with its own value is no population with one value for all."""
    model = builtin("lif_psc_exp")
    for _ in range(2):
        one, all_of_them = (model.bind({"tau_m": value}, 0.1) for value in (np.array([12.0]), 12.0))
        assert {name: np.ndim(value) for name, value in all_of_them.items()} == dict.fromkeys(all_of_them, 0)
        assert any(np.ndim(value) == 1 for value in one.values())


@pytest.mark.parametrize(("first", "second"), [(0.0, -0.0), (1.0, 1.5)])
def test_updates_with_other_constants_have_other_texts(first: float, second: float) -> None:
    """Python takes 0.0 and -0.0 for equal; the texts of their updates differ."""
    def program(value: float) -> Program:
        b = Builder({"v": Type.REAL})
        b(Op.STORE, b(Op.MUL, b(Op.STATE, data="v"), b.const(value)), data="v")
        return b.build()

    texts = [emit_update(program(value), np.float32, set(), set()).source for value in (first, second, first)]
    assert texts[0] == texts[2] != texts[1]
    assert emit_update(program(first), np.float64, set(), set()).source not in texts


def test_values_of_overrides_are_not_shared(tmp_path: Path) -> None:
    """The same text makes a list of its own each time."""
    (tmp_path / "net.yaml").write_text(NET)
    documents = [read(tmp_path / "net.yaml") for _ in range(2)]
    for document in documents:
        build(document, tmp_path, ["record.spikes=[a]"])
        document.data["record"]["spikes"].append("b")
    assert [document.data["record"]["spikes"] for document in documents] == [["a", "b"]] * 2


def test_one_thread_is_the_callers_own() -> None:
    """Work is done where it is asked for, its errors come with its result, and an interrupt comes at once."""
    pool = AtOnce()
    assert pool.submit(threading.get_ident).result() == threading.get_ident()
    assert list(pool.map(lambda x: 2 * x, [1, 2])) == [2, 4]
    failed = pool.submit(json.loads, "")
    with pytest.raises(json.JSONDecodeError):
        failed.result()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.submit(interrupted)


def test_the_thread_that_gets_interrupts_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """So Ctrl-C is seen at once with one thread, too; a thread that gets none works itself."""
    assert not isinstance(make_pool(1), AtOnce)
    with ThreadPoolExecutor(1) as beside:
        assert isinstance(beside.submit(make_pool, 1).result(), AtOnce)
        assert not isinstance(beside.submit(make_pool, 2).result(), AtOnce)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    assert isinstance(make_pool(1), AtOnce)
