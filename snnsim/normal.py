"""The inverse of the standard normal distribution, for arrays, bit-equal on all machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from snnsim.ir import exact

Floats = npt.NDArray[np.float64]
_CHUNK = 1 << 13   # numbers at a time: the working arrays stay in the cache


def chunks(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of at most `size` that cover [start, stop)."""
    for lo in range(start, stop, size):
        yield lo, min(lo + size, stop)


def by_chunks(function: Callable[[Floats], Floats], x: Floats) -> Floats:
    """``function(x)``, a piece at a time, so that what it holds in between stays in the cache."""
    out = np.empty_like(x)
    for lo, hi in chunks(0, len(x), _CHUNK):
        out[lo:hi] = function(x[lo:hi])
    return out


def normal_quantile(p: Floats) -> Floats:
    """The z below which a standard normal number lies with probability p in (0, 1); relative error about 1e-16.

    Source: Wichura, Applied Statistics 37 (1988), algorithm AS 241, PPND16.
    """
    return by_chunks(_quantile, p)


def _quantile(p: Floats) -> Floats:
    q = p - 0.5
    r = 0.180625 - q * q
    out = q * _ratio(r, CENTRAL)
    tail = np.flatnonzero(r < 0)
    if tail.size:
        out[tail] = _tail(p[tail], q[tail])
    return out


def _tail(p: Floats, q: Floats) -> Floats:
    r = np.sqrt(-exact.log(np.where(q < 0, p, 1.0 - p)))
    z = _ratio(r - 1.6, NEAR)
    far = np.flatnonzero(r > 5.0)
    if far.size:
        z[far] = _ratio(r[far] - 5.0, FAR)
    return np.where(q < 0, -z, z)


def _ratio(x: Floats, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Floats:
    return _polynomial(x, coefficients[0]) / _polynomial(x, coefficients[1])


def ratio_text(coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
    """The ratio of two polynomials as an expression of `r`, in Python and in C."""
    return f"({_polynomial_text(coefficients[0])}) / ({_polynomial_text(coefficients[1])})"


def _polynomial_text(coefficients: tuple[float, ...]) -> str:
    text = repr(coefficients[-1])
    for c in coefficients[-2::-1]:
        text = f"({text}) * r + {c!r}"
    return text


def _polynomial(x: Floats, coefficients: tuple[float, ...]) -> Floats:
    out = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        out *= x
        out += c
    return out


CENTRAL = (
    (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
NEAR = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
FAR = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)
