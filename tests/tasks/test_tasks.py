"""Micro tasks: disjoint splits, chance at most 0.1, worked solutions that are right."""

import random
from collections import Counter

import pytest

from mtalign.grading.answers import vote
from mtalign.tasks.micro import DIGITS, LETTERS, MICRO, ROTORS, pretraining_examples
from mtalign.tasks.registry import load_task


@pytest.mark.parametrize("name", MICRO)
def test_train_eval_and_pretraining_are_disjoint(name):
    task = load_task(name)
    train, held_out = ({e.prompt for e in split} for split in (task.train, task.eval))
    assert len(train) == len(task.train) and len(held_out) == len(task.eval)
    assert not train & held_out
    stream = pretraining_examples(name, random.Random(1))
    assert not {next(stream).prompt for _ in range(3000)} & (train | held_out)


@pytest.mark.parametrize("name", MICRO)
def test_no_constant_answer_beats_chance(name):
    task = load_task(name)
    assert task.single_answer <= (
        0.25 if name == "arithmetic-4" else 0.1
    )  # four answers on purpose: a level of the map
    stream = pretraining_examples(name, random.Random(2))
    most = Counter(vote(f"<answer>{next(stream).answer}</answer>", task.kind) for _ in range(20_000)).most_common(1)[0][
        1
    ]
    assert most / 20_000 < task.single_answer + 0.015


@pytest.mark.parametrize("name", MICRO)
def test_working_ends_in_the_answer_and_the_answer_is_possible(name):
    for example in load_task(name).train:
        assert example.answer in load_task(name).answers
        if name != "programs":  # there it ends in what the last input changes
            assert example.work.endswith(example.answer)


def test_arithmetic_answers_are_the_last_digit_of_the_sum():
    for example in load_task("arithmetic").train:
        sum_ = example.prompt.removeprefix("arithmetic: ").removesuffix("=")
        total = int(sum_[0]) + sum(int(sum_[i : i + 2]) for i in range(1, len(sum_), 2))
        assert example.answer == str(total % 10)


def test_ordering_answers_are_the_next_on_the_circle():
    for example in load_task("ordering").train:
        listed, start = example.prompt.removeprefix("ordering: ").removesuffix("=").split(" after ")
        assert example.answer == min(listed, key=lambda d: (int(d) - int(start)) % 10)


def test_cipher_answers_follow_the_rotors():
    for example in load_task("cipher").train:
        letter, rotors = example.prompt.removeprefix("cipher: ").removesuffix("=").split(" through ")
        for rotor in rotors:
            letter = dict(zip(LETTERS, ROTORS[rotor], strict=True))[letter]
        assert example.answer == letter


def test_logic_answers_are_the_one_not_ruled_out():
    for example in load_task("logic").train:
        assert {example.answer} == set(DIGITS) - set(example.prompt.removeprefix("logic: not "))


def test_an_unknown_task_is_an_error_that_names_the_nearest_and_where_all_are():
    with pytest.raises(KeyError, match="nearest: cipher; all are in `mtalign list tasks`"):
        load_task("chess")
