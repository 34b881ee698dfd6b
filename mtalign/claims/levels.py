"""The levels of the map, and the cells of each: what was varied, how many majority votes take off, and what predicts it.

A *level* is what a run differs in from the centre: `agree=0.3`, `arithmetic-4`, `lr=0.0001`, `centre` where in nothing. A *cell* is a
base model at a level: its runs, how many took off, what was measured of it before, and what the mean-field theory says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from mtalign.claims import mean_field, take_off
from mtalign.claims.dose_response import measures
from mtalign.claims.level_errors import GROUPS
from mtalign.claims.mean_field_fit import LEAST_GAIN, policy_of
from mtalign.config.run import Run
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.records.tables import accuracies
from mtalign.stats import recovered

SETTINGS = {
    "updates": "max_steps",
    "lr": "learning_rate",
    "group": "num_generations",
}  # fields of a run that levels vary
MEASURE = "chance-corrected pass@4"
CENTRE = "centre"  # the level that differs in nothing
ONE = "updates=2000"  # the level of runs on one example
SLOW_ONE = f"{ONE}, lr=3e-05"  # the same at a tenth of the learning rate
LARGER_ONE = f"size=650k, {ONE}, lr=0.0001"  # the same with more parameters, at the rate that standard RL chose there
ONES = {"one": ONE, "slow one": SLOW_ONE, "larger one": LARGER_ONE}
GAINED = "maj@16 - pass@1"  # what a majority of 16 adds to a single completion, before any training
EMPTY = [
    "level", "model", "task", "dose", "pretraining", "pass@1", "chance-corrected pass@1", MEASURE, "maj@16", GAINED, "working", "gain", "testable", "share of greedy", "share of maj@16", "seeds", "shares", "taken", "runs", "theory",
]  # fmt: skip


def level(run: Run) -> str:
    """What the run varies; its dose, seeds and arm aside.

    >>> level(Run("micro:arithmetic?dose=0.1&seed=2", "arithmetic")), level(Run("micro:logic?dose=0.1&size=3m", "logic"))
    ('centre', 'logic, size=3m')
    """
    recipe = dialled.parse(run.model)
    own = {"size": recipe.size, "right": recipe.right, "agree": recipe.agree}
    own |= {name: getattr(run, field) for name, field in SETTINGS.items()}
    usual = {"size": "85k", "right": 1.0, "agree": 0.0} | {
        name: getattr(Run, field) for name, field in SETTINGS.items()
    }
    parts = [f"{name}={value}" for name, value in own.items() if value != usual[name]]
    return ", ".join([run.task] * (run.task != "arithmetic") + parts) or CENTRE


def is_map(runs: Iterable[Run]) -> bool:
    """Whether there are runs, and all models are built by recipe.

    >>> is_map([Run("micro:arithmetic?dose=0.1", "arithmetic")]), is_map([Run("micro-a", "logic")]), is_map([])
    (True, False, False)
    """
    models = {run.model for run in runs}
    return bool(models) and all(map(dialled.is_dialled, models))


def runs_in(store: Records) -> list[Run]:
    """The runs of all records of base models built on demand that lie in the folder."""
    configs = [
        json.loads(path.read_text(encoding="utf-8"))["config"] for path in sorted(store.folder.glob("micro-*.json"))
    ]
    return [Run(**config) for config in configs]


def cells(
    runs: Iterable[Run], store: Records, reward: str = "majority_vote", objective: str = "grpo", theory: bool = True
) -> pd.DataFrame:
    """A row for each level and base model of which some run has finished, and some of standard RL in the same setting.

    Args:
        reward, objective: of the arm that is mapped, with all prompts.
        theory: whether the theory is asked too, which takes seconds for a cell.

    Returns:
        Columns level, model, task, dose, pretraining (seed), the measures of the untrained model, `working` (its share of
        completions that show working), `gain` (of standard RL), `share of greedy` and `share of maj@16` (of that gain, without
        training), `testable` (the gain is at least `LEAST_GAIN`), `seeds` of RL
        and `shares` (of that gain, one for each run), `taken`, `runs`, and `theory`: the share that the mean-field theory
        predicts for a majority vote, NaN where it does not apply.
    """
    settings: dict[tuple, list[Run]] = {}
    for run in runs:
        if run.max_steps:
            shared = {key: value for key, value in asdict(run.standard).items() if key not in ("arm", "seed")}
            settings.setdefault(tuple(shared.items()), []).append(run)
    rows, asked = [], []  # what the theory is asked: a policy and a run of its setting
    for same in settings.values():
        standard = finished(store, (run for run in same if _arm(run) == ("ground_truth", "grpo", "full")))
        mapped = finished(store, (run for run in same if _arm(run) == (reward, objective, "full")))
        if standard and mapped:
            base = store.read(same[0].base)
            policy = policy_of(base) if theory and reward == "majority_vote" else None
            rows.append(_cell(same[0], base, standard, mapped))
            asked.append((policy, same[0]))
    frame = pd.DataFrame(rows, columns=None if rows else EMPTY)
    return frame.assign(theory=predicted(asked)) if rows else frame


def predicted(asked: Sequence[tuple[mean_field.Policy | None, Run]]) -> list[float]:
    """The share that the theory predicts for a majority vote in the setting of each run; NaN without a policy.

    Policies of one budget and one number of answers are computed together, which takes a tenth of the time.

    >>> policy, run = mean_field.Policy(0.1, 10, favourite=0.12), Run("micro:arithmetic?dose=0.1", "arithmetic")
    >>> found = predicted([(policy, run), (None, run)])
    >>> found[0] > 0.5, found[1] != found[1]
    (True, True)
    """
    found, alike = [float("nan")] * len(asked), {}
    for place, (policy, run) in enumerate(asked):
        if policy is not None:
            batch = run.generation_batch_size // run.steps_per_generation
            budget = run.num_generations, batch, run.max_steps, run.learning_rate
            alike.setdefault((policy.answers, policy.shared, budget), []).append(place)
    for (answers, shared, budget), places in alike.items():
        skill, competence, favourite = (
            np.array([getattr(asked[place][0], name) for place in places]) for name in ("skill", "competence", "q")
        )
        together = mean_field.Policy(skill, answers, competence, favourite, shared)
        for place, share in zip(places, mean_field.recovered(together, *budget).tolist(), strict=True):
            found[place] = share
    return found


def _arm(run: Run) -> tuple[str, str, str]:
    return run.reward, run.objective, run.subset


def finished(store: Records, runs: Iterable[Run]) -> list[dict]:
    """The records of the runs that have finished."""
    found = (store.read(run) for run in runs)
    return [record for record in found if record and record["status"] == "finished"]


def _cell(run: Run, base: dict, standard: list[dict], mapped: list[dict]) -> dict:
    recipe = dialled.parse(run.model)
    before, best = accuracies([base]).mean(), accuracies(standard).mean()
    shares = recovered(accuracies(mapped).mean(axis=1), best, before)
    cell = {
        "level": level(run),
        "model": run.model,
        "task": run.task,
        "dose": recipe.dose,
        "pretraining": recipe.seed,
        **_measured(base),
    }
    cell["working"] = base["after"]["thinking"]
    cell |= {"gain": best - before, "testable": best - before >= LEAST_GAIN}
    cell |= {
        f"share of {way}": float(recovered(cell[way], best, before)) for way in ("greedy", "maj@16") if way in cell
    }
    cell |= {"seeds": [record["config"]["seed"] for record in mapped], "shares": shares.tolist()}
    return cell | {"taken": int((shares > take_off.HALF).sum()), "runs": len(shares)}


def _measured(base: dict) -> dict:
    """The measures of an untrained model, and under `without` each of them with one group of prompts left out, a list (`GROUPS`,)."""
    prompts = np.arange(len(base["after"]["correct"]))
    kept = np.array([np.ones(len(prompts)), *(prompts % GROUPS != group for group in range(min(GROUPS, len(prompts))))])
    found = measures(base, kept / kept.sum(axis=1, keepdims=True))
    return {name: float(values[0]) for name, values in found.items()} | {
        "without": {name: values[1:].tolist() for name, values in found.items()}
    }


def usual_seeds(table: pd.DataFrame) -> set[int]:
    """The RL seeds that most levels of the table have: at them levels are compared with each other, few of them having fewer.

    >>> usual_seeds(pd.DataFrame({"level": list("abc"), "seeds": [[0, 1, 2, 3], [0, 1], [0, 1]]}))
    {0, 1}
    """
    of_level = [tuple(sorted(set().union(*these))) for _, these in table.groupby("level")["seeds"]]
    return set(max(of_level, key=lambda seeds: (of_level.count(seeds), -len(seeds)), default=()))


def planned(runs: Iterable[Run], reward: str = "majority_vote", objective: str = "grpo") -> dict[str, int]:
    """How many runs with that reward each level has; under "drift" and the names of `ONES` those of the other tables.

    >>> planned([Run("micro:arithmetic?dose=0.1", "arithmetic", reward="majority_vote", seed=seed) for seed in range(3)])
    {'drift': 0, 'one': 0, 'slow one': 0, 'larger one': 0, 'centre': 3}
    """
    runs = list(runs)
    ones = [level(run) for run in runs if run.subset == "one_shot"]
    found = {"drift": sum(map(is_drifting, runs))} | {name: ones.count(its) for name, its in ONES.items()}
    for run in runs:
        if run.max_steps and _arm(run) == (reward, objective, "full") and not is_drifting(run):
            found[level(run)] = found.get(level(run), 0) + 1
    return found


def is_drifting(run: Run) -> bool:
    """Whether it is of the arms with clipping, which are compared with each other and not with standard RL."""
    return run.max_steps > 0 and run.steps_per_generation > 2
