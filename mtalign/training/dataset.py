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

    That is an exception: elsewhere ties are broken by chance (`rewards.majority_vote`, `metrics.maj_at_k`). It stays, as
    another rule would choose other prompts than those that the records of `incorrect` were trained on. `tied_majorities`
    says which prompts it concerns.

    Args:
        answers: for each prompt, `grading.vote` -> samples.
        truth: for each prompt the true answer, or a set of all that are right.

    >>> wrong_majorities([{"1": 5, "2": 3}, {"1": 5, "2": 3}, {"": 9}], truth=["1", "2", "1"])
    {1: '1'}
    """
    most = [(_most_voted(counts), _all_right(right)) for counts, right in zip(answers, truth, strict=True)]
    return {index: tied[0] for index, (tied, right) in enumerate(most) if tied and tied[0] not in right}


def tied_majorities(answers: list[dict[str, int]], truth: list) -> tuple[list[int], list[int]]:
    """The prompts with a tie for the majority: those that count as wrong, and those left out with the truth first in the alphabet.

    Args:
        answers, truth: as `wrong_majorities` takes them.

    >>> tied_majorities([{"1": 4, "2": 4}, {"1": 4, "2": 4}, {"1": 5, "2": 3}, {"": 9}], truth=["1", "2", "2", "1"])
    ([1], [0])
    """
    wrong = wrong_majorities(answers, truth)
    tied = [index for index, counts in enumerate(answers) if len(_most_voted(counts)) > 1]
    return [i for i in tied if i in wrong], [i for i in tied if i not in wrong]


def _most_voted(counts: dict[str, int]) -> list[str]:
    """The answers with most votes, in the order of the alphabet."""
    most = max((n for answer, n in counts.items() if answer), default=0)
    return sorted(answer for answer, n in counts.items() if answer and n == most)


def _all_right(truth: str | set[str]) -> set[str]:
    return truth if isinstance(truth, set) else {truth}
