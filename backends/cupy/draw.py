"""Tells the device which synapses to draw: the numbers of a rule, of its weights and its delays.

What only the host can draw is drawn there, block by block, and listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from snnsim.backends.cupy.build_job import JOB, RULES, VALUE, VALUES, Launcher, pieces
from snnsim.backends.cupy.layout import Layout
from snnsim.connect import Block, Bound
from snnsim.connect.base import BLOCK
from snnsim.connect.chance import BELOW_ONE, TABLE_FROM, Pairwise, gap_tables, log_of_rest, words_ahead
from snnsim.connect.degree import FixedIndegree, FixedOutdegree, FixedTotal
from snnsim.connect.pairs import AllToAll, OneToOne
from snnsim.distributions import Array, Constant, Discrete, Exponential, Lognormal, Normal, Uniform, Value
from snnsim.distributions.kinds import affine
from snnsim.plan import Projection
from snnsim.random import WordSource, key_of, numbers_of, numpy_words, stream_id

_DRAWN: dict[type[Value], str] = {
    Constant: "constant", Array: "array", Uniform: "uniform", Normal: "normal", Lognormal: "lognormal",
    Exponential: "exponential", Discrete: "discrete",
}
_TABLES = 1 << 20   # bytes: those of gaps, and of discrete values


def from_host(projection: Projection) -> str | None:
    """None where the device draws the synapses itself, or why the host draws them."""
    rule = projection.bound.rule
    if projection.learning is not None:
        return "synapses that learn in whole numbers are drawn by the host"
    if type(rule) not in _RULES:
        return f"the rule {rule.name} is drawn by the host"
    if isinstance(rule, (FixedIndegree, FixedOutdegree, FixedTotal)) and not rule.multapses:
        return f"{rule.name} without multapses is drawn by the host"
    for what, value in (("weights", projection.weight), ("delays", projection.delay)):
        if type(value) not in _DRAWN:
            return f"{what} that are computed for each synapse are drawn by the host"
        if isinstance(value, Array) and not rule.exact:
            return f"{what} given one by one for a random number of synapses are drawn by the host"
    return None


def host_words() -> WordSource:
    """The fastest source of words on the host: that of the CPU backend, where its compiler is there."""
    try:
        from snnsim.backends.cpu.draw import fast_words
    except ImportError:
        return numpy_words
    return fast_words


class Drawer:
    """Draws the synapses of one projection onto own units."""

    def __init__(self, launch: Launcher, layout: Layout, projection: Projection) -> None:
        self.launch, self.layout, self.projection = launch, layout, projection
        self.kept: list[Any] = []   # arrays that a job has the addresses of

    def jobs(self) -> Iterator[np.ndarray]:
        """Records [1] of ``JOB`` that tell what to draw; each is used before the next is asked for."""
        if from_host(self.projection) is None:
            yield self._job(_RULES[type(self.projection.bound.rule)](self), None)
            return
        low, high = self.layout.bounds(self.projection.target)
        for block in self.projection.bound.blocks(low, high, host_words()):
            self.kept.clear()
            yield self._job(self._listed(block), block)

    def address(self, values: Any) -> int:
        """Of an array on the device that lives as long as the job."""
        self.kept.append(values)
        return self.launch.device.address(values)

    def upload(self, values: np.ndarray) -> int:
        """Address of a copy on the device; of one number at least."""
        some = np.ascontiguousarray(values) if len(values) else np.zeros(1, values.dtype)
        return self.address(self.launch.device.upload(some))

    def _job(self, rule: dict[str, Any], block: Block | None) -> np.ndarray:
        projection, layout = self.projection, self.layout
        low, high = layout.bounds(projection.target)
        numbers = {
            "key": key_of(projection.seed), "low": low, "high": high, "first_row": low, "rows": high - low, "pieces": 1,
            "skip_self": projection.bound.skip_self, "choices": projection.bound.choices,
            "n_target": projection.bound.n_target, "all_parts": layout.slices.parts, "part": layout.own.start,
            "parts": len(layout.own), "dt": projection.dt, **rule,
        }
        job = np.zeros(1, JOB)
        for name, value in numbers.items():
            job[name] = value
        for name in ("weight", "delay"):
            job[name] = self.value(getattr(projection, name), name, block)
        return job

    # --- rules ---------------------------------------------------------------------------------------------------

    def _stream(self, part: str = "") -> int:
        return stream_id(self.bound.stream(numpy_words, part).label)

    @property
    def bound(self) -> Bound:
        return self.projection.bound

    def all_to_all(self) -> dict[str, Any]:
        return {"rule": RULES.index("all_to_all"), "length": self.bound.choices, "pieces": pieces(self.bound.choices)}

    def one_to_one(self) -> dict[str, Any]:
        low, high = self.layout.bounds(self.projection.target)
        return {"rule": RULES.index("one_to_one"), **_flat(high - low)}

    def fixed_indegree(self) -> dict[str, Any]:
        return self._fixed_degree(self.bound.choices)

    def fixed_outdegree(self) -> dict[str, Any]:
        choices = self.bound.n_target - self.bound.skip_self
        return {**self._fixed_degree(choices), "first_row": 0, "rows": self.bound.n_source}

    def _fixed_degree(self, choices: int) -> dict[str, Any]:
        rule: Any = self.bound.rule
        return {"rule": RULES.index(rule.name), "stream": self._stream(), "length": rule.k, "choices": choices,
                "pieces": pieces(rule.k)}

    def fixed_total(self) -> dict[str, Any]:
        """The in-degrees are counted on the device."""
        n, targets, xp = self.bound.rule.n, self.bound.n_target, self.launch.device.xp   # type: ignore[attr-defined]
        counts = xp.zeros(targets, np.uint32)
        tally = self._job({"stream": self._stream("/targets"), "length": n, "counts": self.address(counts)}, None)
        self.launch("snn_tally", tally, -(-n // 32))
        firsts = xp.zeros(targets + 1, np.int64)
        firsts[1:] = xp.cumsum(counts, dtype=np.int64)
        return {"rule": RULES.index("fixed_total"), "stream": self._stream(), "firsts": self.address(firsts),
                "pieces": pieces(n / max(1, targets))}

    def pairwise(self) -> dict[str, Any]:
        n, p = self.bound.choices, self.bound.rule.p   # type: ignore[attr-defined]
        if p == 1 or not n:
            return self.all_to_all()
        numbers = {"rule": RULES.index("pairwise"), "stream": self._stream(), "length": n if p > 0 else 0,
                   "ahead": words_ahead(n, p)}
        if p < TABLE_FROM:
            return {**numbers, "most": BELOW_ONE, "log_rest": log_of_rest(p)}
        edges, first, _ = gap_tables(p)
        known = np.append(first - 1, len(edges)).astype(np.int32)
        return {**numbers, "edges": self.upload(edges), "known": self.upload(known)}

    def _listed(self, block: Block) -> dict[str, Any]:
        return {"rule": RULES.index("listed"), "sources": self.upload(block.source.astype(np.uint32)),
                "targets": self.upload(block.target.astype(np.uint32)), "indices": self.upload(numbers_of(block.index)),
                **_flat(len(block.source))}

    # --- values --------------------------------------------------------------------------------------------------

    def value(self, value: Value, name: str, block: Block | None) -> np.ndarray:
        """A record [] of ``VALUE``: of the weights or the delays (`name`), those of `block` where they are listed."""
        listed = block is not None and (type(value) not in _DRAWN or isinstance(value, Array))
        kind = "listed" if listed else _DRAWN[type(value)]
        stream = self.projection.stream(name, host_words())
        numbers: dict[str, float] = {"kind": VALUES.index(kind), "stream": stream_id(stream.label), "share": 1.0}
        if block is not None and listed:
            numbers["table"] = self.upload(value.draw_for(stream, block))
        else:
            numbers |= self._numbers(value)
        out = np.zeros((), VALUE)
        for field, number in numbers.items():
            out[field] = number
        return out

    def _numbers(self, value: Value) -> dict[str, float]:
        """What a kind of value needs."""
        match value:
            case Array():
                return {"table": self.upload(value.values)}
            case Constant():
                return {"shift": value.value}
            case Uniform() | Normal():
                return dict(zip(("share", "below", "scale", "shift", "low", "high"), affine(value), strict=True))
            case Lognormal():
                return {"scale": value.sigma, "shift": value.mu, "sign": value.sign}
            case Exponential():
                return {"scale": -value.mean}
            case Discrete():
                return {"table": self.upload(np.array(value.values, float)), "edges": self.upload(value.edges()),
                        "count": len(value.values) - 1}
        return {}


def _flat(length: int) -> dict[str, int]:
    """One row of all synapses, shared by as many warps as it has 32 of them."""
    return {"first_row": 0, "rows": 1, "length": length, "pieces": -(-length // 32)}


_RULES: dict[type, Callable[[Drawer], dict[str, Any]]] = {
    AllToAll: Drawer.all_to_all, OneToOne: Drawer.one_to_one, FixedIndegree: Drawer.fixed_indegree,
    FixedOutdegree: Drawer.fixed_outdegree, FixedTotal: Drawer.fixed_total, Pairwise: Drawer.pairwise,
}


def drawing_bytes(layout: Layout, projection: Projection) -> int:
    """Bytes of the device while a projection is drawn, an upper estimate."""
    if from_host(projection) is not None:
        # Two blocks, since one is still used while the next is uploaded: source, target, index, weight and delay.
        return 2 * (BLOCK + projection.bound.max_indegree) * (4 + 4 + 8 + 8 + 8)
    values = sum(8 * v.size for v in (projection.weight, projection.delay) if isinstance(v, Array))
    counted = 4 + 8 + 8   # of each target: the count, its sums as they are made and as they stay
    return values + counted * projection.bound.n_target + _TABLES
