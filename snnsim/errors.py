"""What snnsim raises, and how a message is built.

    SnnsimError
    ├── InputError            a wrong file, model, option or argument: nothing was run (exit code 2)
    │   └── UnavailableError  a backend or library that this machine lacks
    └── RunError              a run that could not finish: what was saved is said (exit code 1)
        ├── NumericalError    NaN or infinity in a state, a weight or coupling beyond its bounds
        └── EngineError       a simulator in another process died, hung or gave up

Every ``InputError`` carries one or more ``Problem``: where, what was expected, what was found, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Problem:
    """One fault in the input: ``file:line: path: message``.

    path: dotted place inside the file or the call, outermost first (``populations.exc.params.tau``).
    message: what was expected and what was found, with the nearest valid choice where there is one.
    """

    path: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class SnnsimError(Exception):
    """Root of everything that snnsim raises on purpose."""

    exit_code = 1


class InputError(SnnsimError, ValueError):
    """The input is wrong; every fault that could be found at once is in ``problems``."""

    exit_code = 2

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UnavailableError(InputError):
    """Something this machine lacks: says what is missing and how to get it."""


class RunError(SnnsimError, RuntimeError):
    """A run that could not finish; the message says what was saved."""


class NumericalError(RunError):
    """A state became NaN or infinite, or a weight or coupling left its bounds: names place and step."""


class EngineError(RunError):
    """What computes the network in another process died, hung or gave up, and has been ended: says when and how."""


class Problems:
    """Collects faults under a path, so that all of a file are reported at once.

    >>> problems = Problems()
    >>> with problems.at("populations", "exc"):
    ...     problems.add("n", "expected a positive count, found -3")
    >>> str(problems.found[0])
    'populations.exc.n: expected a positive count, found -3'
    """

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._prefix: tuple[str, ...] = ()

    def add(self, path: str, message: str) -> None:
        """Note a fault at `path` below the current place."""
        self.found.append(Problem(self._join(path), message))

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Work below `path`: an ``InputError`` raised inside is noted with the path before its own, and swallowed."""
        outer, self._prefix = self._prefix, (*self._prefix, *map(str, path))
        try:
            yield
        except InputError as error:
            self.found += [replace(problem, path=self._join(problem.path)) for problem in error.problems]
        finally:
            self._prefix = outer

    def check(self) -> None:
        """Raise ``InputError`` with all that was noted, if anything was."""
        if self.found:
            raise InputError(self.found)

    def _join(self, path: str) -> str:
        return ".".join(part for part in (*self._prefix, path) if part)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``" (did you mean tau_m?)"`` for the nearest of `choices`, or an empty string."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def unknown(kind: str, word: str, choices: Iterable[str]) -> str:
    """The message for a name that does not exist: what exists, and the nearest."""
    names = sorted(choices)
    listed = ", ".join(names) if names else "none"
    return f"unknown {kind} {word!r}; expected one of: {listed}{did_you_mean(word, names)}"
