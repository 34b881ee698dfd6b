"""The map's tables say what planted cells hold, and predictions are judged by their rules alone."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims.between_levels import axes, heterogeneity, hits, spreads
from mtalign.claims.level_errors import at_seeds
from mtalign.claims.level_thresholds import crossings
from mtalign.claims.levels import (
    GAINED,
    LARGER_ONE,
    MEASURE,
    ONE,
    ONES,
    SLOW_ONE,
    cells,
    level,
    planned,
    runs_in,
    usual_seeds,
)  # fmt: skip
from mtalign.claims.map_predictions import PREDICTIONS, judged
from mtalign.config.grid import load_grid
from mtalign.config.run import Run
from mtalign.records.store import Records


def planted(level: str, x50: float, runs: int = 8, theory: float | None = None, pretraining: int = 3) -> pd.DataFrame:
    """Cells of six doses that take off as one, above `x50`; the theory puts it where it says."""
    rows = []
    for dose in (0.02, 0.04, 0.055, 0.07, 0.1, 0.2):  # one step: nothing for an intercept of checkpoints to tell
        for seed in range(pretraining):
            x = dose * (1 + 0.02 * seed)
            taken = runs if x > x50 else 0
            told = 1.0 if x > (theory or x50) else 0.0
            row = {
                "level": level,
                "model": f"{level} {dose} {seed}",
                "dose": dose,
                "pretraining": seed,
                "testable": True,
                "gain": 0.5,
            }
            row |= dict.fromkeys(("working", "pass@1", "maj@16", MEASURE, GAINED), x) | {
                "taken": taken,
                "runs": runs,
                "theory": told,
            }
            rows.append(row | {"seeds": list(range(runs)), "shares": [float(taken > 0)] * runs})
    return pd.DataFrame(rows)


def x50s(centre: tuple[float, float, float], **levels: tuple[float, float, float]) -> pd.DataFrame:
    """Levels with x50 and its interval, as `crossings` gives them; the ratio to the centre has the level's own relative error."""
    found = pd.DataFrame.from_dict({"centre": centre} | levels, orient="index", columns=["x50", "low", "high"])
    found[["reference_x50", "reference_low", "reference_high"]], found["seeds"] = centre, 4
    known = np.isfinite(centre[0]) & np.isfinite(found["x50"])
    for name, end in (("ratio", "x50"), ("ratio_low", "low"), ("ratio_high", "high")):
        found[name] = np.where(known, found[end] / centre[0], np.nan)
    for name, end, other in (("ratio_low", "low", centre[2]), ("ratio_high", "high", centre[1])):
        found.loc[~known, name] = (
            np.maximum(found[end], 0) / other if np.isfinite(other) else (0 if end == "low" else np.inf)
        )
    found["apart"] = (found["ratio_low"] > 1) | (found["ratio_high"] < 1)
    return found


def rule(name: str):
    return next(each.rule for each in PREDICTIONS if each.name == name)


def test_x50_of_a_level_lies_in_the_gap_where_its_cells_begin_to_take_off():
    table = pd.concat([planted("centre", 0.06, pretraining=1), planted("few", 0.15, pretraining=1)])
    found = crossings(table, "working").set_index("level")
    assert 0.057 < found.loc["centre", "x50"] < 0.07 and 0.1 < found.loc["few", "x50"] < 0.2
    assert found.loc["few", "apart"] and not found.loc["centre", "apart"]
    assert found.loc["centre", "runs"] == 48


def test_a_cell_where_standard_rl_gains_nothing_is_counted_and_left_out():
    table = planted("centre", 0.06, pretraining=1)
    table.loc[table["dose"] == 0.02, "testable"] = False
    found = crossings(table, "working").iloc[0]
    assert (found["cells"], found["untestable"], found["runs"]) == (5, 1, 40)


def test_a_shift_of_the_threshold_is_right_one_the_other_way_wrong_none_undecided():
    centre = (0.06, 0.05, 0.07)
    assert rule("fallible")(x50s(centre=centre, **{"right=0.7": (0.15, 0.1, 0.2)})) is True
    assert rule("fallible")(x50s(centre=centre, **{"right=0.7": (0.03, 0.02, 0.04)})) is False
    assert rule("fallible")(x50s(centre=centre, **{"right=0.7": (0.065, 0.06, 0.08)})) is None
    assert rule("fallible")(x50s(centre=centre)) is None
    assert rule("slow")(x50s(centre=centre, **{"lr=0.0001": (0.06, 0.05, 0.08)})) is True
    assert rule("slow")(x50s(centre=centre, **{"lr=0.0001": (0.2, 0.15, 0.3)})) is False
    assert rule("slow")(x50s(centre=centre, **{"lr=0.0001": (0.06, 0.02, 0.2)})) is None
    assert rule("slow")(x50s(centre=(np.inf, 0.2, np.inf), **{"lr=0.0001": centre})) is False
    assert rule("slow")(x50s(centre=(np.inf, 0.05, np.inf), **{"lr=0.0001": centre})) is None
    far = (
        x50s(centre=centre, **{"lr=0.0001": (0.2, 0.15, 0.3)}),
        x50s(centre=centre, **{"lr=0.0001": (np.inf, 0.2, np.inf)}),
    )
    assert [rule("slow")(each) for each in far] == [False, False]
    assert [rule("slow")(each.assign(seeds=2)) for each in far] == [None, None]  # two seeds tell nothing apart


def test_a_level_is_judged_only_once_most_of_its_runs_have_finished():
    table = planted("centre", 0.06, pretraining=1)
    assert set(judged(table, {"centre": 1000})["outcome"]) == {"undecided"}
    found = judged(table, {"centre": 48}).set_index("prediction")["outcome"]
    assert found["standard"] == "right" and found["theory"] == "right" and found["fallible"] == "undecided"


def test_a_level_is_compared_with_the_centre_at_its_own_seeds():
    early, late = planted("centre", 0.06, runs=4, pretraining=1), planted("centre", 0.15, runs=4, pretraining=1)
    centre = early.assign(
        seeds=[list(range(8))] * len(early),
        shares=[one + other for one, other in zip(late["shares"], early["shares"], strict=True)],
        taken=late["taken"] + early["taken"],
        runs=8,
    )  # seeds 0 to 3 take off above 0.15, seeds 4 to 7 above 0.06
    table = pd.concat([centre, planted("few", 0.15, runs=4, pretraining=1)])
    assert usual_seeds(table) == {0, 1, 2, 3}
    found = crossings(table, "working").set_index("level")
    assert found.loc["few", "reference_x50"] == found.loc["few", "x50"] and not found.loc["few", "apart"]
    assert found.loc["centre", "x50"] < found.loc["few", "x50"] and found.loc["centre", "runs"] == 48
    assert at_seeds(table, [7]).groupby("level")["runs"].sum().to_dict() == {"centre": 6}


def test_random_rewards_are_not_tested_where_the_majority_itself_ends_as_low():
    def runs(majority: float) -> pd.DataFrame:
        change = {"random_clipped": -0.1, "shuffled_clipped": -0.1, "majority_clipped": majority}
        return pd.DataFrame(
            {"dose": dose, "arm": arm, "clip_fraction": 0.1, "change": value + noise}
            for dose in (0.07, 0.2)
            for arm, value in change.items()
            for noise in (-0.01, 0.0, 0.01)
        )

    for name in ("drift", "erosion"):
        assert rule(name)(runs(majority=-0.1)) is None and rule(name)(runs(majority=0.3)) is True


def test_every_outcome_stands_beside_the_numbers_that_its_rule_looked_at():
    table = pd.concat([planted("centre", 0.06), planted("agree=0.3", 0.15), planted("agree=0.6", 0.15)])
    found = judged(table, {"centre": 144, "agree=0.3": 144, "agree=0.6": 144}).set_index("prediction")
    assert (
        "the centre 0.06" in found.loc["agree", "because"]
        and "0.3 of wrong guesses agree 0.1" in found.loc["agree", "because"]
    )
    assert found.loc["negatives", "because"] == "its runs have not finished"
    assert "not finished" in found.loc["slow", "because"]
    without = judged(table[table["level"] != "centre"], {"agree=0.3": 144, "agree=0.6": 144})
    assert set(without.loc[without["prediction"] != "agree more", "outcome"]) == {"undecided"}


def test_random_rewards_are_drift_where_they_end_as_a_shuffled_majority_does():
    rng = np.random.default_rng(0)

    def runs(gap: float, spread: float) -> pd.DataFrame:
        rows = [
            {
                "dose": dose,
                "arm": arm,
                "clip_fraction": 0.1,
                "change": rng.normal(gap * (arm == "random_clipped"), spread),
            }
            for dose in (0.07, 0.2)
            for arm in ("random_clipped", "shuffled_clipped")
            for _ in range(18)
        ]
        return pd.DataFrame(rows)

    assert rule("drift")(runs(0.0, 0.02)) is True
    assert rule("drift")(runs(0.2, 0.02)) is False
    assert rule("drift")(runs(0.0, 0.5)) is None
    assert rule("clipping")(runs(0.0, 0.02)) is True


def test_the_theory_is_right_where_it_says_what_came_and_wrong_where_it_does_not():
    assert hits(planted("centre", 0.06))["theory"].iloc[0] == 1
    assert hits(planted("centre", 0.06, theory=0.15))["theory"].iloc[0] < 0.85
    assert rule("theory")(planted("centre", 0.06, theory=0.15)) is False


def test_a_measure_predicts_a_level_from_the_others():
    found = hits(pd.concat([planted("centre", 0.06), planted("few", 0.15)])).set_index("level")
    assert found.loc["centre", MEASURE] == pytest.approx(1 - 3 * 8 * 2 / 144)  # two doses lie between the thresholds


def test_spreads_tell_checkpoints_from_seeds():
    rng = np.random.default_rng(0)
    rows = [
        {"level": "a", "dose": dose, "shares": (rng.normal(0, 0.3) + rng.normal(0, 0.1, 8)).tolist()}
        for dose in range(50)
        for _ in range(3)
    ]
    found = spreads(pd.DataFrame(rows))
    assert found["checkpoints"] == pytest.approx(0.3, abs=0.05) and found["seeds"] == pytest.approx(0.1, abs=0.01)


def test_one_example_is_judged_by_means_and_its_choice_by_a_difference_that_is_sure():
    def runs(best: float, other: float) -> pd.DataFrame:
        shares = [("best", best), ("random", other)]
        return pd.DataFrame(
            {"dose": dose, "rank": rank, "share": share + noise}
            for dose in (0.2, 0.4)
            for rank, share in shares
            for noise in (-0.02, 0, 0.02)
        )

    assert rule("one example")(runs(0.8, 0.8)) is True and rule("one example")(runs(0.3, 0.8)) is False
    assert rule("which example")(runs(0.8, 0.8)) is True and rule("which example")(runs(0.8, 0.5)) is False
    assert rule("which example")(runs(0.8, 0.7)) is None
    assert rule("which example")(runs(0.8, 0.8).assign(accuracy=0.1, chance=0.1)) is None


def test_one_example_at_a_lower_rate_is_compared_with_the_usual_one_at_each_dose():
    def runs(slow: float, usual: float) -> pd.DataFrame:
        return pd.DataFrame(
            {"level": level, "dose": dose, "rank": "best", "share": share + noise}
            for dose in (0.2, 0.4)
            for level, share in ((SLOW_ONE, slow), (ONE, usual))
            for noise in (-0.02, 0, 0.02)
        )

    assert rule("slow example")(runs(0.1, -0.4)) is True and rule("slow example")(runs(-0.4, 0.1)) is False
    assert rule("slow example")(runs(0.1, 0.1)) is None
    assert rule("slow is not enough")(runs(0.1, 0.0)) is True and rule("slow is not enough")(runs(0.6, 0.0)) is False


def test_one_example_with_more_parameters_is_judged_by_its_own_runs():
    def outcome(share: float, usual: float) -> str:
        one = pd.DataFrame(
            {"level": level, "dose": dose, "rank": rank, "share": value}
            for level, value in ((LARGER_ONE, share), (ONE, usual))
            for dose in (0.2, 0.4)
            for rank in ("best", "random")
        )
        found = judged(planted("centre", 0.06), {"centre": 1, "one": 4, "larger one": 4}, one=one)
        return found.set_index("prediction").loc["larger example", "outcome"]

    assert outcome(0.2, 0.9) == "right" and outcome(0.9, 0.2) == "wrong"


def test_runs_on_one_example_at_another_rate_are_judged_apart_and_shown_beside():
    one = pd.DataFrame(
        {"level": level, "dose": dose, "rank": rank, "share": share}
        for level, share in ((ONE, -0.4), (SLOW_ONE, 0.9))
        for dose in (0.2, 0.4)
        for rank in ("best", "random")
    )
    found = judged(planted("centre", 0.06), {"centre": 1, "one": 4, "slow one": 4}, one=one).set_index("prediction")
    assert found.loc["one example", "outcome"] == "wrong" and "3e-05" not in found.loc["one example", "because"]
    assert found.loc["slow is not enough", "outcome"] == "wrong"
    assert "3e-05" in found.loc["slow example", "because"] and "-0.40" not in found.loc["slow is not enough", "because"]
    missing = judged(planted("centre", 0.06), {"centre": 1, "one": 4, "slow one": 8}, one=one).set_index("prediction")
    assert missing.loc["slow example", "outcome"] == "undecided" != missing.loc["one example", "outcome"]


def test_every_level_that_a_prediction_names_is_one_of_the_grid():
    counts = planned(load_grid("params/map.yaml").runs)
    named = {"centre", "agree=0.3", "agree=0.6", "arithmetic-4", "arithmetic-100", "right=0.7", "lr=0.0001", "lr=0.001"}
    named |= {"updates=50", "size=3m, lr=0.0001", *ONES}
    assert named | {"updates=400", "group=4", "drift"} <= set(counts) and counts["centre"] == 144
    assert len({each.name for each in PREDICTIONS}) == len(PREDICTIONS)


def test_cells_pair_runs_with_standard_rl_of_their_own_setting(tmp_path):
    store = Records(tmp_path)
    store.prepare()
    model = "micro:arithmetic?dose=0.1&agree=0.3"
    given = {"model": model, "task": "arithmetic", "num_samples": 4, "eval_prompts": 3}
    slow = {"learning_rate": 1e-4}

    def record(run: Run, right: list[int]) -> dict:
        after = {"num_samples": 4, "correct": right, "thinking": 0.12, "greedy": [False] * 3, "majority": [0.0] * 3}
        after["answers"] = [{"1": 2, "2": 2}] * 3
        train = {"num_samples": 4, "correct": [1, 1], "answers": [{"1": 2, "2": 2}] * 2}
        return {"status": "finished", "after": after, "train": train} | ({} if run.max_steps else {"before": after})

    runs = {
        Run(**given).base: [0, 1, 0],
        Run(**given): [4, 4, 4],
        Run(**given, arm="majority_vote", reward="majority_vote"): [4, 4, 3],
        Run(**given, arm="majority_vote", reward="majority_vote", seed=1): [0, 0, 1],
        Run(**given, arm="standard_slow", **slow): [0, 1, 1],
        Run(**given, arm="majority_slow", reward="majority_vote", **slow): [0, 1, 1],
    }
    for run, right in runs.items():
        store.write(run, record(run, right))
    table = cells(runs_in(store), store).set_index("level")
    assert set(table.index) == {"agree=0.3", "agree=0.3, lr=0.0001"}
    assert (table.loc["agree=0.3", "taken"], table.loc["agree=0.3", "runs"]) == (1, 2)
    assert table.loc["agree=0.3", "testable"] and not table.loc["agree=0.3, lr=0.0001", "testable"]
    assert level(Run(**given)) == "agree=0.3"
    found = crossings(cells(runs_in(store), store), reference="agree=0.3").set_index("level")
    assert found["runs"].to_dict() == {"agree=0.3": 2, "agree=0.3, lr=0.0001": 0}


def test_one_threshold_shows_no_spread_between_levels_and_two_do():
    rng = np.random.default_rng(0)
    found = {}
    for name, truth in (("one", [0.2] * 12), ("two", [0.2, 0.6] * 6)):
        log = np.log(truth) + rng.normal(0, 0.1, 12)
        found[name] = heterogeneity(pd.DataFrame({"x50": np.exp(log), "se": 0.1, "df": 20.0, "seeds": 4}))
    assert found["one"]["p"] > 0.05 and found["one"]["tau"] < 0.1
    assert found["two"]["p"] < 1e-6 and found["two"]["I2"] > 0.9
    assert found["two"]["tau"] == pytest.approx(np.log(3) / 2, rel=0.25)


def test_the_measure_on_which_levels_share_a_threshold_comes_first():
    table = pd.concat([planted("centre", 0.06), planted("few", 0.15)])
    table["pass@1"] = table[MEASURE] / table["level"].map({"centre": 0.065, "few": 0.14})  # about 1 at both thresholds
    found = axes(table, (MEASURE, "pass@1"))
    assert list(found["measure"]) == ["pass@1", MEASURE] and found["largest"][1] > 2 * found["smallest"][1]


def test_levels_without_a_finite_threshold_are_counted_and_left_out():
    ends = pd.DataFrame(
        {"x50": [0.2, 0.3, np.inf, 0.1], "se": [0.3, 0.3, np.nan, np.nan], "df": [4.0, 4.0, np.nan, np.nan], "seeds": 4}
    )
    assert (heterogeneity(ends)["levels"], heterogeneity(ends)["left_out"]) == (2, 2)
    assert np.isnan(heterogeneity(ends.iloc[2:])["Q"]) and heterogeneity(ends.assign(seeds=2))["levels"] == 0


def test_errors_that_rest_on_few_seeds_make_one_threshold_look_like_many_at_most_twice_too_often():
    rng, refuted, shares = np.random.default_rng(0), {"welch": [], "plain": []}, []
    for _ in range(300):
        errors = 0.2 * (rng.chisquare(3, 12) / 3) ** 0.5  # of four seeds each, as they are estimated
        ends = pd.DataFrame({"x50": np.exp(rng.normal(np.log(0.2), 0.2, 12)), "se": errors, "seeds": 4})
        refuted["welch"].append(heterogeneity(ends.assign(df=3.0))["p"] < 0.05)
        refuted["plain"].append(heterogeneity(ends.assign(df=1e6))["p"] < 0.05)
        shares.append(heterogeneity(ends.assign(df=3.0))["I2"])
    assert np.mean(refuted["welch"]) < 0.15 < 0.3 < np.mean(refuted["plain"])  # 0.11 of 6,000; nominal is 0.05
    assert np.mean(shares) < 0.2  # of a spread that is chance alone


def test_a_slow_example_is_judged_once_the_usual_rate_is_complete_and_beside_it_alone():
    one = pd.DataFrame(
        {"level": level, "dose": dose, "rank": rank, "share": share + noise}
        for level, share in ((ONE, -0.4), (SLOW_ONE, 0.3), (LARGER_ONE, 0.9))
        for dose in (0.2, 0.4)
        for rank, noise in (("best", 0.01), ("random", -0.01))
    )
    asked = {"centre": 1, "slow one": 4, "larger one": 4}
    found = judged(planted("centre", 0.06), asked | {"one": 4}, one=one).set_index("prediction")
    assert found.loc["slow example", "outcome"] == "right"
    assert all(words not in found.loc["slow example", "because"] for words in ("650k", "0.90"))
    usual = judged(planted("centre", 0.06), asked | {"one": 8}, one=one).set_index("prediction")["outcome"]
    assert (usual["slow example"], usual["slow is not enough"]) == ("undecided", "right")
