"""How many labelled examples until RL without labels takes off? From the records of warm-ups, and of RL where there is any.

A warm-up buys alignment with labels: documents with the right answer (`models.warm_up`). Its *warm-up curve*, labels against alignment,
crosses the alignment at which half of the majority votes take off (x50); where it does is the number of labels that is needed.
Both are uncertain: alignment over prompts and warm-up seeds, x50 by its profile interval. x50 is that of the same runs where
their majority votes settle it, and else the micro study's, which for a pretrained model is an extrapolation.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtalign.claims import decide
from mtalign.claims.decide import ARM
from mtalign.claims.dose_response import crossing
from mtalign.claims.take_off import rate
from mtalign.claims.verdicts import alignment
from mtalign.config.grid import kept_grid, load_grid
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.records.store import Records
from mtalign.records.tables import accuracies, complete_arms, grouped
from mtalign.stats import Estimate

FILE = Path(__file__).with_name(
    "labels.json"
)  # what the package ships: `python -m mtalign.claims.labels FOLDER` writes it
DRAWS = 1000
BELOW, BEYOND = -1e9, 1e9  # stand for -inf and inf in the file: fewer or more than was measured
OWN, MICRO = "these runs", "the micro study, an extrapolation"  # where x50 comes from
KEYS = ["model", "task", "warm_up"]


@dataclass(frozen=True)
class Needed:
    """How many labelled examples one warm-up needs until half of the label-free runs take off.

    Attributes:
        model, task: the pretrained model, and the task.
        warm_up: the name of the warm-up without a dose: documents, learning rate.
        labels: documents with the right answer, with its 95% interval; -inf is fewer than the fewest measured, inf more than
            the most.
        least, most: labels of the measured warm-ups.
        x50: the alignment at which half of the runs take off.
        x50_of: `OWN` or `MICRO`.
        checkpoints, seeds: warm-ups that the curve rests on, and warm-up seeds of a dose, at most.
    """

    model: str
    task: str
    warm_up: str
    labels: Estimate
    least: float
    most: float
    x50: Estimate
    x50_of: str
    checkpoints: int
    seeds: int

    def __str__(self) -> str:
        of = f"half of the majority votes take off at an alignment of {self.x50} ({self.x50_of})"
        seeds = f"{self.checkpoints} warm-ups, {self.seeds} seed{'s' * (self.seeds != 1)} of a dose"
        return f"{self.task}: {in_words(self.labels, self.least, self.most)} labelled examples; {of}; {seeds}"


def in_words(labels: Estimate, least: float, most: float) -> str:
    """A number of labels with its interval, ends outside of what was measured in words.

    >>> in_words(Estimate(20.2, 8.0, float("inf")), 0, 128), in_words(Estimate(float("-inf"), float("-inf"), 6.0), 4, 128)
    ('about 20 [8, more than 128]', 'fewer than 4 [fewer than 4, 6]')
    """

    def end(value: float) -> str:
        return (
            f"{value:.0f}"
            if np.isfinite(value)
            else f"fewer than {least:.0f}"
            if value < 0
            else f"more than {most:.0f}"
        )

    about = "about " if np.isfinite(labels.value) else ""
    return f"{about}{end(labels.value)} [{end(labels.low)}, {end(labels.high)}]"


def checkpoints(runs: Iterable[Run], records: Records) -> pd.DataFrame:
    """A row for each warm-up whose untrained evaluation has finished.

    Returns:
        Columns model (the pretrained one), task, warm_up (its name without dose and seed), checkpoint (its name), dose,
        warm_seed, labels (dose times documents), alignment (an `Estimate`) and accuracy.
    """
    rows = []
    for (model, task), arms in grouped((run for run in runs if is_warm_up(run.model)), records).items():
        if "base" not in complete_arms(arms):
            continue
        warm_up, base = parse(model), arms["base"][0]
        recipe = replace(warm_up, dose=0.0, seed=0).name
        row = {"model": warm_up.model, "task": task, "warm_up": recipe, "checkpoint": model, "dose": warm_up.dose}
        row |= {"warm_seed": warm_up.seed, "labels": warm_up.dose * warm_up.documents}
        rows.append(row | {"alignment": alignment(base), "accuracy": float(accuracies([base]).mean())})
    columns = [*KEYS, "checkpoint", "dose", "warm_seed", "labels", "alignment", "accuracy"]
    return pd.DataFrame(rows, columns=columns).sort_values([*KEYS, "labels", "warm_seed"], ignore_index=True)


def curve(table: pd.DataFrame) -> tuple[NDArray, NDArray, NDArray]:
    """The warm-up curve of one recipe: labels (L,), alignment (L,), and its draws (DRAWS, L), over prompts and warm-up seeds.

    Prompts shift all seeds of a dose alike. The mean over seeds is drawn from Student's t; with one seed their spread is unknown,
    and the draws are those of prompts alone.
    """
    rng, levels = np.random.default_rng(0), table.groupby("labels")["alignment"]
    labels, means, draws = [], [], []
    for number, found in levels:
        values = np.array([e.value for e in found])
        error = np.mean([(e.high - e.low) / (2 * 1.96) for e in found])
        drawn = values.mean() + error * rng.standard_normal(DRAWS)
        if len(values) > 1:
            drawn = drawn + values.std(ddof=1) / np.sqrt(len(values)) * rng.standard_t(len(values) - 1, DRAWS)
        labels.append(float(number))
        means.append(float(values.mean()))
        draws.append(drawn)
    return np.array(labels), np.array(means), np.array(draws).T


def threshold(outcomes: pd.DataFrame, names: Iterable[str], task: str) -> tuple[Estimate, str]:
    """x50 of the majority vote over these checkpoints, where its whole interval lies within what they measure; else the
    micro study's.

    Args:
        outcomes: as `decide.outcomes` gives them.
    """
    own = outcomes[outcomes["model"].isin(list(names))]
    found = decide.threshold(own, task, ARM) if len(own) else None
    if found and np.isfinite([found.x50, found.low, found.high]).all():
        return Estimate(found.x50, found.low, found.high), OWN
    known = json.loads(decide.REGISTERED.read_text(encoding="utf-8"))
    return Estimate(known["x50"], known["low"], known["high"]), MICRO


def drawn(x50: Estimate) -> NDArray:
    """Draws of x50 (DRAWS,): its ends are quantiles, linear between; an end that was not found is as far as alignment goes."""
    ends = np.clip([x50.low, x50.value, x50.high], -1.0, 1.0)
    return np.interp(np.random.default_rng(1).random(DRAWS), [0.025, 0.5, 0.975], ends)


def needed(table: pd.DataFrame, outcomes: pd.DataFrame) -> list[Needed]:
    """For each model, task and recipe of warm-up, how many labels are needed.

    The curve is the best non-decreasing one through the doses, linear in the logarithm of labels (+ 1) between them.

    Args:
        table: as `checkpoints` gives it.
        outcomes: as `decide.outcomes` gives them; empty where no RL has finished.
    """
    found = []
    for (model, task, recipe), own in table.groupby(KEYS, sort=False):
        if own["labels"].nunique() < 2:
            continue
        labels, means, draws = curve(own)
        x50, origin = threshold(outcomes, own["checkpoint"], task)
        at = np.log1p(labels)
        crossings = [crossing(at, each, level) for each, level in zip(draws, drawn(x50), strict=True)]
        ends = np.percentile(crossings, [2.5, 97.5], method="nearest")
        number = Estimate(*(_labels(x) for x in (crossing(at, means, x50.value), *ends)))
        seeds = int(own.groupby("labels").size().max())
        found.append(Needed(model, task, recipe, number, labels[0], labels[-1], x50, origin, len(own), seeds))
    return found


def _labels(log: float) -> float:
    return float(np.expm1(log)) if np.isfinite(log) else float(log)


def expected(table: pd.DataFrame, x50: Estimate) -> pd.DataFrame:
    """P(alignment lies above x50) at each number of labels of one recipe, both uncertain: columns labels, probability."""
    labels, _, draws = curve(table)
    return pd.DataFrame({"labels": labels, "probability": (draws > drawn(x50)[:, None]).mean(axis=0)})


def take_off(table: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """P(take-off) of the majority vote at each number of labels: columns of `KEYS`, labels, runs, take_off (exact interval)."""
    these = outcomes[(outcomes["arm"] == ARM) & outcomes["testable"].astype(bool)][["model", "runs", "taken"]]
    both = table.merge(these.rename(columns={"model": "checkpoint"}), on="checkpoint")
    rows = []
    for key, own in both.groupby([*KEYS, "labels"], sort=False):
        runs = int(own["runs"].sum())
        row = dict(zip([*KEYS, "labels"], key, strict=True)) | {"runs": runs}
        rows.append(row | {"take_off": rate(int(own["taken"].sum()), runs)})
    return pd.DataFrame(rows, columns=[*KEYS, "labels", "runs", "take_off"])


def missing(found: list[Needed], outcomes: pd.DataFrame) -> list[str]:
    """What the numbers lack, in sentences."""
    lines = [] if found else ["No warm-up with two doses has been measured."]
    for each in found:
        if each.x50_of == MICRO:
            runs = outcomes[(outcomes["task"] == each.task) & (outcomes["arm"] == ARM)]["runs"].sum()
            why = (
                "no majority vote has finished"
                if not runs
                else "the interval of x50 reaches beyond what these runs measure"
            )
            lines.append(f"{each.task}: {why}; x50 is that of {MICRO}.")
        if each.seeds < 2:
            lines.append(f"{each.task}: one warm-up seed; how much warm-ups of one dose differ is not in the interval.")
    return lines


def compute(folder: Path) -> list[Needed]:
    """What a study's folder says, from its records.

    Raises:
        ConfigError: the folder is not that of a study.
    """
    runs, records = load_grid(kept_grid(folder)).runs, Records(folder / "records")
    warm = [run for run in runs if is_warm_up(run.model)]
    return needed(checkpoints(warm, records), decide.outcomes(warm, records))


@lru_cache
def shipped() -> tuple[Needed, ...]:
    """What the package ships; nothing before `python -m mtalign.claims.labels FOLDER` wrote it."""
    if not FILE.is_file():
        return ()
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Needed(**row | {key: _estimate(row[key], restored) for key in ("labels", "x50")}) for row in rows)


def _estimate(ends: dict[str, float], of: Callable[[float], float]) -> Estimate:
    return Estimate(**{name: of(value) for name, value in ends.items()})


def restored(value: float) -> float:
    """-inf and inf for the numbers that stand for them in the file."""
    return -np.inf if value <= BELOW else np.inf if value >= BEYOND else value


def main(folder: str) -> None:
    found = [asdict(each) for each in compute(Path(folder))]
    for each, key in ((e, k) for e in found for k in ("labels", "x50")):
        each[key] = {name: round(float(np.clip(value, BELOW, BEYOND)), 4) for name, value in each[key].items()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    shipped.cache_clear()
    print(f"{FILE.name}: written from {folder}")


if __name__ == "__main__":
    main(sys.argv[1])
