"""Dose-response on synthetic tables with known truth."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims.dose_response import crossing, flips, predictors


def table(rule, noise=0.02, seed=0):
    """Pairs over three tasks whose recovered share follows `rule` of the first measure; the second is unrelated."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in ("a", "b", "c"):
        for alignment in np.linspace(0, 1, 8):
            value = rule(alignment) + noise * rng.standard_normal()
            row = {
                "task": task,
                "arm": "arm",
                "chance-corrected pass@4": alignment,
                "greedy": rng.random(),
                "value": value,
            }
            rows.append(row | {"draws": value + noise * rng.standard_normal(200)})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("y, where", [([0.6, 0.7, 0.8], -np.inf), ([0.1, 0.2, 0.3], np.inf), ([0.0, 1.0, 1.0], 0.25)])
def test_the_crossing_is_found_between_points_or_said_to_be_nowhere(y, where):
    assert crossing(np.array([0.0, 0.5, 1.0]), np.array(y)) == where


def test_the_flip_lies_in_its_interval_and_near_the_truth():
    row = flips(table(lambda x: x)).iloc[0]
    assert row["low"] <= row["flip"] <= row["high"] and row["flip"] == pytest.approx(0.5, abs=0.08)


def test_an_arm_that_always_holds_never_flips():
    row = flips(table(lambda x: 0.95)).iloc[0]
    assert row["flip"] == row["low"] == row["high"] == -np.inf


def test_the_measure_that_drives_the_claim_predicts_best():
    found = predictors(table(lambda x: x**2))
    assert found.iloc[0]["measure"] == "chance-corrected pass@4"
    assert found.iloc[0]["rank_correlation"] > 0.9 and found.iloc[0]["error"] < found.iloc[1]["error"]
    assert found.iloc[0]["low"] <= found.iloc[0]["rank_correlation"] <= found.iloc[0]["high"] + 1e-9
