"""Before a registered grid is whole nothing is judged, whatever the runs say so far."""

from types import SimpleNamespace

import pytest
from test_decide import as_predicted, table

from mtalign.claims import decide_words
from mtalign.claims.decide_part import Part, part
from mtalign.config.warm_up import WarmUp

TASKS = ("jsonl:a.jsonl", "jsonl:b.jsonl")
ARMS = ("base", "standard", "majority_vote", "nsr")


def runs():
    cells = [(dose, task, seed) for dose in (0.1, 0.2, 0.5, 1.0) for task in TASKS for seed in (0, 1)]
    models = [(WarmUp("m", task, dose=dose, seed=seed).name, task, seed) for dose, task, seed in cells]
    return [SimpleNamespace(model=m, task=t, arm=arm, seed=seed) for m, t, seed in models for arm in ARMS]


def of(is_there, status="finished", reason=""):
    records = SimpleNamespace(read=lambda r: {"status": status, "reason": reason} if is_there(r) else None)
    return part(runs(), records)


@pytest.mark.parametrize(
    ("is_there", "seeds", "said"),
    [
        (lambda r: True, (0, 1), "All 48 runs"),
        (lambda r: r.arm != "nsr", (0, 1), "All 48 runs"),
        (lambda r: r.seed == 0, (0,), "**Not judged yet**: 24 of the 48 runs"),
        (lambda r: r.task == TASKS[0], (), "**Not judged yet**: 24 of the 48 runs"),
        (lambda r: r.arm != "majority_vote", (), "**Not judged yet**: 32 of the 48 runs"),
    ],
)
def test_only_a_whole_grid_may_be_judged(is_there, seeds, said):
    found = of(is_there)
    assert found.seeds == seeds and str(found).startswith(said) and found.may_be_judged == said.startswith("All")


def test_a_diverged_run_is_there_and_one_that_failed_otherwise_is_not():
    assert of(lambda r: True, "failed", "Diverged: loss is nan").may_be_judged
    assert of(lambda r: True, "failed", "MemoryError").done == 0


def test_what_is_not_whole_has_no_verdict_and_falsifies_nothing():
    found = table(as_predicted)
    said = " ".join(decide_words.verdicts(found, of(lambda r: r.seed == 0)))
    assert "first look" in said and "So far, a" in said and "transfers" not in said and "falsif" not in said
    assert "**transfers**" in " ".join(decide_words.verdicts(found, of(lambda r: True)))
    assert decide_words.falsified(found, of(lambda r: False))["outcome"].str.contains("missing").all()


def test_controls_at_two_doses_judge_no_threshold_and_still_the_shuffled_majority():
    found, controls = table(as_predicted, shuffled=0.7), Part((0,), 1, 12, 12, checkpoints=2)
    said = " ".join(decide_words.verdicts(found, controls))
    assert "Not judged here" in said and "a shuffled majority" in said and "transfers" not in said
    rules = decide_words.falsified(found, controls).set_index("rule")["outcome"]
    assert (rules == "falsifies the thesis").sum() == 2 and rules.filter(like="two tasks").item().startswith(
        "could not"
    )


def test_few_seeds_give_no_threshold_and_no_confidence():
    found = table(lambda alignment: 3, tasks=("a",)).assign(runs=1, taken=1)
    found["seeds"], found["shares"] = [[0]] * len(found), [[1.0]] * len(found)
    said = decide_words.so_far(found[found["arm"] == "majority_vote"], "a")
    assert said.startswith("20 of 20 majority votes took off (1 RL seed of 20 checkpoints")
    assert "no threshold is given" in said and "confidence" not in said
    assert decide_words.so_far(found.assign(testable=False), "a") == "no checkpoint could be tested."
