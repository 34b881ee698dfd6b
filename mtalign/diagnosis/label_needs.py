"""What a card says of labels: how many labelled examples until RL without labels is expected to take off for this pair.

Only where a warm-up curve of the pair was measured: in the package's file, or in a study's folder of the reader's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mtalign.claims import labels
from mtalign.claims.labels import Needed, in_words
from mtalign.config.errors import ConfigError
from mtalign.config.warm_up import is_warm_up, parse


def of_pair(model: str, task: str, folder: Path | None = None) -> tuple[dict, ...]:
    """What is known of labels for a pair, as `Card.labels` has it; a warm-up counts as the model that it started from.

    Args:
        folder: of a study that measured warm-ups of the pair; None for what the package ships.

    Raises:
        ConfigError: the folder is not that of a study, or has no warm-up curve of this pair.

    >>> of_pair("micro-a", "logic")
    ()
    """
    known = labels.shipped() if folder is None else labels.compute(folder)
    model = parse(model).model if is_warm_up(model) else model
    own = [each for each in known if (each.model, each.task) == (model, task)]
    if folder is not None and not own:
        pairs = ", ".join(dict.fromkeys(f"{each.model} on {each.task}" for each in known)) or "none"
        raise ConfigError(f"--warm-ups: {folder}: has no two doses of {model} on {task}; it has measured: {pairs}")
    return tuple(_row(each) for each in own)


def _row(each: Needed) -> dict:
    """As JSON has it: null for a number that was not reached."""
    ends = {"value": each.labels.value, "low": each.labels.low, "high": each.labels.high}
    return {
        "documents": parse(each.warm_up).documents,
        "said": in_words(each.labels, each.least, each.most),
        **{name: round(value, 1) if np.isfinite(value) else None for name, value in ends.items()},
        "least": each.least,
        "most": each.most,
        "x50": round(each.x50.value, 3),
        "x50_of": each.x50_of,
        "checkpoints": each.checkpoints,
        "seeds": each.seeds,
    }
