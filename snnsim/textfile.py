"""Text files, and what else may be found where one was expected."""

from __future__ import annotations

from pathlib import Path

from snnsim.errors import InputError, Problem, did_you_mean

MAX_BYTES = 16 * 2**20

_SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file", b"PK\x03\x04": "a zip or npz file", b"\x93NUMPY": "a NumPy file",
    b"\x89PNG": "a PNG image", b"%PDF": "a PDF file", b"\x1f\x8b": "a gzip file",
    b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text",
}


def read_text(path: Path) -> str:
    """The text of `path`; ``InputError`` where it is not a readable text file."""
    file = str(path)
    if path.is_dir():
        raise InputError(Problem("", "expected a YAML file, found a folder", file))
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(Problem("", f"no such file{did_you_mean(path.name, names)}", file))
    if not path.is_file():
        raise InputError(Problem("", "expected a YAML file, found something that is not a regular file", file))
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(Problem("", f"cannot be read: {error.strerror}", file)) from error
    return _decode(content, file)


def _decode(content: bytes, file: str) -> str:
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            raise InputError(Problem("", f"expected a YAML file, found {kind}", file))
    if len(content) > MAX_BYTES:
        raise InputError(Problem("", f"larger than {MAX_BYTES // 2**20} MiB; put arrays into npz, HDF5 or CSV files "
                                     "and name them with 'file:'", file))
    if b"\0" in content:
        raise InputError(Problem("", "expected a YAML file, found binary data", file))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(Problem("", "expected UTF-8 text, found a byte that is not", file, line)) from error
