"""A sweep is checked before it begins: every value of every axis, and what all points have in common."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snnsim import registry
from snnsim.checked import checked
from snnsim.config import build
from snnsim.errors import InputError, Problem, Problems
from snnsim.lowering import make_plan
from snnsim.network import Network
from snnsim.places import placed
from snnsim.preflight import check_call, check_run
from snnsim.schema import VERSION, NetworkSpec
from snnsim.sweeps.axes import Axis
from snnsim.yamlfile import Document, parse_value


@dataclass(frozen=True)
class Source:
    """What the points are made from. document: the config with what it includes; settings: changes for all points."""

    document: Document
    base_dir: Path | None
    settings: tuple[str, ...] = ()

    def network(self, overrides: Sequence[str]) -> Network:
        """A point's network; its own overrides are called ``--over`` in messages, here and later."""
        names = {f"--set {text}": f"--over {text}" for text in overrides}
        document = Document(copy.deepcopy(self.document.data), dict(self.document.marks))
        try:
            net = build(document, self.base_dir, [*self.settings, *overrides])
        except InputError as error:
            named = [replace(problem, file=names.get(problem.file or "", problem.file)) for problem in error.problems]
            raise type(error)(named) from error
        net.marks = {place: mark._replace(file=names.get(mark.file, mark.file)) for place, mark in net.marks.items()}
        return net


def check_points(source: Source, axes: Sequence[Axis], backend: str, threads: Any) -> Network:
    """The network of the first point; ``InputError`` with everything that is wrong with any value of any axis."""
    _check_settings(source.settings, axes)
    net = _check_values(source, axes)
    _check_kept(net, axes)
    check_call(net, backend, threads)
    check_run(net, keep=False)
    with placed(net.marks):
        registry.choose(backend, make_plan(registry.adapted(backend, net)))
    return net


def _check_settings(settings: Iterable[str], axes: Iterable[Axis]) -> None:
    """A path cannot be the same for all points and an axis."""
    fixed = {text.partition("=")[0].strip(): text for text in settings}
    problems = [Problem(axis.path, f"is given by --set {fixed[axis.path]} as well; leave one of them out", axis.label)
                for axis in axes if axis.path in fixed]
    if problems:
        raise InputError(problems)


def _check_values(source: Source, axes: Sequence[Axis]) -> Network:
    """Each value is tried with the first values of the other axes; a fault that several show is said once."""
    found: dict[Problem, None] = {}
    first: Network | None = None
    for overrides in _trials(axes, found):
        try:
            net = source.network(overrides)
            first = first or net
        except InputError as error:
            found |= dict.fromkeys(error.problems)
    if found:
        raise InputError(_once(found))
    assert first is not None
    return first


def _once(found: Iterable[Problem]) -> Iterable[Problem]:
    """A path that does not exist has the same fault with every value."""
    first: dict[tuple[str, str], Problem] = {}
    for problem in found:
        first.setdefault((problem.path, problem.message), problem)
    return first.values()


def _trials(axes: Sequence[Axis], found: dict[Problem, None]) -> Iterator[list[str]]:
    firsts = [axis.overrides()[0] for axis in axes]
    yield firsts
    for k, axis in enumerate(axes):
        if axis.path == "seed":   # there may be many, and the network has no say in what is a seed
            found |= dict.fromkeys(_faulty_seeds(axis))
            continue
        for text in axis.overrides()[1:]:
            yield [*firsts[:k], text, *firsts[k + 1:]]


def _faulty_seeds(axis: Axis) -> Iterator[Problem]:
    for value in axis.values:
        problems, label = Problems(), f"--over seed={value}"
        with problems.at(""):
            checked(NetworkSpec, {"snnsim": VERSION, "seed": parse_value(value, label)}, problems)
        yield from (replace(problem, file=label, line=None) for problem in problems.found)


def _check_kept(net: Network, axes: Iterable[Axis]) -> None:
    """``InputError`` where one axis writes over what another has changed."""
    kept = {mark.file for mark in net.marks.values()}
    lost = [axis for axis in axes if f"--over {axis.overrides()[0]}" not in kept]
    if lost:
        text = "is written over by another axis; leave one of them out"
        raise InputError([Problem(axis.path, text, axis.label) for axis in lost])

