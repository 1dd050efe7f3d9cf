"""How much of a sweep's time is simulating: ``tools/bench sweep``.

Many small networks: Brunel's with 1000 neurons, 100 synapses each, four membrane time constants and as many seeds as it
takes. The whole command is timed, from its start to its end.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from snnsim import configs
from snnsim.sweeps import Sweep

COLUMNS = {
    "tool": "tool", "points": "points", "model_s": "model s", "run_ms": "run ms/point", "rest_ms": "rest ms/point",
    "wall_s": "wall s", "share": "simulating %", "cpu_share": "% of CPU time", "foreign": "other load",
}
SMALL = (
    "populations.exc.n=800", "populations.inh.n=200", "projections.0.connect.k=80", "projections.1.connect.k=20",
    "projections.0.weight=1 mV", "projections.1.weight=-5 mV",
)
TAUS = ("18 ms", "19 ms", "20 ms", "21 ms")
TOOLS = {"Dask": (), "processes": ("--scheduler", "processes")}
_SUBREAPER = 36   # of prctl: processes whose parent has ended become ours, so that their time is counted


def command(points: int, seconds: float, workers: int, out: str) -> list[str]:
    """The sweep, as a user types it."""
    over = {"populations.exc.params.tau_m": ",".join(TAUS), "seed": f"1..{points // len(TAUS)}"}
    return [
        sys.executable, "-m", "snnsim", "sweep", str(configs.path("brunel")), "-o", out, "--workers", str(workers),
        "--backend", "cpu", "--duration", f"{seconds} s", "--json",
        *(word for text in SMALL for word in ("--set", text)),
        *(word for path, values in over.items() for word in ("--over", f"{path}={values}")),
    ]


def own_cpu() -> float:
    """CPU seconds of this process and of all that have ended below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def wait_for_all() -> None:
    """Until no process is left below this one."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def measure(tool: str, points: int, seconds: float, workers: int, busy: Callable[[], float]) -> dict[str, Any]:
    """One sweep. busy: CPU seconds that the machine has spent."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as folder:
        words = [*command(points, seconds, workers, f"{folder}/out"), *TOOLS[tool]]
        spent, cpu, began = busy(), own_cpu(), time.perf_counter()
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        wall = time.perf_counter() - began
        wait_for_all()
        rows = Sweep(f"{folder}/out").rows
    cpu, spent = own_cpu() - cpu, busy() - spent
    about = json.loads(done.stdout.splitlines()[-1])
    return {
        "tool": tool, "points": about["done"], "model_s": seconds, "wall_s": wall,
        "run_ms": 1e3 * statistics.median(row["run_s"] for row in rows),
        "rest_ms": 1e3 * statistics.median(row["total_s"] - row["run_s"] for row in rows),
        "share": 100 * about["run_s"] / (workers * wall), "cpu_share": 100 * about["run_s"] / cpu,
        "foreign": max(0.0, spent - cpu) / wall,
    }


def rows(options: Any, busy: Callable[[], float], wait_quiet: Callable[[float], None]) -> Iterator[dict[str, Any]]:
    """One row for each tool and length; the sweep with the median share."""
    for seconds in options.seconds:
        for tool in options.tools:
            found = []
            for _ in range(options.repeat):
                wait_quiet(options.patience)
                found.append(measure(tool, options.points, seconds, options.workers, busy))
            yield sorted(found, key=lambda row: row["share"])[(len(found) - 1) // 2]
