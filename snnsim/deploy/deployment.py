"""From a network to a bundle: whole numbers, a place on the chip, both networks on the same input, and a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.config import load
from snnsim.deploy.adapt import is_whole
from snnsim.deploy.bundle import Bundle, Content, check_bundle, write_bundle
from snnsim.deploy.energy import estimate
from snnsim.deploy.fidelity import Fidelity, compare
from snnsim.deploy.from_plan import SOURCES, arrivals_of, graph_of
from snnsim.deploy.graph import Graph
from snnsim.deploy.manifest import FIXED, NETWORK
from snnsim.deploy.mapper import Activity, place
from snnsim.deploy.quantise import Quantised, quantize
from snnsim.deploy.report import Report, plain
from snnsim.deploy.report.page import page
from snnsim.deploy.target import Target, load_target
from snnsim.deploy.travelling import Luggage
from snnsim.errors import InputError, Problem
from snnsim.lowering import make_plan
from snnsim.network import Network
from snnsim.places import placed
from snnsim.plan import Plan
from snnsim.preflight import check_run
from snnsim.program import Progress
from snnsim.registry import choose
from snnsim.result import Result
from snnsim.runner import run


@dataclass(frozen=True, eq=False)
class Deployed:
    """A bundle that was written. network: in whole numbers; report: with the recordings of both networks."""

    bundle: Bundle
    network: Network
    report: Report

    def again(self, backend: str, threads: int | None = None, progress: Progress | None = None) -> Result:
        """Run the network that is in the bundle, as it stands there, on a backend; all of its spikes are recorded."""
        there = self.bundle.path / (FIXED if FIXED in self.bundle.manifest["files"] else NETWORK)
        net = load(there)
        with every_spike(net):
            return run(net, f"{self.bundle.steps} step", backend, threads, progress=progress)


def deploy(
    net: Network, folder: str | Path, target: str | Path = "loihi2", semantics: str | None = None, duration: Any = None,
    overwrite: bool = False, threads: int | None = None, progress: Progress | None = None, **options: Any,
) -> Deployed:
    """Write the bundle of a network for a chip into `folder`, with a report.

    target: ``loihi2``, ``loihi1``, or a file that describes a chip. semantics: ``lava010`` (default) or ``loihi1``.
    duration: for how long both networks run, and the bundle has input; the network's own where None. options: of
    ``snnsim.quantize``, for a network of real numbers.
    Raises ``InputError`` with everything that the chip cannot do, and where the folder holds anything but a bundle, or
    one and not `overwrite`.
    """
    check_bundle(folder, overwrite)
    chip = _chip(target)
    steps = check_run(net, duration).steps
    quantised, fixed = _whole(net, target, semantics, options)
    plan = _planned(fixed)
    graph, arrivals = graph_of(plan), arrivals_of(plan, 1, steps)
    if semantics not in (None, graph.semantics):
        text = f"expected {graph.semantics}, which the models of the network follow, found {semantics}; leave it out"
        raise InputError(Problem("semantics", text))
    report = _report(net, quantised, fixed, graph, steps, chip, threads, progress)
    luggage = Luggage()
    content = Content(
        graph, arrivals, steps, report.target, plain(report.placement.to_dict()), report.to_dict(), page(report),
        luggage.pack(net), luggage.pack(fixed) if quantised else None, luggage.files,
    )
    return Deployed(write_bundle(folder, content, overwrite), fixed, report)


def _chip(target: str | Path) -> Target:
    try:
        return load_target(target)
    except InputError as error:
        raise InputError([p if p.file else replace(p, path="target") for p in error.problems]) from error


def _whole(
    net: Network, target: str | Path, semantics: str | None, options: Mapping[str, Any]
) -> tuple[Quantised | None, Network]:
    """The network in whole numbers, and how it came about where it was not given so."""
    if not is_whole(net):
        quantised = quantize(net, target, semantics or "lava010", **options)
        return quantised, quantised.network
    if options:
        text = f"{', '.join(options)} is about quantisation, but the network is in whole numbers already; leave it out"
        raise InputError(Problem("quantise", text))
    return None, net


def _planned(fixed: Network) -> Plan:
    """The plan of a network that a chip can run. Where nothing is to be recorded, all spikes are."""
    if not fixed.recording.spikes:
        fixed.record(spikes=_spiking(fixed))
    with placed(fixed.marks):
        plan = make_plan(fixed)
        choose("loihi", plan)
    return plan


def _report(
    net: Network, quantised: Quantised | None, fixed: Network, graph: Graph, steps: int, chip: Target,
    threads: int | None, progress: Progress | None,
) -> Report:
    after = _run(fixed, steps, "loihi", threads, progress)
    before = None if quantised is None else _run(net, steps, "auto", threads, progress)
    fidelity = None if quantised is None or before is None else _fidelity(net, quantised, before, after)
    spikes = counted(graph, after)
    placement = place(graph, chip, Activity(spikes, steps))
    energy = estimate(graph, placement, chip, spikes, steps)
    return Report(graph, steps, placement, energy, after, before, quantised, fidelity)


def _fidelity(net: Network, quantised: Quantised, before: Result, after: Result) -> Fidelity:
    inputs = [name for name, population in net.populations.items() if population.model.name in SOURCES]
    return compare(before, after, inputs, scales=quantised.scales, lags=quantised.lags)


def _run(net: Network, steps: int, backend: str, threads: int | None, progress: Progress | None) -> Result:
    with every_spike(net):
        return run(net, f"{steps} step", backend, threads, progress=progress)


def _spiking(net: Network) -> list[str]:
    return [name for name, population in net.populations.items() if population.model.spiking]


@contextmanager
def every_spike(net: Network) -> Iterator[None]:
    """For a while, the spikes of all units are recorded."""
    asked = net.recording.spikes
    net.recording.spikes = dict.fromkeys(_spiking(net))
    try:
        yield
    finally:
        net.recording.spikes = asked


def counted(graph: Graph, result: Result) -> np.ndarray:
    """How often each unit of a graph has spiked, int64 [units]."""
    spikes = [np.bincount(result.spikes(group.name)[1], minlength=group.n) if group.name in result.populations
              else np.zeros(group.n, np.int64) for group in graph.groups]
    return np.concatenate([np.zeros(0, np.int64), *spikes])
