"""A sweep: its folder, its table, and how it goes on; points run in threads of this process."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

import snnsim as sn
from snnsim import configs
from snnsim.cli import main
from snnsim.sweeps import index, job
from snnsim.sweeps import sweep as sweep_function
from snnsim.sweeps.folder import read_asked

NET = """snnsim: 1
name: few
seed: 3
dt: 0.1 ms
duration: 5 ms
populations:
  a: {n: 5, model: lif_psc_delta, params: {tau_m: 20 ms, v_th: 20 mV}, init: {v: {uniform: [10 mV, 20 mV]}}}
  b: {n: 3, model: lif_psc_delta}
inputs:
  noise: {type: poisson, rate: 20 kHz, to: a, weight: 1 mV, delay: 1 ms}
record: {spikes: [a, b]}
"""
OVER = {"populations.a.params.tau_m": ["10 ms", "20 ms"], "seed": [1, 2]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small network in a file."""
    path = tmp_path / "few.yaml"
    path.write_text(NET)
    return path


@pytest.fixture
def run(config: Path, tmp_path: Path):
    """A sweep over that network in threads; `over` and the options may be changed."""
    with ThreadPoolExecutor(2) as threads:
        def go(over=OVER, net=config, **options):
            return sn.sweep(net, over, tmp_path / "out", threads, backend="reference", **options)

        yield go


def test_every_point_has_a_row_and_a_recording(run, config, tmp_path):
    """The table says what differs, and each file holds what a run of that network alone gives."""
    swept = run()
    assert [(row["number"], row["status"], row["file"]) for row in swept.rows] == [
        (k, "done", f"{k:05d}.h5") for k in (1, 2, 3, 4)]
    assert [(row["populations.a.params.tau_m"], row["seed"]) for row in swept] == [
        ("10 ms", 1), ("10 ms", 2), ("20 ms", 1), ("20 ms", 2)]
    alone = sn.run(sn.load(config, ["populations.a.params.tau_m=20 ms", "seed=1"]), backend="reference")
    times, ids = swept.open(3).spikes("a")
    assert (times.tolist(), ids.tolist()) == tuple(part.tolist() for part in alone.spikes("a"))
    assert swept.rows[2]["rate_hz.a"] == alone.rates()["a"] > 0
    assert swept.rows[2]["spikes"] == alone.summary["spikes"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".parquet") == [
        "00001.h5", "00002.h5", "00003.h5", "00004.h5", "index.csv", "sweep.yaml"]


def test_the_table_is_csv(run, tmp_path):
    """Every column that the documentation names is there, one line per point, sorted."""
    run()
    lines = list(csv.DictReader((tmp_path / "out" / "index.csv").open(newline="")))
    assert list(lines[0]) == ["number", "status", "file", "populations.a.params.tau_m", "seed", "rate_hz.a", "rate_hz.b",
                              "spikes", "build_s", "compile_s", "run_s", "rtf", "total_s", "worker", "tries", "network",
                              "message"]
    assert [line["number"] for line in lines] == ["1", "2", "3", "4"]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_the_table_is_parquet_too(run, tmp_path):
    """Where pyarrow is installed the same rows are in a Parquet file."""
    from pyarrow import parquet

    swept = run()
    assert parquet.read_table(tmp_path / "out" / "index.parquet").to_pylist()[0]["spikes"] == swept.rows[0]["spikes"]


@pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")
def test_the_table_is_a_data_frame(run):
    """pandas gets the rows as they are."""
    assert run().to_pandas()["spikes"].sum() == sum(row["spikes"] for row in run().rows)


def test_summary(run):
    """What a sitting did: all counts, and which part of the workers' time went into simulating."""
    about = run().summary
    assert {name: about[name] for name in ("points", "done", "failed", "lost", "kept", "workers")} == {
        "points": 4, "done": 4, "failed": 0, "lost": 0, "kept": 0, "workers": 2}
    assert about["share"] == pytest.approx(about["run_s"] / (2 * about["wall_s"]), rel=1e-2, abs=1e-3)


def test_a_network_made_in_python(run, config):
    """A network is swept as a config is, with the same spikes."""
    assert run(net=sn.load(config)).rows[0]["network"] == run(net=config, overwrite=True).rows[0]["network"]


def test_a_failed_point_is_reported_and_the_others_go_on(run):
    """A point whose delay is too short fails with its message; the other values are fine with the first ones."""
    over = {"populations.b.n": [3, 4], "populations.a.params.v_th": ["20 mV", "{expression: 20*mV*n/(n - 5 + 1)}"],
            "populations.a.n": [5, 4]}
    swept = run(over)
    assert [row["status"] for row in swept.rows] == ["done", "done", "done", "failed"] * 2
    assert swept.summary["failed"] == len(swept.failed) == 2
    assert "populations.a.params.v_th" in swept.failed[0]["message"]
    assert swept.failed[0]["number"] == 4


def test_what_is_done_is_not_done_again(run, tmp_path):
    """The same call keeps finished points, and repeats those whose file is missing, is of another point, or is not whole."""
    run()
    out = tmp_path / "out"
    (out / "00001.h5").unlink()
    (out / "00002.h5").write_bytes((out / "00004.h5").read_bytes())
    stamp = (out / "00003.h5").stat().st_mtime_ns
    again = run()
    assert again.summary["kept"] == 2
    assert [row["status"] for row in again] == ["done"] * 4
    assert (out / "00003.h5").stat().st_mtime_ns == stamp
    assert again.open(2).network_yaml == sn.load(tmp_path / "few.yaml", ["populations.a.params.tau_m=10 ms", "seed=2"]).to_yaml()


def test_a_recording_whose_row_was_lost_is_taken_as_it_is(run, tmp_path):
    """A kill between the end of a run and its row: the file counts, if it holds the network of the point."""
    rows = run().rows
    out = tmp_path / "out"
    table = (out / "index.csv").read_text().splitlines(keepends=True)
    (out / "index.csv").write_text("".join(table[:2]) + table[2][:20])   # and half a row
    stamps = [(out / row["file"]).stat().st_mtime_ns for row in rows]
    assert run().summary["kept"] == 1
    assert [(out / row["file"]).stat().st_mtime_ns for row in rows] == stamps
    assert [row["spikes"] for row in sn.Sweep(out).rows] == [row["spikes"] for row in rows]


def test_values_may_be_added(run, tmp_path):
    """A longer axis runs what is new; the numbers of the old points stay."""
    before = run().rows
    after = run(OVER | {"seed": [0, 1, 2]})
    assert after.rows[:4] == before
    assert [(row["number"], row["seed"]) for row in after.rows[4:]] == [(5, 0), (6, 0)]
    assert after.summary["kept"] == 4


def test_overwrite_begins_anew(run, tmp_path):
    """The old sweep is removed, and nothing else."""
    run()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    run({"seed": [5]}, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".parquet") == [
        "00001.h5", "index.csv", "mine.txt", "sweep.yaml"]


def test_a_sweep_can_be_read_while_it_runs(run, tmp_path):
    """Rows are in the file as soon as points end; the others are waiting, and cannot be opened yet."""
    seen = []

    def look(now):
        seen.append([row["status"] for row in sn.Sweep(tmp_path / "out").rows])

    run({"seed": range(20)}, progress=look)
    halfway = next(statuses for statuses in seen if 0 < statuses.count("done") < 20)
    assert set(halfway) == {"done", "waiting"}


def test_progress(run):
    """It ends with all points."""
    seen = []
    run(progress=seen.append)
    assert (seen[-1].done, seen[-1].failed, seen[-1].running, seen[-1].points) == (4, 0, 0, 4)


def test_a_stop_leaves_the_table_right(run, tmp_path, monkeypatch):
    """Asked to stop, a sweep ends at once and says how to go on; half a recording is removed, and the same call goes on."""
    request = sweep_function.__globals__["interruptible"]

    class Asked:
        by = ""

        def __call__(self):
            return bool(self.by)

    asked = Asked()

    class Context:
        def __enter__(self):
            return asked

        def __exit__(self, *error):
            return None

    def stop(now):
        if now.done >= 2:
            asked.by = "Ctrl-C"

    monkeypatch.setitem(sweep_function.__globals__, "interruptible", Context)
    with pytest.raises(sn.RunError) as caught:
        run({"seed": range(12)}, settings=["duration=50 ms"], progress=stop)
    monkeypatch.setitem(sweep_function.__globals__, "interruptible", request)
    out = tmp_path / "out"
    done = [row for row in sn.Sweep(out).rows if row["status"] == "done"]
    assert 2 <= len(done) < 12
    assert str(caught.value) == (f"stopped by Ctrl-C: {len(done)} of 12 points are done, {out / 'index.csv'} lists them; the "
                                 "same command goes on with the others")
    assert sorted(path.name for path in out.glob("*.h5")) == [row["file"] for row in done]
    assert run({"seed": range(12)}, settings=["duration=50 ms"]).summary["kept"] == len(done)


def test_included_files(tmp_path):
    """A worker needs no look at the files that were included: what they say is in the folder."""
    (tmp_path / "part.yaml").write_text(NET)
    (tmp_path / "whole.yaml").write_text("snnsim: 1\ninclude: [part.yaml]\nduration: 2 ms\n")
    with ThreadPoolExecutor(1) as threads:
        swept = sn.sweep(tmp_path / "whole.yaml", {"dt": ["0.1 ms", "0.2 ms"]}, tmp_path / "out", threads, backend="reference")
    assert [swept.open(k).dt for k in (1, 2)] == [0.1, 0.2]
    assert read_asked(tmp_path / "out").document["duration"] == "2 ms"


def test_options_of_a_builder(tmp_path):
    """What a builder makes differs from point to point, too."""
    with ThreadPoolExecutor(1) as threads:
        swept = sn.sweep(configs.path("microcircuit"), {"network.scale": [0.002, 0.004]}, tmp_path / "out", threads,
                         backend="reference", settings=["duration=0.2 ms"])
    assert [row["status"] for row in swept] == ["done", "done"]
    assert [swept.open(k).size("L23E") for k in (1, 2)] == [41, 83]


def test_a_new_population_gets_a_column(tmp_path):
    """Points may have other populations; the table is made anew with their rates."""
    table = index.Index(tmp_path / "index.csv", ["x"])
    table.begin([])
    table.add({"number": 2, "status": "done", "file": "2", "x": "1", "rate_hz.a": 1.5})
    table.add({"number": 1, "status": "done", "file": "1", "x": "0", "rate_hz.b": 2.5})
    table.add({"number": 3, "status": "failed", "file": "3", "x": "a, \"b\"", "message": "no"})
    table.close()
    rows = index.read(tmp_path / "index.csv")
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert (rows[0]["rate_hz.b"], rows[1]["rate_hz.a"], rows[2]["x"]) == (2.5, 1.5, "a, \"b\"")


def test_what_a_worker_reads_is_plain(run, tmp_path):
    """The folder says in YAML all that a worker needs; nothing in it is code."""
    run()
    asked = read_asked(tmp_path / "out")
    assert asked.document["populations"]["b"] == {"n": 3, "model": "lif_psc_delta"}
    assert {axis.path: axis.values for axis in asked.design.axes} == {
        "populations.a.params.tau_m": ("10 ms", "20 ms"), "seed": ("1", "2")}


def test_one_process_compiles_first(tmp_path, monkeypatch):
    """The second worker that comes to a shape waits until the first has its machine code, the third goes on at once."""
    monkeypatch.setenv("SNNSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(job, "_compiled", set())
    order = []
    with ThreadPoolExecutor(1) as threads, job._turn("0" * 64) as compiled:
        def second():
            with job._turn("0" * 64):
                order.append("second")

        waiting = threads.submit(second)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        order.append("first")
        compiled()
        waiting.result(10)
        with job._turn("0" * 64):
            order.append("third")
    assert order == ["first", "second", "third"]


def test_the_command(config, tmp_path, capsys):
    """A table on stdout; a failed point is listed on stderr and makes the exit code 1."""
    words = ["sweep", str(config), "-o", str(tmp_path / "out"), "--scheduler", "processes", "--workers", "1", "--backend",
             "reference", "--duration", "1 ms"]
    assert main([*words, "--over", "seed=1..3"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "sweep        3 points: 3 done"
    assert out[4].split() == ["number", "seed", "status", "spikes", "rate_hz.a", "rate_hz.b"]
    assert [line.split()[:3] for line in out[5:]] == [["1", "1", "done"], ["2", "2", "done"], ["3", "3", "done"]]
    assert main([*words, "--over", "seed=1..3", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["kept"], about["workers"], [row["status"] for row in about["rows"]]) == (3, 0, ["done"] * 3)
