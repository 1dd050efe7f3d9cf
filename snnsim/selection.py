"""What is recorded: populations, units, states, intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.checked import check_name, checked, found
from snnsim.errors import InputError, Problems, unknown
from snnsim.graph import Ids, Population, Projection, Record, Trace, Weights
from snnsim.memory import refuse_array
from snnsim.schema import RecordSpec, TraceSpec, WeightsSpec
from snnsim.timing import read_steps

if TYPE_CHECKING:
    from snnsim.network import Network

_SLICE = re.compile(r"(\d+)?:(\d+)?(?::(\d+))?")


def read_units(spec: Any, n: int) -> Ids | None:
    """Ids, ascending, from ``"all"``, a slice such as ``"0:10"`` or a list; None for all.

    Raises ``InputError`` for ids from `n` on, or none at all.
    """
    if isinstance(spec, str):
        return _sliced(spec, n)
    items = spec.tolist() if isinstance(spec, np.ndarray) else spec
    if not isinstance(items, (list, tuple, range)):
        raise InputError(f"expected 'all', a slice such as '0:10' or a list of ids, found {found(spec)}")
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (int, np.integer)) or not 0 <= item < n:
            raise InputError(f"expected ids from 0 to {n - 1}, found {found(item)}")
    if not len(items):
        raise InputError("expected at least one id, found none")
    ids = np.array(sorted(items), np.int64)
    if repeated := ids[1:][ids[1:] == ids[:-1]].tolist():
        raise InputError(f"expected different ids, found {repeated[0]} more than once")
    return ids


def _sliced(text: str, n: int) -> Ids | None:
    if text == "all":
        return None
    match = _SLICE.fullmatch(text.replace(" ", ""))
    if not match:
        raise InputError(f"expected 'all', a slice such as '0:10' or a list of ids, found {text!r}")
    start, stop, step = (int(part) if part else other for part, other in zip(match.groups(), (0, n, 1), strict=True))
    if stop > n or start >= stop or step == 0:
        raise InputError(f"expected a slice within 0:{n}, found {text!r}")
    if (start, stop, step) == (0, n, 1):
        return None
    refuse_array(8 * len(range(start, stop, step)), f"{len(range(start, stop, step)):,} ids")
    return np.arange(start, stop, step, dtype=np.int64)


def make_record(net: Network, spec: RecordSpec, problems: Problems) -> Record:
    """What `spec` asks for; faults go to `problems`."""
    made = Record()
    with problems.at("spikes"):
        made.spikes = _spikes(net, spec.spikes)
    for name, raw in spec.traces.items():
        several = raw if isinstance(raw, list) else [raw]
        for k, one in enumerate(several):
            with problems.at("traces", name, *([k] if isinstance(raw, list) else [])):
                population = net.find_population(name)
                if (trace := checked(TraceSpec, one, problems)) is not None:
                    made.traces += _traces(net, population, trace)
    for name, raw in spec.weights.items():
        with problems.at("weights", name):
            check_name("recording of weights", name, [w.name for w in net.recording.weights])
            if (weights := checked(WeightsSpec, raw, problems)) is not None:
                made.weights.append(_weights(net, name, weights))
    return made


def _weights(net: Network, name: str, spec: WeightsSpec) -> Weights:
    problems, projection, synapses, every = Problems(), None, None, None
    with problems.at("projection"):
        projection = _plastic(net, spec.projection)
    if projection is not None:
        with problems.at("synapses"):
            synapses = read_units(spec.synapses, projection.bound.synapses)
            if synapses is not None and not projection.bound.rule.exact:
                raise InputError("expected 'all', since the number of synapses is random")
    with problems.at("every"):
        if spec.every is not None:
            every = read_steps(spec.every, net.dt, net.notes, f"record.weights.{name}.every")
    if spec.on is not None and projection is not None and projection.learning is not None:
        problems.add("on", f"the weights of {spec.projection} learn as on Loihi, and are recorded every so often: "
                           "every: 100 ms")
    elif (spec.on is None) == (spec.every is None):
        problems.add("", "expected one of: on: pre (what is sent), every: 100 ms (all of them, so often)")
    problems.check()
    if projection is None:
        raise InputError([])   # its faults are noted already
    return Weights(name, projection, synapses, every)


def _plastic(net: Network, name: str) -> Projection:
    """The plastic projection of that label, or of that name where one pair has it."""
    chosen = [p for p in net.projections if name in (p.label, p.name)]
    known = [p.label for p in net.projections if p.learns]
    if not chosen and name in net.promised:
        raise InputError([])   # its own faults are noted already
    if not chosen:
        raise InputError(unknown("projection", name, known))
    if len(chosen) > 1:
        raise InputError(f"expected one projection; {name} stands for {', '.join(p.label for p in chosen)}")
    if not chosen[0].learns:
        plastic = f"plastic ones are: {', '.join(known)}" if known else "there is no plastic one"
        raise InputError(f"the weights of {name} do not change: give it a `synapse:`; {plastic}")
    return chosen[0]


def _spikes(net: Network, spec: Any) -> dict[str, Ids | None]:
    units = spec if isinstance(spec, Mapping) else {spec: "all"} if isinstance(spec, str) else spec
    if not isinstance(units, (Mapping, list)):
        raise InputError(f"expected a list of populations, or {{population: units}}, found {found(spec)}")
    problems, made = Problems(), {}
    for place, name in enumerate(units):
        with problems.at(name if isinstance(units, Mapping) else place):
            population = net.find_population(name)
            if not population.model.spiking:
                raise InputError(f"{population.model.name}, the model of {name}, does not spike")
            made[name] = read_units(units[name], population.n) if isinstance(units, Mapping) else None
    problems.check()
    return made


def _traces(net: Network, population: Population, spec: TraceSpec) -> list[Trace]:
    problems, units, every = Problems(), None, 1
    known = [*population.model.states, *population.model.outputs]
    for k, variable in enumerate(spec.variables):
        if variable not in known:
            problems.add(f"variables.{k}", unknown(f"variable of {population.model.name}", variable, known))
    with problems.at("units"):
        units = read_units(spec.units, population.n)
    with problems.at("every"):
        place = f"record.traces.{population.name}.every"
        every = 1 if spec.every is None else read_steps(spec.every, net.dt, net.notes, place)
    problems.check()
    return [Trace(population, variable, units, every) for variable in spec.variables]
