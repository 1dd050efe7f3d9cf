"""The full text of every message about NIR: files that are not sound, nodes that cannot be simulated, networks that NIR
cannot say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim.convert import convert
from snnsim.errors import InputError
from snnsim.nir.graph import KINDS

Nodes = Mapping[str, tuple[str, dict[str, Any]]]
KNOWN = ", ".join(sorted(KINDS))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named without a folder."""
    monkeypatch.chdir(tmp_path)


def graph(nodes: Nodes, edges: list[tuple[str, str]] | None = None, group: str = "node") -> None:
    """Write a.nir; without edges, each node leads to the next."""
    with h5py.File("a.nir", "a") as file:
        file[f"{group}/type"] = "NIRGraph"
        file[f"{group}/edges"] = np.array(list(pairwise(nodes)) if edges is None else edges, h5py.string_dtype())
        for name, (kind, values) in nodes.items():
            file[f"{group}/nodes/{name}/type"] = kind
            for key, value in values.items():
                file[f"{group}/nodes/{name}/{key}"] = value


def text(call: Callable[[], Any]) -> str:
    """What is raised, in words."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def read(**choices: Any) -> str:
    """What reading a.nir raises."""
    return text(lambda: sn.nir.read("a.nir", **choices))


IN, OUT = ("Input", {"shape": [2]}), ("Output", {"shape": [2]})
PARAMETERS = {"tau": [0.01] * 2, "r": [1.0] * 2, "v_leak": [0.0] * 2, "v_threshold": [1.0] * 2}


def lif(**values: Any) -> tuple[str, dict[str, Any]]:
    """Two neurons."""
    return "LIF", PARAMETERS | values


def between(kind: str, shape: tuple[int, ...] = (2,), **values: Any) -> Nodes:
    """A node between an Input and an Output."""
    return {"in": ("Input", {"shape": list(shape)}), "x": (kind, values), "out": OUT}


CONV = {"weight": np.ones((4, 2, 3, 3)), "bias": np.zeros(4), "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
POOL = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}
NODES = [
    (between("Foo"), f"x: unknown type of node 'Foo'; expected one of: {KNOWN}"),
    (between("linear"), f"x: unknown type of node 'linear'; expected one of: {KNOWN} (did you mean Linear?)"),
    (between("LIF", tau=[0.01], r=[1.0]), "x.v_leak: missing; LIF needs tau, r, v_leak, v_threshold\n"
                                          "a.nir: x.v_threshold: missing; LIF needs tau, r, v_leak, v_threshold"),
    ({"in": IN, "x": lif(tau=[0.01, 0.0]), "out": OUT}, "x.tau: expected times above 0, found 0 s"),
    ({"in": IN, "x": lif(r=[1.0, np.nan]), "out": OUT}, "x.r: value number 1 is nan, expected finite numbers"),
    ({"in": IN, "x": lif(r="one"), "out": OUT}, "x.r: expected numbers, found 'one'"),
    ({"in": IN, "x": lif(r=[1.0] * 3, tau=[0.01] * 3), "out": OUT}, "x.v_leak: expected the shape of tau, [3], found [2]"),
    ({"in": ("Input", {"shape": [3]}), "x": lif(), "out": OUT}, "x: expected 3 units, the size of what comes in, found 2"),
    ({"in": ("Input", {"shape": [2.5]}), "x": lif(), "out": OUT}, "in.shape: expected a whole number from 1 on, found 2.5"),
    (between("Linear", weight=[1.0, 2.0]), "x.weight: expected a matrix [outputs, inputs], found the shape [2]"),
    (between("Linear", weight=np.ones((2, 3))), "x.weight: expected 2 inputs, the size of what comes in, found 3"),
    (between("Affine", weight=np.ones((2, 2)), bias=[1.0]), "x.bias: expected 2 numbers, one for each of the outputs, found 1"),
    (between("Scale", scale=[1.0, 2.0, 3.0]), "x.scale: expected 2 numbers, the size of what comes in, found 3"),
    (between("Delay", delay=[0.0, -0.001]), "x.delay: expected times from 0 on, found -0.001 s"),
    (between("Conv2d", **CONV), "x: expected an input [2, height, width], found the shape [2]"),
    (between("Conv2d", (2, 2, 5), **CONV), "x: expected an input no smaller than the kernel [3, 3], found [2, 5]"),
    (between("Conv2d", (2, 5, 5), **CONV | {"stride": [1, 0]}), "x.stride: expected 1 or 2 whole numbers from 1 on, found 1, 0"),
    (between("Conv2d", (6, 5, 5), **CONV | {"groups": 3}), "x.groups: expected a divisor of the 4 filters, found 3"),
    (between("Conv2d", (2, 5, 5), **CONV | {"padding": "same", "stride": 2}),
     "x.padding: expected numbers where the stride is above 1, found 'same'"),
    (between("Conv1d", (2, 5), **CONV), "x.weight: expected 3 axes, found the shape [4, 2, 3, 3]"),
    (between("SumPool2d", **POOL), "x: expected an input [channels, height, width], found the shape [2]"),
    (between("Conv2d", (2, 100_000, 100_000), **CONV),
     "in: expected at most 67108864 synapses between two populations, found 20000000000"),
]


@pytest.mark.parametrize(("nodes", "message"), NODES, ids=[message[:60] for _, message in NODES])
def test_nodes_that_cannot_be_simulated(nodes: Nodes, message: str) -> None:
    """Each is named with what it should be."""
    graph(nodes)
    assert read() == f"a.nir: {message}"


def test_all_nodes_are_reported_at_once() -> None:
    """Faults of several nodes come together."""
    graph({"in": IN, "a": ("Foo", {}), "b": lif(tau=[-1.0, 1.0]), "out": OUT})
    assert read().splitlines() == [f"a.nir: a: unknown type of node 'Foo'; expected one of: {KNOWN}",
                                   "a.nir: b.tau: expected times above 0, found -1 s"]


LI = ("LI", {"tau": [0.01] * 2, "r": [1.0] * 2, "v_leak": [0.0] * 2})
SCALE = ("Scale", {"scale": [2.0, 2.0]})
EDGES = [
    ({"in": IN, "lif": lif(), "out": OUT}, [("in", "lfi"), ("lif", "out")],
     "edges.in -> lfi: expected names of nodes, found 'lfi', which is none (did you mean lif?)"),
    ({"in": IN, "li": LI, "w": SCALE, "out": OUT}, None,
     "w: expected spikes as the input of Scale, found the membrane potential of li (LI); only spikes travel between "
     "populations"),
    ({"a": SCALE, "b": SCALE}, [("a", "b"), ("b", "a")], "a: expected a neuron somewhere in the cycle a -> b -> a, found none"),
    ({"w": SCALE, "out": OUT}, None, "w: expected edges from nodes that give something out, found none"),
    ({"in": IN, "b": ("Input", {"shape": [3]}), "out": OUT}, [("in", "out"), ("b", "out")],
     "out: expected inputs of one size, found 2 from in, 3 from b"),
    ({"in": IN, "out": OUT, "w": SCALE, "end": OUT}, [("in", "out"), ("out", "w"), ("w", "end")],
     "w: expected edges from nodes that give something out, found one from out, an Output"),
    ({"in": IN, "out": OUT}, [], "out: expected edges from nodes that give something out, found none"),
]


@pytest.mark.parametrize(("nodes", "edges", "message"), EDGES, ids=[message[:60] for *_, message in EDGES])
def test_edges_that_make_no_network(nodes: Nodes, edges: Any, message: str) -> None:
    """What leads where is checked too."""
    graph(nodes, edges)
    assert read() == f"a.nir: {message}"


def test_subgraphs_with_several_inputs() -> None:
    """An edge to a subgraph must have one end."""
    graph({"in": IN, "out": OUT}, [("in", "sub"), ("sub", "out")])
    graph({"a": IN, "b": IN, "c": OUT}, [("a", "c")], "node/nodes/sub")
    assert read() == "a.nir: sub: expected a subgraph with one Input for its edges, found 2"


def test_choices() -> None:
    """Readings, resets and dt."""
    graph({"in": IN, "lif": lif(), "out": OUT})
    assert read(reading="eulr") == "reading: unknown reading 'eulr'; expected one of: euler, impulse, pulse (did you mean euler?)"
    assert read(reset="zero") == "reset: unknown reset 'zero'; expected one of: set, subtract"
    assert read(dt="1 mV") == "a.nir: dt: wrong unit: expected a time (ms), found 1 mV (a voltage (mV))"


def test_what_impulses_cannot_say() -> None:
    """A Threshold, and a bias at an Output, need spikes that last a step."""
    graph({"in": IN, "high": ("Threshold", {"threshold": [1.0, 1.0]}), "w": ("Affine", {"weight": np.eye(2), "bias": [1.0, 0]}),
           "out": OUT})
    assert read().splitlines() == [
        "a.nir: high: expected the reading pulse or euler for a Threshold, found impulse: its output lasts as long as its "
        "input is high",
        "a.nir: out: expected the reading pulse or euler for an Output with a bias, found impulse: the sum of impulses and a "
        "constant is no number"]


def test_files_that_are_not_nir() -> None:
    """No file, a folder, something else, another HDF5 file, a damaged one."""
    assert text(lambda: sn.nir.read("none.nir")) == "none.nir: no such file"
    Path("folder.nir").mkdir()
    assert text(lambda: sn.nir.read("folder.nir")) == "folder.nir: is a folder, expected a NIR file"
    Path("b.nir").write_text("snnsim: 1\n")
    assert text(lambda: sn.nir.read("b.nir")) == "b.nir: expected a NIR file, which is HDF5, found something else"
    with h5py.File("a.nir", "w") as file:
        file["spikes/x"] = [1]
    assert read() == "a.nir: expected a NIR graph in a group /node, found spikes"
    Path("a.nir").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert read().startswith("a.nir: damaged or unreadable: ")


def test_incomplete_graphs() -> None:
    """Groups that are no nodes, edges that are no pairs, names twice."""
    with h5py.File("a.nir", "w") as file:
        file["node/type"] = "NIRGraph"
    assert read() == "a.nir: expected a graph with a group of nodes, found none"
    with h5py.File("a.nir", "w") as file:
        file["node/nodes/x/weight"] = [1.0]
    assert read() == "a.nir: x: expected a node with a type, found none"
    with h5py.File("a.nir", "w") as file:
        file["node/nodes/in/type"] = "Input"
    assert read() == "a.nir: edges: expected up to 1000000 pairs of names, found none"
    with h5py.File("a.nir", "a") as file:
        file["node/edges"] = [1, 2, 3]
    assert read() == "a.nir: edges: expected up to 1000000 pairs of names, found an array of shape (3,)"
    with h5py.File("a.nir", "a") as file:
        del file["node/edges"]
        file["node/edges"] = [[1, 2]]
    assert read() == "a.nir: edges: expected text, found values of type int64"


def test_names_that_meet() -> None:
    """A node called a.b and a node b in a subgraph a."""
    graph({"a.b": lif()}, [])
    graph({"b": lif()}, [], "node/nodes/a")
    assert read() == "a.nir: a.b: expected a name for each node, found two of this name"


def test_strangers_cannot_take_memory() -> None:
    """An array that is announced but not there is refused before it is read, as is one beyond all bounds."""
    graph({"in": IN, "out": OUT})
    with h5py.File("a.nir", "a") as file:
        file["node/nodes/x/type"] = "Linear"
        file.create_dataset("node/nodes/x/weight", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))
    assert read() == "a.nir: x.weight: announces 8796093022208 bytes, but 0 are stored"


def test_strangers_cannot_lead_elsewhere() -> None:
    """Links, external arrays and virtual ones are not followed."""
    graph({"in": IN, "out": OUT})
    np.zeros(4).tofile("secret.bin")
    with h5py.File("a.nir", "a") as file:
        file["node/nodes/x/type"] = "Scale"
        file["node/nodes/x/scale"] = h5py.ExternalLink("other.h5", "/data")
    assert read() == "a.nir: x.scale: is a link to another place or file, which is not followed"
    with h5py.File("a.nir", "a") as file:
        del file["node/nodes/x/scale"]
        file.create_dataset("node/nodes/x/scale", (4,), "f8", external=[("secret.bin", 0, 32)])
    assert read() == "a.nir: x.scale: lies in another file, which is not opened"
    with h5py.File("a.nir", "a") as file:
        del file["node/nodes/x/scale"]
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
        file.create_virtual_dataset("node/nodes/x/scale", layout)
    assert read() == "a.nir: x.scale: lies in another file, which is not opened"


def test_strangers_cannot_nest_without_end() -> None:
    """A subgraph that holds itself."""
    graph({"in": IN, "out": OUT})
    with h5py.File("a.nir", "a") as file:
        file["node/nodes/self"] = file["node"]
    assert read() == f"a.nir: {'.'.join(['self'] * 17)}: expected at most 16 subgraphs in each other, found more"


def test_values_of_other_kinds() -> None:
    """Compound types and text that is none."""
    graph({"in": IN, "out": OUT})
    with h5py.File("a.nir", "a") as file:
        file["node/nodes/x/type"] = "Scale"
        file["node/nodes/x/scale"] = np.zeros(2, [("a", "f8")])
    assert read() == "a.nir: x.scale: expected numbers or text, found values of type [('a', '<f8')]"
    with h5py.File("a.nir", "a") as file:
        del file["node/nodes/x/scale"]
        file["node/nodes/x/scale"] = np.bytes_(b"\xff\xfe")
    assert read() == "a.nir: x.scale: expected text, found bytes that are not UTF-8"


# --- writing ---------------------------------------------------------------------------------------------------------


def write(net: sn.Network, path: str = "out.nir") -> str:
    """What writing raises."""
    pytest.importorskip("nir", reason="nir is not installed (pip install snnsim[nir])")
    return text(lambda: sn.nir.write(net, path))


def test_networks_that_nir_cannot_say() -> None:
    """Every part is named: models, refractory times, time constants, currents."""
    net = sn.Network()
    net.population("a", 1, "hodgkin_huxley")
    net.population("b", 1, "lif_psc_delta")
    net.population("c", 1, "lif_psc_exp", t_ref="0 ms", tau_syn_inh="3 ms")
    net.project("b", "c", sn.all_to_all(), weight="1 pA")
    net.project("b", "c", sn.all_to_all(), weight="-1 pA")
    net.input("step", "current", to="b", amplitude="1 pA")
    assert write(net).splitlines() == [
        "populations.a.model: expected a model that NIR has, found hodgkin_huxley; these can be written: lif_psc_delta, "
        "lif_psc_exp, relay, poisson, spike_times, and those of networks read from NIR",
        "populations.b.params.t_ref: expected 0 ms, since NIR has no refractory time, found 2 ms",
        "populations.c.params.tau_syn_inh: expected the same as tau_syn_exc, since a CubaLIF has one synaptic current, found "
        "2 ms and 3 ms",
        "inputs.step: expected spikes or none, found type current: NIR holds no currents",
    ]
    assert not Path("out.nir").exists()


def test_too_many_delays() -> None:
    """A branch for each delay has a limit."""
    net = sn.Network()
    net.population("a", 20, "lif_psc_delta", t_ref="0 ms")
    net.project("a", "a", sn.all_to_all(), weight="1 mV", delay={"uniform": ["0.1 ms", "40 ms"]})
    assert write(net).startswith("projections.a->a.delay: expected at most 64 different delays, found ")


def test_neurons_of_different_readings() -> None:
    """One file has one reading."""
    graph({"in": IN, "lif": lif(), "out": OUT})
    net = sn.nir.read("a.nir", reading="euler")
    net.population("b", 1, "lif_psc_delta", t_ref="0 ms")
    assert write(net) == "populations: expected neurons of one reading, found euler and impulse"


def test_a_bias_needs_a_projection() -> None:
    """A constant input without a linear node to hold it."""
    graph({"in": IN, "w": ("Affine", {"weight": np.zeros((2, 2)), "bias": [1.0, 2.0]}), "lif": lif(), "out": OUT})
    message = "populations.lif.params.bias: expected a projection to the population, which NIR needs for a bias, found none"
    assert write(sn.nir.read("a.nir")) == message


def test_where_files_are_written() -> None:
    """Nothing is overwritten unasked; folders must be there."""
    Path("out.nir").write_text("")
    assert write(sn.Network()) == "out.nir: exists already; choose another name, or overwrite=True to replace it"
    assert write(sn.Network(), "no/out.nir") == "no/out.nir: the folder no does not exist"
    graph({"in": IN, "lif": lif(), "out": OUT})
    Path("net.npz").write_text("")
    message = "net.npz: exists already; choose another name, or overwrite=True to replace it"
    assert text(lambda: convert("a.nir", "net.yaml")) == message
    assert text(lambda: convert("a.nir", "no/net.yaml")) == "no/net.yaml: the folder no does not exist"
    assert text(lambda: convert("a.nir", "net.h5")) == "net.h5: NIR is converted from and to YAML only, found a.nir"
    assert text(lambda: convert("net.yaml", "a.yaml", dt="1 ms")) == "net.yaml: dt: for a source in NIR only (.nir)"


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing names the extra to install; reading does without."""
    monkeypatch.setitem(sys.modules, "nir", None)
    message = 'the library nir is not installed: pip install "snnsim[nir]"'
    assert text(lambda: sn.nir.write(sn.Network(), "out.nir")) == message
    graph({"in": IN, "lif": lif(), "out": OUT})
    assert sn.nir.read("a.nir").populations["lif"].n == 2
