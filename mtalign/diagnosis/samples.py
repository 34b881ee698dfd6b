"""What `diagnose` measures alignment from: graded samples of each question, drawn here or read from a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import regex

from mtalign.claims.thresholds import MEASURES
from mtalign.claims.verdicts import generator
from mtalign.config.errors import ConfigError
from mtalign.grading.answers import CLOSE, OPEN, grader, vote
from mtalign.metrics import chance_corrected, maj_at_k_counts, pass_at_k_counts
from mtalign.stats import wilson
from mtalign.tasks.options import plain


@dataclass(frozen=True)
class Sampled:
    """The samples of one question: how many, how many right, the votes (None: no answer), and which of these are right.

    `guess` is the probability that one sample is right by guessing, where that is known of the question (`guess_rates`
    of `records.tables`).
    """

    number: int
    correct: int
    votes: Counter | None = None
    right: frozenset[str] = frozenset()
    guess: float | None = None


@dataclass(frozen=True)
class Log:
    """What a log of samples holds.

    Attributes:
        model, task: their names, as the log has them.
        sampled: the samples of each question that has any.
        answers: the true answer of each of these questions, from which chance is estimated.
        scored_by: the filter, metric or scorer whose verdicts count.
        chance: accuracy of guessing where the log says how many choices there are, else None.
        notes: what a reader should know: what is missing, how answers were read.
    """

    model: str
    task: str
    sampled: list[Sampled]
    answers: list[str]
    scored_by: str
    chance: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """How a log is to be read.

    Attributes:
        kind: of grading, a key of `grading.GRADERS`; None for `choice` where the log knows of choices, else `math`.
        chance: accuracy of guessing, in [0, 1); None to take the log's number of choices, or to estimate it.
        filter: of lm-evaluation-harness; None for the log's first.
        scorer: of inspect_ai (`name`, or `name.key` where a score has several values), or a metric of the harness; None for the first.
        pattern: a regular expression that finds an answer in a response; None for the log's own filter, or the usual forms.
    """

    kind: str | None = None
    chance: float | None = None
    filter: str | None = None
    scorer: str | None = None
    pattern: regex.Pattern | None = None


def tally(
    completions: list[str], answer: str, kind: str, chance: float | None = None, options: Iterable[str] = ()
) -> Sampled:
    """Grades the completions of a question; its `chance`, and the `options` that stand in it, where they are known.

    >>> found = tally(["<answer>1</answer>", "<answer>1.0</answer>", "?"], "1", "math")
    >>> found.correct, sorted(found.right), found.votes[None]
    (2, ['1'], 1)
    """
    votes = Counter(vote(text, kind) for text in completions)
    right = frozenset(a for a in votes if a is not None and grader(kind)(a, answer))
    if chance is not None and (shown := {plain(option) for option in options}):
        chance *= sum(n for a, n in votes.items() if a is not None and plain(a) in shown) / len(completions)
    return Sampled(len(completions), sum(votes[a] for a in right), votes, right, chance)


def answer_rate(sampled: list[Sampled]) -> float:
    """The share of all samples that hold an answer, of questions whose votes are known.

    >>> answer_rate([Sampled(4, 1, Counter({"7": 3, None: 1})), Sampled(4, 0, Counter({None: 4}))])
    0.375
    """
    return 1 - sum(each.votes[None] for each in sampled) / sum(each.number for each in sampled)


def tagged(answer: str | None) -> str:
    """An answer as a completion in our own format; "" for None."""
    return "" if answer is None else f"{OPEN}{answer}{CLOSE}"


def one_of(option: str, asked: str | None, known: Iterable[str], where: object) -> str:
    """What was asked for, or the first of what there is.

    Raises:
        ConfigError: what was asked for is not there; the line names the option, the file and what is.

    >>> one_of("--filter", None, ["strict", "flexible"], "log")
    'strict'
    """
    known = list(known)
    if asked is not None and asked not in known:
        raise ConfigError(f"{option}: {asked!r} is not in {where}; there are: {', '.join(known) or 'none'}")
    return asked or known[0]


def others(kind: str, used: str, known: Iterable[str], option: str) -> list[str]:
    """A note that there is a choice, where there is one.

    >>> others("filters", "strict", ["strict", "flexible"], "--filter")
    ['of the filters strict, flexible the log is read by strict; --filter takes another']
    """
    known = list(known)
    return [f"of the {kind} {', '.join(known)} the log is read by {used}; {option} takes another"] if known[1:] else []


def measure(sampled: list[Sampled], chance: float) -> dict[str, dict[str, float]]:
    """Alignment from samples: name -> value, low, high. pass@4 needs four samples of each question, maj@N votes.

    `chance` is that of all questions whose own is not known (`Sampled.guess`).
    """
    fewest = min(s.number for s in sampled)
    guess = [chance if s.guess is None else s.guess for s in sampled]
    found = {}
    for k in (k for k in (1, 4) if k <= fewest):
        values = [pass_at_k_counts([s.correct], s.number, k)[0] for s in sampled]
        found[f"pass@{k}"] = ends = _ends(float(np.mean(values)), len(sampled))
        found[f"chance-corrected pass@{k}"] = {n: float(chance_corrected(v, guess, k)) for n, v in ends.items()}
    if fewest > 1 and all(s.votes is not None for s in sampled):
        counts, right = [dict(s.votes) for s in sampled], [set(s.right) for s in sampled]
        wins = maj_at_k_counts(counts, right, fewest, generator())
        found[f"maj@{fewest}"] = _ends(float(wins.mean()), len(sampled))
    return found


def _ends(value: float, number: int) -> dict[str, float]:
    low, high = wilson(value, number)
    return {"value": value, "low": low, "high": high}


def decisive(alignment: dict) -> str:
    """The measure that is compared with the study: pass@4 where there is one, else pass@1, corrected for chance."""
    return next(name for name in MEASURES if name in alignment)
