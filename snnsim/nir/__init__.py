"""NIR, the Neuromorphic Intermediate Representation: graphs of other tools in, networks of ours out.

NIR says what a neuron is by a differential equation and leaves steps to the tool. A ``LIF`` obeys
``tau dv/dt = (v_leak - v) + r I``; a spike on an edge of weight w is ``I = w delta(t)``, an impulse of area 1 s.
Between impulses the equations are linear, so a step here solves them exactly, and the impulse is a jump:
``v += w r/tau`` (tau in s) for ``LIF``, ``v += w r`` for ``IF``, ``i += w w_in/tau_syn`` for ``CubaLIF``. This is the
reading ``impulse``, whose spikes depend on dt only through the grid on which threshold crossings
(``v >= v_threshold``; NIR's text has ``>``) are noticed.

Most tools mean something else by the files they write: a spike is the number 1 for one step of theirs. The reading
``pulse`` takes it so, ``I = w`` for one step, and solves the equations exactly: ``v += w r (1 - exp(-dt/tau))``. The
reading ``euler`` takes one Euler step of dt instead, ``v += dt/tau (v_leak - v + r w)``, which is what Norse, Lava,
snnTorch and others do (a new synaptic current moves the membrane in its own step); it needs the dt the tool had,
0.1 ms where it did not say. A graph of ``IF`` alone with r = 1 (Sinabs) is meant as ``impulse``.

A spike passes edges, linear nodes and Outputs within its step, as in those tools; the edge that closes a cycle of
neurons takes one step, and a ``Delay`` its time. All that lies between two neurons becomes one list of synapses. A bias
is a constant ``I``. All states begin at 0. Old files say no v_reset: it is 0 then; ``reset="subtract"`` is for networks
that were trained so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snnsim.errors import InputError

if TYPE_CHECKING:
    from snnsim.network import Network


def read(
    path: str | Path, dt: Any = None, reading: str | None = None, reset: str | None = None, precision: str = "double",
    arrays: str | Path | None = None,
) -> Network:
    """The network that a NIR file describes.

    Inputs become populations of ``relay`` (send them spikes: ``net.input("data", "spike_times", to="input", ...)``),
    neurons become populations of models that the network holds, Outputs what is recorded.

    dt: a time; what a file of ours says, else 0.1 ms. reading: ``impulse``, ``pulse`` or ``euler``; what a file of ours
        says, else ``impulse``. reset: ``set`` (to v_reset) or ``subtract`` (the threshold); likewise, else ``set``.
    arrays: an npz file to write the arrays to, which the network then names, so that its YAML (which every recording
        holds) stays short. Without it, few numbers are part of the network, and many go to a temporary file that is
        there as long as the network is. Notes such as this or renamed nodes are in ``net.notes``.

    Raises ``InputError`` for a file that is not sound, and naming every node that cannot be simulated here.
    """
    from snnsim.nir.arrays import arrays_for
    from snnsim.nir.build import Build
    from snnsim.nir.flow import make_flow
    from snnsim.nir.hdf5 import read_graph
    from snnsim.nir.models import READINGS, RESETS, check_choice

    with _of(path):
        graph = read_graph(path)
    said = graph.notes
    dt = said.get("snnsim_dt_ms", "0.1 ms") if dt is None else dt
    reading, reset = reading or said.get("snnsim_reading", "impulse"), reset or said.get("snnsim_reset", "set")
    check_choice("reading", reading, READINGS)
    check_choice("reset", reset, RESETS)
    with _of(path):
        flow = make_flow(graph)
        place = arrays_for(flow, None if arrays is None else Path(arrays))
        try:
            return place.bound_to(Build(flow, dt, reading, reset, precision, place).network())
        except InputError:
            place.discard()
            raise


def write(net: Network, path: str | Path, overwrite: bool = False) -> list[str]:
    """Write a network as a NIR file, and return what other tools will not see of it.

    Neurons of a network that was read from NIR are written as they were. ``lif_psc_delta`` becomes ``LIF`` and
    ``lif_psc_exp`` ``CubaLIF``, voltages as mV above rest and currents as pA; ``relay``, ``poisson`` and
    ``spike_times`` become Inputs. Raises ``InputError`` naming what NIR cannot say (refractory times, other models,
    currents), ``UnavailableError`` where the library ``nir`` is not installed (``pip install "snnsim[nir]"``).
    """
    from snnsim.nir.writing import write_network

    return write_network(net, Path(path), overwrite)


def contents(path: str | Path) -> dict[str, Any]:
    """What is in a NIR file: every node with its type, shape and parameters, and whether it can be simulated here."""
    from snnsim.nir.listing import file_contents

    with _of(path):
        return file_contents(Path(path))


@contextmanager
def _of(path: str | Path) -> Iterator[None]:
    """Faults are those of this file."""
    try:
        yield
    except InputError as error:
        raise InputError([replace(p, file=p.file or str(path)) for p in error.problems]) from error.__cause__
