"""Training through the real GRPOTrainer on a shipped micro model, a few updates at a time."""

import math
import typing
from types import SimpleNamespace

import pytest
import torch

from mtalign.config.arms import Reward
from mtalign.config.errors import RunError
from mtalign.config.resources import Resources
from mtalign.config.run import Run, make_run
from mtalign.records.store import Records
from mtalign.runs.execute import execute
from mtalign.runs.pool import complete
from mtalign.tasks.registry import load_task
from mtalign.training.dataset import training_rows, wrong_majorities
from mtalign.training.trainer import ArmTrainer

SMALL = {
    "model": "micro-a", "task": "ordering", "max_steps": 2, "generation_batch_size": 32, "num_generations": 8,
    "train_prompts": 16, "eval_prompts": 6, "num_samples": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Records with the base and the standard run that others need."""
    records = Records(tmp_path_factory.mktemp("records"))
    run = Run(**SMALL)
    for needed in (run.base, run):
        records.write(needed, execute(needed, records))
    return records


def evidence(record):
    return {key: value for key, value in record.items() if key != "seconds"}


@pytest.mark.parametrize(
    "reward", [name for name in typing.get_args(Reward) if name not in ("ground_truth", "incorrect")]
)
def test_every_reward_trains_through_trl(store, reward):
    record = execute(make_run("test", {**SMALL, "reward": reward}), store)
    assert len(record["curve"]["reward"]) == 1 and record["curve"]["reward"][0] is not None
    assert (record["curve"]["reward"][0] < 0) == reward.startswith("entropy")


def test_incorrect_labels_train_only_on_prompts_whose_majority_is_wrong(store):
    run = make_run("test", {**SMALL, "task": "logic", "reward": "incorrect", "train_prompts": 32})
    store.write(run.base, base := execute(run.base, store))
    wrong = wrong_majorities(base["train"]["answers"], [e.answer for e in load_task("logic").train[:32]])
    assert wrong and execute(run, store)["rows"] == sorted(wrong)


def test_incorrect_labels_are_refused_where_every_majority_is_right(store):
    run = make_run("test", {**SMALL, "reward": "incorrect"})
    base = {"train": {"answers": [{e.answer: 8} for e in load_task("ordering").train[:16]]}}
    with pytest.raises(RunError, match="incorrect"):
        training_rows(run, load_task("ordering"), base, None)


def test_a_micro_batch_changes_memory_and_not_the_gradient(store):
    spread = (None, Resources(micro_batch=4))
    whole, parts = (execute(Run(**SMALL), store, resources=resources)["curve"] for resources in spread)
    assert parts["reward"] == whole["reward"]
    assert parts["grad_norm"][0] == pytest.approx(whole["grad_norm"][0], rel=1e-3)


@pytest.mark.parametrize("objective", ["nsr", "psr", "w_reinforce", "nsr_released", "psr_released"])
def test_every_objective_trains_and_moves_the_weights(store, objective):
    record = execute(make_run("test", {**SMALL, "objective": objective, "learning_rate": 1e-2}), store)
    standard = store.read(Run(**SMALL))
    assert record["curve"]["accuracy"] == standard["curve"]["accuracy"]  # the same first rollout
    assert record["after"] != standard["after"]


def test_one_shot_trains_on_the_prompt_with_the_most_varied_history(store):
    record = execute(
        make_run("test", {**SMALL, "arm": "one_shot", "subset": "one_shot", "max_steps": 4}), _with_history(store, 4)
    )
    assert len(record["rows"]) == 1 and len(record["curve"]["step"]) == 2


def _with_history(store, steps):
    standard = Run(**{**SMALL, "max_steps": steps})
    store.write(standard, execute(standard, store))
    return store


def test_more_than_one_update_per_rollout_makes_clipping_active(store):
    run = make_run("test", {**SMALL, "max_steps": 8, "learning_rate": 3e-3})
    assert max(execute(run, store)["curve"]["clip_fraction"]) > 0
    on_policy = make_run("test", {**SMALL, "max_steps": 4, "learning_rate": 3e-3, "steps_per_generation": 1})
    assert max(execute(on_policy, store)["curve"]["clip_fraction"]) == 0


def test_a_record_holds_what_its_figures_need(store):
    record = store.read(Run(**SMALL))
    base = store.read(Run(**SMALL).base)["after"]
    assert all(sum(counts.values()) == base["num_samples"] == 8 for counts in base["answers"])
    assert len(base["answers"]) == 6 and record["before"].items() <= base.items()
    for when in ("before", "after"):
        evaluation = record[when]
        assert len(evaluation["correct"]) == len(evaluation["majority"]) == len(evaluation["greedy"]) == 6
    assert {"reward", "accuracy", "entropy", "frac_reward_zero_std", "clip_fraction", "completion_length"} <= set(
        record["curve"]
    )
    assert set(record["versions"]) >= {"torch", "trl", "python"} and record["device"] and record["deviations"]


def test_the_same_run_is_bit_identical_in_other_workers_and_another_order(store, tmp_path):
    run = make_run("test", {**SMALL, "arm": "random", "reward": "random"})
    here = evidence(execute(run, store))
    other = Records(tmp_path)
    runs = [make_run("test", {**SMALL, "arm": "nsr", "objective": "nsr"}), run]
    assert complete(runs, other, workers=2) == {"found": 0, "trained": 3, "failed": 0}
    there = other.read(run)
    assert {key: there[key] for key in here} == here
    assert complete(runs, other, workers=2)["trained"] == 0


def test_a_run_that_diverges_is_recorded_with_its_reason_and_the_rest_goes_on(store, tmp_path):
    bad = make_run("test", {**SMALL, "arm": "bad", "learning_rate": 1e30, "max_steps": 6, "max_grad_norm": 1e30})
    good = Run(**SMALL)
    records = Records(tmp_path)
    assert complete([bad, good], records, workers=1) == {"found": 0, "trained": 2, "failed": 1}
    assert records.finished(good) and records.read(bad)["status"] == "failed" and records.read(bad)["reason"]


def test_refill_puts_copies_in_place_of_groups_without_spread():
    trainer = SimpleNamespace(accelerator=SimpleNamespace(gather=lambda tensor: tensor))
    output = {"advantages": torch.arange(8.0), "completion_mask": torch.ones(8, 3), "num_items_in_batch": 0}
    rewards = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    refilled = ArmTrainer._refilled(trainer, output, rewards)
    assert refilled["advantages"].tolist() == [2, 3, 6, 7, 2, 3, 6, 7] and refilled["num_items_in_batch"] == 24
    assert ArmTrainer._refilled(trainer, output, torch.zeros(4, 2)) is output


def test_refill_and_entropy_as_the_loss_change_training(store):
    standard = store.read(Run(**SMALL))
    for change in ({"refill": "copies"}, {"reward": "constant", "entropy_coef": -1.0}):
        record = execute(make_run("test", {**SMALL, "learning_rate": 1e-2, **change}), store)
        assert record["curve"]["accuracy"] == standard["curve"]["accuracy"] and record["after"] != standard["after"]


def test_the_history_is_kept_only_where_a_subset_can_read_it(store):
    assert store.read(Run(**SMALL))["history"] and "history" not in execute(
        make_run("test", {**SMALL, "arm": "random", "reward": "random"}), store
    )


def test_trl_and_our_grpo_agree_on_advantages():
    from mtalign.advantages import grpo

    rewards = (torch.rand(5, 16, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    theirs = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
    torch.testing.assert_close(grpo(rewards), theirs)
    assert math.isfinite(grpo(rewards).sum())


BASE = {"train": {"answers": [{"1": 5, "2": 3}] * 40}}


def test_test_time_trains_on_the_tested_questions_and_no_other():
    task = load_task("ordering")
    run = Run("micro-a", "ordering", "test_time", reward="majority_vote", subset="tested", eval_prompts=24)
    rows = training_rows(run, task, BASE, None)
    assert {row["prompt"] for row in rows} == {e.prompt for e in task.eval[:24]}
    assert run.needs == [run.base]  # no labels, no history
    with pytest.raises(RunError, match="tested"):
        training_rows(Run("micro-a", "ordering", reward="incorrect", subset="tested"), task, BASE, None)


def test_incorrect_has_a_standard_run_on_the_same_prompts():
    task, settings = load_task("ordering"), {"train_prompts": 40, "generation_batch_size": 64}
    wrong = training_rows(Run("micro-a", "ordering", reward="incorrect", **settings), task, BASE, None)
    true = training_rows(Run("micro-a", "ordering", subset="wrong_majority", **settings), task, BASE, None)
    assert [row["row"] for row in wrong] == [row["row"] for row in true] and len(wrong) < 40
    assert all("label" in row for row in wrong) and not any("label" in row for row in true)
