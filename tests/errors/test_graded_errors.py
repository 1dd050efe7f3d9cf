"""The full text of every message about payloads."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from graded import mixed, network

import snnsim as sn
from snnsim.checkpoint import load_state, save_state
from snnsim.convert import read
from snnsim.errors import InputError, NumericalError


@pytest.mark.parametrize(("backend", "threads"), [("reference", None), ("cpu", 2)])
def test_a_payload_of_too_many_bits(backend: str, threads: int | None, tmp_path: Path) -> None:
    """Names the unit and the step; all before that step is recorded."""
    net = network()
    net.population("first", 3, "once", value=[5, 1 << 23, -3], when=[1, 5, 2])
    net.population("second", 3, "pass")
    net.project("first", "second", sn.one_to_one(), weight=4, delay="2 ms", num_message_bits=24)
    net.record(spikes=["first", "second"])
    with pytest.raises(NumericalError) as caught:
        sn.run(net, "20 ms", backend=backend, threads=threads, out=tmp_path / "out.h5")
    assert str(caught.value) == (
        "population second, unit 1 sent 33554432 in step 7 (t = 7 ms), expected -16777215 to 16777215: a payload has 24 "
        f"bits and a sign; {tmp_path}/out.h5 holds everything up to there")
    result = sn.open(tmp_path / "out.h5")
    assert (result.steps, result.payloads("second").tolist()) == (6, [20, -12])


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_payload_that_wraps_is_found(backend: str) -> None:
    """Even one that 64 bits hold the lowest number of."""
    net = network()
    net.model("far", {"fixed_point": "lava010", "dynamics": "x[n+1] = x*2 : 1", "spike": "x > 0 or x < 0", "send": "x",
                      "initial": {"x": -4}})
    net.population("cells", 1, "far")
    with pytest.raises(NumericalError) as caught:
        sn.run(net, "80 ms", backend=backend)
    assert str(caught.value) == (
        "population cells, unit 0 sent -16777216 in step 22 (t = 22 ms), expected -16777215 to 16777215: a payload has 24 "
        "bits and a sign; nothing was recorded to a file")


def test_a_checkpoint_without_payloads(tmp_path: Path) -> None:
    """One that does not say what the spikes under way carry."""
    program = sn.compile(mixed(), backend="reference")
    program.run("2 ms")
    program.save(path := tmp_path / "state.ckpt")
    arrays, meta = load_state(path)
    save_state(path, {name: array for name, array in arrays.items() if name != "spikes/payload"}, meta)
    with pytest.raises(InputError) as caught:
        sn.resume(path, backend="reference")
    assert str(caught.value) == f"{path}: holds no payloads of the spikes under way: another version of snnsim wrote it"


def test_plastic_synapses_onto_whole_numbers() -> None:
    """Their weights are real numbers that no mantissa holds."""
    net = network()
    net.population("cells", 2, "leaky")
    with pytest.raises(InputError) as caught:
        net.project("cells", "cells", sn.all_to_all(), weight=1, synapse={"model": "stdp_pair", "params": {"w_max": 10}})
    assert str(caught.value) == ("projections.0.synapse: stdp_pair computes weights in real numbers, and leaky takes whole "
                                 "ones; expected loihi_learning")


@pytest.mark.parametrize(("lines", "message"), [
    (["exc,1,0.5,x"], "2: expected population,node_id,time_ms,payload, found exc,1,0.5,x"),
    (["exc,1,0.5"], "2: expected population,node_id,time_ms,payload, found exc,1,0.5"),
    (["exc,1,0.5,7", "exc,2,0.6,"], "3: expected population,node_id,time_ms,payload, found exc,2,0.6,"),
    (["exc,1,0.5,", "exc,2,0.6,3"], "3: expected population,node_id,time_ms,payload, found exc,2,0.6,3"),
])
def test_lines_of_a_table_with_payloads(lines: list[str], message: str, tmp_path: Path) -> None:
    """A population has payloads for all of its spikes or for none."""
    path = tmp_path / "spikes.csv"
    path.write_text("\n".join(["population,node_id,time_ms,payload", *lines]))
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}:{message}"


def test_a_file_that_lacks_payloads_of_its_last_spikes_is_cut(tmp_path: Path) -> None:
    """A recording is read up to its last commit, payloads as well."""
    net = mixed()
    net.record(spikes=["graded"])
    sn.run(net, "5 ms", backend="reference", out=tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        committed = file["snnsim/committed"][:]
        file["snnsim/committed"][:] = committed - [2, 1]
    result = sn.open(tmp_path / "out.h5")
    assert result.payloads("graded").size == result.count("graded") == committed[0] - 2
    assert isinstance(result.payloads("graded"), np.ndarray)
