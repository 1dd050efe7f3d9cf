"""A float network as one in whole numbers for a chip of the Loihi family: ``sn.quantize``.

How the numbers come about, and why, is in docs/design/quantiser.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.deploy.limits import MOST_DELAY
from snnsim.deploy.quantise.building import MODELS, Building
from snnsim.deploy.quantise.delays import find_delays
from snnsim.deploy.quantise.fitting import Fit, choose_scales, fit
from snnsim.deploy.quantise.measure import measure
from snnsim.deploy.quantise.options import Options, read_options
from snnsim.deploy.quantise.reading import Reading, read_network
from snnsim.deploy.quantise.report import (
    QuantisationReport, input_report, no_leak, population_report, projection_report,
)
from snnsim.deploy.target import load_target
from snnsim.deploy.trace_error import Scale
from snnsim.feeds import port_of
from snnsim.network import Network
from snnsim.places import placed
from snnsim.units import TIME, to_text


@dataclass(frozen=True)
class Quantised:
    """A network in whole numbers.

    report: what that did to it. scales: (population, variable of the float network) -> the state of the chip that
    stands for it, and what one unit of it is; sizes and offsets are numbers, or float64 [n]. lags: population -> by how
    many steps it is behind the float one: what that does in step k, it does in step k + lag.
    """

    network: Network
    report: QuantisationReport
    scales: Mapping[tuple[str, str], Scale]
    lags: Mapping[str, int]


def quantize(net: Network, target: str | Path = "loihi2", semantics: str = "lava010", **options: Any) -> Quantised:
    """`net` in the whole numbers of a chip, with the same connections, delays and inputs, and a report of all errors.

    target: ``loihi2``, ``loihi1``, or a file that describes a chip. semantics: ``lava010`` (Lava's fixed-point
    processes) or ``loihi1``. options: see ``snnsim.deploy.quantise.options.Options``.

    Raises ``InputError`` with everything in the network that the chip cannot do, each with its place.
    """
    chosen = read_options({"target": target, "semantics": semantics, **options})
    most = min(MOST_DELAY, load_target(target).delay.value + 1)
    with placed(net.marks):
        reading = read_network(net, chosen)
        delays = find_delays(reading, most)
        reading.problems.check()
    measure(reading)
    fits = {name: fit(reading, name) for name in reading.neurons}
    for name, one in fits.items():
        one.lag = delays.lags[name]
    choose_scales(reading, fits)
    with placed(net.marks):
        _check_inputs(reading, fits)
    building = Building(reading, fits, delays)
    network = building.network()
    report = _report(reading, fits, building, chosen)
    network.notes += [note for note in report.notes if note not in network.notes]
    return Quantised(network, report, _scales(reading, fits), {name: delays.lags[name] for name in net.populations})


def _check_inputs(reading: Reading, fits: Mapping[str, Fit]) -> None:
    """``InputError`` where units of a population need different weights of an input, which has but one."""
    for name, one in fits.items():
        for each, link in reading.links(name):
            factor = np.asarray(one.factor(port_of(link)))
            if factor.ndim:
                low, high = np.sort(np.abs(factor / np.median(factor)))[[0, -1]]
                found = f"found effects from {low:.3g} to {high:.3g} times the middle one; make populations of them"
                text = f"expected units of {name} that take this weight alike, {found}"
                reading.problems.add(f"inputs.{each.name}.weight", text)
    reading.problems.check()


def _scales(reading: Reading, fits: Mapping[str, Fit]) -> dict[tuple[str, str], Scale]:
    found = {}
    for name, one in fits.items():
        size, neuron = np.asarray(one.size), one.neuron
        found[name, reading.forms[name].potential] = Scale("v", _plain(1 / size), neuron.reset)
        if len(neuron.currents) == 1 and np.any(neuron.current[0]):
            factor, offset = neuron.current
            sizes = _plain(factor / (size * one.mended[1]))
            found[name, neuron.currents[0]] = Scale("u", sizes, _plain(offset), neuron.late)
    return found


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _report(reading: Reading, fits: Mapping[str, Fit], building: Building, options: Options) -> QuantisationReport:
    net, model, forms, dropped = reading.net, MODELS[options.semantics], reading.forms, reading.dropped
    populations = [
        population_report(net.populations[name], forms[name].potential, one, building.params[name], model, net.dt,
                          dropped.get(name, 0.0)) for name, one in fits.items()]
    projections = [projection_report(part, building.labels[id(part)], _factor(fits[p.target.name], part), net.dt)
                   for p, parts in building.parts if p.target.name in fits for part in parts]
    inputs = [input_report(each, link, float(one.factor(port_of(link))), building.wholes[link.label])
              for name, one in fits.items() for each, link in reading.links(name)]
    notes = [*building.notes, *_notes(reading, fits)]
    return QuantisationReport(str(options.target), options.semantics, tuple(populations), tuple(projections),
                              tuple(inputs), tuple(notes))


def _factor(one: Fit, part: Any) -> float:
    """From the weights of a projection to mantissas of exponent 0, typically."""
    return float(np.median(one.factor(part.projection.ports[int(part.mode == "inhibitory")])))


def _notes(reading: Reading, fits: Mapping[str, Fit]) -> list[str]:
    notes = [f"populations.{name}: the refractory time of {to_text(time, TIME)} is left out"
             for name, time in reading.dropped.items()]
    notes += [f"populations.{name}: its leak is less than 1/8192 in a step and is lost; a larger dt keeps it"
              for name, one in fits.items() if no_leak(one.neuron, one)]
    return notes
