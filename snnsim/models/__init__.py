"""The built-in models: one YAML file each, in the form that a user writes below ``models:``."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from snnsim.equations import Model, model_from_document
from snnsim.equations.coupling import CouplingModel, coupling_from_document
from snnsim.equations.synapse import SynapseModel, synapse_from_document
from snnsim.errors import InputError, unknown
from snnsim.units import Dimension

_KIND = re.compile(r"^kind:\s*(\w+)", re.MULTILINE)


@cache
def _texts(kind: str) -> dict[str, str]:
    """Name -> text of the models of one kind: neuron, synapse or coupling."""
    files = sorted((f for f in resources.files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    texts = {f.name.removesuffix(".yaml"): f.read_text(encoding="utf-8") for f in files}
    return {name: text for name, text in texts.items() if _kind(text) == kind}


def _kind(text: str) -> str:
    found = _KIND.search(text)
    return found[1] if found else "neuron"


def builtin_names() -> tuple[str, ...]:
    """The names of the built-in neuron models, sorted."""
    return tuple(_texts("neuron"))


def synapse_names() -> tuple[str, ...]:
    """The names of the built-in synapse models, sorted."""
    return tuple(_texts("synapse"))


def coupling_names() -> tuple[str, ...]:
    """The names of the built-in models of continuous coupling, sorted."""
    return tuple(_texts("coupling"))


@cache
def builtin(name: str) -> Model:
    """A built-in neuron model; ``InputError`` with the nearest name where there is none."""
    if name not in builtin_names():
        raise InputError(unknown("model", name, builtin_names()))
    return model_from_document(name, _parsed(_texts("neuron")[name], name))


@cache
def builtin_synapse(name: str, weight: Dimension) -> SynapseModel:
    """A built-in synapse model for weights of this dimension; ``InputError`` with the nearest name if there is none."""
    if name not in synapse_names():
        raise InputError(unknown("synapse model", name, synapse_names()))
    return synapse_from_document(name, _parsed(_texts("synapse")[name], name), weight)


@cache
def builtin_coupling(name: str, dimension: Dimension) -> CouplingModel:
    """A built-in coupling of variables of this dimension; ``InputError`` with the nearest name if there is none."""
    return coupling_from_document(name, builtin_coupling_document(name), dimension)


@cache
def builtin_coupling_document(name: str) -> dict[str, Any]:
    """The document of a built-in coupling."""
    if name not in coupling_names():
        raise InputError(unknown("coupling", name, coupling_names()))
    return _parsed(_texts("coupling")[name], name)


def _parsed(text: str, name: str) -> Any:
    from snnsim.yamlfile import parse_yaml

    return parse_yaml(text, f"{name}.yaml").data
