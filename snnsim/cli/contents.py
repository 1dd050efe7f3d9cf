"""What ``snnsim info`` says about a config, a recording or a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnsim.cli.output import print_table
from snnsim.errors import InputError

if TYPE_CHECKING:
    from snnsim.deploy.graph import Connection, Graph
    from snnsim.engine import Backend
    from snnsim.equations import Model
    from snnsim.plan import Plan, Port
    from snnsim.result import Result

TABLES = ("nodes", "populations", "inputs", "projections", "ports", "groups", "connections", "traces", "weights",
          "backends", "files")


def network_contents(config: Path, overrides: Iterable[str]) -> dict[str, Any]:
    """Sizes of a config's parts, and which backends can run it; a random number of synapses is given by its mean.

    Of a network too large for memory, nothing is drawn: it is described without its ports.
    """
    import snnsim
    from snnsim.lowering import make_plan
    from snnsim.size import network_bytes, refuse_network
    from snnsim.places import placed

    network = snnsim.load(config, overrides)
    needed, too_large = network_bytes(network), _refusal(lambda: refuse_network(network))
    plan = None
    if not too_large:
        with placed(network.marks):
            plan = make_plan(network)
    return {
        "file": str(config), "name": network.name, "seed": network.seed, "dt_ms": network.dt,
        "duration_ms": network.duration, "precision": network.precision,
        "neurons": sum(p.n for p in network.populations.values()),
        "synapses": sum(p.bound.synapses for p in network.projections),
        "synapses_exact": all(p.rule.exact for p in network.projections),
        "memory_mb": round(max(needed, _needed(plan)) / 2**20, 1),
        "populations": [{"name": p.name, "n": p.n, "model": p.model.name} for p in network.populations.values()],
        "inputs": [_input(name, each) for name, each in network.inputs.items()],
        "projections": [_projection(p) for p in network.projections],
        "ports": [
            _port(name, port, network.populations[name].model)
            for name, port in ((p.name, port) for p in (plan.populations if plan else ()) for port in p.ports.values())
        ],
        "backends": _backends(plan, too_large),
        "notes": network.notes,
    }


def _port(population: str, port: Port, model: Model) -> dict[str, Any]:
    """Weights are whole multiples of the quantum, so that none is off by more than half of it."""
    from snnsim.plan import model_port
    from snnsim.units import unit_name

    unit = unit_name(model.ports[model_port(port.name)].dimension)
    return {"population": population, "port": port.name, "unit": unit or "1",
            "quantum": port.quantum, "largest_rounding_error": port.quantum / 2, "bits": port.stored}


def _needed(plan: Plan | None) -> int:
    """Bytes with the backend that `auto` takes."""
    from snnsim.registry import choose

    return 0 if plan is None else choose("auto", plan).memory(plan)


def _refusal(check: Callable[[], None]) -> str:
    try:
        check()
    except InputError as error:
        return str(error)
    return ""


def _backends(plan: Plan | None, too_large: str) -> list[dict[str, Any]]:
    from snnsim.registry import backends

    found = []
    for name, backend in backends().items():
        reasons = [too_large] if plan is None else _reasons(backend, plan)
        found.append({"name": name, "can_run": "no" if reasons else "yes", "reason": "; ".join(reasons)})
    return found


def _reasons(backend: Backend, plan: Plan) -> list[str]:
    """Why a backend cannot run a plan here."""
    from snnsim.size import refuse_plan

    if reason := backend.lacks():
        return [reason]
    if refused := backend.refuses(plan):
        return [str(problem) for problem in refused]
    too_large = _refusal(lambda: refuse_plan(plan, backend.memory(plan)))
    return [too_large] if too_large else []


def _input(name: str, entry: Any) -> dict[str, Any]:
    reached = entry.links if hasattr(entry, "links") else entry.injections
    return {"name": name, "type": entry.kind, "to": ", ".join(each.target.name for each in reached)}


def _projection(projection: Any) -> dict[str, Any]:
    spec = projection.rule.to_spec()
    return {
        "name": projection.label, "rule": spec["rule"], "synapses": projection.bound.synapses,
        "synapses_exact": projection.rule.exact, "max_indegree": projection.bound.max_indegree,
        "ports": "/".join(dict.fromkeys(projection.ports)),
        "delay_ms": _range(projection.delay),
    }


def _range(value: Any) -> str:
    return f"{value.low:g}" if value.constant is not None else f"{value.low:g} to {value.high:g}"


def recording_contents(file: Path) -> dict[str, Any]:
    """What a recording holds and how it came about."""
    import snnsim

    result = snnsim.open(file)
    rates, graded = result.rates(), result.graded
    return {
        "file": str(file), "finished": result.finished, "running": result.running,
        "duration_ms": result.duration, "dt_ms": result.dt, **result.provenance,
        "populations": [
            {"name": name, "n": result.size(name), "recorded": len(result.units(name)), "spikes": result.count(name),
             "rate_hz": rates[name], **({"payloads": name in graded} if graded else {})}
            for name in result.populations
        ],
        "traces": [_trace(result, *key) for key in result.traces],
        "weights": [_weights(result, name) for name in result.weight_names],
    }


def _trace(result: Result, population: str, variable: str) -> dict[str, Any]:
    plan = result.trace_plan(population, variable)
    return {"population": population, "variable": variable, "units": len(plan.units), "unit": plan.unit_text,
            "every_ms": plan.every * result.dt}


def _weights(result: Result, name: str) -> dict[str, Any]:
    """`rows`: snapshots, or weights sent."""
    plan = result.weight_plan(name)
    return {"name": name, "projection": plan.projection, "synapses": len(plan.source), "unit": plan.unit_text,
            "on": "pre" if plan.on_pre else None, "every_ms": None if plan.on_pre else plan.every * result.dt,
            "rows": result.count_weights(name)}


def bundle_contents(folder: Path) -> dict[str, Any]:
    """What a bundle holds; every file of it is checked for that."""
    from snnsim.deploy.bundle import open_bundle

    bundle = open_bundle(folder)
    graph, arrivals, facts = bundle.graph(), bundle.arrivals(), bundle.manifest
    return {
        "file": str(folder), **{key: facts[key] for key in ("name", "target", "semantics", "dt_ms", "steps", "units",
                                                            "synapses", "snnsim")},
        "arrivals": arrivals.step.size,
        "groups": [{"name": group.name, "n": group.n, "model": group.model} for group in graph.groups],
        "connections": [_connection(graph, each) for each in graph.connections],
        "traces": [{"population": graph.groups[trace.group].name, "variable": trace.variable,
                    "units": len(trace.units), "every_ms": trace.every * graph.dt} for trace in graph.traces],
        "files": [{"name": name, "bytes": entry["bytes"], "sha256": entry["sha256"][:16]}
                  for name, entry in facts["files"].items()],
    }


def _connection(graph: Graph, connection: Connection) -> dict[str, Any]:
    delays = f"{connection.delay.min()} to {connection.delay.max()}" if connection.delay.size else "-"
    return {
        "name": connection.label, "from": graph.groups[connection.source].name,
        "to": graph.groups[connection.target].name, "synapses": connection.pre.size, "delays": delays,
        "weight_exp": connection.weight_exp, "weight_bits": connection.num_weight_bits, "signs": connection.sign_mode,
        "message_bits": connection.num_message_bits, "learns": "yes" if connection.learning else "no",
    }


def _counted(entries: dict[str, Any]) -> dict[str, Any]:
    """Numbers of synapses as text that says where they are a mean; nothing where there is no value."""
    shown = {key: "" if value is None else value for key, value in entries.items()}
    if not shown.pop("synapses_exact", True):
        shown["synapses"] = f"about {shown['synapses']}"
    return shown


def show(contents: dict[str, Any]) -> None:
    """Print the plain entries, then a table for each list."""
    plain = {key: value for key, value in contents.items() if key not in (*TABLES, "notes")}
    for key, value in _counted(plain).items():
        print(f"{key.replace('_', ' '):<12} {value}")
    for key in TABLES:
        if rows := [_counted(row) for row in contents.get(key, ())]:
            print(f"\n{key}:")
            print_table([column.replace("_", " ") for column in rows[0]], [list(row.values()) for row in rows])
    for text in contents.get("notes", ()):
        print(f"\nnote: {text}")
