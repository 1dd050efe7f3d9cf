"""What the CPU engine promises beyond equal spikes: vector code, small synapses, cached machine code."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest

import snnsim as sn
from snnsim.backends.cpu.engine import CpuEngine
from snnsim.lowering import make_plan


def balanced(weight: object = "0.1 mV", delay: object = "1.5 ms") -> sn.Network:
    """Brunel's network at a tenth of its size."""
    net = sn.Network(seed=2)
    exc, inh = net.population("exc", 1000, "lif_psc_delta"), net.population("inh", 250, "lif_psc_delta")
    net.input("noise", type="poisson", rate="20 kHz", to=[exc, inh], weight="0.1 mV")
    net.project(exc, [exc, inh], sn.fixed_indegree(100), weight=weight, delay=delay)
    return net


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of compiled code."""
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 vector instructions")
@pytest.mark.parametrize("model", ["lif_psc_delta", "lif_psc_exp", "lif_cond_exp", "hh_cond_exp_traub"])
def test_update_loops_are_vector_code(fresh_cache: Path, model: str) -> None:
    """LLVM turns the update loop into packed arithmetic."""
    net = sn.Network(seed=1)
    net.population("cells", 64, model)
    engine = CpuEngine(make_plan(net), 1)
    function = next(function for function in engine.loops.functions if function.name.startswith("update_"))
    assembly = function.dispatcher().inspect_asm(function.arguments)
    packed = re.findall(r"\bv?(?:mul|add)ps\b", assembly)
    assert len(packed) >= 3


def test_bytes_per_synapse() -> None:
    """A synapse takes 2 bytes where its source has one weight, 4 where it has its own: at most 8."""
    for weight, most in (("0.1 mV", 2.2), ({"normal": {"mean": "0.1 mV", "sd": "0.01 mV"}}, 4.2)):
        plan = make_plan(balanced(weight))
        bytes_ = CpuEngine(plan, 1).memory()["synapses"]
        assert bytes_ / sum(p.bound.synapses for p in plan.projections) < most


def test_populations_of_more_units_than_16_bits_number() -> None:
    """Their synapses with weights of their own take more than a word."""
    def states(backend: str) -> np.ndarray:
        net = sn.Network(dt="0.1 ms", seed=1)
        net.population("source", 20, "poisson", rate="1 kHz")
        net.population("target", 100_000, "lif_psc_delta")
        net.project("source", "target", sn.fixed_outdegree(100), weight={"normal": {"mean": "2 mV", "sd": "0.5 mV"}}, delay="1 ms")
        program = sn.compile(net, backend, 1)
        assert program.engine.facts().get("bundles", ["synapses: source->target"]) == ["synapses: source->target"]
        program.run("2 ms")
        return program["target"]["v"]

    np.testing.assert_array_equal(states("reference"), states("cpu"))


def test_machine_code_is_found_again(fresh_cache: Path) -> None:
    """A second program of the same shape compiles nothing."""
    CpuEngine(make_plan(balanced()), 1)
    compiled = {path: path.stat().st_mtime_ns for path in fresh_cache.rglob("*.nb[ci]")}
    CpuEngine(make_plan(balanced(weight="0.2 mV")), 1)
    assert compiled == {path: path.stat().st_mtime_ns for path in fresh_cache.rglob("*.nb[ci]")} != {}
    loops = [path for path in (fresh_cache / "cpu").glob("snnsim_net_*.py") if "def run(" in path.read_text()]
    assert len(loops) == 1


def test_what_a_network_calls_is_compiled_once(fresh_cache: Path) -> None:
    """Another network of the same neurons compiles its loop alone."""
    CpuEngine(make_plan(balanced()), 1)
    compiled = set(fresh_cache.rglob("*.nbc"))
    net = balanced()
    net.population("more", 10, "poisson", rate="10 Hz")
    CpuEngine(make_plan(net), 1)
    made = [path.name for path in set(fresh_cache.rglob("*.nbc")) - compiled]
    assert [name for name in made if ".update_" in name and name in {path.name for path in compiled}] == []
    assert sum(".run-" in name for name in made) == 1


def test_one_folder_holds_all_machine_code(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the user has another one for Numba; damaged code would not be found there and replaced."""
    elsewhere = fresh_cache / "elsewhere"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(elsewhere))
    CpuEngine(make_plan(balanced()), 1)
    assert list((fresh_cache / "cpu").rglob("snnsim_net_*.nbc")) != []
    assert not elsewhere.exists()


def test_unusable_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache folder cannot be made, code is kept in a private temporary one."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path / "file"))
    assert CpuEngine(make_plan(balanced()), 1).advance(10).steps == 10


def test_lists_of_spikes_grow() -> None:
    """However many spikes there are, none is lost."""
    net = sn.Network(seed=1)
    source = net.population("source", 50, "poisson", rate="2 MHz")
    target = net.population("target", 50, "relay")
    net.project(source, target, sn.one_to_one())
    program = sn.compile(net, "cpu", 2)
    program.run("100 ms")
    assert program.counts[0] == pytest.approx(2000 * 100 * 50, rel=0.01)
    missing = program.counts[0] - program.counts[1]
    assert 0 < missing < 50 * 400  # those of the last step are under way


@pytest.mark.parametrize("threads", [1, 2])
def test_lists_that_counts_fill_have_room_for_others(threads: int) -> None:
    """Units that spike once a step come after those that spike thousands of times between two meetings."""
    def spikes(backend: str) -> list[np.ndarray]:
        net = sn.Network(dt="1 ms", seed=2)
        net.model("always", {"dynamics": "x[n+1] = x + 1 : 1", "spike": "x > 0"})
        net.population("counted", 30, "poisson", rate="200 kHz")
        net.population("marked", 3000, "always")
        net.population("target", 30, "relay")
        net.project("marked", "target", sn.fixed_indegree(3), delay="60 ms")
        net.record(spikes=list(net.populations))
        result = sn.run(net, "100 ms", backend=backend, threads=threads)
        return [column for name in result.populations for column in result.spikes(name)]

    for expected, found in zip(spikes("reference"), spikes("cpu"), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_more_threads_than_units() -> None:
    """Threads without a unit of a population do no harm."""
    net = sn.Network(seed=1)
    net.population("few", 2, "lif_psc_delta", i_e="400 pA")
    counts = []
    for threads in (1, 5):
        program = sn.compile(net, "cpu", threads)
        program.run("100 ms")
        counts.append(program.counts.tolist())
    assert counts[0] == counts[1] != [0]


def test_states_can_be_read_and_set() -> None:
    """``program["exc"]["v"]`` is a copy in the state's unit; assignment sets it."""
    program = sn.compile(balanced(), "cpu", 2)
    program["exc"]["v"] = np.linspace(0, 10, 1000)
    assert program["exc"]["v"] == pytest.approx(np.linspace(0, 10, 1000), abs=1e-6)
    with pytest.raises(sn.InputError, match="unknown state 'V'"):
        program["exc"]["V"]


@contextmanager
def spinning(number: int) -> Iterator[None]:
    """Other processes that take all the time that they get."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="threads only yield there")
def test_threads_that_wait_do_not_hand_over_slices_of_time() -> None:
    """On a busy machine a meeting costs much less than the 3 ms and more that other processes get in turn."""
    program = sn.compile(balanced(delay="0.1 ms"), "cpu", 2)
    program.run("10 ms")
    seconds = []
    with spinning(4):
        for _ in range(3):
            began = time.perf_counter()
            program.run("300 ms")
            seconds.append(time.perf_counter() - began)
    assert min(seconds) / 3000 < 1e-3


def test_units_that_spike_are_collected() -> None:
    """Wherever they are, and however many, in populations that no vector divides."""
    net = sn.Network(seed=1)
    train = {unit: [f"{1 + unit % 3} ms"] for unit in (0, 1, 31, 32, 33, 63, 95, 96, 98)}
    net.population("cells", 99, "relay")
    net.input("train", type="spike_times", times=train, to="cells", delay="0.1 ms")
    net.population("same", 99, "lif_psc_delta")
    net.input("same_train", type="spike_times", times=train, to="same", weight="30 mV", delay="0.1 ms")
    net.record(spikes=["cells", "same"])
    result = sn.run(net, "5 ms", backend="cpu")
    expected = sorted((round(1.1 + unit % 3, 1), unit) for unit in train)
    for name in ("cells", "same"):
        times, units = result.spikes(name)
        assert expected == list(zip(times.round(1).tolist(), units.tolist(), strict=True))
