"""The first screen says what the verdicts say: known verdicts and flips in, sentences out."""

from types import SimpleNamespace

import pandas as pd
import pytest

from mtalign.notebook.palette import LABELS, style
from mtalign.report.advice import advice
from mtalign.report.findings import (
    against_the_paper,
    count_sentences,
    flip_sentences,
    in_words,
    kind_of,
    seeds_for,
    undecided_sentences,
)
from mtalign.report.matrix import strip
from mtalign.report.predictions import of_the_paper
from mtalign.report.words import WORDS, pale, said, stands
from mtalign.stats import Estimate

INF = float("inf")
FLIPS = (
    pd.DataFrame(
        [
            {
                "arm": "majority_vote",
                "flip": 0.182,
                "low": 0.117,
                "high": 0.224,
                "x50": 0.13,
                "x50_low": 0.06,
                "x50_high": 0.17,
            },
            {"arm": "nsr", "flip": -INF, "low": -INF, "high": 0.05},
            {
                "arm": "random",
                "flip": INF,
                "low": INF,
                "high": INF,
                "largest": 0.3,
                "updates": 100,
                "took_off": 0,
                "runs": 90,
            },
            {
                "arm": "one_shot",
                "flip": INF,
                "low": INF,
                "high": INF,
                "largest": 0.96,
                "updates": 100,
                "took_off": 7,
                "runs": 90,
            },
            {"arm": "greedy", "flip": INF, "low": INF, "high": INF, "updates": 0},
            {
                "arm": "temperature_0.3",
                "flip": 0.94,
                "low": 0.93,
                "high": 0.95,
                "before": 0.86,
                "after": 0.99,
                "updates": 0,
            },
        ]
    )
    .fillna({"updates": 100})
    .astype({"updates": int})
)


def row(model="m1", task="t", claim="majority_vote", verdict="holds", share=0.9, alignment=0.4, holm=0.01, raw=None):
    return SimpleNamespace(
        model=model, task=task, claim=claim, verdict=verdict, raw=raw or verdict, holm=holm, p_value=holm, seeds=5,
        recovered=Estimate(share, share - 0.1, share + 0.1), alignment=alignment, panel="weak", predicted="fails", why="", took_off=4,
    )  # fmt: skip


def table(*rows, title=""):
    pairs = sorted(
        {(r.model, r.task) for r in rows}, key=lambda pair: -max(r.alignment for r in rows if r.model == pair[0])
    )
    cells = {((r.model, r.task), r.claim): r for r in rows}
    return {
        "title": title,
        "seeds": 5,
        "pairs": pairs,
        "claims": list(dict.fromkeys(r.claim for r in rows)),
        "cells": cells,
    }


def text(sentences):
    return [" ".join("".join(words for words, _ in sentence).split()) for sentence in sentences]


def test_flips_become_one_sentence_for_each_kind_and_none_says_inf():
    first, second, third, untrained = text(flip_sentences(FLIPS))
    assert first == (
        "Above an alignment of 0.18 [0.12, 0.22], training with majority vote recovers more than half of what standard RL"
        " gains, in the mean over the ladder's tasks; below, less. Half of its runs do so from 0.13 [0.06, 0.17] on."
    )
    assert "negatives only" in second and "with 95% confidence from 0.05 on" in second
    assert third == (
        "Training with random reward or one example recovers less than half in the mean over tasks at every alignment measured,"
        " in 100 updates. 7 of 180 runs recover more, the best 0.96."
    )
    assert untrained == (
        "Without any training half of standard RL's gain is recovered by temperature 0.3 from somewhere between 0.86 and 0.99"
        " on and by greedy at no alignment."
    )
    assert not any("inf" in each for each in (first, second, third))
    assert not any("inf" in in_words(flip) for _, flip in FLIPS.iterrows())


@pytest.mark.parametrize("flip, low, high, kind", [
    (0.2, 0.1, 0.3, "from"), (-INF, -INF, -INF, "everywhere"), (-INF, -INF, 0.1, "nearly"), (INF, INF, INF, "nowhere"),
    (0.2, -INF, INF, "open"), (INF, 0.3, INF, "hardly"), (0.2, -INF, 0.3, "open"),
])  # fmt: skip
def test_an_interval_that_is_open_to_one_side_is_called_so(flip, low, high, kind):
    assert kind_of(flip, low, high) == kind


def test_a_verdict_that_holm_does_not_confirm_is_paler_and_counts_as_undecided():
    weak = row(verdict="inconclusive", raw="holds", holm=0.3)
    assert pale(weak) and not stands(weak) and "not confirmed" in said(weak)
    assert text(count_sentences([weak, row(model="m2")])) == [
        "Training with majority vote recovers more than half of what standard RL gains in 1 of 2 pairs, less in 0; 1 undecided."
    ]
    (found,) = [cells[0] for _, rows in strip(table(weak)).claims for _, cells in rows]
    assert (
        "pale" in found.css
        and "0.90 [0.80, 1.00], 5 seeds" in found.text
        and "alignment 0.40; 4 of 5 runs took off" in found.text
    )


def test_an_arm_that_fails_in_the_mean_says_in_how_many_pairs_that_is_undecided():
    rows = [row(model=f"m{n}", claim="one_example", verdict="inconclusive", raw="fails") for n in range(3)]
    decided = [row(model="m9", claim="one_example", verdict="fails"), row(verdict="inconclusive", raw="holds")]
    assert text(undecided_sentences(FLIPS, rows + decided)) == [
        "Pair by pair verdicts are undecided: 3 of 4 for one example."
    ]
    assert undecided_sentences(FLIPS, decided) == undecided_sentences(pd.DataFrame(), rows) == []


def test_where_standard_rl_fails_a_cell_says_not_applicable_and_shows_no_share():
    (found,) = [c[0] for _, rows in strip(table(row(verdict="not testable"))).claims for _, c in rows]
    assert found.share == "" and "not applicable" in found.text and found.css == "untested"


def test_only_verdicts_that_stand_contradict_the_paper():
    rows = [row(), row(model="m2", verdict="fails"), row(model="m3", raw="holds", verdict="inconclusive", holm=0.2)]
    assert text([against_the_paper(rows)])[0].startswith("1 of 2 verdicts that stand")
    assert "majority vote 1; weak alignment being one below 0.5" in text([against_the_paper(rows)])[0]
    (counted,) = of_the_paper([table(*rows)])
    assert (counted["confirmed"], counted["refuted"], counted["undecided"]) == (1, 1, 1)


def test_the_strip_of_a_ladder_has_doses_as_columns_from_weak_to_strong_and_a_row_for_each_task():
    doses = {"dose-0.40": 0.9, "dose-0.04": 0.1, "dose-0.10": 0.5}
    found = strip(table(*(row(m, t, alignment=a) for m, a in doses.items() for t in ("logic", "ordering", "sums"))))
    assert found.corner == "dose" and found.heads == ["0.04", "0.10", "0.40"]
    assert [head for head, _ in found.claims[0][1]] == ["logic", "ordering", "sums"]


def test_the_engineers_box_has_a_line_for_each_arm_its_exceptions_and_what_it_cost():
    ladder = table(row(alignment=0.5), row(model="m0", alignment=0.05, verdict="fails", share=0.1))
    free = table(row(model="free", alignment=0.02, verdict="holds"), title="Free answers")
    runs = [{"model": "m0", "task": "t", "arm": arm, "status": "finished", "accuracy": a, "accuracy_before": 0.2}
            for arm, a in (("standard", 0.9), ("majority_vote", 0.1))]  # fmt: skip
    box = advice([ladder, free], FLIPS, runs)
    lines = dict(box.lines)
    assert lines["majority vote"].startswith(
        "use it above 0.22 (of 1 pair it held in 1 and failed in 0, 0 undecided), not below 0.12 (of 1 pair it held in 0 and"
    )
    assert lines["random reward"].startswith("do not use it") and lines["negatives only"].startswith("use it")
    assert box.exceptions == ["Free answers: majority vote holds on free, t, although alignment is only 0.02"]
    assert "changed accuracy by -0.10 in the mean; standard RL by +0.70" in box.cost[0]


def test_more_spread_takes_more_seeds():
    assert seeds_for(0.2, 0.1, 0.05) < seeds_for(0.2, 0.2, 0.05) < seeds_for(0.2, 0.2, 0.005)


def test_arms_differ_in_grey_and_each_verdict_has_a_sign_of_its_own():
    styles = [style(arm) for arm in LABELS]
    assert len(set(styles)) == len(LABELS)
    assert len({word.sign for word in WORDS.values()}) == len({word.css for word in WORDS.values()}) == len(WORDS)
