"""What runs in Lava's processes: classes that are put before process models of Lava."""

from __future__ import annotations

from typing import Any

import numpy as np


class Watched:
    """A neuron model that writes down its states."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        super().run_spk()  # type: ignore[misc]
        self.proc_params["log"].step(self)


class Resets(Watched):
    """LIFReset, which looks at the step and keeps no count; `phase` is the step modulo its interval."""

    @property
    def phase(self) -> np.ndarray:
        return np.full(self.v.size, self.time_step % self.reset_interval)  # type: ignore[attr-defined]


class Learns(Watched):
    """A connection that learns where it has synapses; Lava's own would make one of every pair of units."""

    def run_spk(self) -> None:
        super(Watched, self).run_spk()  # type: ignore[misc]
        if not self.lrn_guard():  # type: ignore[attr-defined]
            self.proc_params["log"].step(self)

    def run_lrn(self) -> None:
        super().run_lrn()  # type: ignore[misc]
        for name in ("weights", "tag_1", "tag_2"):
            setattr(self, name, getattr(self, name) * self.proc_params["synapses"])
        self.proc_params["log"].step(self)


class Keeps:
    """Delayed synapses, whose matrix Lava would build anew in each step."""

    kept: Any = None

    def get_delay_wgts_mat(self, *matrices: Any) -> Any:
        if self.kept is None:
            self.kept = super().get_delay_wgts_mat(*matrices).tocsr()  # type: ignore[misc]
        return self.kept


class Gives:
    """The host's side: spikes of sources, and what is added to ports."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        feed = self.proc_params["feed"]
        amounts = feed.at(self.time_step)
        for k, span in enumerate(feed.spans):
            getattr(self, f"port_{k}").send(amounts[span])


class Takes:
    """The host's side: the spikes that are recorded."""

    time_step: int
    proc_params: Any

    def run_spk(self) -> None:
        found = []
        for k, units in enumerate(self.proc_params["units"]):
            payload = getattr(self, f"port_{k}").recv()
            slots = np.flatnonzero(payload * (units >= 0))
            found.append(np.stack([np.full(slots.size, self.time_step), units[slots], payload[slots]], axis=1))
        self.proc_params["rows"].add(self.time_step, np.concatenate(found))
