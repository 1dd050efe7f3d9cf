"""Equations of neurons: read from text, checked for dimensions, made into the operation list of one step."""

from snnsim.equations.model import Model, StateVar, model_from_document
from snnsim.equations.rules import Parameter, Port
from snnsim.equations.step import COUNTER

__all__ = ["COUNTER", "Model", "Parameter", "Port", "StateVar", "model_from_document"]
