"""The file format, as one table of keys: each class is a mapping of the file, each field a key.

Stated here: which keys exist, which are needed, and whether a value is text, a whole number, a list or a mapping.
``snnsim.checked`` judges by it, and ``snnsim.network`` what the values mean. ``json_schema`` is what editors complete
and check with.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GetJsonSchemaHandler
from pydantic_core import core_schema

VERSION = 1
MAX_UNITS = 2**31 - 1
NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"

_ARRAY_FILE = {
    "type": "object", "required": ["file"], "additionalProperties": False,
    "description": "Array from an npz, npy, HDF5 or CSV file, relative to this one.",
    "properties": {"file": {"type": "string"}, "key": {"type": "string"}, "unit": {"type": "string"}},
}
_DISTRIBUTIONS = ("uniform", "normal", "lognormal", "exponential", "discrete", "expression")
_VALUE = {
    "description": "A quantity such as '20 ms', a distribution, an array, or a file with an array.",
    "anyOf": [
        {"type": ["string", "number"]}, {"type": "array"}, _ARRAY_FILE,
        *({"type": "object", "required": [d], "properties": {d: True}, "additionalProperties": False}
          for d in _DISTRIBUTIONS),
    ],
}
_UNITS = {
    "description": "'all', a slice such as '0:10' or '0:100:5', or a list of ids.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}],
}
_RULE = {
    "description": "The connection rule, such as {rule: fixed_indegree, k: 100}.",
    "anyOf": [{"type": "string"}, {"type": "object", "required": ["rule"], "properties": {"rule": {"type": "string"}}}],
}
_SYNAPSE = {
    "description": "The rule of plastic synapses: a model's name, or {model: stdp_pair, params: ...}.",
    "anyOf": [{"type": "string"},
              {"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}}}],
}
_COUPLING = {
    "description": "A continuous coupling in place of spikes: gap_junction, or {model: diffusive, variable: x}.",
    "anyOf": _SYNAPSE["anyOf"],
}
_ONE_OR_MORE: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}
_SPIKES = {"anyOf": [*_ONE_OR_MORE["anyOf"], {"type": "object", "additionalProperties": _UNITS}]}
_ARRAY = {"anyOf": [{"type": "array"}, _ARRAY_FILE]}


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, tuple) else value


Quantity = Annotated[Any, WithJsonSchema({"type": ["string", "number"], "description": "A quantity such as '1.5 ms'."})]
ValueSpec = Annotated[Any, WithJsonSchema(_VALUE)]
UnitsSpec = Annotated[Any, WithJsonSchema(_UNITS)]
ArraySpec = Annotated[Any, WithJsonSchema(_ARRAY)]
Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1), WithJsonSchema(_ONE_OR_MORE)]
Values = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": _VALUE})]


class Spec(BaseModel):
    """One mapping of the file: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as the file writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]


class PopulationSpec(Spec):
    """N units of one model."""

    n: int = Field(ge=1, le=MAX_UNITS, description="Number of units.")
    model: str = Field(description="A built-in model, or a name from `models`.")
    params: Values = Field(default={}, description="Parameters that differ from the model's defaults.")
    init: Values = Field(default={}, description="Initial values of states.")
    positions: Any = Field(default=None, description="Where the units are, for connection rules that ask.")


class PoissonSpec(Spec):
    """An independent Poisson train for each target unit."""

    type: Literal["poisson"]
    to: Names
    rate: ValueSpec
    weight: Quantity = None
    delay: Quantity = None
    port: str | None = None


class SpikeTimesSpec(Spec):
    """Given spikes: those of id k reach unit k of the target."""

    type: Literal["spike_times"]
    to: Names
    times: Annotated[Any, WithJsonSchema({"anyOf": [{"type": "object"}, _ARRAY]})] = None
    ids: ArraySpec = None
    file: str | None = Field(default=None, description="A file with spikes (SONATA, or one of ours).")
    population: str | None = Field(default=None, description="Which population of that file.")
    weight: Quantity = None
    delay: Quantity = None
    port: str | None = None


class CurrentSpec(Spec):
    """A current in steps (`times`, `values`) or a constant one (`amplitude`)."""

    type: Literal["current"]
    to: Names
    times: ArraySpec = None
    values: ArraySpec = None
    amplitude: ValueSpec = None
    input: str | None = Field(default=None, description="Which continuous input of the model; its first unless given.")


class NoiseSpec(Spec):
    """A Gaussian current, drawn anew for each unit and step."""

    type: Literal["noise"]
    to: Names
    sd: ValueSpec
    mean: ValueSpec = None
    input: str | None = Field(default=None, description="Which continuous input of the model; its first unless given.")


class SynapseSpec(Spec):
    """The rule of a plastic projection."""

    model: str = Field(description="A built-in synapse model, or a name from `models`.")
    params: Values = Field(default={}, description="Parameters that differ from the model's defaults.")
    init: Values = Field(default={}, description="Initial values of the synapse's own states.")
    pairing: Literal["all", "nearest"] = Field(default="all", description="Which spikes pair.")
    tie: Literal["none", "pre_first", "post_first"] = Field(
        default="none", description="What coincident spikes of both sides do: not pair, or one side comes first.")
    axonal: Quantity = Field(default=None, description="The part of the delay that lies before the synapse.")
    modulator: str | None = Field(default=None, description="A population, or a variable such as reward.v.")
    modulator_delay: Quantity = Field(default=None, description="Delay of its spikes; one step unless given.")


class LearningSpec(Spec):
    """Learning synapses of Loihi 2."""

    model: Literal["loihi_learning"]
    params: Any = Field(default={}, description="Rules, and numbers of the traces.")
    init: Values = Field(default={}, description="Initial values of tag_1 and tag_2.")


_Impulse = Annotated[float, Field(ge=0, le=127, allow_inf_nan=False)]
_Tau = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LearningParams(Spec):
    """Rules of learning synapses, and what a spike adds to each trace, its time constant in steps, and the epoch."""

    dw: str = Field(default="", description="Change of the weight in an epoch, a sum of products such as 2^-2*x1*y0.")
    dd: str = Field(default="", description="The same for the tag d (Lava's tag_2), which delays nothing.")
    dt: str = Field(default="", description="The same for the tag t (Lava's tag_1).")
    x1_impulse: _Impulse = Field(default=0.0, description="What a spike of the source adds to the trace x1.")
    x1_tau: _Tau = Field(default=0.0, description="Time constant of x1 in steps; 0: gone in a step.")
    x2_impulse: _Impulse = Field(default=0.0, description="What a spike of the source adds to the trace x2.")
    x2_tau: _Tau = Field(default=0.0, description="Time constant of x2 in steps; 0: gone in a step.")
    y1_impulse: _Impulse = Field(default=0.0, description="What a spike of the target adds to the trace y1.")
    y1_tau: _Tau = Field(default=0.0, description="Time constant of y1 in steps; 0: gone in a step.")
    y2_impulse: _Impulse = Field(default=0.0, description="What a spike of the target adds to the trace y2.")
    y2_tau: _Tau = Field(default=0.0, description="Time constant of y2 in steps; 0: gone in a step.")
    y3_impulse: _Impulse = Field(default=0.0, description="What a spike of the target adds to the trace y3.")
    y3_tau: _Tau = Field(default=0.0, description="Time constant of y3 in steps; 0: gone in a step.")
    t_epoch: int = Field(default=1, ge=1, le=63, description="Steps from one change of the weights to the next.")
    rng_seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of the random rounding of traces.")


class CouplingSpec(Spec):
    """A continuous coupling: what the synapses of a projection add to an input of their targets in each step."""

    model: str = Field(description="A built-in coupling, or a name from `models`.")
    variable: str | None = Field(default=None, description="Which variable of both sides; the model's unless given.")
    input: str | None = Field(default=None, description="Which continuous input of the target; its first unless given.")
    params: Values = Field(default={}, description="Parameters that differ from the model's defaults.")


class ProjectionSpec(Spec):
    """Synapses from each population of `from` to each of `to`."""

    name: str | None = Field(default=None, pattern=NAME)
    source: Names = Field(alias="from")
    target: Names = Field(alias="to")
    connect: Annotated[Any, WithJsonSchema(_RULE)]
    weight: ValueSpec = None
    delay: ValueSpec = None
    port: str | None = None
    synapse: Annotated[Any, WithJsonSchema(_SYNAPSE)] = None
    coupling: Annotated[Any, WithJsonSchema(_COUPLING)] = None
    weight_exp: int | None = Field(default=None, ge=-8, le=7, description="Shift of whole-numbered weights.")
    num_weight_bits: int | None = Field(default=None, ge=1, le=8, description="Bits of a whole-numbered weight.")
    sign_mode: Literal["auto", "mixed", "excitatory", "inhibitory"] | None = Field(
        default=None, description="Signs of whole-numbered weights.")
    num_message_bits: int | None = Field(
        default=None, ge=0, le=24, description="0: a message counts as 1; else its payload multiplies the weight.")


class TraceSpec(Spec):
    """States to record."""

    variables: Names
    units: UnitsSpec = "all"
    every: Quantity = Field(default=None, description="Time between records; each step unless given.")


class WeightsSpec(Spec):
    """Weights of a plastic projection to record: what is sent (`on: pre`), or all of them every so often."""

    projection: str
    on: Literal["pre"] | None = None
    every: Quantity = None
    synapses: UnitsSpec = "all"


INPUTS: dict[str, type[Spec]] = {
    "poisson": PoissonSpec, "spike_times": SpikeTimesSpec, "current": CurrentSpec, "noise": NoiseSpec,
}


class _Piece:
    """Described by `model` in the JSON Schema, and left to a ``checked`` of its own otherwise."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return handler(TypeAdapter(self.model).core_schema)


_AnyInput = Annotated[PoissonSpec | SpikeTimesSpec | CurrentSpec | NoiseSpec, Field(discriminator="type")]
_named: dict[str, Any] = {"propertyNames": {"pattern": NAME}}


class RecordSpec(Spec):
    """What goes into the result."""

    spikes: Annotated[Any, WithJsonSchema(_SPIKES)] = []
    traces: dict[str, Annotated[Any, _Piece(TraceSpec)]] = {}
    weights: dict[str, Annotated[Any, _Piece(WeightsSpec)]] = Field(default={}, json_schema_extra=_named)


class NetworkSpec(Spec):
    """A whole file."""

    snnsim: Literal[1] = Field(description="Version of the file format.")
    name: str = Field(default="network", min_length=1, max_length=200)
    seed: int = Field(default=0, ge=0, lt=2**64, description="Everything random comes from it.")
    dt: Quantity = "0.1 ms"
    duration: Quantity = None
    precision: Literal["single", "double"] = "single"
    populations: dict[str, Annotated[Any, _Piece(PopulationSpec)]] = Field(default={}, json_schema_extra=_named)
    inputs: dict[str, Annotated[Any, _Piece(_AnyInput)]] = Field(default={}, json_schema_extra=_named)
    projections: list[Annotated[Any, _Piece(ProjectionSpec)]] = []
    record: Annotated[Any, _Piece(RecordSpec)] = {}
    models: dict[str, Any] = Field(default={}, json_schema_extra=_named, description="Equations of your own.")
    include: list[str] = Field(default=[], description="Other YAML files to merge, relative to this one.")
    network: Any = Field(
        default=None, description="A builder and its options; what it makes is merged below the file.")
    origin: dict[str, Any] | None = Field(
        default=None, description="In canonical files: the builder that made the network. It builds nothing.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the format, for editors."""
    from snnsim.builders import options_schema   # builders are described by this module's classes

    schema = NetworkSpec.model_json_schema()
    schema["properties"]["network"] |= options_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "snnsim network"}
