"""What can go wrong, by who has to do something about it."""

from __future__ import annotations

import traceback


class GraphError(Exception):
    """A file or a request that cannot be run as it is."""


class LavaError(Exception):
    """Lava, or one of its processes, failed."""


class HungUp(Exception):
    """Whoever asked is gone."""


def last_line(error: BaseException) -> str:
    """An error as Python writes it, without where it came from."""
    return " ".join("".join(traceback.format_exception_only(type(error), error)).split())
