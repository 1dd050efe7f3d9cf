"""Reads the text of Loihi's learning rules, from left to right.

    rule     [sign] product {sign product}
    product  item {* item}
    item     number | 2^exponent | name | ([sign] number [* 2^exponent]) | ([sign] name sign constant)
             | ([sign] constant sign name) | (name) | sgn(name [sign constant])

Where Lava's own reader overlooks what it does not expect (a minus in brackets, a second operator), this one refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.loihi_rules import BITS, EPOCHS, TARGETS, VARIABLES, WHEN, Factor, Product, Rules

_MOST_CONSTANT = 255
_TOKEN = re.compile(r"[0-9]+|[A-Za-z_][A-Za-z_0-9]*|\S")


def read_rules(texts: Mapping[str, str]) -> Rules:
    """The rules that ``dw``, ``dd`` and ``dt`` say, in this order; ``InputError`` with every fault, below its key."""
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
class _Draft:
    """A product as far as it is read. The numbers in it multiply to its scale, mantissa 2^exponent."""

    mantissa: int
    exponent: int = 0
    when: str = ""
    factors: list[Factor] = field(default_factory=list)

    def scale(self, mantissa: int, exponent: int = 0) -> None:
        self.mantissa, self.exponent = self.mantissa * mantissa, self.exponent + exponent

    def done(self, shown: str) -> Product:
        """The product as a chip holds it; ``InputError`` where it cannot."""
        if not self.when:
            raise InputError(f"expected one of x0, y0 and u0 to u9 in the product {shown!r}: nothing says when it "
                             "counts")
        while abs(self.mantissa) > 7 and self.mantissa % 2 == 0 and self.exponent < 8:
            self.mantissa, self.exponent = self.mantissa // 2, self.exponent + 1
        if not (-8 <= self.mantissa <= 7 and -7 <= self.exponent <= 8):
            found = f"{self.mantissa}*2^{self.exponent}"
            raise InputError(f"expected a scale of -8 to 7 times 2^-7 to 2^8, found {found} in the product {shown!r}")
        return Product(self.when, self.mantissa, self.exponent, tuple(self.factors))


class _Reader:
    """Reads one rule. epochs: the u<k> in it."""

    def __init__(self, text: str) -> None:
        self.text, self.epochs, self.at = text, set[str](), 0
        self.tokens = [(m[0], m.start()) for m in _TOKEN.finditer(text)]

    def read(self) -> tuple[Product, ...]:
        """Its products; ``InputError`` where it is no rule."""
        products = [self._product()]
        while self._next() is not None:
            products.append(self._product())
        return tuple(products)

    # --- tokens ------------------------------------------------------------------------------------------------------

    def _next(self, ahead: int = 0) -> str | None:
        place = self.at + ahead
        return self.tokens[place][0] if place < len(self.tokens) else None

    def _has(self, token: str) -> bool:
        """Whether `token` comes next; it is taken then."""
        found = self._next() == token
        self.at += found
        return found

    def _take(self, token: str) -> None:
        if not self._has(token):
            raise self._fault(token)

    def _sign(self) -> int:
        minus = self._has("-")
        if not minus:
            self._has("+")
        return -1 if minus else 1

    def _whole(self) -> int:
        token = self._next() or ""
        if not token.isdigit():
            raise self._fault("a whole number")
        self.at += 1
        return int(token)

    def _fault(self, expected: str) -> InputError:
        if self.at >= len(self.tokens):
            return InputError(f"expected {expected}, found the end of {self.text!r}")
        token, column = self.tokens[self.at]
        divided = "; a power of two such as 2^-3 divides" if token == "/" else ""
        return InputError(f"expected {expected}, found {token!r} in column {column + 1} of {self.text!r}{divided}")

    # --- products ----------------------------------------------------------------------------------------------------

    def _product(self) -> Product:
        draft = _Draft(self._sign())
        begin = self.at
        self._item(draft)
        while self._has("*"):
            self._item(draft)
        if self._next() not in (None, "+", "-"):
            raise self._fault("+, - or *")
        last, column = self.tokens[self.at - 1]
        return draft.done(self.text[self.tokens[begin][1] : column + len(last)])

    def _item(self, draft: _Draft) -> None:
        token = self._next() or ""
        if token.isdigit():
            draft.scale(*self._number())
        elif token == "(":
            self._bracket(draft)
        elif token == "sgn":
            draft.factors.append(self._signum())
        else:
            self._add(draft, self._name())

    def _name(self) -> str:
        token = self._next()
        if token is None or not (token[0].isalpha() or token[0] == "_"):
            raise self._fault("a number or a name")
        if token not in BITS and token not in EPOCHS:
            raise InputError(unknown("name", token, [*BITS, *EPOCHS, "sgn"]))
        self.at += 1
        return token

    def _add(self, draft: _Draft, name: str) -> None:
        if name in EPOCHS and draft.when:
            raise InputError(f"expected {name} before {draft.when}: what comes first says when a product counts")
        self.epochs |= {name} & {*EPOCHS}
        if not draft.when and name in (*WHEN, *EPOCHS):
            draft.when = name[0] if name in EPOCHS else name
        else:
            draft.factors.append(Factor(name))

    def _number(self) -> tuple[int, int]:
        """Mantissa and exponent of ``n``, ``2^e`` or ``n*2^e``."""
        first = self._whole()
        if first == 2 and self._has("^"):
            return 1, self._exponent()
        if (self._next(), self._next(1), self._next(2)) == ("*", "2", "^"):
            self.at += 3
            return first, self._exponent()
        return first, 0

    def _exponent(self) -> int:
        return self._sign() * self._whole()

    # --- brackets ----------------------------------------------------------------------------------------------------

    def _bracket(self, draft: _Draft) -> None:
        """``(-3*2^2)``, or a factor with a constant: ``(w + 3)``, ``(3 - w)``."""
        self._take("(")
        sign = self._sign()
        if not (self._next() or "").isdigit():
            draft.scale(sign)
            draft.factors.append(self._with_constant(sign))
        else:
            mantissa, exponent = self._number()
            if self._has(")"):
                draft.scale(sign * mantissa, exponent)
                return
            own = self._operator()
            draft.scale(own)
            draft.factors.append(_factor(self._name(), own * sign * _constant(mantissa, exponent)))
        self._take(")")

    def _with_constant(self, sign: int) -> Factor:
        """``w``, ``w + 3``, and the same after a minus."""
        name = self._name()
        if self._next() == ")":
            if sign < 0 or name in WHEN:   # Lava takes it and overlooks the minus, or the name
                raise InputError(f"expected a constant beside {name} in brackets, found none")
            return _factor(name, 0)
        return _factor(name, sign * self._operator() * self._literal())

    def _signum(self) -> Factor:
        """``sgn(w)`` or ``sgn(w - 3)``."""
        self._take("sgn")
        self._take("(")
        if self._next() not in VARIABLES:
            raise self._fault("one of w, d and t")
        name = self._name()
        constant = 0 if self._next() == ")" else self._operator() * self._literal()
        self._take(")")
        return Factor(name, constant, True)

    def _operator(self) -> int:
        if self._next() not in ("+", "-"):
            raise self._fault("+, - or )")
        return self._sign()

    def _literal(self) -> int:
        if not (self._next() or "").isdigit():
            raise self._fault("a whole number")
        return _constant(*self._number())


def _constant(mantissa: int, exponent: int) -> int:
    if exponent < 0 or mantissa << exponent > _MOST_CONSTANT:
        raise InputError(f"expected a whole number of at most {_MOST_CONSTANT} beside a name, found "
                         f"{mantissa}*2^{exponent}")
    return mantissa << exponent


def _factor(name: str, constant: int) -> Factor:
    if name in EPOCHS:
        raise InputError(f"expected a trace, w, d or t beside a number, found {name}")
    return Factor(name, constant)
