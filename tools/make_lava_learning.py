"""Writes tests/truth/lava_learning.npz: what Lava's learning synapses become, for given spikes and in networks.

Needs Lava 0.10 (``pip install lava-nc`` on Python 3.10): ``python tools/make_lava_learning.py``. The tests read the
file and need no Lava. Lava's own models are called one step after the other in this process; networks with all pairs
are also run as a whole by Lava's runtime, to see that this is the same (not with ``--quick``).

In the file, ``texts`` is JSON, a list of rules as text and as Lava reads them, and ``cases`` is JSON, a list of
settings. ``<number>/<name>`` belongs to case `number`: ``source``, ``target`` [synapses] in the order of snnsim;
``weight``, ``tag_1``, ``tag_2`` [synapses] at the beginning; ``pre``, ``post`` [spikes, 2] (step, unit), or ``input``
and ``spikes`` of a network; ``checks`` [steps], CRC-32 of the weights (int16) after each step; ``last/<name>``,
weights, tags, traces and states after the last step.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from lava.utils.weightutils import SignMode

OUT = Path(__file__).parents[1] / "tests" / "truth" / "lava_learning.npz"
PRE, POST, STEPS = 13, 11, 300
TRACES = ("x1", "x2", "y1", "y2", "y3")
STDP = {"x1_impulse": 16, "x1_tau": 10, "y1_impulse": 16, "y1_tau": 10}
ALL = {"x1_impulse": 30, "x1_tau": 8, "x2_impulse": 12.5, "x2_tau": 20, "y1_impulse": 25.3, "y1_tau": 6.5,
       "y2_impulse": 40, "y2_tau": 3, "y3_impulse": 9.998, "y3_tau": 0}

# What a rule is, and what a synapse begins with: weights from low to high, and whether tags are drawn.
RULES: dict[str, dict[str, Any]] = {
    "pair": {**STDP, "dw": "2^-2*x1*y0 - 2^-2*y1*x0"},
    "triplet": {**ALL, "dw": "2^-1*x1*y0*y2 - 2^-3*x0*y1"},
    "decaying": {**STDP, "dw": "x1*y0 - 2^-5*u1*w - 2^-1*y1*x0"},
    "tagged": {**ALL, "dw": "2^-2*u2*t*x1 - 2^-6*u2*w", "dt": "2^-1*x1*y0 - 2^-1*x0*y1 - 2^-4*u2*t", "tags": True},
    "three": {**ALL, "dw": "2^-3*x1*y0 + 2^-4*x0*d", "dd": "2^-2*y0*x2 - 2*x0*y1",
              "dt": "2^2*u0*sgn(d - 20) + x0*sgn(w)", "tags": True},
    "constants": {**ALL, "dw": "2^-3*y0*x1*(w + 100) - (3*2^-4)*x0*(y1 + 7)*(120 - w) + u3*2^1*(x2 - 3)"},
    "wrapping": {**ALL, "dw": "-8*2^6*x0*w*w*w*(y1 + 3) + 7*2^8*y0*w*w*x1*y2", "low": -250, "high": 250},
    "coincident": {**ALL, "dw": "2^4*x0*y0 - 5*y0*(x0 + 1) + 2*u0*x0*(y1 - 10) - y0*x0*y1"},
    "excitatory": {**STDP, "dw": "2^-1*x1*y0 - 2^-0*y1*x0", "sign_mode": "excitatory", "low": 0, "high": 255},
    "inhibitory": {**STDP, "dw": "-2^-1*x1*y0 + 2^1*y1*x0", "sign_mode": "inhibitory", "low": -255, "high": 0},
    "short": {**ALL, "dw": "2^0*u0*y3*x2 - 2^-3*u0*w*x1", "num_weight_bits": 4, "dt": "y0*y2 - x0*x2"},
    "own_side": {**ALL, "dw": "x0*x1 - 2^1*y0*y1 + 2^-3*x0*x2*y3 - 2^-2*y0*y3"},
}
# Networks: the rule, the length of an epoch, the share of pairs with a synapse, and what keeps it from exploding.
NETWORKS: list[tuple[str, int, float, dict[str, Any]]] = [
    ("pair", 1, 1.0, {}),
    ("triplet", 3, 0.3, {"dw": "2^-4*x1*y0*y2 - 2^1*x0*y1"}),
    ("decaying", 2, 0.5, {"dw": "2^-2*x1*y0 - 2^-4*u1*w - 2^-1*y1*x0"}),
    ("constants", 4, 1.0, {"dw": "2^-3*y0*x1*(w + 100) - (3*2^-3)*x0*(y1 + 7)*(120 + w) + u3*2^1*(x2 - 3)"}),
    ("tagged", 1, 0.4, {}),
]
CELLS, LONG = 30, 1000
LIF_OPTIONS = {"du": 1500, "dv": 500, "vth": 600, "bias_mant": 60, "bias_exp": 5}


class Port:
    """Stands for a port of Lava: keeps what is sent."""

    value: Any = None

    def send(self, value: Any) -> None:
        self.value = np.array(value)

    def recv(self) -> Any:
        return self.value


def rule_of(case: dict[str, Any]) -> Loihi2FLearningRule:
    settings = {key: value for key, value in case.items() if key in ("dw", "dd", "dt", "t_epoch", "rng_seed")
                or key.endswith(("_impulse", "_tau"))}
    return Loihi2FLearningRule(**settings)


def synapses(case: dict[str, Any], mask: np.ndarray, initial: dict[str, np.ndarray]) -> Any:
    """Lava's dense learning synapses [post, pre] with ports that are none."""
    options = {key: case[key] for key in ("weight_exp", "num_weight_bits") if key in case}
    it = PyLearningDenseModelBitApproximate({
        "learning_rule": rule_of(case), "shape": mask.shape, "graded_spike_cfg": GradedSpikeCfg.USE_REGULAR_IMPULSE,
        "sign_mode": SignMode[case.get("sign_mode", "mixed").upper()], **options})
    it.s_in, it.a_out, it.s_in_bap = Port(), Port(), Port()
    it.num_message_bits, it.a_buff = np.array([0]), np.zeros(mask.shape[0], np.int32)
    it.weights = initial["weight"].astype(np.int32)
    it.tag_1, it.tag_2 = initial["tag_1"].copy(), initial["tag_2"].copy()
    for n, names in ((mask.shape[1], ("x0", "tx", "x1", "x2")), (mask.shape[0], ("y0", "ty", "y1", "y2", "y3"))):
        for name in names:
            setattr(it, name, np.zeros(n, bool if name in ("x0", "y0") else int))
    return it


def do(it: Any, step: int, mask: np.ndarray, pre: np.ndarray, post: np.ndarray) -> int:
    """One step of the synapses, and the check of their weights; pairs without a synapse stay at 0."""
    it.time_step, it.s_in.value, it.s_in_bap.value = step, pre.astype(np.int32), post
    it.run_spk()
    if it.lrn_guard():
        it.run_lrn()
    it.weights = np.where(mask, it.weights, 0)
    return zlib.crc32(it.weights.T[mask.T].astype("<i2").tobytes())


def drawn(case: dict[str, Any], rng: np.random.Generator, mask: np.ndarray) -> dict[str, np.ndarray]:
    weight = rng.integers(case.get("low", -200), case.get("high", 200), mask.shape, endpoint=True)
    tagged = case.get("tags", False)
    return {"weight": np.where(mask, weight, 0), "tag_1": tagged * rng.integers(-100, 100, mask.shape),
            "tag_2": tagged * rng.integers(0, 60, mask.shape)}


def last(it: Any, mask: np.ndarray) -> dict[str, np.ndarray]:
    columns = {f"last/{name}": getattr(it, place).T[mask.T].astype(np.int16)
               for name, place in (("w", "weights"), ("tag_1", "tag_1"), ("tag_2", "tag_2"))}
    return columns | {f"last/{name}": getattr(it, name).astype(np.uint8) for name in TRACES}


def listed(rows: np.ndarray) -> np.ndarray:
    """What is true in rows [steps, units] as (step, unit); steps count from 1."""
    step, unit = np.nonzero(rows)
    return np.stack([step + 1, unit], axis=1).astype(np.uint16)


def begin(mask: np.ndarray, initial: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    source, target = np.nonzero(mask.T)
    return {"source": source.astype(np.uint8), "target": target.astype(np.uint8),
            **{name: values.T[mask.T].astype(np.int16) for name, values in initial.items()}}


def played(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """Synapses between given spikes: some units are busy, so that they spike several times in an epoch."""
    rng = np.random.default_rng(case["draw"])
    mask = rng.random((POST, PRE)) < 0.8
    initial = drawn(case, rng, mask)
    pre, post = (rng.random((STEPS, n)) < rng.choice([0.05, 0.2, 0.6], n) for n in (PRE, POST))
    it = synapses(case, mask, initial)
    checks = [do(it, k + 1, mask, pre[k], post[k]) for k in range(STEPS)]
    return {**begin(mask, initial), "pre": listed(pre), "post": listed(post), "checks": np.array(checks, np.uint32),
            **last(it, mask)}


def cells(n: int) -> Any:
    """Lava's neurons with ports that are none."""
    it = PyLifModelBitAcc({})
    it.a_in, it.s_out = Port(), Port()
    for name, value in LIF_OPTIONS.items():
        setattr(it, name, np.array([value], np.int16) if name.startswith("bias") else value)
    it.u, it.v = np.zeros(n, np.int32), np.zeros(n, np.int32)
    return it


def network(case: dict[str, Any], whole: bool) -> dict[str, np.ndarray]:
    """Neurons that learn among themselves; `whole`: compare with a run of Lava's runtime."""
    rng = np.random.default_rng(case["draw"])
    mask = rng.random((CELLS, CELLS)) < case["share"]
    initial, arrivals = drawn(case, rng, mask), 250 * (rng.random((LONG, CELLS)) < 0.04)
    it, units, spikes, checks = synapses(case, mask, initial), cells(CELLS), [], []
    for k in range(LONG):
        units.a_in.value = it.a_buff + arrivals[k]
        units.run_spk()
        spiked = units.s_out.value.astype(bool)
        spikes.append(spiked)
        checks.append(do(it, k + 1, mask, spiked, spiked))
    if whole:
        run_whole(case, initial, arrivals, np.array(spikes), it.weights)
    return {**begin(mask, initial), "input": listed(arrivals > 0), "spikes": listed(np.array(spikes)),
            "checks": np.array(checks, np.uint32), **last(it, mask),
            "last/u": units.u.astype(np.int32), "last/v": units.v.astype(np.int32)}


def run_whole(case: dict[str, Any], initial: dict[str, np.ndarray], arrivals: np.ndarray, spikes: np.ndarray,
              weights: np.ndarray) -> None:
    """``SystemExit`` unless Lava's runtime comes to the same weights. Only for all-to-all synapses."""
    units = LIF(shape=(CELLS,), **LIF_OPTIONS)
    dense = LearningDense(weights=initial["weight"], tag_1=initial["tag_1"], tag_2=initial["tag_2"],
                          learning_rule=rule_of(case), weight_exp=case.get("weight_exp", 0))
    source = RingBuffer(data=arrivals.T)
    source.s_out.connect(units.a_in)
    units.s_out.connect(dense.s_in)
    dense.a_out.connect(units.a_in)
    units.s_out.connect(dense.s_in_bap)
    try:
        units.run(condition=RunSteps(num_steps=LONG), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        found = dense.weights.get()
    finally:
        units.stop()
    if spikes.sum() < LONG // 2 or (found != weights).any():
        raise SystemExit(f"Lava's runtime differs in {(found != weights).sum()} of {found.size} weights")


def cases() -> list[dict[str, Any]]:
    given = [{"rule": name, **rule, "t_epoch": epoch, "rng_seed": 7 * epoch + k, "draw": 10 * k + epoch}
             for k, (name, rule) in enumerate(RULES.items()) for epoch in (1, 2, 3, 4)]
    whole = [{"rule": name, **RULES[name], "low": -120, "high": 120, "t_epoch": epoch, "rng_seed": k, "draw": 1000 + k,
              "share": share, "weight_exp": k % 3 - 1, **more} for k, (name, epoch, share, more) in enumerate(NETWORKS)]
    return given + whole


# --- what Lava makes of texts -----------------------------------------------------------------------------------------

NAMES = ("x0", "y0", "u0", "u3", "x1", "x2", "y1", "y2", "y3", "w", "d", "t", "z")
# What Lava reads in another way than it stands there, or not at all.
ODD = ["(-w)*x0", "sgn(-w)*x0", "x0*(w*2)", "x0*(w+2+3)", "x0*-2", "2x0x1", "x0 x1", "x0**w", "u10*x1", "x0*(2^-1+w)",
       "x0*((w)+1)", "x0*12^2", "x0*(u1+3)", "x0/y1", "(3*2^4)*x0", "3 * 2 ^ -2*x0", "(-3) * 2 ^ -2 * x0 * y1",
       "-(-3)*x0", "x0*(x0)", "u1*x0 + u2*y0", "x0*(w+300)"]


def texts() -> list[str]:
    """Rules drawn at random, right and wrong ones."""
    rng = random.Random(1)

    def item() -> str:
        a, b, sign, name = rng.randint(0, 20), rng.randint(0, 9), rng.choice(["", "-"]), rng.choice(NAMES)
        return rng.choice([
            name, f"{a}", f"2^{rng.choice(['', '+', '-'])}{b}", f"({sign}{b}*2^{rng.randint(-3, 3)})",
            f"({sign}{name} {rng.choice('+-')} {a})", f"({sign}{a} {rng.choice('+-')} {name})",
            f"sgn({rng.choice('wdtx')}{rng.choice(['', ' - 3', '+2*2^2'])})"])

    def product() -> str:
        when = [rng.choice(["x0", "y0", "u1"])] if rng.random() < 0.9 else []
        return "*".join([*when, *(item() for _ in range(rng.randint(0, 3)))]) or "x0"

    def rule() -> str:
        sign, between = rng.choice(["", "-", " "]), rng.choice([" + ", " - ", "-"])
        return sign + between.join(product() for _ in range(rng.randint(1, 3)))

    return ODD + [rule() for _ in range(400)]


def parsed(text: str) -> Any:
    """Each product as [dependency, mantissa, exponent + 7, [[name, constant, is a sign]]]; None if Lava refuses it."""
    try:
        products = Loihi2FLearningRule(dw=text).active_product_series["dw"].products
    except Exception:  # of many kinds
        return None
    return [[p.dependency, p.s_mantissa, p.s_exp, [[f.state_var, f.const or 0, f.is_sgn] for f in p.factors]]
            for p in products]


def main() -> None:
    settings, arrays = cases(), {}
    for number, case in enumerate(settings):
        whole = case.get("share") == 1 and "--quick" not in sys.argv
        made = network(case, whole) if "share" in case else played(case)
        arrays.update({f"{number}/{name}": values for name, values in made.items()})
        said = {name: int(np.unique(values).size) for name, values in made.items() if name.startswith("last/")}
        print(number, case["rule"], case["t_epoch"], len(made.get("spikes", made.get("pre"))), said)
        case.update({"neuron": LIF_OPTIONS, "n": CELLS, "steps": LONG} if "share" in case else
                    {"pre": PRE, "post": POST, "steps": STEPS})
    read = [[text, parsed(text)] for text in texts()]
    np.savez_compressed(OUT, cases=json.dumps(settings), texts=json.dumps(read), **arrays)


if __name__ == "__main__":
    main()
