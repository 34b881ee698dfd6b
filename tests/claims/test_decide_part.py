"""What may be judged before a registered grid is whole: its whole warm-up seeds, and nothing else."""

from types import SimpleNamespace

import pandas as pd
import pytest

from mtalign.claims import decide_words
from mtalign.claims.decide_part import may_be_judged, part
from mtalign.config.warm_up import WarmUp
from tests.claims.test_decide import as_predicted, table

TASKS = ("jsonl:a.jsonl", "jsonl:b.jsonl")
ARMS = ("base", "standard", "majority_vote", "nsr")


def runs():
    models = [(WarmUp("m", task, dose=0.5, seed=seed).name, task, seed) for task in TASKS for seed in (0, 1)]
    return [SimpleNamespace(model=m, task=t, arm=arm, seed=seed) for m, t, seed in models for arm in ARMS]


def of(is_there, status="finished", reason=""):
    records = SimpleNamespace(read=lambda r: {"status": status, "reason": reason} if is_there(r) else None)
    return part(runs(), records)


@pytest.mark.parametrize(
    ("is_there", "seeds", "said"),
    [
        (lambda r: True, (0, 1), "All 12 runs"),
        (lambda r: r.seed == 0, (0,), "Judged on warm-up seed 0 of 2 alone: 6 of the 12 runs"),
        (lambda r: r.task == TASKS[0], (), "**Not judged yet**: 6 of the 12 runs"),
        (lambda r: r.arm != "nsr", (0, 1), "All 12 runs"),
        (lambda r: r.arm != "majority_vote", (), "**Not judged yet**: 8 of the 12 runs"),
    ],
)
def test_a_warm_up_seed_is_judged_only_when_it_is_whole_in_every_task(is_there, seeds, said):
    found = of(is_there)
    assert found.seeds == seeds and str(found).startswith(said)


def test_a_diverged_run_is_there_and_one_that_failed_otherwise_is_not():
    assert of(lambda r: True, "failed", "Diverged: loss is nan").whole
    assert of(lambda r: True, "failed", "MemoryError").done == 0


def test_without_a_whole_seed_nothing_is_said_to_transfer_or_to_falsify():
    found = table(as_predicted).assign(warm_seed=0)
    none, one = of(lambda r: r.task == TASKS[0]), of(lambda r: r.seed == 0)
    said = " ".join(decide_words.verdicts(found, none))
    assert "first look" in said and "so far, a" in said and "transfers" not in said and "falsif" not in said
    assert "**transfers**" in " ".join(decide_words.verdicts(found, one))
    assert decide_words.falsified(found, none)["outcome"].eq("could not be applied: runs are missing").all()


def test_rows_of_other_seeds_are_not_judged():
    found = pd.concat([table(as_predicted).assign(warm_seed=seed) for seed in (0, 1)])
    kept = may_be_judged(found, of(lambda r: r.seed == 0))
    assert set(kept["warm_seed"]) == {0} and len(kept) == len(found) / 2
