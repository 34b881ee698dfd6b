"""Forecasts are scored on tasks that they were not made from, by the forecaster that is shown: what is known by heart gets no credit."""

import pytest

from mtalign.config import paths
from mtalign.diagnosis import held_out, measured
from mtalign.diagnosis.forecast import forecasts
from mtalign.diagnosis.words import scores

MEASURE = "chance-corrected pass@4"
EVERYWHERE = {"value": 0.5, "low": 0.45, "high": 0.55}
STUDY = paths.PACKAGE.parent / "reports" / "study"
committed = pytest.mark.skipif(not (STUDY / "records").is_dir(), reason="needs a checkout with reports/study")


def of(points, known=None):
    """The scores of standard RL's forecasts, which rest on the pairs alone, from pairs (task, alignment, share)."""
    pairs = [{"model": f"m{i}", "task": task, MEASURE: x, "share": share} for i, (task, x, share) in enumerate(points)]
    levels = {
        (p["model"], p["task"]): {MEASURE: {"value": p[MEASURE], "low": p[MEASURE], "high": p[MEASURE]}} for p in pairs
    }
    claim = "majority_vote" if known else "standard_rl"
    return held_out.scored(claim, MEASURE, pairs, levels, known or {task: {} for task, *_ in points})


def test_one_flip_for_all_tasks_beats_the_base_rate_and_a_flip_of_each_task_does_not():
    levels = (0.1, 0.2, 0.3, 0.6, 0.7, 0.8)
    common = of([(task, x, float(x > 0.4)) for task in "abc" for x in levels])
    assert common["brier"] < 0.1 < common["base_brier"]
    assert common["said"] == pytest.approx(common["base_rate"], abs=0.02) and common["pairs"] == 18
    other = of([(t, x, float(x > 0.4) if t == "a" else float(x < 0.4)) for t in "ab" for x in levels])
    assert other["brier"] > other["base_brier"]


def test_a_pair_is_forecast_by_the_threshold_that_was_made_without_its_task_and_not_beyond_what_was_measured():
    flip = {"low": 0.3, "high": 0.5, "pairs": 18, "right": 18}
    points = [(task, x, float(x > 0.4)) for task in "ab" for x in (0.1, 0.9)]
    own = {"a": {"majority_vote": {"flip": 0.4, **flip}}, "b": {}}  # without b too few pairs are left
    assert of(points, own) == of([*points[:2], ("b", 0.1, 1.0), ("b", 0.9, 0.0)], own) | {"base_brier": 0.25}
    assert (of(points, own)["pairs"], of(points, own)["unknown"]) == (2, 2)
    assert of([("a", 0.95, 1.0), ("b", 0.1, 0.0), ("b", 0.2, 0.0)], own) is None


def test_every_measured_pair_of_a_scored_claim_is_scored_or_said_to_be_unknown():
    for known in measured.scores().values():
        for claim, found in known.items():
            assert found["pairs"] + found["unknown"] == len(measured.rows(claim)) and found["pairs"] > 0


@pytest.mark.slow
@committed
def test_all_shipped_scores_are_those_of_the_records():
    assert held_out.compute(STUDY) == measured.scores(), "run: python -m mtalign.diagnosis.held_out reports/study"


def test_every_forecast_that_is_scored_says_on_how_many_pairs():
    found = [f for f in forecasts({MEASURE: EVERYWHERE}) if f.scores]
    assert {"standard_rl", "majority_vote", "negative_samples"} <= {f.claim for f in found}
    for f in found:
        assert 0 <= f.scores["brier"] <= 1 and f", {f.scores['pairs']}" in scores(f)
