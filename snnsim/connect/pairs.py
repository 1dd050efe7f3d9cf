"""Rules that connect all pairs, or equal numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snnsim.connect.base import BLOCK, Block, Bound, Rule, pass_over, row_chunks, row_numbers
from snnsim.errors import InputError, Problem
from snnsim.normal import chunks
from snnsim.random import WordSource


@dataclass(frozen=True)
class AllToAll(Rule):
    """Every source to every target, once."""

    name = "all_to_all"

    def expected(self, bound: Bound) -> float:
        return bound.choices * bound.n_target

    def most(self, bound: Bound) -> float:
        return bound.choices

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        for lo, hi in row_chunks(low, high, bound.choices):
            target = row_numbers(lo, hi, bound.choices)
            chosen = np.tile(np.arange(bound.choices, dtype=np.uint32), hi - lo)
            chosen = pass_over(chosen, target) if bound.skip_self else chosen
            yield Block(chosen, target, (lo * bound.choices, len(target)))


@dataclass(frozen=True)
class OneToOne(Rule):
    """Source i to target i."""

    name = "one_to_one"

    def check(self, bound: Bound) -> None:
        if bound.n_source != bound.n_target:
            raise InputError(f"one_to_one needs populations of one size, found {bound.n_source} sources and "
                             f"{bound.n_target} targets")
        if bound.skip_self:
            raise InputError(Problem("autapses", "one_to_one from a population to itself makes autapses only"))

    def expected(self, bound: Bound) -> float:
        return bound.n_target

    def most(self, bound: Bound) -> float:
        return 1

    def draw(self, bound: Bound, low: int, high: int, source: WordSource) -> Iterator[Block]:
        for lo, hi in chunks(low, high, BLOCK):
            own = np.arange(lo, hi, dtype=np.uint32)
            yield Block(own, own.copy(), (lo, hi - lo))
