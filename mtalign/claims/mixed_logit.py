"""Where take-off crosses one half: a mixed logit over many pairs.

Take-off (`take_off`) becomes more frequent with alignment x, and differs between base checkpoints:

    P(take-off) = (1 - lapse) logistic(slope (x - x50) + spread u),   u ~ N(0, 1) drawn once for each checkpoint,

a mixed logit with an intercept for each checkpoint, slope >= 0, and a lapse of at most `MOST_LAPSE` for runs that fail
however strong alignment is, without which one such run makes the whole curve flat (Wichmann & Hill 2001). x50 is where a
typical checkpoint (u = 0) is half way up. Its interval is that of the profile likelihood: counts are often separated (no
run below, all above); then the slope has no finite estimate and a Wald interval none at all, but the profile still says
in which gap x50 lies. statsmodels (0.14) has mixed logits in a Bayesian form alone (`BinomialBayesMixedGLM`, a normal
approximation that depends on priors just where counts are separated), so the likelihood is integrated here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import log_expit
from scipy.stats import chi2, norm

from mtalign.stats import Estimate

MOST_LAPSE = 0.2
NODES = np.linspace(-5, 5, 51)  # of the integral over u
LOG_DENSITY = np.log(norm.pdf(NODES) / norm.pdf(NODES).sum())
BOUNDS = ((-6.0, 6.0), (-4.0, 1.6), (1e-9, MOST_LAPSE))  # log slope and log spread, by standard deviations of x; lapse
STARTS = ((0.5, 0.0, 0.05), (3.0, -2.0, 0.05))
FLAT = 1e-3  # of the log-likelihood: differences that say nothing


@dataclass(frozen=True)
class Crossing:
    """Where take-off crosses one half.

    Attributes:
        x50, low, high: with the interval; -inf below the lowest x, inf above the highest: nothing was measured there.
        runs, pairs, checkpoints: what it rests on.
        top: share of runs that take off where alignment is strong, 1 - lapse; x50 is half way up to it.
        least, most: the x that were measured, between which alone x50 can be found.
    """

    x50: float
    low: float
    high: float
    runs: int
    pairs: int
    checkpoints: int
    top: float = 1.0
    least: float = -np.inf
    most: float = np.inf

    def known(self) -> tuple[float, float]:
        """The interval as far as it was measured: one that lies wholly below all x ends at the lowest, and so above.

        >>> Crossing(-np.inf, -np.inf, -np.inf, 9, 3, 3, least=0.1, most=0.5).known()
        (-inf, 0.1)
        """
        return (self.most if self.low == np.inf else self.low), (self.least if self.high == -np.inf else self.high)

    def __str__(self) -> str:
        return str(Estimate(self.x50, self.low, self.high))


def crossing(
    x: Sequence[float], taken: Sequence[int], runs: Sequence[int], checkpoint: Sequence[str], level: float = 0.95
) -> Crossing:
    """x50 of the mixed logit, with the interval of its profile likelihood.

    Where a whole range of x50 fits equally well (separated counts), x50 is the middle of that range.

    Args:
        x: alignment of each pair.
        taken: of each pair's runs those that took off.
        runs: of each pair.
        checkpoint: the base checkpoint of each pair; pairs of one share their intercept.

    Raises:
        ValueError: there are no pairs, or lengths differ.

    >>> str(crossing([0.1, 0.2, 0.4, 0.5], [0, 0, 5, 5], [5] * 4, ["a", "b", "c", "d"]))
    '0.30 [0.17, 0.43]'
    >>> crossing([0.1, 0.2], [5, 5], [5, 5], ["a", "b"]).x50
    -inf
    """
    return _crossing(tuple(x), tuple(taken), tuple(runs), tuple(checkpoint), level)


def moved(
    x50: float, x: Sequence[float], taken: Sequence[int], runs: Sequence[int], checkpoint: Sequence[str]
) -> float:
    """The x50 of pairs that are nearly those it was found for: the peak that is reached from there, without its interval.

    >>> pairs = [0.1, 0.2, 0.4, 0.5], [0, 1, 4, 5], [5] * 4, ["a", "b", "c", "d"]
    >>> abs(moved(0.25, *pairs) - crossing(*pairs).x50) < 0.01
    True
    """
    return _moved(x50, tuple(x), tuple(taken), tuple(runs), tuple(checkpoint))


@lru_cache(maxsize=4096)  # of an interval, a standard error and a ratio the same parts are left out
def _moved(x50: float, x: tuple, taken: tuple, runs: tuple, checkpoint: tuple) -> float:
    likelihood = _Likelihood(x, taken, runs, checkpoint)
    return float(likelihood.centre + likelihood.scale * likelihood.near((x50 - likelihood.centre) / likelihood.scale))


@lru_cache(maxsize=256)  # the same pairs stand in a table, a picture and a sentence
def _crossing(x: tuple, taken: tuple, runs: tuple, checkpoint: tuple, level: float) -> Crossing:
    likelihood = _Likelihood(x, taken, runs, checkpoint)
    grid = np.linspace(likelihood.z.min() - 1, likelihood.z.max() + 1, 25)
    profile = np.array([likelihood.at(z) for z in grid])
    limits = likelihood.beyond(-1), likelihood.beyond(1)  # x50 at -inf and at inf
    middle, best = _peak(likelihood.at, grid, profile)
    if max(limits) >= best - FLAT:
        middle, best = (-np.inf if limits[0] >= limits[1] else np.inf), max(best, *limits)
    least = best - float(chi2.ppf(level, df=1)) / 2
    found = [middle]
    for side, limit in zip((-1, 1), limits, strict=True):
        inside = [middle, *grid[profile >= least]]
        inner = min(inside) if side < 0 else max(inside)
        found.append(side * np.inf if limit >= least else _end(likelihood.at, inner, least, side, grid[1] - grid[0]))
    values = [float(likelihood.centre + likelihood.scale * z) for z in found]
    values = [v if min(x) <= v <= max(x) else float(np.copysign(np.inf, v - min(x))) for v in values]
    top = 1.0
    if np.isfinite(middle):
        likelihood.at(middle)
        top = 1 - float(likelihood.last[2])
    counts = {"runs": int(np.sum(runs)), "pairs": len(likelihood.z), "checkpoints": len(likelihood.starts)}
    return Crossing(*values, **counts, top=top, least=min(x), most=max(x))


class _Likelihood:
    """The log-likelihood with all but x50 at their best; x in standard deviations from its mean."""

    def __init__(self, x: Sequence[float], taken: Sequence[int], runs: Sequence[int], checkpoint: Sequence[str]):
        lengths = {len(x), len(taken), len(runs), len(checkpoint)}
        if lengths == {0} or len(lengths) > 1:
            raise ValueError(f"crossing: expected as many x as taken, runs and checkpoints, got {sorted(lengths)}")
        order = np.argsort(np.asarray(checkpoint, dtype=str), kind="stable")
        values, names = np.asarray(x, dtype=float)[order], np.asarray(checkpoint, dtype=str)[order]
        self.centre, self.scale = values.mean(), values.std() or 1.0
        self.z = (values - self.centre) / self.scale  # (pairs,)
        self.taken, self.runs = (np.asarray(a, dtype=float)[order, None] for a in (taken, runs))  # (pairs, 1)
        new = np.r_[True, names[1:] != names[:-1]]
        self.last = STARTS[0]  # where the next search starts
        self.starts, self.group = np.flatnonzero(new), np.cumsum(new) - 1  # (checkpoints,), (pairs,)

    def _value(self, log_odds: NDArray, spread: float, lapse: float) -> tuple[float, NDArray, float, float]:
        """The log-likelihood, and its derivatives by each pair's log-odds (pairs,), by spread and by lapse."""
        eta = log_odds[:, None] + spread * NODES  # (pairs, nodes)
        up, missed = np.exp(log_expit(eta)), self.runs - self.taken
        log_fails = np.logaddexp(np.log(lapse), np.log1p(-lapse) + log_expit(-eta))
        each = self.taken * (np.log1p(-lapse) + log_expit(eta)) + missed * log_fails
        joint = np.add.reduceat(each, self.starts, axis=0) + LOG_DENSITY  # (checkpoints, nodes)
        largest = joint.max(axis=1, keepdims=True)
        relative = np.exp(joint - largest)
        sums = relative.sum(axis=1, keepdims=True)
        total = largest + np.log(sums)
        weight = (relative / sums)[self.group]  # (pairs, nodes)
        fails = np.exp(log_fails)
        by_eta = weight * (self.taken * (1 - up) - missed * (1 - lapse) * up * (1 - up) / fails)
        by_lapse = weight * (missed * up / fails - self.taken / (1 - lapse))
        return float(total.sum()), by_eta.sum(axis=1), float((by_eta * NODES).sum()), float(by_lapse.sum())

    def at(self, x50: float) -> float:
        """The largest log-likelihood with that x50."""

        def loss(values: NDArray) -> tuple[float, NDArray]:
            slope, spread = np.exp(values[:2])
            value, by_odds, by_spread, by_lapse = self._value(slope * (self.z - x50), spread, values[2])
            return -value, -np.array([slope * (by_odds * (self.z - x50)).sum(), spread * by_spread, by_lapse])

        found = min((_search(loss, start) for start in (self.last, STARTS[0])), key=lambda f: f.fun)
        self.last = tuple(found.x)
        return -float(found.fun)

    def near(self, x50: float) -> float:
        """The x50 of the peak that is reached from one, all parameters at once."""

        def loss(values: NDArray) -> tuple[float, NDArray]:
            slope, spread = np.exp(values[1:3])
            away = self.z - values[0]
            value, by_odds, by_spread, by_lapse = self._value(slope * away, spread, values[3])
            return -value, -np.array(
                [-slope * by_odds.sum(), slope * (by_odds * away).sum(), spread * by_spread, by_lapse]
            )

        self.at(x50)
        return float(_search(loss, (x50, *self.last), ((self.z.min() - 1, self.z.max() + 1), *BOUNDS)).x[0])

    def beyond(self, side: int) -> float:
        """The largest log-likelihood with x50 at -inf (`side` -1) or inf: the same log-odds everywhere, of that sign."""

        def loss(values: NDArray) -> tuple[float, NDArray]:
            odds, spread = -side * np.exp(values[0]), np.exp(values[1])
            value, by_odds, by_spread, by_lapse = self._value(np.full(len(self.z), odds), spread, values[2])
            return -value, -np.array([odds * by_odds.sum(), spread * by_spread, by_lapse])

        return -min(float(_search(loss, start).fun) for start in STARTS)


def _search(loss: Callable, start: Sequence[float], bounds: Sequence[tuple[float, float]] = BOUNDS):
    """TNC, as L-BFGS-B calls a threaded library for matrices of three columns, which a busy machine punishes."""
    return minimize(loss, start, method="TNC", jac=True, bounds=bounds, options={"maxfun": 60, "ftol": 1e-6})


def _peak(at: Callable[[float], float], grid: NDArray, profile: NDArray) -> tuple[float, float]:
    """Where the profile is largest, and how large; the middle, where it is as good as level over a range."""
    best = int(np.argmax(profile))
    ends = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    found = minimize_scalar(lambda z: -at(z), bounds=ends, method="bounded", options={"xatol": 1e-3})
    place, top = (float(found.x), -float(found.fun)) if -found.fun > profile[best] else (grid[best], profile[best])
    sides = [_end(at, place, top - FLAT, side, grid[1] - grid[0]) for side in (-1, 1)]
    return (float(np.mean(sides)) if np.isfinite(sides).all() else float(place)), float(top)


def _end(at: Callable[[float], float], inner: float, least: float, side: int, step: float) -> float:
    """From `inner`, where the profile reaches `least`, the x50 on that side from which on it does not."""
    if not np.isfinite(inner):
        return inner
    outer = inner + side * step
    while at(outer) >= least:
        inner, step = outer, 2 * step
        outer = inner + side * step
        if abs(outer) > 1e4:
            return side * np.inf
    if at(inner) <= least:
        return float(inner)
    try:
        return float(brentq(lambda z: at(z) - least, inner, outer, xtol=1e-3))
    except ValueError:  # a search begins where the last one ended: at an end that only just reaches it, it may now not
        return float(inner)
