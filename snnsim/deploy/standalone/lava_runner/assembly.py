"""What the processes of a graph have in common while they are being made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .graph import Graph
from .pools import Pools
from .records import Clock


@dataclass
class Assembly:
    """A graph that becomes processes of Lava, whose files lie in `folder`.

    inputs: number of a pool and name of its port -> that port in Lava; for sources, which have none, name "" -> None.
    models: process class -> the process model that it runs, where that is not Lava's own.
    """

    lava: SimpleNamespace
    graph: Graph
    folder: Path
    pools: Pools
    clock: Clock = field(default_factory=Clock)
    inputs: dict[tuple[int, str], Any] = field(default_factory=dict)
    models: dict[Any, Any] = field(default_factory=dict)

    def mix(self, mixin: type, process: Any) -> None:
        """Let `process` run its fixed-point model with `mixin` in front."""
        base = self.lava.models[type(process)]
        self.models[type(process)] = type(mixin.__name__ + base.__name__, (mixin, base), {})

    def own_process(self, name: str, mixin: type, port: Any, kind: Any, sizes: list[int], **params: Any) -> Any:
        """A process that Lava does not have, with ports port_0, port_1, ... of the given sizes; `mixin` runs in it."""
        lava, process = self.lava, self.own_class(name, port, sizes)
        body = {"implements_process": process, "implements_protocol": lava.LoihiProtocol,
                "required_resources": [lava.CPU], "tags": ["fixed_pt"]}
        ports = {f"port_{k}": lava.LavaPyType(kind.VEC_DENSE, np.int32) for k in range(len(sizes))}
        self.models[process] = type(f"{name}Model", (mixin, lava.PyLoihiProcessModel), {**body, **ports})
        return process(**params)

    def own_class(self, name: str, port: Any, sizes: list[int]) -> Any:
        base = self.lava.AbstractProcess

        def build(self: Any, **params: Any) -> None:
            base.__init__(self, **params)
            for k, n in enumerate(sizes):
                setattr(self, f"port_{k}", port(shape=(n,)))

        return type(name, (base,), {"__init__": build})
