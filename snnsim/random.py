"""Random numbers without state: Philox4x32-10, keyed by the seed and counted by what the number is for.

A word depends on (seed, stream label, index, draw) only, so every partition of the work, every backend and every rerun
sees the same numbers. Source: Salmon, Moraes, Dror, Shaw, SC 2011; the known answers of Random123 are in the tests.

    key     = seed low, seed high
    counter = (index >> 2) low, (index >> 2) high, draw, stream       word index & 3      indexed draws
    counter = unit, part, step >> 2, stream                           word step & 3       noise during a step
"""

from __future__ import annotations

import hashlib
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from snnsim.normal import chunks, normal_quantile

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.uint64]
Index = tuple[int, int] | Indices   # the numbers start .. start + count - 1, or any numbers
Key = tuple[int, int]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_CHUNK = 1 << 13   # counters at a time: the working arrays stay in the cache
POISSON_MEAN = 8.0   # larger means are drawn in equal parts
POISSON_MOST = 1000.0   # means beyond would make programs of many thousand lines


def philox(counter: list[Indices], key: Key) -> list[Indices]:
    """Ten rounds of Philox4x32, in place.

    counter: four arrays of uint64 of one shape, each holding 32-bit numbers; overwritten. Returns the four words.
    """
    c0, c1, c2, c3 = counter
    product = np.empty_like(c0)
    for turn in range(10):
        k0, k1 = (np.uint64((k + turn * w) & 0xFFFFFFFF) for k, w in zip(key, (_W0, _W1), strict=True))
        np.multiply(c0, _M0, out=c0)
        np.multiply(c2, _M1, out=product)
        np.right_shift(product, _SHIFT, out=c2)
        c1 ^= c2
        c1 ^= k0
        np.right_shift(c0, _SHIFT, out=c2)
        c2 ^= c3
        c2 ^= k1
        np.bitwise_and(c0, _LOW, out=c3)
        product &= _LOW
        c0, c1, product = c1, product, c0
    return [c0, c1, c2, c3]


class WordSource(Protocol):
    """What supplies the words; a backend may bring a faster one with the same words."""

    def words(self, key: Key, stream: int, start: int, count: int, draw: int = 0) -> Words:
        """Words of the indices start .. start + count - 1."""

    def words_at(self, key: Key, stream: int, index: Indices, draw: int = 0) -> Words:
        """Words of any indices, in their order."""

    def tally(self, key: Key, stream: int, count: int, n: int) -> npt.NDArray[np.int64]:
        """How often each whole number below n occurs among the first `count` that a stream gives, int64 [n]."""

    def own(self, n: int) -> tuple[int, int]:
        """Where several processes draw together: which of n units this one draws for, as a range."""

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The sum over all processes that draw together."""


class NumpyWords:
    """The words, by NumPy."""

    def words(self, key: Key, stream: int, start: int, count: int, draw: int = 0) -> Words:
        first, stop = start >> 2, (start + count + 3) >> 2
        out = np.empty((stop - first, 4), np.uint32)
        for lo, hi in chunks(first, stop, _CHUNK):
            number = np.arange(lo, hi, dtype=np.uint64)
            for word, values in enumerate(_indexed(number, stream, draw, key)):
                out[lo - first : hi - first, word] = values
        return out.reshape(-1)[start - 4 * first :][:count]

    def words_at(self, key: Key, stream: int, index: Indices, draw: int = 0) -> Words:
        out = np.empty(len(index), np.uint32)
        for lo, hi in chunks(0, len(index), 4 * _CHUNK):
            out[lo:hi] = _words_of(np.asarray(index[lo:hi], np.uint64), stream, draw, key)
        return out

    def tally(self, key: Key, stream: int, count: int, n: int) -> npt.NDArray[np.int64]:
        out = np.zeros(n, np.int64)
        for lo, hi in chunks(0, count, 4 * _CHUNK):
            out += np.bincount(to_below(self.words(key, stream, lo, hi - lo), n), minlength=n)
        return out

    def own(self, n: int) -> tuple[int, int]:
        return 0, n

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return counts


def _indexed(number: Indices, stream: int, draw: int, key: Key) -> list[Indices]:
    rest = [np.full_like(number, draw), np.full_like(number, stream)]
    return philox([number & _LOW, number >> _SHIFT, *rest], key)


def _words_of(index: Indices, stream: int, draw: int, key: Key) -> Words:
    """Neighbours in `index` that share a counter are computed once."""
    number = index >> np.uint64(2)
    new = np.empty(len(number), bool)
    new[:1] = True
    np.not_equal(number[1:], number[:-1], out=new[1:])
    table = np.stack(_indexed(number[new], stream, draw, key), axis=1).astype(np.uint32)
    return table[np.cumsum(new) - 1, (index & np.uint64(3)).astype(np.intp)]


numpy_words = NumpyWords()


def stream_id(label: str) -> int:
    """The 32-bit number of a stream: the first four bytes of blake2b, little endian."""
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=4).digest(), "little")


def key_of(seed: int) -> Key:
    """The Philox key of a seed in [0, 2^64)."""
    return seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF


class Stream(NamedTuple):
    """The numbers that belong to one label: ``Stream(42, "weight:exc->inh").normal(0, 1000)``.

    Number i is the same however it is asked for. `draw` selects another, independent number of the same index.
    """

    seed: int
    label: str
    source: WordSource = numpy_words

    def words(self, start: int, count: int, draw: int = 0) -> Words:
        """Words uint32 [count] of the indices from `start` on."""
        return self.source.words(key_of(self.seed), stream_id(self.label), start, count, draw)

    def take(self, index: Index, draw: int = 0) -> Words:
        """Words uint32 of a range (start, count) or of an array of indices."""
        if isinstance(index, tuple):
            return self.words(*index, draw)
        return self.source.words_at(key_of(self.seed), stream_id(self.label), index, draw)

    def uniform(self, start: int, count: int, draw: int = 0) -> Floats:
        """float64 [count] in the open interval (0, 1), in steps of 2^-32."""
        return to_uniform(self.words(start, count, draw))

    def normal(self, start: int, count: int, draw: int = 0) -> Floats:
        """float64 [count] with mean 0 and sd 1, within +-6.34."""
        return normal_quantile(self.uniform(start, count, draw))

    def below(self, start: int, count: int, n: int | Indices, draw: int = 0) -> Words:
        """Whole numbers uint32 [count] in [0, n); n < 2^32, one or one per number."""
        return to_below(self.words(start, count, draw), n)

    def tally(self, count: int, n: int) -> npt.NDArray[np.int64]:
        """How often each whole number occurs in ``below(0, count, n)``, int64 [n]."""
        return self.source.tally(key_of(self.seed), stream_id(self.label), count, n)


def numbers_of(index: Index) -> Indices:
    """An index as an array."""
    return np.arange(index[0], sum(index), dtype=np.uint64) if isinstance(index, tuple) else index


def to_uniform(words: Words) -> Floats:
    """(w + 1/2) / 2^32."""
    out = words.astype(np.float64)
    out += 0.5
    out *= 2.0**-32
    return out


def to_below(words: Words, n: int | Indices) -> Words:
    """(w n) >> 32, in [0, n)."""
    product = np.multiply(words, np.asarray(n, np.uint64), dtype=np.uint64)
    product >>= _SHIFT
    return product.astype(np.uint32)


def step_words(seed: int, stream: int, step: int, units: npt.NDArray[np.integer], part: int = 0) -> Words:
    """The word of each unit in a step (1-based); `part` numbers the parts of a large Poisson mean."""
    unit = np.asarray(units).astype(np.uint64)
    counter = [np.full_like(unit, c) for c in (part, step >> 2, stream)]
    return philox([unit, *counter], key_of(seed))[step & 3].astype(np.uint32)


def poisson_parts(mean: float) -> int:
    """In how many equal parts a mean is drawn, each of at most ``POISSON_MEAN``."""
    return max(1, -int(-mean // POISSON_MEAN))


@lru_cache(maxsize=65536)
def poisson_thresholds(mean: float) -> Words:
    """The table of a Poisson draw: the count is the number of thresholds <= word.

    Threshold k is 2^32 P(count <= k) rounded to the nearest whole number; those that round to 2^32 are left out, so
    every probability is right to 2^-33. Computed in decimal arithmetic, so it is the same on every machine.
    Raises ``ValueError`` outside [0, 8].
    """
    if not 0 <= mean <= POISSON_MEAN:
        raise ValueError(f"expected a mean in [0, {POISSON_MEAN:g}], found {mean}")
    table = []
    with localcontext() as context:
        context.prec = 50
        term = total = (-Decimal(mean)).exp()
        while (threshold := int(total * 2**32 + Decimal("0.5"))) < 2**32:
            table.append(threshold)
            term = term * Decimal(mean) / len(table)
            total += term
    out = np.array(table, np.uint32)
    out.setflags(write=False)
    return out
