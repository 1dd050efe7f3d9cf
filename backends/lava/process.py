"""A program in a process group of its own that answers one line of JSON to another, never waited for endlessly."""

from __future__ import annotations

import json
import math
import os
import selectors
import shutil
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from snnsim.backends.lava.keeper import CLEAN_S, GRACE_S, GROUP, LAST_S
from snnsim.errors import EngineError, InputError, Problem

KEEPER = Path(__file__).with_name("keeper.py")
LIMIT = "SNNSIM_LAVA_LIMIT"
ERRORS = "errors.txt"   # what the program prints
STOP = {"stop": True}
_STOP_S, _POLL_S, _END_S = 10.0, 0.5, GRACE_S + CLEAN_S + LAST_S + 5.0
_TAIL, _SHOWN = 4096, 300   # bytes that are read of what a program printed last, characters that are shown of it
_LONGEST_NAME = 70
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def patience(seconds: float) -> float:
    """Seconds to wait for an answer: those given, or what the variable ``SNNSIM_LAVA_LIMIT`` says."""
    text = os.environ.get(LIMIT)
    if not text:
        return seconds
    try:
        chosen = float(text)
    except ValueError:
        chosen = math.nan
    if not 0 < chosen < math.inf:
        raise InputError(Problem(LIMIT, f"expected a number of seconds above 0, found {text!r}"))
    return chosen


class Process:
    """A running program. `folder` is its own, and is removed with it.

    Whatever happens to this object or to this process, nothing of the program is left: see ``keeper``.
    """

    def __init__(self, python: str, command: Sequence[str | Path], folder: Path) -> None:
        self._folder, self._read = folder, b""
        life, other = os.pipe()
        with open(life, "rb") as given, open(folder / ERRORS, "wb") as errors:
            held = open(other, "wb", buffering=0)  # noqa: SIM115  closed at the end of the program
            self._keeper = subprocess.Popen(
                [python, "-I", "-S", KEEPER, str(life), folder, *command], stdin=subprocess.PIPE, bufsize=0,
                stdout=subprocess.PIPE, stderr=errors, pass_fds=[given.fileno()], start_new_session=True,
                env=_environment(folder))
        self._end = weakref.finalize(self, _end, self._keeper, held, folder, os.getpid())

    @property
    def ended(self) -> bool:
        """Whether ``close`` has been called, by whom ever."""
        return not self._end.alive

    def close(self) -> None:
        """Let the program stop by itself, or else end it; nothing of it is left then."""
        self._end()

    def kill(self) -> None:
        """End it without asking; nothing of it is left."""
        if (found := self._end.detach()) is not None:
            keeper, held, folder, owner = found[2]
            _end(keeper, held, folder, owner, polite=False)

    def ask(self, command: dict[str, Any] | None, limit: float, doing: str) -> dict[str, Any]:
        """The answer to a command; None waits for one that comes by itself.

        Raises ``EngineError`` where none comes within `limit` seconds, the program ends, or says what is none; it has
        been ended then, as after an interrupt. doing: what it is doing meanwhile.
        """
        limit = patience(limit)
        try:
            if command is not None:
                self._say(command)
            return _parsed(self._line(limit, doing), doing)
        except BaseException:
            self.kill()
            raise

    def _say(self, command: dict[str, Any]) -> None:
        assert self._keeper.stdin is not None
        try:
            self._keeper.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            return   # it has ended: reading says how

    def _line(self, limit: float, doing: str) -> bytes:
        deadline = time.monotonic() + limit
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0:
                raise EngineError(f"Lava did not answer within {limit:g} s while {doing}, and was ended; "
                                  f"{LIMIT}=SECONDS gives it more time")
            if (more := self._more(min(left, _POLL_S))) == b"":
                raise self._died(doing)
            self._read += more or b""
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _more(self, seconds: float) -> bytes | None:
        """What can be read by then: None for nothing yet, b"" where nothing will come any more."""
        output = self._keeper.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            if selector.select(seconds):
                return output.read(1 << 16)
        return None if self._keeper.poll() is None else b""

    def _died(self, doing: str) -> EngineError:
        code = self._keeper.wait(_END_S)
        code = code if code >= 0 else 128 - code   # the keeper itself was killed
        return EngineError(f"Lava ended by itself ({_exit(code)}) while {doing}; {self.last_words()}")

    def last_words(self) -> str:
        """The end of what the program printed."""
        with open(self._folder / ERRORS, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().decode(errors="replace").split("\n")
        last = [line.strip() for line in lines if line.strip()][-3:]
        return f"its last words: {' / '.join(last)[-_SHOWN:]}" if last else "it said nothing before"


def _environment(folder: Path) -> dict[str, str]:
    """This process's variables; many processes of one thread each, whose temporary files go with the folder."""
    # A socket's name, which Python makes below TMPDIR, may have a hundred characters.
    there = {"TMPDIR": str(folder)} if len(str(folder)) <= _LONGEST_NAME else {}
    return os.environ | dict.fromkeys(_ONE_THREAD, "1") | there


def _parsed(line: bytes, doing: str) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        text = line.decode(errors="replace")[:_SHOWN]
        raise EngineError(f"Lava was ended, because it did not answer in JSON while {doing}, but with {text!r}")
    return answer


def _exit(code: int) -> str:
    if code == 128 + signal.SIGKILL:
        return "killed, as the system does where memory runs out"
    if code > 128 and code - 128 in set(signal.Signals):
        return f"signal {signal.Signals(code - 128).name}"
    return f"exit code {code}"


def _end(keeper: subprocess.Popen[bytes], life: BinaryIO, folder: Path, owner: int, polite: bool = True) -> None:
    """Stop the program, and everything that it has started; remove its folder."""
    if os.getpid() != owner:   # a copy of this process, made by fork, does not own the program
        return
    try:
        if polite:
            _stop(keeper)
    finally:
        life.close()
        for stream in (keeper.stdin, keeper.stdout):
            assert stream is not None
            stream.close()
        _wait(keeper, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    """Ask the program to stop, and give it some time."""
    assert keeper.stdin is not None
    try:
        keeper.stdin.write(json.dumps(STOP).encode() + b"\n")
        keeper.stdin.close()
        keeper.wait(_STOP_S)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        return


def _wait(keeper: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until all has ended. A keeper that was killed, or is held up, cannot have seen to it: that is done here."""
    try:
        if keeper.wait(_END_S) >= 0:
            return
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
    try:
        os.killpg(int((folder / GROUP).read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        return
