"""snnsim: spiking neural networks described once, run on many backends, with the same spikes.

>>> import snnsim as sn
>>> net = sn.load("configs/brunel.yaml")
>>> result = sn.run(net, "1 s", out="out.h5")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnsim.config import load as load
    from snnsim.config import loads as loads
    from snnsim.connect.spec import (
        all_to_all as all_to_all, distance as distance, explicit as explicit, fixed_indegree as fixed_indegree,
        fixed_outdegree as fixed_outdegree, fixed_total as fixed_total, one_to_one as one_to_one, pairwise as pairwise)
    from snnsim.deploy.conv import convolution as convolution
    from snnsim.deploy.quantise import quantize as quantize
    from snnsim.errors import (
        InputError as InputError, NumericalError as NumericalError, RunError as RunError, SnnsimError as SnnsimError,
        UnavailableError as UnavailableError)
    from snnsim.network import Network as Network
    from snnsim.program import Program as Program
    from snnsim.result import Result as Result
    from snnsim.result import open as open
    from snnsim.runner import compile as compile
    from snnsim.runner import resume as resume
    from snnsim.runner import run as run
    from snnsim.sweeps import Sweep as Sweep
    from snnsim.sweeps import sweep as sweep

# Names are imported when they are first used: `import snnsim` costs nothing, and neither do backends nobody asks for.
_PLACES = {
    "config": ("load", "loads"),
    "connect": ("all_to_all", "distance", "explicit", "fixed_indegree", "fixed_outdegree", "fixed_total", "one_to_one",
                "pairwise"),
    "deploy.conv": ("convolution",), "deploy.quantise": ("quantize",),
    "errors": ("InputError", "NumericalError", "RunError", "SnnsimError", "UnavailableError"),
    "network": ("Network",), "program": ("Program",), "result": ("Result", "open"),
    "runner": ("compile", "resume", "run"), "sweeps": ("Sweep", "sweep"),
}
_WHERE = {name: f"snnsim.{module}" for module, names in _PLACES.items() for name in names}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name == "nir":
        return import_module("snnsim.nir")
    if name == "__version__":
        from importlib.metadata import version

        return version("snnsim")
    raise AttributeError(f"module 'snnsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
