"""The stack language: what its programs give, that its limits hold, and what a majority of programs is."""

import time

import pytest

from mtalign.grading.answers import canonical, gradable, grade, vote
from mtalign.grading.programs import FORMS, SHOWN, normal, output, outputs, same
from mtalign.metrics import maj_at_k_counts
from mtalign.rewards import ground_truth, majority_vote


@pytest.mark.parametrize(
    "program, wanted",
    [
        ("3a+b-", 8), ("3ax", 7), ("3az", 9), ("a", 2), ("7", 7), ("ay+", 4), ("ab-c-", 0), ("ayy++bx", 0), ("abc--", 0),
        ("", None), ("+", None), ("a+", None), ("y", None), ("ab", None), ("a b", None), ("3a+;", None), ("³", None), ("٣", None), ("d", None),
    ],
)  # fmt: skip
def test_programs_give(program, wanted):
    assert output(program, (2, 7, 5)) == wanted


def test_limits_of_steps_depth_and_size_hold_and_just_below_them_programs_run():
    assert output("a" + "0+" * 15, (3, 0, 0)) == 3 and output("a" + "0+" * 16, (3, 0, 0)) is None  # 31 and 33 steps
    assert output("a" * 8 + "+" * 7, (1, 0, 0)) == 8 and output("a" * 9 + "+" * 8, (1, 0, 0)) is None
    assert output("a" + "y+" * 9, (1, 0, 0)) == 2 and output("a" + "y+" * 10, (1, 0, 0)) is None  # 512 and 1024


@pytest.mark.parametrize(
    "hostile",
    ["ay+" * 10**6, "9" * 10**7, "__import__('os').remove('x')", "while 1: pass", "\0", "\ud800", "3a+\n" * 10**6],
)
def test_hostile_text_is_wrong_at_once_and_never_run(hostile):
    began = time.process_time()
    assert not grade(f"<answer>{hostile}</answer>", "3a+", "program")
    vote(f"<answer>{hostile}</answer>", "program")
    assert time.process_time() - began < 0.5


def test_a_program_is_right_that_is_right_on_shown_and_on_kept_inputs():
    assert grade("<answer>3b-a+</answer>", "3a+b-", "program") and grade("<answer>ab-3+</answer>", "3a+b-", "program")
    overfitted = "4"  # what is shown of 4a+a- and 4a+b- differs from it in one output only
    assert [output(overfitted, x) == output("4a+b-", x) for x in SHOWN] == [True, False, True, True]
    assert not same(overfitted, "4a+b-") and same("4a+a-", overfitted)


def test_votes_are_counted_by_outputs_and_not_by_text():
    right = ["3a+b-", "3b-a+", "ab-3+", "a3+b-"]  # four texts, one behaviour
    wrong = ["1a+", "1a+", "3a+"]  # one text twice
    completions = [f"<answer>{program}</answer>" for program in right + wrong]
    assert majority_vote(["p"] * 7, completions, kind=["program"] * 7) == [1.0] * 4 + [0.0] * 3
    assert majority_vote(["p"] * 7, completions, kind=["exact"] * 7) == [0.0] * 4 + [1.0, 1.0, 0.0]  # by text


def test_programs_that_agree_on_what_is_shown_alone_are_wrong_and_do_not_vote_together():
    """512 a is 2 a in its last digit; where a is 2 or more the number grows beyond the limit."""
    other = "3a" + "y+" * 9 + "+"
    assert [output(other, x) for x in SHOWN] == [output("3ax", x) for x in SHOWN]
    assert not same(other, "3ax") and normal(other) == other and normal("aa+3+") == "3ax"


def test_a_vote_is_graded_as_the_program_that_gave_it():
    for form in FORMS[::7]:
        assert same(canonical(form, "program"), "3a+b-") == same(form, "3a+b-")
        assert outputs(normal(form)) == outputs(form) and normal(normal(form)) == normal(form)


def test_programs_without_outputs_vote_by_text_and_are_never_right():
    assert [canonical(p, "program") for p in ("+", "ab+c+", "aax")] == ["+", "0a+b+c+", "aax"]
    completions = ["<answer>+</answer>", "<answer></answer>"]
    assert ground_truth(completions=completions, answer=["+", "3a+"], kind=["program"] * 2) == [0.0, 0.0]
    assert gradable("3a+", "program") and not gradable("+", "program")


def test_maj_at_k_counts_a_majority_of_any_right_program():
    counts = [{normal("3b-a+"): 3, "1a+": 2}]
    assert maj_at_k_counts(counts, [{"3a+b-"}], 5, None).tolist() == [1.0]
