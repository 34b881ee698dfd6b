"""Predictions are judged by their rules: planted tables in, outcomes out, and every source ends in such a cell."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest

from mtalign.claims import decide
from mtalign.claims.decide_part import Part
from mtalign.claims.predictions import AFTER, Outcomes, above, afterwards
from mtalign.config import paths
from mtalign.notebook import judged
from mtalign.report.html import notebook_body
from mtalign.report.predictions import all_judged, judged_in
from mtalign.stats import Estimate

SOURCES = sorted(paths.shared("notebooks").glob("*.ipynb"))
PICTURES = ("figures.", "beside_ours(")
INF = float("inf")


def outcomes(found):
    return [each.outcome for each in found]


def headings(source):
    cells = json.loads(source.read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    return cells, texts, [text.split("\n")[0] for text in texts if text.startswith("## ")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_notebook_opens_with_its_verdict_and_ends_with_its_predictions_judged(source):
    cells, texts, found = headings(source)
    assert found[0] == "## Verdict" and found[-2:] == ["## Predictions, judged", "## Versions"]
    first = texts[texts.index(next(text for text in texts if text.startswith("## Verdict"))) + 1]
    assert any(picture in first for picture in PICTURES) and "display(" in first
    assert [c["cell_type"] for c in cells[:2]] == ["markdown", "code"]
    assert any(word in texts[-3] for word in ("judged", "found", "concluded")), "the last but one cell judges"
    assert not any("versions()" in text for text in texts[:-1])


def test_outcomes_travel_in_the_notebook_and_stand_beside_the_prediction(tmp_path):
    rows = Outcomes(
        [above(Estimate(0.1, 0.0, 0.2), 0.5, "it is large"), above(Estimate(0.9, 0.8, 1.0), 0.5, "so is it")]
    )
    data, metadata = rows._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cells = [
        nbformat.v4.new_markdown_cell("# Is it?\n\n**Prediction.** It is."),
        nbformat.v4.new_code_cell("x", outputs=[output]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    assert outcomes(rows) == [row["outcome"] for row in judged_in(tmp_path / "n.ipynb")] == ["refuted", "confirmed"]
    body = str(notebook_body(tmp_path / "n.ipynb")[0])
    beside = body.index("1 confirmed, 1 refuted, 0 undecided")
    assert body.index("It is.") < beside < body.index("It is large")


def test_a_pair_that_its_notebook_judged_is_listed_once():
    paired = [
        {
            "arm": "psr",
            "other": "psr_released",
            "model": "m",
            "task": "t",
            "alignment": 0.1,
            "difference": Estimate(0, 0, 0),
            "stem": "12_x",
        }
    ]
    assert len(all_judged(paired, [])) == 1
    assert all_judged(paired, [{"page": "12_x"}]) == [{"page": "12_x"}]


def test_an_open_interval_is_told_without_infinity_and_a_late_rule_says_so():
    one_seed = afterwards(above(judged.over_seeds(pd.Series([0.4])), 0.5, "it is large"))
    assert one_seed.outcome == "undecided" and "inf" not in one_seed.line() and AFTER in one_seed.line()


def test_crossings_that_lie_everywhere_or_nowhere_refute():
    flips = pd.DataFrame({"arm": ["random", "nsr", "majority_vote", "one_shot", "greedy"], "runs": [5, 5, 5, 5, 0],
                          "low": [INF, -INF, 0.1, 0.3, 0.1], "high": [INF, -INF, 0.2, INF, 0.2]})  # fmt: skip
    assert outcomes(judged.crossings(flips)) == ["refuted", "refuted", "confirmed", "undecided"]


def test_a_claim_is_judged_by_its_interval_and_one_that_cannot_be_is_undecided():
    rows = [("majority_vote", "holds", Estimate(0.9, 0.8, 1.0), "holds", ""), ("one_example", "holds", Estimate(0.2, 0.1, 0.3), "fails", ""),
            ("random_reward", "fails", Estimate(0.2, 0.1, 0.7), "inconclusive", ""), ("negative_samples", "holds", np.nan, "not testable", "no gain")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["claim", "predicted", "recovered", "verdict", "why"])
    table = table.assign(model="m", task="t", panel="strong")
    assert outcomes(judged.claims(table)) == ["confirmed", "refuted", "undecided", "undecided"]
    counted = judged.paper(table)
    assert outcomes(counted) == ["confirmed", "refuted", "undecided"] and "of 1 pairs" in counted[0].because


def test_drift_is_refuted_where_the_mean_moves_and_bias_where_it_stays():
    still, moved = Estimate(0, -0.01, 0.01), Estimate(0.2, 0.1, 0.3)
    rows = [("no_training", still, 0.01, 0.0), ("random", still, 0.1, 0.01), ("random_fast", moved, 0.1, 0.01)]
    table = pd.DataFrame(rows, columns=["arm", "change", "sd", "clip_fraction"]).assign(model="m", task="t")
    assert outcomes(judged.random_reward(table)) == ["refuted", "confirmed", "confirmed", "refuted"]


def test_the_mechanism_of_a_weak_pair_is_judged_from_its_curves():
    curves = pd.DataFrame(
        [{"model": "m", "task": "t", "arm": arm, "seed": seed, "step": step, "majority_right": 0.1 + seed / 100,
          "frac_reward_zero_std": 0.2 + seed / 100, "entropy": 1.0 - 0.1 * step + seed / 100}
         for arm in ("standard", "majority_vote") for seed in range(3) for step in (1, 5)]
    )  # fmt: skip
    spread = pd.DataFrame([("standard", Estimate(0.5, 0.4, 0.6), 1.0), ("majority_vote", Estimate(0, -0.01, 0.01), 0.0)],
                          columns=["arm", "change", "skilled"]).assign(model="m", task="t")  # fmt: skip
    found = judged.mechanism(curves, spread, {("m", "t"): 0.1})
    assert outcomes(found) == ["confirmed"] * len(found) and len(found) == 6
    assert all(AFTER in each.rule for each in found)


def test_a_published_rank_and_a_contaminated_task_are_judged():
    from mtalign.diagnosis import contamination, published

    def row(task, fresh, right):
        return {
            "task": task,
            "fresh": fresh,
            "share": 0.5,
            "questions": 20,
            "exact_match": Estimate(0, 0, 0.1),
            "right": right,
        }

    low, high = Estimate(0.1, 0.0, 0.2), Estimate(0.8, 0.6, 0.9)
    table = pd.DataFrame([row("known", False, high), row("unknown", False, low), row("fresh", True, low)])
    assert outcomes(contamination.judged(table)) == ["refuted", "confirmed"]
    stability = {"places": pd.DataFrame({"index": [7]}), "first": {7: 0.6}}
    none = pd.DataFrame(columns=["panel", "paper", "corrected"])
    assert outcomes(published.judged(none, stability)) == ["refuted"]


def test_the_paper_is_refuted_by_a_level_whose_threshold_lies_apart_from_the_centres():
    rows = [("centre", 0.2, 0.15, 0.25, False), ("agree=0.6", 0.7, 0.6, 0.8, True), ("group=4", 0.2, 0.16, 0.24, False)]
    table = pd.DataFrame([*rows, ("lr=0.0001", 0.2, 0.1, 0.4, False)], columns=["level", "x50", "low", "high", "apart"])
    table = table.assign(reference_x50=0.2, reference_low=0.15, reference_high=0.25)
    table = table.assign(
        seeds=4, ratio=table["x50"] / 0.2, ratio_low=table["low"] / 0.2, ratio_high=table["high"] / 0.2
    )
    found = judged.of_the_map(pd.DataFrame(columns=["words", "outcome", "because"]), table)
    assert outcomes(found) == ["refuted", "confirmed", "undecided"]
    assert {each.source for each in found} == {judged.PAPER} and "0.70 [0.60, 0.80]" in found[0].because


def test_the_registered_threshold_and_the_map_use_the_same_three_words(monkeypatch):
    rows = [
        ("a", "transfers", 0.1, 0.08, 0.2),
        ("b", "does not transfer", 0.6, 0.5, 0.7),
        ("c", "undecided", -INF, -INF, 0.4),
    ]
    table = pd.DataFrame(rows, columns=["task", "outcome", "x50", "low", "high"]).assign(registered=0.13, warm_seed=0)
    monkeypatch.setattr(decide, "thresholds", lambda outcomes: outcomes)
    found = judged.decided(table, Part((0,), 1, 70, 70))
    assert outcomes(found) == ["confirmed", "refuted", "undecided"] and "inf" not in found[2].line()
    found = judged.decided(table, Part((), 4, 30, 250))
    assert outcomes(found) == ["undecided"] * 3 and "30 of 250 registered runs are there" in found[0].line()
    mapped = pd.DataFrame({"words": ["x", "y", "z"], "outcome": ["right", "wrong", "undecided"]}).assign(because="")
    assert outcomes(judged.of_the_map(mapped)) == ["confirmed", "refuted", "undecided"]
    assert "1 confirmed, 1 refuted, 1 undecided" in judged.in_short(judged.of_the_map(mapped)).data
