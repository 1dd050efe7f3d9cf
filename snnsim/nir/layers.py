"""What the nodes without a state do to the units and the shape of what passes through them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from snnsim.errors import InputError, Problem
from snnsim.nir import maps
from snnsim.nir.graph import JOINT, Array, Node
from snnsim.nir.maps import Floats, Map, Shape, Window

Change = Callable[[Map], Map]


class Layer(NamedTuple):
    """A node applied to a signal: the new shape, how maps that end there go on, and what is added."""

    shape: Shape
    change: Change
    bias: Floats | None = None


def layer(node: Node, shape: Shape) -> Layer:
    """What `node` does to a signal of `shape`; ``InputError`` where they do not fit together."""
    return _LAYERS[node.kind](node, shape)


def _same(node: Node, shape: Shape) -> Layer:
    return Layer(shape, lambda m: m)


def _flatten(node: Node, shape: Shape) -> Layer:
    """The order of units is that of memory, whatever axes are joined."""
    return Layer((math.prod(shape),), lambda m: m)


def _linear(node: Node, shape: Shape) -> Layer:
    weight, n = node.numbers("weight"), math.prod(shape)
    if weight.ndim != 2:
        raise _fault(node, "weight", f"expected a matrix [outputs, inputs], found the shape {list(weight.shape)}")
    if weight.shape[1] != n:
        raise _fault(node, "weight", f"expected {n} inputs, the size of what comes in, found {weight.shape[1]}")
    bias = node.numbers("bias").ravel() if node.kind == "Affine" else None
    _check_bias(node, bias, weight.shape[0])
    return Layer(weight.shape[:1], _then(lambda: maps.dense(weight)), bias)


def _scale(node: Node, shape: Shape) -> Layer:
    factor = _per_unit(node, "scale", shape)
    return Layer(shape, lambda m: m.scaled(factor))


def _delay(node: Node, shape: Shape) -> Layer:
    delay = _per_unit(node, "delay", shape) * 1000.0
    if (delay < 0).any():
        raise _fault(node, "delay", f"expected times from 0 on, found {delay.min() / 1000:g} s")
    return Layer(shape, lambda m: m.delayed(delay))


def _convolution(node: Node, shape: Shape) -> Layer:
    weight, axes = node.numbers("weight"), 1 if node.kind == "Conv1d" else 2
    if weight.ndim != axes + 2:
        raise _fault(node, "weight", f"expected {axes + 2} axes, found the shape {list(weight.shape)}")
    (groups,) = node.wholes("groups", 1, 1)
    filters, channels = weight.shape[0], weight.shape[1] * groups
    if filters % groups:
        raise _fault(node, "groups", f"expected a divisor of the {filters} filters, found {groups}")
    space = _space(node, shape, channels, axes)
    bias = node.numbers("bias").ravel()
    _check_bias(node, bias, filters)
    window = _window(node, weight.shape[2:], axes)
    out = (filters, *window.out(space))
    made = _then(lambda: maps.convolution(weight, groups, window, space))
    return Layer(out, made, np.repeat(bias, math.prod(out[1:])))


def _pool(node: Node, shape: Shape) -> Layer:
    if len(shape) != 3:
        raise _fault(node, "", f"expected an input [channels, height, width], found the shape {list(shape)}")
    kernel = node.wholes("kernel_size", 2, 1)
    window = _window(node, kernel, 2)
    value = 1.0 if node.kind == "SumPool2d" else 1.0 / math.prod(kernel)
    made = _then(lambda: maps.pool(shape[0], window, shape[1:], value))
    return Layer((shape[0], *window.out(shape[1:])), made)


def _then(make: Callable[[], Map]) -> Change:
    """Maps go on through one that is made when it is needed, once."""
    made: list[Map] = []

    def change(first: Map) -> Map:
        if not made:
            made.append(make())
        return maps.after(first, made[0])

    return change


def _fault(node: Node, key: str, message: str) -> InputError:
    return InputError(Problem(f"{node.name}.{key}".rstrip("."), message))


def _check_bias(node: Node, bias: Array | None, n: int) -> None:
    if bias is not None and len(bias) != n:
        raise _fault(node, "bias", f"expected {n} numbers, one for each of the outputs, found {len(bias)}")


def _per_unit(node: Node, key: str, shape: Shape) -> Floats:
    values, n = node.numbers(key).ravel(), math.prod(shape)
    if len(values) not in (1, n):
        raise _fault(node, key, f"expected {n} numbers, the size of what comes in, found {len(values)}")
    maps.check_room(n)
    return np.broadcast_to(values, n)


def _space(node: Node, shape: Shape, channels: int, axes: int) -> Shape:
    """The space that a convolution sees: of what comes in, or, where that is flat, as the node says it."""
    given = node.values.get("input_shape")
    if len(shape) != axes + 1 and given is not None:
        shape = (channels, *node.wholes("input_shape", axes, 1)) if math.prod(shape) == channels * math.prod(
            node.wholes("input_shape", axes, 1)) else shape
    if len(shape) != axes + 1 or shape[0] != channels:
        expected = f"[{channels}, {'length' if axes == 1 else 'height, width'}]"
        raise _fault(node, "", f"expected an input {expected}, found the shape {list(shape)}")
    return shape[1:]


def _window(node: Node, kernel: Shape, axes: int) -> Window:
    stride = node.wholes("stride", axes, 1)
    dilation = node.wholes("dilation", axes, 1) if "dilation" in node.values else (1,) * axes
    given = node.values["padding"]
    padding = given if isinstance(given, str) else ""
    if padding == "valid":
        return Window(kernel, stride, (0,) * axes, (0,) * axes, dilation)
    if padding == "same":
        if max(stride) > 1:
            raise _fault(node, "padding", "expected numbers where the stride is above 1, found 'same'")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return Window(kernel, stride, tuple(t // 2 for t in total), tuple(t - t // 2 for t in total), dilation)
    width = node.wholes("padding", axes, 0)
    return Window(kernel, stride, width, width, dilation)


_LAYERS: dict[str, Callable[[Node, Shape], Layer]] = {
    JOINT: _same, "Output": _same, "Flatten": _flatten, "Linear": _linear, "Affine": _linear, "Scale": _scale,
    "Delay": _delay, "Conv1d": _convolution, "Conv2d": _convolution, "SumPool2d": _pool, "AvgPool2d": _pool,
}
