"""The update rule of a population as a flat list of typed operations: the one language that every backend prints.

``ops`` is the vocabulary and the checker, ``interpret`` the slow meaning, ``exact`` what exp, log and friends are made
of, ``simplify`` folds what is known before a run, ``printing`` is the walk that all emitters share.
"""

from snnsim.ir.ops import RANDOM, Builder, Instr, Op, Program, Type, check

__all__ = ["RANDOM", "Builder", "Instr", "Op", "Program", "Type", "check"]
