"""Network files of lava-dl become networks in whole numbers; convolutions become synapses."""

from __future__ import annotations

import gc
import lzma
from pathlib import Path
from typing import Any

import lavadl
import numpy as np
import pytest

import snnsim as sn
from snnsim.convert import convert
from snnsim.deploy import netx
from snnsim.deploy.conv import conv_connection

RNG = np.random.default_rng(1)
# A potential that nothing but the arrivals of the step before is in.
MEMORYLESS = {"vDecay": 4095, "vThMant": 131071}


def params(net: sn.Network, name: str) -> dict[str, Any]:
    """Parameters of a population that are the same for all units."""
    return {key: value.constant for key, value in net.populations[name].params.items()}


def potentials(net: sn.Network, name: str, spikes: dict[int, int]) -> np.ndarray:
    """Of a population in each step, [10, n], where inputs spike in these steps (unit -> step, from 0)."""
    net.input("data", "spike_times", to="input", times={unit: [f"{step} ms"] for unit, step in spikes.items()}, delay="1 ms")
    net.record(traces={name: {"variables": ["v"], "every": "1 ms"}})
    return sn.run(net, "10 ms", backend="reference").trace(name, "v").data


def test_dense_layers_become_populations_of_loihi_lif(tmp_path: Path) -> None:
    """iDecay is du + 1, as netx has it; the spikes of the last layer are recorded."""
    path = lavadl.write(tmp_path / "a.net", lavadl.dense(np.full((3, 2), 4), bias=[1, -2, 3]), lavadl.dense(np.full((1, 3), 2), {"iDecay": 1}))
    net = netx.read(path, dt="2 ms")
    assert {name: (p.n, p.model.name) for name, p in net.populations.items()} == {
        "input": (2, "relay"), "layer0": (3, "loihi_lif"), "layer1": (1, "loihi_lif")}
    assert params(net, "layer0") == {"du": 4095, "dv": 400, "vth": 10, "bias_mant": None, "bias_exp": 6}
    assert params(net, "layer1") == {"du": 0, "dv": 400, "vth": 10}
    assert net.populations["layer0"].params["bias_mant"].draw(None, (0, 3)).tolist() == [1, -2, 3]
    assert (net.dt, list(net.recording.spikes)) == (2.0, ["layer1"])
    assert [(p.source.name, p.target.name, p.delay.constant) for p in net.projections] == [("input", "layer0", 2.0), ("layer0", "layer1", 2.0)]


def test_loihi_1_keeps_the_refractory_delay(tmp_path: Path) -> None:
    """refDelay counts the step of the spike; netx leaves it out, which is said."""
    path = lavadl.write(tmp_path / "a.net", lavadl.dense([[4]], {"refDelay": 3}))
    assert params(netx.read(path, semantics="loihi1"), "layer0") == {"decay_u": 4096, "decay_v": 400, "vth": 10, "t_ref": 2}
    assert netx.read(path).notes == ["layer 0: the refractory delay of 3 steps is left out, as netx does; semantics='loihi1' keeps it"]


def test_resets_follow_each_other_from_layer_to_layer(tmp_path: Path) -> None:
    """As netx has them: the first layer one step after the offset."""
    path = lavadl.write(tmp_path / "a.net", lavadl.dense([[4]]), lavadl.dense([[4]]))
    net = netx.read(path, reset_interval=20, reset_offset=1)
    assert net.populations["layer1"].model.name == "loihi_lif_reset"
    assert [params(net, f"layer{k}")["reset_offset"] for k in range(2)] == [2, 3]
    assert params(net, "layer0")["reset_interval"] == 20


def test_parameters_may_differ_between_units(tmp_path: Path) -> None:
    """One value for each of them."""
    net = netx.read(lavadl.write(tmp_path / "a.net", lavadl.dense([[4], [4]], {"vDecay": [7, 8]})))
    assert net.populations["layer0"].params["dv"].draw(None, (0, 2)).tolist() == [7, 8]


@pytest.mark.parametrize("weight", [[[101, -3], [0, 127]], [[255, 1], [3, 0]], [[-255, -1], [-3, 0]]])
def test_odd_weights_keep_their_value(tmp_path: Path, weight: Any) -> None:
    """Of one sign they have eight bits; of both they are stored twice as large, with an exponent."""
    net = netx.read(lavadl.write(tmp_path / "a.net", lavadl.dense(weight, MEMORYLESS)))
    assert potentials(net, "layer0", {0: 1, 1: 3})[[2, 4]].tolist() == (64 * np.transpose(weight)).tolist()


def test_mixed_weights_beyond_eight_bits_are_clipped_as_netx_does(tmp_path: Path) -> None:
    """Which is said."""
    net = netx.read(lavadl.write(tmp_path / "a.net", lavadl.dense([[300, -400, 8]], MEMORYLESS)))
    assert net.notes == ["layer 0: weights from -400 to 300 are clipped to -256 ... 254"]
    assert potentials(net, "layer0", {0: 1, 1: 3, 2: 5})[[2, 4, 6], 0].tolist() == [64 * 254, 64 * -256, 64 * 8]


def correlated(weight: np.ndarray, image: np.ndarray, stride: tuple[int, int], padding: tuple[int, int]) -> np.ndarray:
    """PyTorch's convolution of an image [channels, y, x]."""
    padded = np.pad(image, ((0, 0), *((p, p) for p in padding)))
    (filters, _, *kernel), rows = weight.shape, []
    y, x = ((n - k) // s + 1 for n, k, s in zip(padded.shape[1:], kernel, stride, strict=True))
    for i in range(y):
        part = [padded[:, i * stride[0]:, j * stride[1]:][:, :kernel[0], :kernel[1]] for j in range(x)]
        rows.append([[np.sum(weight[f] * p) for p in part] for f in range(filters)])
    return np.array(rows).transpose(1, 0, 2)


def test_convolutions_and_what_is_flattened_after_them(tmp_path: Path) -> None:
    """Units are counted with channels slowest, as PyTorch flattens them; bias is one number for each filter."""
    kernel, image = RNG.integers(-50, 50, (4, 2, 3, 2)) * 2, RNG.integers(0, 2, (2, 6, 5))
    after, last = correlated(kernel, image, (2, 1), (1, 0)), RNG.integers(-50, 50, (3, 4 * 3 * 4)) * 2
    assert after.shape == (4, 3, 4)
    path = lavadl.write(
        tmp_path / "a.net", {"type": [b"input"], "shape": [2, 6, 5]},
        lavadl.conv(kernel, [4, 3, 4], {"vDecay": 4095, "vThMant": 1}, stride=[2, 1], padding=[1, 0], bias=[0, 0, 0, -2]),
        {"type": [b"flatten"]}, lavadl.dense(last, MEMORYLESS))
    net = netx.read(path)
    found = potentials(net, "layer1", {int(unit): 1 for unit in np.flatnonzero(image)})
    summed = 64 * (after + np.array([0, 0, 0, -2])[:, None, None])   # the input spikes in step 2, the layer in step 3
    assert found[3].tolist() == (64 * last @ (summed.ravel() > 64)).tolist()


def test_a_packed_file_is_read_and_converted(tmp_path: Path) -> None:
    """The arrays go to a file beside the YAML."""
    path = lavadl.write(tmp_path / "a.net", lavadl.dense(RNG.integers(-100, 100, (30, 20)) * 2))
    packed = tmp_path / "b.net.xz"
    packed.write_bytes(lzma.compress(path.read_bytes()))
    yaml = convert(packed, tmp_path / "b.yaml")
    net, weight = sn.load(yaml), sn.load(yaml).projections[0].weight
    assert (net.name, (tmp_path / "b.npz").is_file()) == ("b", True)
    assert np.array_equal(weight.draw(None, (0, 600)), netx.read(path).projections[0].weight.draw(None, (0, 600)))


def test_many_weights_are_kept_in_a_temporary_file(tmp_path: Path) -> None:
    """It is there as long as the network."""
    net = netx.read(lavadl.write(tmp_path / "a.net", lavadl.dense(np.full((300, 300), 2), {"vDecay": np.arange(300)})))
    file = Path(net.populations["layer0"].params["dv"].to_spec()["file"])
    assert file.is_file()
    del net
    gc.collect()
    assert not file.exists()


def test_the_rule_of_a_convolution_connects_populations() -> None:
    """``sn.convolution`` gives pairs and weights together."""
    weight = RNG.integers(-100, 100, (3, 2, 2, 1)) * 2
    net = sn.Network(dt="1 ms")
    net.population("a", 20, "relay")
    net.population("b", 4 * 3 * 3, "loihi_lif")
    (made,) = net.project("a", "b", sn.convolution(weight, (5, 4, 1)))
    assert made.bound.synapses == len(conv_connection(weight, (5, 4, 1))[0]) == 4 * 3 * 12 - 4 * 3 * int((weight == 0).sum())
