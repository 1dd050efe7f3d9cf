"""The lines of the step loop that tell other processes of spikes, where several run one network.

Threads of a process meet as they do in one process. The last to arrive leads: it sends what its process did, and lets
the others go on once it has what all the others did, which stands in a list of spikes after those of the threads.
"""

from __future__ import annotations

from typing import Any

from snnsim.backends.cpu.functions import NUMBER, numbers

IMPORTS = """from snnsim.backends.cpu.barrier import arrive_first, release
"""
_FLAG = "16 + 8 * turn"         # the word of the barrier that stops all threads at this meeting


class Meeting:
    """The lines with which the threads of all processes meet. levels: how many a step has.

    Without populations that act in the step of their arrivals, spikes are told of from column to column of `start`;
    with them from column to column of `levels`, whose columns are the beginning of a step and the end of each level.
    """

    def __init__(self, out: Any, levels: int) -> None:
        self.out, self.levels = out, levels if levels > 1 else 0

    def arrive(self) -> None:
        """Say that an epoch is done."""
        stop = f"atomic_load(sync, {_FLAG})"
        if self.levels:
            self._arrive(3, "levels", f"{self.levels - 1}", f"{self.levels - 1} + (s > 0)", stop)
        else:
            self._arrive(3, "start", "told", "s + first - base", stop)

    def wait(self) -> None:
        """Wait until it is for all."""
        if not self.levels:
            self._wait(3, "start", "told", "s + first - base", _FLAG)
            self.out.add(3, "told = s + first - base")
            return
        levels = self.out.use("levels")
        self._wait(3, "levels", f"{self.levels - 1}", f"{self.levels - 1} + (s > 0)", _FLAG, [
            f"if s > 0: start[threads, s + first - base] = {levels}[threads, {self.levels}]",
            f"{levels}[threads, 0] = start[threads, s + first - base]"])

    def within(self, level: int) -> None:
        """Meet in a step, before populations of that level."""
        self._arrive(2, "levels", f"{level - 1}", f"{level}", "0")
        self._wait(2, "levels", f"{level - 1}", f"{level}", "16 + 8 * (1 - turn)")

    def _arrive(self, depth: int, marks: str, first: str, last: str, stop: str) -> None:
        given = self.out.given("told_call", "told_state", "told_out", "told_head", "ids", "payloads", marks)
        send = self.out.call("send", [*given, *numbers("threads", first, last, "step - 1", stop)])
        self.out.add(depth, "met, leads = arrive_first(sync, threads)", "if leads:", f"    {send}")

    def _wait(self, depth: int, marks: str, first: str, last: str, flag: str, more: list[str] | None = None) -> None:
        given = self.out.given("told_call", "told_state", "told_table", "told_rank", "ids", "payloads", marks)
        receive = self.out.call("receive", [*given, *numbers("threads", first, last)], NUMBER)
        self.out.add(depth, "if leads:", f"    if {receive} != 0:", f"        atomic_store(sync, {flag}, 1)",
                     *(f"    {line}" for line in more or []), "    release(sync, threads, met)", "else:",
                     "    wait(sync, threads, met)")
