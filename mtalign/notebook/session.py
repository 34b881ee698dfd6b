"""What the notebooks call: check the parameters, get the runs (training only what is missing), tables of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import platformdirs
from IPython.display import Markdown

from mtalign.claims import dose_response, tables
from mtalign.claims.untrained import gain_without_training
from mtalign.claims.verdicts import CLAIMS, Claim, alignment, verdicts
from mtalign.config.errors import ConfigError, check_keys, mismatch
from mtalign.config.grid import expand_grid
from mtalign.config.run import RANKED, Run
from mtalign.config.warm_up import called, is_warm_up, parse
from mtalign.models.load import check_names
from mtalign.notebook.alt_text import show_in_words
from mtalign.notebook.examples import examples
from mtalign.notebook.pages import PARAMETERS
from mtalign.notebook.palette import CALLED, CURVES, know, label
from mtalign.records.store import Records
from mtalign.records.tables import complete_arms, curves, frame, grouped
from mtalign.subsets import LEAST_VISITS
from mtalign.tasks.registry import load_task

OUTSIDE = {float("-inf"): "below all", float("inf"): "above all"}  # alignments that were measured
LITERALS = (str, int, float, list, dict, tuple, type(None))  # what papermill can inject


class Session:
    """The runs that one notebook looks at."""

    def __init__(self, runs: list[Run], store: Records, workers: int):
        self.runs, self.store, self.workers = runs, store, workers

    def complete(self) -> Markdown:
        """Trains what is missing, and says what was done."""
        from mtalign.runs.pool import complete

        counts = complete(self.runs, self.store, self.workers)
        failed = [r for r in self.records() if r["status"] != "finished"]
        lines = [f"{counts['trained']} runs computed now, {counts['found']} found finished, {counts['failed']} failed."]
        lines += [f"- `{r['run_id']}`: {r['reason']}" for r in failed]
        if missing := len(self.runs) - len(self.records()):
            lines += [f"- Not finished, and left out of what follows: {missing} of {len(self.runs)} runs."]
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
        table = frame(self.finished())
        columns = ["model", "task", "arm", "seed", "accuracy_before", "accuracy", "greedy", "thinking", "seconds"]
        return readable(table.reindex(columns=columns).round(3))

    @property
    def chance(self) -> float:
        """The accuracy of a reader who cannot solve the questions (`Task.chance`); of several tasks, the largest."""
        return max(load_task(run.task).chance for run in self.runs)

    def frame(self) -> pd.DataFrame:
        """All columns of the finished runs: see `records.frame`."""
        return frame(self.finished())

    def curves(self) -> pd.DataFrame:
        """Learning curves of the trained arms."""
        return curves(self.finished())

    def accuracy(self) -> pd.DataFrame:
        """Accuracy with interval for each arm and pair: see `claims.arm_accuracy`."""
        return tables.arm_accuracy(self.runs, self.store)

    def headline(self) -> pd.DataFrame:
        """Accuracy with interval for each arm in the panels of strong and of weak alignment."""
        return tables.arm_accuracy(self.runs, self.store, by_panel=True)

    def alignment_curves(self) -> pd.DataFrame:
        """pass@k and maj@k of the untrained models: see `claims.tables.alignment_curves`."""
        return tables.alignment_curves(self.finished("base"))

    def chosen(self) -> pd.DataFrame:
        """The training prompts that subset arms trained on, with their history in the standard run of the same seed.

        A ranking of prompts that were rolled out less than `LEAST_VISITS` times each is noise, and `ranking` says so.
        """
        rows = []
        for record in self.finished():
            config = record["config"]
            if config["subset"] not in RANKED or not config["max_steps"]:
                continue
            standard = next(run for run in self.runs if run.arm == "standard" and run.seed == config["seed"])
            history = self.store.read(standard)["history"]
            examples = load_task(config["task"]).train[: config["train_prompts"]]
            for row in record["rows"]:
                seen = history.get(str(row), [])
                rows.append({"arm": config["arm"], "seed": config["seed"], "prompt": examples[row].prompt})
                rows[-1] |= {"answer": examples[row].answer, "accuracy when rolled out": [round(a, 2) for a in seen]}
                visits = float(np.median([len(history.get(str(i), [])) for i in range(len(examples))]))
                noise = (
                    ""
                    if visits >= LEAST_VISITS
                    else f"noise: {visits:.0f} visits of a prompt, at least {LEAST_VISITS} needed"
                )
                rows[-1] |= {"visits": len(seen), "ranking": noise}
        return pd.DataFrame(rows)

    def verdicts(self, *own: Claim) -> pd.DataFrame:
        """A verdict for each claim (of one's own, where some are given) and pair: see `claims.verdicts`."""
        return verdicts(self.runs, self.store, own or CLAIMS.values())

    def spread(self) -> pd.DataFrame:
        """What training did to the mean and to the spread between seeds: see `claims.tables.spread`."""
        return tables.spread(self.runs, self.store)

    def difference(self, arm: str, other: str) -> pd.DataFrame:
        """Accuracy of one arm minus that of another, for each pair: see `claims.tables.difference`."""
        return tables.difference(self.runs, self.store, arm, other)

    def label_free(self, arm: str = "majority_vote") -> pd.DataFrame:
        """A label-free arm beside what the untrained majority knew: see `claims.tables.label_free`."""
        return tables.label_free(self.runs, self.store, arm)

    def levels(self) -> dict[tuple[str, str], float]:
        """(model, task) -> alignment of the untrained model."""
        return {(r["config"]["model"], r["config"]["task"]): alignment(r).value for r in self.finished("base")}

    def examples(self) -> pd.DataFrame:
        """A prompt, a right and a wrong completion for each task: see `notebook.examples`."""
        return pd.DataFrame(examples(self.finished("base")))

    def _pairs(self) -> dict[tuple[str, str], dict[str, list[dict]]]:
        """(model, task) -> arm -> its records by seed, of the arms that are finished."""
        found = grouped(self.runs, self.store)
        return {pair: complete_arms(arms) for pair, arms in found.items()}

    def without_training(self) -> pd.DataFrame:
        """How much of standard RL's gain the untrained model gives: see `claims.untrained.gain_without_training`."""
        return gain_without_training(self.runs, self.store)

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
    show_in_words()
    pd.options.display.max_rows = None  # all rows: a verdict that is left out cannot be checked
    pd.options.display.max_colwidth = 600  # of a completion
    given = {key: value for key, value in names.items() if _is_parameter(key, value)}
    check_keys("notebook", given, PARAMETERS, "parameter")
    for key, value in given.items():
        if message := mismatch(value, PARAMETERS[key]):
            raise ConfigError(f"notebook: {key}: {message}")
    if given.get("workers", 2) < 1:
        raise ConfigError(f"notebook: workers: expected 1 or more, got {given['workers']}")
    models = given.get("models") or [given.get("model", "")]
    tasks = given.get("tasks") or [given.get("task", "")]
    pairs = [(m, t) for m in models for t in tasks if not is_warm_up(m) or parse(m).task == t]
    check_names(pairs)
    fixed = given.get("settings", {}) | ({"max_steps": given["max_steps"]} if "max_steps" in given else {})
    know(given.get("own_arms", {}))
    runs = expand_grid("notebook", pairs, given["arms"], given["seeds"], fixed, given.get("own_arms"))
    folder = Path(
        given.get("records") or os.environ.get("MTALIGN_RECORDS") or platformdirs.user_cache_path("mtalign") / "records"
    )
    return Session(runs, Records(folder), given.get("workers", 2))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table to be read: arms, claims, verdicts and columns by the names that pages and pictures give them, no infinity.

    >>> found = readable(pd.DataFrame({"arm": ["nsr"], "took_off": ["3"], "low": [float("-inf")]}))
    >>> list(found.columns), found.iloc[0].tolist()
    (['arm', 'took off', 'low'], ['negatives only', '3', 'below all'])
    """
    shown = table.copy()
    names = {"arm": label, "other": label, "way": label, "claim": lambda c: label(CLAIMS[c].arm) if c in CLAIMS else c}
    names |= dict.fromkeys(("verdict", "raw"), lambda verdict: CALLED.get(verdict, verdict))
    for column in names.keys() & set(shown.columns):
        shown[column] = shown[column].map(names[column])
    if "model" in shown:
        models = [model for model in shown["model"].unique() if isinstance(model, str)]
        short = {model: called(model, models) for model in models}
        shown["model"] = [short.get(model, model) for model in shown["model"]]
    for column in shown.select_dtypes("float"):
        if np.isinf(shown[column]).any():
            shown[column] = shown[column].astype(object).where(~np.isinf(shown[column]), shown[column].map(OUTSIDE))
    for column in shown.select_dtypes("object"):
        shown[column] = shown[column].where(shown[column].notna(), "")
    if "arm" in shown.index.names:
        shown = shown.rename(index=label, level="arm") if shown.index.nlevels > 1 else shown.rename(index=label)
    return shown.rename(columns=lambda name: CURVES.get(name, str(name).replace("_", " ")))


def versions() -> pd.DataFrame:
    """Versions and device, as records keep them."""
    from mtalign.runs.provenance import provenance

    made = provenance()
    return pd.Series(made["versions"] | {"device": made["device"]}, name="version").to_frame()


def _is_parameter(key: str, value) -> bool:
    return not key.startswith("_") and key != "In" and key != "Out" and isinstance(value, LITERALS)
