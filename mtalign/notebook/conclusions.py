"""Conclusions: verdicts in sentences, each computed from a table; what a notebook ends with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from IPython.display import Markdown

from mtalign.claims.verdicts import LEAST_GAIN, STRONG, panel
from mtalign.claims.verdicts import alignment as alignment_of
from mtalign.records.tables import named
from mtalign.stats import decide
from mtalign.tasks.registry import load_task

INFINITY = float("inf")
EQUAL = 0.1  # accuracies closer than this count as equal to a predicted value


def verdicts(table: pd.DataFrame, *names: str) -> Markdown:
    """The verdicts of the named claims (of all, where none is named), from the table of `claims.verdicts`."""
    lines = []
    for row in table[table["claim"].isin(names or table["claim"])].itertuples():
        where = f"**{row.claim}** on {row.model}, {row.task}"
        if row.verdict == "missing":
            lines.append(f"- {where}: no verdict, a run is missing ({row.why}).")
            continue
        share = f"share {row.recovered} with {row.seeds:.0f} seed{'s' * (row.seeds != 1)}"
        level = f"{row.panel} alignment, {row.alignment:.2f}"
        if row.verdict == "not testable":
            lines.append(f"- {where} ({level}): **not testable**, {row.why}; {share}.")
            continue
        runs = f"{row.took_off:.0f} of {row.seeds:.0f} took off, P = {row.take_off}"
        raw = (
            ""
            if row.raw == row.verdict
            else f" ({row.raw} before Holm's correction, p {row.p_value:.3f} and then {row.holm:.2f})"
        )
        lines.append(f"- {where} ({level}): **{row.verdict}**{raw}; {share}; {runs}; predicted: {row.predicted}.")
    return _list(lines, "No claim was tested: its arm is not among this notebook's arms.")


def alignment(base: list[dict]) -> Markdown:
    """Whether alignment is strong or weak, from the records of untrained models."""
    lines = []
    for record in base:
        estimate = alignment_of(record)
        word = {"holds": "strong", "fails": "weak"}.get(decide(estimate, STRONG), "undecided")
        where = f"{record['config']['model']} on {record['config']['task']}"
        line = f"- {where}: alignment is **{word}**; chance-corrected pass@4 is {estimate}, strong from {STRONG}."
        if (share := named(record)) is not None:
            chance = load_task(record["config"]["task"]).chance
            accuracy = np.mean(record["after"]["correct"]) / record["after"]["num_samples"]
            line += (
                f" {share:.2f} of its answers name an option that stands in the question; naming one of them each time"
            )
            line += f" is right {chance:.2f} of the time, the model {accuracy:.2f}."
        lines.append(line)
    return _list(lines, "The untrained model could not be measured.")


def flips(table: pd.DataFrame) -> Markdown:
    """Where each claim flips, from the table of `dose_response.flips`: by mean shares, and by the runs that take off."""
    lines = []
    for row in table.itertuples():
        if row.low == row.high == -INFINITY:
            verdict = "**holds** at every alignment measured"
        elif row.flip == INFINITY:
            verdict = f"no pair's mean exceeds one half{f' in {row.updates} updates' if row.runs else ''} (at most {row.best:.2f})"
        elif row.low == -INFINITY and row.high < INFINITY:
            verdict = f"**holds** from {row.high:.2f} on, perhaps from lower"
        elif row.low > -INFINITY and row.high == INFINITY:
            verdict = f"**fails** up to {row.low:.2f}, perhaps further"
        elif row.low == -INFINITY:
            verdict = "**inconclusive**: it may hold everywhere or nowhere"
        else:
            verdict = "**flips** from fails to holds"
        line = f"- {row.arm}: {verdict}; its mean crosses one half at {row.flip:.2f} [{row.low:.2f}, {row.high:.2f}], {row.pairs} pairs"
        if row.runs:
            line += f"; half of the runs take off from {row.x50:.2f} [{row.x50_low:.2f}, {row.x50_high:.2f}] on"
            line += f" ({row.took_off} of {row.runs} did, the best recovers {row.largest:.2f})"
        else:
            line += "; nothing is trained"
        lines.append(line + ".")
    return _list(lines, "Standard RL gained nothing, or too few runs are finished.")


def without_training(table: pd.DataFrame) -> Markdown:
    """How much of standard RL's gain needs no training, from the table of `untrained.gain_without_training`."""
    lines = []
    for (model, task), rows in table.groupby(["model", "task"], sort=False):
        gain = rows["gain"].iloc[0]
        if gain < LEAST_GAIN:
            lines.append(f"- {model}, {task}: standard RL gains only {gain:.2f}.")
            continue
        ways = "; ".join(f"{row.way} {row.accuracy.value:.2f}, share {row.share}" for row in rows.itertuples())
        best = max(rows.itertuples(), key=lambda row: row.share.value)
        given = f"**{max(best.share.value, 0):.2f}** of standard RL's gain of {gain:.2f} (by {best.way})"
        lines.append(f"- {model}, {task}: the untrained model gives {given}; {ways}.")
    return _list(lines, "Standard RL or the untrained model has no finished runs.")


def predictors(table: pd.DataFrame) -> Markdown:
    """Which measure of alignment to use, from the table of `dose_response.predictors`.

    The error is the mean absolute error of the recovered share on tasks left out of the fit, averaged over arms.
    """
    if table.empty or table["error"].isna().all():
        return Markdown("Fewer than two tasks: no measure can be tested on one that was left out.")
    means = table.groupby("measure")["error"].mean().sort_values()
    best, spread = means.index[0], means.std()
    alike = [name for name in means.index if means[name] <= means.iloc[0] + spread]
    lines = [
        f"- **{best}** has the smallest error on tasks left out, {means.iloc[0]:.2f}; the largest is {means.index[-1]}'s, {means.iloc[-1]:.2f}."
    ]
    lines.append(f"- Within {spread:.2f} (one standard deviation between measures) of the best: {', '.join(alike)}.")
    return _list(lines, "")


def spread(table: pd.DataFrame) -> Markdown:
    """Push or drift for each arm but `no_training`, from the table of `Session.spread`."""
    lines = []
    floors = table[table["arm"] == "no_training"].set_index(["model", "task"])["sd"]
    for row in table[table["arm"] != "no_training"].itertuples():
        if row.change.low > 0 or row.change.high < 0:
            moved = f"the mean **{'rises' if row.change.value > 0 else 'falls'}**"
            moved += ", with clipping active" if row.clip_fraction > 0 else ", although nothing was clipped"
        else:
            moved = "the interval of the mean's change contains 0: **no push shown**"
        if (row.model, row.task) in floors.index:
            times = row.sd / max(floors[row.model, row.task], 1e-6)
            moved += f"; spread between seeds is {times:.0f} times that without training"
        lines.append(f"- {row.arm} on {row.model}, {row.task}: {moved}; change {row.change}, {row.seeds} seeds.")
    return _list(lines, "No arm was trained.")


def difference(table: pd.DataFrame) -> Markdown:
    """Which of two arms is better where, from the table of `Session.difference`."""
    lines = []
    for row in table.itertuples():
        d = row.difference
        verdict = (
            f"**{row.arm} is better**"
            if d.low > 0
            else f"**{row.other} is better**"
            if d.high < 0
            else "**inconclusive**"
        )
        where = f"{row.model}, {row.task} ({panel(row.alignment)} alignment, {row.alignment:.2f})"
        lines.append(f"- {row.arm} and {row.other}, {where}: {verdict}; difference {d}.")
    return _list(lines, "The two arms have no finished runs in common.")


def label_free(table: pd.DataFrame) -> Markdown:
    """Whether a label-free reward teaches what the majority knew, from the table of `Session.label_free`."""
    lines = []
    for row in table.itertuples():
        d = row.difference
        verdict = "**inconclusive**"
        if d.low > -EQUAL and d.high < EQUAL:
            verdict = "**as predicted**"
        elif d.low > EQUAL or d.high < -EQUAL:
            verdict = f"**{'more' if d.low > EQUAL else 'less'} than predicted**"
        gains = f"gain {row.after.value - row.before:.2f}, predicted {row.predicted - row.before:.2f}"
        lines.append(f"- {row.model}, {row.task}: {verdict} within {EQUAL}; {gains}; difference {d}.")
    return _list(lines, "The arm has no finished runs.")


def _list(lines: list[str], otherwise: str) -> Markdown:
    return Markdown("\n".join(lines) or otherwise)
