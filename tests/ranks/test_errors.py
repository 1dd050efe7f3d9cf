"""Several processes for one network: what cannot be is said before anything is built, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ranks.conftest import Start

import snnsim as sn
from snnsim.recording.elsewhere import Elsewhere
from snnsim.world import world_of

SMALL = """snnsim: 1
dt: 0.1 ms
duration: 10 ms
populations: {a: {n: 2, model: lif_psc_delta}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small network in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SMALL)
    return tmp_path


def said(mpirun: Start, ranks: int, *words: str, code: int = 2) -> str:
    """What the command line says in so many processes."""
    done = mpirun(ranks, "-m", "snnsim", *words, timeout=120)
    assert (done.returncode, done.stdout) == (code, "")
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "words", "expected"), [
    (3, ["run", "net.yaml"], "mpirun: 3 processes were started for a network of 2 units; expected at most 2"),
    (2, ["run", "net.yaml", "--backend", "reference"],
     "--backend: reference runs in one process, and 2 were started together; over MPI take cpu or loihi"),
    (2, ["compare", "net.yaml", "--backends", "cpu,reference"],
     "snnsim compare runs in one process, and 2 were started together; only run runs over MPI"),
    (2, ["run", "net.yml"], "net.yml: no such file (did you mean net.yaml?)"),
    (2, ["run", "net.yaml", "--threads", "0"],
     "Usage: snnsim run [OPTIONS] [CONFIG]\nTry 'snnsim run -h' for help.\n\n"
     "Error: Invalid value for '--threads' / '-t': expected a whole number from 1 on, found 0"),
    (2, ["run", "net.yaml", "--duration", "1 mV"],
     "--duration: wrong unit: expected a time (ms), found 1 mV (a voltage (mV))"),
])
def test_command_lines(mpirun: Start, ranks: int, words: list[str], expected: str) -> None:
    """One message, however many processes meet the fault."""
    assert said(mpirun, ranks, *words) == f"{expected}\n"


@pytest.mark.slow
def test_a_checkpoint_of_another_network(mpirun: Start) -> None:
    """As in one process."""
    other = sn.loads(SMALL.replace("n: 2", "n: 5"))
    program = sn.compile(other, backend="cpu")
    program.run("1 ms")
    program.save("a.ckpt")
    expected = "a.ckpt: is a checkpoint of another network: populations.a.n is 5 there and 2 here\n"
    assert said(mpirun, 2, "run", "net.yaml", "--resume", "a.ckpt") == expected


MPI4PY = {
    "without a library": ('def __getattr__(name): raise RuntimeError("cannot load MPI library")',
                          "mpi4py finds no MPI library (cannot load MPI library); "
                          'install both with: pip install "snnsim[mpi]"'),
    "missing": ('raise ModuleNotFoundError("No module named \'mpi4py\'")',
                "mpi4py cannot be imported (No module named 'mpi4py'); "
                'install both with: pip install "snnsim[mpi]"'),
    "of another launcher": ('''class MPI:
    def Get_library_version(): return "Some MPI   4.2\\nmore"
    class COMM_WORLD:
        def Get_size(): return 1''',
                            "MPI sees 1: mpi4py uses Some MPI 4.2; the launcher belongs to another MPI; take the launcher "
                            "of that library"),
}


@pytest.mark.parametrize("case", MPI4PY)
def test_mpi_that_cannot_be_used(folder: Path, case: str) -> None:
    """Started by a launcher, which says how many there are; said by the first process only."""
    module, expected = MPI4PY[case]
    (folder / "mpi4py.py").write_text(module)
    slurm = ("with srun, take --mpi=pmi2 for MPICH, --mpi=pmix for Open MPI, and where each process is to run a network of "
             "its own, SLURM_STEP_NUM_TASKS=1")
    by_slurm = expected.replace("the launcher belongs to another MPI; take the launcher of that library", slurm)
    for names, said_by in ((("PMI_RANK", "PMI_SIZE"), expected), (("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), by_slurm)):
        for rank, text in ((0, f"2 processes were started together, and {said_by}\n"), (1, "")):
            told = dict(zip(names, (str(rank), "2"), strict=True))
            environment = {**os.environ, **told, "PYTHONPATH": str(folder)}
            done = subprocess.run([sys.executable, "-m", "snnsim", "run", "net.yaml"], env=environment,
                                  capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


def test_something_else_than_a_communicator() -> None:
    """As others name an argument so, too."""
    with pytest.raises(sn.InputError) as found:
        sn.run(sn.load("net.yaml"), comm=4)
    assert str(found.value) == "comm: expected a communicator of mpi4py such as MPI.COMM_WORLD, found int"
    assert world_of(None).size == 1


def test_results_of_others() -> None:
    """A process that did not record says who did."""
    there = Elsewhere(sn.compile(sn.load("net.yaml"), backend="cpu").recording_plan({}), 5, {"processes": 4})
    for text, summary in (("look at the result there", {}), ("open a.h5 to read it", {"out": "a.h5"})):
        there.summary |= summary
        with pytest.raises(sn.InputError) as found:
            there.read_spikes("a")
        assert str(found.value) == f"rank 0 of 4 has what this run recorded; {text}"
