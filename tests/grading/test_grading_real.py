"""Grading against reality: published data, from the folder named by MTALIGN_DATA."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from mtalign.grading import mathematics
from mtalign.grading.answers import gradable, grade

DATA = Path(os.environ.get("MTALIGN_DATA") or "no such folder")
ROOT = Path(__file__).parents[2]
CATEGORIES = ["operation", "counterfactual", "logic", "puzzle", "cipher"]
MODELS = ["Qwen2.5-7B-Instruct", "Meta-Llama-3.1-8B-Instruct"]
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data: set MTALIGN_DATA to its folder")


def lines(path):
    return [json.loads(line) for line in (DATA / path).read_text(encoding="utf-8").splitlines()]


def responses(model, category):
    return json.loads((DATA / "korbench_responses" / f"{model}_{category}_zero-shot.json").read_text(encoding="utf-8"))


def disagreements(model, category, kind=None):
    kind = f"korbench-{kind or category}"
    return [r for r in responses(model, category) if grade(r["response"], r["answer"], kind) != r["is_correct"]]


def test_every_reference_solution_of_math_500_is_right_by_its_answer():
    assert [r["answer"] for r in lines("math/math500.jsonl") if not grade(r["solution"], r["answer"], "math")] == []


def test_every_reference_solution_of_gsm8k_is_right_by_its_answer():
    rows = lines("math/gsm8k.jsonl")
    assert [r["answer"] for r in rows if not grade(r["answer"], r["answer"].split("####")[1], "math")] == []
    assert [r["answer"] for r in rows if not grade(r["answer"], r["answer"], "math")] == []


def test_no_solution_of_gsm8k_is_right_by_another_answer():
    rows = [(r["answer"], r["answer"].split("####")[1].strip().replace(",", "")) for r in lines("math/gsm8k.jsonl")]
    pairs = [(one, key) for (one, own), (_, key) in pairwise(rows) if own != key]
    assert [pair for pair in pairs if grade(*pair, "math")] == []


@pytest.mark.parametrize("name", ["math500", "gsm8k", "amc23", "aime24", "aime25"])
def test_every_answer_key_of_mathematics_can_be_matched(name):
    assert [r["answer"] for r in lines(f"math/{name}.jsonl") if not gradable(str(r["answer"]), "math")] == []


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_answer_key_of_korbench_can_be_matched_but_one_that_is_false(category):
    keys = [r["answer"] for r in lines(f"korbench/{category}/sample.jsonl")]
    wrong = [key for key in keys if not gradable(key, f"korbench-{category}")]
    assert wrong == (["[[2+2+3*4=28]]"] if category == "puzzle" else [])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("category", CATEGORIES)
def test_korbench_verdicts_are_the_published_ones_in_99_of_100_cases(model, category):
    assert len(disagreements(model, category)) <= 0.01 * len(responses(model, category))


def test_every_disagreement_is_listed_in_the_report(monkeypatch):
    monkeypatch.setattr(mathematics, "MAX_SECONDS", 60)  # a busy machine must not change the report
    report = ROOT / "reports" / "korbench_disagreements.md"
    if not report.is_file():
        pytest.skip("needs a checkout")
    assert report.read_text(encoding="utf-8") == write_report()


def write_report() -> str:
    """The report of disagreements; `python tests/grading/test_grading_real.py` writes it."""
    text = [
        "# KOR-Bench: where the verdict differs from the published one",
        "",
        "Written by `MTALIGN_DATA=... python tests/grading/test_grading_real.py`; a test compares. Published zero-shot responses,",
        "each with the label `is_correct`. The kind `korbench-operation-math` compares formulas by value instead of text.",
        "",
        "| model | kind | responses | same verdict | different |",
        "| --- | --- | --- | --- | --- |",
    ]
    listed = []
    for model in MODELS:
        for kind in (*CATEGORIES, "operation-math"):
            category = kind.split("-")[0]
            different, number = disagreements(model, category, kind), len(responses(model, category))
            share = f"{(number - len(different)) / number:.1%}"
            text.append(f"| {model} | korbench-{kind} | {number} | {share} | {len(different)} |")
            for r in different:
                said, true = (" ".join(t.split()).replace("|", "\\|")[:80] for t in (r["response_text"], r["answer"]))
                published = "right" if r["is_correct"] else "wrong"
                listed.append(f"| {model} | korbench-{kind} | {r['idx']} | `{said}` | `{true}` | {published} |")
    return "\n".join(
        [
            *text,
            "",
            "In `korbench-operation-math` the published label is *wrong* although the formula has the true value: the public",
            "code means to compare such formulas by sympy and falls back to their text where that fails; each published label",
            "of these two models is the one of the text. So published accuracy on `operation` is too low by these cases.",
            "",
            "| model | kind | question | response | true answer | published |",
            "| --- | --- | --- | --- | --- | --- |",
            *listed,
            "",
            "Answer key 84 of `puzzle`, `2+2+3*4=28`, is false arithmetic; by the published rule (same operators, the stated",
            "result) only other digits could be right. `mtalign.grading.gradable` finds it.",
            "",
        ]
    )


if __name__ == "__main__":
    mathematics.MAX_SECONDS = 60
    (ROOT / "reports" / "korbench_disagreements.md").write_text(write_report(), encoding="utf-8")
