"""Forecasts: what to expect of each claim at a measured alignment, from the pairs of the study.

A claim is expected to hold where alignment lies above the point at which it flipped in the study (`claims.thresholds`), both
uncertain. Nothing is expected where no pair was measured: outside of the range of alignment that the study has for a claim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mtalign.claims import thresholds
from mtalign.claims.verdicts import CLAIMS, THRESHOLD, Claim, generator, panel
from mtalign.diagnosis import measured
from mtalign.diagnosis.samples import decisive

SURE, LIKELY = 0.9, 0.75  # probability from which a verdict is given plainly, or as probable; else it is `uncertain`
DRAWS = 4000


@dataclass(frozen=True)
class Forecast:
    """What to expect of a claim.

    Attributes:
        claim, statement, arm: the claim's, from `claims.CLAIMS`.
        verdict: holds, probably holds, uncertain, probably fails, fails; `unknown` where the study cannot say.
        probability: that the claim holds; None where unknown.
        flips: `between` measured pairs, or the claim held `everywhere` or `nowhere` among them; "" where none was measured.
        flip, low, high: the alignment at which it flips, with its 95% interval (of `standard_rl`: the pairs between which it
            lies); None for an end outside of what was measured.
        pairs, held, right: measured pairs, in how many the claim held, and of how many the flip says so, their task left out.
        other_pairs, other_right: the same for pairs with free answers or other formats, which the flip was not made from.
        least, most: the range of alignment of the measured pairs; None where there are none.
        why: what is to be said where the verdict is unknown.
        scores: how good this forecaster is on tasks that it was made without (`held_out`); None where that is not known.
        paper: what the studied paper (arXiv 2508.21188) expects, `holds` or `fails`.
    """

    claim: str
    statement: str
    arm: str
    verdict: str
    probability: float | None
    flips: str
    flip: float | None
    low: float | None
    high: float | None
    pairs: int
    held: int
    right: int
    other_pairs: int
    other_right: int
    least: float | None
    most: float | None
    why: str
    paper: str
    scores: dict[str, float] | None = None

    @property
    def expects(self) -> bool | None:
        """Whether the claim is expected to hold; None where that is uncertain or unknown."""
        return None if self.verdict in ("uncertain", "unknown") else self.verdict.endswith("holds")


def forecasts(alignment: dict[str, dict[str, float]]) -> tuple[Forecast, ...]:
    """A forecast for each claim, from measured alignment (`samples.measure`).

    >>> ends = {"value": 0.0, "low": 0.0, "high": 0.02}
    >>> found = {f.claim: f for f in forecasts({"chance-corrected pass@4": ends})}
    >>> found["standard_rl"].verdict, found["negative_samples"].verdict
    ('fails', 'unknown')
    """
    name = decisive(alignment)
    known, scores = thresholds.load()["measures"][name], measured.scores()[name]
    made = (forecast(c, name, alignment[name], measured.rows(c.name), known.get(c.name)) for c in CLAIMS.values())
    return tuple(replace(each, scores=scores.get(each.claim)) for each in made)


def forecast(claim: Claim, measure: str, level: dict[str, float], pairs: list[dict], known: dict | None) -> Forecast:
    """A forecast of one claim, without its scores.

    Args:
        measure, level: what was measured of the model: value, low, high.
        pairs: measured pairs of the claim, as `measured.rows` gives them.
        known: the claim's threshold, as `claims.thresholds` gives it; None where it has none.
    """
    levels, shares = np.array([p[measure] for p in pairs]), np.array([p["share"] for p in pairs])
    about = {"claim": claim.name, "statement": claim.statement, "arm": claim.arm}
    about |= {"paper": getattr(claim, panel(level["value"])), "held": int((shares > THRESHOLD).sum())}
    if claim.arm == "standard" and pairs:
        known = measured.flip(pairs, measure)
    if not known or not pairs:
        return _unknown(about, known or {}, "not measured in the study")
    about |= {"least": float(levels.min()), "most": float(levels.max())}
    if claim.arm != "standard" and (level["high"] < about["least"] or level["low"] > about["most"]):
        why = f"outside of the measured range, {about['least']:.2f} to {about['most']:.2f}"
        return _unknown(about, known, why)
    probability = trusted(_above(level, known), known)
    return Forecast(**about, verdict=verdict(probability), probability=round(probability, 2), why="", **_counts(known))


def _unknown(about: dict, known: dict, why: str) -> Forecast:
    ends = {"least": None, "most": None} | about
    return Forecast(**ends, verdict="unknown", probability=None, why=why, **_counts(known))


def _counts(known: dict) -> dict:
    """The flip and the counts of a threshold, with None for what lies outside of what was measured."""
    numbers = {key: known.get(key, 0) for key in ("pairs", "right", "other_pairs", "other_right")}
    inside = {key: known.get(key, np.nan) for key in ("flip", "low", "high")}
    within = {k: round(v, 3) if thresholds.EVERYWHERE < v < thresholds.NOWHERE else None for k, v in inside.items()}
    if "flip" not in known:
        return numbers | within | {"flips": ""}
    where = "everywhere" if known["flip"] <= thresholds.EVERYWHERE else "nowhere"
    return numbers | within | {"flips": "between" if within["flip"] is not None else where}


def _above(level: dict[str, float], known: dict) -> float:
    """The probability that alignment lies above the flip, both uncertain."""
    spread = max(level["high"] - level["low"], 1e-9) / (2 * 1.96)
    draws = generator().normal((level["high"] + level["low"]) / 2, spread, size=DRAWS)
    draws = np.clip(draws, 0.0, 1.0)  # a model that hardly answers is far below chance, and as good as at it
    ends = np.clip([known["low"], known["flip"], known["high"]], thresholds.EVERYWHERE, thresholds.NOWHERE)
    return float(np.interp(draws, ends, [0.025, 0.5, 0.975]).mean())


def trusted(above: float, known: dict) -> float:
    """The probability that a claim holds where alignment lies above its flip with the probability `above`.

    A threshold is trusted as often as it was right on pairs it was not made from, by Laplace's rule of succession: one
    that rests on four pairs cannot say more than five in six.

    >>> round(trusted(1.0, {"right": 4, "pairs": 4}), 2), round(trusted(1.0, {"right": 18, "pairs": 18}), 2)
    (0.83, 0.95)
    """
    right, pairs = (known[key] + known.get(f"other_{key}", 0) for key in ("right", "pairs"))
    trust = (right + 1) / (pairs + 2)
    return trust * above + (1 - trust) * (1 - above)


def verdict(probability: float) -> str:
    """A probability in words.

    >>> verdict(0.95), verdict(0.2), verdict(0.6)
    ('holds', 'probably fails', 'uncertain')
    """
    word = "holds" if probability > 0.5 else "fails"
    sure = max(probability, 1 - probability)
    return word if sure >= SURE else f"probably {word}" if sure >= LIKELY else "uncertain"
