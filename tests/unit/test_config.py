"""Reading configs: the shipped ones, overrides, includes, and the JSON Schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import snnsim as sn
import snnsim.schema
from snnsim import configs
from snnsim.yamlfile import read_yaml

NET = """\
snnsim: 1
populations:
  exc: {n: 80, model: lif_psc_delta}
projections:
  - {name: ee, from: exc, to: exc, connect: {rule: one_to_one}, weight: 1 mV}
inputs:
  probe: {type: spike_times, times: {0: [1 ms]}, to: exc, weight: 1 mV}
"""


@pytest.mark.parametrize("name", configs.names())
def test_shipped_configs_are_valid_and_canonical_again(name: str) -> None:
    """Each loads without notes, and is the same after a round trip."""
    net = sn.load(configs.path(name))
    assert net.notes == []
    assert net.name == name
    assert sn.loads(net.to_yaml()) == net


@pytest.mark.parametrize("name", configs.names())
def test_the_json_schema_accepts_the_shipped_configs(name: str) -> None:
    """In what users write and in the canonical form."""
    schema = snnsim.schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(read_yaml(configs.path(name)).data, schema)


@pytest.mark.parametrize("fault", [
    {"sed": 1}, {"snnsim": 2}, {"populations": {"a b": {"n": 1, "model": "x"}}}, {"populations": {"a": {"n": 0, "model": "x"}}},
    {"inputs": {"a": {"type": "noise", "to": "x"}}}, {"projections": [{"from": "a", "to": "b"}]}, {"record": {"spike": []}},
])
def test_the_json_schema_refuses_faults(fault: dict[str, object]) -> None:
    """So that editors underline them."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"snnsim": 1, **fault}, snnsim.schema.json_schema())


def test_the_shipped_json_schema_is_up_to_date() -> None:
    """``tools/make_schema.py`` writes it; run it after a change of ``snnsim.schema``."""
    path = Path(snnsim.schema.__file__).with_suffix(".json")
    assert json.loads(path.read_text(encoding="utf-8")) == snnsim.schema.json_schema()


def test_overrides_change_what_a_file_says() -> None:
    """Values are YAML; what the file leaves out may be set, too; a projection goes by number or name."""
    net = sn.loads(NET, overrides=[
        "populations.exc.n=8", "seed=7", "duration=2 s", "populations.exc.params.tau_m=10 ms",
        "projections.ee.weight=2 mV", "projections.0.delay=3 ms", "inputs.probe.times.0=[2 ms, 3 ms]",
        "record.spikes=[exc]", "populations.exc.init={v: 5 mV}",
    ])
    exc, projection = net.populations["exc"], net.projections[0]
    assert (exc.n, net.seed, net.duration, exc.params["tau_m"].constant) == (8, 7, 2000.0, 10.0)
    assert (projection.weight.constant, projection.delay.constant) == (2.0, 3.0)
    assert net.inputs["probe"].train.steps.tolist() == [20, 30]  # type: ignore[union-attr]
    assert net.recording.spikes == {"exc": None}
    assert exc.init["v"].constant == 5.0


def test_includes_are_merged_below_the_file(tmp_path: Path) -> None:
    """The file wins over what it includes, a later include over an earlier one; projections are strung together."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cells.yaml").write_text(
        "seed: 3\nname: cells\npopulations:\n  exc: {n: 80, model: lif_psc_delta, params: {tau_m: 10 ms, t_ref: 1 ms}}\n"
        "projections:\n  - {from: exc, to: exc, connect: {rule: one_to_one}, weight: 1 mV}\n")
    (tmp_path / "second.yaml").write_text("include: [parts/cells.yaml]\nseed: 4\n")
    path = tmp_path / "net.yaml"
    path.write_text(
        "snnsim: 1\ninclude: [second.yaml]\nname: net\npopulations:\n  exc: {params: {tau_m: 20 ms}}\n"
        "projections:\n  - {from: exc, to: exc, connect: {rule: all_to_all}, weight: 2 mV}\n")
    net = sn.load(path)
    params = net.populations["exc"].params
    assert (net.seed, net.name, net.populations["exc"].n) == (4, "net", 80)
    assert (params["tau_m"].constant, params["t_ref"].constant) == (20.0, 1.0)
    assert [p.weight.constant for p in net.projections] == [1.0, 2.0]


def test_files_are_relative_to_the_config(tmp_path: Path) -> None:
    """Arrays and spikes are found beside the file that names them."""
    (tmp_path / "spikes.csv").write_text("timestamps,node_ids\n2.0,1\n1.0,0\n")
    (tmp_path / "net.yaml").write_text(NET.replace("times: {0: [1 ms]}", "file: spikes.csv"))
    train = sn.load(tmp_path / "net.yaml").inputs["probe"].train  # type: ignore[union-attr]
    assert (train.ids.tolist(), train.steps.tolist()) == ([0, 1], [10, 20])


def test_a_network_knows_where_its_parts_stand() -> None:
    """Marks lead from a path to its line, for faults that show later."""
    assert sn.loads(NET, file="net.yaml").marks[("projections", 0, "weight")] == ("net.yaml", 5)


def test_loading_needs_no_heavy_library() -> None:
    """sympy, pint, numba and matplotlib stay out; they would take longer than all the rest."""
    code = ("import sys, snnsim; from snnsim import configs; snnsim.load(configs.path('brunel'))\n"
            "print([name for name in ('sympy', 'pint', 'numba', 'matplotlib') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
