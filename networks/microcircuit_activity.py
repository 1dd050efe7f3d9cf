"""What was published of the activity of the cortical microcircuit, and how far another simulation of it may be off.

Full scale: Potjans TC, Diesmann M (2014) Cereb. Cortex 24:785-806, doi:10.1093/cercor/bhs358, with the rates of its
PyNEST implementation (github.com/INM-6/microcircuit-PD14-model). All scales: Romaro C, Najman FA, Lytton WW, Roque AC,
Dura-Bernal S (2021) Neural Comput. 33:1993-2032, doi:10.1162/neco_a_01400, tables A.1 (rates in Hz, Poisson drive),
A.3 and A.4 (CV of intervals), A.5 and A.6 (synchrony), from 60 s of about 1000 neurons of each population.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from snnsim.builders import Band, Reference
from snnsim.networks.microcircuit import POPULATIONS, RATES

Row = tuple[float, ...]
Rows = Mapping[int, Row]   # per cent of full scale -> one number for each population

RATE: Rows = {
    100: RATES["pynest"],
    80: (0.82, 2.81, 4.45, 5.74, 7.1, 8.24, 1.17, 7.64),
    60: (0.85, 2.79, 4.42, 5.74, 6.25, 8.22, 1.09, 7.57),
    50: (0.75, 2.87, 4.57, 5.84, 7.35, 8.31, 1.17, 7.7),
    40: (0.7, 2.95, 4.62, 5.9, 7.9, 8.35, 1.22, 7.79),
    30: (0.69, 3.06, 4.71, 5.98, 8.34, 8.45, 1.18, 7.92),
    20: (0.78, 2.99, 4.57, 5.97, 6.17, 8.54, 1.06, 7.8),
    10: (0.75, 3.28, 4.76, 6.2, 6.55, 8.97, 1.1, 8.06),
    5: (0.69, 3.88, 4.74, 6.33, 9.66, 8.83, 1.09, 8.6),
    2: (0.69, 3.8, 4.15, 5.9, 7.08, 8.7, 1.02, 7.96),
    1: (0.71, 4.08, 3.71, 5.46, 8.33, 8.92, 0.93, 7.43),
}
CV: dict[str, Rows] = {
    "poisson": {
        100: (0.938, 0.916, 0.891, 0.873, 0.847, 0.809, 0.924, 0.819),
        50: (0.934, 0.917, 0.889, 0.873, 0.838, 0.808, 0.93, 0.816),
        20: (0.936, 0.921, 0.887, 0.871, 0.858, 0.806, 0.929, 0.814),
        10: (0.937, 0.919, 0.883, 0.869, 0.853, 0.8, 0.938, 0.81),
        5: (0.926, 0.899, 0.884, 0.867, 0.797, 0.802, 0.934, 0.803),
        1: (0.929, 0.895, 0.901, 0.884, 0.823, 0.785, 0.932, 0.814),
    },
    "dc": {
        100: (0.936, 0.909, 0.875, 0.862, 0.82, 0.775, 0.923, 0.788),
        50: (0.933, 0.905, 0.872, 0.855, 0.807, 0.773, 0.92, 0.785),
        20: (0.929, 0.908, 0.87, 0.857, 0.829, 0.768, 0.921, 0.782),
        10: (0.937, 0.896, 0.866, 0.855, 0.817, 0.766, 0.92, 0.771),
    },
}
SYNCHRONY: dict[str, Rows] = {
    "poisson": {
        100: (2.9, 1.8, 3.0, 1.7, 4.4, 1.1, 1.2, 1.0),
        50: (1.8, 1.5, 2.0, 1.3, 4.3, 0.9, 1.2, 0.9),
        20: (2.0, 1.9, 2.4, 1.7, 5.4, 1.0, 1.4, 0.9),
        10: (2.6, 2.1, 3.1, 1.9, 4.5, 1.1, 1.7, 1.0),
        1: (1.9, 1.6, 1.7, 1.4, 2.0, 1.1, 1.2, 1.0),
    },
    "dc": {
        100: (5.1, 3.3, 5.5, 2.7, 8.0, 2.0, 1.5, 1.3),
        50: (2.6, 2.1, 3.0, 1.8, 5.8, 1.2, 1.4, 1.0),
        20: (3.3, 3.6, 3.9, 2.9, 7.3, 1.3, 1.6, 1.2),
        10: (10.7, 10.3, 15.6, 8.5, 11.4, 2.4, 3.3, 2.3),
    },
}
RATE_SPREAD, CV_SPREAD, SYNCHRONY_FACTOR = 0.15, 0.05, 2.0   # share, difference, factor
SOURCE = ("Potjans and Diesmann 2014, Cereb. Cortex 24:785, and its PyNEST implementation; Romaro et al. 2021, "
          "Neural Comput. 33:1993, tables A.1 and A.3 to A.6")
TOLERANCE = (
    "A band spans the published rows of this scale and of the next smaller and larger one, and at least 15 % to both "
    "sides for rates (at full scale the published simulations differ by up to 11 % from PyNEST's, so two others by the "
    "square root of 2 as much), 0.05 for the CV, and a factor of 2 for the synchrony (it depends on which 1000 neurons "
    "are counted and is printed with two digits)."
)


def reference(scale: float, drive: str) -> Reference:
    """The published row that is nearest to `scale`, with its bands; of a constant drive no rates were at hand."""
    rates = {} if drive == "dc" else _bands(RATE, scale, lambda x: (x * (1 - RATE_SPREAD), x * (1 + RATE_SPREAD)))
    return Reference(
        source=SOURCE, tolerance=TOLERANCE, start=500.0, units=1000, window=3.0,
        bands={
            "rate_hz": rates,
            "cv_isi": _bands(CV[drive], scale, lambda x: (x - CV_SPREAD, x + CV_SPREAD)),
            "synchrony": _bands(SYNCHRONY[drive], scale, lambda x: (x / SYNCHRONY_FACTOR, x * SYNCHRONY_FACTOR)),
        },
    )


def _bands(rows: Rows, scale: float, least: Callable[[float], tuple[float, float]]) -> dict[str, Band]:
    """The row nearest to `scale` (by their ratio); `least`: what its bands span at least."""
    scales = sorted(rows)
    nearest = min(range(len(scales)), key=lambda k: abs(math.log(scales[k] / (100 * scale))))
    near = [rows[percent] for percent in scales[max(0, nearest - 1) : nearest + 2]]
    bands = {}
    for population, value, *published in zip(POPULATIONS, rows[scales[nearest]], *near, strict=True):
        low, high = least(value)
        bands[population] = Band(value, min(low, *published), max(high, *published))
    return bands
