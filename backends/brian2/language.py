"""The text of a model document, in the language of Brian2.

The texts are read again here, not the trees that the other backends start from, so that a fault of the reader or of the
rewriting of trees shows as a difference. What is put in their place:

    v                 v_m              every name of the model, since Brian2 keeps some (i, t, N, xi) for itself
    previous(v)       v_before         the value before the step; in the dynamics, v itself
    v[n+1]            v_next           the new value of a map
    a name of a sub-expression         its text, in brackets
    20 ms, mV         20*ms_unit       see `units`
    a if c else b     choose(c, a, b)  and min, max, clip as minimum(a, b), maximum(a, b)
    max(x, 0)         maximum(x, zero(x))   a plain 0 has any unit there
    normal()          normal_draw      drawn by snnsim, see `inputs`

**Units.** snnsim computes in ms, mV, pA and um, a coherent system, as SI is. So Brian2's second stands for 1 ms here,
its volt for 1 mV, its amp for 1 pA: every dimension is checked by Brian2, every number is the one that snnsim has.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from snnsim.equations.document import expression_text
from snnsim.equations.parse import UNITS, Lookup, Parser
from snnsim.equations.rules import Parameter
from snnsim.units import Dimension, unit

BASES = ("second", "volt", "amp", "metre", "kelvin", "mole")
# How the text ends that stands for a name that has a condition, which is kept as 1 or 0.
CONDITION = " > 0.5)"
DRAWS = {"poisson": "poisson_draw", "uniform": "uniform_draw", "normal": "normal_draw"}


def own(name: str) -> str:
    """A name of the model in Brian2."""
    return f"{name}_m"


def synaptic(name: str) -> str:
    """A name of the model of a synapse: synapses know those of their target as well, which win over parameters."""
    return f"{name}_s"


def constants(parameters: Mapping[str, Parameter], values: Mapping[str, float]) -> dict[str, Any]:
    """What synapses know: the parameters of their model, besides what every group does."""
    found = {name: values.get(name, each.default) for name, each in parameters.items()}
    return namespace() | {synaptic(name): quantity(value, parameters[name].dimension) for name, value in found.items()}


def unit_text(dimension: Dimension) -> str:
    """The unit of a variable in Brian2's equations."""
    return " * ".join(f"{base}**{power}" for base, power in zip(BASES, dimension, strict=True) if power) or "1"


def quantity(value: Any, dimension: Dimension) -> Any:
    """A number of the coherent system as a quantity of Brian2."""
    from brian2 import units

    return reduce(lambda q, part: q * getattr(units, part[0]) ** float(part[1]),
                  [part for part in zip(BASES, dimension, strict=True) if part[1]], value)


def namespace() -> dict[str, Any]:
    """What every group of neurons knows besides its own parameters: units, and functions that Brian2 has not."""
    import numpy as np
    from brian2 import Function

    same = {"return_unit": lambda a, b: a, "arg_units": [None, "a"], "arg_names": ["a", "b"]}
    functions = {
        "minimum": Function(np.minimum, **same), "maximum": Function(np.maximum, **same),
        "zero": Function(np.zeros_like, arg_units=[None], arg_names=["a"], return_unit=lambda a: a),
        "rint": Function(np.rint, arg_units=[1], arg_names=["a"], return_unit=1),
        "choose": Function(np.where, arg_units=[bool, None, "yes"], arg_names=["condition", "yes", "no"],
                           return_unit=lambda condition, yes, no: yes),
    }
    return functions | {f"{name}_unit": quantity(float(unit(name).size), unit(name).dimension) for name in UNITS}


@dataclass(frozen=True)
class Language:
    """Prints expressions of one model.

    names: what stands for a name of the model; aliases: the text of its sub-expressions. after: the step has been
    integrated, so that previous(v) is another value than v.
    """

    names: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    after: bool = False

    def __call__(self, value: Any) -> str:
        """The expression of a document, as Brian2 writes it."""
        return ast.unparse(self.tree(expression_text(value)))

    def later(self) -> Language:
        """The same for what follows the integration."""
        return replace(self, after=True)

    def knowing(self, **names: str) -> Language:
        """The same with further names."""
        return replace(self, names={**self.names, **names})

    def tree(self, text: str) -> ast.expr:
        """The syntax of `text`, with everything replaced."""
        known = self.names.keys() | self.aliases.keys()
        find: Any = {name: name for name in known}.get  # what a name stands for does not matter here
        lookup = Lookup(find, lambda: known)
        return _Rewriter(self).visit(Parser(lookup).syntax(text))


class _Rewriter(ast.NodeTransformer):
    """Python's syntax of a snnsim expression into that of a Brian2 expression."""

    def __init__(self, language: Language) -> None:
        self.it = language

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = node.id
        if name in self.it.names:
            return ast.Name(self.it.names[name])
        if name in self.it.aliases:
            return self.it.tree(self.it.aliases[name])
        return ast.Name(f"{name}_unit" if name in UNITS else name)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """``v[n]`` or ``v[n+1]``."""
        name = ast.unparse(node.value)
        return ast.Name(own(name) if ast.unparse(node.slice) == "n" else f"{name}_next")

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test, yes, no = map(self.visit, (node.test, node.body, node.orelse))
        if is_condition(yes) and is_condition(no):   # Brian2's functions return numbers
            neither = ast.UnaryOp(ast.Not(), test)
            return ast.BoolOp(ast.Or(), [ast.BoolOp(ast.And(), [test, yes]), ast.BoolOp(ast.And(), [neither, no])])
        return _call("choose", test, yes, no)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """``a < b < c`` as ``a < b and b < c``."""
        values = [self.visit(value) for value in (node.left, *node.comparators)]
        tests: list[ast.expr] = [ast.Compare(a, [op], [b])
                                 for op, a, b in zip(node.ops, values, values[1:], strict=False)]
        return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)
        if name == "previous":
            state = ast.unparse(node.args[0])
            return ast.Name(f"{state}_before" if self.it.after else own(state))
        if name in DRAWS:
            return ast.Name(DRAWS[name])
        return _function(name, [self.visit(argument) for argument in node.args])


def _function(name: str, args: list[ast.expr]) -> ast.expr:
    if name in ("min", "max", "clip"):
        args = _with_units(args)
    if name in ("min", "max"):
        return reduce(lambda a, b: _call(f"{name}imum", a, b), args)
    if name == "clip":
        return _call("minimum", _call("maximum", args[0], args[1]), args[2])
    if name == "sigmoid":
        growth = _call("exp", ast.UnaryOp(ast.USub(), args[0]))
        return ast.BinOp(ast.Constant(1), ast.Div(), ast.BinOp(ast.Constant(1), ast.Add(), growth))
    return _call(name, *args)


def _with_units(args: list[ast.expr]) -> list[ast.expr]:
    """With zeros of the others' unit in place of plain ones."""
    others = [arg for arg in args if not _is_zero(arg)]
    if not others:
        return args
    like = min(others, key=lambda arg: len(ast.unparse(arg)))
    return [_call("zero", like) if _is_zero(arg) else arg for arg in args]


def is_condition(node: ast.expr) -> bool:
    """Whether an expression of Brian2 is true or false."""
    if isinstance(node, ast.Name):
        return node.id.endswith(CONDITION)
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negated or isinstance(node, (ast.Compare, ast.BoolOp))


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name), list(args), [])
