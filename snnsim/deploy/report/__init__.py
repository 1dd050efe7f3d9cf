"""What a deployment's report says, as one set of numbers: ``report.json`` has them, and the page shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.deploy.energy import Energy
from snnsim.deploy.fidelity import Fidelity
from snnsim.deploy.graph import Graph
from snnsim.deploy.mapper import Placement
from snnsim.deploy.quantise import Quantised
from snnsim.result import Result


@dataclass(frozen=True, eq=False)
class Report:
    """A network on its way to a chip.

    before: what the float network did, None where the network was given in whole numbers; after: what the emulator did,
    all of its spikes. quantised and fidelity go with `before`.
    """

    graph: Graph
    steps: int
    placement: Placement
    energy: Energy
    after: Result
    before: Result | None = None
    quantised: Quantised | None = None
    fidelity: Fidelity | None = None

    @property
    def target(self) -> str:
        """The name of the chip."""
        return self.placement.target.name

    @property
    def duration(self) -> float:
        """ms."""
        return self.steps * self.graph.dt

    def to_dict(self) -> dict[str, Any]:
        """All numbers; None stands for one that there is not. Where single units lie is in ``placement.json``."""
        placed = self.placement.to_dict()
        return plain({
            "name": self.graph.name, "target": self.target, "semantics": self.graph.semantics, "dt_ms": self.graph.dt,
            "steps": self.steps, "duration_ms": self.duration, "units": int(self.graph.first[-1]),
            "synapses": self.graph.synapses, "fits": self.placement.fits,
            "rates_hz": self.after.rates(),
            "quantisation": self.quantised and self.quantised.report.to_dict(),
            "fidelity": self.fidelity and self.fidelity.to_dict(),
            "placement": placed | {"cores": len(self.placement.cores)},
            "energy": self.energy.to_dict(),
        })


def plain(value: Any) -> Any:
    """`value` as JSON has it: numbers that are none become None, arrays lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
