"""The rows that a run trains on: which prompts, with which labels, and the texts that the model is given."""

from __future__ import annotations

from mtalign.config.errors import RunError
from mtalign.config.run import RANKED, Run
from mtalign.subsets import historical_variance, replicate, select
from mtalign.tasks.base import Task
from mtalign.tasks.registry import load_task
from mtalign.tasks.rows import demonstrations


def asked(run: Run, tokenizer, rows: list[dict]) -> list[dict]:
    """The rows with the texts that the model is given for their prompts."""
    from mtalign.generation.prompts import render

    task = load_task(run.task)
    shown = demonstrations(task, run.shots)
    return [r | {"prompt": render(tokenizer, r["prompt"], task.instruction, run.style, shown)} for r in rows]


def training_rows(run: Run, task: Task, base: dict, history: dict | None) -> list[dict]:
    """The rows of the run's data set, copied until there are enough for one rollout.

    Raises:
        RunError: no prompt is left.
    """
    examples = task.eval[: run.eval_prompts] if run.subset == "tested" else task.train[: run.train_prompts]
    if run.subset == "tested" and run.reward == "incorrect":
        raise RunError("subset: tested: reward incorrect has labels for training prompts alone")
    if not examples:
        raise RunError(f"task: {task.name} is evaluated only: it has too few questions to train on")
    indices = list(range(len(examples)))
    labels: dict[int, str] = {}
    if run.reward == "incorrect" or run.subset == "wrong_majority":
        truth = [set(right) for right in base["train"].get("right", ())] or [e.answer for e in examples]
        wrong = wrong_majorities(base["train"]["answers"], truth)
        labels = wrong if run.reward == "incorrect" else {}
        indices = [i for i in indices if i in wrong]
        if not indices:
            raise RunError("reward: incorrect: the base model's majority answer is right on every training prompt")
    if run.subset in RANKED:
        ranking = historical_variance([(history or {}).get(str(i), []) for i in range(len(examples))])
        ranking = [i for i in ranking if i in indices]
        if run.k > len(ranking):
            raise RunError(f"k: {run.k} prompts are asked for and {len(ranking)} are left")
        indices = select(ranking, run.k, run.rank, run.seed)
    rows = []
    for i in indices:
        example = examples[i]
        row = {
            "prompt": example.prompt,
            "answer": example.answer,
            "kind": example.kind or task.kind,
            "row": i,
            "seed": run.seed,
        }
        rows.append(row | ({"label": labels[i]} if labels else {}))
    return replicate(rows, at_least=run.generation_batch_size // run.num_generations)


def wrong_majorities(answers: list[dict[str, int]], truth: list) -> dict[int, str]:
    """Prompt -> its majority answer, where that is wrong. No answer does not vote; ties go to the first in the alphabet.

    Args:
        answers: for each prompt, `grading.vote` -> samples.
        truth: for each prompt the true answer, or a set of all that are right.

    >>> wrong_majorities([{"1": 5, "2": 3}, {"1": 5, "2": 3}, {"": 9}], truth=["1", "2", "1"])
    {1: '1'}
    """
    winners = {}
    for index, (counts, right) in enumerate(zip(answers, truth, strict=True)):
        votes = {answer: n for answer, n in counts.items() if answer}
        if not votes:
            continue
        winner = min(votes, key=lambda a: (-votes[a], a))
        if winner not in (right if isinstance(right, set) else {right}):
            winners[index] = winner
    return winners
