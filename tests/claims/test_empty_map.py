"""The map's notebook is read while its grid has only begun."""

from mtalign.claims import between_levels, levels
from mtalign.records.store import Records


def test_a_map_of_which_nothing_is_finished_is_empty_and_no_error(tmp_path):
    cells = levels.cells([], Records(tmp_path))
    assert list(levels.crossings(cells)["x50"]) == [] and set(levels.EMPTY) == set(cells.columns)
    assert between_levels.axes(cells)["levels"].eq(0).all() and between_levels.hits(cells).empty
