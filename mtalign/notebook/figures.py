"""Figures: tidy frames -> axes. No files are read or written here; an arm has the same colour everywhere."""

from __future__ import annotations

import textwrap

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mtalign.notebook.dose_figures import (  # noqa: F401 (notebooks find all pictures in `figures`)
    dose_response,
    fitting,
    gain_against,
    note,
    nothing,
)
from mtalign.notebook.level_figures import drift, take_off, thresholds  # noqa: F401
from mtalign.notebook.palette import CURVES, label, palette, style
from mtalign.notebook.share_figures import recovered_shares  # noqa: F401
from mtalign.notebook.transfer_figures import paper_claims, transfer  # noqa: F401

sns.set_theme(context="notebook", style="whitegrid", rc={"figure.dpi": 100, "axes.titleweight": "bold"})

WIDEST = 10.0  # inches, at 100 dots an inch: what a page is wide


def accuracy_bars(table: pd.DataFrame, chance: float | None = None, panels: str = "panel") -> Figure:
    """Accuracy after training, a bar for each arm with its interval, a panel for each value of the column `panels`.

    Args:
        table: columns arm, value, low, high and that of the panels, as `claims.arm_accuracy` gives them.
        chance: drawn as a line where given.
    """
    if table.empty:
        return nothing()
    names = list(dict.fromkeys(table[panels]))
    count = table["arm"].nunique()
    wide = min(WIDEST, max(4.5, 0.95 * count))  # of one panel
    figure, axes = _panels(len(names), max(1, int(WIDEST // wide)), (wide, 4.2))
    for axis, name in zip(axes.flat, names, strict=False):
        rows = table[table[panels] == name]
        colours = [palette(table)[arm] for arm in rows["arm"]]
        axis.bar(range(len(rows)), rows["value"], color=colours, width=0.75)
        low, high = rows["value"] - rows["low"].clip(0, 1), rows["high"].clip(0, 1) - rows["value"]
        errors = [low.clip(lower=0), high.clip(lower=0)]
        axis.errorbar(range(len(rows)), rows["value"], errors, fmt="none", ecolor="black", capsize=3, elinewidth=1.2)
        for x, value in enumerate(rows["value"]):
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
            axis.annotate(f"{value:.2f}", (x, 0.035), ha="center", fontsize=9, bbox=box, zorder=5)
        names_of_arms = [textwrap.fill(label(arm), 16) for arm in rows["arm"]]
        axis.set_xticks(range(len(rows)), names_of_arms, rotation=35 if count < 13 else 60, ha="right")
        axis.set(ylim=(0, 1.05), title=fitting(f"{name}{_best(rows)}", wide), ylabel="accuracy on held-out prompts")
        axis.grid(axis="x", visible=False)
        if chance is not None:
            axis.axhline(chance, color="0.3", linestyle=":", linewidth=1.2)
            axis.annotate("chance", (len(rows) - 0.5, chance + 0.01), ha="right", fontsize=9, color="0.3")
    return figure


def _panels(number: int, across: int, size: tuple[float, float]):
    """A figure with so many panels of that size, in inches, so many of them beside each other; the rest stay empty."""
    across = min(across, number)
    rows = -(-number // across)
    figure, axes = plt.subplots(
        rows, across, figsize=(size[0] * across, size[1] * rows), sharey=True, squeeze=False, layout="constrained"
    )
    for axis in axes.flat[number:]:
        axis.set_axis_off()
    return figure, axes


def _best(rows: pd.DataFrame) -> str:
    """What a panel of bars shows: where standard RL ends, and which other arm comes next."""
    reached = rows.set_index("arm")["value"]
    others = reached.drop(labels=["base", "standard"], errors="ignore").dropna()
    if "standard" not in reached or others.empty:
        return ""
    return f": {label('standard')} {reached['standard']:.2f}; next, {others.max():.2f}: {label(others.idxmax())}"


def learning_curves(curves: pd.DataFrame, columns: list[str]) -> Figure:
    """A panel for each column of the learning curve against updates, a line for each arm, a band over its seeds.

    Several pairs of a model and a task are never pooled: each has panels of its own.
    """
    if curves.empty:
        return nothing()
    by = [name for name in ("model", "task") if name in curves]
    pairs = list(curves.groupby(by, sort=False)) if by else [((), curves)]
    arms, colours = list(curves["arm"].unique()), palette(curves)
    markers, dashes = ({arm: style(arm)[i] for arm in arms} for i in (0, 1))
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    size = (min(4 * across, WIDEST), 3.2 * down * len(pairs))
    figure, axes = plt.subplots(down * len(pairs), across, figsize=size, squeeze=False, layout="constrained")
    for place, (pair, rows) in enumerate(pairs):
        these = axes[place * down : (place + 1) * down].flat
        for axis in these[len(columns) :]:
            axis.set_axis_off()
        name = f"{', '.join(pair)}\n" if len(pairs) > 1 else ""
        for axis, column in zip(these, columns, strict=False):
            sns.lineplot(
                rows, x="step", y=column, hue="arm", style="arm", palette=colours, dashes=dashes, markers=markers,
                markevery=max(1, rows["step"].nunique() // 6), markersize=5, errorbar=("pi", 100), ax=axis, legend=False,
            )  # fmt: skip
            title = f"{name}{fitting(_ends(rows, column), size[0] / across)}"
            axis.set(xlabel="updates", ylabel=textwrap.fill(CURVES.get(column, column.replace("_", " ")), 20))
            axis.set_title(title, fontsize=10)
    lines = [
        plt.Line2D([], [], color=colours[arm], marker=markers[arm], linestyle=(0, dashes[arm] or ()), label=label(arm))
        for arm in arms
    ]
    figure.legend(handles=lines, loc="outside upper center", ncols=min(4, len(arms)))
    return figure


def _ends(rows: pd.DataFrame, column: str) -> str:
    """What a panel of learning curves shows: which arm ends highest and which lowest, in the mean over seeds."""
    last = rows[rows["step"] == rows.groupby("arm")["step"].transform("max")].groupby("arm")[column].mean().dropna()
    name = CURVES.get(column, column.replace("_", " "))
    if last.empty:
        return name
    low, high = f"{last.min():.2f}", f"{last.max():.2f}"
    if low == high:
        return f"{name}: {high} at the end"
    return f"{name}: {low} ({label(last.idxmin())}) to {high} ({label(last.idxmax())}) at the end"


def alignment_curves(table: pd.DataFrame) -> Figure:
    """pass@k and maj@k of untrained models against k, and what guessing reaches.

    Args:
        table: columns pair, k, metric (pass@k, maj@k or guessing) and value.
    """
    if table.empty:
        return nothing()
    grid = sns.relplot(
        table, x="k", y="value", hue="metric", style="metric", col="pair", col_wrap=min(3, table["pair"].nunique()), kind="line", markers=True, height=2.9,
        hue_order=["pass@k", "maj@k", "guessing"], palette=["#0173b2", "#de8f05", "0.5"], aspect=1.0,
    )  # fmt: skip
    grid.set(xscale="log", ylim=(0, 1.05), xlabel="samples k", ylabel="share of prompts")
    for axis, pair in zip(grid.axes.flat, table["pair"].unique(), strict=True):
        axis.set_xscale("log", base=2)
        axis.set_title(fitting(f"{pair}{_known(table[table['pair'] == pair])}", 3), fontsize=10)
    return grid.figure


def _known(rows: pd.DataFrame) -> str:
    """What curves of alignment show: whether the majority of the most samples is right more often than one sample."""
    values = rows.set_index(["metric", "k"])["value"]
    if ("pass@k", 1) not in values or "maj@k" not in values:
        return ""
    most, one = values["maj@k"].index.max(), values["pass@k", 1]
    known = values["maj@k", most]
    return f": maj@{most} {known:.2f} is {'above' if known > one else 'not above'} pass@1 {one:.2f}"


def seeds_apart(table: pd.DataFrame) -> Figure:
    """Accuracy of each seed after training, a group of points for each arm, a panel for each pair; line: before.

    Args:
        table: as `records.frame` gives it.
    """
    if table.empty:
        return nothing()
    pairs = list(table.groupby(["model", "task"], sort=False))
    figure, axes = _panels(len(pairs), 2, (5, 4))
    for axis, ((model, task), rows) in zip(axes.flat, pairs, strict=False):
        arms, of_arm = list(dict.fromkeys(rows["arm"])), rows.groupby("arm")["arm"]
        beside = of_arm.cumcount() / (of_arm.transform("size") - 1).clip(lower=1) - 0.5  # seeds in their order
        across, colours = rows["arm"].map(arms.index) + 0.4 * beside, palette(table)
        for arm in arms:
            these = rows["arm"] == arm
            look = {"color": colours[arm], "marker": style(arm)[0], "edgecolor": "0.2", "linewidth": 0.4}
            axis.scatter(across[these], rows["accuracy"][these], s=28, **look)
        axis.set_xticks(range(len(arms)), [label(arm) for arm in arms], rotation=35, ha="right", rotation_mode="anchor")
        axis.axhline(rows["accuracy_before"].iloc[0], color="black", linestyle="--", linewidth=1)
        axis.set(xlabel="", ylabel="accuracy on held-out prompts", ylim=(-0.03, 1.03))
        axis.set_title(fitting(f"{model}, {task}{_widest(rows)}", 5), fontsize=11)
    return figure


def _widest(rows: pd.DataFrame) -> str:
    """What points of seeds show: the arm whose seeds end farthest apart."""
    ends = rows.groupby("arm")["accuracy"].agg(["min", "max", "size"])
    ends = ends[ends["size"] > 1]
    if ends.empty:
        return ""
    arm = (ends["max"] - ends["min"]).idxmax()
    return f": seeds of {label(arm)} end from {ends['min'][arm]:.2f} to {ends['max'][arm]:.2f}"


def completions(rows: pd.DataFrame) -> Figure:
    """Exact match, ROUGE-L and right answers against the share of a question that was shown, a line for each task.

    Args:
        rows: as `contamination.measure` gives them; bands are 95% bootstrap intervals over questions.
    """
    figure, axes = plt.subplots(1, 3, figsize=(WIDEST, 3.4), sharey=True, layout="constrained")
    titles = {"exact_match": "exact match", "rouge_l": "ROUGE-L", "right": "right answer"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        seen = rows[rows[name].notna()]
        sns.lineplot(
            seen, x="share", y=name, hue="task", style="task", markers=True, seed=0, ax=axis, legend=name == "right"
        )
        axis.set(title=title, ylim=(-0.03, 1.05), xlabel="share of the question shown", ylabel="mean over questions")
    return figure
