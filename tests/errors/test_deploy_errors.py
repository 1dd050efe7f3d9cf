"""The full text of what ``snnsim deploy`` says when something is wrong; nothing is written then."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnsim.cli import main
from snnsim.cli.deploy import choices_of
from snnsim.errors import Problem, UnavailableError

CONFIG = """\
snnsim: 1
dt: 1 ms
duration: 20 ms
populations:
  exc: {n: 3, model: lif_psc_delta, params: {t_ref: 0 ms}}
"""
WHOLE = """\
snnsim: 1
dt: 1 ms
duration: 20 ms
populations:
  cells: {n: 3, model: loihi_lif}
"""
NOT_WHOLE = "is about quantisation, but the network is in whole numbers already; leave it out"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with two configs."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(CONFIG)
    Path("whole.yaml").write_text(WHOLE)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What stderr has after a command that fails with 2 and leaves nothing behind."""
    before = sorted(Path().iterdir())
    assert main(["deploy", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(Path().iterdir()) == before
    return err


@pytest.mark.parametrize(("words", "message"), [
    (["--target", "loihi3"], "--target: unknown target 'loihi3'; expected one of: loihi1, loihi2, or a YAML file (did you mean loihi2?)"),
    (["--semantics", "lava"], "--semantics: unknown choice 'lava'; expected one of: lava010, loihi1 (did you mean lava010?)"),
    (["--run", "cpu"], "--run: unknown backend 'cpu'; expected one of: lava, loihi"),
    (["--quantise", "refractory"], "--quantise: expected key=value, such as refractory=drop, found 'refractory'"),
    (["--quantise", "refractry=drop"],
     f"--quantise: unknown choice 'refractry'; expected one of: {', '.join(sorted(choices_of()))} (did you mean refractory?)"),
    (["--quantise", "refractory=keep"], "--quantise refractory: unknown choice 'keep'; expected one of: drop, refuse"),
    (["--quantise", "headroom=0"], "--quantise headroom: expected a number from 1 to 1000000, found 0"),
    (["-d", "5"], "--duration: missing unit: expected a time (ms), found the bare number 5"),
    (["--set", "populations.exc.n=0"], "--set populations.exc.n=0: populations.exc.n: expected at least 1, found 0"),
])
def test_wrong_options(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    """Each named as on the command line."""
    assert said(capsys, "net.yaml", "-o", "b", *words) == f"{message}\n"


@pytest.mark.parametrize(("words", "message"), [
    (["--semantics", "loihi1"],
     "--semantics: expected lava010, which the models of the network follow, found loihi1; leave it out"),
    (["--quantise", "refractory=drop"], f"--quantise: refractory {NOT_WHOLE}"),
])
def test_choices_that_a_network_in_whole_numbers_leaves_none(capsys: pytest.CaptureFixture[str], words: list[str],
                                                             message: str) -> None:
    """Its models say how they compute."""
    assert said(capsys, "whole.yaml", "-o", "b", *words) == f"{message}\n"


def test_what_a_chip_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything at once, each with its line."""
    Path("net.yaml").write_text(CONFIG.replace("0 ms}}", "2 ms}}") + "  hh: {n: 2, model: hodgkin_huxley}\n")
    lines = said(capsys, "net.yaml", "-o", "b").splitlines()
    assert lines[0] == (
        "net.yaml:5: populations.exc.params.t_ref: expected 0 ms, since Lava's fixed-point LIF has no refractory time, "
        "found 2 ms; --quantise refractory=drop leaves it out, --semantics loihi1 keeps it")
    assert lines[1].startswith("net.yaml:6: populations.hh.model: ")


def test_what_a_chip_cannot_do_with_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A delay beyond the 63 steps that it has."""
    Path("whole.yaml").write_text(
        WHOLE + "projections:\n  - {from: cells, to: cells, connect: {rule: all_to_all}, weight: 2, delay: 70 ms}\n")
    assert said(capsys, "whole.yaml", "-o", "b") == (
        "whole.yaml:6: projections.cells->cells: expected delays from 1 to 63 steps, found 70 to 70\n")


def test_no_duration(capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle has the input of so many steps."""
    Path("net.yaml").write_text(CONFIG.replace("duration: 20 ms\n", ""))
    assert said(capsys, "net.yaml", "-o", "b") == (
        "--duration: missing: give the network a duration, or say how long to run\n")


def test_names_that_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """Asked before anything is computed."""
    Path("folder").mkdir()
    Path("folder/mine").write_text("")
    assert said(capsys, "net.yaml", "-o", "folder", "--force") == (
        "folder: exists already and is not a bundle; choose another name\n")
    Path("folder/manifest.json").write_text('{"format": "snnsim-bundle"}')
    assert said(capsys, "net.yaml", "-o", "folder") == (
        "folder: exists already; choose another name, or --overwrite to replace it\n")
    assert said(capsys, "net.yaml", "-o", "gone/b") == "gone/b: the folder gone does not exist\n"


def test_a_backend_that_is_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before the work begins."""

    def lacks(name: str) -> None:
        raise UnavailableError(Problem("backend", f"{name} cannot be used here: it is not installed"))

    monkeypatch.setattr("snnsim.registry.check_name", lacks)
    assert said(capsys, "net.yaml", "-o", "b", "--run", "lava") == "--run: lava cannot be used here: it is not installed\n"


def test_no_config(capsys: pytest.CaptureFixture[str]) -> None:
    """As for every command, and -o must say where."""
    assert said(capsys, "nett.yaml", "-o", "b") == "nett.yaml: no such file (did you mean net.yaml?)\n"
    assert "Missing option '--out' / '-o'" in said(capsys, "net.yaml")


def test_a_damaged_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    """`snnsim info` names the file."""
    assert main(["deploy", "whole.yaml", "-o", "b", "--quiet"]) == 0
    capsys.readouterr()
    Path("b/run.py").write_text("")
    assert main(["info", "b"]) == 2
    found = capsys.readouterr().err
    assert found.startswith("b/run.py: expected ")
    assert found.endswith(" bytes, found 0; copy the bundle again, or make it anew with `snnsim deploy`\n")
    Path("b/manifest.json").write_text("{")
    assert main(["info", "b"]) == 2
    assert capsys.readouterr().err == ("b/manifest.json: expected the manifest of a bundle, found something else; "
                                       "copy the bundle again, or make it anew with `snnsim deploy`\n")
