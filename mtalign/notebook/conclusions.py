"""Conclusions: verdicts in sentences, each computed from a table; what a notebook ends with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from IPython.display import Markdown

from mtalign.claims.dose_words import in_words, kind_of
from mtalign.claims.level_words import in_sentences
from mtalign.claims.verdicts import CLAIMS, LEAST_GAIN, STRONG, panel
from mtalign.claims.verdicts import alignment as alignment_of
from mtalign.notebook.palette import label
from mtalign.records.tables import named
from mtalign.stats import decide
from mtalign.tasks.registry import load_task

UNTRAINED = "untrained, "  # how labels of what needs no training begin
COUNTED = {
    "holds": "hold",
    "fails": "fail",
    "inconclusive": "are undecided",
    "not testable": "are not applicable",
    "missing": "miss a run",
}
ENOUGH = {
    "holds": "enough",
    "fails": "not enough",
    "inconclusive": "undecided",
    "not testable": "not applicable",
    "missing": "runs are missing",
}
EQUAL = 0.1  # accuracies closer than this count as equal to a predicted value


def levels(crossings: pd.DataFrame, left_out: int = 0) -> Markdown:
    """Where half of the majority votes take off, a line for each level of the map.

    Args:
        crossings: as `claims.level_thresholds.crossings` gives them.
        left_out: levels that have not finished.
    """
    lines = [f"- {line}" for line in in_sentences(crossings)]
    if left_out:
        lines.append(f"- Not finished, and judged in nothing: {left_out} more.")
    return Markdown("\n".join(lines))


def verdicts(table: pd.DataFrame, *names: str) -> Markdown:
    """The verdicts of the named claims (of all, where none is named), from the table of `claims.verdicts`."""
    lines = []
    for row in table[table["claim"].isin(names or table["claim"])].itertuples():
        where = f"**{_arm_of(row.claim)}** on {row.model}, {row.task}"
        if row.verdict == "missing":
            lines.append(f"- {where}: no verdict, a run is missing ({row.why}).")
            continue
        share = f"share {row.recovered} with {row.seeds:.0f} seed{'s' * (row.seeds != 1)}"
        level = f"{row.panel} alignment, {row.alignment:.2f}"
        if row.verdict == "not testable":
            lines.append(f"- {where} ({level}): **not applicable**, {row.why}; {share}.")
            continue
        runs = f"{row.took_off:.0f} of {row.seeds:.0f} took off, P = {row.take_off}"
        raw = (
            ""
            if row.raw == row.verdict
            else f" ({row.raw} before Holm's correction, p {row.p_value:.3f} and then {row.holm:.2f})"
        )
        word = {"inconclusive": "undecided"}.get(row.verdict, row.verdict)
        lines.append(f"- {where} ({level}): **{word}**{raw}; {share}; {runs}; predicted: {row.predicted}.")
    return _list(lines, "No claim was tested: its arm is not among this notebook's arms.")


def in_short(table: pd.DataFrame, *names: str) -> Markdown:
    """The verdicts of the named claims in one sentence: arm by arm for one pair, as numbers for several."""
    these = table[table["claim"].isin(names or table["claim"])]
    if these.empty:
        return Markdown("No claim was tested: its arm is not among this notebook's arms.")
    pairs = these[["model", "task"]].drop_duplicates()
    if len(pairs) == 1:
        level = these["alignment"].dropna()
        where = f"On {pairs['model'].iloc[0]}, {pairs['task'].iloc[0]}"
        where += f" ({panel(level.iloc[0])} alignment, {level.iloc[0]:.2f})" if len(level) else ""
        arms = {
            word: [_arm_of(row.claim) for row in these.itertuples() if row.verdict == verdict]
            for verdict, word in ENOUGH.items()
        }
        found = [f"**{word}**: {', '.join(names)}" for word, names in arms.items() if names]
        return Markdown(f"{where}: {'; '.join(found)}.")
    count = these["verdict"].value_counts()
    said = [f"{count.get(verdict, 0)} {word}" for verdict, word in COUNTED.items() if count.get(verdict, 0)]
    firm = these[these["verdict"].isin(["holds", "fails"])]
    against = int((firm["verdict"] != firm["predicted"]).sum())
    return Markdown(
        f"Of {len(these)} claims about {len(pairs)} pairs of a model and a task, **{', '.join(said)}**;"
        f" {against} of the {len(firm)} verdicts that stand contradict the paper."
    )


def _arm_of(claim: str) -> str:
    return label(CLAIMS[claim].arm) if claim in CLAIMS else claim.replace("_", " ")


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
    for _, row in table.iterrows():
        kind = kind_of(row.flip, row.low, row.high)
        best = f" (at most {row['best']:.2f} of it)" if kind in ("nowhere", "hardly") else ""
        line = f"- **{label(row['arm'])}** {in_words(row)}{best}, over {row['pairs']} pairs"
        if row["runs"]:
            line += f"; {row['took_off']} of {row['runs']} runs take off, the best recovers {row['largest']:.2f}"
            if np.isfinite([row["x50"], row["x50_low"], row["x50_high"]]).all():
                line += f"; half of them from {row['x50']:.2f} [{row['x50_low']:.2f}, {row['x50_high']:.2f}] on"
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
        ways = "; ".join(
            f"{label(row.way).removeprefix(UNTRAINED)} {row.accuracy.value:.2f}, share {row.share}"
            for row in rows.itertuples()
        )
        best = max(rows.itertuples(), key=lambda row: row.share.value)
        given = f"**{max(best.share.value, 0):.2f}** of standard RL's gain of {gain:.2f} (by {label(best.way).removeprefix(UNTRAINED)})"
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
        lines.append(f"- {label(row.arm)} on {row.model}, {row.task}: {moved}; change {row.change}, {row.seeds} seeds.")
    return _list(lines, "No arm was trained.")


def difference(table: pd.DataFrame) -> Markdown:
    """Which of two arms is better where, from the table of `Session.difference`."""
    lines = _counted(table)
    for row in table.itertuples():
        d = row.difference
        verdict = (
            f"**{label(row.arm)} is better**"
            if d.low > 0
            else f"**{label(row.other)} is better**"
            if d.high < 0
            else "**undecided**"
        )
        where = f"{row.model}, {row.task} ({panel(row.alignment)} alignment, {row.alignment:.2f})"
        lines.append(f"- {label(row.arm)} and {label(row.other)}, {where}: {verdict}; difference {d}.")
    return _list(lines, "The two arms have no finished runs in common.")


def _counted(table: pd.DataFrame) -> list[str]:
    """Of many pairs, first how many say what."""
    if len(table) < 5:
        return []
    first = sum(d.low > 0 for d in table["difference"])
    second = sum(d.high < 0 for d in table["difference"])
    one, other = label(table["arm"].iloc[0]), label(table["other"].iloc[0])
    counts = f"**{one} is better in {first}, {other} in {second}**"
    return [f"- Of {len(table)} pairs, {counts}; {len(table) - first - second} are undecided."]


def label_free(table: pd.DataFrame) -> Markdown:
    """Whether a label-free reward teaches what the majority knew, from the table of `Session.label_free`."""
    lines = []
    for row in table.itertuples():
        d = row.difference
        verdict = "**undecided**"
        if d.low > -EQUAL and d.high < EQUAL:
            verdict = "**as predicted**"
        elif d.low > EQUAL or d.high < -EQUAL:
            verdict = f"**{'more' if d.low > EQUAL else 'less'} than predicted**"
        gains = f"the gain is {row.after.value - row.before:.2f}, predicted was {row.predicted - row.before:.2f}"
        lines.append(
            f"- {row.model}, {row.task}: {gains}: {verdict}. The difference is {d}; up to {EQUAL} counts as none."
        )
    return _list(lines, "The arm has no finished runs.")


def _list(lines: list[str], otherwise: str) -> Markdown:
    return Markdown("\n".join(lines) or otherwise)
