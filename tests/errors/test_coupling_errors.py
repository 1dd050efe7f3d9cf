"""The full text of every message about a continuous coupling."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import snnsim as sn
from snnsim.errors import NumericalError

NET = """\
snnsim: 1
models:
  steep: {kind: coupling, variable: v, parameters: {gain: {default: 1, must_be: positive}}, adds: w*(pre - post)/gain}
  in_mv: {kind: coupling, variable: v, parameters: {half: 5 mV}, adds: w*(pre - post)/(1 + abs(pre - post)/half)}
  quiet: {dynamics: "dx/dt = -x/(5 ms) : mV"}
  closed: {dynamics: "dv/dt = -v/(5 ms) : mV"}
  plain: {inputs: {i: 1}, dynamics: "v[n+1] = v + i : 1"}
populations:
  a: {n: 5, model: lif_psc_exp}
  b: {n: 4, model: lif_cond_exp}
  chain: {n: 3, model: relay}
  silent: {n: 1, model: quiet}
  sealed: {n: 1, model: closed}
  bare: {n: 5, model: plain}
projections:
  - connect: all_to_all
    from: a
    to: a
    weight: 1 nS
"""


def fault(changes: dict[str, str]) -> str:
    """What the network with other values in its projection (`-`: without) is answered with, when it is compiled at last."""
    text = NET
    for key, value in changes.items():
        text = re.sub(rf"^    {key}: .*\n", "", text, flags=re.MULTILINE)
        text += f"    {key}: {value}\n" if value != "-" else ""
    with pytest.raises(sn.InputError) as caught:
        sn.compile(sn.loads(text, file="net.yaml"), "reference")
    return re.sub(r"^net.yaml:\d+: ", "", str(caught.value), flags=re.MULTILINE)


CASES: list[tuple[dict[str, str], str]] = [
    ({"coupling": "gap"},
     "projections.0.coupling.model: unknown coupling 'gap'; expected one of: diffusive, gap_junction, in_mv, steep"),
    ({"coupling": "stdp_pair"},
     "projections.0.coupling.model: stdp_pair is a model of synapses, for `synapse:` of a projection; "
     "expected one of: diffusive, gap_junction, in_mv, steep"),
    ({"coupling": "lif_psc_exp"},
     "projections.0.coupling.model: lif_psc_exp is a model of neurons, for a population; expected one of: "
     "diffusive, gap_junction, in_mv, steep"),
    ({"coupling": "3"},
     "projections.0.coupling: expected the name of a coupling, or a mapping such as {model: diffusive, "
     "variable: x}, found 3"),
    ({"coupling": "{variable: v}"},
     "projections.0.coupling: missing key 'model'"),
    ({"coupling": "{model: gap_junction, colour: 1}"},
     "projections.0.coupling.colour: unknown key 'colour'; expected one of: input, model, params, variable"),
    ({"coupling": "gap_junction", "delay": "1 ms"},
     "projections.0.coupling: a coupling acts with the values of the step before, on an input: it has no delay"),
    ({"coupling": "gap_junction", "port": "exc"},
     "projections.0.coupling: a coupling acts with the values of the step before, on an input: it has no port"),
    ({"coupling": "gap_junction", "synapse": "stdp_pair"},
     "projections.0.coupling: a coupling acts with the values of the step before, on an input: it has no synapse"),
    ({"coupling": "diffusive"},
     "projections.0.coupling: missing key 'variable': the variable of both sides that diffusive couples, such as v"),
    ({"coupling": "{model: gap_junction, variable: u}"},
     "projections.0.coupling.variable: unknown state of lif_psc_exp 'u'; expected one of: i_exc, i_inh, v"),
    ({"coupling": "{model: gap_junction, variable: refractory}"},
     "projections.0.coupling.variable: unknown state of lif_psc_exp 'refractory'; expected one of: i_exc, i_inh, v"),
    ({"coupling": "{model: gap_junction, input: i_in}"},
     "projections.0.coupling.input: unknown input of lif_psc_exp 'i_in'; expected one of: i_inj (did you mean "
     "i_inj?)"),
    ({"coupling": "gap_junction", "to": "chain"},
     "projections.0.coupling.variable: unknown state of relay 'v'; expected one of: none"),
    ({"coupling": "gap_junction", "to": "silent"},
     "projections.0.coupling.variable: unknown state of quiet 'v'; expected one of: x"),
    ({"coupling": "gap_junction", "to": "sealed"},
     "projections.0.coupling.input: closed has no continuous input that a coupling could add to"),
    ({"coupling": "gap_junction", "to": "bare"},
     "projections.0.coupling.variable: expected one dimension on both sides, found a voltage (mV) and a "
     "number without unit"),
    ({"coupling": "in_mv", "from": "bare", "to": "bare"},
     "projections.0.coupling.model: in_mv is not for variables that are a number without unit: adds: cannot "
     "add a number without unit and a quantity in 1/mV: 1 and abs(pre - post) / half"),
    ({"coupling": "gap_junction", "weight": "-"},
     "projections.0: missing key 'weight': a conductance (nS) for the coupling gap_junction"),
    ({"coupling": "gap_junction", "weight": "1 pA"},
     "projections.0.weight: wrong unit: expected a conductance (nS), found 1 pA (a current (pA))"),
    ({"coupling": "gap_junction", "weight": "{uniform: [1 nS, 3 mV]}"},
     "projections.0.weight.uniform.1: wrong unit: expected a conductance (nS), found 3 mV (a voltage (mV))"),
    ({"coupling": "gap_junction", "weight": "{expression: 1 pA*i}"},
     "projections.0.weight.expression: expected a conductance (nS), found a current (pA): 1 pA*i"),
    ({"coupling": "gap_junction", "weight": "{expression: 1 nS/i}"},
     "projections.0.weight.expression: is inf for the synapse from unit 0 to unit 0: 1 nS/i"),
    ({"coupling": "{model: gap_junction, params: {gain: 1}}"},
     "projections.0.coupling.params.gain: unknown parameter of gap_junction 'gain'; expected one of: none"),
    ({"coupling": "{model: diffusive, params: 3, variable: v}"},
     "projections.0.coupling.params: expected a mapping, found 3"),
    ({"coupling": "{model: steep, params: {gain: 0}}"},
     "projections.0.coupling.params.gain: expected a value above 0, found 0"),
    ({"coupling": "{model: steep, params: {gain: 3 mV}}"},
     "projections.0.coupling.params.gain: wrong unit: expected a number without unit, found 3 mV (a voltage (mV))"),
]


def _id(part: Any) -> str:
    return "; ".join(part.values()) if isinstance(part, dict) else ""


@pytest.mark.parametrize(("changes", "message"), CASES, ids=_id)
def test_wrong_couplings(changes: dict[str, str], message: str) -> None:
    """Each fault is named with its place in the file, what was expected and what was found."""
    assert fault(changes) == message


DOCUMENTS = [
    ("{kind: coupling}",
     "net.yaml:3: models.mine.adds: missing: what a synapse adds in each step, such as w*(pre - post)"),
    ("{kind: coupling, adds: w*(pre - pist)}",
     "net.yaml:3: models.mine.adds: unknown name 'pist'; expected one of: dt, post, pre, w (did you mean post?)"),
    ("{kind: coupling, adds: w*(pre - post), foo: 1}",
     "net.yaml:3: models.mine.foo: unknown key of a coupling model 'foo'; expected one of: about, adds, kind, "
     "parameters, source, variable"),
    ("{kind: coupling, adds: w > 1}",
     "net.yaml:3: models.mine.adds: expected a number, found the condition w > 1"),
    ("{kind: coupling, variable: 3, adds: w}",
     "net.yaml:3: models.mine.variable: expected the name of a variable, found 3"),
    ("{kind: coupling, parameters: {pre: 1}, adds: w}",
     "net.yaml:3: models.mine.parameters.pre: pre is already the variable of the source"),
    ("{kind: coupling, adds: ''}",
     "net.yaml:3: models.mine.adds: expected an expression, found ''"),
    ("{kind: coupling, adds: w*uniform()}",
     "net.yaml:3: models.mine.adds: uniform(...) is not available in a coupling"),
    ("{kind: coupling, adds: w*w*pre}",
     "net.yaml:3: models.mine.adds: expected something proportional to the weight w, found w * w * pre"),
    ("{kind: coupling, adds: pre - post}",
     "net.yaml:3: models.mine.adds: expected something proportional to the weight w, found pre - post"),
    ("{kind: coupling, adds: 'w*pre + 1 mV'}",
     "net.yaml:3: models.mine.adds: expected something proportional to the weight w, found w * pre + 1 * mV"),
    ("{kind: coupling, adds: 'max(w, 0)*pre'}",
     "net.yaml:3: models.mine.adds: expected something proportional to the weight w, found max(w, 0) * pre"),
    ("{kind: coupling, adds: 'w*pre if w > 0 else 0'}",
     "net.yaml:3: models.mine.adds: cannot choose between a voltage (mV) and a number without unit: w * pre and 0"),
    ("{kind: coupling, adds: w*previous(pre)}",
     "net.yaml:3: models.mine.adds: previous(...) is not available in a coupling: pre and post are as the "
     "step before left them"),
    ("{kind: coupling, adds: w*(pre - post), parameters: 3}",
     "net.yaml:3: models.mine.parameters: expected a mapping such as {gain: 1}, found 3"),
    ("{kind: coupling, adds: w*(pre - 1 ms)}",
     "net.yaml:3: models.mine.adds: cannot subtract a voltage (mV) and a time (ms): pre and 1 * ms"),
    ("{kind: couple, about: x}",
     "net.yaml:3: models.mine.kind: unknown kind of model 'couple'; expected one of: coupling, neuron, "
     "synapse (did you mean coupling?)"),
    ("{kind: coupling, adds: w*(pre > post)}",
     "net.yaml:3: models.mine.adds: expected a number, found the condition pre > post"),
]


@pytest.mark.parametrize(("document", "message"), DOCUMENTS)
def test_wrong_documents(document: str, message: str) -> None:
    """A coupling of one's own: what it adds is a multiple of the weight, of names that are known."""
    with pytest.raises(sn.InputError) as caught:
        sn.loads(f"snnsim: 1\nmodels:\n  mine: {document}\n", file="net.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_coupling_that_diverges(backend: str, tmp_path: Path) -> None:
    """Too strong for the step: each exchange overshoots the last; all before the step in which it is found is recorded."""
    net = sn.Network(duration="20 ms")
    net.population("a", 3, "lif_psc_exp", v_th="1e9 mV", init={"v": ["-70 mV", "-69 mV", "-68 mV"]})
    net.project("a", "a", sn.all_to_all(autapses=False), weight="20 uS", coupling="gap_junction", name="strong")
    net.record(traces={"a": {"variables": ["v"]}})
    out = tmp_path / "out.h5"
    with pytest.raises(NumericalError) as caught:
        sn.run(net, backend=backend, out=out)
    assert str(caught.value) == (
        "projection strong: the coupling of unit 0 to unit 1 became 1.25687e+11 in step 6 (t = 0.6 ms); a smaller dt or "
        f"weaker coupling may help; {out} holds everything up to there")
    assert (sn.open(out).steps, sn.open(out).trace("a", "v").shape) == (5, (5, 3))
