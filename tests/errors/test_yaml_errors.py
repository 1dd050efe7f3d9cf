"""Files that are no plain YAML: the full text of each message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnsim.errors import InputError
from snnsim.yamlfile import parse_yaml, read_yaml

BOMB = "\n".join(["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
                  *(f"{y}: &{y} [*{x}, *{x}, *{x}, *{x}, *{x}, *{x}, *{x}, *{x}, *{x}, *{x}]"
                    for x, y in zip("abcdefg", "bcdefgh", strict=True))])


@pytest.mark.parametrize(("text", "message"), [
    ("", "f.yaml: the file is empty: expected a mapping that begins with 'snnsim: 1'"),
    ("# only a comment\n", "f.yaml: the file is empty: expected a mapping that begins with 'snnsim: 1'"),
    ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: duplicate key 'a'; it is already given in line 1"),
    ("a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml:4: a.b: duplicate key 'b'; it is already given in line 2"),
    ("a: !!python/object:os.system 1",
     "f.yaml:1: a: expected plain YAML, found the tag 'tag:yaml.org,2002:python/object:os.system'; "
     "tags are not supported"),
    ("a: !mine [1]", "f.yaml:1: a: expected plain YAML, found the tag '!mine'; tags are not supported"),
    ("a: [1,\n  2\n", "f.yaml:3: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence)"),
    ("a:\n\t- b", "f.yaml:2: not valid YAML: found character that cannot start any token "
                  "(while scanning for the next token)"),
    ("a: 'x", "f.yaml:1: not valid YAML: found unexpected end of stream (while scanning a quoted scalar)"),
    ("a: \x01", "f.yaml: not valid YAML: control characters are not allowed"),
    ("a: *x", "f.yaml:1: a: unknown alias *x"),
    ("b: &xy 1\na: *xz", "f.yaml:2: a: unknown alias *xz (did you mean xy?)"),
    ("a: &a [*a]", "f.yaml:1: a.0: unknown alias *a"),
    (BOMB, "f.yaml:4: d.7: aliases expand to more than 10000 values"),
    ("[" * 100, "f.yaml:1: nested deeper than 40 levels"),
    ("? [1, 2]\n: 3", "f.yaml:1: expected a name as key, found a list"),
    ("? {a: 1}\n: 3", "f.yaml:1: expected a name as key, found a mapping"),
    ("true: 1", "f.yaml:1: expected a name as key, found true"),
    ("1.5: 1", "f.yaml:1: expected a name as key, found the number 1.5"),
    ("~: 1", "f.yaml:1: expected a name as key, found nothing"),
    ("a: 1\n---\nb: 1", "f.yaml:2: expected one YAML document, found a second one"),
    ("a: " + "9" * 5000, "f.yaml:1: a: expected a number, found one of 5000 digits"),
])
def test_text(text: str, message: str) -> None:
    """Text that is not plain YAML says where and why."""
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml")
    assert str(caught.value) == message


def test_all_faults_of_a_file_come_together() -> None:
    """Reading goes on after a fault."""
    with pytest.raises(InputError) as caught:
        parse_yaml("a: 1\na: 2\nb: !x 3\n", "f.yaml")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


@pytest.mark.parametrize(("content", "message"), [
    (b"\x89HDF\r\n\x1a\n123", "expected a YAML file, found an HDF5 file"),
    (b"PK\x03\x04123", "expected a YAML file, found a zip or npz file"),
    (b"\x93NUMPY1", "expected a YAML file, found a NumPy file"),
    (b"\xff\xfea\x00", "expected a YAML file, found UTF-16 text"),
    (b"a: \x00", "expected a YAML file, found binary data"),
])
def test_other_kinds_of_files(tmp_path: Path, content: bytes, message: str) -> None:
    """A file of another kind is named."""
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}: {message}"


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    """The line of the first such byte is said."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}:2: expected UTF-8 text, found a byte that is not"


def test_a_folder(tmp_path: Path) -> None:
    """A folder is no file."""
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path)
    assert str(caught.value) == f"{tmp_path}: expected a YAML file, found a folder"


def test_a_missing_file(tmp_path: Path) -> None:
    """The nearest name in its folder is offered."""
    (tmp_path / "brunel.yaml").touch()
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "brunl.yaml")
    assert str(caught.value) == f"{tmp_path}/brunl.yaml: no such file (did you mean brunel.yaml?)"


def test_a_missing_folder(tmp_path: Path) -> None:
    """Nothing is offered where there is nothing."""
    with pytest.raises(InputError) as caught:
        read_yaml(tmp_path / "no" / "net.yaml")
    assert str(caught.value) == f"{tmp_path}/no/net.yaml: no such file"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """Arrays do not belong into YAML."""
    path = tmp_path / "f.yaml"
    path.write_bytes(np.full(17 * 2**20, ord("a"), np.uint8).tobytes())
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(caught.value) == (f"{path}: larger than 16 MiB; put arrays into npz, HDF5 or CSV files and name them "
                                 "with 'file:'")
