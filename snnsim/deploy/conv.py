"""Convolutions as lists of synapses, in the order of axes and of units that Lava's ``Conv`` has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.connect import explicit
from snnsim.errors import InputError, Problem
from snnsim.nir.maps import Window, convolution as channels_first

Ids = npt.NDArray[np.int64]
Pair = int | tuple[int, int]


def conv_connection(
    weight: npt.NDArray[Any], input_shape: tuple[int, int, int], padding: Pair = 0, stride: Pair = 1,
    dilation: Pair = 1, groups: int = 1,
) -> tuple[Ids, Ids, npt.NDArray[Any]]:
    """Sources, targets and weights, [synapses] each, of what Lava's ``Conv`` computes; weights of zero are left out.

    weight: [filters, x, y, channels / groups]. input_shape: x, y, channels; a pair is for x and y. The kernel is
    flipped, so this is a convolution in the sense of mathematics. Units are counted with channels fastest, x slowest.
    Lava's ``Conv`` takes weights as they are; a projection cuts those of both signs to even ones.
    Raises ``InputError`` naming the argument that does not fit.
    """
    kernel = np.asarray(weight)
    window = _window(kernel, padding, stride, dilation)
    _check(kernel, input_shape, groups)
    space = tuple(int(n) for n in input_shape[:2])
    # That of maps is a correlation with channels and filters first.
    flipped = kernel[:, ::-1, ::-1].transpose(0, 3, 1, 2).astype(float)
    found = channels_first(flipped, groups, window, space)
    source = _channels_last(found.source, space, input_shape[2])
    target = _channels_last(found.target, window.out(space), kernel.shape[0])
    return source, target, found.weight.astype(kernel.dtype)


def convolution(weight: npt.NDArray[Any], input_shape: tuple[int, int, int], **settings: Any) -> dict[str, Any]:
    """The connection rule, with its weights, of a convolution; the arguments are those of ``conv_connection``."""
    return explicit(*conv_connection(weight, input_shape, **settings))


def output_shape(weight: npt.NDArray[Any], input_shape: tuple[int, int, int], padding: Pair = 0, stride: Pair = 1,
                 dilation: Pair = 1) -> tuple[int, int, int]:
    """x, y and filters of what comes out."""
    x, y = _window(np.asarray(weight), padding, stride, dilation).out(tuple(input_shape[:2]))
    return x, y, len(weight)


def _window(kernel: npt.NDArray[Any], padding: Pair, stride: Pair, dilation: Pair) -> Window:
    if kernel.ndim != 4:
        raise InputError(Problem("weight", "expected [filters, x, y, channels], found an array with "
                                           f"{kernel.ndim} axes"))
    before = _pair("padding", padding, 0)
    return Window(kernel.shape[1:3], _pair("stride", stride, 1), before, before, _pair("dilation", dilation, 1))


def _pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    pair = tuple(np.broadcast_to(np.asarray(value), (2,)).tolist()) if np.size(value) in (1, 2) else ()
    if not pair or any(not isinstance(n, int) or n < least for n in pair):
        raise InputError(Problem(name, f"expected a whole number of at least {least}, or two of them, found {value!r}"))
    return pair


def _check(kernel: npt.NDArray[Any], input_shape: tuple[int, int, int], groups: int) -> None:
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError(Problem("input_shape", f"expected x, y and channels, found {input_shape!r}"))
    filters, channels = len(kernel), int(input_shape[2])
    if groups < 1 or channels % groups or filters % groups:
        expected = f"expected a divisor of {channels} channels and {filters} filters"
        raise InputError(Problem("groups", f"{expected}, found {groups}"))
    if kernel.shape[3] != channels // groups:
        expected = f"expected {channels // groups} channels on its last axis"
        raise InputError(Problem("weight", f"{expected}, found {kernel.shape[3]}"))


def _channels_last(units: Ids, space: tuple[int, ...], channels: int) -> Ids:
    """Units counted with places fastest, now with channels fastest."""
    channel, place = np.divmod(units, math.prod(space))
    return place * channels + channel
