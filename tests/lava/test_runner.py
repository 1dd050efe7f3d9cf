"""The runner: networks run in Lava itself, compared number by number with Lava's rules written once more in lava_rules.

Needs an interpreter that the backend lava would use; see snnsim.backends.lava.environment.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from lava_rules import STATES, emulate

from snnsim.backends.lava.environment import fault, interpreter
from snnsim.deploy.arrivalsfile import save_arrivals
from snnsim.deploy.graph import Arrivals, Connection, Graph, Group, Learning, Trace
from snnsim.deploy.graphfile import save_graph
from snnsim.deploy.standalone import RUNNER, copy_runner

MISSING = fault()
PYTHON = "" if MISSING else interpreter().python
STEPS = 1000

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

LIF = {"du": 1000, "dv": 400, "vth": 1000, "bias_mant": 0, "bias_exp": 0}
DELTA = {"vth": 3, "spike_exp": 1, "state_exp": 2, "cum_error": 0}


class Lava:
    """A runner that serves a folder."""

    def __init__(self, folder, graph):
        self.folder = folder
        if isinstance(graph, Graph):
            save_graph(graph, folder / "graph.h5")
        else:
            (folder / "graph.h5").write_bytes(graph)
        self.process = subprocess.Popen([PYTHON, RUNNER, "serve", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=(folder / "err.txt").open("w"), text=True, start_new_session=True)
        self.ready = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self, steps, arrivals=None):
        """Spikes [spikes, 3], and the content of the file: {place: array}."""
        if arrivals is not None:
            save_arrivals(arrivals, self.folder / "in.h5")
        answer = self.ask(run=steps, arrivals=None if arrivals is None else "in.h5", out="out.h5")
        assert list(answer) == ["done"], answer
        found = content(self.folder / "out.h5")
        return np.stack([found.pop(f"spikes/{name}") for name in ("step", "unit", "payload")], axis=1), found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing of a runner may be left, whatever happened to it."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        left = not gone(self.process.pid)
        if left:
            os.killpg(self.process.pid, signal.SIGKILL)
        assert not left


def gone(session, seconds=5):
    """Whether no process of `session` is left after at most so long."""
    end = time.monotonic() + seconds
    while members(session):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def members(session):
    """Processes of a session that are not mere entries in the table of processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def content(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, at: found.update({name: at[()]} if isinstance(at, h5py.Dataset) else {}))
    return found


def random_synapses(rng, source, target, chance, low, high, delays=(1,), **settings):
    """A connection between groups (number, size), port `in` unless said."""
    post, pre = np.nonzero(rng.random((target[1], source[1])) < chance)
    settings = {"port": "in", "label": f"{source[0]}>{target[0]}", **settings}
    label, port = settings.pop("label"), settings.pop("port")
    return Connection(label, source[0], target[0], port, pre, post, rng.integers(low, high, pre.size),
                      rng.choice(delays, pre.size), **settings)


def random_arrivals(rng, graph, steps, chance, low, high):
    """Amounts at all ports of all groups."""
    parts = []
    for k, group in enumerate(graph.groups):
        for port in range(max(1, len(group.ports))):
            step, unit = np.nonzero(rng.random((steps, group.n)) < chance)
            weight = np.ones(step.size, int) if group.model == "spike_times" else rng.integers(low, high, step.size)
            parts.append(np.stack([step + 1, np.full(step.size, k), np.full(step.size, port), unit, weight]))
    rows = np.concatenate(parts, axis=1)
    return Arrivals(*rows[:, np.argsort(rows[0], kind="stable")])


def make(groups, connections, **options):
    """A graph that records all spikes, and all states in each step."""
    traces = [Trace(k, name, np.arange(g.n), 1) for k, g in enumerate(groups) for name in STATES.get(g.model, "").split()]
    return Graph("test", 1.0, "lava010", tuple(groups), tuple(connections), tuple(traces),
                 dict.fromkeys(range(len(groups))), **options)


def lif(name, n, model="loihi_lif", initial=(), **params):
    return Group(name, n, model, {**LIF, **params}, dict(initial), ("in",))


def feed_forward(rng):
    groups = [Group("stimulus", 20, "spike_times", ports=("in",)), lif("hidden", 30, dv=rng.integers(0, 4096, 30)),
              lif("out", 10, vth=rng.integers(200, 2000, 10), bias_mant=rng.integers(-30, 60, 10), bias_exp=rng.integers(0, 8, 10))]
    wires = [random_synapses(rng, (0, 20), (1, 30), 0.3, 0, 256, sign_mode="excitatory"),
             random_synapses(rng, (1, 30), (2, 10), 0.4, -100, 256),
             random_synapses(rng, (1, 30), (2, 10), 0.1, -300, 1, sign_mode="inhibitory", num_weight_bits=6)]
    return groups, wires, (0.05, -20, 60)


def recurrent(rng):
    """Two groups onto themselves and each other, with strong weights: currents wrap around."""
    groups = [lif("a", 40, du=rng.integers(0, 4096, 40), initial={"u": rng.integers(-9000, 9000, 40), "v": -500}),
              lif("b", 25, vth=3000, dv=100)]
    wires = [random_synapses(rng, (0, 40), (0, 40), 0.2, -256, 256, weight_exp=3),
             random_synapses(rng, (0, 40), (1, 25), 0.2, -256, 256, weight_exp=7),
             random_synapses(rng, (1, 25), (0, 40), 0.3, -256, 256, weight_exp=7, num_weight_bits=4),
             random_synapses(rng, (1, 25), (0, 40), 0.3, -256, 256, weight_exp=7, num_weight_bits=4, label="again")]
    return groups, wires, (0.05, -200, 400)


def delays(rng):
    groups = [lif("a", 30, vth=200), lif("b", 20, vth=200)]
    wires = [random_synapses(rng, (0, 30), (0, 30), 0.2, -60, 60, delays=range(1, 12), weight_exp=1),
             random_synapses(rng, (0, 30), (1, 20), 0.3, -60, 200, delays=(5,)),
             random_synapses(rng, (1, 20), (0, 30), 0.3, -200, 60, delays=(1, 2, 63), weight_exp=-2),
             random_synapses(rng, (1, 20), (0, 30), 0.3, -200, 60, weight_exp=-3)]
    return groups, wires, (0.05, 0, 200)


def repeated(rng):
    """Several synapses between the same units, within a connection and in two that are one process of Lava."""
    wire = random_synapses(rng, (0, 10), (1, 8), 0.5, 0, 256, sign_mode="excitatory")
    twice = Connection("twice", 0, 1, "in", np.tile(wire.pre, 2), np.tile(wire.post, 2), np.tile(wire.weight, 2),
                       np.tile(wire.delay, 2), sign_mode="excitatory")
    return [lif("a", 10), lif("b", 8, vth=9000)], [wire, twice], (0.2, 0, 400)


def reset(rng):
    groups = [lif("a", 20, "loihi_lif_reset", vth=400, reset_interval=7, reset_offset=3),
              lif("b", 20, "loihi_lif_reset", vth=400, reset_interval=rng.integers(1, 3, 20) * 8, reset_offset=17)]
    wires = [random_synapses(rng, (0, 20), (1, 20), 0.3, -60, 90), random_synapses(rng, (1, 20), (0, 20), 0.3, -60, 90)]
    return groups, wires, (0.2, -50, 200)


def ternary(rng):
    params = {name: LIF[name] for name in ("du", "dv", "bias_mant", "bias_exp")}
    groups = [Group("a", 30, "loihi_ternary_lif", {**params, "vth_hi": 300, "vth_lo": rng.integers(-300, -100, 30)}, {}, ("in",)),
              lif("b", 20, vth=300)]
    wires = [random_synapses(rng, (0, 30), (0, 30), 0.3, -80, 80, num_message_bits=1),
             random_synapses(rng, (0, 30), (1, 20), 0.3, -80, 80, num_message_bits=1),
             random_synapses(rng, (0, 30), (1, 20), 0.3, -80, 80)]
    return groups, wires, (0.1, -150, 160)


def adaptive(rng):
    def group(name, **params):
        common = {"delta_i": 0.3, "delta_v": 0.4, "delta_theta": 0.2, "delta_r": 0.2, "theta_0": 50, "theta_step": 30,
                  "bias_mant": 0, "bias_exp": 0}
        return Group(name, 20, "loihi_atrlif", {**common, **params}, {}, ("in",))

    groups = [group("a"), group("b", delta_i=rng.random(20), delta_v=rng.random(20), theta_step=33.7, theta_0=rng.uniform(20, 90, 20), bias_mant=6, bias_exp=3),
              group("c", delta_i=0, delta_v=0.0, delta_r=1, delta_theta=1)]
    wires = [random_synapses(rng, (k, 20), (j, 20), 0.2, -20, 40) for k in range(3) for j in range(3)]
    return groups, wires, (0.2, -30, 90)


def sigma_delta(rng):
    common = {**DELTA, "bias": 0, "relu": 1}
    groups = [Group("code", 10, "loihi_delta", {**DELTA, "vth": rng.integers(0, 9, 10)}, {}, ("in",)),
              Group("a", 20, "loihi_sigma_delta", {**common, "bias": rng.integers(-9, 9, 20)}, {}, ("in",)),
              Group("b", 15, "loihi_sigma_delta", {**common, "cum_error": 1, "relu": 0, "spike_exp": 0}, {"sigma": 7}, ("in",)),
              Group("c", 15, "loihi_delta", {**DELTA, "cum_error": 1}, {}, ("in",)),
              Group("end", 10, "loihi_sigma", {}, {}, ("in",))]
    graded = {"num_message_bits": 16}
    wires = [random_synapses(rng, (0, 10), (1, 20), 0.4, -20, 20, **graded),
             random_synapses(rng, (1, 20), (2, 15), 0.4, -20, 20, **graded),
             random_synapses(rng, (1, 20), (3, 15), 0.4, -20, 20, weight_exp=-4, **graded),
             random_synapses(rng, (2, 15), (4, 10), 0.4, -20, 20, delays=(1, 3), **graded)]
    return groups, wires, (0.02, -40, 40)


def resonators(rng):
    common = {"period": 10.0, "alpha": 0.07, "state_exp": 6, "decay_bits": 12, "vth": 10}
    groups = [Group("a", 20, "loihi_rf", {**common, "period": rng.uniform(3, 40, 20)}, {"imag": -50}, ("real", "imag")),
              Group("b", 20, "loihi_rf_iz", {**common, "vth": rng.integers(5, 30, 20)}, {}, ("real", "imag")),
              Group("c", 5, "loihi_rf", {**common, "state_exp": 0, "decay_bits": 7, "vth": 300}, {}, ("real", "imag"))]
    wires = [random_synapses(rng, (0, 20), (1, 20), 0.2, -20, 30, port="real"),
             random_synapses(rng, (1, 20), (0, 20), 0.2, -20, 30, port="imag"),
             random_synapses(rng, (1, 20), (2, 5), 0.2, -20, 30, port="imag")]
    return groups, wires, (0.1, -200, 300)


def graded(rng):
    """Vectors of numbers; their products leave 32 bits."""
    groups = [Group("a", 20, "loihi_graded", {"vth": rng.integers(0, 50, 20)}, {}, ("in",)),
              Group("b", 20, "loihi_graded_relu", {"vth": 5}, {}, ("in",)),
              Group("c", 20, "loihi_product", {"vth": 3, "shift": rng.integers(0, 9, 20)}, {}, ("in1", "in2")),
              lif("d", 10)]
    bits = {"num_message_bits": 24}
    wires = [random_synapses(rng, (0, 20), (1, 20), 0.3, -30, 60, **bits),
             random_synapses(rng, (0, 20), (2, 20), 0.3, -200, 200, port="in1", weight_exp=2, **bits),
             random_synapses(rng, (1, 20), (2, 20), 0.3, -200, 200, port="in2", weight_exp=5, delays=(1, 4), **bits),
             random_synapses(rng, (2, 20), (3, 10), 0.3, -200, 200)]
    return groups, wires, (0.3, -900, 900)


def learning(rng):
    rule = Learning("2^-2 * y0 * x1 - 2^-2 * x0 * y1", impulses={"x1": 16, "y1": 10.5}, taus={"x1": 10, "y1": 5}, rng_seed=4)
    other = Learning("2^-4 * y0 * x1 * y2 - 2^-3 * x0 * y1", impulses={"x1": 20.25, "y1": 30, "y2": 60},
                     taus={"x1": 20, "y1": 7, "y2": 30}, rng_seed=9)
    groups = [Group("stimulus", 12, "spike_times", ports=("in",)), lif("a", 15), lif("b", 10, vth=9000), lif("c", 10, vth=2000)]
    wires = [random_synapses(rng, (0, 12), (1, 15), 0.6, 0, 120, learning=rule),
             random_synapses(rng, (1, 15), (2, 10), 1.0, -50, 120, learning=other, weight_exp=1, num_weight_bits=7),
             random_synapses(rng, (2, 10), (3, 10), 0.5, -50, 120)]
    return groups, wires, (0.06, 0, 60)


CASES = [feed_forward, recurrent, delays, repeated, reset, ternary, adaptive, sigma_delta, resonators, graded, learning]


@pytest.mark.long   # test_compare.py runs networks of each kind through Lava, beside the emulator
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_network_in_lava_gives_the_numbers_of_the_rules(case, tmp_path):
    rng = np.random.default_rng(12)
    groups, wires, amounts = case(rng)
    graph = make(groups, wires)
    arrivals = random_arrivals(rng, graph, STEPS, *amounts)
    spikes, states, synapses = emulate(graph, STEPS, arrivals)
    assert (np.bincount(np.digitize(spikes[:, 1], graph.first)) > 20)[1:].all()
    with Lava(tmp_path, graph) as lava:
        found, content = lava.run(STEPS, arrivals)
    for k, trace in enumerate(graph.traces):
        name = groups[trace.group].name
        np.testing.assert_array_equal(content[f"traces/{k}"], states[name][trace.variable], f"{trace.variable} of {name}")
        np.testing.assert_array_equal(content[f"states/{name}/{trace.variable}"], states[name][trace.variable][-1])
    np.testing.assert_array_equal(found, spikes)
    for k, wire in enumerate(wires):
        if wire.learning:
            np.testing.assert_array_equal(content[f"weights/{k}/weight"], synapses[k].weight)
            assert (content[f"weights/{k}/weight"] != wire.weight).any()


def test_several_runs_are_one_long_run(tmp_path):
    rng = np.random.default_rng(3)
    groups, wires, amounts = delays(rng)
    graph = make([*groups, lif("c", 7, "loihi_lif_reset", reset_interval=9, reset_offset=0)], wires)
    arrivals = random_arrivals(rng, graph, 400, *amounts)
    spikes, states, _ = emulate(graph, 400, arrivals)
    done, found, traces = 0, [], []
    with Lava(tmp_path, graph) as lava:
        for steps in (1, 63, 200, 136):
            here = (arrivals.step > done) & (arrivals.step <= done + steps)
            part = Arrivals(*(column[here] for column in (arrivals.step, arrivals.group, arrivals.port, arrivals.unit, arrivals.weight)))
            rows, content = lava.run(steps, part)
            found.append(rows)
            traces.append(content["traces/1"])
            done += steps
        assert lava.ask(stop=True) == {"stopped": True}
        assert lava.process.wait(10) == 0
    np.testing.assert_array_equal(np.concatenate(found), spikes)
    np.testing.assert_array_equal(np.concatenate(traces), states["a"]["v"])
    np.testing.assert_array_equal(content["states/c/phase"], np.full(7, 400 % 9))


def test_a_run_without_arrivals_follows_one_with(tmp_path):
    graph = make([lif("a", 3)], [])
    with Lava(tmp_path, graph) as lava:
        spikes, _ = lava.run(2, Arrivals(*np.array([[1], [0], [0], [2], [5000]])))
        assert spikes.tolist() == [[1, 2, 1], [2, 2, 1]]
        lava.run(20)
        spikes, content = lava.run(1)
    assert spikes.size == 0
    assert content["states/a/u"].tolist() == emulate(graph, 23, Arrivals(*np.array([[1], [0], [0], [2], [5000]])))[1]["a"]["u"][-1].tolist()


def test_only_what_is_asked_for_is_recorded(tmp_path):
    rng = np.random.default_rng(5)
    groups, wires, amounts = feed_forward(rng)
    graph = Graph("test", 1.0, "lava010", tuple(groups), tuple(wires), (Trace(1, "u", np.array([4, 1]), 7),),
                  {0: np.array([3]), 2: np.arange(5, 10)})
    arrivals = random_arrivals(rng, graph, 100, *amounts)
    spikes, states, _ = emulate(graph, 100, arrivals)
    with Lava(tmp_path, graph) as lava:
        found, content = lava.run(100, arrivals)
    np.testing.assert_array_equal(found, spikes[np.isin(spikes[:, 1], [3, *range(55, 60)])])
    np.testing.assert_array_equal(content["traces/0"], states["hidden"]["u"][6::7, [4, 1]])


def test_a_source_sends_as_many_spikes_as_arrive(tmp_path):
    groups = [Group("a", 2, "relay", ports=("in",)), Group("b", 1, "poisson"), lif("c", 1)]
    wires = [Connection("once", 0, 2, "in", [0], [0], [100], [1]),
             Connection("each", 0, 2, "in", [1], [0], [10], [1], num_message_bits=8)]
    arrivals = Arrivals(*np.array([
        [1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 1], [0] * 6, [0, 0, 1, 1, 1, 0], [5, -2, 2, 1, -2, 1]]))
    with Lava(tmp_path, make(groups, wires)) as lava:
        spikes, content = lava.run(2, arrivals)
    assert spikes.tolist() == [[1, 0, 3], [1, 1, 2], [2, 2, 1]]
    assert content["traces/0"].ravel().tolist() == [0, (100 + 2 * 10) << 6]


def test_fifty_layers_are_a_handful_of_processes(tmp_path):
    rng = np.random.default_rng(1)
    groups = [lif(f"layer {k}", 20, vth=100, dv=rng.integers(0, 900, 20)) for k in range(50)]
    wires = [random_synapses(rng, (k, 20), (k + 1, 20), 0.5, -50, 90) for k in range(49)]
    graph = make(groups, wires)
    arrivals = random_arrivals(rng, graph, 200, 0.05, 0, 200)
    with Lava(tmp_path, graph) as lava:
        found, _ = lava.run(200, arrivals)
        assert lava.ready["processes"] == 5
    np.testing.assert_array_equal(found, emulate(graph, 200, arrivals)[0])


def test_the_script_runs_by_itself_in_a_folder(tmp_path):
    rng = np.random.default_rng(2)
    groups, wires, amounts = feed_forward(rng)
    graph = make(groups, wires)
    arrivals = random_arrivals(rng, graph, 100, *amounts)
    save_graph(graph, tmp_path / "graph.h5")
    save_arrivals(arrivals, tmp_path / "arrivals.h5")
    copy_runner(tmp_path)
    for steps in (60, 130):
        subprocess.run([PYTHON, tmp_path / "run.py", "--steps", str(steps), "-o", tmp_path / "out.h5"], check=True)
        found = content(tmp_path / "out.h5")
        spikes = np.stack([found[f"spikes/{name}"] for name in ("step", "unit", "payload")], axis=1)
        np.testing.assert_array_equal(spikes, emulate(graph, steps, arrivals)[0])


def test_the_script_says_what_is_wrong(tmp_path):
    (tmp_path / "graph.h5").write_bytes(b"no")
    result = subprocess.run([PYTHON, RUNNER, "--graph", tmp_path / "graph.h5", "--steps", "9", "-o", tmp_path / "out.h5"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {tmp_path}/graph.h5: Unable to")


def wire(**changes):
    values = {"label": "a>b", "source": 0, "target": 1, "port": "in", "pre": [0, 1], "post": [0, 0], "weight": [1, 2],
              "delay": [1, 1], **changes}
    return make([lif("a", 2), lif("b", 2)], [Connection(**values)])


RULE = Learning("2^-2 * x0 * y1")
REFUSED = {
    "an unknown model": (make([Group("a", 2, "izhikevich")], []), "group a: Lava has no model izhikevich; it has loihi_lif, "),
    "Loihi 1": (Graph("t", 1.0, "loihi1", (lif("a", 2),), ()), "{}: Lava has no rules of loihi1, only those of lava010"),
    "no units": (Graph("t", 1.0, "lava010", (), ()), "{}: expected a graph with units, found none"),
    "no file": (b"no", "{}: Unable to "),
    "a missing parameter": (make([Group("a", 2, "loihi_lif", {"du": 1})], []),
                            "group a: expected the parameter dv of loihi_lif, found none"),
    "a fraction": (make([lif("a", 2, dv=[3, 0.5])], []), "group a: dv: expected whole numbers, found 0.5"),
    "a state": (make([lif("a", 2, initial={"w": 1})], []), "group a: Lava's loihi_lif has no state w that can be set"),
    "a trace": (Graph("t", 1.0, "lava010", (lif("a", 2),), (), (Trace(0, "w", np.arange(1), 1),)),
                "trace of a: Lava's loihi_lif has no state w"),
    "a port": (wire(port="im"), "connection a>b: loihi_lif has no port im; it has in"),
    "a unit": (wire(post=[0, 2]), "connection a>b: post: expected units 0 to 1 of b, found others"),
    "a sign mode": (wire(sign_mode="auto"),
                    "connection a>b: sign_mode: expected one of mixed, excitatory, inhibitory, found auto"),
    "a delay": (wire(delay=[1, 64]), "connection a>b: expected delays of 1 to 63 steps, found 1 to 64"),
    "synapses onto a source": (make([lif("a", 2), Group("b", 2, "relay", ports=("in",))], [Connection("a>b", 0, 1, "in", [0], [0], [1], [1])]),
                               "connection a>b: relay sends what the host gives it, and receives nothing in Lava"),
    "learning late": (wire(learning=RULE, delay=[1, 2]),
                      "connection a>b: Lava learns only with delays of 1 step and one synapse per pair of units"),
    "learning twice": (wire(learning=RULE, pre=[0, 0]),
                       "connection a>b: Lava learns only with delays of 1 step and one synapse per pair of units"),
    "a sum that cannot be split": (wire(weight_exp=-1, pre=[0, 0]),
                                   "connection a>b: with weight_exp below 0 Lava takes one synapse per pair of units"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_graph_that_cannot_run_is_refused_by_name(what, tmp_path):
    graph, text = REFUSED[what]
    with Lava(tmp_path, graph) as lava:
        assert lava.ready["kind"] == "graph"
        assert lava.ready["error"].startswith(text.format(tmp_path / "graph.h5"))
        assert lava.process.wait(10) == 1


def test_a_rule_that_lava_does_not_take_is_named(tmp_path):
    with Lava(tmp_path, wire(learning=Learning("x0 * q"))) as lava:
        assert lava.ready["kind"] == "lava"
        assert lava.ready["error"].startswith("connection a>b: Lava does not take its learning rule: ")


def test_wrong_arrivals_are_answered_and_the_network_stays(tmp_path):
    with Lava(tmp_path, make([lif("a", 3)], [])) as lava:
        for rows, text in (([5, 0, 0, 0, 1], "expected arrivals in steps 1 to 4, found some in 5 to 5"),
                           ([1, 0, 0, 3, 1], "arrivals at a: expected units 0 to 2, found others"),
                           ([1, 0, 1, 0, 1], "arrivals at a: expected ports 0 to 0, found 1"),
                           ([1, 1, 0, 0, 1], "arrivals: expected groups 0 to 0, found 1")):
            save_arrivals(Arrivals(*np.array(rows)[:, None]), tmp_path / "in.h5")
            assert lava.ask(run=4, arrivals="in.h5", out="out.h5") == {"error": text, "kind": "graph"}
        assert lava.ask(run=0, arrivals=None, out="out.h5")["error"] == "expected 1 step or more to run, found 0"
        (tmp_path / "in.h5").write_bytes(b"no")
        assert lava.ask(run=4, arrivals="in.h5", out="out.h5")["error"].startswith(f"{tmp_path}/in.h5: Unable to")
        assert lava.ask(run=4, arrivals=None, out="out.h5") == {"done": 4}


@pytest.mark.parametrize("awaited", [True, False])
def test_a_failure_within_a_process_of_lava_is_answered(awaited, tmp_path):
    """A shift of real numbers ends one process; where another waits for it, Lava itself would wait for ever."""
    params = {"period": 10.0, "alpha": 0.1, "state_exp": 0, "decay_bits": 0, "vth": 10}
    groups = [Group("a", 2, "loihi_rf", params, {}, ("real", "imag")), lif("b", 2)]
    wires = [Connection("a>b", 0, 1, "in", [0], [0], [1], [1]), Connection("b>a", 1, 0, "real", [0], [0], [1], [1])]
    with Lava(tmp_path, make(groups, wires * awaited)) as lava:
        answer = lava.ask(run=5, arrivals=None, out="out.h5")
        assert answer["kind"] == "lava"
        assert answer["error"].startswith("TypeError: ufunc 'right_shift' not supported for the input types")
        assert lava.process.wait(10) == 1


def test_a_process_of_lava_that_is_killed_is_noticed(tmp_path):
    with Lava(tmp_path, make([lif("a", 2)], [])) as lava:
        lava.run(1)
        child = max(members(lava.process.pid))
        os.kill(child, signal.SIGKILL)
        answer = lava.ask(run=5, arrivals=None, out="out.h5")
        assert answer == {"error": "a process of Lava ended with exit code -9", "kind": "lava"}


@pytest.mark.parametrize("running", [False, True])
def test_everything_ends_with_standard_input(running, tmp_path):
    with Lava(tmp_path, make([lif("a", 2)], [])) as lava:
        if running:
            lava.process.stdin.write(json.dumps({"run": 10**9, "arrivals": None, "out": "out.h5"}) + "\n")
            lava.process.stdin.flush()
            time.sleep(0.5)
        lava.process.stdin.close()
        assert lava.process.wait(10) == (1 if running else 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_killed_leaves_nothing(number, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Lava(tmp_path, make([lif("a", 2)], [])) as lava:
        lava.run(1)
        lava.process.stdin.write(json.dumps({"run": 10**9, "arrivals": None, "out": "out.h5"}) + "\n")
        lava.process.stdin.flush()
        time.sleep(0.5)
        lava.process.send_signal(number)
        lava.process.wait(10)
    assert list(tmp_path.glob("snnsim-lava-*")) == [] or number == signal.SIGKILL


def test_input_beyond_32_bits_wraps(tmp_path):
    """Where Lava shifts what arrives, and where it adds it up."""
    rng = np.random.default_rng(8)
    some = [lif("a", 4, du=4095), *adaptive(rng)[0], *resonators(rng)[0], *sigma_delta(rng)[0]]
    graph = make([replace(group, name=f"{k}") for k, group in enumerate(some)], [])
    arrivals = random_arrivals(rng, graph, 30, 0.5, -2**31, 2**31)
    spikes, states, _ = emulate(graph, 30, arrivals)
    with Lava(tmp_path, graph) as lava:
        found, content = lava.run(30, arrivals)
    np.testing.assert_array_equal(found, spikes)
    for k, trace in enumerate(graph.traces):
        name = graph.groups[trace.group].name
        np.testing.assert_array_equal(content[f"traces/{k}"], states[name][trace.variable], f"{trace.variable} of {name}")
