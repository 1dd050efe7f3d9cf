"""Bundles: what is written is what is read, and whatever is damaged is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest
from bundles import a_graph, content, some_arrivals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnsim.deploy import bundle as bundles
from snnsim.deploy.bundle import check_bundle, open_bundle, write_bundle
from snnsim.deploy.graphfile import load_graph, save_graph
from snnsim.deploy.manifest import FILES, MANIFEST, manifest_text
from snnsim.deploy.standalone import RUNNER
from snnsim.errors import InputError, RunError

MODULE = "lava_runner/graph.py"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle called b in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_bundle("b", content())
    return Path("b")


def plain(value: object) -> object:
    """Arrays as lists, so that they can be compared."""
    return json.loads(json.dumps(value, default=lambda array: np.asarray(array).tolist()))


def test_what_is_written_is_read(written: Path) -> None:
    """Graph, arrivals, placement, report and facts."""
    found = open_bundle(written)
    expected = asdict(a_graph()) | {"recorded": {1: [0, 1, 2]}}
    assert plain(asdict(found.graph())) == plain(expected)
    assert plain(asdict(found.arrivals())) == plain(asdict(some_arrivals()))
    assert (found.placement, found.report, found.steps) == ({"chips": 1}, {"fits": True}, 10)
    facts = {key: found.manifest[key] for key in ("name", "target", "semantics", "dt_ms", "units", "synapses")}
    assert facts == {"name": "tiny", "target": "loihi2", "semantics": "lava010", "dt_ms": 0.1, "units": 5, "synapses": 4}
    modules = {f"lava_runner/{path.name}" for path in RUNNER.parent.glob("lava_runner/*.py")}
    assert {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()} == {
        MANIFEST, *FILES, *modules}
    assert found.manifest["files"].keys() == {*FILES, *modules}


def test_the_runner_goes_with_it(written: Path) -> None:
    """The script and the modules that the package has, and the text says how to start it."""
    assert MODULE in open_bundle(written).manifest["files"]
    for path in [RUNNER, *RUNNER.parent.glob("lava_runner/*.py")]:
        assert (written / path.relative_to(RUNNER.parent)).read_bytes() == path.read_bytes()
    assert "python run.py --steps 10 -o out.h5" in (written / "README.txt").read_text()


def test_the_same_content_gives_the_same_bytes(written: Path) -> None:
    """Nothing in a bundle depends on when or where it is made."""
    write_bundle("c", content())
    for name in (MANIFEST, *FILES):
        assert (written / name).read_bytes() == Path("c", name).read_bytes()


def test_one_network_needs_one_file(written: Path) -> None:
    """A network that is in fixed-point parameters already is there once."""
    assert not (write_bundle("c", content(fixed=None)).path / "network-fixed.yaml").exists()
    open_bundle("c")


def test_a_bundle_may_move(written: Path) -> None:
    """Nothing in it says where it lies, and other files may lie beside."""
    os.rename("b", "elsewhere")
    Path("elsewhere/out.h5").write_text("mine")
    assert open_bundle("elsewhere").graph().name == "tiny"


def test_a_bundle_is_replaced_when_asked(written: Path) -> None:
    """Only its own files are: what was put beside them stays."""
    (written / "notes.txt").write_text("mine")
    (written / "lava_runner/notes.txt").write_text("mine")
    (written / "lava_runner/__pycache__").mkdir()
    write_bundle("b", content(steps=20, fixed=None), overwrite=True)
    assert open_bundle("b").steps == 20
    assert (written / "notes.txt").read_text() == (written / "lava_runner/notes.txt").read_text() == "mine"
    assert not (written / "lava_runner/__pycache__").exists()
    assert not (written / "network-fixed.yaml").exists()
    assert sorted(os.listdir()) == ["b"]


def test_an_empty_folder_is_filled(written: Path) -> None:
    """As `mktemp -d` makes it."""
    Path("empty").mkdir()
    write_bundle("empty", content())
    open_bundle("empty")


@pytest.mark.parametrize("when", ["save_arrivals", "_swap"])
def test_a_failure_leaves_the_earlier_bundle(written: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """And nothing beside it."""

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, when, fail)
    with pytest.raises(RunError) as caught:
        write_bundle("b", content(steps=20), overwrite=True)
    assert str(caught.value) == ("b: the bundle could not be written (No space left on device); an earlier one is "
                                 "untouched")
    assert open_bundle("b").steps == 10
    assert sorted(os.listdir()) == ["b"]


def test_a_swap_that_fails_is_undone(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier bundle takes its name back."""
    real = os.replace

    def fail_second(source: object, target: object) -> None:
        if str(source).endswith(".part"):
            raise OSError(5, "Input/output error")
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(bundles.os, "replace", fail_second)
    with pytest.raises(RunError, match="untouched"):
        write_bundle("b", content(steps=20), overwrite=True)
    assert open_bundle("b").steps == 10
    assert sorted(os.listdir()) == ["b"]


@pytest.mark.parametrize("name", [MANIFEST, *FILES, MODULE])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_no_damage_goes_unnoticed(written: Path, name: str, place: float, bit: int, cut: bool) -> None:
    """A flipped bit or a cut anywhere is an error that names the file."""
    path = written / name
    sound = path.read_bytes()
    k = int(place * len(sound))
    path.write_bytes(sound[:k] if cut else sound[:k] + bytes([sound[k] ^ 1 << bit]) + sound[k + 1:])
    try:
        with pytest.raises(InputError) as caught:
            open_bundle(written)
    finally:
        path.write_bytes(sound)
    assert str(path) in str(caught.value)
    assert "expected" in str(caught.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=20),
       name=st.sampled_from(["graph.h5", "arrivals.h5"]))
def test_a_forged_checksum_gains_nothing(written: Path, name: str, flips: list[tuple[float, int]]) -> None:
    """Damage under a checksum that fits, as a stranger could make it: a named error or arrays, never anything else."""
    path = written / name
    sound = bytearray(path.read_bytes())
    broken = bytearray(sound)
    for place, bit in flips:
        broken[int(place * len(sound))] ^= 1 << bit
    path.write_bytes(broken)
    reseal(written)
    try:
        found = open_bundle(written)
        read = found.graph if name == "graph.h5" else found.arrivals
        assert str(path) in (raised(read) or str(path))
    finally:
        path.write_bytes(sound)
        reseal(written)


def raised(read: Callable[[], object]) -> str | None:
    """The text of the ``InputError``, or None."""
    try:
        read()
    except InputError as error:
        return str(error)
    return None


def reseal(folder: Path, **changes: object) -> None:
    """Write the manifest anew, with the sizes and checksums of the files as they are."""
    manifest = json.loads((folder / MANIFEST).read_text())
    known = bundles.describe(folder, {})["files"]
    manifest["files"] |= {name: known[name] for name in manifest["files"] if name in known}
    (folder / MANIFEST).write_text(manifest_text(manifest | changes))


def test_a_graph_survives_its_file(tmp_path: Path) -> None:
    """The part of the bundle that others read."""
    save_graph(a_graph(), tmp_path / "g.h5")
    assert load_graph(tmp_path / "g.h5").synapses == 4
    with h5py.File(tmp_path / "g.h5") as file:
        assert file.attrs["semantics"] == "lava010"


def test_check_says_where_it_would_be_written(written: Path) -> None:
    """Before anything is computed."""
    assert check_bundle("new") == Path("new")
    assert check_bundle("b", overwrite=True) == Path("b")
