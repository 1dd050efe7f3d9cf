"""Graphs of NIR: read, run against what other tools made of them, written and read again."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import snnsim as sn
from snnsim.cli import main
from snnsim.convert import convert
from snnsim.nir.maps import Window, convolution

REPOSITORY = Path(__file__).parents[2]
FOLDERS = [Path(os.environ.get("SNNSIM_TEST_DATA", "")), REPOSITORY / "shared/data", REPOSITORY.parent / "shared/data"]
DATA = next((folder / "nir" for folder in FOLDERS if (folder / "nir").is_dir()), Path())
real = pytest.mark.skipif(Path() == DATA, reason="no folder with NIR files (set SNNSIM_TEST_DATA to its parent)")


def library() -> Any:
    """The library that writes NIR."""
    return pytest.importorskip("nir", reason="nir is not installed (pip install snnsim[nir])")


def graph(path: Path, nodes: Mapping[str, tuple[str, dict[str, Any]]], edges: list[tuple[str, str]] | None = None) -> Path:
    """A NIR file; without edges, each node leads to the next."""
    with h5py.File(path, "w") as file:
        file["version"] = "1.0"
        file["node/type"] = "NIRGraph"
        file["node/edges"] = np.array(edges or list(pairwise(nodes)), h5py.string_dtype())
        for name, (kind, values) in nodes.items():
            file[f"node/nodes/{name}/type"] = kind
            for key, value in values.items():
                file[f"node/nodes/{name}/{key}"] = value
    return path


def lif(n: int = 1, **values: float) -> tuple[str, dict[str, Any]]:
    """n neurons of tau 10 ms."""
    each = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | values
    return "LIF", {key: np.full(n, value) for key, value in each.items()}


def border(kind: str, *shape: int) -> tuple[str, dict[str, Any]]:
    """An Input or Output."""
    return kind, {"shape": list(shape)}


def run(net: sn.Network, spikes: np.ndarray, backend: str = "reference", **recorded: str) -> sn.Result:
    """`spikes` [steps, units], as counts, enter the population `input` in their own step; recorded: states by population."""
    at = {unit: [f"{step} step" for step in np.repeat(np.arange(len(column)), column.astype(int))]
          for unit, column in enumerate(spikes.T) if column.any()}
    net.input("data", "spike_times", to="input", times=at)
    net.record(spikes=[n for n, p in net.populations.items() if p.model.spiking],
               traces={name: {"variables": [state]} for name, state in recorded.items()})
    return sn.run(net, f"{len(spikes) * net.dt} ms", backend=backend)


def raster(result: sn.Result, population: str, n: int) -> np.ndarray:
    """Spikes as an array [steps, units]; row k is step k + 1."""
    times, ids = result.spikes(population)
    found = np.zeros((result.steps, n), int)
    np.add.at(found, (np.rint(times / result.dt).astype(int) - 1, ids), 1)
    return found


def trace_of(tool: str) -> np.ndarray:
    """Input, membrane and output of the network lif_norse in a tool, [1000, 3]."""
    return np.loadtxt(DATA / f"01_lif_traces/lif_{tool}.csv", delimiter=",")


@real
def test_euler_is_norse() -> None:
    """The reading euler gives Norse's membrane to the rounding of its single precision, and its spikes."""
    expected = trace_of("norse")
    result = run(sn.nir.read(DATA / "lif_norse.nir", reading="euler"), expected[:, :1], n1="v")
    assert np.abs(result.trace("n1", "v").data[:, 0] - expected[:, 1]).max() < 1e-7
    assert np.array_equal(raster(result, "n1", 1)[:, 0], expected[:, 2])
    assert np.array_equal(raster(result, "n1", 1)[:-1, 0], trace_of("lava_cpu_float")[1:, 2])   # a step later there


@real
def test_pulse_is_the_exact_solution() -> None:
    """The reading pulse agrees with the solution in continuous time up to its first spike, and has the same spikes."""
    expected = trace_of("exact")
    result = run(sn.nir.read(DATA / "lif_norse.nir", reading="pulse"), expected[:, :1], n1="v")
    assert np.abs(result.trace("n1", "v").data[:460, 0] - expected[:460, 1]).max() < 1e-8
    assert np.array_equal(raster(result, "n1", 1)[:, 0], expected[:, 2])


@real
def test_impulse_is_the_equation_of_nir() -> None:
    """A leak above the threshold fires every tau ln 6; each spike lifts the next neuron by r w/tau = 100 over 20."""
    net = sn.nir.read(DATA / "two_lif_neurons.nir", dt="0.05 ms")
    net.record(spikes=["lif1"])
    result = sn.run(net, "100 ms", backend="reference")
    steps = np.ceil(10 * math.log(6) / 0.05)
    assert np.array_equal(np.rint(result.spikes("lif1")[0] / 0.05), steps * np.arange(1, 6))
    assert np.array_equal(result.spikes("lif1")[0], result.spikes("lif2")[0])


@real
def test_shapes_of_old_tools_do_not_matter() -> None:
    """Rockpool's Output of shape (1, 1, 1), which the nir library refuses, is one unit."""
    result = run(sn.nir.read(DATA / "lif_rockpool.nir", reading="euler"), trace_of("rockpool")[:, :1])
    assert np.flatnonzero(raster(result, "n1_LIFNeuronTorch", 1)).tolist() == [460, 520, 720, 780]


def snntorch(path: Path, spikes: np.ndarray, subtract: bool) -> dict[str, np.ndarray]:
    """The braille networks, step by step: i = alpha i + input, v = beta v + i, a spike's own layer a step later."""
    with h5py.File(path) as file:
        nodes = {name: {key: np.asarray(item[()]) for key, item in node.items() if key != "type"}
                 for name, node in file["node/nodes"].items()}
    one, two, rec = nodes["lif1.lif"], nodes["lif2"], nodes["lif1.w_rec"]
    states = {name: [np.zeros_like(each["r"]) for _ in range(3)] for name, each in (("lif1.lif", one), ("lif2", two))}
    out: dict[str, list[np.ndarray]] = {"lif1_lif": [], "lif2": []}
    for x in spikes:
        now = nodes["fc1"]["weight"] @ x + nodes["fc1"].get("bias", 0) + rec.get("bias", 0)
        now = now + rec["weight"].astype(float) @ states["lif1.lif"][2]
        for name, key in (("lif1.lif", "lif1_lif"), ("lif2", "lif2")):
            p, (i, v, _) = nodes[name], states[name]
            i = i + 1e-4 / p["tau_syn"] * (p["w_in"] * now - i)
            v = v + 1e-4 / p["tau_mem"] * (p["v_leak"] - v + p["r"] * i)
            z = v >= p["v_threshold"]
            states[name] = [i, np.where(z, v - p["v_threshold"] if subtract else 0.0, v), z.astype(float)]
            out[key].append(z)
            if name == "lif1.lif":
                now = nodes["fc2"]["weight"] @ z.astype(float) + nodes["fc2"].get("bias", 0)
    return {name: np.array(each) for name, each in out.items()}


@real
@pytest.mark.parametrize(("name", "reset"), [("bias_zero", "set"), ("noBias_subtract", "subtract")])
def test_recurrent_networks_of_snntorch(name: str, reset: str) -> None:
    """Both kinds of reset, biases and recurrence: every spike is that of the networks stepped through by hand."""
    path, spikes = DATA / f"braille_noDelay_{name}.nir", np.random.default_rng(1).random((200, 12)) < 0.2
    expected = snntorch(path, spikes.astype(float), reset == "subtract")
    result = run(sn.nir.read(path, reading="euler", reset=reset), spikes)
    for population, each in expected.items():
        assert each.any()
        assert np.array_equal(raster(result, population, each.shape[1]), each)


@real
def test_subgraphs_are_taken_apart() -> None:
    """The same network with its recurrent part as a subgraph spikes the same."""
    spikes = np.random.default_rng(1).random((100, 12)) < 0.2
    flat, nested = (run(sn.nir.read(DATA / f"braille_noDelay_bias_zero{ending}.nir", reading="euler"), spikes)
                    for ending in ("", "_subgraph_fixed"))
    assert np.array_equal(raster(flat, "lif2", 7), raster(nested, "lif2", 7))
    assert raster(flat, "lif2", 7).any()


def convolved(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    """What a convolution with padding 1 gives, [filters, height, width], from its definition."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,fcij->fhw", windows, weight)


def pooled(x: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2."""
    return x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2).sum((2, 4))


@real
@pytest.mark.slow
def test_convolutional_network_of_sinabs() -> None:
    """Convolutions, pools, Flatten and Affine: all spikes of all layers are those of the dense arithmetic."""
    path, steps = DATA / "cnn_sinabs.nir", 12
    with h5py.File(path) as file:
        weight = {k: file[f"node/nodes/{k}/weight"][()].astype(float) for k in ("0", "2", "5", "9", "11")}
    spikes = np.random.default_rng(2).random((steps, 2, 34, 34)) < 0.1
    v, expected = dict[str, Any](), dict[str, list[np.ndarray]]()
    for frame in spikes.astype(float):
        x: np.ndarray = frame
        for name, layer in (("1", lambda x: convolved(x, weight["0"], 2)), ("3", lambda x: convolved(x, weight["2"], 1)),
                            ("6", lambda x: convolved(pooled(x), weight["5"], 1)),
                            ("10", lambda x: weight["9"] @ pooled(x).ravel()), ("12", lambda x: weight["11"] @ x)):
            u = v.get(name, 0.0) + layer(x)
            x = (u >= 1).astype(float)
            v[name] = np.where(u >= 1, 0.0, u)
            expected.setdefault(name, []).append(x.ravel())
    result = run(sn.nir.read(path), spikes.reshape(steps, -1), "cpu")
    for name, each in expected.items():
        assert np.array_equal(raster(result, f"n{name}", len(each[0])), each), name
    assert np.sum(expected["12"]) > 0


@pytest.mark.parametrize("window", [
    Window((3, 2), (1, 1), (0, 0), (0, 0), (1, 1)), Window((2, 2), (2, 1), (1, 0), (1, 0), (1, 1)),
    Window((2, 3), (1, 2), (1, 1), (0, 2), (2, 1)),
])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_by_its_definition(window: Window, groups: int) -> None:
    """Stride, padding on both sides, dilation and groups, as four loops have them."""
    rng, space = np.random.default_rng(3), (5, 6)
    weight, x = rng.normal(size=(4, 4 // groups, *window.kernel)), rng.normal(size=(4, *space))
    out = window.out(space)
    expected = np.zeros((4, *out))
    for f, c, *place in np.ndindex(4, 4 // groups, *window.kernel, *out):
        i, j, h, w = place
        at = [o * s - b + k * d for o, s, b, k, d in
              zip((h, w), window.stride, window.before, (i, j), window.dilation, strict=True)]
        if 0 <= at[0] < 5 and 0 <= at[1] < 6:
            channel = f // (4 // groups) * (4 // groups) + c
            expected[f, h, w] += weight[f, c, i, j] * x[channel, at[0], at[1]]
    m = convolution(weight, groups, window, space)
    found = np.bincount(m.target, m.weight * x.ravel()[m.source], expected.size)
    assert np.allclose(found, expected.ravel(), rtol=0, atol=1e-12)


def test_an_impulse_is_a_jump(tmp_path: Path) -> None:
    """v rises by r w/tau, with tau in s, and decays exactly."""
    path = graph(tmp_path / "a.nir", {"input": border("Input", 1), "w": ("Linear", {"weight": [[0.002]]}),
                                      "lif": lif(r=2.0), "out": border("Output", 1)})
    spikes = np.zeros((3, 1))
    spikes[1] = 1
    v = run(sn.nir.read(path), spikes, lif="v").trace("lif", "v").data[:, 0]
    assert v == pytest.approx([0, 0.4, 0.4 * math.exp(-0.01)], abs=1e-12)


def test_delays_and_recurrence(tmp_path: Path) -> None:
    """A Delay takes its time; an edge from a neuron to itself one step; all else happens within the step."""
    nodes = {"input": border("Input", 2), "wait": ("Delay", {"delay": [0.0, 0.0003]}),
             "scale": ("Scale", {"scale": [0.02, 0.02]}), "lif": lif(2, tau=0.01),
             "back": ("Linear", {"weight": [[0.0, 0.0], [0.02, 0.0]]}), "out": border("Output", 2)}
    edges = [("input", "wait"), ("wait", "scale"), ("scale", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")]
    spikes = np.zeros((8, 2))
    spikes[1] = 1
    net = sn.nir.read(graph(tmp_path / "a.nir", nodes, edges))
    assert [(p.delay.constant, p.bound.synapses) for p in net.projections] == [(0, 1), (pytest.approx(0.3), 1), (0.1, 1)]
    assert np.argwhere(raster(run(net, spikes), "lif", 2)).tolist() == [[1, 0], [2, 1], [4, 1]]


def test_output_of_spikes_without_neurons(tmp_path: Path) -> None:
    """An Output behind an Affine node records the weighted sum of each step."""
    path = graph(tmp_path / "a.nir", {"input": border("Input", 2), "read": ("Affine", {"weight": [[1.0, 2.0]], "bias": [0.5]}),
                                      "out": border("Output", 1)})
    result = run(sn.nir.read(path, reading="euler"), np.array([[0, 0], [1, 0], [1, 1]]))
    assert result.trace("out", "x").data[:, 0].tolist() == [0.5, 1.5, 3.5]


def test_membranes_that_do_not_spike_are_recorded(tmp_path: Path) -> None:
    """LI, CubaLI and I before an Output give traces of v."""
    values = {"tau": [0.01], "r": [1.0], "v_leak": [0.0]}
    cuba = {"tau_syn": [0.01], "tau_mem": [0.01], "r": [1.0], "v_leak": [0.0], "w_in": [3.0]}
    for kind, says, expected in (("LI", values, 100.0), ("I", {"r": [2.0]}, 2.0), ("CubaLI", cuba, 0.0)):
        path = graph(tmp_path / f"{kind}.nir", {"input": border("Input", 1), "li": (kind, says), "out": border("Output", 1)})
        net = sn.nir.read(path)
        assert [t.variable for t in net.recording.traces] == ["v"]
        result = run(net, np.array([[1], [0]]))
        assert result.trace("li", "v").data[0, 0] == pytest.approx(expected)
        assert result.trace("li", "v").data[1, 0] > 0


def test_threshold_is_high_as_long_as_its_input(tmp_path: Path) -> None:
    """A Threshold spikes in each step whose weighted input reaches it."""
    path = graph(tmp_path / "a.nir", {"input": border("Input", 2), "w": ("Linear", {"weight": [[1.0, 2.0]]}),
                                      "high": ("Threshold", {"threshold": [2.0]}), "out": border("Output", 1)})
    result = run(sn.nir.read(path, reading="pulse"), np.array([[1, 0], [0, 1], [1, 1], [0, 0]]))
    assert raster(result, "high", 1)[:, 0].tolist() == [0, 1, 1, 0]


def ours(model: str, **params: str) -> sn.Network:
    """Two populations with several delays, an inhibitory and a recurrent projection, driven by a relay."""
    net = sn.Network(dt="0.1 ms", seed=3, precision="double")
    net.population("input", 5, "relay")
    cells, more = (net.population(name, n, model, t_ref="0 ms", **params) for name, n in (("cells", 8), ("more", 4)))
    unit = "mV" if model == "lif_psc_delta" else "pA"
    net.project("input", cells, sn.all_to_all(), weight={"uniform": [f"4 {unit}", f"9 {unit}"]}, delay="0.1 ms")
    net.project(cells, more, sn.fixed_indegree(5), weight=f"5 {unit}", delay={"discrete": {"values": ["0.3 ms", "1 ms"]}})
    net.project(more, cells, sn.pairwise(0.5), weight=f"-3 {unit}", delay="0.7 ms")
    net.project(cells, cells, sn.fixed_indegree(2), weight=f"1.5 {unit}", delay="0.1 ms")
    return net


CASES = [("lif_psc_delta", {"tau_m": {"uniform": ["8 ms", "12 ms"]}, "v_rest": "-70 mV", "v_th": "-55 mV", "v_reset": "-65 mV"}),
         ("lif_psc_exp", {"tau_syn_exc": "2 ms", "tau_syn_inh": "2 ms", "c_m": "10 pF", "i_e": "5 pA"})]


@pytest.mark.parametrize(("model", "params"), CASES, ids=[model for model, _ in CASES])
def test_written_and_read_again(tmp_path: Path, model: str, params: Any) -> None:
    """Networks of built-in neurons keep every spike on their way through NIR."""
    library()
    net, spikes = ours(model, **params), np.random.default_rng(4).random((300, 5)) < 0.2
    assert sn.nir.write(net, tmp_path / "a.nir") == []
    again = sn.nir.read(tmp_path / "a.nir")
    assert (again.dt, [p.n for p in again.populations.values()]) == (net.dt, [8, 5, 4])
    before, after = run(net, spikes), run(again, spikes)
    for name, n in (("cells", 8), ("more", 4)):
        assert raster(before, name, n).any()
        assert np.array_equal(raster(before, name, n), raster(after, name, n))


@real
@pytest.mark.parametrize("reset", ["set", "subtract"])
def test_graphs_written_and_read_again(tmp_path: Path, reset: str) -> None:
    """A network that came from NIR keeps its spikes, its reading and its reset; the library reads what is written."""
    nir, spikes = library(), np.random.default_rng(1).random((100, 12)) < 0.2
    net = sn.nir.read(DATA / "braille_noDelay_bias_zero.nir", reading="euler", reset=reset)
    assert "the reading euler is noted in the file for snnsim; other tools do as they do" in sn.nir.write(net, tmp_path / "a.nir")
    again = sn.nir.read(tmp_path / "a.nir")
    assert {n: m.document for n, m in again.models.items()} == {n: m.document for n, m in net.models.items()}
    assert np.array_equal(raster(run(net, spikes), "lif2", 7), raster(run(again, spikes), "lif2", 7))
    assert sorted(type(node).__name__ for node in nir.read(tmp_path / "a.nir").nodes.values()) == [
        "Affine", "Affine", "CubaLIF", "CubaLIF", "Input", "Linear", "Output"]


@real
def test_convert_puts_the_arrays_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`snnsim convert` writes a short YAML and one npz file; the network is the one that Python reads."""
    out, spikes = tmp_path / "net.yaml", np.random.default_rng(1).random((50, 12)) < 0.3
    source = DATA / "braille_noDelay_bias_zero.nir"
    assert main(["convert", str(source), str(out), "--reading", "euler", "--dt", "0.1 ms"]) == 0
    assert capsys.readouterr().err == "note: populations of nodes: 'lif1.lif' is lif1_lif\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", "net.yaml"]
    assert len(out.read_text().splitlines()) < 100
    direct, through = sn.nir.read(source, reading="euler"), sn.load(out)
    assert np.array_equal(raster(run(direct, spikes), "lif2", 7), raster(run(through, spikes), "lif2", 7))


def test_convert_writes_nir(tmp_path: Path) -> None:
    """`snnsim convert NET.yaml OUT.nir`, and back."""
    library()
    (tmp_path / "net.yaml").write_text(ours("lif_psc_delta").to_yaml())
    convert(tmp_path / "net.yaml", tmp_path / "net.nir")
    convert(tmp_path / "net.nir", tmp_path / "back.yaml")
    assert [p.model.name for p in sn.load(tmp_path / "back.yaml").populations.values()] == ["nir_lif", "relay", "nir_lif"]


def test_info_names_each_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`snnsim info` says of every node whether it can be simulated."""
    path = graph(tmp_path / "a.nir", {"input": border("Input", 2), "foo": ("Foo", {"x": [1.0, 2.0]}), "out": border("Output", 2)})
    assert main(["info", str(path)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "can simulate no" in lines
    assert any(line.startswith("foo Foo no: unknown type of node 'Foo'; expected one of: Affine, ") for line in lines)
    assert "input Input yes shape 2" in lines


def test_info_gives_shapes(tmp_path: Path) -> None:
    """Shapes that no node says follow from the first."""
    path = graph(tmp_path / "a.nir", {"input": border("Input", 2, 6, 4), "pool": ("AvgPool2d", {
        "kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}), "flat": ("Flatten", {}), "lif": lif(12),
        "out": border("Output", 12)})
    found = sn.nir.contents(path)
    assert {node["name"]: node["shape"] for node in found["nodes"]} == {
        "flat": "12", "input": "2 x 6 x 4", "lif": "12", "out": "12", "pool": "2 x 3 x 2"}
    assert found["can_simulate"] == "yes"


@real
def test_a_doubtful_reading_is_said() -> None:
    """A file whose spikes were meant to last a step is noticed when it is read as impulses."""
    assert sn.nir.read(DATA / "lif_norse.nir").notes[1] == (
        "node '1': a spike, read as an impulse of area 1 s, moves it by 4e+03 thresholds; where the file is from a tool in "
        "which a spike is 1 for one step, use the reading euler (or pulse) with its dt")
