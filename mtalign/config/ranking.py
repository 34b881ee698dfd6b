"""Whose history ranks the examples of a subset: a standard run of the arm's own budget, or the grid's one standard run.

An arm that trains longer than the others needs, by default, standard runs as long as itself. `ranking: grid` lets the grid's
standard run rank instead; a run then holds in which settings that run differs from its own, `max_steps=100&beta=0.0`.
"""

from __future__ import annotations

import json

OWN, GRID = "own", "grid"
BUDGET = (  # settings in which the two may differ; in all others a history would be of other prompts or another model
    "max_steps", "learning_rate", "steps_per_generation", "generation_batch_size", "num_generations", "epsilon", "epsilon_high",
    "beta", "max_grad_norm", "entropy_coef", "lr_scheduler_type", "warmup_steps", "weight_decay", "adam_beta2", "delta",
    "loss_type", "fast",
)  # fmt: skip


def settings(ranking: str) -> dict:
    """The settings in which the ranking run differs from the arm's own standard run.

    Raises:
        ValueError: it is neither `own` nor settings.

    >>> settings("own"), settings("max_steps=100&beta=0.0")
    ({}, {'max_steps': 100, 'beta': 0.0})
    """
    if ranking == OWN:
        return {}
    parts = [part.partition("=") for part in ranking.split("&")]
    if any(key not in BUDGET or not value for key, _, value in parts):
        raise ValueError(f"expected own or grid, got {ranking!r:.60}")
    return {key: _value(value) for key, _, value in parts}


def _value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return text


def described(own: dict, grid: dict) -> str:
    """In which settings the grid's standard run differs from an arm's own.

    Raises:
        ValueError: they differ in one that a ranking cannot do without.

    >>> described({"max_steps": 2000, "seed": 1}, {"max_steps": 100, "seed": 1}), described({"beta": 0.0}, {"beta": 0.0})
    ('max_steps=100', 'own')
    """
    different = {key: grid[key] for key in own if own[key] != grid[key]}
    if other := [key for key in different if key not in BUDGET]:
        raise ValueError(f"grid: the arm's {other[0]} is not the grid's, so its standard run cannot rank")
    text = "&".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in different.items()
    )
    return text or OWN
