"""A bundle: a folder that holds a fixed-point network, where it lies on a chip, and what runs it, with checksums.

It may come from a stranger. Names, sizes and checksums are checked before a file is read, no link is followed, and
nothing in it is executed or unpickled here.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import h5py

from snnsim.deploy import manifest as names
from snnsim.deploy.arrivalsfile import COLUMNS, load_arrivals, save_arrivals
from snnsim.deploy.graph import Arrivals, Connection, Graph
from snnsim.deploy.graphfile import load_graph, save_graph
from snnsim.deploy.manifest import AGAIN, checksum, describe, is_bundle, manifest_text, read_manifest, read_small
from snnsim.deploy.standalone import copy_runner
from snnsim.errors import InputError, Problem, Problems, RunError
from snnsim.guarded import Guard
from snnsim.target import check_disk, check_folder, reason, sync

MOST_TEXT, MOST_ARRAYS = 1 << 28, 1 << 35  # bytes

ABOUT = """\
{name}: {units} units and {synapses} synapses in fixed-point numbers ({semantics}), mapped to {target}.

It runs with Lava (pip install lava-nc==0.10.0 h5py, with Python 3.10). snnsim {snnsim}, which made it, is not needed:

    python run.py --steps {steps} -o out.h5

out.h5 then holds /spikes/step, unit and payload, and the traces; units are counted over all groups of graph.h5.

run.py           the program, with its modules in lava_runner
graph.h5         the network: groups, synapses, what is recorded
arrivals.h5      what the host adds to ports in {steps} steps of {dt_ms} ms
placement.json   which units lie on which core
report.html      what became of the network on its way to the chip; report.json has the same numbers
network.yaml     the network that was deployed; network-fixed.yaml, where there is one, in fixed-point parameters;
                 file-1, file-2, ...: arrays that they name
manifest.json    size and SHA-256 of each file; `snnsim info` on this folder checks them
"""

T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """What goes into a bundle.

    steps: how long the arrivals last. report, placement: what JSON can say. page: HTML. network: YAML of the network
    that was given; fixed: of the one in fixed-point parameters, where that is another; files: those that they name,
    name -> where they are now (``snnsim.deploy.travelling``).
    """

    graph: Graph
    arrivals: Arrivals
    steps: int
    target: str
    placement: Mapping[str, Any]
    report: Mapping[str, Any]
    page: str
    network: str
    fixed: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        graph = self.graph
        return {"snnsim": version("snnsim"), "name": graph.name, "target": self.target, "semantics": graph.semantics,
                "dt_ms": graph.dt, "steps": self.steps, "units": int(graph.first[-1]), "synapses": graph.synapses}


@dataclass(frozen=True)
class Bundle:
    """A folder whose files are those that were written. manifest: its facts, and size and checksum of each file."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def steps(self) -> int:
        """How many steps its arrivals last."""
        return int(self.manifest["steps"])

    @property
    def report(self) -> dict[str, Any]:
        """The numbers of the report."""
        return _json(self.path / names.REPORT)

    @property
    def placement(self) -> dict[str, Any]:
        """Which units lie on which core."""
        return _json(self.path / names.PLACEMENT)

    def graph(self) -> Graph:
        """The network. Raises ``InputError`` where what the file says cannot be."""
        return _guarded(self.path / names.GRAPH, _sound_graph)

    def arrivals(self) -> Arrivals:
        """What the host adds to ports. Raises ``InputError`` likewise."""
        return _guarded(self.path / names.ARRIVALS, _sound_arrivals)


# --- writing ---------------------------------------------------------------------------------------------------------

def check_bundle(folder: str | Path, overwrite: bool = False) -> Path:
    """Where a bundle is going to be written; ``InputError`` where it cannot be, or something else is there."""
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if not is_bundle(folder):
            raise InputError(Problem(str(folder), "exists already and is not a bundle; choose another name"))
        if not overwrite:
            text = "exists already; choose another name, or overwrite=True to replace it"
            raise InputError(Problem(str(folder), text))
    check_folder(folder)
    check_disk(folder)
    return folder


def write_bundle(folder: str | Path, content: Content, overwrite: bool = False) -> Bundle:
    """Write a bundle: into a folder beside, which takes the name when it is complete.

    overwrite: replace a bundle that is there; what lies beside its own files stays. Raises ``InputError`` where the
    name is taken by anything else, ``RunError`` where writing fails; what was there is untouched then.
    """
    folder = check_bundle(folder, overwrite)
    whole = Path(os.path.abspath(folder))
    part, old = (whole.with_name(f".{whole.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        part.mkdir()
        _fill(part, content)
        _swap(part, whole, old)
    except (OSError, RuntimeError) as error:
        why = reason(error)
        raise RunError(f"{folder}: the bundle could not be written ({why}); an earlier one is untouched") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Bundle(folder, read_manifest(folder))


def _fill(part: Path, content: Content) -> None:
    facts = content.facts()
    save_graph(content.graph, part / names.GRAPH)
    save_arrivals(content.arrivals, part / names.ARRIVALS)
    copy_runner(part)
    for name, path in content.files.items():
        shutil.copyfile(path, part / name)
    texts = {names.PLACEMENT: _text(content.placement), names.REPORT: _text(content.report), names.PAGE: content.page,
             names.NETWORK: content.network, names.FIXED: content.fixed, names.README: ABOUT.format(**facts)}
    for name, text in texts.items():
        if text is not None:
            (part / name).write_text(text, encoding="utf-8")
    (part / names.MANIFEST).write_text(manifest_text(describe(part, facts)), encoding="utf-8")
    for path in [*part.rglob("*"), part]:
        sync(path)


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _swap(part: Path, folder: Path, old: Path) -> None:
    """`part` becomes `folder`; of what was there, only the files of a bundle go."""
    if not folder.exists() or not any(folder.iterdir()):
        os.replace(part, folder)
        sync(folder.parent)
        return
    os.replace(folder, old)
    try:
        os.replace(part, folder)
    except OSError:
        os.replace(old, folder)
        raise
    for name in names.contents(old):
        if not names.belongs(name):
            os.replace(old / name, folder / name)
    shutil.rmtree(old)
    sync(folder.parent)


# --- reading ---------------------------------------------------------------------------------------------------------

def open_bundle(folder: str | Path) -> Bundle:
    """The bundle in a folder, all of its files checked.

    Raises ``InputError`` that names each file that is missing, of another size or changed, and a folder that is no
    bundle or one of another version. Files that the manifest does not name may lie beside.
    """
    folder = Path(folder)
    manifest, problems = read_manifest(folder), Problems()
    _check_modules(folder / names.MODULES)
    for name, entry in manifest["files"].items():
        with problems.at(""):
            _check_file(folder / name, entry)
    problems.check()
    return Bundle(folder, manifest)


def _check_modules(folder: Path) -> None:
    if folder.is_symlink():
        raise _not(folder, "a folder", "a link")


def _check_file(path: Path, entry: Mapping[str, Any]) -> None:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise _not(path, "a file", "a link" if stat.S_ISLNK(found.st_mode) else "something else")
        if found.st_size != entry["bytes"]:
            raise _not(path, f"{entry['bytes']} bytes", str(found.st_size))
        if (sha256 := checksum(path)) != entry["sha256"]:
            raise _not(path, f"SHA-256 {entry['sha256'][:16]}...", f"{sha256[:16]}...")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise _not(path, f"{entry['bytes']} bytes", "no such file" if missing else f"{error.strerror}") from error


def _not(path: Path, expected: str, found: str) -> InputError:
    return InputError(Problem(str(path), f"expected {expected}, found {found}; {AGAIN}"))


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read_small(path, MOST_TEXT)))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _not(path, "a mapping in JSON", "something else") from error


def _guarded(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of an HDF5 file; whatever it stumbles over is an ``InputError`` that names the file."""
    try:
        with h5py.File(path, "r") as file:
            Guard(MOST_ARRAYS).take_all(file)
        return read(path)
    except InputError as error:
        raise InputError([replace(problem, file=str(path)) for problem in error.problems]) from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(Problem("", f"damaged or unreadable: {error}; {AGAIN}", str(path))) from error


def _sound_arrivals(path: Path) -> Arrivals:
    arrivals = load_arrivals(path)
    shapes = {name: getattr(arrivals, name).shape for name in COLUMNS}
    if len(set(shapes.values())) != 1 or len(shapes["step"]) != 1:
        raise InputError(f"expected columns of one length, found shapes {', '.join(map(str, shapes.values()))}")
    return arrivals


def _sound_graph(path: Path) -> Graph:
    """The graph, whose synapses begin and end at units that there are."""
    graph = load_graph(path)
    for connection in graph.connections:
        _check_connection(graph, connection)
    return graph


def _check_connection(graph: Graph, connection: Connection) -> None:
    sizes = [getattr(connection, name).size for name in ("pre", "post", "weight", "delay")]
    if len(set(sizes)) != 1:
        text = "expected arrays of one length, found {}, {}, {} and {} synapses".format(*sizes)
        raise InputError(Problem(connection.label, text))
    for side, units in (("source", connection.pre), ("target", connection.post)):
        group = getattr(connection, side)
        if not 0 <= group < len(graph.groups):
            text = f"expected a {side} among {len(graph.groups)} groups, found number {group}"
            raise InputError(Problem(connection.label, text))
        if units.size and not 0 <= units.min() <= units.max() < graph.groups[group].n:
            there, wrong = graph.groups[group], units.min() if units.min() < 0 else units.max()
            text = f"expected units below {there.n} of {there.name}, found {wrong}"
            raise InputError(Problem(connection.label, text))
