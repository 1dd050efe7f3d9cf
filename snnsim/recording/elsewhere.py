"""The recording of a run, seen from a process that did not record it."""

from __future__ import annotations

from typing import Any

from snnsim.errors import InputError
from snnsim.recording.layout import RecordingPlan


class Elsewhere:
    """What a run recorded, in a process that did not record it: the summary is all that it has."""

    finished, running = True, False

    def __init__(self, plan: RecordingPlan, step: int, summary: dict[str, Any]) -> None:
        self.plan, self.step, self.summary = plan, step, summary

    def refresh(self) -> None:
        """Nothing changes."""

    def cut(self, step: int) -> None:
        """There is nothing to cut."""

    def _nothing(self, *_: Any) -> Any:
        where = f"open {self.summary['out']} to read it" if self.summary.get("out") else "look at the result there"
        raise InputError(f"rank 0 of {self.summary['processes']} has what this run recorded; {where}")

    count = read_spikes = read_payloads = read_rows = count_weights = read_weights = _nothing
