"""The text of what plastic projections do in a step."""

from __future__ import annotations

from snnsim.backends.cupy.layout import Layout
from snnsim.plan import Plan


class PlasticSource:
    """Writes ``learn``, ``plastic_arrivals`` and ``keep_variables`` for a network."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout

    def sections(self) -> dict[str, int]:
        """Names and sizes of the parts of the table that the text reads."""
        return {}

    def text(self) -> str:
        """Device functions."""
        return """
static __device__ __forceinline__ void learn(const Frame& f, long long of_step) {}
static __device__ __forceinline__ void plastic_arrivals(const Frame& f) {}
static __device__ __forceinline__ void keep_variables(const Frame& f) {}
"""
