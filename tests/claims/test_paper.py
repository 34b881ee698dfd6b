"""The paper's claims: each rule finds what was put into made-up records, and says where none can decide."""

import numpy as np
import pandas as pd
import pytest

from mtalign.claims.paper import CLAIMS_OF_THE_PAPER, OUTCOMES, Evidence
from mtalign.claims.paper_examples import as_good_as_random, own_kind, unsolved
from mtalign.claims.paper_rules import (  # fmt: skip
    RULES,
    alike_at_equal_alignment,
    entropy_and_exploration,
    gains_everywhere,
    only_when_strong,
    positive_when_weak,
)
from mtalign.claims.paper_verdicts import concluded, table
from mtalign.claims.sub_kinds import SUB_KINDS, sub_kinds
from mtalign.claims.verdicts import VERDICT_COLUMNS
from mtalign.tasks.micro import MICRO, load

N = 64


def record(seed=0, after=0.5, before=0.3, prompts=100, **other):
    """A record whose accuracy is a number, or one for each prompt."""
    counts = [(np.full(prompts, x) * N).round().astype(int).tolist() for x in (after, before)]
    config = {
        "seed": seed,
        "subset": "full",
        "reward": "ground_truth",
        "objective": "grpo",
        "entropy_coef": 0.0,
        "task": "ordering",
    }
    return {
        "config": config | other.pop("config", {}), "after": {"correct": counts[0], "num_samples": N},
        "before": {"correct": counts[1], "num_samples": N}, **other,
    }  # fmt: skip


def evidence(pairs=None, rows=()):
    return Evidence(pairs or {}, pd.DataFrame(list(rows), columns=VERDICT_COLUMNS))


def row(claim="majority_vote", panel="strong", verdict="holds", task="logic", alignment=0.6, model="m"):
    return {"claim": claim, "panel": panel, "verdict": verdict, "task": task, "alignment": alignment, "model": model}


@pytest.fixture
def weak(monkeypatch):
    monkeypatch.setattr("mtalign.claims.paper_rules.panel_of", lambda arms: "weak")


def test_every_claim_has_a_rule_and_a_way_to_test_it():
    assert [claim.name for claim in CLAIMS_OF_THE_PAPER] == [f"P{i}" for i in range(1, 15)] == list(RULES)
    assert all(claim.rule and claim.would and claim.words for claim in CLAIMS_OF_THE_PAPER)


@pytest.mark.parametrize("name", RULES)
def test_without_records_nothing_is_tested_and_the_table_says_what_would(name):
    found = RULES[name](evidence())
    assert found.outcome == "not tested here"
    shown = table({"micro": dict.fromkeys(RULES, found)})
    assert len(shown) == 14 and shown["because"].str.startswith("would need ").all()
    assert concluded(shown).data.count("not tested here") == 14


def test_standard_rl_that_gains_nothing_in_one_pair_fails_the_first_claim():
    def pair(after):
        return {"base": [record(after=0.3)], "standard": [record(s, after) for s in range(3)]}

    assert gains_everywhere(evidence({("m", "a"): pair(0.8), ("m", "b"): pair(0.6)})).outcome == "holds"
    assert gains_everywhere(evidence({("m", "a"): pair(0.8), ("m", "b"): pair(0.2)})).outcome == "fails"


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        ([("strong", "holds"), ("weak", "fails")], "holds"),
        ([("strong", "holds"), ("weak", "holds")], "fails"),
        ([("strong", "fails"), ("weak", "fails")], "fails"),
        ([("strong", "holds")], "undecided"),
        ([], "undecided"),
    ],
)
def test_only_when_strong_needs_decided_pairs_of_both_strengths(verdicts, outcome, weak):
    arms = {"base": [record(after=0.3)]} | {
        arm: [record(s, 0.8) for s in range(3)] for arm in ("standard", "majority_vote")
    }
    rows = [row(panel=panel, verdict=verdict) for panel, verdict in verdicts]
    found = only_when_strong("majority_vote")(evidence({("m", "logic"): arms}, rows))
    assert found.outcome == outcome
    (estimate,) = found.estimates.values()
    assert estimate.value == pytest.approx(1, abs=0.01)


def one_shot(rank, after, seeds=range(4), **other):
    return [
        record(s, after(s), config={"subset": "one_shot", "rank": rank, "task": "ordering"}, **other) for s in seeds
    ]


def test_a_best_example_that_is_no_better_than_a_random_one_holds_and_one_that_is_fails():
    def found(best, other, rank="random"):
        arms = {"a": one_shot("best", lambda s: best), "b": one_shot(rank, lambda s: other)}
        return as_good_as_random(evidence({("m", "ordering"): arms}))

    assert found(0.5, 0.5).outcome == "holds" and found(0.8, 0.5).outcome == "fails"
    other = found(0.5, 0.5, rank="median")
    assert other.outcome == "not tested here" and "best minus median" in other.estimates


def test_runs_on_one_example_that_all_end_at_guessing_test_neither_its_choice_nor_its_kind():
    """Guessing is right once in four on `ordering`: 0.3 is guessing, 0.31 is not."""
    pair = "m", "ordering"
    quick = {"a": one_shot("best", lambda s: 0.3), "b": one_shot("random", lambda s: 0.25 + 0.05 * (s == 0))}
    for rule in (as_good_as_random, own_kind):
        quick_alone = rule(evidence({pair: with_rows(quick)}))
        assert quick_alone.outcome == "not tested here" and quick_alone.estimates == {}
        assert "each of 8 runs on one example ends at guessing" in quick_alone.because
        assert "accuracy 0.25 to 0.30, guessing 0.25" in quick_alone.because
    one_learns = quick | {"b": one_shot("random", lambda s: 0.25 + 0.1 * (s == 0))}
    assert as_good_as_random(evidence({pair: one_learns})).outcome == "holds"
    assert own_kind(evidence({pair: with_rows(one_learns)})).outcome != "not tested here"


def with_rows(arms):
    """The same, on examples of different sub-kinds."""
    kinds = sub_kinds("ordering", load("ordering").train)
    rows = [kinds.index(f"{seed % 3 + 1} digits on") for seed in range(4)]
    return {
        arm: [each | {"rows": [row]} for each, row in zip(records, rows, strict=True)] for arm, records in arms.items()
    }


def test_a_budget_that_ends_at_guessing_does_not_thin_what_another_budget_shows():
    def arms(name, best, other, rate):
        both = {f"{name} best": one_shot("best", lambda s: best), f"{name} random": one_shot("random", lambda s: other)}
        for each in (r for records in both.values() for r in records):
            each["config"]["learning_rate"] = rate
        return both

    quick, slow = arms("quick", 0.25, 0.25, 3e-4), arms("slow", 0.8, 0.5, 3e-5)
    found = as_good_as_random(evidence({("m", "ordering"): quick | slow}))
    assert found.outcome == "fails" and found.estimates["best minus random"].value == pytest.approx(0.3, abs=0.02)
    assert "seeds paired; each of 8 runs on one example ends at guessing" in found.because
    across = {"a": quick["quick best"], "b": slow["slow random"]}  # of two budgets: no pair to compare
    assert as_good_as_random(evidence({("m", "ordering"): across})).outcome == "not tested here"


def examples_of_own_kind(effect):
    task = load("ordering")
    kinds = sub_kinds("ordering", task.train + task.eval[:100])
    held_out, records = np.array(kinds[len(task.train) :]), []
    for seed in range(5):
        row = kinds.index(f"{seed % 3 + 1} digits on")
        after = 0.3 + 0.02 * seed + effect * (held_out == kinds[row])
        records.append(record(seed, after, config={"subset": "one_shot", "rank": "best"}, rows=[row]))
    return own_kind(evidence({("m", "ordering"): {"one_shot": records}}))


def test_what_one_example_adds_to_its_own_kind_is_found_and_what_it_adds_to_all_is_not():
    found = examples_of_own_kind(0.3)
    assert found.outcome == "holds" and found.estimates["effect of the own kind"].value == pytest.approx(0.3, abs=0.02)
    assert examples_of_own_kind(0.0).outcome == "fails"


@pytest.mark.parametrize("task", SUB_KINDS)
def test_sub_kinds_are_several_and_do_not_tell_the_answer(task):
    examples = load(task).train
    kinds = sub_kinds(task, examples)
    assert len(set(kinds)) > 2
    answers = {kind: {e.answer for e, k in zip(examples, kinds, strict=True) if k == kind} for kind in kinds}
    usual = max(answers, key=lambda kind: kinds.count(kind))
    assert len(answers[usual]) > 3


def test_every_task_with_sub_kinds_is_one_of_ours():
    assert set(SUB_KINDS) <= set(MICRO) and sub_kinds("logic", load("logic").train) == []


def test_examples_that_are_never_solved_and_teach_nothing_hold_and_others_do_not_count():
    def found(after, solved):
        runs = one_shot("worst", lambda s: after, range(8), rows=[0], curve={"frac_reward_zero_std": [1.0]})
        base = record(after=0.3, train={"correct": [solved, 9], "num_samples": N})
        return unsolved(evidence({("m", "ordering"): {"base": [base], "worst": runs}}))

    assert found(0.31, 0).outcome == "holds" and found(0.9, 0).outcome == "fails"
    assert found(0.31, 5).outcome == "not tested here"


def test_positive_samples_are_compared_with_negative_ones_over_weak_pairs(weak):
    def found(psr, nsr):
        arms = {
            "base": [record()],
            "psr": [record(s, psr) for s in range(3)],
            "nsr": [record(s, nsr) for s in range(3)],
        }
        return positive_when_weak(evidence({("m", "t"): arms})).outcome

    assert (found(0.9, 0.5), found(0.5, 0.9), found(0.5, 0.5)) == ("holds", "fails", "undecided")


def test_entropy_that_negative_samples_keep_and_accuracy_that_it_costs(weak):
    def arm(entropy, after):
        return [record(s, after - 0.01 * s, curve={"entropy": [0.5, entropy + 0.01 * s, None]}) for s in range(5)]

    def found(nsr, psr):
        return entropy_and_exploration(evidence({("m", "t"): {"base": [record()], "nsr": arm(*nsr), "psr": arm(*psr)}}))

    assert found((0.4, 0.4), (0.1, 0.8)).outcome == "holds"
    assert found((0.1, 0.4), (0.4, 0.8)).outcome == "fails"


def test_two_tasks_of_equal_alignment_that_end_otherwise_refute_the_last_claim():
    same = [
        row(task=t, alignment=a, verdict=v)
        for t, a, v in (("a", 0.6, "holds"), ("b", 0.62, "holds"), ("c", 0.1, "fails"))
    ]
    assert alike_at_equal_alignment(evidence(rows=same)).outcome == "undecided"  # one couple is too few
    other = [*same, row(task="d", alignment=0.61, verdict="fails")]
    found = alike_at_equal_alignment(evidence(rows=other))
    assert found.outcome == "fails" and "majority vote on m, a and on m, d" in found.because
    assert found.outcome in OUTCOMES
