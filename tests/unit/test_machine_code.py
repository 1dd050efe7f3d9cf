"""Machine code on disk: found again where it is whole, compiled anew and written over where it is damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snnsim.cachefolder import compiled

WAYS = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "other bytes": lambda data: b"not machine code",
    "one byte": lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
    "zeros in the middle": lambda data: data[: len(data) // 3] + bytes(len(data) // 3) + data[2 * (len(data) // 3) :],
}

NETWORK = """
import snnsim as sn
net = sn.Network(seed=5, duration="60 ms")
cells = net.population("cells", 40, "lif_psc_exp")
net.input("noise", type="poisson", rate="12 kHz", to=cells, weight="80 pA")
drawn = {"normal": {"mean": "40 pA", "sd": "8 pA", "low": "0 pA"}}
net.project(cells, cells, sn.fixed_indegree(4), weight=drawn, delay={"normal": {"mean": "1 ms", "sd": "0.3 ms", "low": "0.1 ms"}})
net.project(cells, cells, sn.all_to_all(), weight=drawn, delay={"uniform": ["0.5 ms", "2 ms"]},
            synapse={"model": "stdp_pair", "params": {"w_max": "120 pA"}})
net.record(spikes=["cells"])
for column in sn.run(net, backend="cpu", threads=2).spikes("cells"):
    print(*column)
"""


def add(a: int, b: int) -> int:
    return a + b


def sub(a: int, b: int) -> int:
    return a - b


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of compiled code."""
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path))
    return tmp_path


def fresh(function: Any) -> Any:
    """What another process has: nothing loaded, nothing compiled."""
    return compiled("tests", error_model="numpy")(function)


def counts(dispatcher: Any) -> tuple[int, int]:
    """What it found on disk, and what it compiled."""
    return sum(dispatcher.stats.cache_hits.values()), sum(dispatcher.stats.cache_misses.values())


def damage(path: Path, way: str) -> None:
    """Leave the file there with other bytes."""
    before = path.read_bytes()
    path.write_bytes(WAYS[way](before))
    assert path.read_bytes() != before


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_damaged_is_compiled_anew(cache: Path, way: str, suffix: str) -> None:
    """And found again after that, as is what was whole."""
    assert [fresh(add)(1, 2), fresh(add)(1.0, 2.0), fresh(sub)(3, 1)] == [3, 3.0, 2]
    for path in cache.rglob(f"*add*.{suffix}"):
        damage(path, way)
    one, other, whole, again = fresh(add), fresh(add), fresh(sub), fresh(add)
    assert [one(1, 2), other(1.0, 2.0), whole(3, 1)] == [3, 3.0, 2]
    assert [again(4, 5), again(0.5, 1.0)] == [9, 1.5]
    assert (counts(whole), counts(again)) == ((1, 0), (2, 0))
    if suffix == "nbc":
        assert (counts(one), counts(other)) == ((0, 1), (0, 1))


def test_machine_code_without_a_digest(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Numba itself, or an older snnsim, left under the same name is compiled anew."""
    from numba.core.caching import FunctionCache

    with monkeypatch.context() as numba_alone:
        numba_alone.setattr("snnsim.machine_code.CheckedCache", FunctionCache)
        assert fresh(add)(1, 2) == 3
    old, new = fresh(add), fresh(add)
    assert (old(1, 2), new(1, 2), counts(old), counts(new)) == (3, 3, (0, 1), (1, 0))


def run_network() -> str:
    """The spikes, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", NETWORK], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.long
def test_a_network_whose_machine_code_is_all_damaged(cache: Path) -> None:
    """Functions that draw, sort and count synapses are called while it is built, others in its loop."""
    expected = run_network()
    assert expected.count(".") > 20
    files = sorted(cache.rglob("*.nb[ci]"))
    assert {"run", "indexed_words", "sort_by"} <= {path.name.split(".")[1].split("-")[0] for path in files}
    for k, path in enumerate(files):
        damage(path, list(WAYS)[k % len(WAYS)])
    assert run_network() == expected
    mended = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb[ci]")}
    assert run_network() == expected
    assert mended == {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb[ci]")}
