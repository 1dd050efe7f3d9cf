"""Commands that look without running: validate, info, backends, models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnsim.cli.output import Config, Json, Settings, note, print_json, print_table
from snnsim.errors import InputError

if TYPE_CHECKING:
    from snnsim.equations import Model
    from snnsim.equations.coupling import CouplingModel
    from snnsim.equations.synapse import SynapseModel
    from snnsim.loihi_synapse import LearningModel

    AnyModel = Model | SynapseModel | CouplingModel | LearningModel

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def validate(config: Config, settings: Settings = None, as_json: Json = False) -> None:
    """Check a config without running it.

    Prints every error of the file at once, each with its place.
    """
    import snnsim
    from snnsim.lowering import make_plan
    from snnsim.places import placed

    try:
        network = snnsim.load(config, settings or ())
        with placed(network.marks):
            make_plan(network)   # what is drawn or computed for each unit or synapse may be wrong, too
    except InputError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": [asdict(problem) for problem in error.problems], "notes": []})
        raise typer.Exit(error.exit_code) from error
    if as_json:
        print_json({"ok": True, "problems": [], "notes": network.notes})
        return
    for text in network.notes:
        note(f"note: {text}")
    neurons = sum(population.n for population in network.populations.values())
    print(f"{config}: valid; {_count(neurons, 'neuron')} in {_count(len(network.populations), 'population')}, "
          f"{_count(len(network.projections), 'projection')}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)


def info(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A config, a recording, a bundle or a NIR file.", show_default=False)
    ],
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """What is in a config, a recording, a bundle or a NIR file.

    Populations, projections, synapses; for a config also which backends can run it. The files of a bundle are checked.
    """
    from snnsim.cli.contents import bundle_contents, network_contents, recording_contents, show

    if file.suffix.lower() == ".nir":
        from snnsim.nir import contents as nir_contents

        contents = nir_contents(file)
    elif _is_bundle(file):
        contents = bundle_contents(file)
    else:
        contents = recording_contents(file) if _is_recording(file) else network_contents(file, settings or ())
    print_json(contents) if as_json else show(contents)


def _is_bundle(file: Path) -> bool:
    if not file.is_dir():
        return False
    from snnsim.deploy.manifest import GRAPH, is_bundle

    return is_bundle(file) or (file / GRAPH).exists()


def _is_recording(file: Path) -> bool:
    if not file.is_file():
        return file.is_dir()
    with file.open("rb") as stream:
        return stream.read(len(HDF5_MAGIC)) == HDF5_MAGIC


def backends(as_json: Json = False) -> None:
    """What can run a network here, or why not."""
    from snnsim.registry import available

    found = available()
    if as_json:
        print_json([asdict(backend) for backend in found])
        return
    rows = [(b.name, b.version, "yes" if b.usable else "no", b.device or b.reason) for b in found]
    print_table(("backend", "version", "usable", "on, or why not"), rows)


def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show this one.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """The built-in models, or all about one.

    Those of neurons, synapses and couplings: equations or rules, parameters with units and defaults, and the source.
    """
    from snnsim.loihi_learning import LEARNING
    from snnsim.models import builtin_names, coupling_names, synapse_names

    if name is not None:
        model = _built_in(name)
        print_json(_model_contents(model)) if as_json else _show_model(model)
        return
    synapses = sorted((*synapse_names(), LEARNING))
    parts = {"model": builtin_names(), "synapse model": synapses, "coupling": coupling_names()}
    known = {title: [_built_in(each) for each in names] for title, names in parts.items()}
    if as_json:
        models = [model for part in known.values() for model in part]
        print_json([{"name": model.name, "kind": _kind(model), "about": model.about} for model in models])
        return
    for number, (title, part) in enumerate(known.items()):
        if number:
            print()
        print_table((title, "about"), [(model.name, model.about) for model in part])


def _built_in(name: str) -> AnyModel:
    from snnsim.errors import unknown
    from snnsim.loihi_synapse import LearningModel
    from snnsim.models import builtin, builtin_coupling, builtin_names, builtin_synapse, coupling_names, synapse_names
    from snnsim.units import DIMENSIONLESS, VOLTAGE

    if name == LearningModel.name:
        return LearningModel()
    if name in synapse_names():
        return builtin_synapse(name, DIMENSIONLESS)
    if name in coupling_names():
        return builtin_coupling(name, VOLTAGE)
    if name in builtin_names():
        return builtin(name)
    known = [*builtin_names(), *synapse_names(), LearningModel.name, *coupling_names()]
    raise InputError(unknown("model", name, known))


def _kind(model: AnyModel) -> str:
    return str(model.document.get("kind", "neuron"))


def _model_contents(model: AnyModel) -> dict[str, Any]:
    from snnsim.equations import Model
    from snnsim.equations.synapse import SynapseModel

    contents = {
        "name": model.name, "kind": _kind(model), "about": model.about, "source": model.source,
        "document": model.document,
        "parameters": {
            name: {"default": model.default_text(name), "about": parameter.about}
            for name, parameter in model.parameters.items()
        },
    }
    if isinstance(model, Model):
        return contents | _of_neuron(model)
    return contents | (_of_synapse(model) if isinstance(model, SynapseModel) else {})


def _of_synapse(model: SynapseModel) -> dict[str, Any]:
    return {"states": {name: str(model.document["states"][name]) for name in model.states}}


def _of_neuron(model: Model) -> dict[str, Any]:
    from snnsim.units import unit_name

    return {
        "states": {name: unit_name(state.dimension) for name, state in model.states.items()},
        "ports": {name: unit_name(port.dimension) for name, port in model.ports.items()},
    }


def _part(key: str, value: Any) -> str:
    """A part of a model's document: several lines as they are, anything else on one line."""
    import yaml

    if isinstance(value, str):
        lines = value.strip().splitlines()
        return f"{key}: {value.strip()}" if len(lines) == 1 else "\n  ".join([f"{key}:", *lines])
    return f"{key}: {yaml.safe_dump(value, sort_keys=False, default_flow_style=True, width=1000).strip()}"


def _show_model(model: AnyModel) -> None:
    contents = _model_contents(model)
    print(f"{model.name}: {model.about}")
    if model.source:
        print(f"source: {model.source}")
    print()
    for key, part in model.document.items():
        if key not in ("about", "source", "parameters"):
            print(_part(key, part))
    if contents["parameters"]:
        print()
        rows = [(name, p["default"], p["about"]) for name, p in contents["parameters"].items()]
        print_table(("parameter", "default", "about"), rows)
    if "ports" in contents:
        print()
        print_table(("port", "unit of the weight"), [(name, unit or "1") for name, unit in contents["ports"].items()])
