"""Other people's readers understand our files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snnsim.convert import convert, to_neo
from snnsim.recording import Recorder, RecordingPlan, TracePlan
from snnsim.result import Result

TIMES, IDS = np.array([1, 1, 3, 4, 4]), np.array([0, 2, 1, 0, 2])


def record(out: str, graded: bool = False) -> Result:
    """Five spikes of three units, and two rows of a trace of two units. graded: the spikes carry payloads."""
    plan = RecordingPlan(0.5, {"exc": 4}, [TracePlan("exc", "v", np.array([0, 2]), 2, "mV")],
                         graded=frozenset(["exc"] * graded))
    recorder = Recorder(plan, out)
    recorder.write_spikes("exc", TIMES, IDS, *[-IDS - 1] * graded)
    recorder.write_trace(0, np.array([[-70.0, -60.0], [-65.0, -55.0]]))
    recorder.commit(4)
    return recorder.close()


@pytest.mark.parametrize(("out", "spikes", "report"), [("o.h5", "", ""), ("o/", "spikes.h5", "v.h5")])
@pytest.mark.parametrize("graded", [False, True])
def test_libsonata_reads_spikes_and_reports(tmp_path: Path, out: str, spikes: str, report: str, graded: bool) -> None:
    """libsonata gives the same spikes, times and traces, from one file and from a folder, whatever spikes carry."""
    libsonata = pytest.importorskip("libsonata")
    record(f"{tmp_path}/{out}", graded)
    population = libsonata.SpikeReader(f"{tmp_path}/{out}{spikes}")["exc"]
    assert (population.sorting, population.time_units) == ("by_time", "ms")
    assert population.get() == [(int(i), 0.5 * t) for t, i in zip(TIMES, IDS, strict=True)]
    for reader in (libsonata.SomaReportReader, libsonata.ElementReportReader):
        trace = reader(f"{tmp_path}/{out}{report}")["exc"]
        assert (trace.times, trace.data_units, trace.get_node_ids()) == ((1.0, 3.0, 1.0), "mV", [0, 2])
        frame = trace.get()
        assert np.array_equal(frame.times, [1.0, 2.0])
        assert np.array_equal(frame.data, [[-70, -60], [-65, -55]])


def test_neo_block_holds_every_train(tmp_path: Path) -> None:
    """A Neo block has a segment per population and a train per unit, silent ones too."""
    pytest.importorskip("neo")
    segment = to_neo(record(f"{tmp_path}/o.h5")).segments[0]
    assert segment.name == "exc"
    trains = [train.rescale("ms").magnitude.tolist() for train in segment.spiketrains]
    assert trains == [[0.5, 2.0], [1.5], [0.5, 2.0], []]
    assert float(segment.spiketrains[0].t_stop) == 2.0


def test_neo_reads_the_text_export(tmp_path: Path) -> None:
    """Neo's AsciiSpikeTrainIO reads the .txt export: a line per unit that spiked."""
    neo = pytest.importorskip("neo")
    record(f"{tmp_path}/o.h5")
    convert(tmp_path / "o.h5", tmp_path / "o.txt")
    segment = neo.io.AsciiSpikeTrainIO(filename=str(tmp_path / "o.txt")).read_segment(unit="ms", t_start=0 * _ms())
    assert [train.magnitude.tolist() for train in segment.spiketrains] == [[0.5, 2.0], [1.5], [0.5, 2.0]]


def _ms() -> object:
    import quantities

    return quantities.ms
