"""Records computed again on this machine: which come out bit for bit, and by how much the accuracy of the others differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtalign.config.bar import bar
from mtalign.config.errors import in_one_line
from mtalign.config.run import Run
from mtalign.records.store import Records, checksum
from mtalign.records.tables import accuracies

OURS = ("checksum", "device", "versions")  # may name another machine; what counts is the result


@dataclass(frozen=True)
class Again:
    """A record beside what the same run gives here.

    Args:
        run_id: of the run.
        outcome: `equal` bit for bit (of a run that diverged: it diverges again), `differs`, `missing` where there is no record,
            or `failed` to be computed here.
        problem: why the record is not confirmed; empty where it is equal.
        recorded, computed: final accuracy in [0, 1] in the record and here; NaN where there is none.
    """

    run_id: str
    outcome: str = "equal"
    problem: str = ""
    recorded: float = float("nan")
    computed: float = float("nan")


def compute_again(runs: list[Run], records: Records) -> list[Again]:
    """Computes each run again from the records that it needs; a record is left as it is."""
    return [_again(run, records) for run in bar(runs, desc="runs again", unit="run")]


def _again(run: Run, records: Records) -> Again:
    from mtalign.runs.execute import execute

    record = None
    try:
        record = records.read(run)
        if not record:
            return Again(run.run_id, "missing", "there is no record to compare with")
        named = {"run_id": run.run_id, "config": record["config"]}
        computed = named | execute(run, records, fast=record.get("fast", False))
        one, other = (checksum({key: value for key, value in r.items() if key not in OURS}) for r in (record, computed))
        if one == other:
            return Again(run.run_id)
        levels = [float(accuracies([r]).mean()) for r in (record, computed)]
    except Exception as error:  # whatever it is, the record was not confirmed
        if record and record["status"] == "failed" and record["reason"].startswith(type(error).__name__):
            return Again(run.run_id)
        return Again(run.run_id, "failed", in_one_line(error))
    problem = f"gives another result on this machine: accuracy {levels[1]:.3f}, recorded {levels[0]:.3f}"
    return Again(run.run_id, "differs", problem, *levels)


def in_words(found: list[Again]) -> str:
    """How many records were confirmed bit for bit, and whether the others differ in a direction; empty where all were confirmed.

    A processor that rounds differently draws other completions, and a run near a threshold can end elsewhere; over many runs the
    mean difference is then 0 within its error.

    >>> in_words([Again("a"), Again("b", "differs", "", 0.9, 0.8), Again("c", "differs", "", 0.8, 0.9), Again("d", "missing")])
    'of 4 records computed again 1 equal bit for bit, 2 differ, 1 missing; of those that differ 0 have the same final accuracy, it differs by 0.100 in the median and 0.100 at most; mean difference +0.000, standard error 0.100'
    >>> in_words([Again("a")])
    ''
    """
    outcomes = [each.outcome for each in found]
    if set(outcomes) <= {"equal"}:
        return ""
    names = {
        "equal": "equal bit for bit",
        "differs": "differ",
        "missing": "missing",
        "failed": "not computed for an error",
    }
    counts = ", ".join(f"{outcomes.count(name)} {words}" for name, words in names.items() if name in outcomes)
    said = f"of {len(found)} records computed again {counts}"
    gaps = np.array([each.computed - each.recorded for each in found if each.outcome == "differs"])
    if len(gaps) < 2:
        return said + "".join(f", its final accuracy by {gap:+.3f}" for gap in gaps)
    size = np.abs(gaps)
    return (
        f"{said}; of those that differ {int((size == 0).sum())} have the same final accuracy, it differs by {np.median(size):.3f} in the "
        f"median and {size.max():.3f} at most; mean difference {gaps.mean():+.3f}, standard error "
        f"{gaps.std(ddof=1) / len(gaps) ** 0.5:.3f}"
    )
