"""Neurons: a process of Lava for each pool."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .assembly import Assembly
from .errors import GraphError
from .graph import Group
from .mixins import Resets, Watched
from .models import Model
from .pools import Pool
from .records import Log, shared


def add_neurons(to: Assembly) -> None:
    for number, pool in enumerate(to.pools.all):
        if pool.model is None:
            to.inputs[number, ""] = None
        else:
            add_process(to, number, pool, pool.model)


def add_process(to: Assembly, number: int, pool: Pool, model: Model) -> None:
    process = make_process(to.lava, pool, model)
    names = model.states.split()
    pool.log = Log(to.clock, names, slice(None), shared(len(names), pool.size))
    pool.out = process.s_out
    process.proc_params["log"] = pool.log
    to.mix(Resets if "phase" in names else Watched, process)
    to.inputs.update({(number, name): getattr(process, port) for name, port in model.ports.items()})


def make_process(lava: SimpleNamespace, pool: Pool, model: Model) -> Any:
    options = options_of(lava, pool, model)
    vth = options.pop("vth") if "decay_bits" in options else None  # RF would take one threshold only
    process = getattr(lava, model.process)(shape=(pool.size,), **options)
    if vth is not None:
        process.vth.init = np.left_shift(vth, options["state_exp"])
    set_initial(process, pool)
    widen(process)
    return process


def options_of(lava: SimpleNamespace, pool: Pool, model: Model) -> dict[str, Any]:
    """The parameters under Lava's names."""
    options = {**pool.fixed, **{name: pool.values(name) for name in model.params.split()}}
    if "relu" in options:
        options["act_mode"] = lava.ActivationMode(options.pop("relu"))
    if "cum_error" in options:
        options["cum_error"] = bool(options["cum_error"])
    if "shift" in options:
        options["exp"] = options.pop("shift")
    return options


def set_initial(process: Any, pool: Pool) -> None:
    """States of the first step, as Lava keeps them: nothing is scaled."""
    for group, _ in pool.parts:
        check_initial(process, group)
    for name in {name for group, _ in pool.parts for name in group.initial}:
        getattr(process, name).init = pool.initial(name)


def check_initial(process: Any, group: Group) -> None:
    for name, values in group.initial.items():
        if name == "theta" and (values != np.int32(group.values("theta_0") * 64)).any():
            raise GraphError(f"group {group.name}: theta begins with theta_0*64 in Lava, found {values[0]}")
        if not hasattr(process, name):
            raise GraphError(f"group {group.name}: Lava's {group.model} has no state {name} that can be set")


def widen(process: Any) -> None:
    """Lava makes some variables for one number; they get one per unit where their first values are so many."""
    for var in process.vars:
        if var.shape == (1,) and np.ndim(var.init) == 1:
            var.shape = np.shape(var.init)
