"""Files with networks: what they include, what the command line changes in them, and where their faults are.

A file may ``include:`` others. What it says itself wins over what it includes, and a later include over an earlier one:
mappings are merged key by key, lists and values replaced, except that ``projections`` are strung together. What the
builder makes that a file names by ``network:`` is merged below all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from snnsim.checked import found
from snnsim.errors import InputError, Problem, Problems, did_you_mean
from snnsim.network import Network, from_data
from snnsim.places import Marks, placed
from snnsim.schema import VERSION
from snnsim.yamlfile import Document, Mark, parse_value, parse_yaml, read_yaml

# Mappings that an override may create where the file leaves them out; the first is any population, and so on.
_OPTIONAL = {("populations", "*"): ("params", "init"), (): ("record", "models"), ("record",): ("traces",)}


def load(path: str | Path, overrides: Iterable[str] = ()) -> Network:
    """The network that a YAML file describes.

    overrides: texts ``"populations.exc.n=100"``, as of ``--set``; the value is a YAML scalar, or a list or mapping in
    flow style. A projection is named by its number (from 0) or its name.
    Raises ``InputError`` with every fault at once, each with file and line.
    """
    return build(read(path), Path(path).parent, overrides)


def loads(
    text: str, base_dir: str | Path | None = None, overrides: Iterable[str] = (), file: str = "<text>"
) -> Network:
    """The network that YAML text describes; `base_dir` is where its files are, `file` names it in messages."""
    base = None if base_dir is None else Path(base_dir)
    return build(_with_includes(parse_yaml(text, file), base, ()), base, overrides)


def read(path: str | Path) -> Document:
    """What a file says together with all that it includes, before a builder or an override changes it."""
    return _with_includes(read_yaml(path), Path(path).parent, (Path(path).resolve(),))


def build(document: Document, base_dir: Path | None, overrides: Iterable[str] = ()) -> Network:
    """The network of what ``read`` gave, as ``load`` makes it; the overrides are made in `document` itself."""
    texts = list(overrides)
    for_builder = [text for text in texts if text.partition("=")[0].strip().split(".")[0] == "network"]
    document = _with_builder(_overridden(document, for_builder))
    document, problems = _overridden(document, [text for text in texts if text not in for_builder]), Problems()
    with placed(document.marks):
        net = from_data(document.data, base_dir, problems)
        problems.check()
    assert net is not None   # nothing is missing without a problem
    net.marks = document.marks
    return net


def _overridden(document: Document, overrides: Iterable[str]) -> Document:
    """`document` with the overrides made in it."""
    problems, marks = Problems(), dict(document.marks)
    if isinstance(document.data, dict):
        for text in overrides:
            with problems.at(""):
                _override(document.data, marks, text)
    with placed(marks):
        problems.check()
    return Document(document.data, marks)


def _with_builder(document: Document) -> Document:
    """`document` merged with what its builder makes, all of which stands where the builder is named."""
    if not isinstance(document.data, dict) or "network" not in document.data:
        return document
    from snnsim.builders import expand

    problems, parts = Problems(), {}
    with problems.at("network"):
        parts = expand(document.data["network"], problems)
    with placed(document.marks):
        problems.check()
    own = {key: value for key, value in document.data.items() if key != "origin"}
    mark = document.marks[("network",)]
    return _merge(Document(parts, dict.fromkeys(paths_of(parts), mark)), Document(own, document.marks))


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all parts of `data`, which stands at `path`."""
    yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from paths_of(value, (*path, key))


def _with_includes(document: Document, base_dir: Path | None, chain: tuple[Path, ...]) -> Document:
    """`document` merged with the files that it includes, whose own includes are merged before."""
    if not isinstance(document.data, dict) or "include" not in document.data:
        return document
    names, problems = document.data["include"], Problems()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return document   # the schema says so
    merged = Document({}, {})
    for k, name in enumerate(names):
        try:
            merged = _merge(merged, _included(name, base_dir, chain))
        except InputError as error:
            problems.found += [p if p.file else replace(p, path=f"include.{k}") for p in error.problems]
    with placed(document.marks):
        problems.check()
    own = {key: value for key, value in document.data.items() if key != "include"}
    return _merge(merged, Document(own, document.marks))


def _included(name: str, base_dir: Path | None, chain: tuple[Path, ...]) -> Document:
    path = (base_dir or Path()) / name
    if path.resolve() in chain:
        links = [*chain[chain.index(path.resolve()):], path]
        raise InputError(f"includes itself: {' -> '.join(link.name for link in links)}")
    if not path.exists():
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [])
        raise InputError(f"no such file: {name}{near}")
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise InputError(Problem("", f"expected a mapping, found {found(document.data)}", str(path), 1))
    if document.data.get("snnsim", VERSION) != VERSION:
        mark = document.marks[("snnsim",)]
        raise InputError(Problem("snnsim", f"expected {VERSION}, found {found(document.data['snnsim'])}", *mark))
    return _with_includes(document, path.parent, (*chain, path.resolve()))


def _merge(below: Document, above: Document) -> Document:
    """Both, where `above` wins."""
    marks = dict(below.marks)
    data = _merged(below.data, above.data, (), marks, above.marks)
    return Document(data, marks)


def _merged(below: Any, above: Any, path: tuple[Any, ...], marks: Marks, new: Mapping[Any, Mark]) -> Any:
    if path == ("projections",) and isinstance(below, list) and isinstance(above, list):
        _move(marks, new, path, len(below))
        return below + above
    if isinstance(below, dict) and isinstance(above, dict):
        marks[path] = new[path]
        both = dict(below)
        for key, value in above.items():
            both[key] = _merged(below.get(key), value, (*path, key), marks, new)
        return both
    _move(marks, new, path)
    return above


def _move(marks: Marks, new: Mapping[Any, Mark], path: tuple[Any, ...], offset: int = 0) -> None:
    """Take over the marks below `path`, its items counted from `offset` on."""
    depth = len(path)
    for place, mark in new.items():
        if place[:depth] == path:
            moved = (*path, place[depth] + offset, *place[depth + 1:]) if offset and len(place) > depth else place
            marks[moved] = mark


def _override(data: dict[Any, Any], marks: Marks, text: str) -> None:
    """Change `data` as ``path=value`` says; from there on, that text is its place in messages."""
    label = f"--set {text}"
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputError(Problem("", f"expected path=value, such as populations.exc.n=100, found {text!r}", "--set"))
    if path.strip() == "include":
        raise InputError(Problem("include", "cannot be changed; name another file instead", label))
    *above, last = path.strip().split(".")
    here: Any = data
    place: tuple[Any, ...] = ()
    for word in above:
        key = _key(here, word, place, label, path)
        here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]
        place = (*place, key)
    key = _key(here, last, place, label, path, last=True)
    here[key] = _value(value, label)
    for old in [old for old in marks if old[: len(place) + 1] == (*place, key)]:
        del marks[old]
    marks[(*place, key)] = Mark(label, None)


def _value(text: str, label: str) -> Any:
    return copy.deepcopy(_known_value(text, label))


@lru_cache(maxsize=1024)
def _known_value(text: str, label: str) -> Any:
    """The points of a sweep have many in common."""
    try:
        return parse_value(text, label)
    except InputError as error:
        raise InputError([replace(problem, line=None) for problem in error.problems]) from error


def _key(here: Any, word: str, place: tuple[Any, ...], label: str, path: str, last: bool = False) -> Any:
    """The key or index that `word` means in `here`."""
    if isinstance(here, list):
        names = [item.get("name") if isinstance(item, dict) else None for item in here]
        if word.isdigit() and int(word) < len(here):
            return int(word)
        if word in names:
            return names.index(word)
        choices = [str(k) for k in range(len(here))] + [name for name in names if name]
    elif isinstance(here, dict):
        general = ("populations", "*") if place[:1] == ("populations",) and len(place) == 2 else place
        numbers = {str(key): key for key in here}
        if word in numbers or last or word in _OPTIONAL.get(general, ()):
            return numbers.get(word, word)
        choices = list(numbers)
    else:
        choices = []
    raise InputError(_no_such_path(word, choices, place, label, path))


def _no_such_path(word: str, choices: list[str], place: tuple[Any, ...], label: str, path: str) -> Problem:
    rest = path.strip().split(".")[len(place) + 1:]
    near = did_you_mean(word, choices).removeprefix(" (did you mean ").removesuffix("?)")
    hint = f" (did you mean {'.'.join([*map(str, place), near, *rest])}?)" if near else ""
    there = ".".join(map(str, place)) or "the file"
    listed = f"{there} has {', '.join(choices)}" if choices else f"{there} is no mapping"
    return Problem(path.strip(), f"no such path: {listed}{hint}", label)
