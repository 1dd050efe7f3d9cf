"""What a sweep says when something is wrong, before any point runs or instead of going on."""

from __future__ import annotations

import os
import socket
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

import snnsim as sn
from snnsim.cli import main
from snnsim.sweeps import cluster
from snnsim.sweeps.folder import Folder

NET = """snnsim: 1
dt: 0.1 ms
duration: 1 ms
populations:
  a: {n: 5, model: lif_psc_delta, params: {tau_m: 20 ms}}
  b: {n: 3, model: lif_psc_delta}
record: {spikes: [a, b]}
"""
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    """What the command says, which leaves no folder behind unless there was one."""
    before = sorted(os.listdir())
    assert main(["sweep", "net.yaml", "-o", "out", "--scheduler", "processes", "--backend", "reference", *words]) == code
    assert sorted(os.listdir()) == before
    return capsys.readouterr().err


def over(*texts: str) -> list[str]:
    """The options of some axes."""
    return [word for text in texts for word in ("--over", text)]


TAU = "populations.a.params.tau_m"
ANSWERS = {
    "seed": "--over seed: expected path=values, such as seed=1..10 or populations.exc.params.tau_m=10 ms,20 ms, found no path",
    "=1": "--over =1: expected path=values, such as seed=1..10 or populations.exc.params.tau_m=10 ms,20 ms, found no path",
    "seed=": "--over seed=: seed: expected values, such as 10 ms,20 ms or 1..10, found none",
    "seed=1,,2": "--over seed=1,,2: seed: expected values, such as 10 ms,20 ms or 1..10, found nothing at place 2 of '1,,2'",
    "seed=1,1": "--over seed=1,1: seed: has the value 1 twice; leave one of them out",
    "seed=10..1": "--over seed=10..1: seed: the range 10..1 is empty: it counts up; write 1..10",
    "seed=1..10..-2": "--over seed=1..10..-2: seed: the range 1..10..-2 is empty: it counts down; write 1..10..2",
    "seed=1..10..0": "--over seed=1..10..0: seed: expected a step other than 0 in the range 1..10..0",
    "seed=1..200000": "--over seed=1..200000: seed: expected at most 100,000 values, found 200,000 in the range 1..200000",
    f"{TAU}=1 ms..1 s": f"--over {TAU}=1 ms..1 s: {TAU}: expected one unit in the range 1 ms..1 s, found ms and s",
    f"{TAU}=[1 ms,2 ms": f"--over {TAU}=[1 ms,2 ms: {TAU}: expected a closing ], found '[1 ms,2 ms'",
    f"{TAU}=1 ms}},2 ms": f"--over {TAU}=1 ms}},2 ms: {TAU}: expected no }} that closes nothing, found '1 ms}},2 ms'",
    f"{TAU}=10 ms,3 mV": f"--over {TAU}=3 mV: {TAU}: wrong unit: expected a time (ms), found 3 mV (a voltage (mV))",
    f"{TAU}=10,11 ms": f"--over {TAU}=10: {TAU}: missing unit: expected a time (ms), found the bare number 10",
    "populations.c.n=1..9": "--over populations.c.n=1: populations.c.n: no such path: populations has a, b",
    "populations.a.m=1,2": "--over populations.a.m=1: populations.a.m: unknown key 'm'; expected one of: init, model, n, "
                           "params, positions",
    "seed=1,-1,x": "--over seed=-1: seed: expected at least 0, found -1\n"
                   "--over seed=x: seed: expected a whole number, found the text 'x'",
    "include=a": "--over include=a: include: cannot be changed; name another file instead",
}


@pytest.mark.parametrize("text", ANSWERS)
def test_axis(text, here, capsys):
    """Each fault of an axis is named with its value."""
    assert refused(capsys, *over(text)) == ANSWERS[text] + "\n"


def test_all_faults_at_once(here, capsys):
    """Every value of every axis is looked at before the first point runs."""
    said = refused(capsys, *over(f"{TAU}=10 ms,20 mV,30", "populations.b.n=3,-4,x"))
    assert said == (
        f"--over {TAU}=20 mV: {TAU}: wrong unit: expected a time (ms), found 20 mV (a voltage (mV))\n"
        f"--over {TAU}=30: {TAU}: missing unit: expected a time (ms), found the bare number 30\n"
        "--over populations.b.n=-4: populations.b.n: expected at least 1, found -4\n"
        "--over populations.b.n=x: populations.b.n: expected a whole number, found the text 'x'\n")


def test_axes_that_meet(here, capsys):
    """An axis may be given once, not by --set as well, and no other axis may write over it."""
    assert refused(capsys, *over("seed=1,2", "seed=3")) == (
        "--over seed=3: seed: is an axis already; give all of its values at once\n")
    assert refused(capsys, *over("seed=1,2"), "--set", "seed=3") == (
        "--over seed=1,2: seed: is given by --set seed=3 as well; leave one of them out\n")
    assert refused(capsys, *over("populations.a.n=1,2", "populations.a={n: 3, model: lif_psc_delta}")) == (
        "--over populations.a.n=1,2: populations.a.n: is written over by another axis; leave one of them out\n")


def test_too_many_points(here, capsys):
    """The product of the axes is bounded, too."""
    assert refused(capsys, *over("seed=1..1000", "populations.a.n=1..1000")) == (
        "--over: expected at most 100,000 points, found 1000 x 1000 = 1,000,000\n")


def test_faults_of_the_config_and_the_options(here, capsys):
    """What has nothing to do with the axes is said as a run says it."""
    assert refused(capsys, *over("seed=1"), "--set", "populations.a.n=x") == (
        "--set populations.a.n=x: populations.a.n: expected a whole number, found the text 'x'\n")
    assert refused(capsys, *over("seed=1"), "--duration", "3") == (
        "--duration: missing unit: expected a time (ms), found the bare number 3\n")
    known = "auto, brian2, cpu, cupy, lava, loihi, reference"
    assert refused(capsys, *over("seed=1"), "--backend", "cpuu") == (
        f"--backend: unknown backend 'cpuu'; expected one of: {known} (did you mean cpu?)\n")
    assert refused(capsys, *over("seed=1"), "--backend", "loihi") != ""
    Path("net.yaml").write_text(NET.replace("duration: 1 ms\n", ""))
    assert refused(capsys, *over("seed=1")) == (
        "--duration: missing: give the network a duration, or say how long to run\n")
    assert refused(capsys, *over("seed=1"), "--scheduler", "tcp://127.0.0.1:1", "--workers", "2") == (
        "--workers: is for workers of this machine; leave it out with a scheduler or executor\n")


def test_arguments_in_python(here):
    """The same of a call."""
    for arguments, said in {
        ("net.yaml", 3): "over: expected a mapping of paths to values, found 3",
        ("net.yaml", ()): "over: expected at least one path with its values, such as seed=1..10, found none",
        (3, ("seed=1",)): "net: expected a Network or the name of a config, found 3",
    }.items():
        with pytest.raises(sn.InputError) as caught:
            sn.sweep(*arguments, "out", "processes")
        assert str(caught.value) == said
    for values, said in {
        7: "expected a series of values, or text such as '10 ms,20 ms' or '1..10', found 7",
        (): "expected at least one value, found none", (1, object): None,
    }.items():
        with pytest.raises(sn.InputError) as caught:
            sn.sweep("net.yaml", {"seed": values}, "out", "processes")
        assert said is None or str(caught.value) == f"over['seed']: seed: {said}"
    for workers, found in ((0, "0"), ("two", "the text 'two'")):
        with pytest.raises(sn.InputError) as caught:
            sn.sweep("net.yaml", ["seed=1"], "out", "processes", workers)
        assert str(caught.value) == f"workers: expected a whole number from 1 to 4096, found {found}"


def test_folder(here, capsys):
    """A folder that holds something else, a file, or no place at all."""
    Path("out").mkdir()
    Path("out/mine.txt").touch()
    assert refused(capsys, *over("seed=1")) == (
        "out: expected an empty folder or that of a sweep, found one with mine.txt; choose another\n")
    Path("out/yours.txt").touch()
    assert refused(capsys, *over("seed=1")) == (
        "out: expected an empty folder or that of a sweep, found one with mine.txt and 1 more; choose another\n")
    assert refused(capsys, *over("seed=1"), "-o", "net.yaml") == "net.yaml: expected the name of a folder, found a file\n"
    assert refused(capsys, *over("seed=1"), "-o", "no/out") == "no/out: the folder no does not exist\n"


def test_folder_of_another_sweep(here, capsys):
    """Other axes, fewer values, another backend or another network: the first difference is said."""
    with ThreadPoolExecutor(1) as threads:
        sn.sweep("net.yaml", {"seed": [1, 2]}, "out", threads, backend="reference")
    more = "choose another folder, or --overwrite to replace it\n"
    assert refused(capsys, *over("seed=1,2", f"{TAU}=10 ms")) == (
        f"out: holds a sweep over seed, not over {TAU}, seed; {more}")
    assert refused(capsys, *over("seed=2,3")) == (
        f"out: holds a sweep with seed=1, which is left out now; values may only be added; {more}")
    assert refused(capsys, *over("seed=1,2"), "--backend", "cpu") == (
        f"out: holds a sweep with backend reference, not cpu; {more}")
    assert refused(capsys, *over("seed=1,2"), "--set", "populations.b.n=4") == (
        f"out: holds a sweep of another network: populations.b.n is 3 there and 4 here; {more}")
    with Folder(Path("out")).held():
        assert refused(capsys, *over("seed=1,2")) == "out: is in use by a sweep that is running now\n"
    Path("out/sweep.yaml").write_text("sweep: 2\n")
    assert refused(capsys, *over("seed=1,2")) == "out/sweep.yaml: sweep: expected 1: the sweep was made by another version\n"


def test_reading(here):
    """A folder without a sweep, a point that is not there, and one that is not done."""
    Path("empty").mkdir()
    for name, found in {"empty": "a folder without sweep.yaml", "none": "nothing", "net.yaml": "a file"}.items():
        with pytest.raises(sn.InputError) as caught:
            sn.Sweep(name)
        assert str(caught.value) == f"{name}: expected the folder of a sweep, found {found}"
    with ThreadPoolExecutor(1) as threads:
        swept = sn.sweep("net.yaml", {"seed": [1, 2]}, "out", threads, backend="reference")
    with pytest.raises(sn.InputError) as caught:
        swept.open(3)
    assert str(caught.value) == "number: expected a point from 1 to 2, found 3"
    Path("out/index.csv").write_text("")
    with pytest.raises(sn.InputError) as caught:
        swept.open(2)
    assert str(caught.value) == "out: point 2 is waiting, so there is no recording of it"


def test_failed_points_are_listed(here, capsys):
    """The exit code is 1, and each failed point is named with its values and what went wrong; ten at most."""
    words = over("populations.a.n=5,1", "populations.a.init.v={expression: 1*mV*uniform()},{expression: 1*mV/(n - 1)}")
    said = refused_later(capsys, *words)
    assert said == (
        "point 4 (populations.a.n=1, populations.a.init.v={expression: 1*mV/(n - 1)}) failed: --over "
        "populations.a.init.v={expression: 1*mV/(n - 1)}: populations.a.init.v.expression: is inf for number 0: 1*mV/(n - 1)\n")


def refused_later(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a sweep says on stderr that runs and has failed points."""
    assert main(["sweep", "net.yaml", "-o", "out", "--scheduler", "processes", "--workers", "1", "--backend", "reference",
                 *words]) == 1
    return capsys.readouterr().err


class Broken(Executor):
    """An executor whose workers die at once."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_exception(BrokenProcessPool("a worker was terminated abruptly"))
        return future


def test_executor_that_breaks(here):
    """An executor of the user's cannot be mended from here: what is done stays done."""
    with pytest.raises(sn.RunError) as caught:
        sn.sweep("net.yaml", {"seed": [1, 2]}, "out", Broken(), backend="reference")
    assert str(caught.value) == ("the executor broke (a worker was terminated abruptly): the points that were running are not "
                                 "done; the same call goes on with the others")


def test_dask_is_missing(here, capsys, monkeypatch):
    """What to install, and how to do without, before anything else is looked at."""
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    assert refused(capsys, *over("seed=1"), "--scheduler", "tcp://127.0.0.1:8786") == (
        "--scheduler: Dask is not installed; install it with: pip install 'snnsim[sweep]', or do without it on this machine: "
        "--scheduler processes\n")


@needs_dask
def test_no_scheduler_there(here, capsys, monkeypatch):
    """An address where nobody answers, or that is none."""
    monkeypatch.setattr(cluster, "_ANSWER", 0.2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        said = refused(capsys, *over("seed=1"), "--scheduler", address)
    assert said == (f"--scheduler: no Dask scheduler answers at {address}; expected the address that `dask scheduler` prints, "
                    "such as tcp://10.0.0.1:8786\n")
    assert refused(capsys, *over("seed=1"), "--scheduler", "htp://x") == (
        "--scheduler: no Dask scheduler answers at htp://x; expected the address that `dask scheduler` prints, such as "
        "tcp://10.0.0.1:8786\n")


def client(**answers: object) -> SimpleNamespace:
    """A client of Dask whose workers answer so."""
    return SimpleNamespace(run=lambda *given, **options: answers, scheduler=SimpleNamespace(address="tcp://x:1"))


@pytest.mark.parametrize(("answers", "said"), [
    ({}, "executor: the scheduler has no workers; start some with: dask worker tcp://x:1"),
    ({"w": ModuleNotFoundError("No module named 'snnsim'")},
     "executor: worker w: cannot import snnsim (No module named 'snnsim'); install it there"),
    ({"w": {"version": "0.0.1", "sees": True}}, f"executor: worker w: has snnsim 0.0.1, not {sn.__version__}; install the same there"),
    ({"w": {"version": sn.__version__, "sees": False}},
     "executor: worker w: does not see the folder out; it must be on a file system that all workers share"),
])
def test_workers_that_cannot_do_it(answers, said):
    """Workers are asked before they get work."""
    with pytest.raises(sn.InputError) as caught:
        cluster._check_workers(client(**answers), "out")
    assert str(caught.value) == said
