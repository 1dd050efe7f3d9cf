"""Faults of a config: the full text of each message, with file and line, path, and the nearest valid choice."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snnsim.config import load, loads
from snnsim.errors import InputError, Problems
from snnsim.models import builtin_names
from snnsim.network import from_data
from snnsim.yamlfile import parse_yaml

NET = """\
snnsim: 1
name: net
seed: 1
dt: 0.1 ms
duration: 1 s
precision: single
populations:
  exc:
    n: 80
    model: lif_psc_exp
    params: {tau_m: 20 ms}
    init: {v: -65 mV}
  inh: {n: 20, model: lif_cond_exp}
  mine: {n: 5, model: own}
inputs:
  noise: {type: poisson, rate: 8 kHz, to: exc, weight: 10 pA}
  probe: {type: spike_times, times: {0: [1 ms]}, to: exc, weight: 10 pA}
  step: {type: current, to: exc, times: [0 ms, 5 ms], values: [0 pA, 9 pA]}
  hiss: {type: noise, to: exc, sd: 5 pA}
projections:
  - {from: exc, to: exc, connect: {rule: fixed_indegree, k: 10}, weight: 5 pA, delay: 1 ms}
  - name: ei
    from: exc
    to: inh
    connect: {rule: pairwise, p: 0.1}
    weight: 2 nS
record:
  spikes: [exc, inh]
  traces: {exc: {variables: [v], units: "0:10", every: 1 ms}}
models:
  own:
    parameters: {tau: 10 ms, v_th: 5 mV}
    dynamics: |
      dv/dt = -v/tau : mV
    receive: {in: v += w}
    spike: v >= v_th
    reset: {v: 0*mV}
"""
MODELS = ", ".join(sorted([*builtin_names(), "own"]))
TOP = ("dt, duration, include, inputs, models, name, network, origin, populations, precision, projections, record, seed, "
       "snnsim")
EXC = "c_m, i_e, t_ref, tau_m, tau_syn_exc, tau_syn_inh, v_reset, v_rest, v_th"
NAME = "expected a name of letters, digits, _ and - that begins with a letter or _, found"


def messages(text: str) -> list[str]:
    """What is said about a config."""
    with pytest.raises(InputError) as caught:
        loads(text, file="net.yaml")
    return str(caught.value).split("\n")


def test_the_config_of_these_tests_is_valid() -> None:
    """So each fault below is the one that was put in."""
    assert list(loads(NET).populations) == ["exc", "inh", "mine"]


TOP_LEVEL = [
    ("snnsim: 1", "snnsim: 2", "net.yaml:1: snnsim: expected 1, found 2"),
    ("snnsim: 1\n", "", "net.yaml:1: missing key 'snnsim'"),
    ("seed: 1", "sed: 1", f"net.yaml:3: sed: unknown key 'sed'; expected one of: {TOP} (did you mean seed?)"),
    ("seed: 1", "seed: -1", "net.yaml:3: seed: expected at least 0, found -1"),
    ("seed: 1", "seed: 1.5", "net.yaml:3: seed: expected a whole number, found 1.5"),
    ("seed: 1", f"seed: {2**64}", f"net.yaml:3: seed: expected less than {2**64}, found {2**64}"),
    ("dt: 0.1 ms", "dt: 0.1", "net.yaml:4: dt: missing unit: expected a time (ms), found the bare number 0.1"),
    ("dt: 0.1 ms", "dt: 0.1 mV",
     "net.yaml:4: dt: wrong unit: expected a time (ms), found 0.1 mV (a voltage (mV))"),
    ("dt: 0.1 ms", "dt: 0 ms", "net.yaml:4: dt: expected a time above 0, found 0 ms"),
    ("dt: 0.1 ms", "dt: .nan", "net.yaml:4: dt: missing unit: expected a time (ms), found the bare number nan"),
    ("dt: 0.1 ms", "dt: inf ms", "net.yaml:4: dt: expected a finite number, found inf ms"),
    ("dt: 0.1 ms", "dt: true", "net.yaml:4: dt: expected a quantity, found true"),
    ("duration: 1 s", "duration: -1 s", "net.yaml:5: duration: expected a time above 0, found -1 s"),
    ("duration: 1 s", "duration: 1e9 s",
     "net.yaml:5: duration: expected at most 8589934592 steps of 0.1 ms, found 1e9 s"),
    ("precision: single", "precision: doubel",
     "net.yaml:6: precision: expected 'single' or 'double', found the text 'doubel' (did you mean double?)"),
    ("name: net", "name: 5", "net.yaml:2: name: expected text, found 5"),
    ("name: net", "name: ''", "net.yaml:2: name: expected at least 1 character, found the text ''"),
]

POPULATIONS = [
    ("n: 80", "n: -3", "net.yaml:9: populations.exc.n: expected at least 1, found -3"),
    ("n: 80", "n: 0", "net.yaml:9: populations.exc.n: expected at least 1, found 0"),
    ("n: 80", "n: 80.0", "net.yaml:9: populations.exc.n: expected a whole number, found 80.0"),
    ("n: 80", "n: '80'",
     "net.yaml:9: populations.exc.n: expected a whole number, found the text '80'; write 80, without quotes"),
    ("n: 80", "n: 1_000",
     "net.yaml:9: populations.exc.n: expected a whole number, found the text '1_000'; write 1000, without quotes"),
    ("n: 80", "n: true", "net.yaml:9: populations.exc.n: expected a whole number, found true"),
    ("n: 80", "n: 80 ms", "net.yaml:9: populations.exc.n: expected a whole number, found the text '80 ms'"),
    ("n: 80", "n: 10000000000",
     "net.yaml:9: populations.exc.n: expected at most 2147483647, found 10000000000"),
    ("    n: 80\n", "", "net.yaml:8: populations.exc: missing key 'n'"),
    ("    n: 80", "    n: 80\n    N: 3",
     "net.yaml:10: populations.exc.N: unknown key 'N'; expected one of: init, model, n, params, positions"),
    ("model: lif_psc_exp", "model: lif_psc_ex",
     "net.yaml:10: populations.exc.model: unknown model 'lif_psc_ex'; "
     f"expected one of: {MODELS} (did you mean lif_psc_exp?)"),
    ("model: lif_psc_exp", "model: 3", "net.yaml:10: populations.exc.model: expected text, found 3"),
    ("tau_m: 20 ms", "tau: 20 ms",
     "net.yaml:11: populations.exc.params.tau: unknown parameter of lif_psc_exp 'tau'; "
     f"expected one of: {EXC} (did you mean tau_m?)"),
    ("tau_m: 20 ms", "tau_m: 20",
     "net.yaml:11: populations.exc.params.tau_m: missing unit: expected a time (ms), found the bare number 20"),
    ("tau_m: 20 ms", "tau_m: '20'",
     "net.yaml:11: populations.exc.params.tau_m: missing unit: expected a time (ms), found the bare number 20"),
    ("tau_m: 20 ms", "tau_m: 20 mV",
     "net.yaml:11: populations.exc.params.tau_m: wrong unit: expected a time (ms), found 20 mV (a voltage (mV))"),
    ("tau_m: 20 ms", "tau_m: 20 mz",
     "net.yaml:11: populations.exc.params.tau_m: unknown unit 'mz' (did you mean um?)"),
    ("tau_m: 20 ms", "tau_m: yes",
     "net.yaml:11: populations.exc.params.tau_m: expected a number with a unit such as '20 ms', found 'yes'"),
    ("tau_m: 20 ms", "tau_m: true", "net.yaml:11: populations.exc.params.tau_m: expected a quantity, found true"),
    ("tau_m: 20 ms", "tau_m: inf ms",
     "net.yaml:11: populations.exc.params.tau_m: expected a finite number, found inf ms"),
    ("tau_m: 20 ms", "tau_m: [1 ms, 2 ms]",
     "net.yaml:11: populations.exc.params.tau_m: expected 80 values, one for each of the units, found 2"),
    ("tau_m: 20 ms", "tau_m: {unifrm: [1 ms, 2 ms]}",
     "net.yaml:11: populations.exc.params.tau_m: unknown distribution 'unifrm'; expected one of: discrete, "
     "exponential, expression, file, lognormal, normal, uniform (did you mean uniform?)"),
    ("params: {tau_m: 20 ms}", "params: [tau_m]",
     "net.yaml:11: populations.exc.params: expected a mapping, found a list"),
    ("v: -65 mV", "w: -65 mV",
     "net.yaml:12: populations.exc.init.w: unknown state of lif_psc_exp 'w'; expected one of: i_exc, i_inh, v"),
    ("  mine:", "  mi ne:", f"net.yaml:14: populations.mi ne: {NAME} 'mi ne'"),
    ("  mine:", "  7:", "net.yaml:14: populations.7: expected text, found 7"),
    ("  mine:", "  exc:", "net.yaml:14: populations.exc: duplicate key 'exc'; it is already given in line 8"),
    ("  mine: {n: 5, model: own}", "  mine: 5", "net.yaml:14: populations.mine: expected a mapping, found 5"),
]

INPUTS = [
    ("type: poisson", "type: poison",
     "net.yaml:16: inputs.noise.type: unknown input type 'poison'; expected one of: current, noise, poisson, "
     "spike_times (did you mean poisson?)"),
    ("type: poisson, ", "",
     "net.yaml:16: inputs.noise: missing key 'type'; expected one of: current, noise, poisson, spike_times"),
    ("rate: 8 kHz", "rate: -8 kHz", "net.yaml:16: inputs.noise.rate: expected at least 0, found -8000 Hz"),
    ("rate: 8 kHz", "rates: 8 kHz", "net.yaml:16: inputs.noise: missing key 'rate'\nnet.yaml:16: inputs.noise.rates: "
     "unknown key 'rates'; expected one of: delay, port, rate, to, type, weight (did you mean rate?)"),
    ("to: exc, weight: 10 pA}\n  probe", "to: exz, weight: 10 pA}\n  probe",
     "net.yaml:16: inputs.noise.to: unknown population 'exz'; expected one of: exc, inh, mine (did you mean exc?)"),
    ("to: exc, weight: 10 pA}\n  probe", "to: exc}\n  probe",
     "net.yaml:16: inputs.noise: missing key 'weight': a current (pA) for port 'exc' of lif_psc_exp"),
    ("to: exc, weight: 10 pA}\n  probe", "to: exc, weight: {uniform: [0 pA, 1 pA]}}\n  probe",
     "net.yaml:16: inputs.noise.weight: expected one quantity for all units, found a mapping"),
    ("times: {0: [1 ms]}", "times: {80: [1 ms]}",
     "net.yaml:17: inputs.probe.times: expected ids below 80, the number of units, found 80"),
    ("times: {0: [1 ms]}", "times: {a: [1 ms]}",
     "net.yaml:17: inputs.probe.times.a: expected an id, a whole number from 0 on, found the text 'a'"),
    ("times: {0: [1 ms]}", "times: {0: [-1 ms]}",
     "net.yaml:17: inputs.probe.times: expected times from 0 on, found -1 ms"),
    ("times: {0: [1 ms]}", "times: [1 ms]",
     "net.yaml:17: inputs.probe.times: expected {id: [times]} where there is no 'ids', found a list"),
    ("times: {0: [1 ms]}", "ids: [0, 1], times: [1 ms]",
     "net.yaml:17: inputs.probe.times: expected 2 times, one for each of the ids, found 1"),
    ("times: {0: [1 ms]}, ", "",
     "net.yaml:17: inputs.probe: missing key 'times': {id: [times]}, or a list together with 'ids'; or 'file'"),
    ("times: {0: [1 ms]}", "file: a.h5, times: {0: [1 ms]}",
     "net.yaml:17: inputs.probe.times: the spikes come from 'file'; leave this out"),
    ("times: [0 ms, 5 ms]", "times: [5 ms, 5 ms]",
     "net.yaml:18: inputs.step.times: expected ascending times from 0 on"),
    ("values: [0 pA, 9 pA]", "values: [0 pA]",
     "net.yaml:18: inputs.step.values: expected 2 values, one for each of the times, found 1"),
    ("values: [0 pA, 9 pA]", "values: [0 pA, 9 mV]",
     "net.yaml:18: inputs.step.values.1: wrong unit: expected a current (pA), found 9 mV (a voltage (mV))"),
    ("values: [0 pA, 9 pA]", "amplitude: 9 pA",
     "net.yaml:18: inputs.step.times: belong to 'values'; an 'amplitude' holds from the start on"),
    (", values: [0 pA, 9 pA]", "",
     "net.yaml:18: inputs.step: expected either 'amplitude', or 'times' with 'values', found neither"),
    ("times: [0 ms, 5 ms], ", "", "net.yaml:18: inputs.step.times: missing: expected one time for each of the values"),
    ("sd: 5 pA", "sd: -5 pA", "net.yaml:19: inputs.hiss.sd: expected at least 0, found -5 pA"),
    ("sd: 5 pA", "sd: 5 pA, input: x",
     "net.yaml:19: inputs.hiss.input: unknown input of lif_psc_exp 'x'; expected one of: i_inj"),
    ("to: exc, sd: 5 pA", "to: mine, sd: 5 pA",
     "net.yaml:19: inputs.hiss.to: own, the model of mine, has no continuous input"),
]

PROJECTIONS = [
    ("{from: exc, to: exc", "{from: exc, to: ex",
     "net.yaml:21: projections.0.to: unknown population 'ex'; expected one of: exc, inh, mine (did you mean exc?)"),
    ("{from: exc, to: exc", "{from: exc, to: [exc, in]",
     "net.yaml:21: projections.0.to.1: unknown population 'in'; expected one of: exc, inh, mine (did you mean inh?)"),
    ("{from: exc, to: exc", "{from: exc",
     "net.yaml:21: projections.0: missing key 'to'"),
    ("k: 10}", "k: -10}", "net.yaml:21: projections.0.connect.k: expected a whole number from 0 on, found -10"),
    ("k: 10}", "k: 100, multapses: false}",
     "net.yaml:21: projections.0.connect.k: each unit needs 100 distinct sources, but there are 80 "
     "(multapses are switched off)"),
    ("k: 10}", "k: 80, multapses: false, autapses: false}",
     "net.yaml:21: projections.0.connect.k: each unit needs 80 distinct sources, but there are 79 other "
     "(multapses are switched off)"),
    ("rule: fixed_indegree, k: 10", "rule: fixed_indegre, k: 10",
     "net.yaml:21: projections.0.connect.rule: unknown connection rule 'fixed_indegre'; expected one of: all_to_all, "
     "distance, explicit, fixed_indegree, fixed_outdegree, fixed_total, one_to_one, pairwise "
     "(did you mean fixed_indegree?)"),
    ("p: 0.1", "p: 1.5",
     "net.yaml:25: projections.1.connect.p: expected a probability from 0 to 1, found 1.5"),
    ("rule: pairwise, p: 0.1", "rule: one_to_one",
     "net.yaml:25: projections.1.connect: one_to_one needs populations of one size, found 80 sources and 20 targets"),
    ("weight: 5 pA", "weight: 5 mV",
     "net.yaml:21: projections.0.weight: wrong unit: expected a current (pA), found 5 mV (a voltage (mV))"),
    ("weight: 5 pA, ", "",
     "net.yaml:21: projections.0: missing key 'weight': a current (pA) for port 'exc' of lif_psc_exp"),
    ("weight: 2 nS", "weight: 2 nS\n    port: inh",
     "net.yaml:26: projections.1.weight: expected weights of at most 0 for port 'inh' of lif_cond_exp, found 2 nS"),
    ("weight: 2 nS", "weight: 2 nS\n    port: in",
     "net.yaml:27: projections.1.port: unknown port of lif_cond_exp 'in'; expected one of: exc, inh "
     "(did you mean inh?)"),
    ("weight: 2 nS", "weight: [2 nS]",
     "net.yaml:26: projections.1.weight: expected 160 values, one for each of the synapses, found 1"),
    ("delay: 1 ms", "delay: -1 ms",
     "net.yaml:21: projections.0.delay: expected a delay of at least 0 ms, found -1 ms"),
    ("delay: 1 ms", "delay: {normal: {mean: 1 ms, sd: 1 ms}}",
     "net.yaml:21: projections.0.delay: expected a delay of at least 0 ms, found -5.5 ms; "
     "give the distribution a 'low:' bound"),
    ("delay: 1 ms", "delay: {discrete: {values: [0 ms, 1 ms]}}",
     "net.yaml:21: projections.0.delay: expected delays above 0 ms, or 0 ms for all synapses, found 0 ms for some of "
     "them"),
    ("delay: 1 ms", "delay: 0 ms",
     "net.yaml:21: projections.0.delay: expected a delay above 0 ms somewhere in the cycle exc -> exc, "
     "found 0 ms in all of it"),
    ("name: ei", "name: e i", f"net.yaml:22: projections.1.name: {NAME} the text 'e i'"),
    ("k: 10}, weight: 5 pA", "k: 10}, name: ei, weight: 5 pA",
     "net.yaml:22: projections.1.name: duplicate projection name 'ei'"),
    ("    from: exc", "    from: []", "net.yaml:23: projections.1.from: expected at least one name, found a list"),
]

RECORD = [
    ("spikes: [exc, inh]", "spikes: [exc, in]",
     "net.yaml:28: record.spikes.1: unknown population 'in'; expected one of: exc, inh, mine (did you mean inh?)"),
    ("spikes: [exc, inh]", "spikes: {exc: '0:100'}",
     "net.yaml:28: record.spikes.exc: expected a slice within 0:80, found '0:100'"),
    ("spikes: [exc, inh]", "spikes: 5",
     "net.yaml:28: record.spikes: expected a list of populations, or {population: units}, found 5"),
    ("variables: [v]", "variables: [V]",
     "net.yaml:29: record.traces.exc.variables.0: unknown variable of lif_psc_exp 'V'; "
     "expected one of: i_exc, i_inh, refractory, v"),
    ("variables: [v]", "variables: [i_ex]",
     "net.yaml:29: record.traces.exc.variables.0: unknown variable of lif_psc_exp 'i_ex'; "
     "expected one of: i_exc, i_inh, refractory, v (did you mean i_exc?)"),
    ('units: "0:10"', "units: [1, 80]", "net.yaml:29: record.traces.exc.units: expected ids from 0 to 79, found 80"),
    ('units: "0:10"', "units: [1, 1]",
     "net.yaml:29: record.traces.exc.units: expected different ids, found 1 more than once"),
    ('units: "0:10"', "units: []", "net.yaml:29: record.traces.exc.units: expected at least one id, found none"),
    ('units: "0:10"', "units: '5:5'",
     "net.yaml:29: record.traces.exc.units: expected a slice within 0:80, found '5:5'"),
    ('units: "0:10"', "units: some",
     "net.yaml:29: record.traces.exc.units: expected 'all', a slice such as '0:10' or a list of ids, found 'some'"),
    ("every: 1 ms", "every: 0 ms", "net.yaml:29: record.traces.exc.every: expected a time above 0, found 0 ms"),
    ("every: 1 ms", "evry: 1 ms",
     "net.yaml:29: record.traces.exc.evry: unknown key 'evry'; expected one of: every, units, variables "
     "(did you mean every?)"),
]


MODEL = [
    ("dv/dt = -v/tau : mV", "dv/dt = -v/tao : mV",
     "net.yaml:34: models.own.dynamics: unknown name 'tao'; expected one of: dt, tau, v, v_th (did you mean tau?)"),
    ("dv/dt = -v/tau : mV", "\n      # leak\n      dv/dt = -v : mV",
     "net.yaml:36: models.own.dynamics: dv/dt must be a quantity in mV/ms, found a voltage (mV)"),
    ("dv/dt = -v/tau : mV", "dv/dt = -v/tau + v_th : mV",
     "net.yaml:34: models.own.dynamics: cannot add a quantity in mV/ms and a voltage (mV): -v / tau and v_th"),
    ("dv/dt = -v/tau : mV", "dv/dt = -v/(tau : mV",
     "net.yaml:34: models.own.dynamics: not an expression: '-v/(tau'"),
    ("own}", "own, params: {tau: 0 ms}}",
     "net.yaml:14: populations.mine.params.tau: -(1/tau)*dt is not finite with tau = 0, dt = 0.1"),
    ("in: v += w", "in: v += w*w",
     "net.yaml:35: models.own.receive.in: expected something linear in the weight w, found w*w"),
    ("spike: v >= v_th", "spike: v >= 3", "net.yaml:36: models.own.spike: cannot compare a voltage (mV) and a number "
                                          "without unit: v and 3"),
    ("reset: {v: 0*mV}", "reset: {w: 0*mV}", "net.yaml:37: models.own.reset.w: unknown state 'w'; expected one of: v"),
]


@pytest.mark.parametrize(("old", "new", "message"), MODEL + TOP_LEVEL + POPULATIONS + INPUTS + PROJECTIONS + RECORD)
def test_fault(old: str, new: str, message: str) -> None:
    """One fault gives one message (or those named)."""
    assert NET.count(old) == 1
    assert messages(NET.replace(old, new)) == message.split("\n")


def test_parts_that_lean_on_a_faulty_one_are_not_blamed() -> None:
    """A fault in a model gives one message, not one for each population that uses it."""
    assert len(messages(NET.replace("dv/dt = -v/tau : mV", "dv/dt = -v/tao : mV"))) == 1


def test_all_faults_come_together_in_the_order_of_the_file() -> None:
    """Header, populations, inputs, projections and recordings are all checked."""
    text = NET.replace("seed: 1", "seed: -1").replace("tau_m: 20 ms", "tau: 20 ms").replace("rate: 8 kHz", "rate: 8 mV")
    text = text.replace("delay: 1 ms", "delay: 1 mV").replace("variables: [v]", "variables: [x]")
    assert [line.split(":")[1] for line in messages(text)] == ["3", "11", "16", "21", "29"]


def test_a_cycle_over_several_populations_is_named() -> None:
    """Each link of the cycle is."""
    text = NET.replace("weight: 2 nS", "weight: 2 nS\n    delay: 0 ms").replace("to: exc, connect", "to: mine, connect")
    text = text.replace("{from: exc, to: mine, connect: {rule: fixed_indegree, k: 10}, weight: 5 pA, delay: 1 ms}",
                        "{from: inh, to: mine, connect: {rule: fixed_indegree, k: 10}, weight: 5 mV, delay: 0 ms}\n"
                        "  - {from: mine, to: exc, connect: {rule: all_to_all}, weight: 5 pA, delay: 0 ms}")
    assert messages(text) == [
        "net.yaml:28: projections.2.delay: expected a delay above 0 ms somewhere in the cycle exc -> inh -> mine -> exc, "
        "found 0 ms in all of it"]


@pytest.mark.parametrize(("text", "message"), [
    ("5", "net.yaml:1: expected a mapping, found 5"),
    ("- a", "net.yaml:1: expected a mapping, found a list"),
    ("snnsim: 1\npopulations: 3", "net.yaml:2: populations: expected a mapping, found 3"),
    ("snnsim: 1\nprojections: {}", "net.yaml:2: projections: expected a list, found a mapping"),
    ("snnsim: 1\ninclude: a.yaml", "net.yaml:2: include: expected a list, found the text 'a.yaml'"),
])
def test_shape_of_the_file(text: str, message: str) -> None:
    """The top level is a mapping, its parts mappings or lists."""
    assert messages(text) == [message]


@pytest.mark.parametrize(("override", "message"), [
    ("populations.ex.n=5", "--set populations.ex.n=5: populations.ex.n: no such path: populations has exc, inh, mine "
                           "(did you mean populations.exc.n?)"),
    ("population.exc.n=5",
     "--set population.exc.n=5: population.exc.n: no such path: the file has snnsim, name, seed, dt, duration, precision, "
     "populations, inputs, projections, record, models (did you mean populations.exc.n?)"),
    ("populations.exc.n.x=5", "--set populations.exc.n.x=5: populations.exc.n.x: no such path: populations.exc.n is no "
                              "mapping"),
    ("projections.2.weight=5 pA", "--set projections.2.weight=5 pA: projections.2.weight: no such path: projections has "
                                  "0, 1, ei"),
    ("populations.exc.m=5", "--set populations.exc.m=5: populations.exc.m: unknown key 'm'; expected one of: init, "
                            "model, n, params, positions"),
    ("populations.exc.params.taum=5 ms",
     "--set populations.exc.params.taum=5 ms: populations.exc.params.taum: unknown parameter of lif_psc_exp 'taum'; "
     f"expected one of: {EXC} (did you mean tau_m?)"),
    ("populations.exc.n=5.0", "--set populations.exc.n=5.0: populations.exc.n: expected a whole number, found 5.0"),
    ("seed", "--set: expected path=value, such as populations.exc.n=100, found 'seed'"),
    ("=3", "--set: expected path=value, such as populations.exc.n=100, found '=3'"),
    ("seed=[1", "--set seed=[1: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence)"),
    ("include=[a.yaml]", "--set include=[a.yaml]: include: cannot be changed; name another file instead"),
])
def test_override(override: str, message: str) -> None:
    """A fault of ``--set`` names it instead of the file, and the nearest path that exists."""
    with pytest.raises(InputError) as caught:
        loads(NET, overrides=[override], file="net.yaml")
    assert str(caught.value) == message


def write(folder: Path, **files: str) -> Path:
    """Files ``<name>.yaml``; the path of the first one."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{next(iter(files))}.yaml"


@pytest.mark.parametrize(("files", "message"), [
    ({"a": "snnsim: 1\ninclude: [bb.yaml]", "b": ""},
     "{}/a.yaml:2: include.0: no such file: bb.yaml (did you mean b.yaml?)"),
    ({"a": "snnsim: 1\ninclude: [b.yaml]", "b": "include: [a.yaml]"},
     "{}/b.yaml:1: include.0: includes itself: a.yaml -> b.yaml -> a.yaml"),
    ({"a": "snnsim: 1\ninclude: [b.yaml]", "b": "snnsim: 2"}, "{}/b.yaml:1: snnsim: expected 1, found 2"),
    ({"a": "snnsim: 1\ninclude: [b.yaml]", "b": "[1]"}, "{}/b.yaml:1: expected a mapping, found a list"),
    ({"a": "snnsim: 1\ninclude: [b.yaml]", "b": "\npopulations:\n  exc: {n: x, model: lif_psc_delta}"},
     "{}/b.yaml:3: populations.exc.n: expected a whole number, found the text 'x'"),
    ({"a": "snnsim: 1\ninclude: [b.yaml]\nprojections:\n  - {from: x}", "b": "projections:\n  - 5"},
     "{}/a.yaml:4: projections.1: missing key 'to'\n{}/a.yaml:4: projections.1: missing key 'connect'\n"
     "{}/b.yaml:2: projections.0: expected a mapping, found 5"),
])
def test_include(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A fault of an included file has that file's name and line."""
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, **files))
    assert str(caught.value) == message.replace("{}", str(tmp_path))


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in `data`."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*above, key)
        yield from places(value, (*above, key))


@pytest.mark.parametrize("value", [None, True, -1, 10**30, float("nan"), "x", "-5 ms", [[1]], {}, {1: {"a": []}}])
def test_any_value_anywhere_is_fine_or_a_fault(value: Any) -> None:
    """Whatever stands in a file, nothing but faults is reported; no other exception comes out."""
    data = parse_yaml(NET, "net.yaml").data
    for *above, last in places(data):
        changed = copy.deepcopy(data)
        here = changed
        for key in above:
            here = here[key]
        here[last] = value
        problems = Problems()
        assert from_data(changed, None, problems) is not None or problems.found
