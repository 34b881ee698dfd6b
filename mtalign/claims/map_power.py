"""Power of the map: how exactly x50 is found, and what shift between two levels is seen, before anything is run.

A run takes off with probability logistic((ln x - ln x50 - b) / width), where x is the base model's dose and b, normal with
standard deviation `spread`, belongs to its pretraining seed. x50 is estimated as in the analysis without b, by maximum
likelihood over all runs; its error over simulated maps is what counts here.

    python -m mtalign.claims.map_power
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

DOSES = (0.02, 0.04, 0.055, 0.07, 0.10, 0.20)  # of params/map.yaml


def errors(pretraining: int, seeds: int, width: float, spread: float, x50: float = 0.05, maps: int = 300) -> np.ndarray:
    """(maps,) errors of ln x50 over simulated maps of `DOSES` x `pretraining` base models x `seeds` runs.

    >>> float(np.std(errors(3, 8, 0.2, 0.0, maps=40))) < 0.1
    True
    """
    rng, x = np.random.default_rng(0), np.log(DOSES)
    found = np.empty(maps)
    for i in range(maps):
        own = rng.normal(0, spread, size=pretraining)
        chance = _take_off((x[:, None] - np.log(x50) - own) / width)  # (D, pretraining)
        counts = rng.binomial(seeds, chance).sum(axis=1)
        found[i] = estimate(x, counts, pretraining * seeds) - np.log(x50)
    return found


def estimate(x: np.ndarray, counts: np.ndarray, number: int) -> float:
    """ln x50 by maximum likelihood, the width at least 0.05 so that a clean step has an answer."""

    def loss(parameters):
        chance = np.clip(_take_off((x - parameters[0]) / max(np.exp(parameters[1]), 0.05)), 1e-9, 1 - 1e-9)
        return -(counts * np.log(chance) + (number - counts) * np.log(1 - chance)).sum()

    starts = [minimize(loss, (centre, np.log(0.2)), method="Nelder-Mead") for centre in (x[1], x[3])]
    return float(min(starts, key=lambda result: result.fun).x[0])


def _take_off(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -40, 40)))


if __name__ == "__main__":
    print("pretraining seeds, RL seeds, width, spread: 95% of x50 within a factor; shift seen with power 0.8")
    for pretraining, seeds in ((3, 8), (3, 4), (3, 2)):
        for width, spread in ((0.15, 0.1), (0.15, 0.3), (0.4, 0.3)):
            sd = float(np.std(errors(pretraining, seeds, width, spread)))
            # a level against the centre: two independent errors, two-sided 5%
            centre = float(np.std(errors(3, 8, width, spread)))
            shift = (1.96 + 0.84) * np.hypot(sd, centre)
            print(f"{pretraining} {seeds} {width} {spread}: {np.exp(1.96 * sd):.2f}; {np.exp(shift):.2f}")
