"""Network files of lava-dl (``.net``): HDF5, as its netx reads them, whole or packed with xz."""

from __future__ import annotations

import io
import lzma
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.guarded import Guard, member
from snnsim.target import reason

LIMIT = 1 << 31   # bytes of all arrays, and of a packed file once unpacked
XZ, HDF5 = b"\xfd7zXZ\x00", b"\x89HDF\r\n\x1a\n"
KINDS = ("input", "dense", "conv", "flatten")
NEURONS = ("LOIHI", "CUBA")
_WINDOW = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}   # defaults, and the least value


@dataclass(frozen=True)
class Layer:
    """One layer as the file has it.

    shape: of its output, channels first. weight: [out, in], or [filters, channels / groups, y, x] of a convolution,
    whole numbers. window: stride, padding and dilation (y, x each), and groups. bias: [units or filters], or None.
    neuron: iDecay, vDecay, vThMant, refDelay, each a number or [units].
    """

    number: int
    kind: str
    shape: tuple[int, ...] = ()
    weight: Any = None
    window: dict[str, Any] | None = None
    bias: Any = None
    neuron: dict[str, Any] | None = None


def read_layers(path: Path) -> list[Layer]:
    """The layers of a file; ``InputError`` with everything that is not sound or not supported."""
    with _open(path) as file:
        layers = member(file, "layer", "layer")
        if not isinstance(layers, h5py.Group):
            raise InputError(f"expected a lava-dl network with a group /layer, found {', '.join(file) or 'nothing'}")
        reader, problems, found = _Reader(), Problems(), []
        for number in range(len(layers)):
            with problems.at(f"layer {number}"):
                found.append(reader.layer(number, member(layers, str(number), f"layer/{number}")))
        problems.check()
        return found


def _open(path: Path) -> h5py.File:
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5))
        if start.startswith(XZ):
            return h5py.File(io.BytesIO(_unpacked(path)), "r")
        if start != HDF5:
            raise InputError("is not an HDF5 file, packed with xz or not, so it is not a lava-dl network")
        return h5py.File(path, "r")
    except (OSError, lzma.LZMAError, EOFError) as error:
        why = getattr(error, "strerror", None) or reason(error)
        raise InputError(f"cannot be read: {why}") from error


def _unpacked(path: Path) -> bytes:
    with lzma.open(path) as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise InputError(f"expected at most {LIMIT / 1e9:.1f} GB once unpacked, found more")
    return data


class _Reader:
    """Reads the layers of one file."""

    def __init__(self) -> None:
        self.guard = Guard(LIMIT)

    def layer(self, number: int, group: Any) -> Layer:
        if not isinstance(group, h5py.Group):
            raise InputError("expected a group, found none")
        kind = self._text(group, "type")
        if kind not in KINDS:
            raise InputError(Problem("type", unknown("type of layer", kind, KINDS)))
        if "delay" in group:
            raise InputError(Problem("delay", "delays of a layer are not supported"))
        shape = tuple(int(n) for n in np.ravel(self._numbers(group, "shape"))) if "shape" in group else ()
        if kind == "flatten":
            return Layer(number, kind, shape)
        if kind == "input":
            return self._input(number, group, shape)
        if min(shape, default=0) < 1:
            raise InputError(Problem("shape", f"expected the shape of the output, found {list(shape) or 'none'}"))
        window = self._window(group) if kind == "conv" else None
        bias = np.trunc(np.ravel(self._numbers(group, "bias"))).astype(np.int64) if "bias" in group else None
        return Layer(number, kind, shape, self._weight(group, kind, shape), window, bias, self._neuron(group))

    def _input(self, number: int, group: h5py.Group, shape: tuple[int, ...]) -> Layer:
        if "neuron" in group:
            raise InputError(Problem("neuron", "an input layer with neurons is not supported, only one with a shape"))
        return Layer(number, "input", shape)

    def _weight(self, group: h5py.Group, kind: str, shape: tuple[int, ...]) -> Any:
        weight = np.trunc(self._numbers(group, "weight")).astype(np.int64)
        if kind == "dense":
            rows = math.prod(shape)
            if weight.size % rows or not weight.size:
                raise InputError(Problem("weight", f"expected rows for {rows} units, found {weight.size} weights"))
            return weight.reshape(rows, -1)
        if weight.ndim == 5 and weight.shape[4] == 1:
            weight = weight[..., 0]
        if weight.ndim != 4:
            raise InputError(Problem("weight", f"expected [filters, channels, y, x], found {weight.ndim} axes"))
        return weight

    def _window(self, group: h5py.Group) -> dict[str, Any]:
        pairs = {name: self._pair(group, name, default, least) for name, (default, least) in _WINDOW.items()}
        return {**pairs, "groups": int(self._numbers(group, "groups", 1))}

    def _pair(self, group: h5py.Group, name: str, default: int, least: int) -> tuple[int, ...]:
        """Whole numbers for y and x; one counts for both."""
        values = np.ravel(self._numbers(group, name, default)).astype(int)
        if values.size not in (1, 2) or values.min() < least:
            expected = f"expected one or two whole numbers of at least {least}"
            raise InputError(Problem(name, f"{expected}, found {values.tolist()}"))
        return tuple(np.broadcast_to(values, 2).tolist())

    def _neuron(self, group: h5py.Group) -> dict[str, Any]:
        neuron = member(group, "neuron", "neuron")
        if not isinstance(neuron, h5py.Group):
            raise InputError(Problem("neuron", "expected a group with the parameters of the neurons, found none"))
        kind = self._text(neuron, "type")
        if kind not in NEURONS:
            raise InputError(Problem("neuron.type", unknown("neuron", kind, NEURONS)))
        for name in ("gradedSpike", "messageBits"):
            if self._numbers(neuron, name, 0):
                raise InputError(Problem(f"neuron.{name}", "expected binary spikes, found graded ones"))
        found = {name: self._numbers(neuron, name) for name in ("iDecay", "vDecay", "vThMant")}
        return {**found, "refDelay": self._numbers(neuron, "refDelay", 1)}

    def _text(self, group: h5py.Group, name: str) -> str:
        place = _place(group, name)
        item = member(group, name, place)
        if not isinstance(item, h5py.Dataset):
            raise InputError(Problem(place, "expected text, found none"))
        self.guard.take(item, place)
        value = np.ravel(item[()])
        if value.size != 1 or not isinstance(value[0], (bytes, str)):
            raise InputError(Problem(place, f"expected one text, found {value.size} values of type {item.dtype}"))
        return value[0].decode("ascii", "replace") if isinstance(value[0], bytes) else value[0]

    def _numbers(self, group: h5py.Group, name: str, default: Any = None) -> Any:
        """An array, or a number for what has no axes; whole ones keep their type."""
        place = _place(group, name)
        item = member(group, name, place)
        if item is None and default is not None:
            return default
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biuf" or item.shape is None:
            raise InputError(Problem(place, "expected numbers, found none"))
        self.guard.take(item, place)
        return item[()]


def _place(group: h5py.Group, name: str) -> str:
    """What is in a layer, as messages name it."""
    return ".".join([*str(group.name).split("/")[3:], name])
