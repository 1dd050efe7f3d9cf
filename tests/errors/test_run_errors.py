"""What a run says when its arguments are wrong, before anything is built, and when it cannot finish."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnsim as sn
from snnsim import preflight, runner
from snnsim.checkpoint import save_state
from snnsim.cli import main
from snnsim.errors import InputError, NumericalError, RunError, SnnsimError
from snnsim.recording import Recorder, RecordingPlan

CONFIG = """\
snnsim: 1
dt: 0.1 ms
duration: 1 ms
seed: 1
populations: {a: {n: 3, model: lif_psc_exp}}
record: {spikes: [a], traces: {a: {variables: [v]}}}
"""
BLOW_UP = {"dynamics": "x[n+1] = 4*x*x : 1", "spike": "x >= 1e30"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short names in the messages, and a network in net.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(CONFIG)


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that comes as far as building fails."""
    monkeypatch.setattr(runner, "make_plan", lambda net: pytest.fail("the network is being built"))


def network(n: int = 3, **more: Any) -> sn.Network:
    net = sn.Network(dt="0.1 ms", seed=1, duration="1 ms")
    net.population("a", n, "lif_psc_exp", **more)
    return net


def text(action: Callable[[], Any]) -> str:
    """The message that `action` fails with."""
    with pytest.raises(SnnsimError) as caught:
        action()
    return str(caught.value)


def checkpoint(path: str = "a.ckpt", **header: Any) -> None:
    """A checkpoint of `network` at 1 ms."""
    net = network()
    for key, value in header.items():
        setattr(net, key, value)
    program = sn.compile(net, "reference")
    program.run("1 ms")
    program.save(path)


ARGUMENTS = [
    ({"threads": 0}, "threads: expected a whole number from 1 to 1024, found 0"),
    ({"threads": "abc"}, "threads: expected a whole number from 1 to 1024, found the text 'abc'"),
    ({"threads": True}, "threads: expected a whole number from 1 to 1024, found true"),
    ({"backend": "cpuu"}, "backend: unknown backend 'cpuu'; expected one of: auto, brian2, cpu, cupy, lava, loihi, reference (did you mean cpu?)"),
    ({"backend": None}, "backend: unknown backend 'None'; expected one of: auto, brian2, cpu, cupy, lava, loihi, reference"),
    ({"duration": 5}, "duration: missing unit: expected a time (ms), found the bare number 5"),
    ({"duration": "0 ms"}, "duration: expected a time above 0, found 0 ms"),
    ({"duration": "inf s"}, "duration: expected a finite number, found inf s"),
    ({"duration": "1e9 s"}, "duration: expected at most 8589934592 steps of 0.1 ms, found 1e9 s"),
    ({"out": 3}, "out: expected the name of a file, found 3"),
    ({"out": ""}, "out: expected the name of a file, found the text ''"),
    ({"out": "no/out.h5"}, "no/out.h5: the folder no does not exist"),
    ({"out": "out.csv"},
     "out.csv: expected a name ending in .h5, or a folder, found another ending; `snnsim convert` writes other formats"),
    ({"out": "net.yaml"}, "net.yaml: expected a name ending in .h5, or a folder, found a file that is there already"),
    ({"checkpoint": "no/a.ckpt"}, "no/a.ckpt: the folder no does not exist"),
    ({"checkpoint": "."}, ".: expected the name of a file for the checkpoint, found a folder"),
    ({"checkpoint": "net.yaml"}, "net.yaml: exists already and is not a checkpoint; choose another name"),
    ({"checkpoint": "a.h5", "out": "a.h5"},
     "a.h5: is given for both the recording and the checkpoint; choose two names"),
    ({"resume_from": "no.ckpt"}, "no.ckpt: no such file"),
    ({"resume_from": "net.yaml"}, "net.yaml: expected a checkpoint, found something else or a damaged file"),
    ({"checkpoint": "no/a.ckpt", "out": "no/a.h5", "resume_from": "."},
     ".: expected a checkpoint, found a folder\nno/a.ckpt: the folder no does not exist\n"
     "no/a.h5: the folder no does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_wrong_argument(arguments: dict[str, Any], message: str, nothing_built: None) -> None:
    """A wrong argument of run() is named before anything is built, and nothing is written."""
    assert text(lambda: sn.run(network(), **arguments)) == message
    assert [path.name for path in Path().iterdir()] == ["net.yaml"]


def test_network_in_the_place_of_which_something_else_is_given(nothing_built: None) -> None:
    """A path is no network."""
    expected = "net: expected a Network, found the text 'net.yaml'; snnsim.load reads one from a file"
    assert text(lambda: sn.run("net.yaml")) == expected


def test_no_duration_at_all(nothing_built: None) -> None:
    """Neither the network nor the call says how long to run."""
    assert text(lambda: sn.run(sn.Network())) == (
        "duration: missing: give the network a duration, or say how long to run")


USAGE = "Usage: snnsim run [OPTIONS] [CONFIG]\nTry 'snnsim run -h' for help.\n\nError: Invalid value for {}, found {}\n"
OPTIONS = [
    (["--threads", "0"], USAGE.format("'--threads' / '-t': expected a whole number from 1 on", 0)),
    (["--threads", "abc"], USAGE.format("'--threads' / '-t': expected a whole number from 1 on", "abc")),
    (["--seed", "-1"], USAGE.format("'--seed' / '-s': expected a whole number from 0 on", -1)),
    (["--repeat", "0"], USAGE.format("'--repeat': expected a whole number from 1 on", 0)),
    (["--threads", "100000"], "--threads: expected a whole number from 1 to 1024, found 100000\n"),
    (["--backend", "cpuu"],
     "--backend: unknown backend 'cpuu'; expected one of: auto, brian2, cpu, cupy, lava, loihi, reference (did you mean cpu?)\n"),
    (["--duration", "-1 ms"], "--duration: expected a time above 0, found -1 ms\n"),
    (["-o", "old.h5"], "old.h5: exists already; choose another name, or --overwrite to replace it\n"),
    (["-o", "new.h5", "--repeat", "2"],
     "new-2.h5: exists already; choose another name, or --overwrite to replace it\n"),
    (["--checkpoint", "old.h5"], "old.h5: exists already and is not a checkpoint; choose another name\n"),
]


@pytest.mark.parametrize(("words", "message"), OPTIONS)
def test_wrong_option(words: list[str], message: str, nothing_built: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option of `snnsim run` is named as it is written, with exit code 2; all repetitions are asked at once."""
    for name in ("old.h5", "new-2.h5"):
        Recorder(RecordingPlan(0.1, {"a": 3}), name).close()
    assert main(["run", "net.yaml", *words]) == 2
    assert tuple(capsys.readouterr()) == ("", message)


def test_what_cannot_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of another network, of a later time, or without one; recordings that do not fit."""
    checkpoint()
    checkpoint("other.ckpt", seed=7)
    save_state("empty.ckpt", {}, {})
    sn.run(network(), "0.5 ms", "reference", out="short.h5")
    changed = network(tau_m="11 ms")
    changed.record(spikes=["a"])
    sn.run(changed, "1 ms", "reference", out="changed.h5")
    monkeypatch.setattr(runner, "make_plan", lambda net: pytest.fail("the network is being built"))

    def resumed(path: str, duration: str = "2 ms", **more: Any) -> str:
        return text(lambda: sn.run(network(), duration, resume_from=path, **more))

    assert resumed("empty.ckpt") == "empty.ckpt: is not a checkpoint of a network"
    assert resumed("other.ckpt") == "other.ckpt: is a checkpoint of another network: seed is 7 there and 1 here"
    assert resumed("a.ckpt", "0.5 ms") == (
        "a.ckpt: is a checkpoint at 1 ms, later than the duration of 0.5 ms; give a longer duration")
    assert resumed("a.ckpt", out="short.h5") == (
        "short.h5: holds steps 1 to 5 and cannot be continued from step 10 of the checkpoint")
    assert resumed("a.ckpt", out="changed.h5") == (
        "changed.h5: is a recording of another network and cannot be continued: "
        "populations.a.params is {'tau_m': '11 ms'} there and not given here")
    assert resumed("a.ckpt", out="short.h5", overwrite=True) == (
        "short.h5: a resumed run continues its recording; leave overwrite=True out, or choose another name")


def test_checkpoint_of_another_version() -> None:
    """A state that the model did not have when the checkpoint was written is named."""
    net = network()
    save_state("a.ckpt", {}, {"network": net.to_yaml(), "done": 1})
    assert text(lambda: sn.run(net, "1 ms", "reference", resume_from="a.ckpt")) == (
        "a.ckpt: holds no state v of 3 units of a: another version of snnsim wrote it")


def test_traces_that_fit_nowhere(monkeypatch: pytest.MonkeyPatch, nothing_built: None) -> None:
    """The rows of traces are counted before the run, for memory and for the disk."""
    net = network(1000)
    net.record(traces={"a": {"variables": ["v"]}})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 30))
    monkeypatch.setattr("snnsim.memory.available", lambda: 1 << 30)
    assert text(lambda: sn.run(net, "1000 s")) == (
        "record.traces: too large for memory: traces that are not recorded to a file need about 37.3 GiB, 1.0 GiB are free")
    assert text(lambda: sn.run(net, "1000 s", out="a.h5")) == (
        "a.h5: the disk is full: 1,024 MiB are free, 38,146 MiB are needed for the traces")


def test_snapshots_of_weights_that_fit_nowhere(monkeypatch: pytest.MonkeyPatch, nothing_built: None) -> None:
    """So are snapshots of weights, alone and with traces; what is sent is not known before."""
    net = network(1000)
    net.project("a", "a", sn.all_to_all(), weight="1 pA", delay="1 ms", name="aa",
                synapse={"model": "stdp_pair", "params": {"w_max": "2 pA"}})
    net.record(weights={"sent": {"projection": "aa", "on": "pre"},
                        "course": {"projection": "aa", "every": "100 ms"}, "few": {"projection": "aa", "every": "1 s", "synapses": "0:10"}})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 30))
    monkeypatch.setattr("snnsim.memory.available", lambda: 1 << 30)
    assert text(lambda: sn.run(net, "1000 s")) == (
        "record.weights: too large for memory: weights that are not recorded to a file need about 37.3 GiB, 1.0 GiB are free")
    assert text(lambda: sn.run(net, "1000 s", out="a.h5")) == (
        "a.h5: the disk is full: 1,024 MiB are free, 38,162 MiB are needed for the weights")
    net.record(traces={"a": {"variables": ["v"]}})
    assert text(lambda: sn.run(net, "1000 s")) == (
        "record: too large for memory: traces and weights that are not recorded to a file need about 74.5 GiB, 1.0 GiB are free")
    assert text(lambda: sn.run(net, "1000 s", out="a.h5")) == (
        "a.h5: the disk is full: 1,024 MiB are free, 76,309 MiB are needed for the traces and weights")


def test_spikes_that_memory_will_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording in memory ends the run before the system runs out of it."""
    recorder = Recorder(RecordingPlan(0.1, {"a": 3}))
    recorder.write_spikes("a", np.arange(1 << 17), np.zeros(1 << 17, np.int64))
    recorder.commit(5)
    monkeypatch.setattr("snnsim.recording.memory.available", lambda: 1 << 20)
    expected = ("memory is full: what was recorded up to step 6 takes 2 MiB; "
                "record to a file (-o OUT.h5, or out=...)")
    with pytest.raises(RunError) as caught:
        recorder.commit(6)
    assert str(caught.value) == expected


SIZES = [
    (lambda: network(2_000_000_000), "2,000,000,000 neurons and 0 synapses need about 59.6 GiB"),
    (lambda: network(2_000_000_000, tau_m={"uniform": ["10 ms", "11 ms"]}),
     "2,000,000,000 neurons and 0 synapses need about 208.6 GiB"),
    (lambda: connected(10**6, sn.all_to_all()), "1,000,000 neurons and 1,000,000,000,000 synapses need about 4.5 TiB"),
    (lambda: connected(10**5, sn.fixed_indegree(1), {"uniform": ["1 ms", "1000 s"]}),
     "100,000 neurons and 100,000 synapses with delays of up to 10,000,000 steps need about 3.6 TiB"),
    (lambda: connected(1000, sn.one_to_one(), "1e5 s"),
     "1,000 neurons and 1,000 synapses with delays of up to 1,000,000,000 steps need about 44.7 GiB"),
]


def connected(n: int, rule: Any, delay: Any = "1 ms") -> sn.Network:
    net = network(n)
    net.project("a", "a", rule, weight="1 pA", delay=delay)
    return net


@pytest.mark.parametrize(("make", "estimate"), SIZES)
def test_network_too_large_for_memory(make: Any, estimate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said with the estimate before anything that large is made."""
    for module in ("memory", "size"):
        monkeypatch.setattr(f"snnsim.{module}.available", lambda: 1 << 31)
    monkeypatch.setattr("snnsim.backends.cpu.engine.CpuEngine.__init__", lambda *_: pytest.fail("is being built"))
    expected = f"network too large for memory: {estimate}, 2.0 GiB are free"
    assert text(lambda: sn.compile(make(), "cpu", 2)) == expected


def test_arrays_of_ids_and_points_too_large_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few words may ask for an array that does not fit."""
    monkeypatch.setattr("snnsim.memory.available", lambda: 1 << 30)
    net = network(2_000_000_000)
    assert text(lambda: net.record(spikes={"a": "0:1999999999"})) == (
        "record.spikes.a: too large for memory: 1,999,999,999 ids need about 14.9 GiB, 1.0 GiB are free")
    assert text(lambda: net.population("b", 10**9, "lif_psc_exp", positions={"grid": [10**9], "spacing": "1 um"})) == (
        "populations.b.positions: too large for memory: 1,000,000,000 points need about 44.7 GiB, 1.0 GiB are free")


def test_info_of_a_network_too_large_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is described all the same, and no backend can run it."""
    from snnsim.cli.contents import network_contents

    Path("net.yaml").write_text(CONFIG.replace("n: 3", "n: 2000000000"))
    monkeypatch.setattr("snnsim.size.available", lambda: 1 << 30)
    found = network_contents(Path("net.yaml"), ())
    assert (found["neurons"], found["memory_mb"], found["ports"]) == (2_000_000_000, 76293.9, [])
    reason = "network too large for memory: 2,000,000,000 neurons and 0 synapses need about 74.5 GiB, 1.0 GiB are free"
    assert {backend["reason"] for backend in found["backends"]} == {reason}


BEYOND = [
    (lambda net: net.input("n", "poisson", "a", rate="1e12 Hz", weight="1 pA"),
     "inputs.n.rate: expected at most 10000000 Hz (1000 spikes in a step of 0.1 ms), found 1000000000000 Hz"),
    (lambda net: net.input("n", "spike_times", "a", times={0: ["1e12 s"]}, weight="1 pA"),
     "inputs.n.times: expected at most 8589934592 steps of 0.1 ms, found 1000000000000000 ms"),
    (lambda net: net.input("n", "current", "a", times=["1e12 s"], values=["1 pA"]),
     "inputs.n.times: expected at most 8589934592 steps of 0.1 ms, found 1000000000000000 ms"),
    (lambda net: net.project("a", "a", sn.all_to_all(), weight="1 pA", delay="1e12 s"),
     "projections.0.delay: expected at most 8589934592 steps of 0.1 ms, found 1000000000000000 ms"),
]


@pytest.mark.parametrize(("add", "message"), BEYOND)
def test_beyond_what_can_be_counted(add: Any, message: str) -> None:
    """Times beyond all steps and rates beyond all spikes are refused when the network is described."""
    assert text(lambda: add(network())) == message


PLANS = [
    ({"tau_m": {"normal": {"mean": "5 ms", "sd": "30 ms"}}}, None,
     "populations.a.params.tau_m: expected a value above 0, found -26.75837164739184 ms for unit 14"),
    ({"tau_m": {"expression": "1*ms/i"}}, None, "populations.a.params.tau_m.expression: is inf for number 0: 1*ms/i"),
    ({"init": {"v": "1e40 mV"}}, None,
     "populations.a.init: v is 1e+40 in size, expected at most 3.4e+38; 'precision: double' holds more"),
    ({"v_th": "1e40 mV"}, None,
     "populations.a.params: v_th - v_rest is 1e+40 in size, expected at most 3.4e+38; 'precision: double' holds more"),
    ({}, "1e40 pA", "populations.a: the largest weight for port 'exc' is 1e+40 in size, expected at most 3.4e+38; "
                    "'precision: double' holds more"),
]


@pytest.mark.parametrize(("more", "weight", "message"), PLANS)
def test_numbers_that_no_engine_can_use(more: dict[str, Any], weight: str | None, message: str) -> None:
    """Drawn parameters of the wrong sign and numbers beyond single precision are named before anything is built."""
    net = network(20, **more)
    if weight is not None:
        net.project("a", "a", sn.all_to_all(), weight=weight)
    assert text(lambda: sn.compile(net, "reference")) == message


def test_poisson_source_that_draws_too_much() -> None:
    """A model's own draws are bounded, too."""
    net = sn.Network()
    net.population("p", 1, "poisson", rate="1e12 Hz")
    assert text(lambda: sn.compile(net)) == (
        "populations.p.params: expected a mean of at most 1000 in each step for poisson(rate*dt), found 1e+08")


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("out", [None, "a.h5"])
def test_state_that_becomes_infinite(backend: str, out: str | None) -> None:
    """It stops the run and is named with population, unit, variable and step; all before that step is recorded."""
    net = sn.Network(dt="0.1 ms", duration="10 ms")
    net.model("blow_up", BLOW_UP)
    net.population("quiet", 2, "lif_psc_exp")
    net.population("a", 3, "blow_up", init={"x": [0, 1, 0.5]})
    net.record(spikes=["a"], traces={"a": {"variables": ["x"]}})
    with pytest.raises(NumericalError) as caught:
        sn.run(net, backend=backend, out=out)
    kept = "nothing was recorded to a file" if out is None else "a.h5 holds everything up to there"
    assert str(caught.value) == ("population a, unit 1, x became inf in step 7 (t = 0.7 ms); a smaller dt or another "
                                 f"`integrate:` may help; {kept}")
    assert caught.value.exit_code == 1
    if out is not None:
        result = sn.open(out)
        assert (result.steps, result.finished, result.trace("a", "x").shape) == (6, False, (6, 3))
        assert [list(column) for column in result.spikes("a")] == [[6 * 0.1], [1]]


def test_states_that_are_set_wrongly() -> None:
    """An array of another length, text that is no quantity, a projection that is not there."""
    program = sn.compile(network(), "reference")
    cells = program["a"]
    assert text(lambda: cells.__setitem__("v", [1, 2])) == (
        "a.v: expected a number, a quantity or an array of 3 numbers, found an array of shape (2,)")
    assert text(lambda: cells.__setitem__("v", "3 ms")) == (
        "wrong unit: expected a voltage (mV), found 3 ms (a time (ms))")
    assert text(lambda: program.weights(0)) == "unknown projection '0'; expected one of: none"
    assert text(lambda: program.run("0 ms")) == "duration: expected a time above 0, found 0 ms"
    cells["v"] = "-60 mV"
    assert np.allclose(cells["v"], -60)


def test_threads_are_checked_without_a_run() -> None:
    """The check is of use on its own."""
    preflight.check_threads(None)
    preflight.check_threads(np.int64(2))
    with pytest.raises(InputError):
        preflight.check_threads(0.5)


def test_a_seed_is_not_changed_later() -> None:
    """Positions and connections are drawn with the old one."""
    net = sn.Network(seed=1)
    net.seed = 3
    cells = net.population("cells", 2, "lif_psc_exp")
    net.project(cells, cells, sn.all_to_all(), weight="1 pA")
    with pytest.raises(InputError) as caught:
        net.seed = 5
    assert str(caught.value) == ("seed: cannot be changed from 3 to 5 later; make the network with it: "
                                 "sn.Network(seed=5), or sn.load(file, ['seed=5'])")
    assert net.seed == 3
    with pytest.raises(InputError, match=r"^seed: expected a whole number"):
        sn.Network().seed = "often"
