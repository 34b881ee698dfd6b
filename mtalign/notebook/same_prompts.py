"""What an incorrect reward is compared with: standard RL on the same prompts, those whose majority is wrong, and their ties.

An incorrect reward has only these prompts to train on, while standard RL of the claims has all. So its share of that gain tells
of fewer prompts too; its share of what standard RL gains on the same prompts (`standard_wrong_majority`) tells of labels alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from IPython.display import Markdown

from mtalign.claims.predictions import SAME_PROMPTS
from mtalign.claims.verdicts import CLAIMS, judge
from mtalign.config.run import Run
from mtalign.notebook.palette import CALLED, label
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped
from mtalign.tasks.registry import load_task
from mtalign.training.dataset import tied_majorities, wrong_majorities

RIGHT, WRONG = SAME_PROMPTS
TIES = (
    "Where answers tie for the majority, the label is the first of them in the alphabet; elsewhere ties are broken by chance. "
    "The exception stays, as another rule would train on other prompts than the records here did."
)


def table(runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """A row for each pair whose grid trains with an incorrect reward and whose untrained model has been measured.

    Returns:
        Columns model, task, prompts (whose majority is wrong), of (so many), tied (of `prompts`: the alphabet chose the label),
        left_out (tied with the true answer first in the alphabet, and so not trained on), same and all: what the incorrect
        reward recovers of standard RL's gain on the same prompts and on all, each (gain, `Estimate`, verdict before any
        correction), or None while a run is missing.
    """
    columns = ["model", "task", "prompts", "of", "tied", "left_out", "same", "all"]
    rows = []
    for (model, task), arms in grouped(runs, records).items():
        done = complete_arms(arms)
        if WRONG in arms and "base" in done and "answers" in done["base"][0].get("train", ()):
            rows.append((model, task, *_prompts(done["base"][0]), *(_share(done, arm) for arm in (RIGHT, "standard"))))
    return pd.DataFrame(rows, columns=columns)


def _prompts(base: dict) -> tuple[int, int, int, int]:
    answers = base["train"]["answers"]
    examples = load_task(base["config"]["task"]).train[: len(answers)]
    truth = [set(right) for right in base["train"].get("right", ())] or [e.answer for e in examples]
    kept, left_out = tied_majorities(answers, truth)
    return len(wrong_majorities(answers, truth)), len(answers), len(kept), len(left_out)


def _share(arms: dict[str, list[dict]], reference: str) -> tuple | None:
    if not {WRONG, reference} <= set(arms):
        return None
    arm, best, base = (accuracies(arms[name]) for name in (WRONG, reference, "base"))
    estimate, verdict, _ = judge(CLAIMS["incorrect_reward"], arm, best, base)
    return float(best.mean() - base.mean()), estimate, CALLED.get(verdict, verdict)


def lines(found: pd.DataFrame) -> list[str]:
    """A sentence for each pair of `table`: what was trained on, and which share of which gain an incorrect reward recovers."""
    return [f"{row.model}, {row.task}: {_trained_on(row)} {_recovers(row)}" for row in found.itertuples()]


def _trained_on(row) -> str:
    told = f"{label(WRONG)} trains on {row.prompts} of {row.of} prompts, those whose majority is wrong; of {row.tied} the label was chosen in a tie,"
    return f"{told} and {row.left_out} more are left out as the true answer came first in one."


def _recovers(row) -> str:
    if row.same is None:
        return f"Standard RL on the same prompts has not been run here{_of_all(row, '; ')}."
    gain, share, verdict = row.same
    return f"Of what standard RL gains on the same prompts, {gain:.2f}, it recovers {share} ({verdict}){_of_all(row, '; ')}."


def _of_all(row, before: str) -> str:
    if row.all is None:
        return ""
    gain, share, verdict = row.all
    return f"{before}of its gain on all prompts, {gain:.2f}, it recovers {share} ({verdict})"


def in_words(runs: Iterable[Run], records: Records, arms: Iterable[str]) -> Markdown | None:
    """The sentences of all pairs where one of the compared arms has an incorrect reward; None elsewhere."""
    found = table(runs, records) if WRONG in arms else pd.DataFrame()
    if found.empty:
        return None
    text = "\n".join(f"- {line}" for line in lines(found))
    return Markdown(f"What an incorrect reward is compared with, in shares before any correction. {TIES}\n\n{text}")
