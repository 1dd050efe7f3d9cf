"""The random numbers of a step: functions of seed, stream, unit and step, the same for every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snnsim.ir import Op
from snnsim.ir.exact import function
from snnsim.ir.interpret import Environment, interpret
from snnsim.plan import Plan, Population
from snnsim.random import POISSON_MEAN, poisson_parts, poisson_thresholds, step_words, stream_id


def draw(plan: Plan, population: Population, op: Op, data: Any, step: int) -> npt.NDArray[Any]:
    """What POISSON, UNIFORM or the uniform number behind NORMAL is for every unit in a step: [n] int64 or float64.

    data: as in the instruction. Uniform numbers have the bits that the precision of the plan can hold.
    """
    units = np.arange(population.n)
    if op is Op.POISSON:
        return _poisson(plan, population, data, step, units)
    words = step_words(plan.seed, stream_id(data), step, units)
    bits = 9 if plan.dtype == np.float32 else 0
    return ((words >> np.uint32(bits)).astype(np.float64) + 0.5) * 2.0 ** (bits - 32)


def normal(plan: Plan, population: Population, data: Any, step: int) -> npt.NDArray[Any]:
    """What NORMAL is for every unit in a step, with the bits that programs see: [n] in the precision of the plan."""
    uniform = draw(plan, population, Op.NORMAL, data, step).astype(plan.dtype)
    return interpret(function(Op.NORMAL, plan.dtype), Environment(plan.dtype, states={"x": uniform})).stored["x"]


def _poisson(plan: Plan, population: Population, data: Any, step: int, units: npt.NDArray[Any]) -> npt.NDArray[Any]:
    label, name = data
    means = np.broadcast_to(population.params[name], units.shape).astype(float)
    parts = poisson_parts(float(means.max(initial=0.0)))
    assert means.max(initial=0.0) / parts <= POISSON_MEAN
    count = np.zeros(population.n, np.int64)
    if step <= population.onsets.get(label, 0):
        return count
    for part in range(parts):
        words = step_words(plan.seed, stream_id(label), step, units, part)
        for mean in np.unique(means):
            mine = means == mean
            count[mine] += np.searchsorted(poisson_thresholds(mean / parts), words[mine], side="right")
    return count
