"""Learning synapses of Loihi: every backend that has them gives the bits of ``reference``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from lava_learning import CASES, network_of_chips


@pytest.mark.parametrize("case", range(len(CASES)))
def test_rules(agree: Callable[..., Counter[str]], case: int) -> None:
    """In networks that spike: epochs of one and of three steps, all pairs and some, counted spikes, several per pair."""
    assert agree(lambda: network_of_chips(*CASES[case]), "100 ms", key=("learning", case)).total() > 30
