"""The full text of every message about a weight or delay that an expression gives."""

from __future__ import annotations

import re
from typing import Any

import pytest

import snnsim as sn
from snnsim import cli

NET = """\
snnsim: 1
populations:
  a: {n: 5, model: lif_psc_exp, positions: {grid: [5], spacing: 10 um}}
  b: {n: 5, model: lif_cond_exp}
  c: {n: 2, model: lif_psc_exp, positions: {grid: [2, 1], spacing: 10 um}}
inputs:
  noise: {type: poisson, rate: 1 Hz, to: a, weight: 1 pA}
projections:
  - from: a
    to: a
    connect: all_to_all
    weight: 1 pA
    delay: 1 ms
"""


def fault(changes: dict[str, str]) -> str:
    """What a network with other values in its projection is answered with, at the latest when it is compiled."""
    text = NET.replace("weight: 1 pA}", f"weight: {changes['noise']}}}") if "noise" in changes else NET
    for key in changes.keys() - {"noise"}:
        text = re.sub(rf"^    {key}: .*\n", "", text, flags=re.MULTILINE) + f"    {key}: {changes[key]}\n"
    with pytest.raises(sn.InputError) as caught:
        sn.compile(sn.loads(text, file="net.yaml"))
    return re.sub(r"^net.yaml:\d+: ", "", str(caught.value))


CASES: list[tuple[dict[str, str], str]] = [
    ({"weight": "{expression: 1 pA*um/d}"},
     "projections.0.weight.expression: is inf for the synapse from unit 0 to unit 0: 1 pA*um/d"),
    ({"weight": "{expression: 1 pA*log(i - j)}"},
     "projections.0.weight.expression: is -inf for the synapse from unit 0 to unit 0: 1 pA*log(i - j)"),
    ({"weight": "{expression: 1 pA*sqrt(i - j)}"},
     "projections.0.weight.expression: is nan for the synapse from unit 0 to unit 1: 1 pA*sqrt(i - j)"),
    ({"weight": "{expression: 1 mV*i}"},
     "projections.0.weight.expression: expected a current (pA), found a voltage (mV): 1 mV*i"),
    ({"weight": "{expression: 1 pA*n}"},
     "projections.0.weight.expression: unknown name 'n'; expected one of: d, dt, i, j, n_source, n_target"),
    ({"weight": "{expression: poisson(3)*pA}"},
     "projections.0.weight.expression: poisson(...) is not possible here; uniform() and normal() are"),
    ({"to": "b", "weight": "{expression: 1 nS*exp(-d/um)}"},
     "projections.0.weight: d, the distance, needs the positions of the target population"),
    ({"to": "c", "weight": "{expression: 1 pA*exp(-d/um)}"},
     "projections.0.weight: expected positions of one dimension, found 1 coordinates of the source and 2 of the target"),
    ({"to": "b", "port": "inh", "weight": "{expression: 1 nS*(j - 2)}"},
     "projections.0.weight.expression: expected weights of at most 0 for port 'inh' of lif_cond_exp, found 1 nS for the "
     "synapse from unit 0 to unit 3: 1 nS*(j - 2)"),
    ({"delay": "{expression: 1 ms*(j - 2)}"},
     "projections.0.delay.expression: expected delays above 0 ms, found -2 ms for the synapse from unit 0 to unit 0: "
     "1 ms*(j - 2)"),
    ({"delay": "{expression: 1 ms*j}"},
     "projections.0.delay.expression: expected delays above 0 ms, found 0 ms for the synapse from unit 0 to unit 0: 1 ms*j"),
    ({"delay": "{expression: 1 ms/j}"},
     "projections.0.delay.expression: is inf for the synapse from unit 0 to unit 0: 1 ms/j"),
    ({"delay": "{expression: 5 Hz}"},
     "projections.0.delay.expression: expected a time (ms), found a rate (Hz): 5 Hz"),
    ({"noise": "{expression: 1 pA*j}"},
     "inputs.noise.weight: an expression is not possible here, only for parameters and initial values of a population "
     "and for weights and delays of a projection"),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[next(iter(c.values())) + c.get("to", "") for c, _ in CASES])
def test_wrong_expressions(changes: dict[str, str], message: str) -> None:
    """The synapse, its value and the text of the expression are named."""
    assert fault(changes) == message


def test_pairs_of_an_entry_share_their_faults(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for an entry, with its line in the file, also from `validate`, which computes what it has to judge."""
    file = tmp_path / "net.yaml"
    file.write_text(NET.replace("    to: a\n", "    to: [a, c]\n").replace("delay: 1 ms", "delay: {expression: dt*(i - 1)}"))
    assert cli.main(["validate", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"{file}:13: projections.0.delay.expression: expected delays above 0 ms, found -0.1 ms for the synapse from unit 0 "
        "to unit 0: dt*(i - 1)\n")


def test_infinity_is_no_bound() -> None:
    """Values are judged, not the range that an expression could have."""
    net = sn.loads(NET.replace("to: a\n", "to: b\n    port: inh\n").replace("1 pA\n", "{expression: -1 nS*i}\n"))
    weight = sn.compile(net).plan.projections[0].weight
    assert (weight.low, weight.high) == (-4, 0)
