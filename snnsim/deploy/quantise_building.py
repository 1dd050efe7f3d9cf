"""The network in whole numbers, population by population and synapse by synapse what the float one was."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snnsim import graph
from snnsim.deploy.quantise_delays import Delays
from snnsim.deploy.quantise_fitting import Fit, whole
from snnsim.deploy.quantise_integers import MOST_MANTISSA, Mantissas, best_exponent, quantised
from snnsim.deploy.quantise_reading import Reading
from snnsim.deploy.quantise_synapses import Drawn, draw, later, sample, scaled
from snnsim.distributions import Constant, Value
from snnsim.feeds import port_of
from snnsim.network import Network
from snnsim.nir.arrays import FEW, Arrays
from snnsim.plan import delay_steps
from snnsim.units import DIMENSIONLESS, TIME, to_text

_EXACT = 1e-9


@dataclass(frozen=True)
class Made:
    """A projection as it is made: what it wanted, float64 [k] in mantissas of exponent 0, and what it got, the same.

    synapses: how many it has; listed: they are named one by one. added: steps that its delays are longer.
    """

    projection: graph.Projection
    label: str
    wanted: Any
    got: Mantissas
    mode: str
    synapses: int
    listed: bool
    delays: tuple[int, int]
    added: int
