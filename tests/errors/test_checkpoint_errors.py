"""The full text of what is said of checkpoints that are damaged, or do not hold what a network has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim.checkpoint import load_state, save_state
from snnsim.columns import Whole
from snnsim.errors import SnnsimError
from snnsim.program import Program

ANOTHER = ": another version of snnsim wrote it"
W = "plasticity/it/w"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short names in the messages."""
    monkeypatch.chdir(tmp_path)


def text(action: Callable[[], Any]) -> str:
    """The message that `action` fails with."""
    with pytest.raises(SnnsimError) as caught:
        action()
    return str(caught.value)


@pytest.fixture(scope="module")
def program() -> Program:
    """A program that no checkpoint changes."""
    net = sn.Network(dt="0.1 ms", seed=1, duration="1 ms")
    net.population("a", 3, "lif_psc_exp")
    net.project("a", "a", sn.all_to_all(), weight="60 pA", delay="1 ms", name="it",
                synapse={"model": "stdp_pair", "params": {"w_max": "120 pA"}})
    return sn.compile(net, "reference")


# --- the file ----------------------------------------------------------------------------------------------------------

def change(action: Callable[[h5py.File], Any]) -> str:
    """What is said of a checkpoint of one array v, [1000], after a change in its file."""
    save_state("a.ckpt", {"v": np.arange(1000)}, {})
    with h5py.File("a.ckpt", "r+") as file:
        action(file)
    return text(lambda: load_state("a.ckpt"))


def put(file: h5py.File, **how: Any) -> None:
    """Another array in the place of v."""
    del file["arrays/0"]
    file.create_dataset("arrays/0", **how).attrs["name"] = "v"


def group(file: h5py.File) -> None:
    """A group in the place of v."""
    del file["arrays/0"]
    file.create_group("arrays/0").attrs["name"] = "v"


NO_SUM, NUMBERS = "its checksum does not fit", "expected numbers in /arrays/0, found "
DAMAGED = {
    "other numbers": (lambda file: file["arrays/0"].write_direct(np.arange(1, 1001)), NO_SUM),
    "another kind": (lambda file: put(file, data=np.arange(1000.0)), NO_SUM),
    "another shape": (lambda file: put(file, data=np.arange(1000).reshape(10, 100)), NO_SUM),
    "another name": (lambda file: file["arrays/0"].attrs.create("name", "w"), NO_SUM),
    "one more": (lambda file: file.copy("arrays/0", "arrays/1"), NO_SUM),
    "one less": (lambda file: file.__delitem__("arrays/0"), NO_SUM),
    "other JSON": (lambda file: file.attrs.create("meta", "{}}"), NO_SUM),
    "another checksum": (lambda file: file.attrs.create("sha256", 3), NO_SUM),
    "without an end": (lambda file: put(file, shape=(1 << 50,), dtype="f8"),
                       "expected 9,007,199,254,740,992 bytes of v, found 0"),
    "never written": (lambda file: put(file, shape=(1000,), dtype="f8", chunks=(100,)),
                      "expected 8,000 bytes of v, found 0"),
    "text": (lambda file: put(file, data="text"), f"{NUMBERS}an array of object"),
    "nothing": (lambda file: put(file, dtype="f8"), f"{NUMBERS}nothing"),
    "a group": (group, f"{NUMBERS}a group"),
}
UNREADABLE = {
    "no arrays": lambda file: file.move("arrays", "elsewhere"),
    "another number": lambda file: file.move("arrays/0", "arrays/1"),
    "no JSON": lambda file: file.attrs.__delitem__("meta"),
    "no checksum": lambda file: file.attrs.__delitem__("sha256"),
    "a version in words": lambda file: file.attrs.create("snnsim_checkpoint", "one"),
    "an array without a name": lambda file: file["arrays/0"].attrs.__delitem__("name"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files(what: str) -> None:
    """Arrays of other bytes, kinds or sizes, or none; nothing is read without end."""
    action, message = DAMAGED[what]
    assert change(action) == f"a.ckpt: the checkpoint is damaged: {message}"


@pytest.mark.parametrize("what", UNREADABLE)
def test_files_that_lack_a_part(what: str) -> None:
    """HDF5 files that say that they are checkpoints."""
    assert change(UNREADABLE[what]) == "a.ckpt: expected a checkpoint, found something else or a damaged file"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_file_that_was_cut_off(share: float) -> None:
    """Wherever it ends."""
    save_state("a.ckpt", {"v": np.arange(1000)}, {})
    contents = Path("a.ckpt").read_bytes()
    Path("a.ckpt").write_bytes(contents[: int(share * len(contents))])
    assert text(lambda: load_state("a.ckpt")) == "a.ckpt: expected a checkpoint, found something else or a damaged file"


def test_an_array_that_is_larger_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole is refused, and pieces of it can be read."""
    save_state("a.ckpt", {"v": np.zeros(1 << 20)}, {})
    stored, _ = load_state("a.ckpt")
    monkeypatch.setattr("snnsim.memory.available", lambda: 5 << 20)
    for whole in (lambda: np.asarray(stored["v"]), lambda: stored["v"][()]):
        assert text(whole) == (
            "a.ckpt: too large for memory: the 1,048,576 numbers of v need about 8 MiB, 5 MiB are free")
    assert sum(piece.size for piece in stored["v"].pieces(1000)) == 1 << 20


class Wrong(Whole):
    """A column of other pieces than it says."""

    def pieces(self) -> Iterator[np.ndarray]:
        yield from {"less": [self.values[:2]], "more": [self.values, self.values[:1]], "flat": [self.values[:, 0]],
                    "wide": [np.ones((4, 3))], "other": [self.values.astype(np.int16)]}[self.way]


@pytest.mark.parametrize(("way", "found"), [
    ("less", "2 rows"), ("more", "one of shape (1, 2) after 4"), ("flat", "one of shape (4,) after 0"),
    ("wide", "one of shape (4, 3) after 0"), ("other", "one of int16"),
])
def test_pieces_that_do_not_make_the_whole(way: str, found: str) -> None:
    """Nothing is written, and an earlier checkpoint stays."""
    save_state("a.ckpt", {}, {"step": 1})
    column = Wrong(np.ones((4, 2)))
    object.__setattr__(column, "way", way)
    assert text(lambda: save_state("a.ckpt", {"w": column}, {})) == (
        f"w: expected pieces of an array (4, 2) of float64, found {found}")
    assert load_state("a.ckpt")[1] == {"step": 1}
    assert [file.name for file in Path().iterdir()] == ["a.ckpt"]


def test_columns_of_something_else_than_numbers() -> None:
    """Before anything is written or asked for."""
    message = "names: expected numbers in a checkpoint, found an array of <U3"
    assert text(lambda: save_state("a.ckpt", {"w": Wrong(np.ones(3)), "names": Whole(np.array(["exc"]))}, {})) == message


# --- what it holds -----------------------------------------------------------------------------------------------------

def loaded(program: Program, changed: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> str:
    """What is said of a checkpoint with other arrays (None: without one), or other JSON."""
    program["a"]["v"] = -60.0
    program.save("a.ckpt")
    program["a"]["v"] = -70.0
    arrays, known = load_state("a.ckpt")
    kept = {name: values for name, values in {**arrays, **changed}.items() if values is not None}
    save_state("a.ckpt", kept, {**known, **(meta or {})})
    return text(lambda: program.load("a.ckpt"))


FLOATS, WHOLE = np.zeros(3), np.zeros(3, np.int64)
WRONG = [
    ({"counts": None}, "holds no spike counts"),
    ({"counts": WHOLE}, "counts: expected whole numbers [1], found int64 [3]"),
    ({"counts": np.zeros(1)}, "counts: expected whole numbers [1], found float64 [1]"),
    ({"states/a/v": None}, "holds no state v of 3 units of a"),
    ({"states/a/v": np.zeros(4)}, "states/a/v: expected real numbers [3], found float64 [4]"),
    ({"states/a/v": WHOLE}, "states/a/v: expected real numbers [3], found int64 [3]"),
    ({"states/a/v": FLOATS > 0}, "states/a/v: expected real numbers [3], found bool [3]"),
    ({"states/a/u": FLOATS}, "holds states/a/u, which is no part of the network"),
    ({"states/b/v": FLOATS}, "holds states/b/v, which is no part of the network"),
    ({"spikes/step": None}, "holds no steps of the spikes under way"),
    ({"spikes/unit": None}, "holds no units of the spikes under way"),
    ({"spikes/unit": WHOLE}, "spikes/unit: expected whole numbers [0], found int64 [3]"),
    ({"spikes/unit": np.zeros(0)}, "spikes/unit: expected whole numbers [0], found float64 [0]"),
    ({"spikes/step": np.zeros((0, 2), int)}, "spikes/step: expected whole numbers [0], found int64 [0, 2]"),
    ({"spikes/time": FLOATS}, "holds spikes/time, which is no part of the network"),
    ({W: None}, "holds no w of the plastic projection it"),
    ({W: np.zeros(8, np.float32)}, f"{W}: expected real numbers [9], found float32 [8]"),
    ({W: np.zeros(9, np.int32)}, f"{W}: expected real numbers [9], found int32 [9]"),
    ({"plasticity/it/last": FLOATS}, "plasticity/it/last: expected whole numbers [3], found float64 [3]"),
    ({"plasticity/it/more": FLOATS}, "holds plasticity/it/more, which is no part of the network"),
    ({"plasticity/that/w": FLOATS}, "holds plasticity/that/w, which is no part of the network"),
]


@pytest.mark.parametrize(("arrays", "message"), WRONG)
def test_arrays_that_are_not_those_of_the_network(program: Program, arrays: dict[str, Any], message: str) -> None:
    """Missing, surplus, of another shape or kind: named, and nothing of the program has changed."""
    assert loaded(program, arrays) == f"a.ckpt: {message}{ANOTHER}"
    assert program["a"]["v"].tolist() == [-70.0] * 3


@pytest.mark.parametrize("meta", [{"network": 3}, {"done": "soon"}, {"done": None}, {"base_dir": 3}])
def test_json_of_something_else(program: Program, meta: dict[str, Any]) -> None:
    """A container of arrays, but not of a network."""
    assert loaded(program, {}, meta) == "a.ckpt: is not a checkpoint of a network"


def test_a_column_of_a_network_that_is_larger_than_memory(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an engine takes weights as a whole."""
    program.save("a.ckpt")
    monkeypatch.setattr("snnsim.memory.available", lambda: 0)
    assert text(lambda: program.load("a.ckpt")) == (
        "a.ckpt: too large for memory: the 3 numbers of states/a/v need about 0 MiB, 0 MiB are free")
