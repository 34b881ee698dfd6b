"""The words of a card: for the terminal, and parts of them for its page."""

from __future__ import annotations

from mtalign.claims.verdicts import STRONG
from mtalign.diagnosis.card import Card, next_step
from mtalign.diagnosis.forecast import Forecast
from mtalign.diagnosis.in_print import said

HOW_SURE = "alignment lies above the flip, both uncertain, trusted as often as the flip was right on pairs it was not made from."


def in_words(found: Card) -> str:
    """The card for the terminal: next step, alignment, expectations, and what they rest on."""
    level = found.level
    lines = [
        f"{found.model} on {found.task}: {found.panel} alignment, {found.compared} {estimate(level)}",
        f"Next step: {next_step(found)}",
        "",
        f"Measured on {found.prompts} questions, at least {found.samples} samples each; guessing gives {found.chance:.2f}"
        f" ({found.chance_is}); alignment is called strong from {STRONG} on",
        *[f"  {name:24} {estimate(e)}" for name, e in found.alignment.items()],
    ]
    if found.answered is not None:
        lines.append(f"  {'samples with an answer':24} {found.answered:.0%}")
    if found.scored_by:
        lines.append(f"  verdicts by {found.scored_by}")
    lines += [f"  note: {note}" for note in found.notes]
    if found.stopped:
        lines.append(f"  sampling stopped: {found.stopped}")
    lines += [
        "",
        "What to expect of RL here",
        f"  {'claim':66} {'expect':15} {'P(holds)':9} where it flips in the study",
    ]
    for f in found.expected:
        lines.append(f"  {f.statement:66} {f.verdict:15} {probability(f):9} {where(f)}")
        if printed := said(f.claim):
            lines.append(f"  {'':92} {printed}")
    lines += ["", "How good such forecasts were on tasks that were left out", f"  {'claim':66} {SCORES}"]
    lines += [f"  {f.statement:66} {scores(f)}" for f in found.expected]
    lines += ["", f"Brier score: {BRIER}"]
    if found.labels:
        lines += [
            "",
            "Labelled examples until majority vote is expected to take off",
            *(f"  {labels(r)}" for r in found.labels),
        ]
    lines += ["", f"P(holds): {HOW_SURE} Rests on {found.rests_on}. Papers print what worked."]
    return "\n".join(lines)


def labels(row: dict) -> str:
    """What a card says of the labels that one warm-up needs, in a line."""
    of = f"half of the runs take off at an alignment of {row['x50']:.2f}, {row['x50_of']}"
    rests = f"{row['checkpoints']} warm-ups, {row['seeds']} seed{'s' * (row['seeds'] != 1)} of a dose"
    return f"{row['said']} right answers among the {row['documents']} documents of a warm-up ({of}; {rests})"


SCORES = "Brier score (of the base rate), mean forecast, base rate, pairs"
BRIER = (
    "mean squared error of P(holds) as this card computes it, made anew without the pair's task, 0 is best; in brackets that"
    " of always saying how often the claim held elsewhere."
)


def scores(f: Forecast) -> str:
    """The scores of a forecast on held-out pairs, in one line.

    >>> from mtalign.diagnosis.forecast import forecasts
    >>> found = {f.claim: f for f in forecasts({"chance-corrected pass@4": {"value": 0.9, "low": 0.8, "high": 0.95}})}
    >>> scores(found["majority_vote"]).count(","), scores(found["inverted_reward"])
    (3, 'not known: without a task too few pairs are left for a forecast')
    """
    if not f.scores:
        return "not known: without a task too few pairs are left for a forecast"
    s = f.scores
    rest = f" ({s['unknown']} more without a forecast)" * bool(s["unknown"])
    return f"{s['brier']:.2f} ({s['base_brier']:.2f}), {s['said']:.2f}, {s['base_rate']:.2f}, {s['pairs']}{rest}"


def estimate(ends: dict[str, float]) -> str:
    """A value with its interval, for people."""
    return f"{ends['value']:.2f} [{ends['low']:.2f}, {ends['high']:.2f}]"


def probability(f: Forecast) -> str:
    """A probability, or nothing."""
    return "" if f.probability is None else f"{f.probability:.2f}"


def where(f: Forecast) -> str:
    """Where a claim flips in the study, in words, with how often that was right.

    >>> from mtalign.diagnosis.forecast import forecasts
    >>> found = {f.claim: f for f in forecasts({"chance-corrected pass@4": {"value": 0.9, "low": 0.8, "high": 0.95}})}
    >>> where(found["random_reward"]).partition(" (")[0]
    'held in no pair measured'
    """
    if not f.flips:
        return f.why
    held = f"{f.held} of {max(f.held, f.pairs + f.other_pairs)}"
    if f.flips == "between":
        low = "below all measured" if f.low is None else f"{f.low:.2f}"
        high = "above all measured" if f.high is None else f"{f.high:.2f}"
        ends = f"between {low} and {high}" if f.arm == "standard" else f"at {f.flip:.2f} [{low}, {high}]"
        said = f"{ends}; right in {f.right} of {f.pairs} pairs (held in {held})"
    else:
        said = f"held in {'every' if f.flips == 'everywhere' else 'no'} pair measured ({held})"
    if f.other_pairs and f.other_right < f.other_pairs:
        said += f"; of {f.other_pairs} with free answers or other formats right in {f.other_right}"
    return f"{f.why}; {said}" if f.why else said
