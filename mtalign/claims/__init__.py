"""Claims and their verdicts, from records alone. `dose_response` and `thresholds` are imported by their files: they need scipy."""

from mtalign.claims.tables import arm_accuracy
from mtalign.claims.verdicts import (
    ALIGNMENT_K,
    CLAIMS,
    STRONG,
    THRESHOLD,
    Claim,
    alignment,
    correct,
    generator,
    judge,
    panel,
    verdicts,
)  # fmt: skip

__all__ = [
    "ALIGNMENT_K", "CLAIMS", "STRONG", "THRESHOLD", "Claim", "alignment", "arm_accuracy", "correct", "generator", "judge",
    "panel", "verdicts",
]  # fmt: skip
