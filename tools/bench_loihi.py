"""The emulator of Loihi beside Lava: ``tools/bench loihi``.

Each network runs in Lava as a user writes it (``peers_lava.py``), with Monitors (not those that learn); through the
backend ``lava``, which merges processes and records through files; and in the emulator with one thread.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import snnsim as sn

STEPS = 1000
COLUMNS = {"network": "network", "tool": "tool", "us_per_step": "us/step", "fetch_us": "fetching us/step",
           "start_s": "start s", "processes": "processes", "rate_percent": "rate %", "times": "times slower"}
# Units -> threshold with which about 10, 4 and 2 per cent of them spike in a step.
SIZES = {100: 1500, 1000: 2900, 5000: 4100}


def sparse(n: int) -> sn.Network:
    """N LIF neurons that excite and inhibit a tenth of each other and are driven by their biases."""
    net, rng = sn.Network(name=f"sparse-{n}", dt="1 ms", seed=1), np.random.default_rng(1)
    bias = rng.integers(0, 400, n).tolist()
    net.population("cells", n, "loihi_lif", du=2047, dv=200, vth=SIZES[n], bias_mant=bias, bias_exp=6)
    net.project("cells", "cells", sn.pairwise(0.1), weight={"discrete": {"values": [-8, 4, 6]}})
    net.record(spikes=["cells"])
    return net


def layers(count: int = 50, n: int = 100) -> sn.Network:
    """A chain of dense layers, in Lava two processes each."""
    net = sn.Network(name=f"layers-{count}", dt="1 ms", seed=1)
    for k in range(count):
        net.population(f"layer{k}", n, "loihi_lif", du=2047, dv=200, vth=300, bias_mant=0 if k else 40, bias_exp=6)
        if k:
            net.project(f"layer{k - 1}", f"layer{k}", sn.pairwise(0.5), weight={"discrete": {"values": [-8, 6, 12]}})
    net.record(spikes=list(net.populations))
    return net


PAIR = "2^-2*x1*y0 - 2^-2*y1*x0"


def learning(epoch: int, rule: str = PAIR, n: int = 500) -> sn.Network:
    """N units that learn onto as many, all pairs; 5 % of them spike in each step, whatever they learn."""
    net, rng = sn.Network(name=f"learning-{epoch}", dt="1 ms", seed=1), np.random.default_rng(1)
    for side in ("pre", "post"):
        bias = rng.integers(5, 16, n).tolist()
        net.population(side, n, "loihi_lif", du=4095, dv=0, vth=200, bias_mant=bias, bias_exp=6)
    params = {"dw": rule, "t_epoch": epoch, "x1_impulse": 16, "x1_tau": 10, "y1_impulse": 16, "y1_tau": 10}
    net.project("pre", "post", sn.all_to_all(), weight=0, weight_exp=-6, sign_mode="mixed",
                synapse={"model": "loihi_learning", "params": params})
    net.record(spikes=["pre", "post"])
    return net


CASES: dict[str, Callable[[], sn.Network]] = {
    **{f"sparse-{n}": (lambda n=n: sparse(n)) for n in SIZES}, "layers-50": layers,
    **{f"learning-{epoch}": (lambda epoch=epoch: learning(epoch)) for epoch in (1, 2, 4)},
    "learning-u": lambda: learning(1, f"{PAIR} - 2^-6*u0*w"),
}


def own(net: sn.Network, backend: str, repeat: int) -> dict[str, Any]:
    """The best of some runs, spikes recorded to memory; in the first one code is compiled and files are read."""
    from snnsim.recording import Recorder

    begun = time.perf_counter()
    program = sn.compile(net, backend=backend, threads=1)
    program.run_steps(1)
    start, before, best = time.perf_counter() - begun, program.counts.sum(), float("inf")
    for _ in range(repeat):
        kept = Recorder(program.recording_plan({}))
        began = time.perf_counter()
        program.run_steps(STEPS, kept)
        best = min(best, time.perf_counter() - began)
        kept.close()
    units = program.plan.neurons * repeat * STEPS
    return {"tool": f"snnsim {backend}", "us_per_step": best / STEPS * 1e6, "start_s": start,
            "processes": program.engine.facts().get("processes", 1),
            "rate_percent": 100 * float(program.counts.sum() - before) / units}


def plain_lava(net: sn.Network, python: str) -> dict[str, Any]:
    """The same network in Lava itself."""
    from snnsim.deploy.from_plan import graph_of
    from snnsim.deploy.graphfile import save_graph
    from snnsim.lowering import make_plan

    plan = make_plan(net)
    with tempfile.TemporaryDirectory() as folder:
        save_graph(graph_of(plan), f"{folder}/graph.h5")
        command = [python, str(Path(__file__).with_name("peers_lava.py")), f"{folder}/graph.h5", str(STEPS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    return {"tool": "Lava", "us_per_step": row["run_s"] / STEPS * 1e6, "fetch_us": row["fetch_s"] / STEPS * 1e6,
            "start_s": row["start_s"], "processes": row["processes"],
            "rate_percent": 100 * row["spikes"] / (plan.neurons * STEPS)}


def rows(names: list[str], python: str | None, repeat: int) -> Iterator[dict[str, Any]]:
    """One row for each network and tool, the slower ones with how many times the emulator's time they take."""
    for name in names:
        net = CASES[name]()
        emulator = own(net, "loihi", repeat)
        learns = any(p.learning is not None for p in net.projections)
        others = [*([] if learns else [plain_lava(net, python)]), own(net, "lava", 1)] if python else []
        for row in (emulator, *others):
            whole = row["us_per_step"] + row.get("fetch_us", 0.0)
            times = None if row is emulator else whole / emulator["us_per_step"]
            yield {"network": name, **row, "times": times}
