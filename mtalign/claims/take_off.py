"""Take-off: the share of runs that recover more than one half of standard RL's gain.

Near a threshold outcomes are bimodal: a run takes off or it does not (majority vote on dose-0.07, logic, ends at 0.80
0.76 0.91 0.17 0.67). The mean over a few seeds then lies where no run does, and Student's t covers it less often
than it says (`tests/claims/test_take_off.py`). What is counted instead is exact: k of n runs, with the interval of Clopper
and Pearson (1934). It says how often *this* base checkpoint takes off; standard RL's gain is taken as measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtalign.stats import Estimate, recovered

HALF = 0.5  # of standard RL's gain: what a run recovers more of, where it takes off


def took_off(arm: ArrayLike, standard: ArrayLike, base: ArrayLike, threshold: float = HALF) -> NDArray[np.bool_]:
    """Whether each run recovers more than the threshold of standard RL's mean gain, shape (S,).

    Args:
        arm: accuracies (S, P) after training, a row for each run.
        standard: accuracies (S, P) of standard RL; its gain is the mean over its seeds.
        base: accuracies (1, P) of the untrained model.

    >>> took_off([[0.9, 0.7], [0.2, 0.3]], standard=[[1.0, 1.0]], base=[[0.2, 0.2]])
    array([ True, False])
    """
    means = np.asarray(arm, dtype=float).mean(axis=1)
    return recovered(means, np.mean(standard), np.mean(base)) > threshold


def rate(taken: int, runs: int, level: float = 0.95) -> Estimate:
    """P(take-off) from k of n runs, with its exact interval (Clopper and Pearson 1934).

    Raises:
        ValueError: there are no runs, or fewer than took off.

    >>> str(rate(4, 5)), str(rate(5, 5))
    ('0.80 [0.28, 0.99]', '1.00 [0.48, 1.00]')
    """
    from scipy.stats import binomtest

    if runs < 1:
        raise ValueError("runs: there are none")
    ends = binomtest(taken, runs).proportion_ci(level, method="exact")
    return Estimate(taken / runs, float(ends.low), float(ends.high))
