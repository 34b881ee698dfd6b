"""The published record, on made-up numbers whose answer is known: orders, papers left out, thresholds, forecasts, rules."""

import os

import numpy as np
import pandas as pd
import pytest

from mtalign.claims import published_predictions, published_record
from mtalign.config.errors import ConfigError
from mtalign.diagnosis import in_print, published_forecasts
from mtalign.stats import Estimate

BASES = (2.0, 3.0, 10.0, 30.0, 50.0)


def rows(share_of, papers=6, method="majority_vote", tasks=("MATH500", "AMC", "GSM8K", "AIME24", "Minerva"), **more):
    """A row for each paper and task, on bases from low to high; `share_of(paper, base)` of a gain of 40 is recovered."""
    found = []
    for paper in range(papers):
        for task, base in zip(tasks, BASES, strict=False):
            row = {"paper": f"paper {paper}", "model": "Qwen-7B", "task": task, "method": method, "kind": "primary"}
            row |= {"base_accuracy": base, "after_accuracy": base + 40 * share_of(paper, base)}
            row |= {"ground_truth_after_accuracy": base + 40, "ground_truth_on_test_labels": None}
            found.append(row | more)
    return pd.DataFrame(found)


def cells(share_of, **more):
    return published_record.cells(rows(share_of, **more))


def rising(paper, base):
    return base / 50


def noise(paper, base):
    return np.random.default_rng([paper, int(base)]).random()


def outcome(found, beginning):
    return next(j.outcome for j in found if j.statement.startswith(beginning))


def test_what_rises_with_alignment_is_ordered_and_what_falls_is_not():
    up, down, none = (published_record.ordered(cells(f)) for f in (rising, lambda p, b: -b / 50, noise))
    assert (up.concordance.value, down.concordance.value) == (1, 0)
    assert up.p_value < 0.001 and down.p_value == pytest.approx(1) and 0.05 < none.p_value < 0.95
    assert none.concordance.low < 0.5 < none.concordance.high and (up.pairs, up.cells, up.papers) == (60, 30, 6)


def test_cells_of_different_papers_are_never_compared():
    apart = cells(lambda paper, base: 0.1 + 0.1 * paper, papers=5)  # a paper's tasks all recover the same
    apart["alignment"] += apart["share"]  # between papers the order is perfect
    assert published_record.ordered(apart).concordance == Estimate(0.5, 0.5, 0.5)


def test_the_interval_knows_that_the_cells_of_a_paper_are_not_independent():
    many = cells(lambda paper, base: float(paper < 3), papers=6)
    found = published_record.clustered(many, "holds")
    assert found.value == 0.5 and found.low < 0.2 and found.high > 0.8  # 30 independent cells would have 0.33 to 0.67


def test_each_reason_to_leave_a_row_out_is_counted_once():
    table = pd.concat(
        [
            rows(rising, 1),
            rows(rising, 1, method="sft"),
            rows(rising, 1, ground_truth_after_accuracy=np.nan),
            rows(rising, 1, ground_truth_on_test_labels="yes"),
            rows(rising, 1, task="avg of 6"),
            rows(rising, 1, ground_truth_after_accuracy=4.0),
        ],
        ignore_index=True,
    )
    why = published_record.excluded(table).value_counts()
    assert why.to_dict() == {
        "": 5, "not a cheap signal": 5, "no true labels beside it": 5, "true labels of the test set": 5,
        "an average of other rows": 5, "true labels gain less than 5 points": 5,
    }  # fmt: skip


def test_seventeen_examples_of_one_model_count_once_and_a_task_of_unknown_chance_has_no_alignment():
    table = pd.concat([rows(rising, 1, method="one_shot")] * 17, ignore_index=True)
    found = published_record.cells(table)
    assert len(found) == 5 and set(found["rows"]) == {17}
    assert published_record.cells(rows(rising, 1, task="MathVista"))["alignment"].isna().all()


def test_a_curve_beats_a_constant_on_papers_left_out_only_where_alignment_matters():
    sharp = published_record.left_out(cells(lambda paper, base: float(base > 5)))
    flat = published_record.left_out(cells(noise))
    assert published_record.clustered(sharp, "better").low > 0 and sharp["curve_error"].max() < 0.01
    assert published_record.clustered(flat, "better").low < 0
    alone = published_record.left_out(cells(rising, papers=1))
    assert alone.empty and "better" in alone


def test_predictions_are_confirmed_by_what_they_say_and_refuted_by_its_opposite():
    ordered, flat = (published_predictions.judged(cells(f)) for f in (lambda p, b: float(b > 5), noise))
    assert outcome(ordered, "Of two tasks") == "confirmed" and outcome(flat, "Of two tasks") == "undecided"
    assert outcome(ordered, "Alignment does not order") == "refuted"
    assert outcome(ordered, "In the published record") == "refuted"
    assert outcome(ordered, "Majority vote holds less often") == "confirmed"
    assert outcome(published_predictions.judged(cells(lambda p, b: -b / 50)), "Of two tasks") == "refuted"


def test_with_few_papers_only_an_order_that_permutations_hardly_give_counts():
    one = published_predictions.judged(cells(rising, papers=1, method="random"))
    three = published_predictions.judged(cells(noise, papers=1, method="random"))
    assert outcome(one, "Of two tasks") == "confirmed" and "fewer than 5 papers" in one[0].rule
    assert outcome(three, "Of two tasks") == "undecided"
    against = published_predictions.judged(cells(lambda p, b: -b / 50, papers=1, method="random"))
    single = published_predictions.judged(
        cells(lambda p, b: -b / 50, papers=1, method="random", tasks=("AMC", "MATH500"))
    )
    assert outcome(against, "Of two tasks") == "refuted" and outcome(single, "Of two tasks") == "undecided"


def test_too_few_cells_below_the_threshold_leave_its_prediction_undecided():
    few = cells(rising).query("base > 0.05")
    assert outcome(published_predictions.judged(few), "Majority vote holds less often") == "undecided"


def test_a_forecast_is_scored_where_diagnose_makes_one_and_counted_where_it_does_not():
    found = published_forecasts.scored(cells(lambda p, b: float(b > 5)))
    table = published_forecasts.scores(found).set_index("method")
    assert table.loc["all", "cells"] == 30 and table.loc["all", "unknown"] == found["probability"].isna().sum()
    low, high = (found.loc[pick, "probability"].mean() for pick in (found["base"] < 0.05, found["base"] > 0.2))
    assert low < high and table.loc["all", "brier"] < 0.25
    wrong = published_forecasts.scored(cells(lambda p, b: float(b < 5)))
    assert published_forecasts.scores(wrong)["brier"].iloc[0] > 0.25
    assert {j.outcome for j in published_forecasts.judged(wrong)} == {"refuted"}
    assert "unknown" in set(published_forecasts.scored(cells(rising, method="format"))["verdict"])


def test_counts_in_print_are_those_of_the_file_and_stand_beside_each_forecast():
    assert "in print it held in" in in_print.said("one_example") and not in_print.said("nothing")
    made = in_print.compute(cells(lambda p, b: float(b > 5), papers=2))
    assert made == {"majority_vote": {"cells": 10, "held": 6, "papers": 2, "smallest": 7.0, "largest": 7.0}}
    if published_record.available():
        found = in_print.compute(published_record.cells(published_record.read()))
        assert found == in_print.load(), "run: python -m mtalign.diagnosis.in_print"


@pytest.mark.skipif("MTALIGN_DATA" not in os.environ, reason="needs MTALIGN_DATA")
def test_the_first_looks_medians_are_found_again_in_the_rows_that_count():
    table = published_record.read()
    kept = table[published_record.excluded(table) == ""]
    base, truth = kept["base_accuracy"], kept["ground_truth_after_accuracy"]
    share = (kept["after_accuracy"] - base) / (truth - base)
    found = {}
    for method in ("majority_vote", "entropy", "confidence", "random", "incorrect"):
        own = share[kept["method"] == method]
        found[method] = [len(own), *(round(float(s.median()), 2) for s in (own, own[base < 25], own[base >= 25]))]
    assert found["majority_vote"] == [102, 0.85, 0.94, 0.77] and found["random"] == [6, 0.52, 0.21, 0.55]
    assert found["incorrect"] == [6, 0.42, -0.04, 0.61]
    assert (found["entropy"][1], found["confidence"][1]) == (0.82, 0.71)  # as the README of the data states them


def test_a_choice_of_the_analysis_made_otherwise_is_shown():
    found = published_predictions.sensitivity(rows(rising)).set_index("choice")["concordance"]
    assert len(found) == 5 and {e.value for e in found} == {1}


def test_a_file_with_a_hole_is_one_line(tmp_path, monkeypatch, capsys):
    file = tmp_path / published_record.FILE
    rows(rising, 1).drop(columns="after_accuracy").to_csv(file, index=False)
    with pytest.raises(ConfigError, match="after_accuracy: there is no such column"):
        published_record.read(file)
    rows(rising, 1, after_accuracy="40%").to_csv(file, index=False)
    with pytest.raises(ConfigError, match="after_accuracy: expected numbers"):
        published_record.read(file)
    monkeypatch.setenv("MTALIGN_DATA", str(tmp_path / "nothing"))
    assert not published_record.available() and capsys.readouterr().out.count("\n") == 1
    with pytest.raises(ConfigError, match=r"published_outcomes\.csv: cannot be read"):
        published_record.read()


def test_the_picture_has_a_panel_for_each_signal_and_our_pairs_beside_published_ones():
    from mtalign.notebook.published_figures import beside_ours

    both = pd.concat([cells(rising), cells(noise, method="format"), cells(rising, papers=1, task="MathVista")])
    figure = beside_ours(both)
    majority, formats = figure.axes[:2]
    assert majority.get_title().startswith("majority vote: ") and "of 30 above" in majority.get_title()
    assert len(majority.collections[0].get_offsets()) == 30  # MathVista's chance is unknown
    assert len(majority.lines[0].get_xdata()) > 10 and len(formats.lines[0].get_xdata()) == 0  # ours: no format reward
    assert "no finished runs" in str([t.get_text() for t in beside_ours(both[:0]).axes[0].texts])
