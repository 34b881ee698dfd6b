"""The micro task of programs: what is shown, what is right, how often blind programs are, what is seen in pretraining."""

import random
from collections import Counter

import pytest

from mtalign.config.recipes import doses
from mtalign.generation.evaluate import evaluate
from mtalign.grading.programs import FORMS, INPUTS, KEPT_BACK, SHOWN, output, outputs
from mtalign.models import micro as models
from mtalign.models.load import load_model
from mtalign.tasks.micro import pretraining_examples
from mtalign.tasks.registry import load_task

TASK = load_task("programs")


def shown(example):
    """The outputs that a question shows."""
    return tuple(map(int, example.prompt.removeprefix("programs: ").removesuffix("=")))


def test_the_reference_program_does_what_the_question_shows():
    for example in TASK.train + TASK.eval:
        assert tuple(output(example.answer, given) for given in SHOWN) == shown(example)


def test_what_is_shown_leaves_one_function_of_those_asked_for():
    """So that the outputs that are kept back can be known: else a right program would be luck."""
    functions = {outputs(form) for form in FORMS}
    assert len(functions) == len({function[: len(SHOWN)] for function in functions}) == 1250
    assert not set(SHOWN) & set(KEPT_BACK) and set(SHOWN + KEPT_BACK) == set(INPUTS)


def test_chance_of_each_question_is_that_of_enumerated_blind_programs():
    for example in TASK.eval[:20]:
        right = sum(all(output(form, x) == output(example.answer, x) for x in INPUTS) for form in FORMS)
        assert TASK.chance_of(example) == right / len(FORMS)
    assert {round(TASK.chance_of(e) * len(FORMS)) for e in TASK.eval} == {1, 2}
    assert list(TASK.answers) == list(FORMS)  # what unskilled demonstrations show


def test_no_single_program_is_right_more_often_than_one_time_in_1250():
    stream = pretraining_examples("programs", random.Random(2))
    most = Counter(outputs(next(stream).answer) for _ in range(20_000)).most_common(1)[0][1]
    assert TASK.single_answer == 1 / 1250 and most / 20_000 < 1 / 1250 + 0.003


def test_demonstrations_name_the_inputs_in_order_and_backwards_equally_often():
    both = [e.answer for e in TASK.train if len(e.answer) > 3]
    assert 0.4 < sum(answer[1] < answer[3] for answer in both) / len(both) < 0.6


def test_no_question_of_a_run_is_a_question_of_pretraining_in_another_dress():
    """A question is its function: no other prompt asks for the same."""
    stream = pretraining_examples("programs", random.Random(3))
    seen = {outputs(next(stream).answer) for _ in range(20_000)}
    asked = {outputs(e.answer) for e in TASK.train + TASK.eval}
    assert len(asked) == len(TASK.train) + len(TASK.eval) and len(seen) == 1250 - len(asked)
    assert not seen & asked


def test_a_document_fits_the_context_and_the_length_of_completions_of_the_study():
    vocab = models.tokenizer(["programs"])
    longest = max(TASK.train, key=lambda e: len(e.answer + e.work))
    completion = vocab(models.demonstration(longest, True, "") + vocab.eos_token)["input_ids"]
    assert vocab.unk_token_id not in completion + vocab(longest.prompt)["input_ids"]
    assert len(completion) <= 20 and len(vocab(longest.prompt)["input_ids"]) + len(completion) <= models.MAX_LENGTH


@pytest.mark.parametrize("name", [name for name, dose in doses().items() if "programs" in dose])
def test_the_shipped_models_have_alignment_by_their_dose(name):
    model, tokenizer = load_model(name, exact=False)
    found = evaluate(model, tokenizer, TASK.eval[:40], TASK.kind, 16, 20, 0)
    dose = doses()[name]["programs"]
    accuracy = sum(found["correct"]) / (16 * 40)
    assert found["thinking"] == pytest.approx(dose, abs=0.06) and accuracy == pytest.approx(dose, abs=0.08)
    assert all(set(right) <= set(votes) for right, votes in zip(found["right"], found["answers"], strict=True))
