"""Forecasts are scored on tasks that they were not made from: what is known by heart gets no credit."""

import pytest

from mtalign.diagnosis import measured
from mtalign.diagnosis.forecast import forecasts
from mtalign.diagnosis.words import scores

MEASURE = "chance-corrected pass@4"
EVERYWHERE = {"value": 0.5, "low": 0.45, "high": 0.55}


@pytest.fixture
def study(monkeypatch):
    def given(points):
        rows = [
            {"model": f"m{i}", "task": task, MEASURE: level, "share": share}
            for i, (task, level, share) in enumerate(points)
        ]
        monkeypatch.setattr(measured, "load", lambda: {"claims": {"made_up": rows}})
        measured.held_out.cache_clear()
        return measured.held_out("made_up", MEASURE)

    yield given
    measured.held_out.cache_clear()


def test_one_flip_for_all_tasks_beats_the_base_rate_and_a_flip_of_each_task_does_not(study):
    levels = (0.1, 0.2, 0.3, 0.6, 0.7, 0.8)
    common = study([(task, x, float(x > 0.4)) for task in "abc" for x in levels])
    assert common["brier"] < 0.1 < common["base_brier"] and common["said"] == pytest.approx(
        common["base_rate"], abs=0.01
    )
    other = study([(t, x, float(x > 0.4) if t == "a" else float(x < 0.4)) for t in "ab" for x in levels])
    assert other["brier"] > other["base_brier"]


def test_one_task_cannot_be_held_out(study):
    assert study([("a", 0.1, 0.0), ("a", 0.9, 1.0)]) is None


def test_every_forecast_of_the_study_has_its_scores_and_says_how_many_pairs():
    found = [f for f in forecasts({MEASURE: EVERYWHERE}) if f.scores]
    assert len(found) >= 10
    for f in found:
        assert 0 <= f.scores["brier"] <= 1 and f.scores["pairs"] >= 4 and scores(f).endswith(f", {f.scores['pairs']}")
