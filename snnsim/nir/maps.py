"""Linear maps between the units of two nodes, as lists of synapses: what lies between neurons is one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snnsim.errors import InputError
from snnsim.nir.graph import Array

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Shape = tuple[int, ...]
MOST = 1 << 26   # synapses of one map; they take 32 bytes each while they are made


@dataclass(frozen=True)
class Map:
    """``y[target] += weight * x[source]``, `delay` ms later; arrays [k], without zero weights."""

    source: Ids
    target: Ids
    weight: Floats
    delay: Floats

    def scaled(self, factor: Floats) -> Map:
        """Each unit of the target times a number."""
        return _nonzero(self.source, self.target, self.weight * factor[self.target], self.delay)

    def delayed(self, delay: Floats) -> Map:
        """Each unit of the target later by a time in ms."""
        return Map(self.source, self.target, self.weight, self.delay + delay[self.target])

    def part(self, mine: npt.NDArray[np.bool_]) -> Map:
        """Some of its synapses."""
        return Map(self.source[mine], self.target[mine], self.weight[mine], self.delay[mine])


def check_room(entries: int) -> None:
    """``InputError`` where a map would have too many synapses; asked before it is made."""
    if entries > MOST:
        raise InputError(f"expected at most {MOST} synapses between two populations, found {entries}")


def identity(n: int) -> Map:
    """Each unit to itself."""
    check_room(n)
    ids = np.arange(n)
    return Map(ids, ids, np.ones(n), np.zeros(n))


def dense(weight: Array) -> Map:
    """Every source to every target, by a matrix [target, source]."""
    check_room(weight.size)
    target, source = np.divmod(np.arange(weight.size), max(1, weight.shape[1]))
    return _nonzero(source, target, weight.ravel(), np.zeros(weight.size))


def _nonzero(source: Ids, target: Ids, weight: Floats, delay: Floats) -> Map:
    keep = weight != 0
    return Map(source, target, weight, delay) if keep.all() else Map(source, target, weight, delay).part(keep)


def after(first: Map, second: Map) -> Map:
    """`first`, then `second`; synapses between the same units with the same delay become one."""
    order = np.argsort(first.target, kind="stable")
    middle = first.target[order]
    begin = np.searchsorted(middle, second.source, side="left")
    count = np.searchsorted(middle, second.source, side="right") - begin
    check_room(int(count.sum()))
    outer = np.repeat(np.arange(len(count)), count)
    inner = order[np.repeat(begin - np.cumsum(count) + count, count) + np.arange(len(outer))]
    return merged([Map(first.source[inner], second.target[outer], first.weight[inner] * second.weight[outer],
                       first.delay[inner] + second.delay[outer])])


def merged(maps: list[Map]) -> Map:
    """The sum of several maps, sorted by target, then source, then delay."""
    check_room(sum(len(m.weight) for m in maps))
    source, target, weight, delay = (np.concatenate([getattr(m, k) for m in maps])
                                     for k in ("source", "target", "weight", "delay"))
    order = np.lexsort((delay, source, target))
    source, target, weight, delay = source[order], target[order], weight[order], delay[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(source) != 0) | (np.diff(target) != 0) | (np.diff(delay) != 0)
    if new.all():
        return Map(source, target, weight, delay)
    first = np.flatnonzero(new)
    return _nonzero(source[first], target[first], np.add.reduceat(weight, first), delay[first])


@dataclass(frozen=True)
class Window:
    """How a convolution or a pool moves over space, one entry for each axis."""

    kernel: Shape
    stride: Shape
    before: Shape    # padding at the beginning
    after: Shape     # padding at the end
    dilation: Shape

    def out(self, space: Shape) -> Shape:
        """The shape of what comes out; ``InputError`` where nothing does."""
        axes = zip(space, self.kernel, self.stride, self.before, self.after, self.dilation, strict=True)
        found = tuple((n + b + a - d * (k - 1) - 1) // s + 1 for n, k, s, b, a, d in axes)
        if min(found) < 1:
            raise InputError(f"expected an input no smaller than the kernel {list(self.kernel)}, found {list(space)}")
        return found

    def places(self, space: Shape) -> tuple[Ids, Ids, Ids]:
        """All triples (place in the kernel, place in the input, place in the output), each flat."""
        out = self.out(space)
        check_room(math.prod(self.kernel) * math.prod(out))
        kernel, target, source, inside = (np.zeros((1, 1), np.int64) for _ in range(4))
        inside = inside == 0
        for n, o, k, s, b, d in zip(space, out, self.kernel, self.stride, self.before, self.dilation, strict=True):
            at = np.arange(o)[None, :] * s - b + np.arange(k)[:, None] * d
            kernel, target, source = (_outer(x * size, y) for x, size, y in (
                (kernel, k, np.arange(k)[:, None]), (target, o, np.arange(o)[None, :]), (source, n, at)))
            inside = _outer(inside, (at >= 0) & (at < n), both=True)
        kernel, target = np.broadcast_to(kernel, source.shape), np.broadcast_to(target, source.shape)
        return kernel[inside], source[inside], target[inside]


def _outer(x: Array, y: Array, both: bool = False) -> Array:
    """All pairs of the kernel places (rows) and of the output places (columns) of x and y, added (or both true)."""
    a, b = x[:, None, :, None], y[None, :, None, :]
    pairs = a & b if both else a + b
    return pairs.reshape(pairs.shape[0] * pairs.shape[1], -1)


def convolution(weight: Array, groups: int, window: Window, space: Shape) -> Map:
    """From [channels, *space] to [filters, *out], by a weight [filters, channels / groups, *kernel]."""
    filters, depth = weight.shape[:2]
    place, source, target = window.places(space)
    check_room(filters * depth * len(place))
    n, m = math.prod(space), math.prod(window.out(space))
    f, c = (x.ravel()[:, None] for x in np.mgrid[:filters, :depth])
    channel = f // (filters // groups) * depth + c
    values = weight.reshape(filters * depth, -1)[:, place]
    ids = (channel * n + source).ravel(), (f * m + target).ravel()
    return _nonzero(*ids, values.ravel(), np.zeros(values.size))


def pool(channels: int, window: Window, space: Shape, value: float) -> Map:
    """From [channels, *space] to [channels, *out], every weight the same."""
    _, source, target = window.places(space)
    check_room(channels * len(source))
    n, m, c = math.prod(space), math.prod(window.out(space)), np.arange(channels)[:, None]
    size = channels * len(source)
    return Map((c * n + source).ravel(), (c * m + target).ravel(), np.full(size, value), np.zeros(size))
