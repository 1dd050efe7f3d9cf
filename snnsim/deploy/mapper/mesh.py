"""Cores on chips: neighbours are those that send each other the most, and distances are counted in tiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from snnsim.cachefolder import compiled
from snnsim.deploy.mapper.routes import Routes
from snnsim.deploy.target import Target


class Traffic(NamedTuple):
    """Messages per step from core to core. start: int64 [cores + 2], the last row is the host's; core: int32 [entries];
    messages: float64 [entries]."""

    start: np.ndarray
    core: np.ndarray
    messages: np.ndarray

    @property
    def source(self) -> np.ndarray:
        """The core of each entry, the number of cores for the host."""
        return np.repeat(np.arange(self.start.size - 1), np.diff(self.start))


class Places(NamedTuple):
    """Where cores are, int64 [cores] each: the chip, and the tile, counted over all chips."""

    chip: np.ndarray
    column: np.ndarray
    row: np.ndarray


def traffic(routes: Routes, core: np.ndarray, rates: np.ndarray, cores: int) -> Traffic:
    """What goes from core to core. core: int32 [units], -1 for those of the host; rates: spikes per step, [units]."""
    row = np.where(core < 0, cores, core)
    order = np.argsort(row, kind="stable")
    begins = np.searchsorted(row[order], np.arange(cores + 2))
    found, messages = np.empty(routes.place.size, np.int32), np.empty(routes.place.size)
    start = _gather(routes.start, routes.place, order, begins, rates.astype(np.float64), found, messages,
                    np.full(max(cores, 1), -1))
    return Traffic(start, found[: start[-1]].copy(), messages[: start[-1]].copy())


@compiled("deploy")
def _gather(start, place, order, begins, rates, found, messages, at):  # type: ignore[no-untyped-def]
    """Add up what the units of each core send to each other; `at`: where a core's entry is, if this row has one."""
    rows, used = np.zeros(begins.size, np.int64), 0
    for row in range(begins.size - 1):
        for k in range(begins[row], begins[row + 1]):
            for route in range(start[order[k]], start[order[k] + 1]):
                core = place[route]
                if at[core] < rows[row]:
                    at[core] = used
                    found[used], messages[used] = core, 0.0
                    used += 1
                messages[at[core]] += rates[order[k]]
        rows[row + 1] = used
    return rows


def arranged(flow: Traffic, cores: int, target: Target) -> np.ndarray:
    """The cores in the order of their places: chip by chip, next the one that exchanges most with those of its chip.

    The longer ago a core took its place the less it counts, by a factor of e for each row of tiles.
    """
    source, core, messages = flow.source, flow.core.astype(np.int64), flow.messages
    among = (source < cores) & (source != core)
    ends = np.concatenate([source[among], core[among]])
    others, both = np.concatenate([core[among], source[among]]), np.tile(messages[among], 2)
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], np.arange(cores + 1))
    keep = np.exp(-1 / (target.mesh.columns * target.mesh.cores_per_tile))
    return _arranged(start, others[order], both[order], cores, target.cores_per_chip.value, keep)


@compiled("deploy")
def _arranged(start, other, messages, cores, per_chip, keep):  # type: ignore[no-untyped-def]
    order, taken = np.zeros(cores, np.int64), np.zeros(cores, np.bool_)
    to_chip, to_all = np.zeros(cores), np.zeros(cores)
    for k in range(cores):
        if k == 0:
            one = _busiest(start, messages)
        else:
            one = _largest(to_all if k % per_chip == 0 else to_chip, taken)
        if k % per_chip == 0:
            to_chip.fill(0.0)
        order[k], taken[one] = one, True
        to_chip *= keep
        for j in range(start[one], start[one + 1]):
            to_chip[other[j]] += messages[j]
            to_all[other[j]] += messages[j]
    return order


@compiled("deploy")
def _busiest(start, messages):  # type: ignore[no-untyped-def]
    best, most = 0, -1.0
    for core in range(start.size - 1):
        total = 0.0
        for j in range(start[core], start[core + 1]):
            total += messages[j]
        if total > most:
            best, most = core, total
    return best


@compiled("deploy")
def _largest(values, taken):  # type: ignore[no-untyped-def]
    best = -1
    for k in range(values.size):
        if not taken[k] and (best < 0 or values[k] > values[best]):
            best = k
    return best


def places(cores: int, target: Target) -> Places:
    """Where cores are that take their places one after the other: along the rows of a chip to and fro, chip by chip."""
    mesh, number = target.mesh, np.arange(cores)
    chip, slot = np.divmod(number, target.cores_per_chip.value)
    row, column = _to_and_fro(slot // mesh.cores_per_tile, mesh.columns)
    chip_row, chip_column = _to_and_fro(chip, mesh.chip_columns)
    return Places(chip, chip_column * mesh.columns + column, chip_row * mesh.rows + row)


def _to_and_fro(number: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.divmod(number, columns)
    return row, np.where(row % 2, columns - 1 - column, column)


def hops(at: Places, source: np.ndarray, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tiles to the east or west, and to the north or south, between cores and cores."""
    return abs(at.column[source] - at.column[core]), abs(at.row[source] - at.row[core])
