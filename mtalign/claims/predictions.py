"""Predictions are judged: each has a rule stated before the run, and an outcome that the rule gives, never a reader.

A notebook ends in `Outcomes`: what it shows carries them in its output's metadata, where `report.predictions` finds them in
the executed notebook and lists them, wrong ones included (`notebook.judged` has those of our notebooks):

    Outcomes([above(share, 0.5, "Random reward recovers more than half", where="micro-a, logic")])

`PAIRED` holds the predictions of notebook 12, which the index judges too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal

from mtalign.claims.verdicts import panel
from mtalign.stats import Estimate

Outcome = Literal["confirmed", "refuted", "undecided"]
EQUAL = 0.1  # accuracies closer than this count as equal
KIND = "mtalign-prediction"  # key of an output's metadata
OUTCOMES: tuple[Outcome, ...] = ("confirmed", "refuted", "undecided")
AFTER = "written after the run"  # said of a rule that the text of a notebook did not state


@dataclass(frozen=True)
class Judged:
    """A prediction with its outcome.

    Attributes:
        statement: what was predicted.
        rule: what decides it, as stated before the run.
        outcome: `confirmed`, `refuted` or `undecided`.
        because: the numbers that the rule looked at.
        where: model and task, where it is about one pair.
        source: who predicted it: "ours", or an arXiv number.
    """

    statement: str
    rule: str
    outcome: Outcome
    because: str
    where: str = ""
    source: str = "ours"

    def line(self) -> str:
        """What is shown of it: a line of markdown."""
        place = f" ({self.where})" if self.where else ""
        return f"- **{self.outcome}**{place}: {self.statement[:1].upper()}{self.statement[1:]}. {self.because[:1].upper()}{self.because[1:]}. Rule: {self.rule}."

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return Outcomes([self])._repr_mimebundle_()


class Outcomes(list[Judged]):
    """The predictions of a notebook: in it a line of markdown for each, with all of them in the output's metadata."""

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        text = "\n".join(each.line() for each in self) or "No prediction was stated for what was run here."
        return {"text/markdown": text, "text/plain": text.replace("*", "")}, {KIND: [asdict(each) for each in self]}


def counted(outcomes: list[str]) -> str:
    """How many came out how.

    >>> counted(["confirmed", "refuted", "confirmed"])
    '2 confirmed, 1 refuted, 0 undecided'
    """
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES)


def afterwards(judged: Judged) -> Judged:
    """The same, with a word that its rule was written after the run, as the text stated none."""
    return replace(judged, rule=f"{judged.rule} ({AFTER})")


def near(difference: Estimate, statement: str, where: str = "", source: str = "ours") -> Judged:
    """That a value is the predicted one within `EQUAL`: refuted where the whole interval of the difference is farther away.

    >>> [near(d, "it is so").outcome for d in (Estimate(0.02, 0.01, 0.03), Estimate(0.1, 0, 0.2), Estimate(0.3, 0.2, 0.4))]
    ['confirmed', 'undecided', 'refuted']
    """
    away = difference.low > EQUAL or difference.high < -EQUAL
    within = difference.low > -EQUAL and difference.high < EQUAL
    outcome = "refuted" if away else "confirmed" if within else "undecided"
    rule = f"confirmed where the difference's interval lies within {EQUAL:g} of 0, refuted where it lies outside"
    return Judged(statement, rule, outcome, f"the difference is {difference}", where, source)


def _said(estimate: Estimate) -> str:
    """The estimate in words that know no infinity: of one seed the interval is open."""
    known = abs(estimate.low) + abs(estimate.high) < float("inf")
    return f"{estimate}" if known else f"{estimate.value:.2f}, with no interval: it takes two seeds"


def _rule(right: str, wrong: str, bound: float) -> str:
    return f"confirmed where the whole interval lies {right} {bound:g}, refuted where it lies {wrong}, else undecided"


def above(
    estimate: Estimate, bound: float, statement: str, where: str = "", source: str = "ours", of: str = "the value"
) -> Judged:
    """That a value lies above a bound: confirmed where its whole interval does, refuted where it lies below.

    >>> above(Estimate(0.9, 0.7, 1.0), 0.5, "it recovers more than half").outcome
    'confirmed'
    """
    outcome = "confirmed" if estimate.low > bound else "refuted" if estimate.high < bound else "undecided"
    return Judged(statement, _rule("above", "below", bound), outcome, f"{of} is {_said(estimate)}", where, source)


def below(
    estimate: Estimate, bound: float, statement: str, where: str = "", source: str = "ours", of: str = "the value"
) -> Judged:
    """That a value lies below a bound, likewise."""
    outcome = "confirmed" if estimate.high < bound else "refuted" if estimate.low > bound else "undecided"
    return Judged(statement, _rule("below", "above", bound), outcome, f"{of} is {_said(estimate)}", where, source)


def equal(difference: Estimate, statement: str, where: str = "", source: str = "ours") -> Judged:
    """That two accuracies are equal: refuted where the interval of their difference excludes 0, confirmed where all of it
    is smaller than `EQUAL`, undecided where it is too wide to say.

    >>> [equal(d, "they are equal").outcome for d in (Estimate(0, -0.02, 0.02), Estimate(0, -0.4, 0.4), Estimate(0.2, 0.1, 0.3))]
    ['confirmed', 'undecided', 'refuted']
    """
    apart = difference.low > 0 or difference.high < 0
    near = max(abs(difference.low), abs(difference.high)) < EQUAL
    outcome = "refuted" if apart else "confirmed" if near else "undecided"
    rule = f"refuted where the difference's interval excludes 0; confirmed where it lies within {EQUAL:g} of 0"
    return Judged(statement, rule, outcome, f"the difference is {difference}", where, source)


def better(difference: Estimate, statement: str, where: str = "", source: str = "ours") -> Judged:
    """That the first of two is better: confirmed where the interval of first minus second lies above 0, else refuted.

    That is the rule that notebooks stated before their runs. An interval that contains 0 shows neither to be better, so that
    the reason says what kind of refutation it is.

    >>> better(Estimate(0.04, -0.09, 0.17), "it is better").because
    'the difference is 0.04 [-0.09, 0.17]; its interval contains 0, so that neither is shown to be better'
    """
    outcome = "confirmed" if difference.low > 0 else "refuted"
    rule = "the whole interval of the difference lies above 0, else refuted"
    open_ = difference.low <= 0 <= difference.high
    because = f"the difference is {difference}{NEITHER if open_ else ''}"
    return Judged(statement, rule, outcome, because, where, source)


NEITHER = "; its interval contains 0, so that neither is shown to be better"


def first_better_when_weak(row: dict) -> str:
    return "first" if panel(row["alignment"]) == "weak" else "equal"


def equal_when_strong(row: dict) -> str:
    return "equal" if panel(row["alignment"]) == "strong" else ""


def first_where_one_line_is_unskilled(row: dict) -> str:
    return "first" if row["model"] == "lines-skilled" else ""


SAME_PROMPTS = ("standard_wrong_majority", "incorrect")  # right and wrong labels on the prompts whose majority is wrong

PAIRED: dict[tuple[str, str], Callable[[dict], str]] = {  # notebook 12: (first, second) -> which is better, or equal
    ("nsr", "nsr_released"): first_better_when_weak,
    ("psr", "psr_released"): lambda row: "equal",
    ("random", "random_gated"): first_where_one_line_is_unskilled,
    ("format_only", "format_one_line"): first_where_one_line_is_unskilled,
    ("entropy", "entropy_direct"): equal_when_strong,
    ("standard", "standard_refill"): lambda row: "equal",
    ("majority_vote", "test_time"): lambda row: "equal",
    SAME_PROMPTS: lambda row: "first",
}


def judge_paired(row: dict) -> Judged | None:
    """The outcome of notebook 12's prediction for a row of `claims.tables.difference`; None without one."""
    rule = PAIRED.get((row["arm"], row["other"]))
    expected = rule(row) if rule else ""
    where = f"{row['model']}, {row['task']}"
    if expected == "first":
        original = "The original is better than what the release computes"
        same = "Standard RL is better than an incorrect reward on the same prompts, those whose majority is wrong"
        return better(row["difference"], same if (row["arm"], row["other"]) == SAME_PROMPTS else original, where)
    return equal(row["difference"], "Both end equal", where) if expected == "equal" else None
