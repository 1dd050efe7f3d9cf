"""Which backends are installed, and which of them can be used here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points, version
from typing import Any

from snnsim.engine import Backend
from snnsim.errors import InputError, Problem, Problems, UnavailableError, unknown
from snnsim.network import Network
from snnsim.plan import Plan


@dataclass(frozen=True)
class BackendInfo:
    """One row of ``snnsim backends``. reason: why it is not usable and what to do; device: where it runs."""

    name: str
    usable: bool
    reason: str
    version: str
    device: str
    about: str


@lru_cache(maxsize=1)
def backends() -> dict[str, Backend]:
    """All installed backends by name."""
    found: dict[str, Backend] = {}
    for point in entry_points(group="snnsim.backends"):
        found[point.name] = point.load().backend
    return found


def available() -> list[BackendInfo]:
    """What ``snnsim backends`` shows, the fastest first."""
    ranked = sorted(backends().values(), key=lambda b: -b.rank)
    return [_info(backend) for backend in ranked]


def _info(backend: Backend) -> BackendInfo:
    reason = backend.lacks()
    device = backend.device() if reason is None else ""
    return BackendInfo(backend.name, reason is None, reason or "", version("snnsim"), device, backend.about)


def choose(name: str, plan: Plan, processes: int = 1) -> Backend:
    """The backend of that name, or for ``auto`` the fastest usable one that can run the plan in so many processes.

    Raises ``InputError`` where the name is unknown or the network has parts that it cannot run, ``UnavailableError``
    where this machine lacks something.
    """
    if name != "auto":
        return _named(name, plan)
    for backend in sorted(backends().values(), key=lambda b: -b.rank):
        if backend.lacks() is None and not backend.refuses(plan) and (processes == 1 or _is_ranked(backend)):
            return backend
    raise UnavailableError("no installed backend can run this network; `snnsim backends` says why")


def adapted(name: str, net: Network) -> Network:
    """The network that a backend runs: `net`, or what a backend that ``adapts`` makes of it."""
    if name == "auto" or not hasattr(backend := _find(name), "adapt"):
        return net
    return backend.adapt(net)


def check_name(name: str, processes: int = 1) -> None:
    """``InputError`` where no backend has that name, or it cannot run in so many processes together.

    ``UnavailableError`` where this machine lacks what it needs.
    """
    if name == "auto" or _is_ranked(_find(name)) or processes == 1:
        return
    ranked = " or ".join(sorted(name for name, each in backends().items() if _is_ranked(each)))
    text = f"{name} runs in one process, and {processes} were started together; over MPI take {ranked}"
    raise InputError(Problem("backend", text))


def _find(name: Any) -> Backend:
    """The backend of a name, which may end in where it shall run: ``cupy:1``, ``cupy:0+1``, ``cupy:all``."""
    base, colon, where = name.partition(":") if isinstance(name, str) else (name, "", "")
    if not isinstance(base, str) or base not in backends():
        raise InputError(Problem("backend", unknown("backend", str(base), ["auto", *backends()])))
    backend: Any = backends()[base]
    if colon and not hasattr(backend, "at"):
        raise InputError(Problem("backend", f"{base} has no devices to choose from, found {name!r}; write {base}"))
    if (reason := backend.lacks()) is not None:
        raise UnavailableError(Problem("backend", f"{base} cannot be used here: {reason}"))
    if not colon:
        return backend
    problems = Problems()
    with problems.at("backend"):
        backend = backend.at(where)
    problems.check()
    return backend


def _is_ranked(backend: Backend) -> bool:
    """Whether its engines can be spread over several processes."""
    return getattr(backend, "ranked", False)


def _named(name: str, plan: Plan) -> Backend:
    backend = _find(name)
    if refused := backend.refuses(plan):
        raise InputError(refused)
    return backend
