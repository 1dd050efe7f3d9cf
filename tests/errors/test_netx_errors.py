"""The full text of every message about files of lava-dl and about convolutions."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import lavadl
import numpy as np
import pytest

import snnsim as sn
from snnsim.convert import convert
from snnsim.deploy import netx, netx_file
from snnsim.errors import InputError

DENSE = lavadl.dense([[2, 4]])
CONV = lavadl.conv(np.full((2, 1, 3, 3), 2), [2, 2, 2])
IMAGE = {"type": [b"input"], "shape": [1, 4, 4]}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named without a folder."""
    monkeypatch.chdir(tmp_path)


def text(call: Callable[[], Any]) -> str:
    """What is raised, in words."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def read(*layers: lavadl.Layer, **choices: Any) -> str:
    """What reading a file with these layers raises."""
    return text(lambda: netx.read(lavadl.write(Path("a.net"), *layers), **choices))


def without(layer: lavadl.Layer, key: str) -> lavadl.Layer:
    """A layer that lacks something."""
    return {name: value for name, value in layer.items() if name != key}


LAYERS: list[tuple[list[lavadl.Layer], str]] = [
    ([], "a.net: expected a lava-dl network with a group /layer, found nothing"),
    ([{"type": [b"flatten"]}], "a.net: expected at least one layer with neurons, found none"),
    ([without(DENSE, "type")], "a.net: layer 0.type: expected text, found none"),
    ([DENSE | {"type": 3}], "a.net: layer 0.type: expected one text, found 1 values of type int64"),
    ([DENSE | {"type": [b"pool"]}], "a.net: layer 0.type: unknown type of layer 'pool'; expected one of: conv, dense, flatten, input"),
    ([DENSE | {"delay": [1]}], "a.net: layer 0.delay: delays of a layer are not supported"),
    ([{**IMAGE, "neuron": lavadl.CUBA}], "a.net: layer 0.neuron: an input layer with neurons is not supported, only one with a shape"),
    ([without(DENSE, "shape")], "a.net: layer 0.shape: expected the shape of the output, found none"),
    ([DENSE | {"shape": [0]}], "a.net: layer 0.shape: expected the shape of the output, found [0]"),
    ([without(DENSE, "weight")], "a.net: layer 0.weight: expected numbers, found none"),
    ([DENSE | {"shape": [3]}], "a.net: layer 0.weight: expected rows for 3 units, found 2 weights"),
    ([without(DENSE, "neuron")], "a.net: layer 0.neuron: expected a group with the parameters of the neurons, found none"),
    ([lavadl.dense([[2]], {"type": b"SDNN"})], "a.net: layer 0.neuron.type: unknown neuron 'SDNN'; expected one of: CUBA, LOIHI"),
    ([lavadl.dense([[2]], {"gradedSpike": True})], "a.net: layer 0.neuron.gradedSpike: expected binary spikes, found graded ones"),
    ([lavadl.dense([[2]], {"messageBits": 8})], "a.net: layer 0.neuron.messageBits: expected binary spikes, found graded ones"),
    ([lavadl.dense([[2]], {"vDecay": b"?"})], "a.net: layer 0.neuron.vDecay: expected numbers, found none"),
    ([lavadl.dense([[2]], {"vDecay": [1, 2]})], "a.net: layer 0.neuron: expected 1 or 1 values for dv, found 2"),
    ([lavadl.dense([[2]], {"iDecay": 0})], "a.net: populations.layer0.params.du: expected a value from 0 to 4095, found -1"),
    ([lavadl.dense([[2], [4], [6]], bias=[1, 2])], "a.net: layer 0.bias: expected 3 numbers, found 2"),
    ([DENSE, lavadl.dense([[2, 4]])], "a.net: layer 1.weight: expected 1 columns, one for each unit of the layer before, found 2"),
    ([lavadl.dense([[201, -3]])], "a.net: layer 0.weight: expected even weights where they are of both signs and some are beyond 127 in size, found 201"),
    ([CONV], "a.net: layer 0: expected an input with space and channels for a convolution, found none; input_shape=(x, y, channels) says it"),
    ([IMAGE, CONV | {"weight": [2.0]}], "a.net: layer 1.weight: expected [filters, channels, y, x], found 1 axes"),
    ([IMAGE, CONV | {"groups": 2}], "a.net: layer 1.weight: 1 channels in 2 groups do not fit an input of 1 channels"),
    ([IMAGE, CONV | {"shape": [2, 3, 3]}], "a.net: layer 1.shape: expected [2, 2, 2] by its input, found [2, 3, 3]"),
    ([IMAGE, CONV | {"stride": [0, 1]}], "a.net: layer 1.stride: expected one or two whole numbers of at least 1, found [0, 1]"),
    ([IMAGE, CONV | {"padding": [1, 1, 1]}], "a.net: layer 1.padding: expected one or two whole numbers of at least 0, found [1, 1, 1]"),
    ([{**IMAGE, "shape": [1, 2, 2]}, CONV], "a.net: layer 1: expected an input no smaller than the kernel [3, 3], found [2, 2]"),
    ([CONV | {"bias": [1, 2, 3]}, DENSE], "a.net: layer 0: expected an input with space and channels for a convolution, found none; input_shape=(x, y, channels) says it"),
    ([IMAGE, CONV | {"bias": [1, 2, 3]}], "a.net: layer 1.bias: expected 8 or 2 numbers, found 3"),
]


@pytest.mark.parametrize("layers, expected", LAYERS)
def test_layers(layers: list[lavadl.Layer], expected: str) -> None:
    """Named by their number and what of them is wrong."""
    assert read(*layers) == expected


def test_arguments() -> None:
    """Of the call."""
    assert read(DENSE, semantics="loihi3") == "unknown semantics 'loihi3'; expected one of: lava010, loihi1 (did you mean loihi1?)"
    assert read(DENSE, semantics="loihi1", reset_interval=3) == "reset_interval: is for lava010: loihi1_lif has no reset"


def test_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """That are not there, not HDF5, or no files of lava-dl."""
    assert text(lambda: netx.read("b.net")) == "b.net: cannot be read: No such file or directory"
    Path("b.net").write_bytes(b"hello")
    assert text(lambda: netx.read("b.net")) == "b.net: is not an HDF5 file, packed with xz or not, so it is not a lava-dl network"
    whole = lavadl.write(Path("a.net"), DENSE).read_bytes()
    Path("c.net.xz").write_bytes(lzma.compress(whole)[:-20])
    assert text(lambda: netx.read("c.net.xz")) == "c.net.xz: cannot be read: Compressed file ended before the end-of-stream marker was reached"
    Path("d.net.xz").write_bytes(lzma.compress(whole))
    monkeypatch.setattr(netx_file, "LIMIT", 1000)
    assert text(lambda: netx.read("d.net.xz")) == "d.net.xz: expected at most 0.0 GB once unpacked, found more"


def test_links_are_not_followed() -> None:
    """Not out of the file."""
    lavadl.write(Path("a.net"), without(DENSE, "weight"))
    with h5py.File("a.net", "a") as file:
        file["layer/0/weight"] = h5py.ExternalLink("other.h5", "x")
    assert text(lambda: netx.read("a.net")) == "a.net: layer 0.weight: is a link to another place or file, which is not followed"


def test_conversion() -> None:
    """Only to YAML."""
    lavadl.write(Path("a.net"), DENSE)
    assert text(lambda: convert("a.net", "a.nir")) == "a.nir: NIR is converted from and to YAML only, found a.net"
    assert text(lambda: convert("a.net", "a.h5")) == "a.h5: a network of lava-dl is converted to YAML only, found a.net"


KERNEL = np.ones((2, 3, 3, 1))
CONVOLUTIONS: list[tuple[Any, Any, dict[str, Any], str]] = [
    (np.ones((3, 3)), (4, 4, 1), {}, "weight: expected [filters, x, y, channels], found an array with 2 axes"),
    (KERNEL, (4, 4), {}, "input_shape: expected x, y and channels, found (4, 4)"),
    (KERNEL, (4, 4, 2), {}, "weight: expected 2 channels on its last axis, found 1"),
    (KERNEL, (4, 4, 2), {"groups": 3}, "groups: expected a divisor of 2 channels and 2 filters, found 3"),
    (KERNEL, (2, 2, 1), {}, "expected an input no smaller than the kernel [3, 3], found [2, 2]"),
    (KERNEL, (4, 4, 1), {"stride": 0}, "stride: expected a whole number of at least 1, or two of them, found 0"),
    (KERNEL, (4, 4, 1), {"padding": (1, 2, 3)}, "padding: expected a whole number of at least 0, or two of them, found (1, 2, 3)"),
    (KERNEL, (4, 4, 1), {"dilation": 1.5}, "dilation: expected a whole number of at least 1, or two of them, found 1.5"),
]


@pytest.mark.parametrize("weight, shape, settings, expected", CONVOLUTIONS)
def test_convolutions(weight: Any, shape: Any, settings: dict[str, Any], expected: str) -> None:
    """What does not fit together."""
    assert text(lambda: sn.convolution(weight, shape, **settings)) == expected
