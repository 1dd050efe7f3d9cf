"""Values: a constant, a distribution, an expression or an array, for weights, delays, parameters and initial states.

``value_from_spec`` reads what a file or a call says; the ``Value`` it gives draws number i the same way in every
partition, from a ``snnsim.random.Stream``.
"""

from snnsim.distributions.kinds import Discrete, Exponential, Lognormal, Normal, Uniform
from snnsim.distributions.spec import KINDS, value_from_spec
from snnsim.distributions.value import Array, Constant, Value

__all__ = [
    "KINDS", "Array", "Constant", "Discrete", "Exponential", "Lognormal", "Normal", "Uniform", "Value",
    "value_from_spec",
]
