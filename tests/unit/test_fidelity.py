"""Fidelity: spikes kept, lost and gained, rates, distances and states, against numbers worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnsim.deploy.fidelity import Divergence, Match, Scale, compare
from snnsim.deploy.matching import partners
from snnsim.recording import Recorder, RecordingPlan, TracePlan
from snnsim.result import Result

Spikes = dict[str, list[tuple[int, int]]]


def recorded(spikes: Spikes, sizes: dict[str, int], traces: dict[tuple[str, str], list[list[float]]] | None = None,
             subsets: dict[str, list[int]] | None = None, every: int = 1) -> Result:
    """100 steps of 0.1 ms; spikes as (step, id)."""
    plans = [TracePlan(population, variable, np.arange(len(rows[0])), every, "mV")
             for (population, variable), rows in (traces or {}).items()]
    plan = RecordingPlan(0.1, sizes, plans, subsets={name: np.array(ids) for name, ids in (subsets or {}).items()})
    recorder = Recorder(plan)
    for name, pairs in spikes.items():
        steps, ids = (np.array([pair[k] for pair in sorted(pairs)], np.int64) for k in (0, 1))
        recorder.write_spikes(name, steps, ids)
    for k, rows in enumerate((traces or {}).values()):
        recorder.write_trace(k, np.array(rows, float))
    recorder.commit(100)
    return recorder.close()


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Steps and ids, sorted by both."""
    return tuple(np.array([pair[k] for pair in sorted(pairs)], np.int64) for k in (0, 1))  # type: ignore[return-value]


CELLS = {"cells": 3}
BEFORE = [(10, 0), (20, 0), (30, 1), (50, 1), (90, 1)]
AFTER = [(10, 0), (22, 0), (31, 1), (50, 1), (70, 2)]


def test_spikes_are_kept_lost_or_gained() -> None:
    """Exactly, and within two steps: 20 pairs with 22, 30 with 31; 90 and 70 stay alone."""
    [cells] = compare(recorded({"cells": BEFORE}, CELLS), recorded({"cells": AFTER}, CELLS), windows=(0, 0.2)).populations
    assert cells.spikes == (5, 5)
    assert cells.matches == (Match(0, 2, 3, 3), Match(0.2, 4, 1, 1))
    assert cells.first == Divergence(pytest.approx(2.0), 0, True)


def test_rates_are_those_of_each_unit() -> None:
    """Of 10 ms: unit 1 fires one spike less, unit 2 one more, 100 Hz each."""
    [cells] = compare(recorded({"cells": BEFORE}, CELLS), recorded({"cells": AFTER}, CELLS)).populations
    assert cells.changes.tolist() == pytest.approx([0, -100, 100])
    assert cells.mean_rates == pytest.approx((500 / 3, 500 / 3))
    found = cells.to_dict()
    assert (found["units"], found["units_changed"], found["rate_change"]) == (3, 2, pytest.approx(0))
    assert found["unit_rate_changes_hz"]["0%"] == pytest.approx(-100)
    assert found["unit_rate_changes_hz"]["50%"] == pytest.approx(0)


def test_distance_counts_each_spike_alone_by_half() -> None:
    """One of two spikes, far apart, is lost: sqrt(1/2), and as far from silence are both: 1."""
    far = [(1, 0), (2, 1)]
    [cells] = compare(recorded({"cells": far}, CELLS), recorded({"cells": far[:1]}, CELLS)).populations
    assert cells.distance == pytest.approx(math.sqrt(0.5))
    assert cells.relative_distance == pytest.approx(math.sqrt(0.5))


def test_equal_networks_do_not_diverge() -> None:
    """Every count is that of the spikes, and there is no first difference."""
    found = compare(recorded({"cells": BEFORE}, CELLS), recorded({"cells": BEFORE}, CELLS))
    assert found.first is None
    assert found.total(2.0) == Match(2.0, 5, 0, 0)
    assert (found.populations[0].distance, found.populations[0].relative_distance) == (0, 0)
    assert found.to_dict()["first_divergence"] is None


def test_silence_has_no_rate_to_change_by() -> None:
    """Numbers that there are not are NaN."""
    found = compare(recorded({"cells": []}, CELLS), recorded({"cells": [(3, 1)]}, CELLS)).populations[0].to_dict()
    assert math.isnan(found["rate_change"])
    assert math.isnan(found["van_rossum_relative"])
    assert found["first_divergence"] == {"time_ms": pytest.approx(0.3), "unit": 1, "spike": "gained"}
    assert math.isnan(found["cv_isi_float"])


def test_totals_leave_the_inputs_out() -> None:
    """Sources should do the same in both; whether they do is said."""
    sizes = {"in": 2, "cells": 3}
    before = recorded({"in": [(5, 0)], "cells": BEFORE}, sizes)
    same = compare(before, recorded({"in": [(5, 0)], "cells": AFTER}, sizes), inputs=["in"])
    assert (same.same_input, same.total(0.0), same.first) == (True, Match(0.0, 2, 3, 3), ("cells", same.populations[0].first))
    other = compare(before, recorded({"in": [(6, 0)], "cells": BEFORE}, sizes), inputs=["in"])
    assert (other.same_input, other.first) == (False, None)


def test_units_that_only_one_recorded_do_not_count() -> None:
    """Here unit 0."""
    before, after = recorded({"cells": BEFORE}, CELLS), recorded({"cells": AFTER}, CELLS, subsets={"cells": [1, 2]})
    assert compare(before, after).populations[0].spikes == (3, 3)


def test_states_are_compared_in_the_unit_of_the_float_network() -> None:
    """One unit of u is 0.5 mV above -70 mV; unit 1 loses its spike of step 30, after which its state does not count."""
    rows = np.zeros((100, 2)) - 70
    before = recorded({"cells": [(30, 1)]}, {"cells": 2}, {("cells", "v"): rows.tolist()})
    fixed = np.zeros((100, 2))
    fixed[9, 0], fixed[40, 1] = 4, -20
    after = recorded({"cells": []}, {"cells": 2}, {("cells", "u"): fixed.tolist()})
    [found] = compare(before, after, scales={("cells", "v"): Scale("u", 0.5, -70)}).traces
    assert (found.largest, found.largest_before, found.swing) == (10, 2, 0)
    assert found.rms == pytest.approx(math.sqrt((2**2 + 10**2) / 200))
    assert found.to_dict()["unit"] == "mV"
    by_unit = compare(before, after, scales={("cells", "v"): Scale("u", np.array([0.25, 0.5]), np.array([-70, -70.0]))})
    assert by_unit.traces[0].largest_before == 1


def test_what_comes_later_by_design_is_no_difference() -> None:
    """Spikes and states of step k + 2 stand for those of step k; the end has no counterpart."""
    rows = np.arange(100.0)[:, None]
    before = recorded({"cells": [*BEFORE, (99, 2)]}, CELLS, {("cells", "v"): rows.tolist()})
    after = recorded({"cells": [(1, 0), *((step + 2, unit) for step, unit in BEFORE)]}, CELLS,
                     {("cells", "v"): (rows - 2).tolist()})
    found = compare(before, after, scales={("cells", "v"): Scale("v", 1.0)}, lags={"cells": 2})
    assert (found.total(0.0), found.first) == (Match(0.0, 5, 0, 0), None)
    assert (found.traces[0].largest, found.traces[0].swing) == (0, 97)
    assert found.populations[0].mean_rates == pytest.approx((5 / 3 / 0.0098,) * 2)
    [state] = compare(before, after, scales={("cells", "v"): Scale("v", 1.0, late=2)}).traces
    assert state.largest == 0


def test_everything_can_be_said_in_json() -> None:
    """Numbers, texts and names only."""
    text = json.dumps(compare(recorded({"cells": BEFORE}, CELLS), recorded({"cells": AFTER}, CELLS)).to_dict())
    assert json.dumps(json.loads(text)) == text


TRAINS = st.lists(st.tuples(st.integers(1, 25), st.integers(0, 1)), unique=True, max_size=7)


def most_pairs(first: list[int], second: list[int], window: int) -> int:
    """By trying everything: the first spike stays alone, or goes with any of the others."""
    if not first:
        return 0
    rest = [most_pairs(first[1:], second[:k] + second[k + 1:], window) + 1 for k, step in enumerate(second)
            if abs(step - first[0]) <= window]
    return max([most_pairs(first[1:], second, window), *rest])


@given(TRAINS, TRAINS, st.integers(0, 6))
def test_there_are_as_many_pairs_as_can_be(first: list[tuple[int, int]], second: list[tuple[int, int]], window: int) -> None:
    """Against a search of all pairings; both sides have as many spikes in pairs, and no pair crosses units."""
    masks = partners(columns(first), columns(second), window)
    expected = sum(most_pairs(*([step for step, one in sorted(side) if one == unit] for side in (first, second)), window)
                   for unit in (0, 1))
    assert [int(mask.sum()) for mask in masks] == [expected, expected]
