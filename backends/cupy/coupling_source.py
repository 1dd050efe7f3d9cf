"""The text of what continuous couplings do in a step."""

from __future__ import annotations

from snnsim.backends.cupy.layout import Layout
from snnsim.plan import Plan


class CouplingSource:
    """Writes ``couple`` and ``publish`` for a network."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout

    def sections(self) -> dict[str, int]:
        """Names and sizes of the parts of the table that the text reads."""
        return {}

    def text(self) -> str:
        """Device functions."""
        return """
static __device__ __forceinline__ void couple(const Frame& f) {}
static __device__ __forceinline__ void publish(const Frame& f) {}
"""
