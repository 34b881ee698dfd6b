"""The map's notebook is read while its grid has only begun."""

import pandas as pd

from mtalign.claims import between_levels, level_thresholds, levels
from mtalign.records.store import Records


def test_a_map_of_which_nothing_is_finished_is_empty_and_no_error(tmp_path):
    cells = levels.cells([], Records(tmp_path))
    assert list(level_thresholds.crossings(cells)["x50"]) == []
    assert between_levels.axes(cells)["levels"].eq(0).all() and between_levels.hits(cells).empty


def test_a_map_of_which_nothing_can_be_tested_has_every_column():
    cells = pd.DataFrame([dict.fromkeys(levels.EMPTY, 0.1) | {"level": "centre", "model": "a", "testable": False}])
    told = between_levels.hits(cells)
    assert told.empty and {"own", "theory", levels.MEASURE} <= set(told.columns)
    assert {"share of greedy", "share of maj@16"} <= set(levels.EMPTY)
