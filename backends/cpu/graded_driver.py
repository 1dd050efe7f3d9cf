"""The lines of the step loop that payloads add: they stand in lists beside those of the spikes."""

from __future__ import annotations

from typing import Any

IMPORTS = """from snnsim.backends.cpu.graded_kernels import take_payloads
"""


def collected(out: Any, spikes: list[str], payloads: str, first: str) -> list[str]:
    """The lines that append spikes, with a line for what they carry; payloads: of the units, empty where it is 1."""
    own = f"{out.use('payloads')}[me]"
    taken = f"take_payloads({payloads}, {first}, mine, {own}, fresh, at)" if payloads else f"{own}[fresh:at] = 1"
    return ["fresh = at", *spikes, taken]
