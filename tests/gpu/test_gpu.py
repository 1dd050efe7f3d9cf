"""The GPU backend on a GPU: spikes, states, weights and recordings of the CPU engine. Run them with ``pytest -m gpu``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gpu.engines import NETWORKS, STRATEGIES, assert_same, engine_of, expected, plan_of, run
from gpu.races import TESTS

import snnsim as sn
from snnsim import configs, registry, size
from snnsim.errors import InputError

LACKS = registry.backends()["cupy"].lacks()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(LACKS is not None, reason=str(LACKS))]

# name -> config, what is changed in it, duration.
LARGE: dict[str, tuple[str, list[str], str]] = {
    "brunel": ("brunel", [], "1 s"),
    "a tenth of the microcircuit": ("microcircuit", ["network.scale=0.1"], "1 s"),
    "microcircuit": ("microcircuit", [], "0.2 s"),
    "brunel with plasticity": ("brunel_stdp", ["populations.exc.n=2000", "populations.inh.n=500"], "0.5 s"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_networks(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Spike by spike, every state and every weight; and how long the GPU took."""
    config, overrides, duration = LARGE[name]
    found = {}
    for backend in ("cpu", "cupy"):
        program = sn.compile(sn.load(configs.path(config), overrides), backend)
        recorder = sn.recording.Recorder(program.recording_plan({}))
        program.run(duration, recorder)
        found[backend] = everything(program, recorder.close())
    assert sum(values.size for place, values in found["cpu"].items() if place[0] == "spikes") > 1000
    assert_equal(found["cupy"], found["cpu"])
    with capsys.disabled():
        print(f"\n{name}: compile {program.compile_s:.2f} s, build {program.build_s:.2f} s, {duration} in "
              f"{program.run_s:.3f} s, {program.engine.facts()}")


def everything(program: sn.Program, result: sn.Result) -> dict[tuple[str, ...], np.ndarray]:
    """Spikes, final states, all weights, recorded weights."""
    found: dict[tuple[str, ...], np.ndarray] = {}
    for name in program.net.populations:
        times, ids = result.spikes(name)
        found |= {("spikes", name, "times"): times, ("spikes", name, "ids"): ids}
        found |= {("states", name, state): program[name][state] for state in program[name]}
    for projection in program.plan.projections:
        if projection.plastic is not None:
            weights = program.weights(projection.label)
            found |= {("weights", projection.label, key): values for key, values in weights.items()}
    found |= {("recorded", name): np.asarray(result.weights(name).values) for name in result.weight_names}
    return found


def assert_equal(found: dict[Any, np.ndarray], wanted: dict[Any, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    assert [place for place, values in wanted.items() if not np.array_equal(values, found[place])] == []


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_strategy(name: str, strategy: str) -> None:
    """In as many parts as a network of this size has, and in more; from a state that was kept."""
    from snnsim.backends.cupy.cuda import CudaDevice
    from snnsim.backends.cupy.engine import GpuEngine

    plan = plan_of(name)
    assert_same(run(GpuEngine(plan, CudaDevice(), strategy=strategy), plan, 33, 64, 223), expected(name, 320))
    engine = engine_of(plan, strategy, parts=7, threads=160, device=CudaDevice())
    run(engine, plan, 50)
    saved = engine.snapshot()
    once = run(engine, plan, 270)
    engine.restore(saved)
    assert_same(run(engine, plan, 1, 200, 69), once)
    assert_same(once, run(_reference_after(plan, 50), plan, 270))


def _reference_after(plan: Any, steps: int) -> Any:
    from snnsim.backends.reference.engine import ReferenceEngine

    engine = ReferenceEngine(plan)
    engine.advance(steps)
    return engine


@pytest.mark.parametrize("name", ["given", "levels", "graded"])
def test_recordings_are_equal(name: str, tmp_path: Path) -> None:
    """All that was recorded, bit for bit."""
    contents = {}
    for backend in ("cpu", "cupy"):
        net = NETWORKS[name]()
        net.record(spikes=list(net.populations))
        sn.run(net, "200 ms", backend=backend, out=tmp_path / f"{backend}.h5")
        contents[backend] = datasets(tmp_path / f"{backend}.h5")
    assert sum(values.size for values in contents["cpu"].values()) > 100
    assert_equal(contents["cupy"], contents["cpu"])


def datasets(path: Path) -> dict[str, np.ndarray]:
    """All that are numbers; the summary says how long the run took."""
    found: dict[str, np.ndarray] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and name != "snnsim/summary":
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def test_checkpoints_pass_between_backends(tmp_path: Path) -> None:
    """The CPU engine goes on from a file of the GPU, and the GPU from one of the CPU engine."""
    def program(backend: str) -> sn.Program:
        return sn.compile(NETWORKS["rings"](), backend)

    whole = program("cpu")
    whole.run_steps(700)
    for one, other in (("cpu", "cupy"), ("cupy", "cpu")):
        begins, goes_on = program(one), program(other)
        begins.run_steps(333)
        begins.save(tmp_path / one)
        goes_on.load(tmp_path / one)
        goes_on.run_steps(367)
        assert goes_on.counts.tolist() == whole.counts.tolist()
        assert_equal({name: goes_on["exc"][name] for name in goes_on["exc"]}, {name: whole["exc"][name] for name in whole["exc"]})


def test_a_network_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it would need; nothing is allocated for it."""
    monkeypatch.setattr(size, "available", lambda: 1 << 50)
    from snnsim.backends.cupy.cuda import CudaDevice

    device = CudaDevice()
    before = device.free()
    net = sn.Network(seed=1)
    net.population("a", 1_000_000, "lif_psc_exp")
    net.project("a", "a", sn.fixed_indegree(device.limits.memory // 1_000_000), weight="1 pA", delay="1 ms")
    with pytest.raises(InputError) as caught:
        sn.compile(net, "cupy")
    assert str(caught.value).startswith("network too large for the memory of the device: 1,000,000 neurons and ")
    assert device.free() > before - (64 << 20)


# --- under the tools of CUDA -----------------------------------------------------------------------------------------

SMALL = """
import sys
from gpu.engines import assert_same, engine_of, expected, plan_of, run
from snnsim.backends.cupy.cuda import CudaDevice
name, strategy = sys.argv[1:]
engine = engine_of(plan_of(name), strategy, device=CudaDevice())
assert_same(run(engine, plan_of(name), 40, 20), expected(name, 60))
engine.load(engine.done, *engine.history())
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("compute-sanitizer") is None, reason="compute-sanitizer is not on the PATH")
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck", "initcheck"])
@pytest.mark.parametrize("name, strategy", [("rings", "persistent"), ("levels", "persistent"), ("given", "graph"),
                                            ("far", "launches")])
def test_the_tools_of_cuda_find_nothing(tool: str, name: str, strategy: str) -> None:
    """No use of memory beyond arrays, no race in shared memory, no barrier that threads miss, nothing unwritten read."""
    options = ["--tool", tool, "--error-exitcode", "9"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(["compute-sanitizer", *options, sys.executable, "-c", SMALL, name, strategy], env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
