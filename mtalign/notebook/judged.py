"""The predictions of our notebooks, each judged by the rule that its notebook states, from the tables that it shows.

Where a notebook states no rule, the one here was written after the run, and says so (`predictions.afterwards`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from IPython.display import Markdown

from mtalign.claims import decide
from mtalign.claims.decide_part import FEWEST, Part
from mtalign.claims.decide_words import family
from mtalign.claims.dials import OUTCOMES as TRANSFER_OUTCOMES
from mtalign.claims.dose_words import taking_off
from mtalign.claims.predictions import (
    EQUAL,
    Judged,
    Outcomes,
    above,
    afterwards,
    below,
    better,
    counted,
    equal,
    judge_paired,
    near,
)
from mtalign.claims.verdicts import CLAIMS, STRONG, THRESHOLD, panel
from mtalign.claims.verdicts import alignment as alignment_of
from mtalign.notebook.judged_levels import PAPER, of_the_map  # noqa: F401 (notebooks find all in `judged`)
from mtalign.notebook.palette import label
from mtalign.stats import Estimate

STRONG_ON = {"micro-a": {"arithmetic", "ordering"}, "micro-b": {"cipher", "logic"}}  # notebook 01; weak on the others
BIAS = "arXiv 2506.10947"
INFINITY = float("inf")


def alignment(base: list[dict]) -> Outcomes:
    """Notebook 01: on which tasks the two crossed models are strong, from the records of untrained models."""
    found = Outcomes()
    for model, task, level in ((r["config"]["model"], r["config"]["task"], alignment_of(r)) for r in base):
        if model in STRONG_ON and task in set.union(*STRONG_ON.values()):
            strong = task in STRONG_ON[model]
            statement = f"Alignment is {'strong' if strong else 'weak'}"
            found.append((above if strong else below)(level, STRONG, statement, f"{model}, {task}", of="alignment"))
    return found


def claims(table: pd.DataFrame, *names: str) -> Outcomes:
    """Notebooks 02 to 05: what the paper expects of each arm, from `Session.verdicts`; by the interval, uncorrected."""
    found = Outcomes()
    for row in table[table["claim"].isin(names or table["claim"])].itertuples():
        about = CLAIMS.get(row.claim)
        holds = row.predicted == "holds"
        arm = label(about.arm) if about else row.claim
        part = "of what is left to gain" if row.claim == "standard_rl" else "of standard RL's gain"
        statement = (
            f"Training with {arm} recovers {'more' if holds else 'less'} than half {part}, as alignment is {row.panel}"
        )
        where = f"{row.model}, {row.task}"
        if row.verdict in ("missing", "not testable"):
            rule = "confirmed where the whole interval of the share lies on that side of one half, refuted on the other"
            found.append(Judged(statement, rule, "undecided", row.why, where, PAPER))
        else:
            found.append((above if holds else below)(row.recovered, THRESHOLD, statement, where, PAPER, "the share"))
    return found


def confidence(frame: pd.DataFrame, dose: float = 0.09) -> Outcomes:
    """Notebook 02: which rewards of confidence favour showing working, from `Session.frame`."""
    found = Outcomes()
    for (model, task, arm), rows in frame.groupby(["model", "task", "arm"], sort=False):
        own = model.rpartition("-")[2] if model.startswith("dose-") else ""
        if arm not in ("entropy", "entropy_token", "entropy_sequence") or not own:
            continue
        rises = arm != "entropy_sequence" or float(own) > dose
        change = over_seeds(rows["thinking"] - rows["thinking_before"])
        statement = (
            f"With {label(arm)} the share of completions that show working {'rises' if rises else 'does not rise'}"
        )
        found.append(
            afterwards((above if rises else below)(change, 0.0, statement, f"{model}, {task}", of="the change"))
        )
    return found


def examples(table: pd.DataFrame) -> Outcomes:
    """Notebook 03: which examples serve better, from `Session.difference`."""
    return Outcomes(
        better(r.difference, f"{label(r.arm)} serves better than {label(r.other)}", f"{r.model}, {r.task}")
        for r in table.itertuples()
    )


def majority(table: pd.DataFrame, rule_stated: bool = True) -> Outcomes:
    """Notebooks 05, 08 and 11: a majority teaches what it knows, from `Session.label_free`."""
    found = [
        near(row.difference, "After majority vote accuracy is the untrained model's maj@16", f"{row.model}, {row.task}")
        for row in table.itertuples()
    ]
    return Outcomes(found if rule_stated else map(afterwards, found))


def crossings(table: pd.DataFrame) -> Outcomes:
    """Notebook 08: each shortcut crosses one half somewhere between none and strong, from `dose_response.flips`."""
    found = Outcomes()
    for row in table[table["runs"] > 0].itertuples():
        nowhere, everywhere = row.low == INFINITY, row.high == -INFINITY
        outcome = "refuted" if nowhere or everywhere else "undecided"
        where = (
            "below half everywhere"
            if nowhere
            else "above half everywhere"
            if everywhere
            else "open to one side or both"
        )
        if np.isfinite([row.low, row.high]).all():
            outcome, where = "confirmed", f"between {row.low:.2f} and {row.high:.2f}"
        statement = f"The share recovered by {label(row.arm)} rises with alignment and crosses one half"
        rule = "refuted where the crossing's interval says everywhere or nowhere; confirmed where both its ends are measured"
        found.append(Judged(statement, rule, outcome, f"the interval of the crossing is {where}", "", PAPER))
    return found


def random_reward(table: pd.DataFrame) -> Outcomes:
    """Notebook 09: bias or drift, from `Session.spread`."""
    found = Outcomes()
    floors = table[table["arm"] == "no_training"].set_index(["model", "task"])["sd"]
    for row in table[table["arm"] != "no_training"].itertuples():
        where = f"{row.model}, {row.task}, {label(row.arm)}"
        if row.clip_fraction > 0:
            found.append(afterwards(_moves(row.change, where)))
        else:
            found.append(afterwards(equal(row.change, "Bias: with nothing clipped nothing happens", where, BIAS)))
        moved = row.change.low > 0 or row.change.high < 0
        floor = floors.get((row.model, row.task), float("nan"))
        known = np.isfinite([row.sd, floor]).all()
        grows = known and row.sd > 2 * floor
        outcome = "refuted" if moved or (known and not grows) else "confirmed" if grows else "undecided"
        because = (
            f"the change of the mean is {row.change}, the spread {row.sd:.3f} against {floor:.3f} without training"
        )
        rule = "refuted where the interval of the mean's change excludes 0, or the spread is at most twice that of no training (the factor: written after the run)"
        found.append(Judged("Drift: the mean stays and seeds spread", rule, outcome, because, where))
    return found


def _moves(change: Estimate, where: str) -> Judged:
    moved, still = change.low > 0 or change.high < 0, max(abs(change.low), abs(change.high)) < EQUAL
    outcome = "confirmed" if moved else "refuted" if still else "undecided"
    rule = f"confirmed where the interval of the mean's change excludes 0, refuted where it lies within {EQUAL:g} of 0"
    return Judged("Bias: with clipping the mean moves", rule, outcome, f"the change is {change}", where, BIAS)


def paper(table: pd.DataFrame) -> Outcomes:
    """Notebook 10: what the paper expects of each claim under strong and weak alignment, over all pairs."""
    found = Outcomes()
    tested = table[~table["verdict"].isin(["missing", "not testable"])]
    for (claim, strength), rows in tested.groupby(["claim", "panel"], sort=False):
        stands = rows["verdict"].isin(["holds", "fails"])
        right, wrong = int((stands & (rows["verdict"] == rows["predicted"])).sum()), int(stands.sum())
        wrong -= right
        outcome = "refuted" if wrong else "confirmed" if right else "undecided"
        because = counted(["confirmed"] * right + ["refuted"] * wrong + ["undecided"] * (len(rows) - right - wrong))
        arm = label(CLAIMS[claim].arm) if claim in CLAIMS else claim
        does = "suffices" if rows["predicted"].iloc[0] == "holds" else "does not suffice"
        rule = (
            "each row of the table can refute it, after Holm's correction; confirmed where one stands and none refutes"
        )
        statement = f"Where alignment is {strength}, training with {arm} {does}"
        found.append(Judged(statement, rule, outcome, f"of {len(rows)} pairs: {because}", "", PAPER))
    return found


def mechanism(curves: pd.DataFrame, spread: pd.DataFrame, levels: dict[tuple[str, str], float]) -> Outcomes:
    """Notebook 11, its second and third prediction and the start of its first.

    Args:
        curves: as `Session.curves` gives them.
        spread: as `Session.spread` gives it.
        levels: (model, task) -> alignment.
    """
    found = Outcomes()
    each = curves.sort_values("step").groupby(["model", "task", "arm", "seed"])
    first, last = each.first(), each.last()
    changes = {(row.model, row.task, row.arm): row for row in spread.itertuples()}
    for (model, task, arm), row in changes.items():
        where, weak = f"{model}, {task}, {label(arm)}", panel(levels[model, task]) == "weak"
        start = first.loc[model, task, arm]
        if arm == "majority_vote":
            judge, words = (below, "seldom") if weak else (above, "mostly")
            at_first = over_seeds(start["majority_right"])
            found.append(
                afterwards(
                    judge(
                        at_first,
                        0.5,
                        f"The majority of a group is {words} right at first",
                        where,
                        of="the share of groups",
                    )
                )
            )
        if row.change.low > 0:
            outcome = "confirmed" if row.skilled == 1 else "refuted" if row.skilled < 0.5 else "undecided"
            rule = "confirmed where over 0.9 of completions show working in all seeds, refuted where in less than half of them"
            because = f"accuracy changes by {row.change}; in {row.skilled:.0%} of the seeds nearly all show working"
            found.append(afterwards(Judged("Where accuracy rises, working does", rule, outcome, because, where)))
        if weak and arm in ("standard", "majority_vote"):
            silent = over_seeds(start["frac_reward_zero_std"])
            found.append(
                afterwards(below(silent, 0.5, "Few groups have equal rewards at first", where, of="their share"))
            )
        if weak and arm == "majority_vote":
            falls = over_seeds(last.loc[model, task, arm]["entropy"] - start["entropy"])
            found.append(afterwards(below(falls, 0.0, "Entropy falls", where, of="the change")))
            found.append(afterwards(below(row.change, EQUAL, "Accuracy does not rise", where, of="the change")))
    return found


def paired(difference: pd.DataFrame, spread: pd.DataFrame) -> Outcomes:
    """Notebook 12 (and 07): the original against the release, from `Session.difference` and `Session.spread`."""
    found = Outcomes()
    changes = {(row.model, row.task, row.arm): row.change for row in spread.itertuples()}
    for row in difference.to_dict("records"):
        where, both = f"{row['model']}, {row['task']}", (row["arm"], row["other"])
        if known := judge_paired(row):
            found.append(known)
        original, released = (changes.get((row["model"], row["task"], arm)) for arm in both)
        if row["model"] == "lines-unskilled" and both[1] in ("random_gated", "format_one_line") and released:
            found.append(
                above(released, 0.1, f"{label(both[1])} gains at least 0.1", where, of="the change of accuracy")
            )
        if both == ("incorrect", "incorrect_released") and original:
            found.append(
                afterwards(
                    below(original, EQUAL, f"{label(both[0])} gains nothing", where, of="the change of accuracy")
                )
            )
            found.append(
                afterwards(above(released, EQUAL, f"{label(both[1])} gains", where, of="the change of accuracy"))
            )
    return found


def decided(table: pd.DataFrame, part: Part) -> Outcomes:
    """Notebook 15: does the threshold transfer, from `decide.outcomes`; undecided until all runs are there."""
    rule = "confirmed where the whole interval lies within a factor 2, refuted where it lies farther away"
    statement = "The majority vote takes off where it does in the micro study"
    crossings = decide.thresholds(table)
    if part.checkpoints < FEWEST:
        return Outcomes()
    if not part.may_be_judged:
        because = f"{part.done} of {part.planned} registered runs are there"
        return Outcomes(Judged(statement, rule, "undecided", because, family(r.task)) for r in crossings.itertuples())
    return Outcomes(
        Judged(
            statement,
            rule,
            TRANSFER_OUTCOMES[r.outcome],
            f"{taking_off(r)}, registered is {r.registered:.2f}",
            family(r.task),
        )
        for r in crossings.itertuples()
    )


def together(*parts: Outcomes) -> Outcomes:
    """All of them, as one list."""
    return Outcomes(each for part in parts for each in part)


def in_short(found: Outcomes) -> Markdown:
    """How many predictions came out how, in a sentence."""
    return Markdown(f"Of {len(found)} predictions: **{counted([each.outcome for each in found])}**.")


def over_seeds(values: pd.Series) -> Estimate:
    """The mean of one number a seed, with Student's 95% interval; of one seed or none the interval is open.

    >>> str(over_seeds(pd.Series([0.4, 0.5, 0.6]))), str(over_seeds(pd.Series([0.4])))
    ('0.50 [0.25, 0.75]', '0.40 [-inf, inf]')
    """
    from scipy.stats import t as student

    values = values.dropna()
    if len(values) < 2:
        return Estimate(float(values.mean()), -INFINITY, INFINITY)
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return Estimate(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)
