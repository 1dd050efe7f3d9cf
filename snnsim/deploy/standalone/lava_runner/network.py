"""The processes of Lava for a graph, connected."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from .arrivals import Places
from .assembly import Assembly
from .graph import Graph
from .host import add_host, add_sink, add_traces
from .learning import add_learning
from .neurons import add_neurons
from .pools import Pools
from .synapses import add_synapses


class Network:
    """A graph as processes of Lava, and everything that is shared with them.

    models: process class -> the process model that it runs. host: one of the processes, which all others are connected
    to. feed, places: what it adds to ports. spikes, traces, learned: what the processes write; the latter by number.
    """

    def __init__(self, lava: SimpleNamespace, graph: Graph, folder: Path) -> None:
        assembly = Assembly(lava, graph, folder, Pools(graph))
        self.graph, self.pools, self.clock = graph, assembly.pools, assembly.clock
        add_neurons(assembly)
        self.host, self.feed = add_host(assembly)
        self.places = Places(graph, self.pools, dict(zip(assembly.inputs, self.feed.spans, strict=True)))
        self.learned = add_learning(assembly)
        add_synapses(assembly)
        self.spikes = add_sink(assembly)
        self.traces = add_traces(assembly)
        self.models = {**lava.models, **assembly.models}
