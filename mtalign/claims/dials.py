"""The cheaper dials, exploratory: is it the same alignment, whatever has set it?

Beside the warm-up two things set a pretrained model's alignment: how many examples stand in the prompt (`Run.shots`), and how
difficult the task is (settings of one generator: people in a story, words in a list, digits). Tasks of one generator are a
family; its checkpoints and difficulties lie on one axis, measured alignment, and x50 is found over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtalign.claims import decide
from mtalign.claims.decide import ARM
from mtalign.claims.dose_words import taking_off
from mtalign.claims.mixed_logit import crossing
from mtalign.claims.predictions import Judged
from mtalign.claims.take_off import rate
from mtalign.config.run import Run
from mtalign.records.store import Records

OUTCOMES = {"transfers": "confirmed", "does not transfer": "refuted", "undecided": "undecided"}
COLUMNS = ["family", "setting", "shots", "model", "alignment", "accuracy", "gain", "runs", "taken", "testable"]


def cells(blocks: Iterable[list[Run]], records: Records) -> pd.DataFrame:
    """A row for each model, task and number of examples whose base, standard and majority runs have finished.

    Args:
        blocks: lists of runs, one for each number of examples in the prompt: in one list a pair has one base.

    Returns:
        Columns family, setting (of the generator), shots (examples in the prompt; NaN in a style that shows none), model, alignment,
        accuracy, gain (of standard RL), runs and taken (majority votes, and of these how many took off), testable.
    """
    parts = []
    for runs in blocks:
        table = decide.outcomes(runs, records)
        table = table[table["arm"] == ARM]
        shots = runs[0].shots if runs and runs[0].style == "direct" else np.nan
        split = table["task"].str.partition("?") if len(table) else pd.DataFrame({0: [], 2: []})
        parts.append(table.assign(family=split[0], setting=split[2], shots=shots)[COLUMNS])
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def by_level(table: pd.DataFrame) -> pd.DataFrame:
    """For each family, setting and number of examples: mean alignment, runs, and P(take-off) with its exact interval."""
    rows = []
    for key, own in table[table["testable"].astype(bool)].groupby(
        ["family", "setting", "shots"], sort=False, dropna=False
    ):
        row = dict(zip(("family", "setting", "shots"), key, strict=True)) | {"alignment": own["alignment"].mean()}
        rows.append(
            row | {"runs": int(own["runs"].sum()), "take_off": rate(int(own["taken"].sum()), int(own["runs"].sum()))}
        )
    return pd.DataFrame(rows)


def crossings(table: pd.DataFrame) -> pd.DataFrame:
    """x50 of the majority vote in each family, over all its settings, and what the registered rule says of it."""
    rows = []
    for name, own in table[table["testable"].astype(bool)].groupby("family", sort=False):
        checkpoint = own["model"] + own["setting"] + own["shots"].astype(str)
        found = crossing(own["alignment"].tolist(), own["taken"].tolist(), own["runs"].tolist(), checkpoint.tolist())
        row = {
            "family": name,
            "x50": found.x50,
            "low": found.low,
            "high": found.high,
            "registered": decide.registered(),
        }
        rows.append(
            row | {"runs": found.runs, "cells": len(own), "outcome": decide.transfers(found, decide.registered())}
        )
    return pd.DataFrame(rows)


def judged(table: pd.DataFrame) -> list[Judged]:
    """That each family crosses where the micro study does, by the rule of the deciding experiment; exploratory."""
    return [
        Judged(
            "Whatever dial sets alignment, half of the majority votes take off where the micro study's do",
            "the whole interval of x50 lies within a factor 2 of the registered one, or wholly outside; exploratory",
            OUTCOMES[row.outcome],
            f"{taking_off(row)}, registered is {row.registered:.2f}; {row.runs} runs",
            row.family,
        )
        for row in crossings(table).itertuples()
    ]
