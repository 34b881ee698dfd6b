"""P14 in a map is judged by its levels, as the map's index judges them; elsewhere by couples of tasks."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims import levels, paper_levels, paper_verdicts
from mtalign.claims.levels import MEASURE
from mtalign.claims.paper import Found
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.report import level_findings


def planted(level: str, x50: float, doses=(0.05, 0.1, 0.2, 0.3, 0.4, 0.6)) -> pd.DataFrame:
    """Cells of a level: runs take off the more surely, the farther alignment is above `x50`; those next to it by halves."""
    rows = []
    for dose in doses:
        for seed in range(3):
            x, runs = dose * (1 + 0.05 * seed), 4
            taken = round(runs / (1 + (x50 / x) ** 6))
            row = {"level": level, "model": f"{level} {dose} {seed}", "testable": True, "gain": 0.5, MEASURE: x}
            row |= {"taken": taken, "runs": runs, "seeds": list(range(runs))}
            rows.append(row | {"shares": [1.0] * taken + [0.0] * (runs - taken)})
    return pd.DataFrame(rows)


SAME = pd.concat([planted("centre", 0.2), planted("few", 0.2)])
OTHER = pd.concat([planted("centre", 0.1), planted("few", 0.4)])


def found_of(cells: pd.DataFrame) -> Found:
    return paper_levels.alike_at_equal_alignment([], None, cells)


def test_levels_with_thresholds_apart_refute_the_claim_and_levels_alike_leave_it_open():
    apart, alike = found_of(OTHER), found_of(SAME)
    assert apart.outcome == "fails" and "do not take off at one threshold" in apart.because
    assert list(apart.estimates) == ["lowest threshold (centre)", "highest threshold (few)"]
    assert alike.outcome == "undecided" and "is not refuted, which does not show" in alike.because


@pytest.mark.parametrize(("cells", "outcome"), [(SAME, "undecided"), (OTHER, "fails")])
def test_the_page_of_claims_and_the_index_of_a_map_say_the_same(cells, outcome):
    sentence, found = level_findings._one_threshold(cells), found_of(cells)
    assert ("is not refuted" in sentence) is (outcome == "undecided") and found.outcome == outcome
    assert "over 2 levels" in sentence and "over 2 levels" in found.because


def test_one_level_with_an_interval_tests_nothing():
    ends = pd.DataFrame(
        {"level": ["a", "b"], "x50": [0.2, np.nan], "se": [0.3, np.nan], "df": [4.0, np.nan], "seeds": 4}
    )
    found = paper_levels.share_a_threshold(ends)
    assert found.outcome == "not tested here" and "fewer than two levels" in found.because


@pytest.mark.parametrize(("model", "by_levels"), [("micro:arithmetic?dose=0.1", True), ("dose-0.10", False)])
def test_only_a_grid_of_models_by_recipe_is_judged_by_levels(model, by_levels, monkeypatch, tmp_path):
    run = Run(model, "arithmetic", "standard")
    arms = {"standard": [{"config": {"seed": 0}, "status": "finished"}]}
    monkeypatch.setattr(paper_verdicts, "RULES", dict.fromkeys(paper_verdicts.RULES, lambda found: Found("holds")))
    monkeypatch.setattr("mtalign.claims.paper.grouped", lambda block, records: {(model, "arithmetic"): arms})
    monkeypatch.setattr(levels, "cells", lambda runs, records, theory: OTHER)
    monkeypatch.setattr(paper_levels, "completed", lambda cells, planned: cells)
    found = paper_verdicts.judged(iter([[run]]), Records(tmp_path))["micro"]
    assert found["P13"].outcome == "holds" and found["P14"].outcome == ("fails" if by_levels else "holds")


def test_a_map_without_a_finished_level_is_not_tested(tmp_path):
    run = Run("micro:arithmetic?dose=0.1", "arithmetic", reward="majority_vote")
    found = paper_levels.alike_at_equal_alignment([run], Records(tmp_path))
    assert found.outcome == "not tested here"
