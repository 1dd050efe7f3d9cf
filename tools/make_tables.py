"""Write the tables of docs/models.md from the models, so that they cannot be out of date: run without arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from snnsim.equations import Model
from snnsim.equations.coupling import CouplingModel
from snnsim.equations.functions import FUNCTIONS
from snnsim.equations.synapse import SynapseModel
from snnsim.models import builtin, builtin_coupling, builtin_names, builtin_synapse, coupling_names, synapse_names
from snnsim.units import DIMENSIONLESS, VOLTAGE, unit_name

PAGE = Path(__file__).parents[1] / "docs" / "models.md"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def models() -> str:
    """All built-in models, then each with its parameters."""
    known = [builtin(name) for name in builtin_names()]
    rows = [[f"[`{m.name}`](#{m.name})", m.about, _method(m.document), _ports(m)] for m in known]
    parts = [table(["model", "what it is", "method", "ports (unit of the weight)"], rows)]
    return "\n\n".join([*parts, *map(_section, known)])


def synapses() -> str:
    """The built-in synapse models, then each with its parameters and rules."""
    known = [builtin_synapse(name, DIMENSIONLESS) for name in synapse_names()]
    parts = [table(["model", "what it is"], [[f"[`{m.name}`](#{m.name})", m.about] for m in known])]
    return "\n\n".join([*parts, *map(_synapse_section, known)])


def _synapse_section(model: SynapseModel) -> str:
    rules = {key: part for key, part in model.document.items() if key not in ("kind", "about", "source", "parameters")}
    lines = "\n".join(_part(key, part) for key, part in rules.items())
    return "\n\n".join([*_head(model), f"```text\n{lines}\n```", *_parameters(model)])


def _part(key: str, part: Any) -> str:
    """A part of a document as the file has it: text of several lines indented below its key."""
    if isinstance(part, dict):
        return "\n  ".join([f"{key}:", *(f"{name}: {_flow(value)}" for name, value in part.items())])
    lines = str(part).splitlines()
    return f"{key}: {part}" if len(lines) == 1 else "\n  ".join([f"{key}: |", *lines])


def _flow(value: Any) -> str:
    return str(value) if not isinstance(value, dict) else f"{{{', '.join(f'{k}: {v}' for k, v in value.items())}}}"


def couplings() -> str:
    """The built-in couplings."""
    known = [builtin_coupling(name, VOLTAGE) for name in coupling_names()]
    rows = [[f"`{m.name}`", m.about, _variable(m), f"`{m.document['adds']}`", m.source] for m in known]
    return table(["coupling", "what it is", "variable", "adds", "source"], rows)


def _variable(model: CouplingModel) -> str:
    return f"`{model.variable}`" if model.variable else "to be named"


def functions() -> str:
    """The functions that an expression may call, and the draws."""
    return ", ".join(f"`{name}`" for name in sorted(FUNCTIONS))


def _method(document: dict[str, Any]) -> str:
    method = document.get("integrate", "exact" if "/dt" in document.get("dynamics", "") else "-")
    return method if isinstance(method, str) else ", ".join(f"{key}: {value}" for key, value in method.items())


def _ports(model: Model) -> str:
    return ", ".join(f"`{name}` ({unit_name(port.dimension) or '1'})" for name, port in model.ports.items()) or "-"


def _section(model: Model) -> str:
    states = [f"`{name}`" + (f" ({unit_name(s.dimension)})" if unit_name(s.dimension) else "")
              for name, s in model.states.items() if s.kind.name == "REAL"]
    listed = [f"States: {', '.join(states)}."] if states else []
    return "\n\n".join([*_head(model), *listed, *_parameters(model)])


def _head(model: Model | SynapseModel) -> list[str]:
    return [f"### {model.name}", model.about, *([f"Source: {model.source}."] if model.source else [])]


def _parameters(model: Model | SynapseModel) -> list[str]:
    rows = [[f"`{name}`", model.default_text(name), p.about] for name, p in model.parameters.items()]
    return [table(["parameter", "default", "what it is"], rows)] if rows else []


def text(page: str) -> str:
    """The page with its generated parts made anew."""
    page = _between(page, "functions", functions())
    for name, made in (("models", models()), ("synapses", synapses()), ("couplings", couplings())):
        page = _between(page, name, f"\n{made}\n")
    return page


def _between(page: str, name: str, body: str) -> str:
    begin, end = (f"<!-- {name}: {which} -->" for which in ("begin", "end"))
    made, count = re.subn(f"{begin}.*{end}", lambda _: f"{begin}{body}{end}", page, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{PAGE}: expected {begin} ... {end} once")
    return made


if __name__ == "__main__":
    PAGE.write_text(text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
