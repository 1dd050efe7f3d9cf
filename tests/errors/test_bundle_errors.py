"""The full text of every message about bundles: damaged, changed, of another version, or none at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from bundles import a_graph, content, ints

from snnsim.deploy import bundle as bundles
from snnsim.deploy.bundle import open_bundle, write_bundle
from snnsim.deploy.manifest import FILES, MANIFEST, describe, manifest_text
from snnsim.errors import InputError, RunError

AGAIN = "copy the bundle again, or make it anew with `snnsim deploy`"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle called b in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_bundle("b", content())


def text(call: Callable[[], Any]) -> str:
    """What is raised, in words."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def opened(name: str = "b") -> str:
    """What opening raises."""
    return text(lambda: open_bundle(name))


def reseal(**changes: Any) -> None:
    """A manifest that fits the files as they are and its own checksum, with changes, as a stranger could make it."""
    manifest = json.loads(Path("b", MANIFEST).read_text())
    manifest["files"] = describe(Path("b"), {})["files"]
    Path("b", MANIFEST).write_text(manifest_text(manifest | changes))


def test_no_bundle() -> None:
    """Nothing, a file, a folder without a manifest."""
    assert opened("bb") == "bb: no such bundle (did you mean b?)"
    Path("file").write_text("")
    assert opened("file") == "file: expected a bundle, which is a folder, found a file"
    Path("folder").mkdir()
    assert opened("folder") == "folder: expected a bundle, found a folder without manifest.json"


@pytest.mark.parametrize(("manifest", "message"), [
    ("{", f"expected the manifest of a bundle, found something else; {AGAIN}"),
    ("[" * 60000, f"expected the manifest of a bundle, found something else; {AGAIN}"),
    (" " * 70000, f"expected the manifest of a bundle, found more than 65536 bytes; {AGAIN}"),
    ("[]", "expected the manifest of a bundle (format snnsim-bundle), found another file"),
    ('{"snnsim": "1", "spikes": "spikes.h5"}', "expected the manifest of a bundle (format snnsim-bundle), found another file"),
    ('{"format": "snnsim-bundle", "version": 2}',
     "expected a bundle of version 1, found version 2; open it with the snnsim that wrote it, or make it anew with `snnsim deploy`"),
    ('{"format": "snnsim-bundle", "version": 1}', f"expected the manifest as it was written, found it changed; {AGAIN}"),
    ('{"format": "snnsim-bundle", "version": 1, "dt_ms": Infinity}',
     f"expected the manifest as it was written, found it changed; {AGAIN}"),
])
def test_a_manifest_that_is_none(manifest: str, message: str) -> None:
    """No text, no JSON, nothing of a bundle, another version, or changed."""
    Path("b", MANIFEST).write_text(manifest)
    assert opened() == f"b/manifest.json: {message}"


def test_a_manifest_that_cannot_be_read() -> None:
    """A folder of that name."""
    os.remove("b/manifest.json")
    os.mkdir("b/manifest.json")
    assert opened() == f"b/manifest.json: expected the manifest of a bundle, found that it cannot be read: Is a directory; {AGAIN}"


def test_files_that_are_missing_or_damaged_are_named_at_once() -> None:
    """Each with what was expected and found."""
    os.remove("b/placement.json")
    os.truncate("b/README.txt", 10)
    page = Path("b/report.html")
    page.write_text(page.read_text().replace("page", "rage"))
    os.rename("b/run.py", "elsewhere.py")
    os.symlink("../elsewhere.py", "b/run.py")
    os.remove("b/arrivals.h5")
    os.mkdir("b/arrivals.h5")
    sizes = {name: entry["bytes"] for name, entry in json.loads(Path("b", MANIFEST).read_text())["files"].items()}
    assert opened().splitlines() == [
        f"b/arrivals.h5: expected a file, found something else; {AGAIN}",
        f"b/placement.json: expected {sizes['placement.json']} bytes, found no such file; {AGAIN}",
        f"b/report.html: expected SHA-256 0b9fee13e1593a93..., found d2ddcaeaa030174c...; {AGAIN}",
        f"b/run.py: expected a file, found a link; {AGAIN}",
        f"b/README.txt: expected {sizes['README.txt']} bytes, found 10; {AGAIN}",
    ]


def test_modules_that_are_missing_or_elsewhere() -> None:
    """A link to a folder is not followed either."""
    size = os.stat("b/lava_runner/graph.py").st_size
    os.remove("b/lava_runner/graph.py")
    assert opened() == f"b/lava_runner/graph.py: expected {size} bytes, found no such file; {AGAIN}"
    os.rename("b/lava_runner", "elsewhere")
    os.symlink("../elsewhere", "b/lava_runner")
    assert opened() == f"b/lava_runner: expected a folder, found a link; {AGAIN}"
    os.remove("b/lava_runner")
    Path("b/lava_runner").write_text("")
    assert f"b/lava_runner/graph.py: expected {size} bytes, found Not a directory; {AGAIN}" in opened().splitlines()
    reseal()
    assert opened() == "b/manifest.json.files: lava_runner/__init__.py is missing, which every bundle has"


@pytest.mark.parametrize(("name", "near"), [
    ("../secret", ""), ("/etc/passwd", ""), ("b/../../secret", ""), ("graph.h5/..", " (did you mean graph.h5?)"), ("", ""),
    ("lava_runner/../x.py", " (did you mean lava_runner/__init__.py?)"),
])
def test_a_manifest_names_nothing_else(name: str, near: str) -> None:
    """No path leads out of the folder, and files that are none of a bundle's have no checksum."""
    sound = describe(Path("b"), {})["files"]
    reseal(files=sound | {name: {"bytes": 1, "sha256": "0"}})
    known = ", ".join(sorted(FILES))
    assert opened() == f"b/manifest.json.files: unknown file {name!r}; expected one of: {known}{near}"


def test_a_manifest_that_lacks_something() -> None:
    """Facts of the wrong kind and files, all at once."""
    files = describe(Path("b"), {})["files"]
    del files["graph.h5"]
    files["run.py"] = {"bytes": "many", "sha256": "0"}
    reseal(name=3, steps="ten", dt_ms=None, files=files)
    assert opened().splitlines() == [
        "b/manifest.json.name: expected text, found 3",
        "b/manifest.json.dt_ms: expected a number, found None",
        "b/manifest.json.steps: expected a whole number, found 'ten'",
        "b/manifest.json.files.run.py: expected bytes and sha256, found {'bytes': 'many', 'sha256': '0'}",
        "b/manifest.json.files: graph.h5 is missing, which every bundle has",
    ]
    reseal(name="tiny", steps=10, dt_ms=0.1, files=[])
    assert opened() == "b/manifest.json.files: expected a mapping of files, found []"


def forged(name: str, change: Callable[[h5py.File], None]) -> Callable[[], Any]:
    """Reads a file of the bundle after a change under a checksum that fits."""
    with h5py.File(f"b/{name}", "a") as file:
        change(file)
    reseal()
    found = open_bundle("b")
    return found.graph if name == "graph.h5" else found.arrivals


def test_strangers_cannot_take_memory_or_lead_elsewhere() -> None:
    """What a file announces is checked before it is read."""
    def announce(file: h5py.File) -> None:
        del file["step"]
        file.create_dataset("step", (1 << 40,), "i8", chunks=(1024,))

    def link(file: h5py.File) -> None:
        del file["step"]
        file["step"] = h5py.ExternalLink("other.h5", "/step")

    def objects(file: h5py.File) -> None:
        del file["step"]
        file.create_dataset("step", data=["a", "b"])

    assert text(forged("arrivals.h5", announce)) == "b/arrivals.h5: /step: announces 8796093022208 bytes, but 0 are stored"
    assert text(forged("arrivals.h5", link)) == "b/arrivals.h5: /step: is a link to another place or file, which is not followed"
    assert text(forged("arrivals.h5", objects)) == "b/arrivals.h5: /step: expected numbers, found values of type object"


def test_strangers_cannot_nest_without_end() -> None:
    """A group in itself, and a name for what is no array."""
    assert text(forged("graph.h5", lambda file: file.__setitem__("groups/self", file["groups"]))) == (
        f"b/graph.h5: /groups{'/self' * 6}/0/initial: expected at most 8 groups in each other, found more")
    write_bundle("b", content(), overwrite=True)
    assert text(forged("graph.h5", lambda file: file.__setitem__("kind", np.dtype("f8")))) == (
        "b/graph.h5: /kind: expected an array, found none")


def test_columns_of_different_length() -> None:
    """An arrival has all five numbers."""
    def shorten(file: h5py.File) -> None:
        del file["unit"]
        file["unit"] = np.arange(2)

    assert text(forged("arrivals.h5", shorten)) == (
        "b/arrivals.h5: expected columns of one length, found shapes (3,), (3,), (3,), (2,), (3,)")
    with h5py.File("b/arrivals.h5", "a") as file:
        del file["unit"]
    reseal()
    assert text(open_bundle("b").arrivals).startswith("b/arrivals.h5: damaged or unreadable: ")


@pytest.mark.parametrize(("change", "message"), [
    ({"source": 7}, "sources/cells: expected a source among 2 groups, found number 7"),
    ({"post": ints(0, 3, 2)}, "sources/cells: expected units below 3 of cells, found 3"),
    ({"pre": ints(0, -4, 1)}, "sources/cells: expected units below 2 of sources, found -4"),
    ({"delay": ints(1)}, "sources/cells: expected arrays of one length, found 3, 3, 3 and 1 synapses"),
])
def test_synapses_that_begin_or_end_nowhere(change: dict[str, Any], message: str) -> None:
    """Where a file was made by hand."""
    graph = a_graph()
    connections = (replace(graph.connections[0], **change), *graph.connections[1:])
    write_bundle("b", content(graph=replace(graph, connections=connections)), overwrite=True)
    assert text(open_bundle("b").graph) == f"b/graph.h5: {message}"


def test_texts_that_are_no_mapping() -> None:
    """Placement and report are."""
    Path("b/report.json").write_text("[1, 2]")
    reseal()
    assert text(lambda: open_bundle("b").report) == f"b/report.json: expected a mapping in JSON, found something else; {AGAIN}"


def test_a_name_that_is_taken() -> None:
    """By a bundle, which may be replaced, or by anything else, which may not."""
    assert text(lambda: write_bundle("b", content())) == (
        "b: exists already; choose another name, or overwrite=True to replace it")
    Path("file").write_text("")
    Path("folder").mkdir()
    Path("folder/mine").write_text("")
    for name in ("file", "folder"):
        assert text(lambda name=name: write_bundle(name, content(), overwrite=True)) == (
            f"{name}: exists already and is not a bundle; choose another name")
    assert text(lambda: write_bundle("gone/b", content())) == "gone/b: the folder gone does not exist"
    assert sorted(os.listdir()) == ["b", "file", "folder"]


def test_writing_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say."""
    monkeypatch.setattr(bundles, "save_graph", lambda *given: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError) as caught:
        write_bundle("c", content())
    assert str(caught.value) == ("c: the bundle could not be written (No space left on device); an earlier one is untouched")
    assert os.listdir() == ["b"]
