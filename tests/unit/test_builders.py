"""Networks that a file names by their builder: merging, overrides, what a network remembers, and the JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

import snnsim as sn
from snnsim import builders
from snnsim.networks import microcircuit
from snnsim.schema import json_schema

FILE = """\
snnsim: 1
name: small
seed: 4
duration: 5 ms
network: {builder: microcircuit, scale: 0.01}
record: {spikes: [L4E]}
"""
ORIGIN = {"builder": "microcircuit", "scale": 0.01, "drive": "poisson", "initial": "optimized", "rates": "sli",
          "thalamus": False}


def test_a_file_and_python_give_the_same_network() -> None:
    """Options are arguments, and so are those of a network."""
    net = microcircuit.build(scale=0.01, name="small", seed=4, duration="5 ms")
    net.record(spikes=["L4E"])
    assert sn.loads(FILE) == net
    assert microcircuit.build(scale=0.01, drive="dc") != microcircuit.build(scale=0.01)


def test_what_the_file_says_wins() -> None:
    """Parameters and inputs of the file are merged over those of the builder; projections are added."""
    net = sn.loads(FILE + """\
populations:
  L4E: {params: {t_ref: 3 ms}, init: {v: -65 mV}}
  extra: {n: 2, model: lif_psc_delta}
inputs:
  background_L4E: {rate: 1 kHz}
  step: {type: current, to: L4E, amplitude: 100 pA}
projections:
  - {from: extra, to: L4E, connect: all_to_all, weight: 5 pA}
models: {mine: {parameters: {tau: 1 ms}, dynamics: "dv/dt = -v/tau : mV"}}
""")
    assert net.populations["L4E"].params["t_ref"].constant == 3.0
    assert net.populations["L4E"].params["i_e"].constant != 0.0
    assert net.populations["L4E"].init["v"].constant == -65.0
    assert net.inputs["background_L4E"].rate.constant == 1.0  # type: ignore[union-attr]
    assert len(net.projections) == len(sn.loads(FILE).projections) + 1
    assert {"extra", "L6I"} < set(net.populations)
    assert {"mine", "lif_psc_exp_one"} <= set(net.models)


def test_overrides_reach_options_and_parts() -> None:
    """``--set network.scale`` builds another network; other paths change what was built, in any order."""
    net = sn.loads(FILE, overrides=["projections.L4E_to_L23E.delay=2 ms", "populations.L6I.params.v_th=-49 mV",
                                    "network.scale=0.02", "network.drive=dc"])
    assert net.populations["L4E"].n == round(0.02 * 21915)
    assert net.inputs == {}
    assert next(p for p in net.projections if p.name == "L4E_to_L23E").delay.constant == 2.0
    assert net.populations["L6I"].params["v_th"].constant == -49.0
    assert sn.loads(FILE, overrides=["network={builder: microcircuit, scale: 0.02}"]).populations["L4E"].n == 438


def test_an_included_file_may_name_the_builder(tmp_path: Path) -> None:
    """Options are merged before the network is built."""
    (tmp_path / "base.yaml").write_text(FILE)
    (tmp_path / "net.yaml").write_text("snnsim: 1\ninclude: [base.yaml]\nnetwork: {scale: 0.02}\n")
    net = sn.load(tmp_path / "net.yaml")
    assert (net.origin or {})["scale"] == 0.02
    assert net.populations["L23I"].n == 117


def test_a_network_remembers_its_builder_and_is_not_built_twice() -> None:
    """The canonical form is written out, with the origin beside it, and is the same network again."""
    net = sn.loads(FILE)
    again = sn.loads(net.to_yaml())
    assert net.origin == ORIGIN
    assert again == net
    assert len(again.projections) == len(net.projections)
    assert "network:" not in net.to_yaml()
    assert sn.loads(FILE + "origin: {builder: mine}\n").origin == ORIGIN
    assert sn.Network().origin is None


def test_the_origin_goes_through_recordings_and_checkpoints(tmp_path: Path) -> None:
    """A report of either knows what was published."""
    net = sn.loads(FILE)
    recorded = sn.run(net, "2 ms", backend="reference", out=tmp_path / "out.h5", checkpoint=tmp_path / "a.ckpt")
    assert builders.reference(recorded.network_yaml) == (microcircuit.published(microcircuit.Options(scale=0.01)), None)
    assert sn.resume(tmp_path / "a.ckpt", backend="reference").net.origin == ORIGIN


@pytest.mark.parametrize("text", ["", "snnsim: 1\n", "snnsim: 1\norigin: {builder: gone}\n", "snnsim: 1\norigin: {a: 1}\n",
                                  "snnsim: 1\norigin: {builder: microcircuit, size: 3}\n"])
def test_other_networks_have_no_reference(text: str) -> None:
    """Networks without a builder, and those of another version's builders or options."""
    assert builders.reference(text) == (None, None)


def test_a_changed_network_is_told_from_the_published_one() -> None:
    """The first part that differs is named; records, seed and duration do not matter."""
    changed = sn.loads(FILE, overrides=["populations.L4E.params.i_e=3 pA", "seed=9"])
    assert builders.reference(changed.to_yaml())[1] == (
        "populations.L4E.params.i_e is 3 pA in the recording and 222.301418159 pA as the builder makes it")


def test_sentences_about_a_model_change_nothing() -> None:
    """What a model and its parameters say of themselves may differ between versions."""
    text = sn.loads(FILE).to_yaml()
    other = text.replace("about: threshold", "about: another word").replace("about: Leaky", "about: A leaky")
    assert text.count("about: threshold") == text.count("about: Leaky") == 1
    assert builders.reference(other)[1] is None


def test_builders_are_found_by_their_modules() -> None:
    """A module of ``snnsim.networks`` with options and a document is one; others are not."""
    assert builders.names() == ["microcircuit"]
    assert builders.find("microcircuit") is microcircuit


@pytest.mark.parametrize(("network", "fits"), [
    ({"builder": "microcircuit", "scale": 0.1, "drive": "dc"}, True), ({"builder": "microcircuit"}, True),
    ({"builder": "microcircuit", "scale": 0}, False), ({"builder": "microcircuit", "size": 1}, False),
    ({"builder": "other"}, False), ({"scale": 1}, False),
])
def test_the_json_schema_knows_the_options(network: dict[str, Any], fits: bool) -> None:
    """So that editors complete and check them."""
    faults = list(jsonschema.Draft202012Validator(json_schema()).iter_errors({"snnsim": 1, "network": network}))
    assert (faults == []) is fits
