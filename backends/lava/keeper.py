"""Starts a program and sees to it that nothing of it is left, however it ends, or whoever asked for it.

    python -I -S keeper.py LIFE FOLDER COMMAND...

LIFE is the number of a pipe's reading end. It comes to its end when whoever holds the other one closes it or dies, in
whatever way. Then, or when the program itself has ended, all that it has started gets SIGTERM, GRACE_S later SIGKILL,
and what cleans up behind the others (Python's resource tracker) CLEAN_S later; FOLDER is removed.

Its own exit code is that of the program, or 128 and the number of the signal that ended it. It imports only the
standard library, because it runs in the interpreter of the program.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

GRACE_S, CLEAN_S, LAST_S, POLL_S = 2.0, 10.0, 30.0, 0.01
GROUP = "group"   # the file in FOLDER with the number of the program's process group
_ADOPT = 36   # PR_SET_CHILD_SUBREAPER, see prctl(2)


def main(life: int, folder: str, command: list[str]) -> int:
    """Run `command` until it ends or `life` does; its exit code."""
    _adopt()
    bell = _bell()
    group = _start(command, folder)
    code = None
    while code is None:
        ready, _, _ = select.select([life, bell], [], [])
        code = _reap().get(group)
        if code is None and (life in ready or signal.SIGTERM in os.read(bell, 1024)):
            code = -signal.SIGTERM
    _end(group)
    if select.select([life], [], [], 0)[0]:   # nobody is there any more who could read in it
        shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _adopt() -> None:
    """On Linux, children of children that have lost their parent become children of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)


def _bell() -> int:
    """A file descriptor from which the numbers of signals can be read: of children that end, and of SIGTERM."""
    bell, rope = os.pipe()
    for end in (bell, rope):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(rope)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return bell


def _start(command: list[str], folder: str) -> int:
    """Start the program in a session of its own. Input and output are its own: their ends are noticed."""
    program = subprocess.Popen(command, start_new_session=True)
    with open(os.path.join(folder, GROUP), "w", encoding="ascii") as file:
        file.write(str(program.pid))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nothing, standard)
    return program.pid


def _reap() -> dict[int, int]:
    """Children that have ended -> exit code, or minus the number of a signal."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _end(group: int) -> None:
    """Ask all that is left to end; then make it, those last that clean up behind the others; then make all of it."""
    for number, seconds, spare in ((signal.SIGTERM, GRACE_S, False), (signal.SIGKILL, CLEAN_S, True),
                                   (signal.SIGKILL, LAST_S, False)):
        deadline = time.monotonic() + seconds
        _signal(group, number, spare)
        while _left(group) and time.monotonic() < deadline:
            time.sleep(POLL_S)
            if number == signal.SIGKILL:
                _signal(group, number, spare)


def _signal(group: int, number: int, spare: bool) -> None:
    if not spare:
        _send(os.killpg, group, number)
    for pid in _members(group):
        if not (spare and _cleans_up(pid)):
            _send(os.kill, pid, number)


def _send(send: Callable[[int, int], None], whom: int, number: int) -> bool:
    """Whether there was anybody. macOS forbids signals to what has ended."""
    try:
        send(whom, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _left(group: int) -> bool:
    """Whether anything of the group, or any child that has left it, still runs."""
    _reap()
    return _send(os.killpg, group, 0) or any(True for _ in _members(group))


def _members(group: int) -> Iterator[int]:
    """The group and the children of this process, who may have left it; nobody where the system does not list them."""
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        if name.isdigit():
            parent, its_group = _kin(name)
            if group == its_group or os.getpid() == parent:
                yield int(name)


def _kin(pid: str) -> tuple[int, int]:
    """Parent and group of a process; 0 where it has just ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            _, parent, group = file.read().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return 0, 0
    return int(parent), int(group)


def _cleans_up(pid: int) -> bool:
    """Whether it is Python's resource tracker, which frees shared memory when all others have ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
