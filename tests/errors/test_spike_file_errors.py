"""The full text of every message about a file with spikes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from snnsim.errors import InputError
from snnsim.spike_files import read_spikes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of spike files with something wrong in each."""
    with h5py.File(tmp_path / "two.h5", "w") as file:
        for name in ("v1", "lgn"):
            file[f"spikes/{name}/node_ids"], file[f"spikes/{name}/timestamps"] = [1], [1.0]
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["edges"] = [1]
    with h5py.File(tmp_path / "times.h5", "w") as file:
        file["spikes/v1/timestamps"] = [1.0]
    for name, ids, times in (("uneven.h5", [1, 2], [1.0]), ("nan.h5", [1], [np.nan]), ("negative.h5", [-1], [1.0])):
        with h5py.File(tmp_path / name, "w") as file:
            file["spikes/v1/node_ids"], file["spikes/v1/timestamps"] = ids, times
    with h5py.File(tmp_path / "unit.h5", "w") as file:
        file["spikes/v1/node_ids"], file["spikes/v1/timestamps"] = [1], [1.0]
        file["spikes/v1/timestamps"].attrs["units"] = "mV"
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "spikes.csv").write_text("timestamp,node\n1,2\n")
    (tmp_path / "nan.csv").write_text("timestamps,node_ids\nnan,2\n")
    (tmp_path / "word.csv").write_text("timestamps,node_ids\nsoon,2\n")
    return tmp_path


CASES = [
    ("none.h5", None, "file: 'none.h5' does not exist (did you mean nan.h5?)"),
    ("two.h5", None, "population: missing; two.h5 holds 2: lgn, v1"),
    ("two.h5", "v2", "population: unknown population of two.h5 'v2'; expected one of: lgn, v1 (did you mean v1?)"),
    ("other.h5", None, "other.h5: expected spikes as SONATA has them, in a group /spikes"),
    ("times.h5", None, "times.h5: expected timestamps and node_ids in /spikes/v1, found timestamps"),
    ("uneven.h5", None, "uneven.h5: expected as many times as ids, found 1 and 2"),
    ("nan.h5", None, "nan.h5, spikes/v1/timestamps: value number 0 is nan, expected finite numbers"),
    ("negative.h5", None, "negative.h5, spikes/v1/node_ids: value number 0 is -1, expected whole numbers from 0 on"),
    ("unit.h5", None, "wrong unit: expected a time (ms), found 1 mV (a voltage (mV))"),
    ("spikes.csv", None, "spikes.csv: expected a column 'timestamps', found timestamp, node (did you mean timestamp?)"),
    ("nan.csv", None, "nan.csv, timestamps: value number 0 is nan, expected finite numbers"),
    ("word.csv", None, "word.csv, timestamps: line 2: expected a number, found 'soon'"),
]


@pytest.mark.parametrize(("name", "population", "message"), CASES, ids=[message[:60] for *_, message in CASES])
def test_wrong_spike_files(name: str, population: str | None, message: str, folder: Path) -> None:
    """What is wrong with a file of spikes is said in one line."""
    with pytest.raises(InputError) as caught:
        read_spikes(name, folder, population)
    assert str(caught.value) == message


def test_damaged_file(folder: Path) -> None:
    """A damaged file is called so, with the reason that HDF5 gives."""
    with pytest.raises(InputError) as caught:
        read_spikes("broken.h5", folder)
    assert str(caught.value).startswith("broken.h5: damaged or unreadable: ")
