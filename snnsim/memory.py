"""How much memory there is, and arrays that would not fit."""

from __future__ import annotations

import os
from pathlib import Path

from snnsim.errors import InputError, Problem

_CGROUP = Path("/sys/fs/cgroup")


def refuse_array(needed: int, what: str, path: str = "") -> None:
    """Raise ``InputError`` where so many bytes for `what` are not free; for arrays that a few words ask for."""
    there = available()
    if there is not None and needed > there:
        text = f"too large for memory: {what} need about {in_words(needed)}, {in_words(there)} are free"
        raise InputError(Problem(path, text))


def in_words(size: float) -> str:
    """Bytes as people say them."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 2**20:,.0f} MiB"


def available() -> int | None:
    """Bytes that this process may still take; None where the system does not say."""
    limits = [x for x in (_meminfo(), _cgroup_room(), _limit_room()) if x is not None]
    return max(0, min(limits)) if limits else None


def _meminfo() -> int | None:
    try:
        with open("/proc/meminfo", "rb") as lines:
            for line in lines:
                if line.startswith(b"MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _cgroup_room() -> int | None:
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        return None if limit == "max" else int(limit) - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None


def _limit_room() -> int | None:
    """What ``ulimit -v`` leaves."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None
