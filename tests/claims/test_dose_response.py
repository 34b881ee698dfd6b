"""Dose-response on synthetic tables with known truth."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims import mixed_logit
from mtalign.claims.dose_response import crossing, flips, predictors, shares
from mtalign.claims.untrained import gain_without_training
from mtalign.config.run import Run
from mtalign.tasks.registry import load_task


def table(rule, noise=0.02, seed=0):
    """Pairs over three tasks whose recovered share follows `rule` of the first measure; the second is unrelated."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in ("a", "b", "c"):
        for alignment in np.linspace(0, 1, 8):
            value = rule(alignment) + noise * rng.standard_normal()
            row = {
                "model": str(alignment),
                "task": task,
                "arm": "arm",
                "chance-corrected pass@4": alignment,
                "greedy": rng.random(),
                "value": value,
            }
            row |= {"draws": value + noise * rng.standard_normal(200), "took_off": 5 * (value > 0.5), "runs": 5}
            row |= {"seeds": list(range(5)), "shares": [value] * 5}
            measured = {name: np.full(200, row[name]) for name in ("chance-corrected pass@4", "greedy")}
            rows.append(row | {"measured": measured, "largest": value, "updates": 100})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("y, where", [([0.6, 0.7, 0.8], -np.inf), ([0.1, 0.2, 0.3], np.inf), ([0.0, 1.0, 1.0], 0.25)])
def test_the_crossing_is_found_between_points_or_said_to_be_nowhere(y, where):
    assert crossing(np.array([0.0, 0.5, 1.0]), np.array(y)) == where


def test_the_flip_lies_in_its_interval_and_near_the_truth():
    row = flips(table(lambda x: x)).iloc[0]
    assert row["low"] <= row["flip"] <= row["high"] and row["flip"] == pytest.approx(0.5, abs=0.08)
    assert row["x50_low"] < 0.5 < row["x50_high"] and row["x50"] == pytest.approx(0.5, abs=0.08)


def test_an_arm_that_always_holds_never_flips():
    row = flips(table(lambda x: 0.95)).iloc[0]
    assert row["flip"] == row["low"] == row["high"] == row["x50"] == row["x50_low"] == -np.inf


def test_the_measure_that_drives_the_claim_predicts_best():
    found = predictors(table(lambda x: x**2))
    assert found.iloc[0]["measure"] == "chance-corrected pass@4"
    assert found.iloc[0]["rank_correlation"] > 0.9 and found.iloc[0]["error"] < found.iloc[1]["error"]
    assert found.iloc[0]["low"] <= found.iloc[0]["rank_correlation"] <= found.iloc[0]["high"] + 1e-9


def test_alignment_is_resampled_with_its_prompts():
    known = table(lambda x: x)
    wide = known.assign(
        measured=[
            {name: m + noise for name, m in row.items()}
            for row, noise in zip(
                known["measured"], np.random.default_rng(1).normal(0, 0.1, (len(known), 200)), strict=True
            )
        ]
    )
    one, two = flips(known).iloc[0], flips(wide).iloc[0]
    assert two["high"] - two["low"] > one["high"] - one["low"]


def recorded(model, task, shift=0.0, seeds=4, prompts=12):
    """Made-up records in memory of one pair: base, standard RL and majority vote."""
    rng = np.random.default_rng(7)
    base = rng.binomial(64, 0.2, prompts)
    truth = [e.answer for e in load_task(task).eval[:prompts]]
    found = {}
    for arm, mean in (("base", 0.2), ("standard", 0.9), ("majority_vote", 0.6 + shift)):
        for seed in range(1 if arm == "base" else seeds):
            right = (
                base if arm == "base" else rng.binomial(64, np.clip(mean + 0.1 * rng.standard_normal(), 0, 1), prompts)
            )
            run = Run(model, task, arm, seed) if arm != "base" else Run(model, task).base
            evaluation = {"num_samples": 64, "correct": right.tolist(), "greedy": [False] * prompts}
            evaluation["answers"] = [{t: int(r), "": int(64 - r)} for t, r in zip(truth, right, strict=True)]
            config = {"model": model, "task": task, "arm": arm, "seed": seed, "max_steps": 100, "objective": "grpo"}
            found[run] = {"status": "finished", "config": config, "after": evaluation}
    return found


class Store(dict):
    read = dict.__getitem__


def test_pairs_of_a_task_share_their_prompts_and_not_their_seeds():
    store = Store(recorded("micro-a", "logic") | recorded("micro-b", "logic") | recorded("micro-a", "arithmetic"))
    found = shares(list(store), store)
    trained = found[found["arm"] == "majority_vote"].set_index(["model", "task"])
    a, b, other = (trained.loc[key] for key in (("micro-a", "logic"), ("micro-b", "logic"), ("micro-a", "arithmetic")))
    assert a["value"] == b["value"] and not np.array_equal(
        a["draws"], b["draws"]
    )  # the same numbers, other seeds drawn
    assert np.array_equal(a["measured"]["pass@4"], b["measured"]["pass@4"])  # the same prompts drawn
    assert not np.array_equal(a["measured"]["pass@4"], other["measured"]["pass@4"])
    assert abs(np.corrcoef(a["draws"], b["draws"])[0, 1]) < 0.3
    again = shares(list(store), store)
    assert np.array_equal(np.stack(found["draws"]), np.stack(again["draws"]))


def test_what_the_untrained_model_gives_stands_beside_the_arms():
    store = Store(recorded("micro-a", "logic"))
    found = shares(list(store), store).set_index("arm")
    assert {"greedy", "maj@16", "majority_vote"} == set(found.index)
    assert found.loc["greedy", "value"] < 0 and found.loc["greedy", "runs"] == 0
    assert found.loc["maj@16", "value"] > 0.8  # wrong samples have no answer, so that the right ones are the majority
    ways = gain_without_training(list(store), store).set_index("way")
    assert ways.loc["greedy", "share"].value == pytest.approx(found.loc["greedy", "recovered"].value)
    assert np.isnan(flips(found.reset_index()).set_index("arm").loc["greedy", "x50"])


def test_x50_knows_that_pairs_share_their_seeds():
    rows = []
    for alignment in np.linspace(0.02, 0.5, 12):
        for model in "ab":
            shares = [float(alignment > at) for at in (0.1, 0.1, 0.2, 0.3, 0.3)]  # a seed moves all pairs alike
            row = {"model": f"{model} {alignment}", "task": "t", "arm": "arm", "chance-corrected pass@4": alignment}
            row |= {"took_off": int(sum(shares)), "runs": 5, "seeds": list(range(5)), "shares": shares, "largest": 1.0}
            row |= {"value": np.mean(shares), "draws": np.full(50, np.mean(shares)), "updates": 100}
            rows.append(row | {"measured": {"chance-corrected pass@4": np.full(50, alignment)}})
    found = flips(pd.DataFrame(rows)).iloc[0]
    alone = mixed_logit.crossing(
        *([row[c] for row in rows] for c in ("chance-corrected pass@4", "took_off", "runs", "model"))
    )
    assert found["x50"] == alone.x50 and found["x50_low"] < alone.low and found["x50_high"] > alone.high
