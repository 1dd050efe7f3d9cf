"""Where the units of a graph are on the cores of a chip, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from snnsim.deploy.mapper.mesh import Places, Traffic, hops
from snnsim.deploy.mapper.routes import Routes
from snnsim.deploy.target import Limit, Target

TOP = 10   # pairs of cores that a report names


@dataclass(frozen=True)
class Violation:
    """Something that the target does not hold. A warning breaks a limit that may not exist.

    kind: which limit; where: group, connection or ``network``; used: what the worst of them needs; remedy: what would
    make it fit; sure and source: of the limit.
    """

    kind: str
    level: Literal["error", "warning"]
    where: str
    limit: int
    used: int
    message: str
    remedy: str
    sure: str
    source: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.remedy}"


@dataclass(frozen=True)
class Share:
    """Units `start` to `stop` of a group."""

    group: str
    start: int
    stop: int


@dataclass(frozen=True)
class Core:
    """A core, its tile in the mesh of all chips, and what it holds.

    synapse_bits: with headers and whole words; memory_bits: what is used of the memory that synapses are in;
    axons_in: units that send to it; axons_out: cores that its units send to, summed over them.
    """

    chip: int
    column: int
    row: int
    shares: tuple[Share, ...]
    neurons: int
    synapses: int
    synapse_bits: int
    memory_bits: int
    axons_in: int
    axons_out: int
    settings: Mapping[str, int]
    synapse_formats: int


@dataclass(frozen=True)
class Placement:
    """Units on cores. Cores are numbered chip by chip.

    core: int32 [units of the graph], -1 for units of the host. routes: the cores that each unit sends to. flow: what
    goes between cores in a step. rates: by which spikes, ``counted`` ones or one of each unit in each step.
    """

    graph: str
    target: Target
    core: np.ndarray = field(repr=False)
    cores: tuple[Core, ...] = field(repr=False)
    places: Places = field(repr=False)
    routes: Routes = field(repr=False)
    flow: Traffic = field(repr=False)
    rates: str
    violations: tuple[Violation, ...]

    @property
    def chips(self) -> int:
        """How many it takes."""
        return 1 + max((core.chip for core in self.cores), default=-1)

    @property
    def fits(self) -> bool:
        """Whether nothing but warnings was found."""
        return all(violation.level == "warning" for violation in self.violations)

    @property
    def groups(self) -> dict[str, list[int]]:
        """The cores that hold units of each group."""
        found: dict[str, list[int]] = {}
        for number, core in enumerate(self.cores):
            for name in dict.fromkeys(share.group for share in core.shares):
                found.setdefault(name, []).append(number)
        return found

    def use(self) -> dict[str, dict[str, Any]]:
        """For each limit of a core: what it is, and the mean and the largest of what cores use of it."""
        return {name: _use(limit, [getattr(core, name) for core in self.cores])
                for name, limit in _core_limits(self.target).items()}

    def messages(self) -> dict[str, Any]:
        """What goes between cores in a step, how far, and the pairs with the most."""
        source, host = self.flow.source, self.flow.source == len(self.cores)
        inner, core, many = source[~host], self.flow.core[~host], self.flow.messages[~host]
        across, along = hops(self.places, inner, core)
        distance = across + along
        other_chip = self.places.chip[inner] != self.places.chip[core]
        total = float(many.sum())
        return {
            "rates": self.rates, "total": total, "from_host": float(self.flow.messages[host].sum()),
            "within_core": float(many[inner == core].sum()), "between_chips": float(many[other_chip].sum()),
            "mean_hops": float(many @ distance) / total if total else 0.0,
            "top": [{"from": int(inner[k]), "to": int(core[k]), "messages": float(many[k]), "hops": int(distance[k])}
                    for k in _top(many, inner != core)],
        }

    def to_dict(self) -> dict[str, Any]:
        """All of it that a file or a page shows, in the types of JSON."""
        return {
            "graph": self.graph, "target": self.target.name, "fits": self.fits, "chips": self.chips,
            "cores": [asdict(core) for core in self.cores],
            "groups": self.groups, "use": self.use(), "messages": self.messages(),
            "violations": [asdict(violation) for violation in self.violations],
        }


def _core_limits(target: Target) -> dict[str, Limit]:
    neurons = target.neurons_per_core
    return {
        "neurons": Limit(value=neurons.value, source=neurons.source, sure=neurons.sure),
        "memory_bits": target.memory.bits_per_core, "axons_in": target.axons_in_per_core,
        "axons_out": target.axons_out_per_core,
    }


def _use(limit: Limit, used: list[int]) -> dict[str, Any]:
    return {"limit": limit.value, "mean": float(np.mean(used or [0])), "largest": max(used, default=0),
            "sure": limit.sure, "source": limit.source, "warn": limit.warn}


def _top(many: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The numbers of the largest, the first of equals first."""
    chosen = np.flatnonzero(among)
    return chosen[np.argsort(-many[chosen], kind="stable")[:TOP]]
