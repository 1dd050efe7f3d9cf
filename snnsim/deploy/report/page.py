"""A deployment's report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from snnsim.deploy.report import figures, tables
from snnsim.deploy.report import Report
from snnsim.report.pieces import facts, heading, listed, paragraph, picture, table, whole

SAME = (
    "Both networks got the same input. A spike is kept where the same unit has one in the other network within the "
    "window, in pairs one to one; what has no partner is lost (of the float network) or gained. The distance is that "
    "of van Rossum (10 ms); 1 is as far as the float network is from silence. Where activity is chaotic, one spike "
    "more or less changes all that come after it: rates and CV then tell more than spikes that were kept."
)
SURE = "Of each limit: where it is from, and how sure that is (published, measured on a chip, assumed, or given)."


def page(report: Report) -> str:
    """The page as text."""
    data = report.to_dict()
    title = f"{data['name']} on {data['target']}"
    return whole(title, _body(report, data))


def _body(report: Report, data: dict[str, Any]) -> Iterable[str]:
    yield facts(tables.summary(data))
    yield from _changes(data)
    if data["quantisation"] is not None:
        yield from _quantised(data["quantisation"])
    if report.fidelity is None:
        yield from _figure(figures.emulated(report.after))
    else:
        yield from _faithful(report, data["fidelity"])
    yield from _placed(report, data["placement"])
    yield from _energy(data["energy"])


def _changes(data: dict[str, Any]) -> Iterable[str]:
    """What does not fit, and what else is not as in the file."""
    faults = [f"{v['level']}: {v['where']}: {v['message']}; {v['remedy']}" for v in data["placement"]["violations"]]
    yield heading("What does not fit")
    yield listed(faults) if faults else paragraph("Nothing: every limit of the target is kept.")
    if data["quantisation"] is None:
        yield paragraph("The network was given in whole numbers; nothing was changed.")
    elif data["quantisation"]["notes"]:
        yield heading("What is not as in the file")
        yield listed(data["quantisation"]["notes"])


def _quantised(quantisation: dict[str, Any]) -> Iterable[str]:
    yield heading("Populations in whole numbers")
    yield table(*tables.populations(quantisation))
    yield paragraph(tables.POPULATIONS)
    yield table(*tables.headroom(quantisation))
    yield paragraph(tables.HEADROOM)
    for name, rows, about in (("Projections", tables.projections, tables.PROJECTIONS),
                              ("Inputs", tables.inputs, tables.INPUTS)):
        if quantisation[name.lower()]:
            yield heading(f"{name} in whole numbers")
            yield table(*rows(quantisation))
            yield paragraph(about)


def _faithful(report: Report, fidelity: dict[str, Any]) -> Iterable[str]:
    assert report.fidelity is not None and report.before is not None   # they go together
    yield heading("What the chip does differently")
    yield table(*tables.spikes(fidelity))
    yield table(*tables.rates(fidelity))
    yield paragraph(f"{tables.first_divergence(fidelity)} {SAME}")
    if not fidelity["same_input"]:
        yield paragraph("The populations that the host makes spike did not do the same in both networks.")
    yield from _figure(figures.raster(report.before, report.after, report.fidelity))
    yield from _figure(figures.rates(report.fidelity.populations))
    if fidelity["traces"]:
        yield heading("States", 3)
        yield table(*tables.traces(fidelity))
        yield paragraph(tables.TRACES)


def _figure(figure: tuple[str, str]) -> Iterable[str]:
    yield heading(figure[0], 3)
    yield picture(*figure)


def _placed(report: Report, placement: dict[str, Any]) -> Iterable[str]:
    cores, chips = placement["cores"], placement["chips"]
    yield heading(f"Placement: {tables.many(cores, 'core')} on {tables.many(chips, 'chip')}")
    yield table(*tables.use(placement))
    yield paragraph(SURE)
    yield from _figure(figures.loads({
        name.replace("_", " "): np.array([getattr(core, name) for core in report.placement.cores], float) / use["limit"]
        for name, use in placement["use"].items() if use["limit"]}))
    yield heading("Groups", 3)
    yield table(*tables.groups(placement))
    yield heading("Traffic")
    yield table(*tables.traffic(placement["messages"]))
    if placement["messages"]["top"]:
        yield heading("The busiest pairs of cores", 3)
        yield table(*tables.pairs(placement["messages"]))


def _energy(energy: dict[str, Any]) -> Iterable[str]:
    yield heading(f"Events and energy ({energy['label']})")
    yield table(*tables.energy(energy))
    dynamic, static = (tables.joules(energy[name]) for name in ("dynamic_pj", "static_pj"))
    yield paragraph(
        f"All events together: {dynamic} in {energy['steps']:,} steps. A step takes at least "
        f"{tables.seconds(energy['step_ns'])}, which core {energy['busiest']} needs; the chips take {static} "
        "more for being on that long. These are estimates from counts. What the host adds to ports is not among them.")
