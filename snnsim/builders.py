"""Builders: networks that a file names by ``network: {builder: ...}`` instead of writing them out.

A builder is a module of ``snnsim.networks`` that has

- ``Options``: a ``Spec`` of what may stand beside the builder's name;
- ``document(options)``: the network as a file would say it (``models``, ``populations``, ``inputs``, ``projections``);
  ``InputError`` with the name of the option where they do not fit together;
- ``published(options)``: the ``Reference`` that a report compares with, or None; it may be left out.

A network that was built says so: ``Network.origin`` holds the builder and its options, and so does its YAML.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from snnsim import networks
from snnsim.checked import checked, found
from snnsim.errors import InputError, Problems, unknown
from snnsim.network import Network, from_data
from snnsim.same import difference
from snnsim.schema import VERSION, Spec
from snnsim.yamlfile import parse_yaml

PARTS = ("models", "populations", "inputs", "projections")


class Band(NamedTuple):
    """A published number, and between which numbers another simulation of the same network is expected."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Reference:
    """Published statistics of a network's activity.

    source: who published them, where; tolerance: how the bands come about; start: ms that are left out; units: so many
    of each population were counted for the synchrony; window: ms, of its histogram.
    bands: statistic (``rate_hz``, ``cv_isi``, ``synchrony``) -> population -> ``Band``.
    """

    source: str
    tolerance: str
    start: float
    units: int
    window: float
    bands: Mapping[str, Mapping[str, Band]]


def names() -> list[str]:
    """The builders there are."""
    return sorted(name for name in _modules() if _is_builder(_module(name)))


def find(name: Any) -> ModuleType:
    """The builder of that name; ``InputError`` where there is none."""
    if not isinstance(name, str):
        raise InputError(f"expected the name of a builder, found {found(name)}")
    if name not in _modules() or not _is_builder(_module(name)):
        raise InputError(unknown("builder", name, names()))
    return _module(name)


def expand(raw: Any, problems: Problems) -> dict[str, Any]:
    """The parts of the network that ``network: raw`` means, and its ``origin``; faults go to `problems`."""
    if not isinstance(raw, Mapping):
        raise InputError(f"expected a mapping with the key 'builder', found {found(raw)}")
    if "builder" not in raw:
        raise InputError(f"missing key 'builder'; expected one of: {', '.join(names())}")
    before, builder = len(problems.found), None
    with problems.at("builder"):
        builder = find(raw["builder"])
    if builder is None:
        return {}
    options = checked(builder.Options, {key: value for key, value in raw.items() if key != "builder"}, problems)
    if options is None or len(problems.found) > before:
        return {}
    origin = {"builder": raw["builder"], **options.model_dump(exclude_none=True)}
    return {**builder.document(options), "origin": origin}


def build(builder: str, **settings: Any) -> Network:
    """A network from Python: options of the builder and arguments of ``Network`` by name.

    Raises ``InputError`` with every fault.
    """
    top = {key: settings.pop(key) for key in ("seed", "dt", "duration", "precision", "name") if key in settings}
    problems = Problems()
    parts = expand({"builder": builder, **settings}, problems)
    problems.check()
    net = from_data({"snnsim": VERSION, "name": builder, **top, **parts}, None, problems)
    problems.check()
    assert net is not None   # nothing is missing without a problem
    return net


def reference(network_yaml: str) -> tuple[Reference | None, str | None]:
    """What was published of a recorded network, and how it differs from what its builder makes; None: not at all."""
    data = parse_yaml(network_yaml, "<network>").data if network_yaml else {}
    origin = data.get("origin") or {}
    builder, options = _remembered(origin)
    if builder is None or options is None or not hasattr(builder, "published"):
        return None, None
    here = build(origin["builder"], **options.model_dump(exclude_none=True)).to_yaml()
    others = set(data) - set(PARTS) | {"seed", "dt", "precision"}
    changed = difference(network_yaml, here, others, ("in the recording", "as the builder makes it"))
    return builder.published(options), changed


def options_schema() -> dict[str, Any]:
    """The JSON Schema of ``network:``, for editors."""
    found = []
    for name in names():
        schema = _module(name).Options.model_json_schema()
        schema["properties"] = {"builder": {"const": name}, **schema["properties"]}
        found.append({**schema, "title": name, "required": ["builder"]})
    return {"anyOf": found}


def _remembered(origin: Mapping[str, Any]) -> tuple[ModuleType | None, Spec | None]:
    """The builder and the options of an origin; None where this version of snnsim does not know them."""
    name = origin.get("builder")
    if name not in names():
        return None, None
    builder = _module(str(name))
    problems = Problems()
    options = checked(builder.Options, {key: value for key, value in origin.items() if key != "builder"}, problems)
    return builder, None if problems.found else options


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(networks.__path__)]


def _module(name: str) -> ModuleType:
    return import_module(f"snnsim.networks.{name}")


def _is_builder(module: ModuleType) -> bool:
    return hasattr(module, "Options") and hasattr(module, "document")
