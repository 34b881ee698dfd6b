"""The page of a study at work: an early picture that grows, and never in the place of a report."""

import re

import pytest
from test_pages import GRID, synthetic

from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.report.so_far import comparable, write_so_far
from mtalign.study.pipeline import in_order


@pytest.fixture
def study(tmp_path):
    """A grid with nothing finished, and its empty folder of records."""
    (tmp_path / "g.grid.yaml").write_text(GRID)
    records = Records(tmp_path / "records")
    records.prepare()
    return open_grid(tmp_path / "g.grid.yaml"), records, tmp_path


def test_the_first_block_goes_seed_by_seed_each_run_after_what_it_needs(study):
    order = in_order(study[0])
    assert set(order) == set(study[0].runs) and [run.seed for run in order] == sorted(run.seed for run in order)
    assert all(order.index(need) < order.index(run) for run in order for need in run.needs)


def test_the_picture_grows_and_shows_only_what_all_pairs_have(study):
    grid, records, out = study
    shown, texts = [], []
    for number, run in enumerate(in_order(grid)):
        records.write(run, synthetic(run))
        shown.append({(each.arm, each.seed) for each in comparable(grid, records)})
        if number in (0, 3, 9):
            write_so_far(grid, records, out, number + 1, 10.0, 5.0)
            texts.append((out / "index.html").read_text())
    assert [len(each) for each in shown] == [0, 0, 2, 2, 2, 3, 3, 4, 4, 5]
    pictures = [re.search(r'alt="(.*?)"', text) for text in texts]
    assert pictures[0] is None and "standard RL 1.00" in pictures[1][1] and "random reward" not in pictures[1][1]
    assert "random reward 0.28" in pictures[2][1] and "10 of 10 runs are finished" in texts[2]
    assert all('http-equiv="refresh"' in text and "about 5 s more" in text for text in texts)


def test_a_report_is_not_replaced_by_a_picture_of_what_is_finished(study):
    grid, records, out = study
    (out / "index.html").write_text("a report")
    write_so_far(grid, records, out, 0, 1.0, None)
    assert (out / "index.html").read_text() == "a report"
