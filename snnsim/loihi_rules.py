"""Loihi's learning rules: sums of products such as ``2^-2*x1*y0 - 2^-2*y1*x0``, read and checked.

A product has a dependency, which says when it counts (``x0``: the source spiked in the epoch; ``y0``: the target did;
``u<k>``: every 2^k epochs), a scale (a mantissa from -8 to 7 times a power of two from 2^-7 to 2^8) and factors: traces,
the weight ``w``, tags ``t`` and ``d``, each alone, with a constant added, or, of the last three, as its sign.

Source: Lava 0.10.0 (lava.magma.core.learning), its text of rules and its limits; Davies et al. (2018), IEEE Micro 38(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from snnsim.errors import InputError, Problem, Problems, unknown

PRE, POST = ("x1", "x2"), ("y1", "y2", "y3")
TRACES = (*PRE, *POST)
VARIABLES = {"w": "w", "d": "tag_2", "t": "tag_1"}    # what a synapse has, and what Lava calls it
TARGETS = {"dw": "w", "dd": "d", "dt": "t"}
_WHEN = ("x0", "y0")
_EPOCHS = tuple(f"u{k}" for k in range(10))
# Bits that a factor takes in a product, as the chip counts them: a sign as many as what it is of.
_BITS = {**dict.fromkeys(_WHEN, 1), **dict.fromkeys(TRACES, 7), **dict.fromkeys(VARIABLES, 9)}
_SCALE_BITS, ACCUMULATOR_BITS = 4, 15
_MOST_CONSTANT = 255
_TOKEN = re.compile(r"[0-9]+|[A-Za-z_][A-Za-z_0-9]*|\S")


@dataclass(frozen=True)
class Factor:
    """A number that a product multiplies with: `name`, plus `constant`, or the sign of that."""

    name: str
    constant: int = 0
    sign: bool = False

    @property
    def bits(self) -> int:
        return _BITS[self.name]


@dataclass(frozen=True)
class Product:
    """One product. when: x0, y0 or u; its scale is mantissa 2^exponent."""

    when: str
    mantissa: int
    exponent: int
    factors: tuple[Factor, ...]

    @property
    def right(self) -> int:
        """By how many bits the chip shifts it right, so that it fits the accumulator."""
        return max(0, sum(f.bits for f in self.factors) + _SCALE_BITS - ACCUMULATOR_BITS)

    @property
    def left(self) -> int:
        """By how many bits it is then shifted left: the accumulator counts in 1/128."""
        return self.exponent + 7


@dataclass(frozen=True)
class Rules:
    """What changes in an epoch: w, d or t -> products, in the order in which they are added up.

    every: products with u count in every so many epochs.
    """

    products: dict[str, tuple[Product, ...]]
    every: int = 1

    @property
    def names(self) -> set[str]:
        """What the products read and change."""
        return {f.name for each in self.products.values() for p in each for f in p.factors} | set(self.products)

    @property
    def whens(self) -> set[str]:
        return {p.when for each in self.products.values() for p in each}


def read_rules(texts: Mapping[str, str]) -> Rules:
    """The rules that ``dw``, ``dd`` and ``dt`` say, in this order; ``InputError`` with every fault, below their keys."""
    problems, products, epochs = Problems(), {}, dict[str, str]()
    for key, target in TARGETS.items():
        if texts.get(key, "").strip():
            with problems.at(key):
                reader = _Reader(texts[key])
                products[target] = reader.read()
                epochs |= dict.fromkeys(reader.epochs, key)
    if len(epochs) > 1:
        problems.add(list(epochs.values())[-1], f"expected one of u0 to u9 in all rules of a projection, found "
                                                f"{' and '.join(sorted(epochs))}")
    problems.check()
    if not products:
        raise InputError(Problem("", "expected a rule for at least one of: dw, dd, dt"))
    return Rules(products, 1 << max((int(name[1:]) for name in epochs), default=0))


@dataclass
class _Scale:
    """What the numbers of a product multiply to."""

    mantissa: int
    exponent: int = 0

    def times(self, mantissa: int, exponent: int) -> None:
        self.mantissa, self.exponent = self.mantissa * mantissa, self.exponent + exponent

    def fitted(self) -> _Scale:
        """The same as the chip holds it; ``InputError`` where it cannot."""
        it = _Scale(self.mantissa, self.exponent)
        while abs(it.mantissa) > 7 and it.mantissa % 2 == 0 and it.exponent < 8:
            it = _Scale(it.mantissa // 2, it.exponent + 1)
        if not (-8 <= it.mantissa <= 7 and -7 <= it.exponent <= 8):
            raise InputError(f"expected a scale of -8 to 7 times 2^-7 to 2^8, found {it.mantissa}*2^{it.exponent}")
        return it


@dataclass
class _Reader:
    """Reads one rule from left to right."""

    text: str
    epochs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tokens, self.at = [(m[0], m.start()) for m in _TOKEN.finditer(self.text)], 0

    def read(self) -> tuple[Product, ...]:
        products = [self._product(self._sign())]
        while self._next() is not None:
            products.append(self._product(self._sign()))
        return tuple(products)

    # --- tokens ------------------------------------------------------------------------------------------------------

    def _next(self, ahead: int = 0) -> str | None:
        place = self.at + ahead
        return self.tokens[place][0] if place < len(self.tokens) else None

    def _take(self, expected: str | None = None) -> str:
        token = self._next()
        if token is None or (expected is not None and token != expected):
            raise self._fault(expected or "a number or a name")
        self.at += 1
        return token

    def _has(self, token: str) -> bool:
        """Whether `token` comes next; it is taken then."""
        found = self._next() == token
        self.at += found
        return found

    def _sign(self) -> int:
        minus = self._has("-")
        if not minus:
            self._has("+")
        return -1 if minus else 1

    def _fault(self, expected: str) -> InputError:
        if self.at >= len(self.tokens):
            return InputError(f"expected {expected}, found the end of {self.text!r}")
        token, column = self.tokens[self.at]
        divided = "; a power of two such as 2^-3 divides" if token == "/" else ""
        return InputError(f"expected {expected}, found {token!r} in column {column + 1} of {self.text!r}{divided}")

    # --- products ----------------------------------------------------------------------------------------------------

    def _product(self, sign: int) -> Product:
        begin, scale = self.at, _Scale(sign)
        self._when, self._factors = "", list[Factor]()
        self._item(scale)
        while self._has("*"):
            self._item(scale)
        if self._next() not in (None, "+", "-"):
            raise self._fault("+, - or *")
        last, column = self.tokens[self.at - 1]
        shown = self.text[self.tokens[begin][1]:column + len(last)]
        if not self._when:
            raise InputError(f"expected one of x0, y0 and u0 to u9 in the product {shown!r}: nothing says when it counts")
        try:
            it = scale.fitted()
        except InputError as error:
            raise InputError(f"{error} in the product {shown!r}") from error
        return Product(self._when, it.mantissa, it.exponent, tuple(self._factors))

    def _item(self, scale: _Scale) -> None:
        token = self._next() or ""
        if token.isdigit():
            scale.times(*self._number())
        elif token == "(":
            self._bracket(scale)
        elif token == "sgn":
            self._factors.append(self._signum())
        else:
            self._name(self._known())

    def _known(self) -> str:
        """The name that comes next."""
        token = self._next()
        if token is None or not (token[0].isalpha() or token[0] == "_"):
            raise self._fault("a number or a name")
        if token not in _BITS and token not in _EPOCHS:
            raise InputError(unknown("name", token, [*_BITS, *_EPOCHS, "sgn"]))
        return self._take()

    def _name(self, name: str) -> None:
        if name in _EPOCHS and self._when:
            raise InputError(f"expected {name} before {self._when}: what comes first says when a product counts")
        self.epochs |= {name} & {*_EPOCHS}
        if not self._when and name in (*_WHEN, *_EPOCHS):
            self._when = name[0] if name in _EPOCHS else name
        else:
            self._factors.append(Factor(name))

    def _number(self) -> tuple[int, int]:
        """Mantissa and exponent of ``n``, ``2^e`` or ``n*2^e``."""
        first = int(self._take())
        if self._next() == "^" and first == 2:
            return 1, self._exponent()
        if (self._next(), self._next(1), self._next(2)) == ("*", "2", "^"):
            self.at += 2
            return first, self._exponent()
        return first, 0

    def _exponent(self) -> int:
        self._take("^")
        sign = self._sign()
        if not (self._next() or "").isdigit():
            raise self._fault("a whole number")
        return sign * int(self._take())

    # --- brackets ----------------------------------------------------------------------------------------------------

    def _bracket(self, scale: _Scale) -> None:
        """``(-3*2^2)``, or a factor with a constant: ``(w + 3)``, ``(3 - w)``."""
        self._take("(")
        sign = self._sign()
        if (self._next() or "").isdigit():
            mantissa, exponent = self._number()
            if self._has(")"):
                scale.times(sign * mantissa, exponent)
                return
            constant = sign * self._constant(mantissa, exponent)
            sign = self._operator()
            factor = self._with(self._known(), sign * constant)
        else:
            name = self._known()
            if self._next() == ")" and (sign < 0 or name in _WHEN):   # Lava takes it and overlooks the minus, or the name
                raise InputError(f"expected a constant beside {name} in brackets, found none")
            factor = self._with(name, 0 if self._next() == ")" else sign * self._operator() * self._constant(*self._literal()))
        self._take(")")
        scale.times(sign, 0)
        self._factors.append(factor)

    def _signum(self) -> Factor:
        """``sgn(w)`` or ``sgn(w - 3)``."""
        self._take("sgn")
        self._take("(")
        if self._next() not in VARIABLES:
            raise self._fault("one of w, d and t")
        name = self._take()
        constant = 0 if self._next() == ")" else self._operator() * self._constant(*self._literal())
        self._take(")")
        return Factor(name, constant, True)

    def _operator(self) -> int:
        if self._next() not in ("+", "-"):
            raise self._fault("+, - or )")
        return self._sign()

    def _literal(self) -> tuple[int, int]:
        if not (self._next() or "").isdigit():
            raise self._fault("a whole number")
        return self._number()

    def _constant(self, mantissa: int, exponent: int) -> int:
        if exponent < 0 or mantissa << exponent > _MOST_CONSTANT:
            raise InputError(f"expected a whole number of at most {_MOST_CONSTANT} beside a name, found {mantissa}*2^{exponent}")
        return mantissa << exponent

    def _with(self, name: str, constant: int) -> Factor:
        if name in _EPOCHS:
            raise InputError(f"expected a trace, w, d or t beside a number, found {name}")
        return Factor(name, constant)
