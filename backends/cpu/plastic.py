"""The plastic projections of an engine: made for each thread, read and set as a whole between its calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Places
from snnsim.backends.cpu.driver import argument_name
from snnsim.backends.cpu.learning import LearningSynapses, learning_shape
from snnsim.backends.cpu.learning_emit import LearningPrinter
from snnsim.backends.cpu.plastic_build import PlasticMaker, rule_shape
from snnsim.backends.cpu.plastic_columns import Columns, Parts
from snnsim.backends.cpu.plastic_driver import PlasticShape
from snnsim.backends.cpu.plastic_emit import Rule, RulePrinter
from snnsim.backends.cpu.plastic_kernels import keep_variable
from snnsim.engine import rows_between
from snnsim.errors import NumericalError
from snnsim.plan import Plan
from snnsim.plastic import out_of_bounds
from snnsim.slices import Slices
from snnsim.synapse_rules import rule_of

_LOG = 1 << 12  # events that a log holds at first


class Plastic(Columns):
    """All plastic and learning projections of a network. epoch: steps between meetings of the threads."""

    def __init__(self, plan: Plan, slices: Slices, places: Places, wide: bool, epoch: int) -> None:
        super().__init__(plan, slices)
        self.numbers = [k for k, p in enumerate(plan.projections) if p.rule is not None]
        self.rules = {k: self._printed(k, wide) for k in self.numbers}
        rings = {k: np.zeros((2 * epoch + 2) * plan.populations[v[0]].n, plan.dtype)
                 for k in self.numbers if (v := self._variable(k)) is not None}
        sums = np.int64 if wide else np.int32
        self.maker = PlasticMaker(plan, slices, places, sums, self.rules, rings)
        self.learning = {k: LearningSynapses(self, k, places, sums) for k in self.numbers
                         if plan.projections[k].learning is not None}

    def _printed(self, number: int, wide: bool) -> Rule:
        projection = self.plan.projections[number]
        if projection.learning is not None:
            return LearningPrinter(projection.learning, learning_shape(projection)).print()
        return RulePrinter(rule_of(projection), rule_shape(self.plan, number, wide)).print()

    def _variable(self, number: int) -> tuple[int, str, str] | None:
        rule = self.plan.projections[number].plastic
        modulator = None if rule is None else rule.modulator
        if modulator is None or modulator.variable is None:
            return None
        states = self.plan.populations[modulator.population].program.states
        return modulator.population, "state" if modulator.variable in states else "output", modulator.variable

    def shapes(self) -> list[PlasticShape]:
        """What the driver prints."""
        requests = [(i, r) for i, r in enumerate(self.plan.weights) if not r.on_pre]
        return [PlasticShape(k, self.rules[k], tuple(i for i, r in requests if r.projection == k), self._variable(k))
                for k in self.numbers]

    def add(self, part: dict[str, Any], thread: int) -> None:
        """Put the synapses of a thread into its part."""
        part["learned"] = np.zeros(1, np.int64)
        for number in self.numbers:
            (self.learning[number].add if number in self.learning else self.maker.add)(part, thread, number)

    def attach(self, parts: Parts) -> None:
        """Take the parts of all threads, once they are made."""
        self.parts = parts
        for request, each in enumerate(self.plan.weights):
            if not each.on_pre:
                for part, (columns, synapses) in zip(parts, self._found(request), strict=True):
                    part.update({f"w{request}_columns": columns, f"w{request}_synapses": synapses,
                                 f"w{request}_every": each.every})
        for number in {r.projection for r in self.plan.weights if r.on_pre}:
            for thread, part in enumerate(parts):
                self._watch(part, thread, number)

    # --- numbers of synapses ---------------------------------------------------------------------------------------

    def _found(self, request: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each thread: which synapses of a request are its own."""
        return self.found(self.plan.weights[request].projection, self.plan.weights[request].synapses)

    def synapses_of(self, number: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        if number in self.learning:
            return self.learning[number].table()
        ranks, projection = self.ranks(number), self.plan.projections[number]
        out = {name: np.empty(sum(rank.size for rank in ranks), np.int64) for name in ("source", "target", "delay")}
        for thread, (rank, part) in enumerate(zip(ranks, self.parts, strict=True)):
            rows, delays = part[f"x{number}_rows"], part[f"x{number}_delays"][: rank.size]
            out["source"][rank] = np.repeat(np.arange(rows.size - 1), np.diff(rows.astype(np.int64)))
            out["target"][rank] = part[f"x{number}_targets"][: rank.size].astype(np.int64) + self.low(number, thread)
            out["delay"][rank] = projection.delays[0] + (delays.astype(np.int64) if delays.size else 0)
        return out | {"w": self.joined(number, "state_w")}

    # --- state -------------------------------------------------------------------------------------------------------

    def changing(self) -> list[str]:
        """Names of all arrays of a part that change."""
        kept = ("state_", "trace_", "before_", "after_", "last", "ring")
        return ["learned", *(name for k in self.numbers for name in self.parts[0]
                             if name.startswith(tuple(f"x{k}_{start}" for start in kept)))]

    def get(self, number: int, done: int) -> dict[str, np.ndarray]:
        """See ``Engine.plasticity``."""
        if number in self.learning:
            return self.learning[number].get(done)
        rule, first = rule_of(self.plan.projections[number]), self.parts[0]
        values = {name: self.joined(number, f"state_{name}") for name in ("w", *rule.states)}
        values["last"] = first[f"x{number}_last"].copy()
        values["arrivals"] = self.rows(number, "ring", *self.ahead(number, done)).astype(np.int64)
        for trace in rule.traces:
            if trace.on != "post":
                values[f"trace.{trace.name}"] = first[f"x{number}_trace_{trace.name}"].copy()
                continue
            for side in ("before", "after"):
                values[f"trace.{trace.name}.{side}"] = self.rows(number, f"{side}_{trace.name}",
                                                                  *self.behind(number, done))
        if (output := self._output(number)) is not None:
            values["modulator"] = np.concatenate([part[output] for part in self.parts])
        return values

    def _output(self, number: int) -> str | None:
        """The argument that holds the output which modulates, where one does: no state has it."""
        variable = self._variable(number)
        return None if variable is None or variable[1] == "state" else argument_name(*variable)

    def set(self, number: int, done: int, values: Mapping[str, np.ndarray]) -> None:
        """See ``Engine.set_plasticity``."""
        if number in self.learning:
            self.learning[number].set(done, values)
            return
        rule = rule_of(self.plan.projections[number])
        for part, ranks in zip(self.parts, self.ranks(number), strict=True):
            for name in ("w", *rule.states):
                part[f"x{number}_state_{name}"][...] = values[name][ranks]
            part[f"x{number}_last"][...] = values["last"]
            for trace in rule.traces:
                if trace.on != "post":
                    part[f"x{number}_trace_{trace.name}"][...] = values[f"trace.{trace.name}"]
        self.set_rows(number, "ring", *self.ahead(number, done), values["arrivals"])
        for trace in rule.traces:
            if trace.on == "post":
                for side in ("before", "after"):
                    self.set_rows(number, f"{side}_{trace.name}", *self.behind(number, done),
                                   values[f"trace.{trace.name}.{side}"])
        if (output := self._output(number)) is not None:
            sizes = np.cumsum([part[output].size for part in self.parts])
            for part, own in zip(self.parts, np.split(values["modulator"], sizes[:-1]), strict=True):
                part[output][...] = own

    def memory(self) -> int:
        """Bytes of synapses."""
        kept = ("rows", "targets", "delays", "columns", "positions", "sources", "state_")
        return sum(values.nbytes for part in self.parts for name, values in part.items()
                   for k in self.numbers if name.startswith(tuple(f"x{k}_{start}" for start in kept)))

    # --- a call ------------------------------------------------------------------------------------------------------

    def begin(self, done: int) -> None:
        """Go on after step `done`: all events until then are in the state."""
        for part in self.parts:
            part["learned"][0] = done

    def open(self, done: int, steps: int) -> None:
        """Make room for what is recorded in the steps ahead, and note the modulating variables as they are."""
        for k, request in enumerate(self.plan.weights):
            rows = 0 if request.on_pre else rows_between(done, steps, request.every)
            out = np.zeros((rows, request.synapses.size), self.plan.dtype)
            for part in self.parts:
                part[f"w{k}_out"] = out
                if not request.on_pre:
                    part[f"w{k}_first"] = done // request.every + 1
        for learning in self.learning.values():
            learning.open(done, steps)
        for number in self.numbers:
            self._note_variable(number, done)
            for part in self.parts:
                part[f"x{number}_fault"][...] = 0
                if f"x{number}_log_at" in part:
                    part[f"x{number}_log_at"][0] = 0

    def _note_variable(self, number: int, done: int) -> None:
        variable = self._variable(number)
        for part in self.parts if variable is not None else []:
            names = ("ring", "rows", "n", "own", "offset")
            ring, rows, n, own, offset = (part[f"x{number}_modulator_{name}"] for name in names)
            keep_variable(ring, done % rows * n + own, part[argument_name(*variable)], offset)  # type: ignore[misc]

    def check(self) -> None:
        """``NumericalError`` that names the first synapse that sent more than it may."""
        if found := self._faults():
            raise self._error(*min(found))

    @property
    def fault(self) -> float:
        """The step in which a synapse first sent more than it may; infinite where none did."""
        return min((step for step, *_ in self._faults()), default=math.inf)

    def _faults(self) -> list[tuple[int, int, int, int, int]]:
        """Step, source, target, projection and thread."""
        found = [(*part[f"x{k}_fault"].tolist(), k, thread) for k in self.numbers
                 for thread, part in enumerate(self.parts)]
        return [fault for fault in found if fault[0]]

    def _error(self, step: int, source: int, target: int, number: int, thread: int) -> NumericalError:
        sent = float(self.parts[thread][f"x{number}_found"][0])
        projection = self.plan.projections[number]
        return out_of_bounds(self.plan, projection, source, target + self.low(number, thread), step, sent)

    # --- what presynaptic events send -----------------------------------------------------------------------------

    def _watch(self, part: dict[str, Any], thread: int, number: int) -> None:
        """Tables of the synapses of all requests, by row; `watch_places`: which request, and where in it."""
        requests = [k for k, r in enumerate(self.plan.weights) if r.on_pre and r.projection == number]
        own = {k: self._found(k)[thread] for k in requests}
        synapse = np.concatenate([synapses for _, synapses in own.values()])
        request = np.repeat(requests, [synapses.size for _, synapses in own.values()])
        order = np.argsort(synapse, kind="stable")
        rows, longest = part[f"x{number}_rows"], int(np.diff(part[f"x{number}_rows"].astype(np.int64)).max(initial=0))
        place = np.concatenate([columns for columns, _ in own.values()])
        named = {"scratch": np.zeros(longest, self.plan.dtype), "watch_synapse": synapse[order],
                 "watch_rows": np.searchsorted(synapse[order], rows.astype(np.int64)),
                 "watch_places": np.stack([request[order], place[order]]), "log_at": np.zeros(1, np.int64),
                 **self._empty_log(_LOG)}
        part.update({f"x{number}_{name}": value for name, value in named.items()})

    def _empty_log(self, room: int) -> dict[str, np.ndarray]:
        return {"log_entry": np.zeros(room, np.int64), "log_step": np.zeros(room, np.int64),
                "log_value": np.zeros(room, self.plan.dtype)}

    @property
    def logs(self) -> bool:
        """Whether anything is logged whose length nobody knows beforehand."""
        return any(request.on_pre for request in self.plan.weights)

    def grow_logs(self) -> bool:
        """Make room where a log was too short; True where one was."""
        short = [(part, k) for k in self.numbers for part in self.parts if f"x{k}_log_at" in part
                 and part[f"x{k}_log_at"][0] > part[f"x{k}_log_entry"].size]
        for part, k in short:
            log = self._empty_log(2 * int(part[f"x{k}_log_at"][0]))
            part.update({f"x{k}_{name}": values for name, values in log.items()})
        return bool(short)

    def records(self, done: int, steps: int) -> list[Any]:
        """What the requests of the plan ask for of the `steps` after `done`."""
        return [self._logged(k) if r.on_pre else self.parts[0][f"w{k}_out"][: rows_between(done, steps, r.every)]
                for k, r in enumerate(self.plan.weights)]

    def _logged(self, request: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step, position in the request and weight, sorted by the first two."""
        number, columns = self.plan.weights[request].projection, []
        for part in self.parts:
            n, places = int(part[f"x{number}_log_at"][0]), part[f"x{number}_watch_places"]
            entry = part[f"x{number}_log_entry"][:n]
            mine = places[0, entry] == request
            columns.append((part[f"x{number}_log_step"][:n][mine], places[1, entry[mine]],
                            part[f"x{number}_log_value"][:n][mine]))
        step, place, value = (np.concatenate(column) for column in zip(*columns, strict=True))
        order = np.lexsort((place, step))
        return step[order], place[order], value[order]
