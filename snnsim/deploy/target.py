"""What a chip can hold and what its events cost: a YAML file in which each number names its source.

Built-in targets are in ``targets/``. A file of a user's own builds on one of them, or on another file, with ``base:``
and says only what differs. Facts are replaced as a whole, so that no number is left with the source of another; a plain
number stands for a fact that the file itself gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from snnsim.checked import checked, found
from snnsim.deploy.targets import texts
from snnsim.errors import InputError, Problem, Problems, did_you_mean
from snnsim.places import Marks, placed
from snnsim.schema import NAME, Names, Spec
from snnsim.yamlfile import Document, Place, parse_yaml, read_yaml

Sure = Literal["published", "measured", "assumed", "given"]
Width = Annotated[int, Field(ge=1, le=64)]


class Fact(Spec):
    """Something about a chip, where it is from and how sure it is."""

    source: str = Field(min_length=1)
    sure: Sure

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, raw: Any) -> Any:
        if isinstance(raw, dict) or "value" not in cls.model_fields:
            return raw
        return {"value": raw, "source": "the target's file", "sure": "given"}


class Limit(Fact):
    """At most `value`; a limit that only warns does not shape the placement."""

    value: int = Field(ge=0)
    warn: bool = False


class Count(Fact):
    """So many, at least one."""

    value: int = Field(ge=1)


class Widths(Fact):
    """The numbers of bits that a field can have, in rising order."""

    value: list[Width]


class Switch(Fact):
    """Whether the chip does that."""

    value: bool


class Power(Fact):
    """In mW."""

    value: float = Field(ge=0)


class Cost(Fact):
    """Energy and time of one event; None where they are not known."""

    pj: float | None = Field(default=None, ge=0)
    ns: float | None = Field(default=None, ge=0)


class Settings(Limit):
    """At most `value` different values of these parameters together, on one core."""

    value: int = Field(ge=1)
    params: Names


class Mesh(Fact):
    """Tiles of a chip, cores of a tile, and chips in a row of chips; the mesh goes on from chip to chip."""

    columns: int = Field(ge=1)
    rows: int = Field(ge=1)
    cores_per_tile: int = Field(ge=1)
    chip_columns: int = Field(ge=1)


class Memory(Spec):
    """What synapses have on a core; where it `holds_neurons`, they share it with the state of the neurons."""

    bits_per_core: Limit
    holds_neurons: Switch


class Coding(Spec):
    """How synapses are stored: lists of one per source and core, in blocks with a header, in whole words.

    A dense list has a synapse for each neuron of a group that is on the core; a sparse one says for which by an index.
    """

    block: Count
    header_bits: Limit
    word_bits: Count
    weight_bits: Widths
    index_bits: Widths
    tag_bits: Limit


class Events(Spec):
    """What each event costs."""

    synaptic_operation: Cost
    neuron_active: Cost
    neuron_inactive: Cost
    spike: Cost
    axon_out: Cost
    message: Cost
    hop_east_west: Cost
    hop_north_south: Cost
    learning_update: Cost
    barrier: Cost


class EnergyConstants(Spec):
    """Constants of events, and of which chip they are (`of`)."""

    of: str = Field(min_length=1)
    events: Events
    static_mw_per_chip: Power


class Target(Spec):
    """A chip. delay: the largest beyond one step; epoch: the longest of learning; models: bytes of a neuron."""

    snnsim: Literal[1]
    name: str = Field(pattern=NAME)
    base: str | None = None
    about: str = ""
    chips: Count | None = None
    cores_per_chip: Count
    mesh: Mesh
    neurons_per_core: Count
    axons_in_per_core: Limit
    axons_out_per_core: Limit
    memory: Memory
    synapses: Coding
    delay: Limit
    delay_slots_per_core: Limit | None = None
    message_bits: Limit
    learning: Switch
    epoch: Limit
    settings: dict[str, Settings] | None = None
    synapse_formats_per_core: Limit | None = None
    models: dict[str, Limit]
    energy: EnergyConstants


def load_target(name: str | Path) -> Target:
    """The built-in target of that name, or the one that a YAML file describes.

    Raises ``InputError`` with every fault of the file, each with its line.
    """
    document, problems = _document(name, None, ()), Problems()
    with placed(document.marks):
        target = checked(Target, document.data, problems)
        if target is not None:
            _judge(target, problems)
        problems.check()
    assert target is not None   # nothing is missing without a problem
    return target


def _document(name: str | Path, base_dir: Path | None, chain: tuple[str, ...]) -> Document:
    """The document of a target, merged with that of its base."""
    if str(name) in texts():
        own, label, folder = parse_yaml(texts()[str(name)], f"{name}.yaml"), str(name), None
    else:
        own, path = _read(name, base_dir)
        label, folder = str(path.resolve()), path.parent
    if not isinstance(own.data, dict):
        raise InputError(Problem("", f"expected a mapping, found {found(own.data)}", *own.marks[()]))
    return _on_base(own, folder, (*chain, label)) if "base" in own.data else own


def _read(name: str | Path, base_dir: Path | None) -> tuple[Document, Path]:
    """A file of a user's own, which is called after the file unless it says otherwise; and where it is."""
    path = (base_dir or Path()) / name
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        raise InputError(f"unknown target {str(name)!r}; expected one of: {', '.join(texts())}, or a YAML file"
                         f"{did_you_mean(str(name), texts())}")
    if base_dir is not None and not path.exists():
        raise InputError(f"no such file: {name}")
    own = read_yaml(path)
    if isinstance(own.data, dict) and "name" not in own.data:
        own.data["name"] = path.stem
        own.marks[("name",)] = own.marks[()]
    return own, path


def _on_base(own: Document, folder: Path | None, chain: tuple[str, ...]) -> Document:
    base, mark = own.data["base"], own.marks[("base",)]
    if not isinstance(base, str):
        raise InputError(Problem("base", f"expected the name of a target or a file, found {found(base)}", *mark))
    if chain[-1] in chain[:-1]:
        raise InputError(Problem("base", f"goes round in a circle: {' -> '.join(Path(c).name for c in chain)}", *mark))
    try:
        below = _document(base, folder, chain)
    except InputError as error:
        raise InputError([p if p.file else Problem("base", p.message, *mark) for p in error.problems]) from error
    marks = dict(below.marks)
    return Document(_merged(below.data, own.data, (), marks), {**marks, **own.marks})


def _merged(below: Any, above: Any, place: Place, marks: Marks) -> Any:
    """Both, where `above` wins; a fact, which has a source, is replaced as a whole, and its `marks` are forgotten."""
    if isinstance(below, dict) and isinstance(above, dict) and "source" not in below:
        return {**below, **{key: _merged(below.get(key), value, (*place, key), marks) for key, value in above.items()}}
    for old in [old for old in marks if old[: len(place)] == place]:
        del marks[old]
    return above


def _judge(target: Target, problems: Problems) -> None:
    """What one number cannot say alone."""
    mesh, cores = target.mesh, target.cores_per_chip.value
    places = mesh.columns * mesh.rows * mesh.cores_per_tile
    if cores > places:
        problems.add("cores_per_chip", f"{cores} cores do not fit the mesh: {mesh.columns} x {mesh.rows} tiles, cores "
                                       f"of a tile: {mesh.cores_per_tile}")
    for name in ("weight_bits", "index_bits"):
        widths = getattr(target.synapses, name).value
        if not widths or sorted(set(widths)) != widths:
            problems.add(f"synapses.{name}", f"expected numbers of bits in rising order, found {widths}")
    largest = max(target.synapses.index_bits.value, default=0)
    if target.neurons_per_core.value > 2**largest:
        problems.add("synapses.index_bits", f"{largest} bits cannot tell {target.neurons_per_core.value} neurons of a "
                                            "core apart")
