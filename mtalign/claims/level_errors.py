"""The error of a level's x50: of base checkpoints and single runs, of RL seeds, and of alignment as it is measured.

The profile likelihood of `mixed_logit` knows base checkpoints, and takes runs of one checkpoint as independent otherwise. But an
RL seed is the same order of prompts and the same random numbers for every base model of a level, and alignment is measured on the
same prompts. So the variance of ln x50 is the sum of three:

- the profile's: its half width on each side over 1.96, squared;
- of RL seeds: the jackknife that leaves out one seed at a time;
- of prompts: the jackknife that leaves out one of `GROUPS` groups of held-out prompts at a time. The share of completions that
  show working is kept in records without its prompts, so that on that axis this part is missing.

The noise of single runs is in the first two, counted twice: at the safe side. Degrees of freedom are Satterthwaite's, so that two
seeds say little and one says nothing. The ratio of two levels is taken at their common RL seeds and left out together, so that
what a seed does to both cancels; what a base model does to two levels that share it does not, at the safe side again. Efron and
Stein, Annals of Statistics 9 (1981) 586; Satterthwaite, Biometrics 2 (1946) 110.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, t

from mtalign.claims import mixed_logit, take_off
from mtalign.claims.mixed_logit import Crossing

GROUPS = 10  # of held-out prompts
LEAST_SEEDS = 3  # fewer cannot say that levels differ
Interval = tuple[float, float, float]  # value, low, high
Error = tuple[float, float]  # variance of ln x50, degrees of freedom


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
    """The RL seeds that some cell has.

    >>> seeds_of(pd.DataFrame({"seeds": [[0, 1], [1, 3]]}))
    [0, 1, 3]
    """
    return sorted(set().union(*cells["seeds"]))


def estimate(cells: pd.DataFrame, measure: str) -> Crossing:
    """x50 of testable cells of one level, with the profile's interval."""
    return mixed_logit.crossing(*_counts(cells, measure))


def interval(cells: pd.DataFrame, measure: str, found: Crossing) -> Interval:
    """x50 of testable cells of one level, with an interval of all three errors.

    An end where nothing was measured stays infinite. Where x50 itself was not reached, the end that is known is the profile's,
    moved outwards by what leaving out seeds and prompts does to *it*. Where x50 is 0 or below, the profile's ends stay.
    """
    if abs(found.x50) == np.inf:
        return found.x50, *_open_interval(cells, measure, found)
    if found.x50 <= 0:
        return found.x50, found.low, found.high
    others = [_jackknife(each) for each in _without(cells, measure, found)]
    ends = [_moved_end(found, side, [_profile(found, side), *others]) for side in (-1, 1)]
    return found.x50, *ends


def standard_error(cells: pd.DataFrame, measure: str, found: Crossing) -> Error:
    """The standard error of ln x50 and its degrees of freedom, by the mean of the profile's two sides; NaN where one is not known."""
    if not 0 < found.x50 < np.inf:
        return float("nan"), float("nan")
    (below, freedom), (above, _) = (_profile(found, side) for side in (-1, 1))
    sides = ((below**0.5 + above**0.5) / 2) ** 2, freedom
    total, freedom = _sum([sides, *(_jackknife(each) for each in _without(cells, measure, found))])
    return (total**0.5, freedom) if np.isfinite(total) else (float("nan"), float("nan"))


def ratio(cells: pd.DataFrame, others: pd.DataFrame, measure: str) -> Interval:
    """x50 of testable cells of one level as a multiple of another's, both at their common RL seeds.

    Where an x50 was not reached, or is not above 0, the value is NaN and the interval that of the two levels' ends as far as they were
    measured (`Crossing.known`): a range that was not measured decides nothing. All NaN where there is no common seed.
    """
    one, two = at_common_seeds(cells, others)
    if min(each[measure].nunique() for each in (one, two)) < 2:
        return (float("nan"),) * 3
    found, other = estimate(one, measure), estimate(two, measure)
    if not (0 < found.x50 < np.inf and 0 < other.x50 < np.inf):
        return float("nan"), *_of_ends(_known(one, measure, found), _known(two, measure, other))
    pairs = zip(_without(one, measure, found), _without(two, measure, other), strict=True)
    shared = [error for pair in pairs for error in _of_difference(*pair)]
    value, ends = np.log(found.x50 / other.x50), []
    for side in (-1, 1):
        width = _half_width([_profile(found, side), _profile(other, -side), *shared])
        ends.append(float(np.exp(value + side * width)))
    return float(np.exp(value)), *ends


def _known(cells: pd.DataFrame, measure: str, found: Crossing) -> tuple[float, float]:
    _, low, high = interval(cells, measure, found)
    return replace(found, low=low, high=high).known()


def _of_ends(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    """The smallest and the largest ratio of two values that lie within these ends; 0 and infinite where they leave it open."""
    (low, high), (least, most) = (np.maximum(each, 0.0) for each in (one, two))
    return float(low / most) if 0 < most < np.inf else 0.0, float(high / least) if 0 < least < np.inf else float("inf")


def at_common_seeds(cells: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with their runs of the RL seeds that both have."""
    common = set(seeds_of(cells)) & set(seeds_of(others))
    return at_seeds(cells, common), at_seeds(others, common)


def _of_difference(one: NDArray, two: NDArray) -> list[Error]:
    """The error of a difference: of what was left out together, or, where the parts are not the same number, of each."""
    return [_jackknife(one - two)] if len(one) == len(two) else [_jackknife(one), _jackknife(two)]


def _open_interval(cells: pd.DataFrame, measure: str, found: Crossing) -> tuple[float, float]:
    """The interval of an x50 that lies above all that was measured, or below it."""
    above = found.x50 > 0
    known = found.known()[0 if above else 1]  # low, if it lies above
    if not 0 < known < np.inf:
        return found.low, found.high
    fewer = [[estimate(each, measure).known()[0 if above else 1] for each in these] for these in _parts(cells, measure)]
    errors = [_jackknife(_logs(each, found)) for each in fewer]
    if not sum(variance for variance, _ in errors):
        return found.low, found.high
    width = _half_width(errors)
    if width == np.inf:  # one seed
        return -np.inf, np.inf
    return (float(known * np.exp(-width)), found.high) if above else (found.low, float(known * np.exp(width)))


def _moved_end(found: Crossing, side: int, errors: Sequence[Error]) -> float:
    if not np.isfinite(errors[0][0]):
        return found.low if side < 0 else found.high
    width = _half_width(errors)
    return float(found.x50 * np.exp(side * width)) if width < np.inf else side * np.inf


def _half_width(errors: Sequence[Error]) -> float:
    """Half of the 95% interval of a sum of errors; infinite where one is not known."""
    total, freedom = _sum(errors)
    if not np.isfinite(total):
        return float("inf")
    return float(t.ppf(0.975, freedom) * total**0.5) if total else 0.0


def _sum(errors: Sequence[Error]) -> Error:
    """The variance of a sum of independent errors, with Satterthwaite's degrees of freedom."""
    total = sum(variance for variance, _ in errors)
    if not np.isfinite(total) or total == 0:
        return total, float("inf")
    return total, float(total**2 / sum(variance**2 / freedom for variance, freedom in errors if variance > 0))


def _profile(found: Crossing, side: int) -> Error:
    """The variance of ln x50 by the profile's end on that side; infinite where the end is, or is not above 0."""
    end, freedom = (found.low if side < 0 else found.high), max(1, found.checkpoints - 2)
    return ((np.log(end / found.x50) / norm.ppf(0.975)) ** 2 if 0 < end < np.inf else float("inf")), freedom


def _jackknife(values: NDArray) -> Error:
    """The error of an estimate, from the estimates with one part left out each; infinite with a single part, 0 with none."""
    if len(values) == 1:
        return float("inf"), 1
    return ((len(values) - 1) * float(np.var(values)) if len(values) else 0.0), max(1, len(values) - 1)


def _parts(cells: pd.DataFrame, measure: str) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """The cells with each RL seed left out, and with each group of prompts; none of these where the cells do not know them."""
    seeds = seeds_of(cells)
    fewer = [at_seeds(cells, set(seeds) - {seed}) for seed in seeds] if len(seeds) > 1 else [cells]
    groups = [each.get(measure) for each in cells["without"]] if "without" in cells else [None]
    if None in groups:
        return fewer, []
    return fewer, [cells.assign(**{measure: values}) for values in zip(*groups, strict=True)]


def _without(cells: pd.DataFrame, measure: str, found: Crossing) -> tuple[NDArray, NDArray]:
    """ln x50 with each RL seed left out, and with each group of prompts."""
    return tuple(
        _logs([mixed_logit.moved(found.x50, *_counts(each, measure)) for each in these], found)
        for these in _parts(cells, measure)
    )


def _logs(x50s: Sequence[float], found: Crossing) -> NDArray:
    return np.log(np.clip(np.array(x50s, dtype=float), max(found.least, 1e-3), found.most))


def _counts(cells: pd.DataFrame, measure: str) -> list[list]:
    return [cells[name].tolist() for name in (measure, "taken", "runs", "model")]
