"""Published recordings of Loihi 1 and Loihi 2 chips and of lava-dl's fixed-point layers, reproduced by whole networks.

In the recordings a probe of the potential reads 128 in the step of a spike, where the emulator has 0.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim.deploy import netx

DATA = Path(__file__).parents[2] / "../shared/data"
PROBE = 128
Events = set[tuple[int, int]]


def needs(folder: str) -> pytest.MarkDecorator:
    """Skips where the data set is not there."""
    return pytest.mark.skipif(not (DATA / folder).is_dir(), reason=f"needs the data in {DATA / folder}")


def played(unit: np.ndarray, step: np.ndarray, n: int, net: sn.Network) -> None:
    """A population of sources that spike in these steps, counted from 0."""
    times = {int(i): [f"{s + 1} ms" for s in np.sort(step[unit == i])] for i in np.unique(unit)}
    net.population("inputs", n, "spike_times", times=times)


def send(net: sn.Network, folder: Path, unit: np.ndarray, step: np.ndarray) -> None:
    """Spikes that the input of a lava-dl network passes on in these steps, counted from 0."""
    file = str(folder / "spikes.npz")
    np.savez(file, ids=unit, times=step.astype(float))
    net.input("data", "spike_times", to="input", ids={"file": file, "key": "ids"}, delay="1 ms",
              times={"file": file, "key": "times", "unit": "ms"})


def layer(folder: Path, weight: np.ndarray, events: np.ndarray, model: str, steps: int, **params: float) -> sn.Result:
    """Cells of one kind with weights [cells, inputs], and inputs that spike as `events` (input, step) say."""
    net, file = sn.Network(dt="1 ms"), str(folder / "weights.npz")
    np.savez(file, weight=weight.ravel().astype(float))
    played(events[:, 0], events[:, 1], weight.shape[1], net)
    net.population("cells", len(weight), model, **params)
    net.project("inputs", "cells", sn.all_to_all(), weight={"file": file, "key": "weight"}, sign_mode="mixed")
    net.record(spikes=["cells"], traces={"cells": {"variables": ["v"], "every": "1 ms"}})
    return sn.run(net, f"{steps} ms", backend="loihi")


def spikes(result: sn.Result, population: str = "cells") -> Events:
    """(unit, step from 0): a spike is in the step in which its input arrives, one after that of the input."""
    times, ids = result.spikes(population)
    return set(zip(ids.tolist(), (np.rint(times).astype(int) - 1).tolist(), strict=True))


@needs("loihi1-recording")
@pytest.mark.parametrize("model, decays", [("loihi1_lif", {"decay_u": 1024, "decay_v": 128}), ("loihi_lif", {"du": 1023, "dv": 128})])
def test_a_layer_on_loihi_1(tmp_path: Path, model: str, decays: dict[str, float]) -> None:
    """All 639 recorded spikes and no other; the potential of neuron 23 but for the probe in its spiking steps."""
    chip = np.load(DATA / "loihi1-recording/loihi1_layer1.npz")
    result = layer(tmp_path, chip["w1"], chip["input_events"], model, 500, vth=float(chip["vThMant"]), **decays)
    recorded = set(map(tuple, chip["hidden_events"].tolist()))
    assert len(recorded) == 639
    assert spikes(result) == recorded
    potential, probe = result.trace("cells", "v").data[1:500, 23], chip["hidden_voltage_23"]
    own = np.array([step - 1 for cell, step in sorted(recorded) if cell == 23])
    assert set(np.flatnonzero(potential != probe).tolist()) <= set(own.tolist())
    assert set(probe[own].tolist()) <= {PROBE} and not potential[own].any()


@needs("nir")
@pytest.mark.parametrize("name, probe", [("lif_lava_loihi_fixed", PROBE), ("lif_lava_cpu_fixed", 0)])
def test_a_neuron_on_loihi_2_and_in_lava(tmp_path: Path, name: str, probe: int) -> None:
    """1000 steps of NIR's LIF on the chip and in Lava: spikes in all, and the potential but for the probe of the chip."""
    given, potential, fired = np.loadtxt(DATA / f"nir/01_lif_traces/{name}.csv", delimiter=",", unpack=True)
    step = np.flatnonzero(given)
    events = np.stack([np.zeros_like(step), step], axis=1)
    result = layer(tmp_path, np.array([[10]]), events, "loihi_lif", 1000, du=4095, dv=163, vth=25)
    assert {step for _, step in spikes(result)} == set(np.flatnonzero(fired).tolist()) == {461, 511, 711, 761}
    wrong = np.flatnonzero(result.trace("cells", "v").data[:, 0] != potential)
    assert wrong.tolist() == (np.flatnonzero(fired).tolist() if probe else [])
    assert set(potential[fired > 0].tolist()) == {probe}


@needs("lavadl-netx")
def test_a_layer_of_lava_dl(tmp_path: Path) -> None:
    """All 1826 spikes of its oracle of 2000 steps, by the network that its file describes."""
    oracle = np.load(DATA / "lavadl-netx/oxford_layer0_oracle.npz")
    net = netx.read(DATA / "lavadl-netx/oxford_network.net.xz")
    send(net, tmp_path, *oracle["in_events"].astype(int).T)
    net.record(spikes=["layer0", "layer1"])
    result = sn.run(net, "2000 ms", backend="loihi")
    expected = set(map(tuple, oracle["out_events"].astype(int).tolist()))
    assert len(expected) == 1826
    assert spikes(result, "layer0") == expected
    assert result.count("layer1") > 1000


@needs("lavadl-netx")
def test_the_same_layer_with_what_loihi_1_does(tmp_path: Path) -> None:
    """Even weights without an exponent: both arithmetics agree."""
    oracle = np.load(DATA / "lavadl-netx/oxford_layer0_oracle.npz")
    result = layer(tmp_path, oracle["weight"], oracle["in_events"].astype(int), "loihi1_lif", 2000, decay_u=4096,
                   decay_v=415, vth=6)
    assert spikes(result) == set(map(tuple, oracle["out_events"].astype(int).tolist()))


@needs("mnist")
@needs("lavadl-netx")
def test_digits_are_told_apart_by_a_network_of_lava_dl(tmp_path: Path) -> None:
    """300 test digits, each shown for 20 steps as lava-dl's tutorial does; the class is the unit with most spikes."""
    images, labels = digits(300)
    net = netx.read(DATA / "lavadl-netx/mnist_network.net.xz", reset_interval=20, reset_offset=1)
    step, unit = encoded(images)
    send(net, tmp_path, unit, step - 1)
    times, ids = sn.run(net, f"{20 * len(images) + 3} ms", backend="loihi").spikes("layer2")
    counts = np.zeros((len(images) + 1, 10), int)
    np.add.at(counts, ((np.rint(times).astype(int) - 4) // 20, ids), 1)   # its resets are in the steps 4, 24, ...
    assert np.mean(counts[: len(images)].argmax(axis=1) == labels) > 0.95


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [count, 784] of numbers from 0 to 1, and labels [count], of the test set of MNIST."""
    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((DATA / "mnist" / name).read_bytes()), np.uint8, offset=header)

    return read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:count] / 255, read("t10k-labels-idx1-ubyte.gz", 8)[:count]


def encoded(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps (from 1) and units of the spikes of pixels that sum their brightness; the first of 20 steps is a pause."""
    found = []
    for number, image in enumerate(images):
        potential = np.zeros(784)
        for step in range(2, 21):
            potential = potential + image
            fired = np.flatnonzero(potential > 1)
            potential[fired] = 0
            found.append((np.full(fired.size, 20 * number + step), fired))
    step, unit = (np.concatenate(column) for column in zip(*found, strict=True))
    return step, unit
