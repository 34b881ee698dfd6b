"""Chance reads the prompt: no blind reader of any task does better than its chance says."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mtalign.claims.verdicts import STRONG, alignment
from mtalign.config.errors import ConfigError
from mtalign.notebook import conclusions
from mtalign.records.tables import named
from mtalign.tasks import MICRO, REAL, load_task
from mtalign.tasks.micro import FIRST_SHOWN
from mtalign.tasks.options import naming_rate, plain

NEEDLE = "rg:needle_haystack?min_num_statements={}&max_num_statements={}&size={}"
FRESH = [NEEDLE.format(2, 3, 400), NEEDLE.format(8, 10, 300), "calculation-1", "rg:leg_counting?size=60",
         "rg:chain_sum?min_terms=2&max_terms=2&min_digits=1&max_digits=1&size=80", "rg:gsm_symbolic?size=100"]  # fmt: skip
BLIND = {  # what a reader who cannot solve the question may name: written apart from the library's own readers
    "a capitalised word": lambda p: re.findall(r"\b[A-Z][\w'-]*[a-z]\b", p),
    "who begins a statement": lambda p: [s.split()[0] for s in re.split(r"\. |\n", p)[:-1] if s.split()],
    "a number": lambda p: re.findall(r"\d+", p),
    "a digit": lambda p: re.findall(r"\d", p),
    "a listed digit": lambda p: list(p.partition(": ")[2].partition(" after ")[0]) if " after " in p else [],
    "a letter of the choices": lambda p: re.findall(r"^\(([A-Z])\)", p, re.M) or re.findall(r"\b([A-D])\. ", p),
    "yes or no, true or false": lambda p: ["True", "False"] if "True" in p or "False" in p else ["Yes", "No"],
}
OPTIONS = ("who begins a statement", "a listed digit", "a letter of the choices", "yes or no, true or false")
BLIND |= {f"the first of: {way}": lambda p, read=BLIND[way]: read(p)[:1] for way in OPTIONS}
BLIND |= {f"the last of: {way}": lambda p, read=BLIND[way]: read(p)[-1:] for way in OPTIONS}
BLIND |= {
    "the first number shown": lambda p: re.findall(r"\d+", question(p))[:1],
    "the last number shown": lambda p: re.findall(r"\d+", question(p))[-1:],
}


def question(prompt):
    """The prompt without the name of its task, which can hold a number."""
    return re.sub(r"^[a-z0-9-]+: ", "", prompt)


def blind(examples):
    """The accuracy of each blind way: naming one thing at random, the most frequent answer of all."""
    found = {"the most frequent answer": max(Counter(plain(e.answer) for e in examples).values()) / len(examples)}
    for way, read in BLIND.items():
        shown = [list(dict.fromkeys(read(e.prompt))) for e in examples]
        found[way] = np.mean(
            [
                np.mean([plain(n) == plain(e.answer) for n in names] or [0])
                for e, names in zip(examples, shown, strict=True)
            ]
        )
    return found


@pytest.mark.parametrize("name", [*MICRO, *FRESH, *REAL])
def test_no_blind_reader_does_better_than_chance(name):
    try:
        task = load_task(name)
    except ConfigError as error:
        pytest.skip(str(error)[:80])
    for way, accuracy in blind(task.eval).items():
        known = FIRST_SHOWN.get(name, 0) if way == "the first number shown" else 0
        expected = max(task.chance, known)
        noise = 2 * (expected * (1 - expected) / len(task.eval)) ** 0.5
        assert accuracy <= expected + 0.02 + noise, f"{way} is right {accuracy:.3f} of the time, not {expected:.3f}"


@pytest.mark.parametrize("name, answers", [("arithmetic", 10), ("arithmetic-4", 4), ("arithmetic-100", 100)])
def test_who_names_the_first_number_beats_chance_as_often_as_is_said(name, answers):
    cancel = [sum(changes) % answers == 0 for changes in product((1, 2, -1, -2), repeat=4)]
    assert FIRST_SHOWN[name] == np.mean(cancel) > load_task(name).chance == 1 / answers
    examples = load_task(name).train + load_task(name).eval
    noise = 2 * (FIRST_SHOWN[name] * (1 - FIRST_SHOWN[name]) / len(examples)) ** 0.5
    assert blind(examples)["the first number shown"] == pytest.approx(FIRST_SHOWN[name], abs=noise)


def naming_first(record):
    """The share of an untrained model's completions that name the number which the question begins with."""
    after, config = record["after"], record["config"]
    examples = load_task(config["task"]).eval[: config["eval_prompts"]]
    shown = [BLIND["the first number shown"](e.prompt)[0] for e in examples]
    named_it = sum(votes.get(number, 0) for votes, number in zip(after["answers"], shown, strict=True))
    return named_it / (after["num_samples"] * len(shown))


def test_untrained_models_do_not_name_the_first_number_so_that_chance_leaves_that_reader_out():
    folder = Path(__file__).parents[2] / "reports/map/records"
    bases = [json.loads(path.read_text()) for path in folder.glob("*.base.*.json")]
    if not bases:
        pytest.skip("the committed map is not here")
    for name, rate, chance in (
        ("arithmetic", 0.103, 0.1),
        ("arithmetic-4", 0.248, 0.25),
        ("arithmetic-100", 0.012, 0.01),
    ):
        of_task = [record for record in bases if record["config"]["task"] == name]
        plain_guesses, agreeing = (
            [naming_first(record) for record in of_task if ("agree=" in record["config"]["model"]) == agree]
            for agree in (False, True)
        )
        assert np.mean(plain_guesses) == pytest.approx(rate, abs=0.001)  # as the docstring of `tasks.micro` says
        assert np.mean(plain_guesses) < chance + 0.005 and max(plain_guesses) < chance + 0.03
        if agreeing:  # their misconception is that number: the exception
            assert np.mean(agreeing) == pytest.approx(0.30, abs=0.01)


@pytest.mark.parametrize("name, chance", [("ordering", 0.25), (NEEDLE.format(2, 3, 400), 0.42)])
def test_where_options_stand_in_the_prompt_naming_one_of_them_is_the_chance(name, chance):
    pytest.importorskip("reasoning_gym")
    task = load_task(name)
    assert task.chance == pytest.approx(chance, abs=0.005) and task.single_answer <= 0.1
    assert all(plain(e.answer) in map(plain, e.options) for e in task.train + task.eval)


def test_listed_choices_have_a_chance_of_their_own_in_each_question():
    try:
        task = load_task("bbh-date_understanding")
    except ConfigError as error:
        pytest.skip(str(error)[:80])
    assert {len(e.options) for e in task.eval} >= {5, 6}
    assert {task.chance_of(e) for e in task.eval} == {max(1 / len(e.options), task.blind_rate) for e in task.eval}


def test_joined_tasks_keep_the_chance_of_each_question():
    task = load_task("arithmetic>ordering+logic")
    assert task.chance_of(task.eval[0]) == 0.25 and task.chance_of(task.eval[-1]) == 0.1
    assert task.chance == pytest.approx(0.175)


def test_a_task_of_ones_own_whose_answers_stand_in_the_prompt_is_found_out(tmp_path):
    file = tmp_path / "own.jsonl"
    lines = [
        f'{{"prompt": "Is it {a} or {b}?", "answer": "{a}"}}' for a in ("Ann", "Bob", "Cid") for b in ("Dan", "Eve")
    ]
    file.write_text("\n".join(lines))
    task = load_task(f"jsonl:{file}")
    assert task.blind_rate == pytest.approx(1 / 3) and task.chance_is == "estimated"  # "Is" is a capitalised word, too
    assert task.chance == max(task.blind_rate, task.single_answer)
    assert naming_rate([("3 or 4?", "-3")]) == 0


def small_base(task):
    """The record of the untrained SmolLM2 on that task, of the committed grid."""
    folder = Path(__file__).parents[2] / "reports/small/records"
    found = [json.loads(p.read_text()) for p in folder.glob("*.base.*.json")]
    found = [record for record in found if record["config"]["task"] == task]
    if not found:
        pytest.skip("the committed small grid is not here")
    return found[0]


def test_naming_a_person_of_the_question_is_no_alignment():
    pytest.importorskip("reasoning_gym")
    record = small_base(NEEDLE.format(2, 3, 400))
    task, after = load_task(record["config"]["task"]), record["after"]
    people = [
        {w.strip(".") for w in e.prompt.split() if w[0].isupper() and w != "Who" and w != "Reply"} for e in task.eval
    ]
    shown = [sum(n for a, n in votes.items() if a in p) for votes, p in zip(after["answers"], people, strict=False)]
    assert named(record) == pytest.approx(sum(shown) / (40 * 16), abs=0.03)  # counted in another way
    guessing = 1 - (1 - named(record) * np.array([1 / len(e.options) for e in task.eval[:40]])) ** 4
    pass_at_4 = 1 - np.mean([np.prod([(16 - c - i) / (16 - i) for i in range(4)]) for c in after["correct"]])
    found = alignment(record)
    assert found.value == pytest.approx((pass_at_4 - guessing.mean()) / (1 - guessing.mean()), abs=1e-9)
    assert found.high < STRONG and found.low < 0 < found.value  # it had been called strong, 0.62
    said = conclusions.alignment([record]).data
    assert "weak" in said and "name an option" in said and "right 0.42 of the time, the model 0.29" in said


def test_chance_is_that_of_the_task_whatever_an_old_record_says():
    pytest.importorskip("reasoning_gym")
    record = small_base(NEEDLE.format(2, 3, 400))
    assert alignment(record | {"chance": 0.9}) == alignment(record)
