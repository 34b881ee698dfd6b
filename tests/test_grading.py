"""Extraction and grading by cases."""

import time

import pytest

from mtalign.grading import extract, grade


@pytest.mark.parametrize(
    "text, answer",
    [
        ("<answer>42</answer>", "42"),
        ("<answer>\n 42 \n</answer>", "42"),
        ("<think>write it in <answer>answer here</answer></think><answer>42</answer>", "42"),
        ("<answer>1</answer> or <answer>2</answer>", "2"),
        ("<answer>1</answer> <answer>2", "1"),
        ("<answer></answer>", None),
        ("<answer>  </answer>", None),
        ("</answer>42<answer>", None),
        ("42", None),
        ("", None),
    ],
)
def test_the_last_complete_answer_counts(text, answer):
    assert extract(text) == answer


@pytest.mark.parametrize(
    "text", ["<answer>" * 200_000, "</answer>" * 200_000, "<answer>" + "9" * 10**7 + "</answer>", "\0" * 10**6]
)
def test_no_completion_takes_long(text):
    began = time.perf_counter()
    assert grade(text, "42") is False
    assert time.perf_counter() - began < 2


def test_text_is_never_evaluated(tmp_path):
    assert not grade(f"<answer>open({str(tmp_path / 'x')!r}, 'w')</answer>", "1")
    assert not list(tmp_path.iterdir())


def test_choices_match_through_brackets_and_case():
    assert grade("<answer>(b)</answer>", "B", "choice") and not grade("<answer>(a)</answer>", "B", "choice")


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        grade("<answer>1</answer>", "1", "no such kind")
