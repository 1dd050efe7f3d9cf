"""The built-in models: one YAML file each, in the form that a user writes below ``models:``."""

from __future__ import annotations

from functools import cache
from importlib import resources

from snnsim.equations import Model, model_from_document
from snnsim.errors import InputError, unknown


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the built-in models, sorted."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


@cache
def builtin(name: str) -> Model:
    """A built-in model; ``InputError`` with the nearest name where there is none."""
    import yaml

    if name not in builtin_names():
        raise InputError(unknown("model", name, builtin_names()))
    text = (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    return model_from_document(name, yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
