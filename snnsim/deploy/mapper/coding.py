"""How many bits synapses take on a core.

A core keeps one list for each source unit and connection that sends to it. A list is stored in blocks of some synapses,
each with a header, rounded up to whole words. A synapse takes its weight, its delay and its tag; in a sparse list also
the index of its neuron, while a dense list has a synapse for each neuron of the group on the core.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnsim.deploy.graph import Connection
from snnsim.deploy.target import Coding, Target


@dataclass(frozen=True)
class Format:
    """The fields of a synapse in bits, and what its connection shares; equal ones share a format on a core."""

    weight_bits: int
    delay_bits: int
    tag_bits: int
    weight_exp: int
    sign_mode: str
    message_bits: int

    @property
    def bits(self) -> int:
        """Of one synapse without an index."""
        return self.weight_bits + self.delay_bits + self.tag_bits


def format_of(connection: Connection, target: Target) -> Format:
    """The format of a connection's synapses; weights of more bits than there are take the most there are."""
    widths, learning = target.synapses.weight_bits.value, connection.learning
    weight = max(widths) if learning else next((w for w in widths if w >= connection.num_weight_bits), max(widths))
    beyond = target.delay.value if learning and learning.dd else int(connection.delay.max(initial=1)) - 1
    tagged = learning is not None and _names("t", learning.dw, learning.dd, learning.dt)
    return Format(weight, beyond.bit_length(), target.synapses.tag_bits.value if tagged else 0,
                  connection.weight_exp, connection.sign_mode, connection.num_message_bits)


def _names(variable: str, *rules: str) -> bool:
    return bool(rules[-1]) or any(re.search(rf"\b{variable}\b", rule) for rule in rules)


def list_bits(synapses: np.ndarray, bits: np.ndarray, target: Target) -> np.ndarray:
    """Of lists of so many synapses of so many bits, index and all."""
    coding = target.synapses
    blocks, rest = np.divmod(synapses, coding.block.value)
    return blocks * _block_bits(coding.block.value, bits, coding) + _block_bits(rest, bits, coding) * (rest > 0)


def _block_bits(synapses: Any, bits: np.ndarray, coding: Coding) -> Any:
    return -(-(synapses * bits + coding.header_bits.value) // coding.word_bits.value) * coding.word_bits.value
