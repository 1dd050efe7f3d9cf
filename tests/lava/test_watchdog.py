"""Whatever the process of Lava does, the message says it, and nothing is left: no process, no folder."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_runners import Fake

from snnsim.backends.lava.process import LIMIT, patience
from snnsim.deploy.graph import Arrivals
from snnsim.errors import EngineError, InputError, UnavailableError

Make = Callable[[str], Fake]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a fake runner; at the end nothing of it is left, and no folder."""
    made: list[Fake] = []
    folders = tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folders))
    monkeypatch.setenv("PIDS", "")

    def fake(kind: str) -> Fake:
        made.append(Fake(tmp_path, kind))
        return made[-1]

    yield fake
    gc.collect()
    assert [pid for each in made for pid in each.left()] == []
    assert list(folders.iterdir()) == []


def test_a_good_one_runs_and_stops(make: Make) -> None:
    """Runs follow each other, and closing twice is as good as once."""
    fake = make("good")
    session = fake.session()
    assert (session.processes, session.lava) == (3, "0.10.0")
    first, second = session.run(3, None), session.run(2, None)
    session.close()
    session.close()
    assert (first.step.tolist(), second.step.tolist()) == ([1, 2, 3], [4, 5])
    assert (first.traces[0].tolist(), second.traces[0].tolist()) == ([[7, 8]], [[7, 8]])
    assert second.states["cells", "v"].tolist() == [7, 8]
    assert fake.started


IN_RUN = {
    "dies in a run": "Lava ended by itself (exit code 1) while running steps 1 to 5; its last words: weights / out of cheese",
    "is killed": "Lava ended by itself (killed, as the system does where memory runs out) while running steps 1 to 5; "
                 "it said nothing before",
    "crashes": "Lava ended by itself (signal SIGSEGV) while running steps 1 to 5; it said nothing before",
    "says nothing and ends": "Lava ended by itself (exit code 0) while running steps 1 to 5; it said nothing before",
    "says what is no JSON": "Lava was ended, because it did not answer in JSON while running steps 1 to 5, but with "
                            "'Segmentation fault'",
    "says a list": "Lava was ended, because it did not answer in JSON while running steps 1 to 5, but with '[1, 2]'",
    "reports an error": "Lava was ended, because while running steps 1 to 5 it reported: ValueError: negative shift",
}


@pytest.mark.parametrize("kind", IN_RUN)
def test_failures_in_a_run(make: Make, kind: str) -> None:
    """The message names the steps, what happened, and what was said last; a later run is refused."""
    fake = make(kind)
    session = fake.session()
    with pytest.raises(EngineError) as caught:
        session.run(5, None)
    assert str(caught.value) == IN_RUN[kind]
    assert fake.started
    assert fake.left() == []
    with pytest.raises(EngineError) as again:
        session.run(5, None)
    assert str(again.value) == "Lava has been ended; build the network again to run it from the beginning"


@pytest.mark.parametrize("kind", ["hangs in a run", "hangs with children in sessions of their own", "hangs and ignores",
                                  "says half a line"])
def test_hangs_in_a_run(make: Make, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit all of it is ended, whatever it ignores and wherever it hides."""
    fake = make(kind)
    session = fake.session()
    monkeypatch.setenv(LIMIT, "0.3")
    with pytest.raises(EngineError) as caught:
        session.run(5, None)
    assert str(caught.value) == ("Lava did not answer within 0.3 s while running steps 1 to 5, and was ended; "
                                 "SNNSIM_LAVA_LIMIT=SECONDS gives it more time")
    assert fake.left() == []


def test_hangs_at_the_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds before the first answer, too."""
    fake = make("hangs at the start")
    monkeypatch.setenv(LIMIT, "0.5")
    with pytest.raises(EngineError) as caught:
        fake.session()
    assert str(caught.value) == ("Lava did not answer within 0.5 s while it was being started, and was ended; "
                                 "SNNSIM_LAVA_LIMIT=SECONDS gives it more time")


def test_fails_at_the_start(make: Make) -> None:
    """The last line of a traceback is in the message."""
    with pytest.raises(EngineError) as caught:
        make("fails at the start").session()
    assert re.fullmatch(r"Lava ended by itself \(exit code 1\) while it was being started; its last words: .* / raise "
                        r"ImportError\('no module named lava'\) / ImportError: no module named lava", str(caught.value))


def test_a_graph_that_lava_refuses(make: Make) -> None:
    """It is the input that is wrong."""
    with pytest.raises(InputError) as caught:
        make("refuses the graph").session()
    assert str(caught.value) == "backend: Lava cannot run this network: connection 3: no port in"


def test_no_lava(make: Make) -> None:
    """What to do is said."""
    with pytest.raises(UnavailableError) as caught:
        make("has no Lava").session()
    version = ".".join(map(str, sys.version_info[:3]))
    assert str(caught.value) == (
        f"backend: Lava does not start in {sys.executable} (Python {version}): ModuleNotFoundError: lava; make an environment with "
        "`python -m snnsim.backends.lava.setup` (tools/setup_lava in a checkout), or name an interpreter that has lava-nc 0.10.0 "
        "and h5py: SNNSIM_LAVA_PYTHON=/path/to/python")


@pytest.mark.parametrize("kind", ["writes no file", "writes half a file"])
def test_answers_without_results(make: Make, kind: str) -> None:
    """A file that is missing or damaged is named as such."""
    session = make(kind).session()
    with pytest.raises(EngineError, match=r"^Lava was ended, because what it wrote while running steps 1 to 2 cannot be read \("):
        session.run(2, None)


def test_what_it_should_read_cannot_be_written(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is named with the folder."""
    session = make("good").session()

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snnsim.backends.lava.session.save_arrivals", full)
    with pytest.raises(EngineError) as caught:
        session.run(1, Arrivals(*(np.zeros(1, np.int64) for _ in range(5))))
    assert re.fullmatch(r"what Lava is to read cannot be written to /.*/snnsim-lava-\w+ \(No space left on device\); "
                        r"TMPDIR=FOLDER chooses another place", str(caught.value))


@pytest.mark.slow
def test_one_that_does_not_stop_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing asks first, and waits for a while only."""
    monkeypatch.setattr("snnsim.backends.lava.process._STOP_S", 0.3)
    fake = make("does not stop")
    fake.session().close()
    assert len(fake.started) == 2
    assert fake.left() == []


def test_an_object_that_is_forgotten(make: Make) -> None:
    """Without `close` the end of the object does it."""
    fake = make("good")
    fake.session()
    gc.collect()
    assert fake.left() == []


def test_an_interrupt(make: Make) -> None:
    """Ctrl-C while waiting ends all of it."""
    fake = make("hangs in a run")
    session = fake.session()

    def handler(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            session.run(5, None)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert session.ended
    assert fake.left() == []


def test_a_copy_of_this_process_does_not_end_it(make: Make) -> None:
    """A process that was forked off may end, and Lava goes on."""
    session = make("good").session()
    pid = os.fork()
    if not pid:
        try:
            session.close()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert session.run(2, None).step.tolist() == [1, 2]


# --- the end of the whole process ------------------------------------------------------------------------------------

SCRIPT = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from fake_runners import Fake
fake = Fake(Path({folder!r}), {kind!r})
session = fake.session()
print("there", flush=True)
{then}
"""
ENDS = {
    "the end of Python": ("good", "", 0),
    "an error": ("good", "raise SystemExit(3)", 3),
    "os._exit": ("good", "os._exit(4)", 4),
    "kill -9": ("good", "time.sleep(600)", -signal.SIGKILL),
    "kill -9 while it hangs": ("hangs in a run", "session.run(5, None)", -signal.SIGKILL),
}


@pytest.mark.parametrize("how", ENDS)
def test_end_of_the_process(tmp_path: Path, how: str) -> None:
    """However the process that asked ends, nothing is left of Lava soon after, nor of its folder."""
    kind, then, expected = ENDS[how]
    folders = tmp_path / "folders"
    folders.mkdir()
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path), kind=kind, then=then)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"TMPDIR": str(folders)})
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "there\n"
        if expected == -signal.SIGKILL:
            process.kill()
    assert process.wait(60) == expected
    fake = Fake(tmp_path, kind)
    assert fake.started
    assert fake.left(20) == []
    for _ in range(200):
        if not (left := list(folders.iterdir())):
            break
        time.sleep(0.05)
    assert left == []


def test_a_keeper_that_is_killed(make: Make) -> None:
    """Where the process between dies, the program is ended from here."""
    fake = make("hangs in a run")
    session = fake.session()
    session._process._keeper.kill()
    with pytest.raises(EngineError) as caught:
        session.run(5, None)
    assert str(caught.value) == ("Lava ended by itself (killed, as the system does where memory runs out) while running steps 1 to 5; "
                                 "it said nothing before")
    assert fake.left(20) == []


# --- limits ----------------------------------------------------------------------------------------------------------

def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable goes before what is estimated."""
    monkeypatch.delenv(LIMIT, raising=False)
    assert patience(80.0) == 80.0
    monkeypatch.setenv(LIMIT, "1.5")
    assert patience(80.0) == 1.5


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf"])
def test_a_wrong_limit(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """It is named before anything is waited for."""
    monkeypatch.setenv(LIMIT, text)
    with pytest.raises(InputError) as caught:
        patience(80.0)
    assert str(caught.value) == f"SNNSIM_LAVA_LIMIT: expected a number of seconds above 0, found {text!r}"
