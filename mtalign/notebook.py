"""What the notebooks call: check the parameters, get the runs (training only what is missing), tables of them."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import platformdirs
from IPython.display import Markdown

from mtalign import claims, dose_response, records
from mtalign.config import PARAMETERS, ConfigError, Run, expand_grid
from mtalign.metrics import maj_at_k_counts, pass_at_k_counts
from mtalign.models import check_names
from mtalign.stats import bootstrap_ci
from mtalign.tasks import load_task

LITERALS = (str, int, float, list, dict, tuple, type(None))  # what papermill can inject


class Session:
    """The runs that one notebook looks at."""

    def __init__(self, runs: list[Run], store: records.Records, workers: int):
        self.runs, self.store, self.workers = runs, store, workers

    def complete(self) -> Markdown:
        """Trains what is missing, and says what was done."""
        from mtalign.runner import complete

        counts = complete(self.runs, self.store, self.workers)
        failed = [r for r in self.records() if r["status"] != "finished"]
        lines = [f"{counts['trained']} runs computed now, {counts['found']} found finished, {counts['failed']} failed."]
        lines += [f"- `{r['run_id']}`: {r['reason']}" for r in failed]
        return Markdown("\n".join(lines))

    def records(self, *arms: str) -> list[dict]:
        """The records of the arms (of all, where none is named), finished or failed."""
        found = [self.store.read(run) for run in self.runs if not arms or run.arm in arms]
        return [record for record in found if record is not None]

    def finished(self, *arms: str) -> list[dict]:
        """The records of the arms that finished."""
        return [r for r in self.records(*arms) if r["status"] == "finished"]

    def table(self) -> pd.DataFrame:
        """The finished runs: accuracy before and after, greedy accuracy, share of completions that show working."""
        table = records.frame(self.finished())
        columns = ["model", "task", "arm", "seed", "accuracy_before", "accuracy", "greedy", "thinking", "seconds"]
        return table.reindex(columns=columns).round(3)

    @property
    def chance(self) -> float:
        """The best accuracy without looking at the question; of several tasks, the largest."""
        return max(load_task(run.task).chance for run in self.runs)

    def frame(self) -> pd.DataFrame:
        """All columns of the finished runs: see `records.frame`."""
        return records.frame(self.finished())

    def curves(self) -> pd.DataFrame:
        """Learning curves of the trained arms."""
        return records.curves(self.finished())

    def accuracy(self) -> pd.DataFrame:
        """Accuracy with interval for each arm and pair: see `claims.arm_accuracy`."""
        return claims.arm_accuracy(self.runs, self.store)

    def headline(self) -> pd.DataFrame:
        """Accuracy with interval for each arm in the panels of strong and of weak alignment."""
        return claims.arm_accuracy(self.runs, self.store, by_panel=True)

    def alignment(self) -> pd.DataFrame:
        """pass@k and maj@k of the untrained models for k = 1, 2, 4 ... N, and what guessing reaches."""
        rows = []
        for record in self.finished("base"):
            config, evaluation = record["config"], record["after"]
            task, number = load_task(config["task"]), evaluation["num_samples"]
            truth = [e.answer for e in task.eval[: len(evaluation["correct"])]]
            counts = [{a or None: n for a, n in row.items()} for row in evaluation["answers"]]
            rng = claims.generator()
            for k in (2**i for i in range(number.bit_length())):
                values = {
                    "pass@k": pass_at_k_counts(evaluation["correct"], number, k).mean(),
                    "maj@k": maj_at_k_counts(counts, truth, k, rng).mean(),
                    "guessing": 1 - (1 - task.chance) ** k,
                }
                pair = f"{config['model']}, {config['task']}"
                rows += [{"pair": pair, "k": k, "metric": name, "value": value} for name, value in values.items()]
        return pd.DataFrame(rows)

    def chosen(self) -> pd.DataFrame:
        """The training prompts that subset arms trained on, with their history in the standard run of the same seed."""
        rows = []
        for record in self.finished():
            config = record["config"]
            if config["subset"] == "full" or not config["max_steps"]:
                continue
            standard = next(run for run in self.runs if run.arm == "standard" and run.seed == config["seed"])
            history = self.store.read(standard)["history"]
            examples = load_task(config["task"]).train
            for row in record["rows"]:
                seen = history.get(str(row), [])
                rows.append({"arm": config["arm"], "seed": config["seed"], "prompt": examples[row].prompt})
                rows[-1] |= {"answer": examples[row].answer, "accuracy when rolled out": [round(a, 2) for a in seen]}
        return pd.DataFrame(rows)

    def verdicts(self) -> pd.DataFrame:
        """A verdict for each claim and pair: see `claims.verdicts`."""
        return claims.verdicts(self.runs, self.store)

    def spread(self) -> pd.DataFrame:
        """What training did to the mean and to the spread between seeds, for each trained arm and pair.

        Returns:
            Columns model, task, arm, seeds, change (of mean accuracy, an `Estimate`), sd (between seeds), skilled and
            unskilled (shares of seeds that ended with over 0.9 and under 0.1 of completions showing working), and
            clip_fraction (largest of each rollout, mean).
        """
        by_arm: dict[tuple, list[dict]] = {}
        base = {(r["config"]["model"], r["config"]["task"]): r for r in self.finished("base")}
        for record in self.finished():
            config = record["config"]
            if config["max_steps"]:
                by_arm.setdefault((config["model"], config["task"], config["arm"]), []).append(record)
        rows = []
        for (model, task, arm), found in by_arm.items():
            after = records.accuracies(found)
            change = bootstrap_ci(
                [after, records.accuracies([base[model, task]])], lambda a, b: a - b, claims.generator()
            )
            thinking = pd.Series([r["after"]["thinking"] for r in found])
            row = {"model": model, "task": task, "arm": arm, "seeds": len(found), "change": change}
            row |= {"sd": after.mean(axis=1).std(ddof=1) if len(found) > 1 else float("nan")}
            row |= {"skilled": (thinking > 0.9).mean(), "unskilled": (thinking < 0.1).mean()}
            row |= {"clip_fraction": records.curves(found)["clip_fraction"].mean()}
            rows.append(row)
        return pd.DataFrame(rows)

    def difference(self, arm: str, other: str) -> pd.DataFrame:
        """Accuracy of one arm minus that of another, seeds and prompts paired, for each pair.

        Returns:
            Columns model, task, alignment, difference (an `Estimate`).
        """
        rows, finished = [], self.finished("base", arm, other)
        for model, task in dict.fromkeys((run.model, run.task) for run in self.runs):
            here = [r for r in finished if (r["config"]["model"], r["config"]["task"]) == (model, task)]
            arms = [[r for r in here if r["config"]["arm"] == name] for name in ("base", arm, other)]
            if not all(arms) or len(arms[1]) != len(arms[2]):
                continue
            both = [records.accuracies(found) for found in arms[1:]]
            estimate = bootstrap_ci(both, lambda a, b: a - b, claims.generator(), bounds=(0, 1))
            rows.append(
                {"model": model, "task": task, "alignment": claims.alignment(arms[0][0]).value, "difference": estimate}
            )
        return pd.DataFrame(rows, columns=["model", "task", "alignment", "difference"])

    def shares(self) -> pd.DataFrame:
        """The recovered share of each arm and pair with the measures of alignment: see `dose_response.shares`."""
        return dose_response.shares(self.runs, self.store)


def start(names: dict) -> Session:
    """Checks a notebook's parameters and opens its session.

    Args:
        names: the notebook's `globals()`; of these, literals without a leading underscore are parameters.

    Raises:
        ConfigError: a parameter is unknown, of the wrong type, or makes an impossible run.
    """
    given = {key: value for key, value in names.items() if _is_parameter(key, value)}
    for key, value in given.items():
        if key not in PARAMETERS:
            raise ConfigError(f"notebook: {key}: unknown parameter; known: {', '.join(PARAMETERS)}")
        if type(value) is not PARAMETERS[key]:
            raise ConfigError(f"notebook: {key}: expected {PARAMETERS[key].__name__}, got {value!r}")
    if given.get("workers", 2) < 1:
        raise ConfigError(f"notebook: workers: expected 1 or more, got {given['workers']}")
    models = given.get("models") or [given.get("model", "")]
    tasks = given.get("tasks") or [given.get("task", "")]
    pairs = [(model, task) for model in models for task in tasks]
    check_names(pairs)
    fixed = given.get("settings", {}) | ({"max_steps": given["max_steps"]} if "max_steps" in given else {})
    runs = expand_grid("notebook", pairs, given["arms"], given["seeds"], fixed, given.get("own_arms"))
    folder = Path(
        given.get("records") or os.environ.get("MTALIGN_RECORDS") or platformdirs.user_cache_path("mtalign") / "records"
    )
    return Session(runs, records.Records(folder), given.get("workers", 2))


def versions() -> pd.DataFrame:
    """Versions and device, as records keep them."""
    from mtalign.runner import provenance

    made = provenance()
    return pd.Series(made["versions"] | {"device": made["device"]}, name="version").to_frame()


def _is_parameter(key: str, value) -> bool:
    return not key.startswith("_") and key != "In" and key != "Out" and isinstance(value, LITERALS)
