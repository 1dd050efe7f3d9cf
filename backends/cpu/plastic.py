"""The plastic projections of an engine: made for each thread, read and set as a whole between its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from snnsim.backends.cpu.build import Places
from snnsim.backends.cpu.driver import argument_name
from snnsim.backends.cpu.learning import LearningSynapses, learning_shape
from snnsim.backends.cpu.learning_emit import LearningPrinter
from snnsim.backends.cpu.plastic_build import PlasticMaker, rule_shape
from snnsim.backends.cpu.plastic_columns import Columns, Order, Parts
from snnsim.backends.cpu.plastic_driver import PlasticShape
from snnsim.backends.cpu.plastic_emit import Rule, RulePrinter
from snnsim.backends.cpu.plastic_kernels import keep_variable
from snnsim.engine import rows_between
from snnsim.plan import Plan
from snnsim.plastic import out_of_bounds
from snnsim.requests import WeightRequest
from snnsim.slices import Slices
from snnsim.synapse_rules import rule_of
from snnsim.world import ALONE, World

_LOG = 1 << 12  # events that a log holds at first


class Plastic(Columns):
    """All plastic and learning projections of a network. epoch: steps between meetings of the threads."""

    def __init__(self, plan: Plan, slices: Slices, places: Places, wide: bool, epoch: int,
                 world: World = ALONE) -> None:
        super().__init__(plan, slices, world)
        self.numbers = [k for k, p in enumerate(plan.projections) if p.rule is not None]
        self.rules = {k: self._printed(k, wide) for k in self.numbers}
        self.rings = {k: np.zeros((2 * epoch + 2) * plan.populations[v[0]].n, plan.dtype)
                      for k in self.numbers if (v := self._variable(k)) is not None}
        sums = np.int64 if wide else np.int32
        self.maker = PlasticMaker(plan, slices, places, sums, self.rules, self.rings)
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

    def sharing(self) -> list[Callable[[int], Any]]:
        """What begins to share a variable that modulates all synapses alike; others have it where it is used."""
        single = [(k, v[0]) for k in self.rings if (v := self._variable(k)) and self.plan.populations[v[0]].n == 1]
        return [partial(self._share, k, population) for k, population in single]

    def _share(self, number: int, population: int, step: int) -> Any:
        owner = next(r for r in range(self.slices.ranks) if self.slices.owned(population, r)[1])
        world: Any = self.world
        return world.comm.Ibcast(self.rings[number], root=owner)

    def add(self, part: dict[str, Any], thread: int) -> None:
        """Put the synapses of a thread into its part."""
        part["learned"] = np.zeros(1, np.int64)
        for number in self.numbers:
            (self.learning[number].add if number in self.learning else self.maker.add)(part, thread, number)

    def attach(self, parts: Parts) -> None:
        """Take the parts of all threads, once they are made."""
        self.parts = parts
        orders = {number: self.order(number) for number in {request.projection for request in self.plan.weights}}
        self._asked = {k: self._ask(k, request, orders[request.projection])
                       for k, request in enumerate(self.plan.weights) if not request.on_pre}
        for number in sorted({r.projection for r in self.plan.weights if r.on_pre}):
            for thread, part in enumerate(parts):
                self._watch(part, thread, number, orders[number])

    def _ask(self, number: int, request: WeightRequest, order: Order) -> tuple[int, np.ndarray]:
        """Give each thread the columns of a request that are its own: how many this process has, and their order."""
        found = [order.find(part, request.synapses) for part in range(len(self.parts))]
        own = np.sort(np.concatenate([columns for columns, _ in found]))
        for part, (columns, synapses) in zip(self.parts, found, strict=True):
            part.update({f"w{number}_columns": np.searchsorted(own, columns), f"w{number}_synapses": synapses,
                         f"w{number}_every": request.every})
        return own.size, np.argsort(self.world.gather(own))

    # --- numbers of synapses ---------------------------------------------------------------------------------------

    def synapses_of(self, number: int) -> dict[str, np.ndarray]:
        """source, target, delay and w; see ``snnsim.engine``."""
        if number in self.learning:
            return self.learning[number].synapses()
        lowest = self.plan.projections[number].delays[0]

        def delay(part: int, where: slice) -> np.ndarray:
            delays = self.parts[part][f"x{number}_delays"]
            return lowest + delays[where].astype(np.int64) if delays.size else np.full(where.stop - where.start, lowest)

        table = self.table(number, lambda part, where: self.parts[part][f"x{number}_targets"][where], delay)
        return table | {"w": np.asarray(self.column(number, "state_w", self.order(number), for_all=True))}

    def ends_of(self, number: int, synapses: np.ndarray | range) -> tuple[np.ndarray, np.ndarray]:
        """Source and target of some synapses; see ``snnsim.engine``."""
        order = self.order(number)
        found = [order.find(part, synapses) for part in range(len(self.parts))]
        columns = self.world.gather(np.concatenate([own for own, _ in found]))
        targets = self.world.gather(np.concatenate([self._targets(number, part, at)
                                                    for part, (_, at) in enumerate(found)]))
        if not self.world.leads:
            return columns, targets
        target = np.empty(len(synapses), np.int64)
        target[columns] = targets
        return order.sources(synapses), target

    def _targets(self, number: int, part: int, at: np.ndarray) -> np.ndarray:
        if number in self.learning:
            return self.learning[number].targets(part, at) + self.low(number, part)
        return self.parts[part][f"x{number}_targets"][at].astype(np.int64) + self.low(number, part)

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
        rule, first, order = rule_of(self.plan.projections[number]), self.parts[0], self.order(number)
        values: dict[str, Any] = {name: self.column(number, f"state_{name}", order) for name in ("w", *rule.states)}
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
            values["modulator"] = self.of_units(output)
        return values

    def _output(self, number: int) -> str | None:
        """The argument that holds the output which modulates, where one does: no state has it."""
        variable = self._variable(number)
        return None if variable is None or variable[1] == "state" else argument_name(*variable)

    def set(self, number: int, done: int, values: Mapping[str, Any]) -> None:
        """See ``Engine.set_plasticity``."""
        if number in self.learning:
            self.learning[number].set(done, values)
            return
        rule, order = rule_of(self.plan.projections[number]), self.order(number)
        for name in ("w", *rule.states):
            self.set_column(number, f"state_{name}", order, values[name])
        for part in self.parts:
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
            population = self._variable(number)[0]  # type: ignore[index]
            for thread, part in enumerate(self.parts):
                part[output][...] = values["modulator"][slice(*self.slices.bounds(population, thread))]

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
            if request.on_pre:
                continue
            out = np.zeros((rows_between(done, steps, request.every), self._asked[k][0]), self.plan.dtype)
            for part in self.parts:
                part[f"w{k}_out"], part[f"w{k}_first"] = out, done // request.every + 1
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

    def wrong(self) -> tuple[Any, ...] | None:
        """The first synapse that sent more than it may: step, 1, source, target, projection and what to say of it."""
        found = [(fault[0], 1, fault[1], fault[2] + self.low(k, thread), k, float(part[f"x{k}_found"][0]))
                 for thread, part in enumerate(self.parts) for k in self.numbers
                 if (fault := part[f"x{k}_fault"].tolist())[0]]
        if not found:
            return None
        step, _, source, target, number, sent = first = min(found)
        error = out_of_bounds(self.plan, self.plan.projections[number], source, target, step, sent)
        return (*first[:-1], str(error))

    # --- what presynaptic events send -----------------------------------------------------------------------------

    def _watch(self, part: dict[str, Any], thread: int, number: int, canonical: Order) -> None:
        """Tables of the synapses of all requests, by row; `watch_places`: which request, and where in it."""
        requests = [k for k, r in enumerate(self.plan.weights) if r.on_pre and r.projection == number]
        own = {k: canonical.find(thread, self.plan.weights[k].synapses) for k in requests}
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
        return [self._logged(k) if r.on_pre else self._taken(k, rows_between(done, steps, r.every))
                for k, r in enumerate(self.plan.weights)]

    def _taken(self, request: int, rows: int) -> np.ndarray:
        out = self.world.gather(self.parts[0][f"w{request}_out"][:rows])
        return out[:, self._asked[request][1]] if self.world.leads else out

    def _logged(self, request: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step, position in the request and weight, sorted by the first two."""
        number, columns = self.plan.weights[request].projection, []
        for part in self.parts:
            n, places = int(part[f"x{number}_log_at"][0]), part[f"x{number}_watch_places"]
            entry = part[f"x{number}_log_entry"][:n]
            mine = places[0, entry] == request
            columns.append((part[f"x{number}_log_step"][:n][mine], places[1, entry[mine]],
                            part[f"x{number}_log_value"][:n][mine]))
        step, place, value = (self.world.gather(np.concatenate(column)) for column in zip(*columns, strict=True))
        order = np.lexsort((place, step))
        return step[order], place[order], value[order]
