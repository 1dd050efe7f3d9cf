"""The network in whole numbers: names, rules and random streams of the float one, so that the same spikes come in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.canonical import plain, to_data
from snnsim.connect import Rule
from snnsim.deploy.quantise.delays import Delays
from snnsim.deploy.quantise.fitting import Fit
from snnsim.deploy.quantise.reading import Reading
from snnsim.deploy.quantise.weights import Part, Weights, unlike
from snnsim.distributions import Constant
from snnsim.feeds import port_of
from snnsim.graph import Train
from snnsim.network import Network
from snnsim.nir.arrays import FEW, Arrays
from snnsim.plan import delay_steps
from snnsim.units import TIME, to_text

MODELS = {"lava010": "loihi_lif", "loihi1": "loihi1_lif"}


class Building:
    """Makes the network. parts: of the projections onto neurons of the chip; wholes: label of a link -> its weight."""

    def __init__(self, reading: Reading, fits: dict[str, Fit], delays: Delays) -> None:
        self.reading, self.old, self.fits, self.delays = reading, reading.net, fits, delays
        self.notes: list[str] = []
        self.params = {name: fit.params(reading.options.semantics) for name, fit in fits.items()}
        weights = Weights(reading, fits, delays)
        self.parts: list[tuple[graph.Projection, list[Part]]] = []
        for p in self.old.projections:
            self.parts.append((p, weights.parts(p) if p.target.name in fits else [weights.passed(p)]))
        self.wholes = {link.label: self._whole(link) for name in fits for _, link in reading.links(name)}
        self.labels: dict[int, str] = {}

    def network(self) -> Network:
        """The whole of it."""
        old = self.old
        duration = None if old.duration is None else _time(old.duration)
        new = Network(_time(old.dt), old.seed, old.name, duration, old.precision, old.base_dir)
        self.new, self.arrays = new, self._arrays()
        calls = [*map(self._population, old.populations.values()), *(self._input(each) for each in old.inputs.values()),
                 *(self._part(p, part) for p, parts in self.parts for part in parts)]
        self.arrays.save()   # before the network is made that reads them
        stay = {population.model.name for name, population in old.populations.items() if name not in self.fits}
        for name, document in old.library.documents().items():
            if name in stay or name not in old.models:
                new.model(name, document)
        for call in calls:
            call()
        self._record()
        new.notes += [note for note in old.notes if note not in new.notes]
        return new if self.reading.options.arrays else self.arrays.bound_to(new)

    def _arrays(self) -> Arrays:
        """Where lists of synapses go: into the network, where they are short."""
        path = self.reading.options.arrays
        if path is not None:
            return Arrays(Path(path).absolute(), temporary=True)   # named in full; it stays
        numbers = sum(4 * part.synapses for _, parts in self.parts for part in parts if part.drawn is not None)
        numbers += sum(np.size(value) for params in self.params.values() for value in params.values())
        if numbers <= FEW:
            return Arrays(None)
        return Arrays(Path(tempfile.mkdtemp(prefix="snnsim-loihi-")) / "arrays.npz", temporary=True)

    # --- populations --------------------------------------------------------------------------------------------------

    def _population(self, it: graph.Population) -> Callable[[], Any]:
        positions = None if it.positions is None else it.positions.spec
        if it.name not in self.fits:
            given = {**it.params, **(plain(it.schedule.spec) if it.schedule else {})}
            return lambda: self.new.population(it.name, it.n, it.model.name, it.init, positions, **given)
        model = MODELS[self.reading.options.semantics]
        params = {key: self._kept(f"{it.name}.{key}", value) for key, value in self.params[it.name].items()}
        init = {key: self._kept(f"{it.name}.{key}", value) for key, value in self.fits[it.name].initial().items()}
        return lambda: self.new.population(it.name, it.n, model, init, positions, **params)

    def _kept(self, key: str, value: Any) -> Any:
        return self.arrays.keep(key, value) if np.ndim(value) else value

    # --- inputs -------------------------------------------------------------------------------------------------------

    def _whole(self, link: graph.Link) -> int:
        return int(np.rint(link.weight * self.fits[link.target.name].factor(port_of(link))))

    def _input(self, each: graph.Input) -> Callable[[], Any]:
        """One input for all targets that see the same; the others get one of their own."""
        if not isinstance(each, (graph.Poisson, graph.SpikeTimes)):
            return lambda: None
        groups: dict[Any, list[graph.Link]] = {}
        for link in each.links:
            groups.setdefault((self._weight(link), self._delay(link), self._port(each, link)), []).append(link)
        if isinstance(each, graph.Poisson) and len(groups) > 1:
            self.notes.append(f"inputs.{each.name}: its spikes are drawn anew for all targets but the first")
        calls = [self._one_input(each, links, key, first=not k) for k, (key, links) in enumerate(groups.items())]
        return lambda: [call() for call in calls]

    def _one_input(self, each: Any, links: list[graph.Link], key: Any, first: bool) -> Callable[[], Any]:
        weight, delay, port = key
        names = [link.target.name for link in links]
        name = each.name if first else unlike(f"{each.name}_{names[0]}", self.old.inputs)
        what: dict[str, Any] = {"rate": each.rate} if isinstance(each, graph.Poisson) else plain(each.train.spec)
        if delay < 0:
            what, delay = _earlier(each.train, -delay, self.old.dt), 0
        late = f"{delay} step" if delay else "0 ms"
        return lambda: self.new.input(name, each.kind, names, weight=weight, delay=late, port=port, **what)

    def _weight(self, link: graph.Link) -> Any:
        if link.label in self.wholes:
            return self.wholes[link.label]
        return Constant(link.target.model.ports[port_of(link)].dimension, link.weight).to_spec()

    def _delay(self, link: graph.Link) -> int:
        return int(delay_steps(link.delay, self.old.dt)) + self.delays.added_input(link)

    def _port(self, each: Any, link: graph.Link) -> str | None:
        return None if link.target.name in self.fits else each.port

    # --- projections --------------------------------------------------------------------------------------------------

    def _part(self, p: graph.Projection, part: Part) -> Callable[[], Any]:
        given: dict[str, Any] = {"name": part.name, "connect": _bare(p.rule)}
        given |= {"weight": part.weight, "delay": part.delay}
        if part.drawn is not None:
            given |= self._listed(part)
        if p.target.name not in self.fits:
            given |= {"port": p.port, "synapse": self._synapse(p), **dict(p.fixed.given if p.fixed else ())}
        elif part.got.exponent:
            given["weight_exp"] = part.got.exponent
        return lambda: self._project(p, part, given)

    def _project(self, p: graph.Projection, part: Part, given: dict[str, Any]) -> None:
        (made,) = self.new.project(p.source.name, p.target.name, **given)
        self.labels[id(part)] = made.label

    def _listed(self, part: Part) -> dict[str, Any]:
        drawn = part.drawn
        assert drawn is not None
        key = f"{part.name or part.projection.label}.{len(self.arrays.kept)}"
        source, target = (self.arrays.keep(f"{key}.{end}", getattr(drawn, end)) for end in ("source", "target"))
        delay = self.arrays.keep(f"{key}.delay", drawn.delay * self.old.dt, "ms")
        return {"connect": {"rule": "explicit", "source": source, "target": target}, "delay": delay,
                "weight": self._numbers(f"{key}.weight", part.got.whole if len(part.got.whole) else drawn.weight)}

    def _numbers(self, key: str, weights: Any) -> Any:
        same = len(weights) and (weights == weights[0]).all()
        return weights[0].item() if same else self.arrays.keep(key, weights)

    def _synapse(self, p: graph.Projection) -> Any:
        if p.synapse is None:
            return None
        entries = list(dict.fromkeys(each.entry for each in self.old.projections))
        return to_data(self.old)["projections"][entries.index(p.entry)]["synapse"]

    # --- recording ----------------------------------------------------------------------------------------------------

    def _record(self) -> None:
        spikes = {name: "all" if ids is None else ids for name, ids in self.old.recording.spikes.items()}
        traces: dict[str, list[dict[str, Any]]] = {}
        for trace in self.old.recording.traces:
            variable = self.variable(trace.population.name, trace.variable)
            if variable is None:
                text = f"{trace.variable} has no state of its own on the chip and is not recorded"
                self.notes.append(f"record.traces.{trace.population.name}: {text}")
                continue
            one = {"variables": [variable], "units": "all" if trace.units is None else trace.units,
                   "every": f"{trace.every} step"}
            traces.setdefault(trace.population.name, []).append(one)
        self.new.record(spikes, traces, {weights.name: _weights(weights) for weights in self.old.recording.weights})

    def variable(self, population: str, variable: str) -> str | None:
        """The state of the chip that stands for one of the float network."""
        if population not in self.fits:
            return variable
        neuron = self.fits[population].neuron
        if variable == self.reading.forms[population].potential:
            return "v"
        return "u" if neuron.currents == (variable,) and np.any(neuron.current[0]) else None


def _bare(rule: Rule) -> Rule:
    """A rule without weights and delays of its own, which are said beside it."""
    return replace(rule, weight=None, delay=None) if rule.name == "explicit" else rule   # type: ignore[call-arg]


def _weights(weights: graph.Weights) -> dict[str, Any]:
    when = {"on": "pre"} if weights.every is None else {"every": f"{weights.every} step"}
    synapses = "all" if weights.synapses is None else weights.synapses
    return {"projection": weights.projection.label, **when, "synapses": synapses}


def _earlier(train: Train, steps: int, dt: float) -> dict[str, Any]:
    """Given spikes, so many steps earlier."""
    return {"ids": train.ids.tolist(), "times": [_time(float(t)) for t in (train.steps - steps) * dt]}


def _time(value: float) -> str:
    return to_text(value, TIME)
