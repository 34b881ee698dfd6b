"""Published samples and histories: what others' files say about alignment and about which example to train on.

The files are those of `MTALIGN_DATA`: zero-shot responses to KOR-Bench (one for each question, each labelled right or
wrong by its authors) and the training-accuracy history of one-shot RLVR (Wang et al. 2025, arXiv 2504.20571).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.stats import spearmanr

from mtalign.claims.predictions import Judged, Outcomes
from mtalign.config.errors import ConfigError
from mtalign.diagnosis.card import card
from mtalign.diagnosis.samples import tally
from mtalign.metrics import chance_corrected
from mtalign.stats import Estimate, wilson
from mtalign.subsets import historical_variance
from mtalign.tasks.benchmarks import KORBENCH
from mtalign.tasks.registry import load_task

PAPER = {"operation": "strong", "counterfactual": "strong", "puzzle": "weak", "cipher": "weak"}  # arXiv 2508.21188
HISTORY = "oneshot/acc_step_500.json"
STABLE = 0.95  # of draws in which an example comes first
BLOCK = 5  # neighbouring rollouts that are drawn together: accuracy rises in training, so that they resemble each other


def available() -> bool:
    """Whether the folder of public data is there; where it is not, a line says what is needed."""
    root = os.environ.get("MTALIGN_DATA", "")
    if root and Path(root).is_dir():
        return True
    print("Needs the public data files: set MTALIGN_DATA to their folder (layout: mtalign/tasks/benchmarks.py).")
    return False


def _read(file: str):
    path = Path(os.environ.get("MTALIGN_DATA", ""), file)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; set MTALIGN_DATA to a folder with it") from None


def responses(model: str, task: str) -> list[dict]:
    """The published responses of a model to a category of KOR-Bench: `response`, `answer`, `is_correct`."""
    if task.removeprefix("korbench-") not in KORBENCH:
        raise ConfigError(
            f"task {task}: has no published responses; known: {', '.join(f'korbench-{c}' for c in KORBENCH)}"
        )
    return _read(f"korbench_responses/{model}_{task.removeprefix('korbench-')}_zero-shot.json")


def published_alignment(models: list[str], tasks: list[str]) -> pd.DataFrame:
    """Alignment from published responses, one sample for each question: pass@1, with Wilson's intervals over questions.

    Returns:
        Columns panel (the model), arm (the category), paper (strong or weak), questions, value, low and high (accuracy
        by the published labels), graded (accuracy as graded here), same (share of equal verdicts), chance, corrected
        (chance-corrected pass@1, an `Estimate`), and `expect_<claim>`: what the study's thresholds say of RL there.
    """
    rows = []
    for model in models:
        for task in tasks:
            found, chance = responses(model, task), load_task(task).chance
            graded = [tally([r["response"]], r["answer"], task) for r in found]
            labels = np.array([bool(r["is_correct"]) for r in found])
            ends = (labels.mean(), *wilson(float(labels.mean()), len(labels)))
            expected = card(graded, chance=chance).by_claim
            row = {"panel": model, "arm": task.removeprefix("korbench-"), "questions": len(labels)}
            row |= dict(zip(("value", "low", "high"), map(float, ends), strict=True))
            row |= {"paper": PAPER.get(row["arm"], ""), "chance": chance}
            row |= {"graded": float(np.mean([s.correct for s in graded]))}
            row |= {"same": float(np.mean([s.correct == right for s, right in zip(graded, labels, strict=True)]))}
            row |= {"corrected": Estimate(*(float(chance_corrected(v, chance)) for v in ends))}
            claims = ("majority_vote", "negative_samples", "one_example")
            rows.append(row | {f"expect_{c}": expected[c].verdict for c in claims})
    return pd.DataFrame(rows)


def compared(table: pd.DataFrame) -> Outcomes:
    """Whether the paper's strong categories lie above its weak ones, for each model, from `published_alignment`."""
    rule = "confirmed where the intervals lie apart; refuted where some strong category is no higher than some weak one"
    found = Outcomes()
    for model, these in table.groupby("panel", sort=False):
        strong, weak = (these[these["paper"] == name] for name in ("strong", "weak"))
        if strong.empty or weak.empty:
            continue
        bottom, top = strong["corrected"].map(lambda e: e.low).min(), weak["corrected"].map(lambda e: e.high).max()
        least, most = strong["corrected"].map(lambda e: e.value).min(), weak["corrected"].map(lambda e: e.value).max()
        outcome = "confirmed" if bottom > top else "refuted" if least <= most else "undecided"
        because = (
            f"chance-corrected pass@1 is at least {least:.2f} (interval from {bottom:.2f}) in the strong categories and"
            f" at most {most:.2f} (interval to {top:.2f}) in the weak ones"
        )
        statement = "It is aligned with operation and counterfactual, and not with puzzle and cipher"
        found.append(Judged(statement, rule, outcome, because, model, "arXiv 2508.21188"))
    return found


def pairs_verdict(table: pd.DataFrame) -> Markdown:
    """The same in words."""
    words = {"confirmed": "holds", "refuted": "fails", "undecided": "undecided"}
    lines = [f"- {each.where}: **{words[each.outcome]}**; {each.because}." for each in compared(table)]
    return Markdown("\n".join(lines) or "There are no strong and weak categories to compare.")


def judged(table: pd.DataFrame, stability: dict) -> Outcomes:
    """Notebook 13's two predictions, from `published_alignment` and `stability`."""
    best = int(stability["places"]["index"].iloc[0])
    share = stability["first"].get(best, 0.0)
    outcome = "confirmed" if share >= STABLE else "refuted"
    rule = f"refuted where it comes first in less than {STABLE:.0%} of the draws"
    because = f"example {best} comes first in {share:.0%} of them"
    return Outcomes([*compared(table), Judged("The first example is stable", rule, outcome, because)])


def history() -> dict[int, list[float]]:
    """The published history: index in `dsr-sub` -> accuracy at each rollout (44 to 57 of them) of standard RL."""
    return {int(index): accuracies for index, accuracies in _read(HISTORY).items()}


def ranked(history: dict[int, list[float]], top: int = 10) -> pd.DataFrame:
    """The best examples by historical variance.

    Returns:
        Columns index, sd, mean, rollouts, `common` (its place where each history is cut to the shortest one's length)
        and `noise`, the standard deviation that eight samples of an example with this mean have in any case.
    """
    shortest = min(map(len, history.values()))
    common = historical_variance({i: h[:shortest] for i, h in history.items()})
    rows = []
    for index in historical_variance(history)[:top]:
        seen = history[index]
        mean = float(np.mean(seen))
        rows.append({"index": index, "sd": np.std(seen), "mean": mean, "rollouts": len(seen)})
        rows[-1] |= {"common": common.index(index) + 1, "noise": (mean * (1 - mean) / 8) ** 0.5}
    return pd.DataFrame(rows)


def stability(
    history: dict[int, list[float]], rng: np.random.Generator, top: int = 10, draws: int = 300, block: int = BLOCK
) -> dict:
    """How stable the ranking is when each example's rollouts are drawn again, `block` neighbours at a time (circular).

    Every history keeps its own length, so that a short one is as uncertain as it is.

    Returns:
        `first` (index -> share of draws in which it comes first), `places` (a table of the best examples: index, place,
        low, high: 95%), `overlap` (k -> mean share of the best k that are among the best k of a draw) and `rank_correlation` (Spearman's, mean).

    >>> found = stability({0: [0, 1] * 20, 1: [0.4, 0.6] * 20, 2: [0.5] * 40}, np.random.default_rng(0), top=2)
    >>> found["first"], found["places"]["low"].tolist()
    ({0: 1.0}, [1, 2])
    """
    indices = historical_variance(history)
    lengths = np.array([len(history[i]) for i in indices])
    longest = int(lengths.max())
    padded = np.array([history[i] + [0.0] * (longest - len(history[i])) for i in indices])  # (P, T)
    valid = np.arange(longest) < lengths[:, None]
    order = np.array([np.std(history[i]) for i in indices])
    places = np.empty((draws, len(indices)), dtype=int)
    for draw in range(draws):
        starts = rng.integers(0, lengths[:, None], size=(len(indices), -(-longest // block)))
        at = (starts[:, :, None] + np.arange(block)).reshape(len(indices), -1)[:, :longest] % lengths[:, None]
        drawn = np.take_along_axis(padded, at, axis=1)
        mean = (drawn * valid).sum(axis=1) / lengths
        spread = ((drawn - mean[:, None]) ** 2 * valid).sum(axis=1) / lengths
        places[draw, np.argsort(-spread, kind="stable")] = np.arange(1, len(indices) + 1)
    winners, counts = np.unique(places.argmin(axis=1), return_counts=True)
    first = {
        int(indices[w]): float(c / draws) for w, c in sorted(zip(winners, counts, strict=True), key=lambda x: -x[1])
    }
    low, high = np.percentile(places[:, :top], [2.5, 97.5], axis=0, method="nearest").astype(int)
    table = pd.DataFrame({"index": indices[:top], "place": np.arange(1, len(low) + 1), "low": low, "high": high})
    overlap = {k: float((places[:, :k] <= k).mean()) for k in (1, 10, 100) if k <= len(indices)}
    ranks = float(np.mean([spearmanr(p, -order).statistic for p in places[:50]]))
    return {"first": first, "places": table, "overlap": overlap, "rank_correlation": ranks}


def stability_verdict(found: dict) -> Markdown:
    """Which example comes first, and how sure that is, from `stability`."""
    best = found["places"].iloc[0]
    share = found["first"].get(int(best["index"]), 0.0)
    word = "**stable**" if share >= STABLE else "**not settled**"
    overlap = ", ".join(f"{share:.0%} of the best {k}" for k, share in found["overlap"].items() if k > 1)
    return Markdown(
        f"- Example {best['index']} comes first; that is {word}: in {share:.0%} of the draws, its place from {best['low']} to"
        f" {best['high']} (95%).\n- Of the sets: {overlap} stay among them; rank correlation {found['rank_correlation']:.2f}."
    )
