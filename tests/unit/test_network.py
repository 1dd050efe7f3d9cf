"""Networks built in Python: what their parts hold, and that they are the same as those read from files."""

from __future__ import annotations

import numpy as np
import pytest

import snnsim as sn
from snnsim.distributions import Constant, Normal
from snnsim.errors import InputError
from snnsim.graph import Current, Noise, Poisson, SpikeTimes
from snnsim.units import CURRENT, TIME


def small() -> sn.Network:
    """One of each part."""
    net = sn.Network(dt="0.1 ms", seed=42, name="small", duration="1 s")
    exc = net.population("exc", 80, "lif_psc_exp", tau_m="20 ms", init={"v": {"uniform": ["-70 mV", "-60 mV"]}})
    inh = net.population("inh", np.int64(20), "lif_cond_exp", positions={"grid": [5, 4], "spacing": "10 um"})
    source = net.population("source", 3, "spike_times", times={0: ["1 ms"], 2: ["0.5 ms", "0.5 ms"]})
    net.project(exc, exc, sn.fixed_indegree(10), weight={"normal": {"mean": "5 pA", "sd": "1 pA"}}, delay="1 ms")
    net.project([exc, source], inh, sn.pairwise(0.1), weight="2 nS", name="to_inh")
    net.project(inh, inh, sn.distance({"gaussian": {"sigma": "20 um"}}), weight="-1 nS", delay="0.26 ms")
    net.project(source, exc, sn.explicit([0, 1], [5, 6], weight=["1 pA", "-2 pA"]))
    net.input("noise", type="poisson", rate="8 kHz", to=exc, weight="10 pA")
    net.input("probe", type="spike_times", ids=[3, 1], times=["2 ms", "1 ms"], to=exc, weight="10 pA", port="inh")
    net.input("step", type="current", to=exc, times=["0 ms", "5 ms"], values=["0 pA", {"uniform": ["1 pA", "2 pA"]}])
    net.input("bias", type="current", to=exc, amplitude="9 pA")
    net.input("hiss", type="noise", to=[exc, inh], sd="5 pA")
    net.record(spikes=[exc])
    net.record(spikes={inh: "0:20:2"}, traces={exc: {"variables": ["v", "i_exc"], "units": [7, 3], "every": "1 ms"}})
    net.record(traces={"exc": {"variables": "v"}})
    return net


def test_canonical_yaml_gives_the_same_network() -> None:
    """What ``to_yaml`` writes is read as an equal network, and written alike."""
    net = small()
    again = sn.loads(net.to_yaml())
    assert again == net
    assert again.to_yaml() == net.to_yaml()
    assert [p.label for p in again.projections] == [p.label for p in net.projections]


def test_populations_hold_parsed_values() -> None:
    """Parameters are values in the coherent system; the schedule of given spikes is sorted by step."""
    net = small()
    assert net.populations["exc"].params == {"tau_m": Constant(TIME, 20.0)}
    assert net.populations["inh"].n == 20
    placed = net.populations["inh"].placed
    assert placed is not None
    assert placed.points[6].tolist() == [10.0, 10.0]
    train = net.populations["source"].schedule
    assert train is not None
    assert train.ids.tolist() == [2, 2, 0]
    assert train.steps.tolist() == [5, 5, 10]


def test_projections_are_pairs_with_unique_labels() -> None:
    """An entry with several populations gives one projection for each pair."""
    net = small()
    assert [p.label for p in net.projections] == [
        "exc->exc", "to_inh/exc->inh", "to_inh/source->inh", "inh->inh", "source->exc"]
    assert [p.entry for p in net.projections] == [0, 1, 1, 2, 3]
    again = net.project("exc", "exc", sn.one_to_one(), weight="1 pA")
    assert again[0].label == "exc->exc#2"


def test_the_sign_of_the_weight_chooses_the_port() -> None:
    """Weights >= 0 go to exc, others to inh, and both where a distribution has both signs; a name settles it."""
    net = sn.Network()
    cells = net.population("cells", 10, "lif_psc_exp")

    def ports(weight: object, port: str | None = None) -> tuple[str, str]:
        return net.project(cells, cells, sn.one_to_one(), weight=weight, port=port)[0].ports

    assert ports("1 pA") == ("exc", "exc")
    assert ports("-1 pA") == ("inh", "inh")
    assert ports({"uniform": ["-1 pA", "1 pA"]}) == ("exc", "inh")
    assert ports("-1 pA", "exc") == ("exc", "exc")


def test_weight_and_delay_may_be_left_out() -> None:
    """The delay is a step unless given; the weight 1 where the port takes a number."""
    net = sn.Network(dt="0.5 ms")
    source = net.population("source", 10, "poisson", rate="5 Hz")
    relay = net.population("relay", 10, "relay")
    projection = net.project(source, relay, sn.one_to_one())[0]
    assert projection.weight.constant == 1.0
    assert projection.delay == Constant(TIME, 0.5)


def test_inputs_hold_parsed_values() -> None:
    """Each kind of input is a class of its own."""
    net = small()
    noise, probe, step, hiss = (net.inputs[name] for name in ("noise", "probe", "step", "hiss"))
    assert isinstance(noise, Poisson)
    assert noise.rate.constant == 8.0
    assert (noise.links[0].target.name, noise.links[0].ports, noise.links[0].weight) == ("exc", ("exc", "exc"), 10.0)
    assert isinstance(probe, SpikeTimes)
    assert probe.train.ids.tolist() == [1, 3]
    assert probe.links[0].ports == ("inh", "inh")
    assert isinstance(step, Current)
    assert step.times.tolist() == [0.0, 5.0]
    assert [value.low for value in step.values] == [0.0, 1.0]
    assert isinstance(hiss, Noise)
    assert hiss.mean == Constant(CURRENT, 0.0)
    assert [i.label for i in hiss.injections] == ["hiss->exc", "hiss->inh"]


def test_recordings_add_up() -> None:
    """Calls of ``record`` extend what is recorded; ids are sorted, intervals are in steps."""
    recording = small().recording
    assert recording.spikes["exc"] is None
    assert recording.spikes["inh"] is not None
    assert recording.spikes["inh"].tolist() == list(range(0, 20, 2))
    assert [(t.variable, t.every) for t in recording.traces] == [("v", 10), ("i_exc", 10), ("v", 1)]
    assert recording.traces[0].units is not None
    assert recording.traces[0].units.tolist() == [3, 7]
    assert recording.traces[2].units is None


def test_what_is_rounded_is_noted() -> None:
    """Times between the steps are rounded to the nearest step, at least one, and said."""
    net = sn.Network(dt="0.1 ms", duration="10.04 ms")
    cells = net.population("cells", 10, "lif_psc_exp")
    net.project(cells, cells, sn.one_to_one(), weight="1 pA", delay="0.03 ms")
    net.record(traces={cells: {"variables": "v", "every": "0.26 ms"}})
    assert net.steps == 100
    assert net.notes == [
        "duration: 10.04 ms is rounded to 100 steps, 10 ms",
        "projections.0.delay: 0.03 ms is rounded to 1 step, 0.1 ms",
        "record.traces.cells.every: 0.26 ms is rounded to 3 steps, 0.3 ms",
    ]


def test_drawn_delays_below_a_step_are_noted() -> None:
    """Delays that are drawn below one step become one step, and that is said once for an entry."""
    net = sn.Network(dt="0.1 ms")
    cells, more = (net.population(name, 10, "lif_psc_exp") for name in ("cells", "more"))
    net.project(cells, [cells, more], sn.one_to_one(), weight="1 pA", delay={"uniform": ["0.01 ms", "1 ms"]})
    net.project(cells, cells, sn.one_to_one(), weight="1 pA", delay={"uniform": ["0.1 ms", "1 ms"]})
    assert net.notes == ["projections.0.delay: delays below 0.1 ms are rounded to 1 step"]


def test_steps_are_a_unit_of_time() -> None:
    """``3 step`` is three times dt."""
    net = sn.Network(dt="0.5 ms")
    cells = net.population("cells", 10, "lif_psc_exp")
    assert net.project(cells, cells, sn.one_to_one(), weight="1 pA", delay="3 step")[0].delay.constant == 1.5


def test_a_fault_leaves_the_network_as_it_was() -> None:
    """What was wrong can be said again, rightly."""
    net = sn.Network()
    with pytest.raises(InputError):
        net.population("cells", 10, "lif_psc_exp", tau="20 ms")
    cells = net.population("cells", 10, "lif_psc_exp", tau_m="20 ms")
    with pytest.raises(InputError):
        net.project(cells, cells, sn.one_to_one(), weight="1 mV")
    with pytest.raises(InputError):
        net.record(spikes=["cels"])
    assert (list(net.populations), net.projections, net.recording.spikes) == (["cells"], [], {})


def test_a_model_of_ones_own() -> None:
    """A document gives a model that populations can name."""
    net = sn.Network()
    net.model("leak", {"parameters": {"tau": "10 ms"}, "dynamics": "dv/dt = -v/tau : mV", "receive": {"in": "v += w"}})
    net.population("cells", 5, "leak", tau={"normal": {"mean": "10 ms", "sd": "1 ms", "low": "1 ms"}})
    assert isinstance(net.populations["cells"].params["tau"], Normal)
    assert sn.loads(net.to_yaml()) == net


def test_an_expression_may_read_parameters() -> None:
    """Initial states by index, size and parameters."""
    net = sn.Network()
    cells = net.population("cells", 4, "lif_psc_exp", init={"v": {"expression": "v_rest + (v_th - v_rest)*i/n"}})
    drawn = cells.init["v"].draw(None, (0, 4))  # type: ignore[arg-type]
    assert drawn.tolist() == [-70.0, -66.25, -62.5, -58.75]


def test_equal_networks_are_equal() -> None:
    """Equality is that of the canonical form."""
    other = small()
    assert small() == other
    other.record(spikes={"exc": "0:2"})
    assert small() != other


def test_numbers_of_numpy_are_numbers() -> None:
    """Counts, seeds and arrays may come from NumPy."""
    net = sn.Network(seed=np.uint32(3))
    cells = net.population("cells", np.int32(3), "izhikevich_2003", init={"v": [f"{v} mV" for v in np.arange(3)]})
    assert (net.seed, cells.n, cells.init["v"].size) == (3, 3, 3)


@pytest.mark.parametrize("model", ["poisson", "hawkes"])
def test_populations_of_one_model_draw_their_own_random_numbers(model: str) -> None:
    """Equal populations of one network do not spike alike."""
    net = sn.Network(dt="1 ms", seed=3)
    for name in ("a", "b"):
        net.population(name, 50, model, **({"rate": "100 Hz"} if model == "poisson" else {"mu": "100 Hz"}))
    net.record(spikes=["a", "b"])
    result = sn.run(net, "100 ms", backend="reference")
    a, b = (set(zip(*map(np.ndarray.tolist, result.steps_of(name)), strict=True)) for name in ("a", "b"))
    assert min(len(a), len(b)) > 200
    assert len(a & b) < 0.3 * len(a)
