"""A continuous coupling as ``Synapses``: what each of them adds, and its sum as a ``(summed)`` variable of the targets.

It is computed at the beginning of a step, from what the step before left. What is summed are whole numbers of quanta,
as in the other backends, so the order does not matter.
"""

from __future__ import annotations

from typing import Any

from brian2 import Clock, NeuronGroup, Synapses

from snnsim.backends.brian2.language import Language, constants, own, quantity, synaptic, unit_text
from snnsim.backends.brian2.runners import Then, running
from snnsim.backends.brian2.synapses import DUE
from snnsim.equations.coupling import ADDS, POST, PRE, WEIGHT
from snnsim.plan import Plan
from snnsim.plastic import check_adds

_ADDS, _SUM, _INPUT = 1, 2, 3
_QUANTUM = synaptic("quantum")


def total(number: int) -> str:
    """The variable of the targets of a projection in which what it adds is summed, in quanta."""
    return f"coupled_{number}"


class CoupledSynapses:
    """All synapses of a coupling."""

    def __init__(self, plan: Plan, number: int, groups: list[NeuronGroup], clock: Clock, code: Any) -> None:
        self.plan, self.number, self.it = plan, number, plan.projections[number]
        assert self.it.coupling is not None
        self.rule, self.clock, self.code = self.it.coupling, clock, code
        table = self.it.table(plan.populations[self.it.target].n)
        self.source, self.target, self.weight = table["source"], table["target"], table["weight"].astype(plan.dtype)
        self.runners: dict[str, Any] = {}
        self.pathways: list[Any] = []
        self.synapses = self._build(groups) if self.source.size else None

    def _build(self, groups: list[NeuronGroup]) -> Synapses:
        model, target = self.rule.equations, self.plan.populations[self.it.target].model
        assert model is not None
        assert target is not None
        added = target.drives[self.rule.input]
        variable = own(self.rule.variable)
        say = Language({WEIGHT: synaptic(WEIGHT), PRE: f"{variable}_pre", POST: f"{variable}_post",
                        **{name: synaptic(name) for name in model.parameters}})
        made = Synapses(
            groups[self.it.source], groups[self.it.target],
            f"{synaptic(WEIGHT)} : {unit_text(model.weight(added))} (constant)\n{synaptic(ADDS)} : {unit_text(added)}\n"
            f"{total(self.number)}_post = rint({synaptic(ADDS)}/{_QUANTUM}) : 1 (summed)",
            namespace=constants(model.parameters, self.rule.values) | {_QUANTUM: quantity(self.rule.quantum, added)},
            clock=self.clock, name=f"projection_{self.number}", codeobj_class=self.code,
        )
        made.connect(i=self.source, j=self.target)
        made.variables[synaptic(WEIGHT)].get_value()[...] = self.weight
        adding = made.run_regularly(f"{synaptic(ADDS)} = {say(model.document[ADDS])}", clock=self.clock, when=DUE,
                                    order=_ADDS, codeobj_class=self.code)
        self.runners[adding.name] = Then(adding, self._check)
        updater = made.summed_updaters[f"{total(self.number)}_post"]
        updater.when, updater.order, updater.codeobj_class = DUE, _SUM, self.code
        return made

    def _check(self) -> None:
        """``NumericalError`` where a synapse adds more than can come of a network that is stable."""
        assert self.synapses is not None
        adds = self.synapses.variables[synaptic(ADDS)].get_value()
        check_adds(self.plan, self.it, running(self.clock), self.source, self.target, adds)


def add_up(plan: Plan, coupled: list[CoupledSynapses], groups: list[NeuronGroup], clock: Clock, code: Any) -> None:
    """Let the inputs of all targets have what is summed for them."""
    inputs: dict[tuple[int, str], list[CoupledSynapses]] = {}
    for each in coupled:
        if each.synapses is not None:
            inputs.setdefault((each.it.target, each.rule.input), []).append(each)
    for (target, name), together in inputs.items():
        model = plan.populations[target].model
        assert model is not None
        total_text = " + ".join(total(each.number) for each in together)
        size = quantity(together[0].rule.quantum, model.drives[name])
        group = groups[target]
        group.namespace[f"{own(name)}_quantum"] = size
        group.run_regularly(f"{own(name)} = {own(name)} + ({total_text})*{own(name)}_quantum", clock=clock, when=DUE,
                            order=_INPUT, codeobj_class=code)
