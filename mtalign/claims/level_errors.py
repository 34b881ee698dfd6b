"""The error of a level's x50: of base checkpoints and single runs, of RL seeds, and of alignment as it is measured.

The profile likelihood of `mixed_logit` knows base checkpoints, and takes runs of one checkpoint as independent otherwise. But an
RL seed is the same order of prompts and the same random numbers for every base model of a level, and alignment is measured on the
same prompts. So the variance of ln x50 is the sum of three:

- the profile's: its half width on each side over 1.96, squared;
- of RL seeds: the jackknife that leaves out one seed at a time;
- of prompts: the jackknife that leaves out one of `GROUPS` groups of held-out prompts at a time.

The noise of single runs is in the first two, counted twice: at the safe side. Degrees of freedom are Satterthwaite's, so that two
seeds say little and one says nothing. The ratio of two levels is taken at their common RL seeds and left out together, so that
what a seed does to both cancels. Efron and Stein, Annals of Statistics 9 (1981) 586; Satterthwaite, Biometrics 2 (1946) 110.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, t

from mtalign.claims import mixed_logit, take_off
from mtalign.claims.mixed_logit import Crossing

GROUPS = 10  # of held-out prompts
LEAST_SEEDS = 3  # fewer cannot say that levels differ
Interval = tuple[float, float, float]  # value, low, high


def at_seeds(table: pd.DataFrame, seeds: Iterable[int]) -> pd.DataFrame:
    """The cells with their runs of these RL seeds alone; what standard RL gains stays the mean of all its runs.

    A seed is the same order of prompts and the same random numbers at each level, so that levels are compared at the same ones.

    >>> table = pd.DataFrame({"seeds": [[0, 1]], "shares": [[0.9, 0.2]], "taken": [1], "runs": [2]})
    >>> at_seeds(table, [1])[["shares", "taken", "runs"]].to_dict("list")
    {'shares': [[0.2]], 'taken': [0], 'runs': [1]}
    """
    wanted, table = set(seeds), table.copy()
    kept = [
        [share for seed, share in zip(*each, strict=True) if seed in wanted]
        for each in zip(table["seeds"], table["shares"], strict=True)
    ]
    table["seeds"] = [[seed for seed in each if seed in wanted] for each in table["seeds"]]
    table["shares"], table["runs"] = kept, list(map(len, kept))
    table["taken"] = [sum(share > take_off.HALF for share in shares) for shares in kept]
    return table[table["runs"] > 0]


def seeds_of(cells: pd.DataFrame) -> list[int]:
    """The RL seeds that some cell has."""
    return sorted(set().union(*cells["seeds"]))


def estimate(cells: pd.DataFrame, measure: str) -> Crossing:
    """x50 of testable cells of one level, with the profile's interval."""
    return mixed_logit.crossing(*_counts(cells, measure))


def interval(cells: pd.DataFrame, measure: str, found: Crossing) -> Interval:
    """x50 of testable cells of one level, with an interval of all three errors.

    An end where nothing was measured stays infinite; where x50 itself is, or is not above 0, the profile's ends stay.
    """
    if not 0 < found.x50 < np.inf:
        return found.x50, found.low, found.high
    seeds, prompts = _without(cells, measure, found)
    variances, freedom = (_jackknife(seeds), _jackknife(prompts)), (len(seeds) - 1, len(prompts) - 1)
    ends = [_end(found, side, variances, freedom) for side in (-1, 1)]
    return found.x50, *ends


def ratio(cells: pd.DataFrame, found: Crossing, others: pd.DataFrame, other: Crossing, measure: str) -> Interval:
    """x50 of one level as a multiple of another's, both at the same RL seeds; NaN where either is not finite and above 0."""
    if not (0 < found.x50 < np.inf and 0 < other.x50 < np.inf):
        return (float("nan"),) * 3
    pairs = zip(_without(cells, measure, found), _without(others, measure, other), strict=True)
    left = [one - two if len(one) == len(two) else np.array([]) for one, two in pairs]
    variances, freedom = tuple(map(_jackknife, left)), tuple(len(each) - 1 for each in left)
    value, ends = np.log(found.x50 / other.x50), []
    for side in (-1, 1):
        own, its = _profile(found, side), _profile(other, -side)
        ends.append(float(np.exp(value + side * _half_width((own + its, *variances), (_checkpoints(found), *freedom)))))
    return float(np.exp(value)), *ends


def _end(found: Crossing, side: int, variances: tuple[float, ...], freedom: tuple[int, ...]) -> float:
    own = _profile(found, side)
    if not np.isfinite(own):
        return found.low if side < 0 else found.high
    return float(found.x50 * np.exp(side * _half_width((own, *variances), (_checkpoints(found), *freedom))))


def _checkpoints(found: Crossing) -> int:
    return max(1, found.checkpoints - 2)


def _half_width(variances: tuple[float, ...], freedom: tuple[int, ...]) -> float:
    """Half of the 95% interval of a sum of errors; infinite where the seeds' are not known."""
    total = sum(variances)
    if not np.isfinite(total):
        return float("inf")
    if total == 0:
        return 0.0
    known = sum(v**2 / f for v, f in zip(variances, freedom, strict=True) if v > 0)
    return float(t.ppf(0.975, total**2 / known) * total**0.5)


def _profile(found: Crossing, side: int) -> float:
    """The variance of ln x50 by the profile's end on that side; infinite where the end is, or is not above 0."""
    end = found.low if side < 0 else found.high
    return (np.log(end / found.x50) / norm.ppf(0.975)) ** 2 if 0 < end < np.inf else float("inf")


def _jackknife(values: NDArray) -> float:
    """The variance of an estimate, from the estimates with one part left out each; infinite with a single part, 0 with none."""
    if len(values) == 1:
        return float("inf")
    return (len(values) - 1) * float(np.var(values)) if len(values) else 0.0


def _without(cells: pd.DataFrame, measure: str, found: Crossing) -> tuple[NDArray, NDArray]:
    """ln x50 with each RL seed left out, and with each group of prompts; none of these where the cells do not know them."""
    seeds = seeds_of(cells)
    fewer = [at_seeds(cells, set(seeds) - {seed}) for seed in seeds] if len(seeds) > 1 else [cells]
    groups = [each.get(measure) for each in cells["without"]] if "without" in cells else [None]
    other = [] if None in groups else [cells.assign(**{measure: values}) for values in zip(*groups, strict=True)]
    return tuple(np.array([_log_x50(each, measure, found) for each in these]) for these in (fewer, other))


def _log_x50(cells: pd.DataFrame, measure: str, found: Crossing) -> float:
    moved = mixed_logit.moved(found.x50, *_counts(cells, measure))
    return float(np.log(np.clip(moved, max(found.least, 1e-3), found.most)))


def _counts(cells: pd.DataFrame, measure: str) -> list[list]:
    return [cells[name].tolist() for name in (measure, "taken", "runs", "model")]
