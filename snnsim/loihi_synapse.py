"""What a projection onto a model in whole numbers says of its weights, and of how they learn: read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from snnsim.checked import checked
from snnsim.connect import Bound
from snnsim.distributions import Value, value_from_spec
from snnsim.equations import Parameter
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.fixed_weights import FIXED_KEYS, FixedWeights, resolved
from snnsim.graph import Population, Projection
from snnsim.loihi_learning import LEARNING, TAGS, Learning
from snnsim.loihi_parse import read_rules
from snnsim.loihi_rules import TARGETS, TRACES
from snnsim.plan import delay_steps
from snnsim.schema import LearningParams, LearningSpec, ProjectionSpec
from snnsim.synaptic import NAMES, of_synapses
from snnsim.units import DIMENSIONLESS, TIME, describe, to_text

if TYPE_CHECKING:
    from snnsim.network import Network

_SEMANTICS = "lava010"   # whose arithmetic learning synapses have
_LOWEST_TAG = -256


def is_learning(synapse: Any) -> bool:
    """Whether ``synapse:`` names Loihi's learning, not a model of a rule."""
    return (synapse.get("model") if isinstance(synapse, Mapping) else synapse) == LEARNING


class LearningModel:
    """What is said of learning where models of synapses are listed."""

    name = LEARNING
    about = ("Learning as on Loihi 2, onto models in whole numbers; weights and tags change at the end of each epoch "
             "by sums of products of traces, as Lava's LearningDense computes them.")
    source = "Lava 0.10.0, lava.magma.core.learning; Davies et al. (2018), IEEE Micro 38(1)"
    document: ClassVar[dict[str, str]] = {"kind": "synapse"}
    parameters: ClassVar[dict[str, Parameter]] = {
        name: Parameter(None, DIMENSIONLESS, field.description or "")
        for name, field in LearningParams.model_fields.items()
    }

    def default_text(self, name: str) -> str:
        """The default of a parameter; rules have none."""
        return str(LearningParams.model_fields[name].default)


# --- weights ---------------------------------------------------------------------------------------------------------

def make_fixed(spec: ProjectionSpec, target: Population, weight: Value) -> FixedWeights | None:
    """What makes whole numbers of the weights, where the target computes in them, or where they learn as on Loihi."""
    given = {key: getattr(spec, key) for key in FIXED_KEYS if getattr(spec, key) is not None}
    learns, semantics = is_learning(spec.synapse), target.model.fixed_point
    if learns:
        _check_learning(target, weight, given)
        semantics = _SEMANTICS
    if not semantics:
        for key in given:
            found = f"found {target.model.name}"
            raise InputError(Problem(key, f"is for models in whole numbers such as loihi_lif, {found}"))
        return None
    mode = resolved(given.get("sign_mode", "mixed" if learns else "auto"), weight)
    fixed = FixedWeights(semantics, **{**given, "sign_mode": mode}, given=tuple(given.items()))
    problems = Problems()
    with problems.at("weight"):
        fixed.check(weight)
    problems.check()
    return fixed


def _check_learning(target: Population, weight: Value, given: Mapping[str, Any]) -> None:
    """``InputError`` where synapses onto this target cannot learn."""
    if target.schedule is None and target.model.fixed_point != _SEMANTICS:
        expected = f"expected a model that computes as {_SEMANTICS}, such as loihi_lif, or one that plays given spikes"
        raise InputError(Problem("synapse.model", f"{LEARNING}: {expected}, found {target.model.name}"))
    if weight.dimension != DIMENSIONLESS:
        found = describe(weight.dimension)
        raise InputError(Problem("weight", f"expected whole numbers without a unit for {LEARNING}, found {found}"))
    if target.schedule is not None and given.get("weight_exp"):
        why, found = f"nothing is sent to {target.name}, which plays given spikes", given["weight_exp"]
        raise InputError(Problem("weight_exp", f"{why}; expected 0, found {found}"))
    if bits := given.get("num_message_bits"):
        raise InputError(Problem("num_message_bits", f"expected 0 with {LEARNING}: its traces take spikes without "
                                                     f"payload, found {bits}"))


# --- learning --------------------------------------------------------------------------------------------------------

def make_learning(net: Network, raw: Any, bound: Bound | None, label: str) -> Learning:
    """The learning that ``synapse:`` of the projection `label` says; ``InputError`` with every fault."""
    raw = {"model": raw} if isinstance(raw, str) else dict(raw)
    problems, params, rules = Problems(), None, None
    if raw.pop("modulator", None) is not None:
        problems.add("modulator", f"{LEARNING} makes y1, y2 and y3 of its targets' spikes (Lava's "
                     "Loihi2FLearningRule); there are no rules whose y traces the neuron sends (Loihi3FLearningRule)")
    spec = checked(LearningSpec, raw, problems)
    with problems.at("params"):
        params = checked(LearningParams, raw.get("params", {}), problems)
        texts = {key: getattr(params, key) for key in TARGETS} if params else {}
        if any(texts.values()) or not problems.found:
            rules = read_rules(texts)
    tags = _tags(net, spec.init if spec else {}, bound, label, problems)
    problems.check()
    assert params is not None and rules is not None
    given = {name: raw["params"][name] for name in LearningParams.model_fields if name in params.model_fields_set}
    impulses, taus = (_of_traces(params, kind) for kind in ("impulse", "tau"))
    return Learning(texts, rules, impulses, taus, params.t_epoch, params.rng_seed, tags, given)


def _of_traces(params: LearningParams, kind: str) -> dict[str, float]:
    """Impulses or time constants, those that are not 0."""
    return {name: value for name in TRACES if (value := getattr(params, f"{name}_{kind}"))}


def _tags(
    net: Network, texts: Mapping[str, Any], bound: Bound | None, label: str, problems: Problems
) -> dict[str, Value]:
    """Initial tags; faults go to `problems`."""
    made = {}
    for name, text in texts.items():
        with problems.at("init", name):
            if name not in TAGS:
                raise InputError(unknown(f"state of {LEARNING}", name, TAGS))
            value = value_from_spec(text, DIMENSIONLESS, net.base_dir, net.dt, NAMES)
            value = value if bound is None else of_synapses(value, bound, f"{label}/{name}", 0.0)
            low, high = max(_LOWEST_TAG, TAGS[name][0]), TAGS[name][1]
            if not (low <= value.low and value.high <= high):
                found = f"{value.low:g} to {value.high:g}"
                raise InputError(f"expected whole numbers from {low} to {high}, found {found}")
            made[name] = value
    return made


def check_delay_of(projection: Projection, dt: float) -> None:
    """``InputError`` unless learning synapses act one step after a spike, as all of Lava's do."""
    if projection.learning is None:
        return
    delay = projection.delay
    if delay.constant is None or delay_steps(delay.constant, dt) != 1:
        found = "delays that differ" if delay.constant is None else to_text(delay.constant, TIME)
        raise InputError(Problem("delay", f"expected 1 step ({to_text(dt, TIME)}) for {LEARNING}: Lava's learning "
                                          f"synapses have no delays, found {found}"))
