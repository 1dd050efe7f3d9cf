"""From ``{rule: fixed_indegree, k: 1000}`` to a rule, and functions that write such a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from snnsim.connect.base import Rule
from snnsim.connect.chance import Pairwise
from snnsim.connect.degree import FixedIndegree, FixedOutdegree, FixedTotal
from snnsim.connect.distance import Distance
from snnsim.connect.listed import Explicit
from snnsim.connect.pairs import AllToAll, OneToOne
from snnsim.errors import InputError, Problem, unknown

RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (AllToAll, OneToOne, FixedIndegree, FixedOutdegree, FixedTotal, Pairwise, Distance, Explicit)
}


def rule_from_spec(spec: Any) -> Rule:
    """The rule that ``{rule: name, ...}`` or a bare name says; ``InputError`` with every fault of the mapping."""
    if isinstance(spec, Rule):
        return spec
    given = {"rule": spec} if isinstance(spec, str) else spec
    if not isinstance(given, Mapping) or "rule" not in given:
        raise InputError(f"expected a rule such as {{rule: fixed_indegree, k: 100}}, found {spec!r}")
    name = given["rule"]
    if not isinstance(name, str) or name not in RULES:
        raise InputError(Problem("rule", unknown("connection rule", str(name), RULES)))
    values = {key: value for key, value in given.items() if key != "rule"}
    make: Callable[..., Rule] = RULES[name]
    _check_keys(RULES[name], values)
    return make(**values)


def _check_keys(rule: type[Rule], values: Mapping[str, Any]) -> None:
    known = {f.name: f.default is MISSING for f in sorted(fields(rule), key=lambda f: bool(f.kw_only))}
    missing = [key for key, needed in known.items() if needed and key not in values]
    faults = [Problem("", unknown(f"key of {rule.name}", str(key), known)) for key in values if key not in known]
    faults += [Problem(key, f"missing; {rule.name} needs it") for key in missing]
    faults += [Problem(key, f"expected true or false, found {values[key]!r}") for key in ("autapses", "multapses")
               if not isinstance(values.get(key, True), bool)]
    if faults:
        raise InputError(faults)


def _spec(rule: str, autapses: bool = True, multapses: bool = True, **values: Any) -> dict[str, Any]:
    flags = {"autapses": autapses, "multapses": multapses}
    return {"rule": rule, **values} | {name: False for name, flag in flags.items() if not flag}


def all_to_all(autapses: bool = True) -> dict[str, Any]:
    """Every source to every target."""
    return _spec("all_to_all", autapses)


def one_to_one() -> dict[str, Any]:
    """Source i to target i."""
    return _spec("one_to_one")


def fixed_indegree(k: int, autapses: bool = True, multapses: bool = True) -> dict[str, Any]:
    """Every target has k synapses, from random sources."""
    return _spec("fixed_indegree", autapses, multapses, k=k)


def fixed_outdegree(k: int, autapses: bool = True, multapses: bool = True) -> dict[str, Any]:
    """Every source has k synapses, onto random targets."""
    return _spec("fixed_outdegree", autapses, multapses, k=k)


def fixed_total(n: int, autapses: bool = True, multapses: bool = True) -> dict[str, Any]:
    """n synapses in all, between random pairs."""
    return _spec("fixed_total", autapses, multapses, n=n)


def pairwise(p: float, autapses: bool = True) -> dict[str, Any]:
    """Each pair with probability p."""
    return _spec("pairwise", autapses, p=p)


def distance(kernel: Mapping[str, Any], boundary: str = "open", autapses: bool = True) -> dict[str, Any]:
    """Each pair with a probability of its distance: ``distance({"gaussian": {"p0": 0.5, "sigma": "100 um"}})``."""
    return _spec("distance", autapses, kernel=dict(kernel), boundary=boundary)


def explicit(
    source: Any, target: Any, weight: Any = None, delay: Any = None, autapses: bool = True, multapses: bool = True
) -> dict[str, Any]:
    """The pairs that two lists (or ``{file, key}``) name, with their weights and delays if given here."""
    optional = {key: value for key, value in (("weight", weight), ("delay", delay)) if value is not None}
    return _spec("explicit", autapses, multapses, source=source, target=target, **optional)
