"""What the backends of a chip make of any network that they are given."""

from __future__ import annotations

from snnsim.deploy.from_plan import SOURCES
from snnsim.network import Network


def is_whole(net: Network) -> bool:
    """Whether all neurons compute in whole numbers; what the host plays does not matter."""
    return all(p.model.whole or p.model.name in SOURCES for p in net.populations.values())


def in_whole_numbers(net: Network) -> Network:
    """`net` where all its neurons compute in whole numbers; else what ``quantize`` makes of it, with a note.

    Raises ``InputError`` with everything that no chip can do.
    """
    if is_whole(net):
        return net
    from snnsim.deploy.quantise import quantize

    made = quantize(net).network
    traces = ", and traces are recorded in its whole numbers" if net.recording.traces else ""
    made.notes.append(f"real numbers were quantised for loihi2{traces}; `snnsim deploy` reports what that changed")
    return made
