"""From what a file or a call says to inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from snnsim.assemble import read_delay, weighted
from snnsim.checked import found
from snnsim.distributions import Constant, Value, value_from_spec
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.graph import Current, Floats, Injection, Input, Link, Noise, Poisson, Population, SpikeTimes, Train
from snnsim.random import POISSON_MOST
from snnsim.schema import CurrentSpec, NoiseSpec, PoissonSpec, Spec, SpikeTimesSpec
from snnsim.timing import check_range
from snnsim.trains import KEYS, read_train
from snnsim.units import RATE, TIME, Dimension, to_text

if TYPE_CHECKING:
    from snnsim.network import Network


def make_input(net: Network, name: str, spec: Any) -> Input:
    """The input that `spec` says; ``InputError`` with all of its faults."""
    problems = Problems()
    targets = net.find_populations(spec.to, "to", problems)
    made = None
    with problems.at(""):
        made = _MAKERS[type(spec)](net, name, spec, targets)
    problems.check()
    if made is None:
        raise InputError([])   # none of the targets is there, which is noted
    return made


def _poisson(net: Network, name: str, spec: PoissonSpec, targets: list[Population]) -> Input:
    problems, rate = Problems(), None
    with problems.at("rate"):
        rate = value_from_spec(spec.rate, RATE, net.base_dir, net.dt)
        _not_negative(rate)
        _not_too_many(rate, net.dt)
        for target in targets:
            rate.check_size(target.n, "units")
    links = _links(net, name, spec, targets, problems)
    problems.check()
    assert rate is not None
    return Poisson(name, rate, links, spec.port)


def _spike_times(net: Network, name: str, spec: SpikeTimesSpec, targets: list[Population]) -> Input:
    problems, train = Problems(), None
    with problems.at(""):
        n = min((target.n for target in targets), default=1 << 31)
        train = read_train({key: getattr(spec, key) for key in KEYS}, n, net.dt, net.base_dir)
    links = _links(net, name, spec, targets, problems)
    problems.check()
    assert isinstance(train, Train)
    return SpikeTimes(name, train, links, spec.port)


def _links(net: Network, name: str, spec: Any, targets: list[Population], problems: Problems) -> tuple[Link, ...]:
    """Where spikes of an input arrive; weight and delay are the same for all of them."""
    links, faults = [], Problems()
    for target in targets:
        delay = ports = weight = None
        with faults.at(""):
            ports, weight = weighted(net, target.model, spec.port, spec.weight)
        with faults.at("delay"):
            delay = read_delay(net, spec.delay, f"inputs.{name}")
        for key, value in (("weight", weight), ("delay", delay)):
            if value and value.constant is None:
                faults.add(key, f"expected one quantity for all units, found {found(getattr(spec, key))}")
        if ports and weight and delay and not faults.found:
            links.append(Link(f"{name}->{target.name}", target, ports, weight.constant or 0.0, delay.constant or 0.0))
    problems.found += dict.fromkeys(faults.found)   # targets share their faults
    return tuple(links)


def _not_negative(value: Value) -> None:
    if value.low < 0:
        raise InputError(f"expected at least 0, found {to_text(value.low, value.dimension)}")


def _not_too_many(rate: Value, dt: float) -> None:
    if rate.high * dt > POISSON_MOST:
        most = f"{to_text(POISSON_MOST / dt, RATE)} ({POISSON_MOST:g} spikes in a step of {to_text(dt, TIME)})"
        raise InputError(f"expected at most {most}, found {to_text(rate.high, RATE)}")


def _current(net: Network, name: str, spec: CurrentSpec, targets: list[Population]) -> Input:
    injections, dimension = _injections(name, spec, targets)
    if (spec.amplitude is None) == (spec.values is None):
        raise InputError("expected either 'amplitude', or 'times' with 'values', found "
                         + ("neither" if spec.values is None else "both"))
    if spec.values is None:
        if spec.times is not None:
            raise InputError(Problem("times", "belong to 'values'; an 'amplitude' holds from the start on"))
        value = _each(net, "amplitude", spec.amplitude, dimension, targets)
        return Current(name, np.zeros(1), (value,), injections, spec.input, True)
    times, values = _staircase(net, spec, dimension, targets)
    return Current(name, times, values, injections, spec.input, False)


def _staircase(
    net: Network, spec: CurrentSpec, dimension: Dimension, targets: list[Population]
) -> tuple[Floats, tuple[Value, ...]]:
    problems, times = Problems(), np.zeros(0)
    values: tuple[Value, ...] = ()
    with problems.at("times"):
        if spec.times is None:
            raise InputError("missing: expected one time for each of the values")
        times = _numbers(net, spec.times, TIME)
        if (np.diff(times) <= 0).any() or (times < 0).any():
            raise InputError("expected ascending times from 0 on")
        check_range(times.max(initial=0.0), net.dt)
    with problems.at("values"):
        values = _levels(net, spec.values, dimension, targets)
    problems.check()
    if len(times) != len(values):
        expected = f"expected {len(times)} values, one for each of the times"
        raise InputError(Problem("values", f"{expected}, found {len(values)}"))
    return times, values


def _numbers(net: Network, spec: Any, dimension: Dimension) -> Floats:
    value = value_from_spec(spec, dimension, net.base_dir, net.dt)
    if value.size is None:
        raise InputError(f"expected a list of quantities, found {found(spec)}")
    return value.draw(None, (0, value.size))  # type: ignore[arg-type]


def _levels(net: Network, spec: Any, dimension: Dimension, targets: list[Population]) -> tuple[Value, ...]:
    """One value for each time: quantities, or what differs between units."""
    if not isinstance(spec, (list, tuple)):
        return tuple(Constant(dimension, float(x)) for x in _numbers(net, spec, dimension))
    problems, values = Problems(), []
    for k, text in enumerate(spec):
        with problems.at(""):
            values.append(_each(net, str(k), text, dimension, targets))
    problems.check()
    return tuple(values)


def _each(net: Network, key: str, text: Any, dimension: Dimension, targets: list[Population]) -> Value:
    problems, value = Problems(), None
    with problems.at(key):
        value = value_from_spec(text, dimension, net.base_dir, net.dt)
        for target in targets:
            value.check_size(target.n, "units")
    problems.check()
    assert value is not None
    return value


def _noise(net: Network, name: str, spec: NoiseSpec, targets: list[Population]) -> Input:
    injections, dimension = _injections(name, spec, targets)
    problems, mean, sd = Problems(), None, None
    with problems.at(""):
        mean = _each(net, "mean", to_text(0, dimension) if spec.mean is None else spec.mean, dimension, targets)
    with problems.at(""):
        sd = _each(net, "sd", spec.sd, dimension, targets)
        with problems.at("sd"):
            _not_negative(sd)
    problems.check()
    assert mean is not None
    assert sd is not None
    return Noise(name, mean, sd, injections, spec.input)


def _injections(name: str, spec: Any, targets: list[Population]) -> tuple[tuple[Injection, ...], Dimension]:
    """Where a current arrives, and its dimension, which all targets must share."""
    problems, made = Problems(), []
    for target in targets:
        with problems.at(""):
            made.append(Injection(f"{name}->{target.name}", target, _drive(target, spec.input)))
    problems.check()
    if not made:
        raise InputError([])   # none of the targets exists, which is noted
    dimensions = {inj.target.model.drives[inj.drive]: inj.target.name for inj in made}
    if len(dimensions) > 1:
        listed = " and ".join(f"{dimension} for {target}" for dimension, target in dimensions.items())
        raise InputError(Problem("to", f"the targets take different quantities, {listed}; use an input for each"))
    return tuple(made), next(iter(dimensions))


def _drive(target: Population, name: str | None) -> str:
    drives = target.model.drives
    if not drives:
        raise InputError(Problem("to", f"{target.model.name}, the model of {target.name}, has no continuous input"))
    if name is not None and name not in drives:
        raise InputError(Problem("input", unknown(f"input of {target.model.name}", name, drives)))
    return name or next(iter(drives))


_MAKERS: dict[type[Spec], Callable[..., Input]] = {
    PoissonSpec: _poisson, SpikeTimesSpec: _spike_times, CurrentSpec: _current, NoiseSpec: _noise,
}
