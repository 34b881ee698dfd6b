"""What is said of an incorrect reward: the prompts it has, its ties, and its share of standard RL's gain on the same prompts."""

import numpy as np
import pytest

from mtalign.config import paths
from mtalign.config.grid import load_grid
from mtalign.notebook import same_prompts
from mtalign.report import index
from mtalign.tasks.registry import load_task
from mtalign.training.dataset import tied_majorities, wrong_majorities

TRUTH = [example.answer for example in load_task("logic").train[:4]]


def other(answer: str, before: bool) -> str:
    """A wrong answer before the true one in the alphabet, or after it."""
    return "!" if before else f"{answer}z"


def record(accuracy: float, **more) -> dict:
    evaluation = {"correct": [round(64 * accuracy)] * 50, "num_samples": 64}
    return {"status": "finished", "config": {"task": "logic"}, "after": evaluation, "before": evaluation, **more}


def base() -> dict:
    answers = [
        {TRUTH[0]: 3, other(TRUTH[0], before=True): 3, "": 9},  # tied, the wrong answer first
        {TRUTH[1]: 3, other(TRUTH[1], before=False): 3},  # tied, the true answer first
        {other(TRUTH[2], before=True): 5, TRUTH[2]: 1},  # wrong without a tie
        {TRUTH[3]: 5},
    ]
    return record(0.3, train={"answers": answers, "num_samples": 6})


@pytest.fixture
def found(monkeypatch):
    """`table` of a pair with these accuracies of the arms, two seeds each."""

    def made(**reached: float):
        arms = {"base": [base()]} | {arm: [record(value + d) for d in (0, 0.02)] for arm, value in reached.items()}
        monkeypatch.setattr(same_prompts, "grouped", lambda runs, records: {("m", "logic"): arms})
        return same_prompts.table([], None)

    return made


def test_prompts_and_ties_are_counted(found):
    row = found(incorrect=0.3, standard=0.9, standard_wrong_majority=0.5).iloc[0]
    assert (row["prompts"], row["of"], row["tied"], row["left_out"]) == (2, 4, 1, 1)
    said = same_prompts.lines(found(incorrect=0.3, standard=0.9))[0]
    assert "trains on 2 of 4 prompts" in said and "of 1 the label was chosen in a tie, and 1 more" in said


def test_the_share_is_of_the_gain_on_the_same_prompts_and_that_of_all_stands_beside_it(found):
    row = found(incorrect=0.48, standard=0.9, standard_wrong_majority=0.5).iloc[0]
    (same, share, verdict), (every, small, other_verdict) = row["same"], row["all"]
    assert same == pytest.approx(0.21, abs=0.02) and share.value == pytest.approx(0.9, abs=0.05)
    assert every == pytest.approx(0.61, abs=0.02) and small.value == pytest.approx(0.31, abs=0.03)
    assert (verdict, other_verdict) == ("holds", "fails")


def test_without_the_runs_on_the_same_prompts_that_is_said_and_nothing_breaks(found):
    row = found(incorrect=0.3, standard=0.9)
    assert row.iloc[0]["same"] is None
    assert "on the same prompts has not been run here; of its gain on all prompts" in same_prompts.lines(row)[0]
    alone = same_prompts.lines(found(incorrect=0.3))[0]
    assert alone.endswith("has not been run here.")


def test_only_a_comparison_with_an_incorrect_reward_says_it(found):
    found(incorrect=0.3, standard=0.9)
    assert same_prompts.in_words([], None, ["nsr", "nsr_released"]) is None
    text = same_prompts.in_words([], None, ["incorrect", "incorrect_released"]).data
    assert "first of them in the alphabet" in text and "by chance" in text


def test_a_pair_without_an_incorrect_reward_is_no_row(found):
    assert found(standard=0.9).empty and same_prompts.lines(found(standard=0.9)) == []


def test_ties_are_of_the_prompts_that_the_rule_decides():
    rng = np.random.default_rng(0)
    answers = [{a: int(n) for a, n in zip("abc", rng.integers(0, 3, 3), strict=True) if n} for _ in range(200)]
    truth = list(rng.choice(list("abc"), 200))
    kept, left_out = tied_majorities(answers, truth)
    turned = [{"cba"["abc".index(a)]: n for a, n in counts.items()} for counts in answers]
    back = wrong_majorities(turned, ["cba"["abc".index(a)] for a in truth])  # the alphabet the other way
    label = {i: "cba"["abc".index(a)] for i, a in back.items()}
    decided = {i for i in range(200) if wrong_majorities(answers, truth).get(i) != label.get(i)}
    assert decided and decided <= {*kept, *left_out}


def test_the_study_compares_an_incorrect_reward_on_the_same_prompts():
    grid = load_grid(paths.shared("params") / "study.yaml")
    books = {name: own for name, own in grid.final.items() if name.startswith(index.PAIRED)}
    compared = {tuple(own["arms"][-2:]): grid.block(own) for own in books.values()}
    block = compared[same_prompts.RIGHT, same_prompts.WRONG]
    runs = {arm: {(r.model, r.task, r.seed) for r in block.runs if r.arm == arm} for arm in block.arms}
    assert runs["incorrect"] == runs["standard_wrong_majority"] and len(runs["incorrect"]) == 20
