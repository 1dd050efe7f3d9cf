"""The tables of a deployment's report: a header and rows of text, from the numbers of ``report.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snnsim.report.pieces import Table

Numbers = dict[str, Any]
PARTS = ("kept", "lost", "gained")

POPULATIONS = (
    "What a time constant, the threshold above the reset and the rest above the reset came to, and by how much that "
    "is off. Rest is where the constant input alone takes the potential; its error is in parts of the threshold."
)
HEADROOM = (
    "One unit is the smallest step of the potential, and what keeps it from being smaller is beside it. The "
    "potential saturates at the lowest; it is expected to reach as far from the reset as is said. Each step cuts "
    "fractions, which puts the potential off by no more than the rounding. Overflow: so many arrivals of the largest "
    "weight in one step turn the sign of the current. Late: what the float network does in one step, the chip does "
    "so many later."
)
PROJECTIONS = (
    "A weight is its mantissa times 2 to the exponent. Step: the smallest change of a weight, in its own unit. "
    "Errors are in parts of the weights: of their sum, root mean square, and the largest. Zero and cut: synapses "
    "that became 0, or reached the largest mantissa."
)
INPUTS = "What the host adds for each spike, as a whole number."
TRACES = (
    "Differences of recorded states in the unit of the float network; before: up to the first spike of each unit "
    "that only one network has. Swing: largest less smallest value."
)


def number(value: Any, digits: int = 3) -> str:
    """A number in a table; a dash for one that there is not."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.{digits}g}"


def share(part: Any) -> str:
    """A part of a whole, in per cent."""
    return "-" if part is None else "0" if part == 0 else f"{100 * part:.2g} %"


def _scaled(value: float, unit: str, first: int) -> str:
    """With a prefix; first: the power of ten, a multiple of 3, that `value` counts in."""
    names = {-12: "p", -9: "n", -6: "u", -3: "m", 0: ""}
    if not value:
        return f"0 {unit}"
    power = next((p for p in sorted(names, reverse=True) if abs(value) * 10.0**first >= 10.0**p), first)
    return f"{value * 10.0 ** (first - power):.3g} {names[power]}{unit}"


def joules(pj: float) -> str:
    """An energy from picojoules."""
    return _scaled(pj, "J", -12)


def seconds(ns: float) -> str:
    """A time from nanoseconds."""
    return _scaled(ns, "s", -9)


def many(count: int, noun: str) -> str:
    """So many of something."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def summary(data: Numbers) -> list[Sequence[str]]:
    """The whole in a few lines: what each is about, and what there is to say."""
    placement = data["placement"]
    where = f"{many(placement['cores'], 'core')} on {many(placement['chips'], 'chip')}"
    return [
        ("network", f"{data['name']}: {many(data['units'], 'unit')}, {many(data['synapses'], 'synapse')}"),
        ("target", f"{data['target']}, numbers as of {data['semantics']}"),
        ("simulated", f"{data['duration_ms']:g} ms in {data['steps']:,} steps"),
        *_faithful(data["fidelity"]),
        ("placed on", f"{where}; {_fullest(placement)}"),
        ("fits", "yes" if data["fits"] else "no"),
        *_energy(data["energy"]),
    ]


def _faithful(fidelity: Numbers | None) -> list[Sequence[str]]:
    return [] if fidelity is None else [
        (f"within {total['window_ms']:g} ms" if total["window_ms"] else "same step", _kept(total))
        for total in fidelity["total"]]


def _kept(match: Numbers) -> str:
    before = match["kept"] + match["lost"]
    part = f" ({match['kept'] / before:.1%})" if before else ""
    kept = f"{match['kept']:,} of {many(before, 'spike')} kept{part}"
    return f"{kept}, {match['lost']:,} lost, {match['gained']:,} gained"


def _fullest(placement: Numbers) -> str:
    """Which limit of a core is used most, of those that do not only warn."""
    shares = {name: (use["mean"], use["largest"], max(use["limit"], 1)) for name, use in placement["use"].items()
              if not use["warn"]}
    name = max(shares, key=lambda name: shares[name][0] / shares[name][2])
    mean, largest, limit = shares[name]
    return f"{name.replace('_', ' ')} {mean / limit:.0%} used on average, {largest / limit:.0%} at most"


def _energy(energy: Numbers) -> list[Sequence[str]]:
    return [
        ("energy", f"{joules(energy['dynamic_pj'])} for all events, {joules(energy['dynamic_pj_per_step'])} a step "
                   f"({energy['label']})"),
        ("time", f"{seconds(energy['step_ns'])} a step at least ({energy['label']})"),
    ]


# --- quantisation ----------------------------------------------------------------------------------------------------

def populations(quantisation: Numbers) -> Table:
    header = ("population", "units", "model", "time constant (ms)", "of current (ms)", "threshold", "rest")
    return header, [
        (p["population"], number(p["units"]), f"{p['model']} to {p['chip_model']}", _change(p["potential"]),
         _change(p["current"]), _change(p["threshold"], p["unit"]), _change(p["rest"], p["unit"]))
        for p in quantisation["populations"]
    ]


def headroom(quantisation: Numbers) -> Table:
    header = ("population", "one unit", "limited by", "lowest potential", "to reach", "rounding", "current used",
              "overflow", "late (steps)")
    return header, [
        (p["population"], f"{number(p['least'])} {p['unit']}", p["limited_by"],
         *(f"{number(p[key])} {p['unit']}" for key in ("lowest", "reach", "rounding")), share(p["current_share"]),
         number(p["overflow"]), number(p["lag"]))
        for p in quantisation["populations"]
    ]


def _change(change: Numbers | None, unit: str = "") -> str:
    if change is None:
        return "-"
    return f"{change['got']:.4g} {unit}".rstrip() + (f" ({100 * change['error']:+.2g} %)" if change["error"] else "")


def projections(quantisation: Numbers) -> Table:
    header = ("projection", "synapses", "mantissas", "exponent", "signs", "step", "error of sum", "rms", "largest",
              "zero", "cut", "delays (steps)")
    return header, [
        (p["projection"], number(p["synapses"]), _span(p["mantissas"]), number(p["exponent"]), p["sign_mode"],
         number(p["step"]), share(p["mean"]), share(p["rms"]), share(p["largest"]), share(p["zero"]), share(p["cut"]),
         _span(p["delays"]))
        for p in quantisation["projections"]
    ]


def _span(ends: Sequence[int]) -> str:
    return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def inputs(quantisation: Numbers) -> Table:
    header = ("input", "to", "type", "weight", "whole number")
    return header, [(each["input"], each["target"], each["type"], _change(each["weight"]), number(each["whole"]))
                    for each in quantisation["inputs"]]


# --- fidelity --------------------------------------------------------------------------------------------------------

def spikes(fidelity: Numbers) -> Table:
    windows = [f"{part} ({total['window_ms']:g} ms)" for total in fidelity["total"] for part in PARTS]
    header = ("population", "units", "spikes", "on the chip", *windows, "distance")
    return header, [
        (p["population"], number(p["units"]), number(p["spikes_float"]), number(p["spikes_fixed"]),
         *(number(match[part]) for match in p["matches"] for part in PARTS),
         number(p["van_rossum_relative"]))
        for p in fidelity["populations"]
    ]


def rates(fidelity: Numbers) -> Table:
    header = ("population", "rate (Hz)", "on the chip", "change", "units changed", "5 % of units", "median unit",
              "95 % of units", "CV of intervals", "on the chip")
    return header, [
        (p["population"], number(p["rate_float_hz"]), number(p["rate_fixed_hz"]), share(p["rate_change"]),
         number(p["units_changed"]), *(_signed(p["unit_rate_changes_hz"].get(part)) for part in ("5%", "50%", "95%")),
         number(p["cv_isi_float"]), number(p["cv_isi_fixed"]))
        for p in fidelity["populations"]
    ]


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3g} Hz"


def first_divergence(numbers: Numbers) -> str:
    """Where the two networks first differ, in words."""
    first = numbers["first_divergence"]
    if first is None:
        return "The spikes are the same."
    unit = f"unit {first['unit']} of {first['population']}"
    return f"They first differ at {first['time_ms']:g} ms: {unit} {_VERBS[first['spike']]}."


_VERBS = {"lost": "loses a spike", "gained": "has a spike more"}


def traces(numbers: Numbers) -> Table:
    header = ("population", "state", "on the chip", "unit", "swing", "largest", "rms", "largest before")
    return header, [
        (t["population"], t["variable"], t["fixed_variable"], t["unit"] or "1",
         *(number(t[key]) for key in ("swing", "largest", "rms", "largest_before"))) for t in numbers["traces"]
    ]


# --- placement -------------------------------------------------------------------------------------------------------

def use(placement: Numbers) -> Table:
    header = ("of each core", "mean", "largest", "limit", "how sure", "source")
    return header, [
        (name.replace("_", " "), number(each["mean"]), number(each["largest"]), number(each["limit"]), each["sure"],
         each["source"]) for name, each in placement["use"].items()
    ]


def groups(placement: Numbers) -> Table:
    return ("group", "cores"), [(name, number(len(cores))) for name, cores in placement["groups"].items()]


def traffic(messages: Numbers) -> Table:
    rows = {"total": "all on the chips", "within_core": "of these within a core",
            "between_chips": "of these from chip to chip", "from_host": "from the host",
            "mean_hops": "mean hops of a message"}
    return ("messages a step", ""), [(text, number(messages[name])) for name, text in rows.items()]


def pairs(messages: Numbers) -> Table:
    return ("from core", "to core", "messages a step", "hops"), [
        tuple(number(each[key]) for key in ("from", "to", "messages", "hops")) for each in messages["top"]]


# --- energy ----------------------------------------------------------------------------------------------------------

def energy(numbers: Numbers) -> Table:
    """Events that were counted; those whose cost is known first."""
    header = ("event", "count", "pJ each", "energy", "ns each", "how sure", "source")
    known = {constant["event"]: constant for constant in numbers["constants"]}
    rows = [_event(name, count, known.get(name), numbers["pj"].get(name)) for name, count in numbers["counts"].items()]
    return header, sorted(rows, key=lambda row: row[3] == "-")


def _event(name: str, count: int, constant: Numbers | None, pj: float | None) -> Sequence[str]:
    text, each = name.replace("_", " "), constant or {"pj": None, "ns": None, "sure": "-", "source": "-"}
    spent = "-" if pj is None else joules(pj)
    return text, number(count), number(each["pj"]), spent, number(each["ns"]), each["sure"], each["source"]
