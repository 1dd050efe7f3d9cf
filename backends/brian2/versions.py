"""Whether Brian2 can be used here: what is installed, and whether it goes together."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

INSTALL = "install it with: pip install 'snnsim[brian2]'"
# Brian2 up to 2.9 reads numpy.ndarray.ptp when it is imported; NumPy 2.4 has no such attribute.
_LAST_WITH_PTP, _FIRST_WITHOUT = (2, 9), (2, 4)


@lru_cache(maxsize=1)
def fault() -> str | None:
    """Why Brian2 cannot be used and what to do about it; None where it can."""
    try:
        brian, numpy = version("brian2"), version("numpy")
    except PackageNotFoundError:
        return f"Brian2 is not installed; {INSTALL}"
    return combination(brian, numpy) or _importing(brian, numpy)


def combination(brian: str, numpy: str) -> str | None:
    """What is known about these two versions; None where nothing speaks against them."""
    if _number(brian) > _LAST_WITH_PTP or _number(numpy) < _FIRST_WITHOUT:
        return None
    return (f"Brian2 {brian} does not work with NumPy {numpy}, which is too new for it; in an environment of its own: "
            "pip install 'snnsim[brian2]', which takes NumPy below 2.4")


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _importing(brian: str, numpy: str) -> str | None:
    hook = sys.excepthook
    try:
        import brian2  # noqa: F401
    except Exception as error:  # a library that is too new or too old can raise anything
        return f"Brian2 {brian} cannot be imported with NumPy {numpy} ({error}); {INSTALL}"
    finally:
        sys.excepthook = hook  # Brian2 would ask to report every error of the process as one of its own
    return None
