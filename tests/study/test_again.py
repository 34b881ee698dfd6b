"""Records that are computed again are told apart: equal, different, missing, and those that could not be computed."""

import pytest

from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.study.again import Again, compute_again, in_words
from mtalign.training.train import Diverged


def fails_with(error, monkeypatch):
    def execute(run, records, fast=False):
        raise error

    monkeypatch.setattr("mtalign.runs.execute.execute", execute)


@pytest.mark.parametrize(
    ("error", "outcome"), [(Diverged("loss is nan"), "equal"), (MemoryError("no memory"), "failed")]
)
def test_a_run_that_diverged_and_diverges_again_is_confirmed_and_another_error_is_not(
    error, outcome, monkeypatch, tmp_path
):
    records, run = Records(tmp_path), Run("micro-a", "logic")
    records.write(run, {"status": "failed", "reason": "Diverged: loss is nan"})
    fails_with(error, monkeypatch)
    (found,) = compute_again([run], records)
    assert found.outcome == outcome and bool(found.problem) is (outcome == "failed")


def test_a_record_that_is_missing_is_not_confirmed(tmp_path):
    (found,) = compute_again([Run("micro-a", "logic")], Records(tmp_path))
    assert found.outcome == "missing" and "no record" in found.problem
    assert in_words([found, Again("b")]) == "of 2 records computed again 1 equal bit for bit, 1 missing"


def test_one_record_that_differs_says_by_how_much():
    assert in_words([Again("a", "differs", "", 0.5, 0.4)]).endswith("1 differ, its final accuracy by -0.100")
