"""What a user may choose about quantisation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from snnsim.checked import found
from snnsim.errors import InputError, Problem, Problems, unknown

_WORDS = {"semantics": ("lava010", "loihi1"), "refractory": ("refuse", "drop"), "long_delays": ("refuse", "cut"),
          "preserve": ("mean", "jump")}


@dataclass(frozen=True)
class Options:
    """target: a chip (``snnsim.deploy.target``). semantics: whose whole numbers, ``lava010`` or ``loihi1``.

    refractory: ``refuse`` a refractory time that the chip's neuron does not have, or ``drop`` it. long_delays:
    ``refuse`` those that the chip does not have, or ``cut`` them to its longest. preserve: when a decay must be
    rounded, weights and bias are adjusted to keep the ``mean`` potential of a steady input, or nothing is, which keeps
    the ``jump`` of a single spike. headroom: how many times the distance from reset to threshold the potential may move
    to either side. split_signs: weights of both signs, where sources have both, become two projections, which doubles
    their resolution and the axons. least_exponent: of weights; below 0 the chips differ in what they round. measure:
    for how long to run the float network first, to see what potentials and currents do; None: not at all. arrays: an
    npz file for the synapses that must be listed; None: in the network, or in a temporary file where they are many.
    """

    target: str | Path = "loihi2"
    semantics: str = "lava010"
    refractory: str = "refuse"
    long_delays: str = "refuse"
    preserve: str = "mean"
    headroom: float = 2.0
    split_signs: bool = False
    least_exponent: int = 0
    measure: Any = None
    arrays: str | Path | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        for key, words in _WORDS.items():
            if (word := getattr(self, key)) not in words:
                problems.add(key, unknown("choice", str(word), words))
        number = isinstance(self.headroom, (int, float)) and not isinstance(self.headroom, bool)
        if not number or not 1 <= self.headroom <= 1e6:
            problems.add("headroom", f"expected a number from 1 to 1000000, found {found(self.headroom)}")
        if not isinstance(self.split_signs, bool):
            problems.add("split_signs", f"expected true or false, found {found(self.split_signs)}")
        if type(self.least_exponent) is not int or not -8 <= self.least_exponent <= 0:
            problems.add("least_exponent", f"expected a whole number from -8 to 0, found {found(self.least_exponent)}")
        problems.check()


def read_options(given: dict[str, Any]) -> Options:
    """The options of a call; ``InputError`` with every fault."""
    known = [field.name for field in fields(Options)]
    wrong = [Problem("", unknown("option", key, known)) for key in given if key not in known]
    if wrong:
        raise InputError(wrong)
    return Options(**given)
