"""What the kernels of ``kernels/build.cuh`` are told: numbers in a table, so that one text serves all networks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from snnsim import normal
from snnsim.backends.cupy.device import Device, Kernel
from snnsim.backends.cupy.emit import emit_function
from snnsim.backends.cupy.source import device_text
from snnsim.ir import Op

RULES = ("listed", "one_to_one", "all_to_all", "fixed_indegree", "fixed_outdegree", "fixed_total", "pairwise")
VALUES = ("constant", "array", "listed", "uniform", "normal", "lognormal", "exponential", "discrete")
THREADS = 128   # as the kernels say
_WARP = 32
_PIECE = 1024   # synapses of a row that a warp draws, at least
_KERNELS = ("snn_count", "snn_place", "snn_keep", "snn_tally", "snn_starts")
_MOST_BLOCKS = 1 << 16

# All numbers have 64 bits, so that NumPy and C agree on where they lie; a whole number may be an address.
_WHOLE, _REAL = np.dtype(np.int64), np.dtype(np.float64)


def _record(wholes: str, reals: str, **nested: Any) -> np.dtype:
    fields = [_field(name, _WHOLE) for name in wholes.split()] + [_field(name, _REAL) for name in reals.split()]
    return np.dtype([*fields, *nested.items()])


def _field(name: str, kind: np.dtype) -> tuple[Any, ...]:
    """``name`` or ``name:count``."""
    name, _, count = name.partition(":")
    return (name, kind, (int(count),)) if count else (name, kind)


# table, edges: addresses of float64 numbers, and of the words where the next of them begins (uint64 [count]).
VALUE = _record("kind stream table edges count", "share below scale shift sign low high")

# first_row, rows: of the rule (targets, or sources of a fixed_outdegree); pieces: warps that share one; length:
# synapses of each, or `firsts`: where those of each begin. low, high: own targets. row: of the bundle, where the
# source's begin; part, parts: own; all_parts: of the network. delays: those that belong here; delay_from: what is 0 in
# a word. fixed, lost, down, shift, limit: where weights are whole numbers, those of ``snnsim.fixed_weights``.
JOB = _record(
    "rule key:2 stream first_row rows pieces length firsts choices skip_self ahead edges known sources targets indices "
    "low high n_target all_parts part parts row delays:2 all_delays counts base words bits delay_from delay_shift "
    "weight_shift weighted weights place:2 two_ports kept_source kept_target kept_delay kept_index kept_weight "
    "fixed lost down shift limit",
    "most log_rest dt quantum:2 sign", weight=VALUE, delay=VALUE,
)


def _struct(name: str, record: np.dtype) -> str:
    kinds = {_WHOLE: "long long", _REAL: "double", VALUE: "Value"}
    lines = []
    for field in record.names or ():
        kind = record[field]
        size = f"[{kind.shape[0]}]" if kind.shape else ""
        lines.append(f"    {kinds[kind.base]} {field}{size};\n")
    return f"struct {name} {{\n{''.join(lines)}}};\n"


def _numbers(prefix: str, names: tuple[str, ...]) -> str:
    return f"enum {{ {', '.join(f'{prefix}_{name.upper()}' for name in names)} }};\n"


def _ratio(name: str) -> str:
    text = normal.ratio_text(getattr(normal, name.upper()))
    return f"static __device__ __forceinline__ double {name}(double r) {{ return {text}; }}\n"


@cache
def source() -> str:
    """The text of the module."""
    parts = [_numbers("RULE", RULES), _numbers("VALUE", VALUES), _struct("Value", VALUE), _struct("Job", JOB),
             *map(_ratio, ("central", "near", "far")), *(emit_function(op, np.float64) for op in (Op.LOG, Op.EXP))]
    return "\n".join([device_text("sync.cuh"), device_text("philox.cuh"), *parts, device_text("build.cuh")])


class Launcher:
    """Launches the kernels."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.kernels: dict[str, Kernel] = device.module(source(), _KERNELS)

    def __call__(self, kernel: str, job: np.ndarray, warps: int) -> None:
        """job: a record [1] of ``JOB``; warps: how many have something to do."""
        if warps > 0:
            blocks = min(_MOST_BLOCKS, -(-warps * _WARP // THREADS))
            self.kernels[kernel](blocks, THREADS, (self.device.upload(job.view(np.int64)),))

    def draw(self, kernel: str, job: np.ndarray) -> None:
        """For each synapse of a rule."""
        self(kernel, job, int(job["rows"][0] * job["pieces"][0]))


def pieces(length: float) -> int:
    """How many warps share a row of this many synapses."""
    return max(1, int(length) // _PIECE)
