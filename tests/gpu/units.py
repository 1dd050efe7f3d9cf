"""Update functions of the GPU backend by themselves: run by g++ in a loop over units, or as a kernel of one unit a thread.

Unlike ``host``, nothing is kept on disk: random programs are never seen again.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.backends.cupy.emit import emit_update
from snnsim.ir import Op, Program, Type
from snnsim.ir.exact import lower
from snnsim.ir.interpret import Environment, interpret

_FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fno-fast-math", "-w", "-shared", "-fPIC")
_PRELUDE = """
#define __device__
#define __forceinline__ __attribute__((noinline))
template <class To, class From> static To bits_of(From x) { To y; __builtin_memcpy(&y, &x, sizeof y); return y; }
static int __float_as_int(float x) { return bits_of<int>(x); }
static float __int_as_float(int x) { return bits_of<float>(x); }
static long long __double_as_longlong(double x) { return bits_of<long long>(x); }
static double __longlong_as_double(long long x) { return bits_of<double>(x); }
extern "C" { float floorf(float), fabsf(float), sqrtf(float); double floor(double), fabs(double), sqrt(double); }
"""
_C_NAMES = {np.float32: "float", np.float64: "double", np.int32: "int", np.int64: "long long", np.uint32: "unsigned"}
_BY_VALUE = ("drive", "poisson", "words")
_MOST = (1 << 31) - 1   # of a payload, where it does not fit into 24 bits


@dataclass
class Inputs:
    """What the leaves of a program read in a step, [n] each; counts and words by the data of the draws."""

    states: dict[str, np.ndarray] = field(default_factory=dict)
    arrivals: dict[str, np.ndarray] = field(default_factory=dict)
    drives: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[Any, np.ndarray] = field(default_factory=dict)
    words: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Result:
    """What a step leaves: states and outputs by name, the number of spikes of each unit or its payload."""

    states: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    spikes: np.ndarray


class Case:
    """A program with its parameters, and ports whose arrivals are 64-bit."""

    def __init__(
        self, program: Program, dtype: Any, params: Mapping[str, Any] | None = None, wide: Collection[str] = (),
    ) -> None:
        self.program, self.dtype, self.params, self.wide = program, dtype, dict(params or {}), wide
        per_unit = {name for name, value in self.params.items() if np.ndim(value)}
        self.update = emit_update(program, dtype, per_unit, wide)
        self.lowered, self.whole = lower(program, dtype), np.int64 if program.whole else np.int32

    # --- the interpreter's answer ------------------------------------------------------------------------------------

    def expected(self, inputs: Inputs, n: int) -> Result:
        """What ``interpret`` says; whole numbers in 32 or 64 bits, as they are stored."""
        env = Environment(self.dtype, self.params, inputs.states, inputs.arrivals, inputs.drives,
                          lambda op, data: inputs.counts[data] if op is Op.POISSON else self._uniform(inputs.words[data]))
        effects = interpret(self.lowered, env)
        states = inputs.states | {name: self._stored(name, value, n) for name, value in effects.stored.items()}
        outputs = {name: np.broadcast_to(value, n) for name, value in effects.outputs.items()}
        spikes = np.broadcast_to((effects.emitted | effects.sent).get("spikes", 0), n)
        return Result(states, outputs, np.clip(spikes, -_MOST, _MOST).astype(np.int32))

    def _uniform(self, words: np.ndarray) -> np.ndarray:
        bits = 9 if self.dtype == np.float32 else 0
        return ((words >> np.uint32(bits)).astype(np.float64) + 0.5) * 2.0 ** (bits - 32)

    def _stored(self, name: str, value: Any, n: int) -> np.ndarray:
        kind = self.dtype if self.program.states[name] is Type.REAL else self.whole
        return np.broadcast_to(np.asarray(value).astype(kind), n)

    # --- the compiled function ---------------------------------------------------------------------------------------

    def type_of(self, kind: str, data: Any) -> Any:
        """The NumPy type of an argument, by the contract."""
        if kind == "wholes":
            return np.int64 if self.wide else self.whole
        if kind == "arrival":
            return np.int64 if data in self.wide else np.int32
        whole = (kind == "param" and data in self.program.uses(Op.WHOLE)) or (
            kind == "state" and self.program.states[data] is Type.INT)
        return self.whole if whole else {"poisson": np.int32, "words": np.uint32}.get(kind, self.dtype)

    def _functions(self) -> str:
        return "".join((*self.update.functions, self.update.source))

    def _types(self) -> list[str]:
        return [f"{_C_NAMES[self.type_of(*argument)]} *" for argument in self.update.arguments]

    def _call(self, arrays: Iterable[str]) -> str:
        values = [f"{array}[i]" if kind in _BY_VALUE else array
                  for (kind, _), array in zip(self.update.arguments, arrays, strict=True)]
        return f"spikes[i] = {self.update.name}({', '.join(['i', *values])});"

    def loop(self, name: str) -> str:
        """A C function that runs all units, and what it calls."""
        call = self._call(f"(({kind})a[{k}])" for k, kind in enumerate(self._types()))
        head = f'extern "C" void {name}(int n, int *spikes, void **a)'
        return f"{self._functions()}{head}\n{{ for (int i = 0; i < n; i++) {call} }}\n"

    def kernel(self) -> str:
        """A CUDA kernel that runs a unit in each thread, and what it calls."""
        arguments = ["int *spikes", *(f"{kind}a{k}" for k, kind in enumerate(self._types()))]
        head = f'extern "C" __global__ void __launch_bounds__(128) snn_units({", ".join(arguments)})'
        call = self._call(f"a{k}" for k in range(len(self._types())))
        return f"{self._functions()}{head}\n{{ int i = blockIdx.x * blockDim.x + threadIdx.x; {call} }}\n"

    def run(self, function: Any, inputs: Inputs, n: int) -> Result:
        """What the compiled function does; it also clears the arrivals."""
        arrays = {a: self._array(*a, inputs, n) for a in self.update.arguments}
        spikes = np.full(n, -1, np.int32)
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays.values()))
        function(n, ctypes.c_void_p(spikes.ctypes.data), pointers)
        found: dict[str, dict[str, np.ndarray]] = {"state": {}, "output": {}, "arrival": {}}
        for (kind, data), array in arrays.items():
            found.setdefault(kind, {})[data] = array
        assert not any(array.any() for array in found["arrival"].values()), "arrivals are not cleared"
        return Result(inputs.states | found["state"], found["output"], spikes)

    def _array(self, kind: str, data: Any, inputs: Inputs, n: int) -> np.ndarray:
        """A copy of what an argument reads."""
        names = {"scalars": self.update.scalars, "wholes": self.update.wholes}.get(kind)
        if names is not None:
            values: Any = [self.params[name] for name in names]
        elif kind == "output":
            values = np.full(n, np.nan)
        else:
            where = {"param": self.params, "state": inputs.states, "arrival": inputs.arrivals, "drive": inputs.drives,
                     "poisson": inputs.counts, "words": inputs.words}
            values = where[kind][data]
        return np.array(values, self.type_of(kind, data))


def compiled(cases: Sequence[Case], folder: Path) -> list[Any]:
    """The function of each case, for ``run``."""
    source, library = folder / "units.cpp", folder / "units.so"
    # Cases may call the same functions, so each has a namespace.
    spaces = [f"namespace space{k} {{\n{case.loop(f'run_{k}')}}}\n" for k, case in enumerate(cases)]
    source.write_text(_PRELUDE + "".join(spaces))
    done = subprocess.run(["g++", *_FLAGS, "-o", str(library), str(source), "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    return [getattr(loaded, f"run_{k}") for k in range(len(cases))]


def assert_same(found: Result, expected: Result, about: str) -> None:
    """Equal bits, but any NaN is a NaN."""
    assert np.array_equal(found.spikes, expected.spikes), f"{about}: spikes differ"
    for kind in ("states", "outputs"):
        one, other = getattr(found, kind), getattr(expected, kind)
        assert one.keys() == other.keys(), f"{about}: {kind} differ"
        for name in other:
            _assert_equal(one[name], other[name], f"{about}: {kind[:-1]} {name}")


def _assert_equal(found: np.ndarray, expected: np.ndarray, about: str) -> None:
    assert found.dtype == expected.dtype, f"{about}: {found.dtype}, not {expected.dtype}"
    whole = {4: np.int32, 8: np.int64}[found.dtype.itemsize]
    same = (found.view(whole) == np.ascontiguousarray(expected).view(whole)) | ((found != found) & (expected != expected))
    k = int(np.argmin(same))
    assert same.all(), f"{about}: unit {k} has {found[k]!r}, not {expected[k]!r}"
