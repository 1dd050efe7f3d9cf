"""One step of a model, in its order: integrate, arrivals, hold, spike test, reset, refractory counter."""

from __future__ import annotations

from dataclasses import dataclass

from snnsim.equations.expr import DT, ZERO, Expr, arrival, const, make, select, state, substitute
from snnsim.equations.integrate import METHOD_STEPS, Equations, Values
from snnsim.equations.rules import Rules, before, following
from snnsim.ir.ops import Op, Type

COUNTER = "refractory"
_R = state(COUNTER, Type.INT)
_FALSE = const(False)


@dataclass
class Outcome:
    """A step as trees: values after it, the count or condition of a spike, graded outputs."""

    values: Values
    spikes: Expr | None
    outputs: Values
    payload: Expr | None = None


def step(rules: Rules) -> Outcome:
    """The step of `rules`, normal order."""
    values: Values = {name: state(name) for name in rules.states}
    held = make(Op.LT, const(0), _R) if rules.refractory else None
    if rules.method.spike_test:
        return _with_tests(rules, values, held)
    values |= _integrated(rules, values, held, rules.method.substeps)
    values = _hold(rules, _arrived(rules, values), held)
    spikes, fired = _spikes(rules, values, held)
    outputs, payload = _outputs(rules, values), _payload(rules, values, fired)
    if fired is not None:
        values |= _reset(rules, values, fired)
    if rules.refractory and fired is not None:
        values[COUNTER] = select(fired, rules.refractory.steps, _less_one(_R))
    return Outcome(values, spikes, outputs, payload)


def _payload(rules: Rules, values: Values, fired: Expr | None) -> Expr | None:
    """What the spike of this step carries, 0 where there is none."""
    if rules.payload is None or fired is None:
        return None
    return select(fired, substitute(rules.payload, _seen(rules, values)), ZERO)


def _equations(rules: Rules) -> Equations:
    return Equations(rules.derivatives, frozenset(rules.refractory.held if rules.refractory else ()))


def _integrated(rules: Rules, values: Values, held: Expr | None, substeps: int) -> Values:
    """After the differential equations (in sub-steps) and the maps, which see the values before the step."""
    equations, advance = _equations(rules), METHOD_STEPS[rules.method.name]
    size = make(Op.DIV, DT, const(float(substeps))) if substeps > 1 else DT
    now = {name: values[name] for name in rules.derivatives}
    for _ in range(substeps if now else 0):
        new = advance(equations, values | now, size, held)
        still = equations.read_while_held if substeps > 1 else frozenset()
        now = {name: select(held, now[name], value) if name in still else value for name, value in new.items()}
    return now | _mapped(rules, values)


def _mapped(rules: Rules, values: Values) -> Values:
    known = {state(name): value for name, value in values.items()}
    for name, right in rules.maps.items():
        known[following(name)] = substitute(right, known)
    return {name: known[following(name)] for name in rules.maps}


def _arrived(rules: Rules, values: Values) -> Values:
    seen = _now(rules, values)
    values = dict(values)
    for jump in rules.jumps:
        size = make(Op.MUL, arrival(jump.port), substitute(jump.factor, seen))
        values[jump.state] = make(Op.ADD, values[jump.state], size)
    return values


def _hold(rules: Rules, values: Values, held: Expr | None) -> Values:
    kept = rules.refractory.held if rules.refractory else ()
    return values | {name: select(held, state(name), values[name]) for name in kept}


def _seen(rules: Rules, values: Values, start: Values | None = None) -> dict[Expr, Expr]:
    """What the names of states mean in spike, reset and outputs; `start`: the values that ``previous`` gives."""
    old = {before(name): start[name] if start else state(name) for name in rules.states}
    return _now(rules, values) | old


def _now(rules: Rules, values: Values) -> dict[Expr, Expr]:
    """`values` under the names of states; the new value of a map is what it has now."""
    mapped = {following(name): values[name] for name in rules.maps}
    return {state(name): value for name, value in values.items()} | mapped


def _spikes(
    rules: Rules, values: Values, held: Expr | None, start: Values | None = None
) -> tuple[Expr | None, Expr | None]:
    """The number of spikes (or whether there is one), and whether there is any."""
    if rules.spike is None:
        return None, None
    found = substitute(rules.spike, _seen(rules, values, start))
    if found.type is Type.REAL:
        found = make(Op.TO_INT, found)
    if held is not None:
        free = make(Op.NOT, held)
        found = make(Op.AND, found, free) if found.type is Type.BOOL else select(held, const(0), found)
    return found, found if found.type is Type.BOOL else make(Op.LT, const(0), found)


def _reset(rules: Rules, values: Values, fired: Expr, start: Values | None = None) -> Values:
    seen = _seen(rules, values, start)
    return {name: select(fired, substitute(right, seen), values[name]) for name, right in rules.reset.items()}


def _outputs(rules: Rules, values: Values) -> Values:
    seen = _seen(rules, values)
    return {name: substitute(right, seen) for name, (right, _) in rules.outputs.items()}


def _less_one(counter: Expr) -> Expr:
    return make(Op.MAX, const(0), make(Op.SUB, counter, const(1)))


def _with_tests(rules: Rules, values: Values, held: Expr | None) -> Outcome:
    """Test and reset after every sub-step; from a spike on, the rest of the step is refractory. Arrivals come last."""
    size = make(Op.DIV, DT, const(float(rules.method.substeps)))
    advance, equations = METHOD_STEPS[rules.method.name], _equations(rules)
    waits = make(Op.LT, const(0), rules.refractory.steps) if rules.refractory else None
    count, any_spike, at_rest = const(0), _FALSE, held
    for _ in range(rules.method.substeps):
        new = values | advance(equations, values, size, at_rest)
        kept = rules.refractory.held if rules.refractory else ()
        new |= {name: select(at_rest, values[name], new[name]) for name in kept}
        spikes, fired = _spikes(rules, new, at_rest, values)
        if spikes is None or fired is None:
            raise ValueError("a spike test in sub-steps needs a spike rule")
        values = new | _reset(rules, new, fired, values)
        count = _sum(count, make(Op.TO_INT, spikes) if spikes.type is Type.BOOL else spikes)
        any_spike = _either(any_spike, fired)
        at_rest = _either(held, make(Op.AND, fired, waits)) if held is not None and waits is not None else None
        held = at_rest
    return _finish(rules, values, count, any_spike, at_rest)


def _finish(rules: Rules, values: Values, count: Expr, any_spike: Expr, at_rest: Expr | None) -> Outcome:
    values |= _mapped(rules, {name: state(name) for name in rules.states})
    after = _arrived(rules, values)
    kept = rules.refractory.held if rules.refractory else ()
    after |= {name: select(at_rest, values[name], after[name]) for name in kept}
    outputs = _outputs(rules, after)
    if rules.refractory:
        after[COUNTER] = select(any_spike, rules.refractory.steps, _less_one(_R))
    return Outcome(after, count, outputs)


def _sum(a: Expr, b: Expr) -> Expr:
    return b if a is const(0) else make(Op.ADD, a, b)


def _either(a: Expr | None, b: Expr) -> Expr:
    return b if a is None or a is _FALSE else make(Op.OR, a, b)
