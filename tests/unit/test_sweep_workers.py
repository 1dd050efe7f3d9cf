"""Workers of a sweep that die, are slow to stop, or belong to Dask."""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.spawn
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

import snnsim as sn
from snnsim.cli.sweep import begin
from snnsim.sweeps import forking, job
from snnsim.sweeps.axes import Axis
from snnsim.sweeps.design import Design
from snnsim.sweeps.driver import Driver
from snnsim.sweeps.folder import Folder
from snnsim.sweeps.forking import script_left_out
from snnsim.sweeps.index import Index
from snnsim.sweeps.pools import Processes

NET = """snnsim: 1
dt: 0.1 ms
duration: 100 ms
populations: {a: {n: 5, model: lif_psc_delta}}
inputs: {noise: {type: poisson, rate: 20 kHz, to: a, weight: 1 mV, delay: 1 ms}}
record: {spikes: [a]}
"""
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")


class Mortal:
    """A pool in this process whose workers die when they are given some of the points, so many times."""

    slots = 2

    def __init__(self, folder: Folder, deaths: dict[int, int], shared_fate: bool) -> None:
        self.folder, self.deaths, self.shared_fate, self.given = folder, deaths, shared_fate, []

    def submit(self, task):
        future, number = Future(), task["number"]
        self.given.append(number)
        tries = job._begin(self.folder.path / self.folder.session, number)
        if tries > job.TRIES:
            future.set_result(job.lost() | {"tries": tries})
        elif self.deaths.get(number, 0) >= tries:
            future.set_exception(BrokenExecutor("died"))
        else:
            future.set_result({"status": "done", "tries": tries})
        return future

    def died(self, error):
        return isinstance(error, BrokenExecutor)

    def gone(self, error):
        return "it is gone" if isinstance(error, ZeroDivisionError) else ""

    def close(self, now):
        """Nothing."""


def drive(tmp_path: Path, deaths: dict[int, int], shared_fate: bool) -> tuple[list[tuple], list[int]]:
    """(number, status, tries) of each of five points, and what the pool was given in turn."""
    folder = Folder(tmp_path / "out")
    index = Index(tmp_path / "index.csv", ["x"])
    points = Design(((Axis("x", tuple("abcde")),),)).points()
    with folder.held():
        index.begin([])
        pool = Mortal(folder, deaths, shared_fate)
        assert Driver(folder, index, pool, 1, lambda: False).run(points)
        index.close()
    return [(row["number"], row["status"], row["tries"]) for row in index.sorted], pool.given


@pytest.mark.parametrize("shared_fate", [False, True])
def test_a_point_whose_worker_dies_is_tried_once_more(tmp_path, shared_fate):
    """After one death it is done at the second try."""
    rows, given = drive(tmp_path, {2: 1}, shared_fate)
    assert rows == [(1, "done", 1), (2, "done", 2), (3, "done", 1), (4, "done", 1), (5, "done", 1)]
    assert given.count(2) == 2


@pytest.mark.parametrize("shared_fate", [False, True])
def test_a_point_that_always_ends_its_worker_is_lost(tmp_path, shared_fate):
    """After two deaths it is given up, and the others are done."""
    rows, given = drive(tmp_path, {2: 9, 5: 1}, shared_fate)
    assert rows == [(1, "done", 1), (2, "lost", 2), (3, "done", 1), (4, "done", 1), (5, "done", 2)]
    assert given.count(2) == 2


def test_workers_that_never_begin(tmp_path):
    """Workers that die at once, again and again, end the sweep with a message instead of going on for ever."""

    class Hopeless(Mortal):
        def submit(self, task):
            future = Future()
            future.set_exception(BrokenExecutor("died"))
            return future

    folder, index = Folder(tmp_path / "out"), Index(tmp_path / "index.csv", ["x"])
    points = Design(((Axis("x", ("1",)),),)).points()
    with folder.held():
        index.begin([])
        driver = Driver(folder, index, Hopeless(folder, {}, True), 1, lambda: False)
        with pytest.raises(sn.RunError) as caught:
            driver.run(points)
        index.close()
    assert str(caught.value) == "workers die before they begin a point: too little memory, or snnsim cannot be imported there"


def test_what_is_known_of_a_lost_point(tmp_path):
    """Its row says what happened, in full."""
    assert job.lost() == {"status": "lost", "message": "its worker died each of 2 times: it was killed, or out of memory"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A network that takes a noticeable time."""
    path = tmp_path / "few.yaml"
    path.write_text(NET)
    return path


def kill_a_worker(folder: Path, when: int = 1):
    """A progress function that kills one worker process, once, when a point is under way."""
    killed = []

    def look(now):
        begun = list(folder.glob(".running-*/[0-9]*"))
        if begun and not killed and now.done >= when:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    look.killed = killed
    return look


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", pytest.param(None, marks=needs_dask)])
def test_a_sweep_survives_the_death_of_a_worker(config, tmp_path, executor):
    """Every point is done, that of the dead worker at the second try."""
    kill = kill_a_worker(tmp_path / "out")
    swept = sn.sweep(config, {"seed": range(8)}, tmp_path / "out", executor, 2, "reference", progress=kill)
    assert kill.killed
    assert [row["status"] for row in swept] == ["done"] * 8
    assert max(row["tries"] for row in swept) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", pytest.param(None, marks=needs_dask)])
def test_a_point_that_kills_every_worker(config, tmp_path, executor):
    """It is begun twice, then lost with its message; the points before and behind it are done."""
    killed = []

    def kill(now):
        tries = list((tmp_path / "out").glob(".running-*/2-*"))
        if len(tries) > len(killed):
            [child] = multiprocessing.active_children()
            killed.append(child.pid)
            os.kill(child.pid, signal.SIGKILL)

    swept = sn.sweep(config, {"seed": range(4)}, tmp_path / "out", executor, 1, "reference", progress=kill,
                     settings=["duration=600 ms"])
    assert [row["status"] for row in swept] == ["done", "lost", "done", "done"]
    assert len(killed) == 2
    assert [(row["number"], row["tries"], row["message"]) for row in swept.failed] == [(2, 2, job.lost()["message"])]


@pytest.mark.slow
@needs_dask
def test_dask(config, tmp_path):
    """A local cluster gives the spikes of a run alone; a second sweep may use a client that is there."""
    from distributed import Client, LocalCluster

    swept = sn.sweep(config, {"seed": [1, 2]}, tmp_path / "out", workers=1, backend="reference")
    alone = sn.run(sn.load(config, ["seed=2"]), backend="reference")
    assert swept.open(2).spikes("a")[0].tolist() == alone.spikes("a")[0].tolist()
    with (script_left_out(), LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
          Client(cluster, set_as_default=False) as client):
        for number, executor in enumerate((client, client.get_executor(), cluster.scheduler_address)):
            again = sn.sweep(config, {"seed": [1, 2]}, tmp_path / f"again{number}", executor, backend="reference")
            assert again.summary["workers"] == 2
            assert [row["network"] for row in again] == [row["network"] for row in swept]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_sweep_which_then_goes_on(config, tmp_path, number):
    """Ctrl-C and SIGTERM say how to go on; after a kill no process is left either; the same command finishes it."""
    words = [sys.executable, "-m", "snnsim", "sweep", str(config), "-o", str(tmp_path / "out"), "--over", "seed=1..6",
             "--scheduler", "processes", "--workers", "1", "--backend", "reference", "--duration", "400 ms"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    index, until = tmp_path / "out" / "index.csv", time.monotonic() + 60
    while not (index.exists() and index.read_text().count("\n") > 1) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, number)
    said = process.communicate(timeout=20)[1]
    left = time.monotonic() + 10
    while _group_lives(process.pid) and time.monotonic() < left:
        time.sleep(0.05)
    assert not _group_lives(process.pid)
    done = sum(row["status"] == "done" for row in sn.Sweep(tmp_path / "out").rows)
    if number != signal.SIGKILL:
        by = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
        assert process.returncode == 1
        assert said == (f"stopped by {by}: {done} of 6 points are done, {index} lists them; the same command goes on with "
                        "the others\n")
    assert 1 <= done < 6
    again = sn.sweep(config, ["seed=1..6"], tmp_path / "out", "processes", 1, "reference",
                     settings=["duration=400 ms"])
    assert again.summary["kept"] in (done, done + 1)   # a point may have ended beside the kill
    assert [row["status"] for row in again] == ["done"] * 6


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@needs_dask
def test_another_cluster_is_no_concern(config, tmp_path, recwarn):
    """Where another program has the port that Dask likes, nothing is said of it."""
    with socket.socket() as other:
        with suppress(OSError):     # then it is taken already
            other.bind(("127.0.0.1", 8787))
            other.listen()
        assert sn.sweep(config, {"seed": [1]}, tmp_path / "out", workers=1, backend="reference").summary["done"] == 1
    assert [str(warning.message) for warning in recwarn if "8787" in str(warning.message)] == []


@pytest.mark.parametrize(("line", "asked"), [
    ("sweep net.yaml -o out --over seed=1..2", [None]),
    ("--debug sweep net.yaml -o out --scheduler processes", ["processes"]),
    ("sweep net.yaml -o out --scheduler=tcp://10.0.0.1:8786", ["tcp://10.0.0.1:8786"]),
    ("sweep --help", []), ("run sweep", []), ("", []),
])
def test_workers_begin_to_import_before_the_command_is_understood(monkeypatch, line, asked):
    """Only where a sweep is asked for; where it goes to a scheduler, `warm_up` does nothing."""
    found = []
    monkeypatch.setattr(forking, "warm_up", found.append)
    begin(line.split())
    assert found == asked


@pytest.mark.parametrize("looks", [True, False])
def test_imports_are_not_interrupted(looks):
    """Inside, Python looks for nothing to free; afterwards all is as it was, also where the user had turned it off."""
    before = gc.isenabled()
    try:
        (gc.enable if looks else gc.disable)()
        with suppress(ZeroDivisionError), forking.importing():
            inside = gc.isenabled()
            raise ZeroDivisionError
        assert (inside, gc.isenabled()) == (False, looks)
    finally:
        (gc.enable if before else gc.disable)()


def test_workers_do_not_import_the_script():
    """A process that is started meanwhile knows nothing of the user's script; afterwards the script is as it was."""
    script = sys.modules["__main__"]
    before = {name: getattr(script, name, None) for name in ("__file__", "__spec__")}
    with script_left_out():
        assert "init_main_from_path" not in multiprocessing.spawn.get_preparation_data("worker")
        assert "init_main_from_name" not in multiprocessing.spawn.get_preparation_data("worker")
    assert {name: getattr(script, name, None) for name in before} == before


def test_processes_take_the_cores_that_there_are():
    """As many workers as this process may use cores, unless a number is given."""
    assert Processes().slots >= 1
    assert Processes(3).slots == 3


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [pytest.param("dask", marks=needs_dask), "processes"])
def test_a_folder_that_is_named_as_a_package(config, tmp_path, scheduler):
    """Workers import the installed snnsim, also where a sweep is started in a clone of it; paths are relative to there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "main.py").write_text("import sys; from snnsim.cli import main; sys.exit(main())")
    clone = tmp_path / "clone"
    (clone / "snnsim").mkdir(parents=True)
    (clone / "snnsim" / "__init__.py").write_text("")
    given = ["--scheduler", scheduler] if scheduler != "dask" else []
    done = subprocess.run([sys.executable, "../elsewhere/main.py", "sweep", "../few.yaml", "-o", "out", "--over", "seed=1,2",
                           "--workers", "1", "--backend", "reference", *given],
                          cwd=clone, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["status"] for row in sn.Sweep(clone / "out").rows] == ["done", "done"]
