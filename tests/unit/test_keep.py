"""What is held of lists and chosen pairs can be cut to some targets; what is cut off is had again when asked for."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim import arrays
from snnsim.connect import listed as listed_module
from snnsim.connect import rule_from_spec
from snnsim.connect.base import Bound
from snnsim.distributions import value as value_module
from snnsim.distributions import value_from_spec
from snnsim.errors import InputError
from snnsim.random import NumpyWords, Stream, numpy_words
from snnsim.units import VOLTAGE

RNG = np.random.default_rng(1)
LISTS = RNG.integers(0, 40, (2, 500))
RULES = {
    "explicit": sn.explicit(*LISTS), "distinct": sn.fixed_total(300, multapses=False),
    "most": sn.fixed_total(1500, multapses=False), "total": sn.fixed_total(300), "indegree": sn.fixed_indegree(7),
}


def drawn(bound: Bound, low: int, high: int) -> np.ndarray:
    """Source, target and number of all synapses onto [low, high)."""
    blocks = [[b.source, b.target, np.arange(*np.cumsum(b.index)) if isinstance(b.index, tuple) else b.index]
              for b in bound.blocks(low, high)]
    return np.concatenate([np.stack(block) for block in blocks], axis=1).astype(np.int64)


def held(bound: Bound) -> int:
    """Bytes of arrays that the rule keeps, but for one entry per target."""
    found = (x for x in bound.cache.get("prepared") or () if isinstance(x, np.ndarray))
    return sum(x.nbytes for x in found if x.size != bound.n_target + 1)


def bind(name: str) -> Bound:
    """A rule between populations of 40 units."""
    return rule_from_spec(RULES[name]).bind(40, 40, False, 5, "it")


@pytest.mark.parametrize("name", RULES)
def test_synapses_stay_the_same(name: str) -> None:
    """Inside the range that is kept, beyond it, and across its ends."""
    whole, cut = bind(name), bind(name)
    for bound in (whole, cut):
        bound.prepared(numpy_words)
    expected = drawn(whole, 0, 40)
    cut.keep(10, 20)
    for low, high in ((10, 20), (12, 13), (0, 40), (5, 15), (30, 40)):
        inside = (expected[1] >= low) & (expected[1] < high)
        assert np.array_equal(drawn(cut, low, high), expected[:, inside]), (low, high)
    if held(whole):
        assert held(cut) < held(whole) / 2


def test_numbers_of_a_file_are_read_again(tmp_path: Path) -> None:
    """Their bounds are known all the time; a file that has changed is refused."""
    np.save(tmp_path / "w.npy", np.arange(5.0))
    value: Any = value_from_spec({"file": "w.npy", "unit": "mV"}, VOLTAGE, tmp_path)
    given: Any = value_from_spec(np.arange(5.0) * 1, value_from_spec(1.0, sn.units.DIMENSIONLESS).dimension)
    for each in (value, given):
        each.forget()
        assert (each.size, each.low, each.high) == (5, 0.0, 4.0)
    assert value._held is None
    assert given._held is not None
    assert value.values.tolist() == [0, 1, 2, 3, 4]
    value.forget()
    np.save(tmp_path / "w.npy", np.arange(4.0))
    with pytest.raises(InputError) as found:
        value.values
    assert str(found.value) == "the file has changed: expected 5 numbers as before, found 4"


class Shared(NumpyWords):
    """What one of several processes draws with, which are threads here."""

    def __init__(self, rank: int, size: int, meeting: Barrier, told: list[Any]) -> None:
        self.rank, self.size, self.meeting, self.told = rank, size, meeting, told

    def own(self, n: int) -> tuple[int, int]:
        """As the slices of ranks."""
        return self.rank * n // self.size, (self.rank + 1) * n // self.size

    def sum(self, counts: np.ndarray) -> np.ndarray:
        """Over all threads."""
        self.told[self.rank] = counts
        self.meeting.wait()
        total = np.sum(self.told, axis=0)
        self.meeting.wait()
        return total


@pytest.mark.parametrize("name", ["distinct", "most", "explicit", "total"])
def test_processes_choose_together(name: str) -> None:
    """Each holds the pairs onto its own targets, which are those that one process alone chooses."""
    expected, size = drawn(bind(name), 0, 40), 3
    meeting, told = Barrier(size, timeout=20), [None] * size

    def own(rank: int) -> tuple[np.ndarray, int]:
        bound, words = bind(name), Shared(rank, size, meeting, told)
        bound.cache.pop("prepared", None)
        bound.prepared(words)
        return drawn(bound, *words.own(40)), held(bound)

    with ThreadPoolExecutor(size) as pool:
        found, kept = zip(*pool.map(own, range(size)), strict=True)
    assert np.array_equal(np.concatenate(found, axis=1), expected)
    alone = bind(name)
    alone.prepared(numpy_words)
    assert sum(kept) == held(alone)


@pytest.mark.parametrize("n", [3, 7])
def test_distinct_pairs_are_equally_likely(n: int) -> None:
    """Of 10 pairs, 3 or 7 different ones: each set as often as any other."""
    rule, sets = rule_from_spec(sn.fixed_total(n, multapses=False)), Counter[int]()
    for seed in range(1500):
        pairs = drawn(rule.bind(5, 2, False, seed, "it"), 0, 2)
        sets[int(np.sum(1 << (5 * pairs[1] + pairs[0])))] += 1
    counts = np.array(list(sets.values()))
    assert counts.size == 120
    assert np.sum((counts - 12.5) ** 2 / 12.5) < 190    # chi squared with 119 degrees of freedom: p = 4e-5


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lists in files that are long, as long goes here: they are read a few numbers at a time."""
    for module in (listed_module, value_module):
        monkeypatch.setattr(module, "_HELD", 20)
    monkeypatch.setattr(listed_module, "_PART", 60)
    monkeypatch.setattr(arrays, "PIECE", 7)
    np.savez(tmp_path / "net.npz", source=LISTS[0], target=LISTS[1].astype(np.uint8))
    np.savetxt(tmp_path / "net.csv", LISTS.T, "%d", ",", header="source,target", comments="")
    np.save(tmp_path / "weight.npy", np.arange(500.0))
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["source"], file["target"] = LISTS
    return tmp_path


def stored(folder: Path, name: str, **flags: bool) -> Bound:
    """The lists of a file."""
    lists = ({"file": name, "key": key} for key in ("source", "target"))
    return rule_from_spec(sn.explicit(*lists, **flags)).bind(40, 40, True, 5, "it", folder)


@pytest.mark.parametrize("name", ["net.npz", "net.csv", "net.h5"])
def test_long_lists_stay_in_their_files(folder: Path, name: str) -> None:
    """Until they are drawn, and then only those of the own targets are in memory."""
    bound = stored(folder, name)
    assert "prepared" not in bound.cache
    assert (bound.synapses, bound.max_indegree) == (500, np.bincount(LISTS[1]).max())
    assert np.array_equal(drawn(bound, 0, 40), drawn(bind("explicit"), 0, 40))
    assert "prepared" not in bound.cache
    bound.prepared(Shared(1, 4, Barrier(1), [None] * 4))
    assert held(bound) == 16 * np.sum((LISTS[1] >= 10) & (LISTS[1] < 20))
    for low, high in ((12, 17), (0, 40)):
        assert np.array_equal(drawn(bound, low, high), drawn(bind("explicit"), low, high))


def test_faults_of_long_lists(folder: Path) -> None:
    """As those of short ones, although nobody has all of the list."""
    same = np.flatnonzero(LISTS[0] == LISTS[1])
    named = [f"pair number {k} connects unit {LISTS[0][k]} to itself" for k in same]
    with pytest.raises(InputError) as found:
        stored(folder, "net.h5", autapses=False)
    assert str(found.value).removeprefix("autapses: are switched off, but ") in named
    with pytest.raises(InputError) as found:
        stored(folder, "net.h5", multapses=False)
    text = str(found.value).removeprefix("multapses: are switched off, but pairs number ")
    first, second = (int(text.split()[k]) for k in (0, 2))
    assert first < second
    assert (LISTS[:, first] == LISTS[:, second]).all()
    with h5py.File(folder / "net.h5", "r+") as file:
        file["source"][499] = 40
    with pytest.raises(InputError) as found:
        stored(folder, "net.h5")
    assert str(found.value) == "source: value number 499 is 40, but there are 40 units"


def test_lists_that_change(folder: Path) -> None:
    """Between checking and building."""
    bound = stored(folder, "net.h5")
    with h5py.File(folder / "net.h5", "r+") as file:
        file["target"][...] = np.where(LISTS[1] == 7, 8, LISTS[1])   # 8 is beyond the own targets
    with pytest.raises(InputError) as found:
        bound.prepared(Shared(0, 5, Barrier(1), []))
    changed = "the files have changed since they were checked: their pairs are others than before"
    assert str(found.value) == changed
    for n in (480, 503, 520):
        bound = stored(folder, "net.npz")
        np.savez(folder / "net.npz", source=np.resize(LISTS[0], n), target=LISTS[1])
        with pytest.raises(InputError) as found:
            bound.prepared(numpy_words)
        assert str(found.value) == changed
        np.savez(folder / "net.npz", source=LISTS[0], target=LISTS[1])


def test_long_values_stay_in_their_file(folder: Path) -> None:
    """Bounds and a sample without all of them; then blocks of some places, which may be drawn again and again."""
    value: Any = value_from_spec({"file": "weight.npy", "unit": "mV"}, VOLTAGE, folder)
    assert (value.size, value.low, value.high) == (500, 0.0, 499.0)
    stream = Stream(1, "it")
    assert value.sample(stream, 5).tolist() == [0, 1, 2, 3, 4]
    assert value._held is None
    some = np.array([490, 3, 100], np.uint64)
    value.keep([(4, 5), some, (7, 0)])
    assert value.draw(stream, (4, 5)).tolist() == [4, 5, 6, 7, 8]
    assert value.draw(stream, some).tolist() == [490, 3, 100]
    assert value.draw(stream, (7, 0)).tolist() == []
    assert value._held is None
    assert value.draw(stream, (4, 6)).tolist() == [4, 5, 6, 7, 8, 9]     # not as it was kept: read again, all of it
    assert value._held is not None
    value.forget()
    assert value._held is None
    assert value._kept == {}
    value.keep(None)
    assert value.draw(stream, (0, 500)).tolist() == list(range(500))
    value.forget()
    np.save(folder / "weight.npy", np.arange(515.0))
    for again in (lambda: value.keep([some]), lambda: value.values):
        with pytest.raises(InputError) as found:
            again()
        assert str(found.value) == "the file has changed: expected 500 numbers as before, found 515"
