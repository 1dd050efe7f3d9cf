"""One network on several devices: each owns some parts, and they exchange spikes after each epoch.

All devices are driven by this process. A launch is one epoch, or one level of a step, on each of them; between launches
they share what their units did: the spikes, how often units spiked, the variables that couplings read, and what
plastic synapses read of units: traces, variables, times of spikes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from snnsim.backends.cupy.device import Device
from snnsim.backends.cupy.engine import GpuEngine, check
from snnsim.backends.cupy.exchange import Exchange
from snnsim.backends.cupy.layout import LANES
from snnsim.backends.cupy.plastic_records import merged
from snnsim.backends.cupy.plastic_state import PlasticState
from snnsim.backends.cupy.strategy import parts_of
from snnsim.engine import Chunk, InOneProcess, Spikes
from snnsim.plan import Plan

T = TypeVar("T")


class GpuGroup(InOneProcess):
    """Runs a plan on several devices; see ``snnsim.engine``. parts: of each device."""

    overlaps, longest = GpuEngine.overlaps, GpuEngine.longest

    def __init__(self, plan: Plan, devices: Sequence[Device], exchange: Exchange, parts: int | None = None,
                 threads: int | None = None) -> None:
        self.plan, self.exchange, self.done = plan, exchange, 0
        each = parts or max(1, parts_of(plan, devices[0].limits) // len(devices))
        self.members = [GpuEngine(plan, device, each * len(devices), threads, "launches",
                                  own=range(each * k, each * (k + 1))) for k, device in enumerate(devices)]
        self.first, self.layout = self.members[0], self.members[0].layout
        self.threads = each * len(devices)
        self.learning = PlasticState([member.plastic for member in self.members])
        self.learning.watch()

    def _each(self, call: Callable[[GpuEngine], T]) -> list[T]:
        """What `call` returns for each member, with its device as the current one."""
        found = []
        for member in self.members:
            with member.device.current():
                found.append(call(member))
        return found

    # --- running -----------------------------------------------------------------------------------------------------

    def advance(self, steps: int) -> Chunk:
        """Run at most `steps` steps."""
        steps = min(steps, self.first.spikes.chunk)
        before = self.snapshot() if self.first.plastic.logs else None
        self._run(steps)
        while any(self._each(lambda member: member.plastic.grow_logs())):
            self.restore(before)
            self._run(steps)
        check(self.members)
        chunks = self._each(lambda member: member.close(steps))
        self.done += steps
        traces = [self._merged(k, [chunk.traces[k] for chunk in chunks]) for k in range(len(self.plan.traces))]
        weights = merged([member.plastic.records for member in self.members], [chunk.weights for chunk in chunks])
        return Chunk(steps, chunks[0].step, chunks[0].unit, traces, weights, chunks[0].payload)

    def _run(self, steps: int) -> None:
        self._each(lambda member: member.open(steps))
        self._share_variables(self.done)
        self._share_learning(self.done)
        epoch = self.layout.epoch
        for at in range(0, steps, epoch):
            self._epoch(at, min(epoch, steps - at))
        self._each(lambda member: member.learn(steps))

    def _epoch(self, at: int, steps: int) -> None:
        first = self.done + at + 1
        for level in range(self.layout.levels):
            for member in self.members:
                with member.device.current():
                    member.program.launch(at, steps, (level, level), member.fresh and at == 0)
            self._share(first, steps)
        for step in range(first, first + steps):
            self._share_learning(step)

    def _share(self, first: int, steps: int) -> None:
        """What the members did in some steps."""
        cuts = [member.layout.own.start * self.layout.words for member in self.members]
        cuts.append(self.layout.slices.parts * self.layout.words)
        histories = [member.spikes for member in self.members]
        for step in range(first, first + steps):
            slot = step & (histories[0].slots - 1)
            self.exchange.share([history.masks[slot] for history in histories], cuts)
            if histories[0].counted:
                self.exchange.share([history.counts[slot] for history in histories], [LANES * cut for cut in cuts])
            self._share_variables(step)

    def _share_variables(self, step: int) -> None:
        """Those that couplings read, as they are after a step, and whether one was wrong: then all devices stop."""
        for key in self.first.couplings.published:
            rows = [member.couplings.published[key][step & 1] for member in self.members]
            self.exchange.share(rows, self._cuts(key[0]))
        if self.first.couplings.packed:
            steps = [member.couplings.diverged for member in self.members]
            self.exchange.share(steps, range(len(steps) + 1))

    def _share_learning(self, step: int) -> None:
        """What units showed plastic synapses in a step."""
        for number, arrays in self.first.plastic.arrays.items():
            each = [member.plastic.arrays[number].shown_in(step) for member in self.members]
            for k, (_, population) in enumerate(arrays.shown_in(step)):
                self.exchange.share([shown[k][0] for shown in each], self._cuts(population))

    def _cuts(self, population: int) -> list[int]:
        return [self.members[0].layout.bounds(population)[0],
                *(member.layout.bounds(population)[1] for member in self.members)]

    def _merged(self, number: int, rows: list[np.ndarray]) -> np.ndarray:
        """A recorded variable, each unit from the device that owns it."""
        trace, out = self.plan.traces[number], rows[0].copy()
        for member, values in zip(self.members, rows, strict=True):
            low, high = member.layout.bounds(trace.population)
            mine = (trace.units >= low) & (trace.units < high)
            out[:, mine] = values[:, mine]
        return out

    # --- state -------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Any:
        """All that changes, for going back."""
        return [member.snapshot() for member in self.members]

    def restore(self, saved: Any) -> None:
        """Go back to where ``snapshot`` was taken."""
        for member, values in zip(self.members, saved, strict=True):
            member.restore(values)
        self.done = self.first.done

    def get(self, population: int, state: str) -> np.ndarray:
        """A copy of a state, [n]."""
        return np.concatenate([member.get(population, state) for member in self.members])

    def set(self, population: int, state: str, values: np.ndarray) -> None:
        """Overwrite a state, [n]."""
        for member in self.members:
            low, high = member.layout.bounds(population)
            member.set(population, state, values[low:high])

    def history(self) -> Spikes:
        """Spikes of the last ``plan.max_delay`` steps."""
        return self.first.history()

    def load(self, done: int, step: np.ndarray, unit: np.ndarray, payload: np.ndarray | None = None) -> None:
        """Go on after step `done`."""
        for member in self.members:
            member.load(done, step, unit, payload)
        self.done = done

    def plasticity(self, projection: int) -> dict[str, np.ndarray]:
        """Everything that changes in a plastic projection."""
        return self.learning.get(projection, self.done)

    def set_plasticity(self, projection: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """The opposite."""
        self.learning.set(projection, done, values)

    def synapses_of(self, projection: int) -> dict[str, np.ndarray]:
        """source, target, delay and w."""
        return self.learning.synapses_of(projection)

    @property
    def synapses(self) -> int:
        """How many there are, on all devices."""
        return sum(member.synapses for member in self.members)

    def memory(self) -> dict[str, int]:
        """Bytes by purpose, over all devices."""
        each = [member.memory() for member in self.members]
        return {name: sum(sizes[name] for sizes in each) for name in each[0]}

    def facts(self) -> dict[str, Any]:
        """Those of the first device, with how many there are."""
        facts, devices = self.first.facts(), len(self.members)
        return {**facts, "threads": self.threads, "devices": devices, "how": f"{devices} devices, {facts['how']}",
                "device_mb": sum(self.memory().values()) / 1e6}
