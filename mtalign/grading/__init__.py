"""Completion -> answer -> correct. Imports no other wing; what compares untrusted answers runs in a process of its own."""

from mtalign.grading.answers import (
    GRADERS,
    canonical,
    choice,
    exact,
    extract,
    gradable,
    grade,
    grader,
    math,
    text_of,
    vote,
)  # fmt: skip

__all__ = [
    "GRADERS", "canonical", "choice", "exact", "extract", "gradable", "grade", "grader", "math", "text_of", "vote",
]  # fmt: skip
