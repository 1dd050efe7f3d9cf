"""What is recorded of plastic projections on a device: weights every so often, and what presynaptic events send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnsim.backends.cupy.device import Device
from snnsim.engine import rows_between
from snnsim.plan import Plan

_LOG = 1 << 16  # events that a log holds at first


class WeightRecords:
    """All requests of a plan for weights. ranks: projection -> for each own part, the numbers of its synapses."""

    def __init__(self, device: Device, plan: Plan, ranks: dict[int, list[np.ndarray]]) -> None:
        self.device, self.plan, self.ranks = device, plan, ranks
        self.courses = {k: self._course(k) for k, r in enumerate(plan.weights) if not r.on_pre}
        self.outs: dict[int, Any] = {}
        self.watched = {k: self._watched(k) for k in dict.fromkeys(r.projection for r in plan.weights if r.on_pre)}
        self.logs = {k: self._log(_LOG) for k in self.watched}

    def _found(self, request: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Part, place within the part, and position in the request, of its synapses, sorted by the first two."""
        wanted, places, positions = self.plan.weights[request].numbers, [], []
        for ranks in self.ranks[self.plan.weights[request].projection]:
            place = np.searchsorted(ranks, wanted)
            positions.append(np.flatnonzero(np.append(ranks, -1)[place] == wanted))
            places.append(place[positions[-1]])
        part = np.repeat(np.arange(len(places)), [own.size for own in places])
        return part, np.concatenate(places), np.concatenate(positions)

    def _starts(self, number: int, part: np.ndarray) -> np.ndarray:
        """Where those of each part begin."""
        return np.searchsorted(part, np.arange(len(self.ranks[number]) + 1))

    # --- every so often ----------------------------------------------------------------------------------------------

    def _course(self, request: int) -> list[Any]:
        part, place, own = self._found(request)
        start = self._starts(self.plan.weights[request].projection, part)
        return [self.device.upload(values.astype(kind)) for values, kind in
                zip((start, place, own), (np.int32, np.uint32, np.int32), strict=True)]

    def columns(self, request: int) -> np.ndarray:
        """Which of its synapses are on this device."""
        return self.device.download(self.courses[request][2])

    # --- what is sent ------------------------------------------------------------------------------------------------

    def _watched(self, number: int) -> dict[str, np.ndarray]:
        """The synapses of all requests for what a projection sends, by part and place; which request, where in it."""
        requests = [k for k, r in enumerate(self.plan.weights) if r.on_pre and r.projection == number]
        found = [self._found(k) for k in requests]
        request = np.repeat(requests, [own.size for _, _, own in found])
        part, place, own = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((place, part))
        return {"request": request[order], "position": own[order],
                "watched": self.device.upload(place[order].astype(np.uint32)),
                "start": self.device.upload(self._starts(number, part[order]).astype(np.int64))}

    def _log(self, room: int) -> dict[str, Any]:
        xp = self.device.xp
        return {"log_length": xp.zeros(1, np.int64), "log_entry": xp.zeros(room, np.int64),
                "log_step": xp.zeros(room, np.int64), "log_value": xp.zeros(room, self.plan.dtype)}

    def grow(self) -> bool:
        """Make room where a log was too short; True where one was."""
        needed = {k: int(self.device.download(log["log_length"])[0]) for k, log in self.logs.items()}
        short = {k: n for k, n in needed.items() if n > self.logs[k]["log_entry"].size}
        self.logs |= {k: self._log(2 * n) for k, n in short.items()}
        return bool(short)

    def entries(self, number: int) -> dict[str, Any]:
        """Of the log of a projection."""
        if number not in self.logs:
            return {}
        log, watched = self.logs[number], self.watched[number]
        return {**log, "watched": watched["watched"], "watch_start": watched["start"],
                "log_room": int(log["log_entry"].size)}

    # --- a call ------------------------------------------------------------------------------------------------------

    def open(self, done: int, steps: int) -> dict[str, list[int]]:
        """Make room for what is recorded in the steps ahead; the sections of the table."""
        sections = {}
        for log in self.logs.values():
            log["log_length"][...] = 0
        for k, arrays in self.courses.items():
            request = self.plan.weights[k]
            shape = max(1, rows_between(done, steps, request.every)), max(1, len(request.synapses))
            self.outs[k] = self.device.xp.zeros(shape, self.plan.dtype)
            out, start, place, own = (self.device.address(a) if a.size else 0 for a in (self.outs[k], *arrays))
            sections[f"W{k}"] = [request.every, done // request.every + 1, out, shape[1], start, place, own]
        return sections

    def chunk(self, done: int, steps: int) -> list[Any]:
        """What the requests ask for of the `steps` after `done`, as ``Chunk.weights`` says."""
        logged = {k: self._logged(k) for k in self.logs}
        return [self._sent(k, *logged[r.projection]) if r.on_pre else
                self.device.download(self.outs[k])[: rows_between(done, steps, r.every), : len(r.synapses)]
                for k, r in enumerate(self.plan.weights)]

    def _logged(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        log = self.logs[number]
        n = int(self.device.download(log["log_length"])[0])
        entry, step, value = (self.device.download(log[f"log_{name}"][:n]) for name in ("entry", "step", "value"))
        return entry, step, value

    def _sent(self, request: int, entry: np.ndarray, step: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, ...]:
        """Step, position in the request and weight, sorted by the first two; what a synapse logs keeps its order."""
        watched = self.watched[self.plan.weights[request].projection]
        mine = watched["request"][entry] == request
        place = watched["position"][entry[mine]]
        order = np.lexsort((place, step[mine]))
        return step[mine][order], place[order], value[mine][order]


# --- several devices -------------------------------------------------------------------------------------------------

def merged(members: Sequence[WeightRecords], chunks: Sequence[list[Any]]) -> list[Any]:
    """What the requests of a plan ask for, from what each device has of it."""
    requests = enumerate(members[0].plan.weights)
    return [_merged_logs([chunk[k] for chunk in chunks]) if request.on_pre else
            _merged_rows([member.columns(k) for member in members], [chunk[k] for chunk in chunks])
            for k, request in requests]


def _merged_logs(logs: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    step, place, weight = (np.concatenate(column) for column in zip(*logs, strict=True))
    order = np.lexsort((place, step))
    return step[order], place[order], weight[order]


def _merged_rows(columns: list[np.ndarray], rows: list[np.ndarray]) -> np.ndarray:
    """Each column from the device that has the synapse."""
    out = rows[0].copy()
    for own, values in zip(columns, rows, strict=True):
        out[:, own] = values[:, own]
    return out
