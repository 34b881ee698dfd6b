"""The evidence: one JSON file for each run, and tidy tables of them."""

from mtalign.records.store import Records, checksum
from mtalign.records.tables import accuracies, complete_arms, curves, frame, grouped, metrics_of, truths, votes

__all__ = [
    "Records", "accuracies", "checksum", "complete_arms", "curves", "frame", "grouped", "metrics_of", "truths", "votes",
]  # fmt: skip
