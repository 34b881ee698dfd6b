"""Base models by recipe: a name says all, the same name gives the same bits, and each dial sets what it says."""

from collections import Counter
from itertools import islice

import pytest

from mtalign.config.errors import ConfigError
from mtalign.models import dialled
from mtalign.models.dialled import documents, parse
from mtalign.models.load import check_names, is_micro, load_model
from mtalign.models.size import architecture, parameters
from mtalign.tasks import micro


@pytest.fixture
def short(monkeypatch, tmp_path):
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path))
    monkeypatch.setattr(dialled, "SKILL", (4, 2e-3))
    monkeypatch.setattr(dialled, "DIAL", (3, 3e-4))
    return tmp_path


def shown(name: str, number: int = 4000):
    recipe = parse(name)
    return list(islice(documents(recipe, recipe.dose, "test"), number))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("micro:sums?dose=0.1", "'sums' is no micro task"),
        ("micro:logic?seed=1", "dose: is missing"),
        ("micro:logic?dose=1.5", "dose: expected 0 to 1"),
        ("micro:logic?dose=a", "dose: expected a number"),
        ("micro:logic?dose=0.1&size=7b", "size: unknown size '7b'"),
        ("micro:logic?dose=0.1&right=0.7", "right: slips are defined for arithmetic tasks alone"),
        ("micro:programs?dose=0.1&agree=0.5", "agree: misconceptions are not defined for programs"),
    ],
)
def test_a_name_that_is_wrong_is_refused_before_anything_is_built(name, wrong):
    with pytest.raises(ConfigError, match=wrong.replace("?", r"\?")):
        check_names([(name, "logic")], "grid.yaml: grid")


def test_a_name_is_built_once_and_to_the_same_bits_again(short):
    name = "micro:arithmetic?dose=0.1&seed=3"
    folder = dialled.built(name)
    first = dialled.digest(folder)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert dialled.built(name) == folder and (folder / "model.safetensors").stat().st_mtime_ns == written
    for path in sorted(short.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert dialled.digest(dialled.built(name)) == first
    assert dialled.digest(dialled.built(name.replace("seed=3", "seed=4"))) != first
    assert is_micro(name) and load_model(name)[0].config.hidden_size == 64


def test_doses_share_the_skill_that_is_learned_first(short):
    for dose in (0.1, 0.2):
        dialled.built(f"micro:arithmetic?dose={dose}")
    assert len([p for p in (short / "micro").iterdir() if p.name.endswith("skill")]) == 1


def test_doses_see_the_same_prompts_and_a_higher_one_works_on_the_same_and_more():
    low, high = shown("micro:arithmetic?dose=0.1"), shown("micro:arithmetic?dose=0.3")
    assert [p for p, _ in low] == [p for p, _ in high]
    worked = [{i for i, (_, c) in enumerate(docs) if "<think></think>" not in c} for docs in (low, high)]
    assert worked[0] < worked[1] and len(worked[0]) / len(low) == pytest.approx(0.1, abs=0.02)


def truth(prompt: str) -> str:
    return str(eval(prompt.partition(": ")[2].rstrip("=")) % 10)


def test_fallible_working_is_right_as_often_as_the_dial_says_and_its_errors_are_even():
    answers = [(p, c.partition("<answer>")[2][0]) for p, c in shown("micro:arithmetic?dose=1&right=0.7")]
    right = [answer == truth(prompt) for prompt, answer in answers]
    assert sum(right) / len(right) == pytest.approx(0.7, abs=0.03)
    errors = Counter((int(a) - int(truth(p))) % 10 for p, a in answers)
    assert all(errors[e] / len(answers) == pytest.approx(0.3 / 9, abs=0.015) for e in range(1, 10))


def test_agreement_leaves_the_share_of_right_guesses_as_it_is():
    task = micro.load("arithmetic")
    for agree, own in ((0.0, 0.9 / 9), (0.6, 0.9 * (0.6 + 0.4 / 9))):
        guesses = [(p, c.partition("<answer>")[2][0]) for p, c in shown(f"micro:arithmetic?dose=0&agree={agree}")]
        assert sum(a == truth(p) for p, a in guesses) / len(guesses) == pytest.approx(0.1, abs=0.015)
        wrong = [micro.misconception(micro.Example(p, truth(p)), task.answers) == a for p, a in guesses]
        assert sum(wrong) / len(wrong) == pytest.approx(own, abs=0.025)


@pytest.mark.parametrize(("name", "answers"), [("arithmetic-4", 4), ("arithmetic-100", 100)])
def test_arithmetic_by_another_modulus_keeps_its_working_and_its_chance(name, answers):
    task = micro.load(name)
    assert task.chance == 1 / answers and not {e.prompt for e in task.train} & {e.prompt for e in task.eval}
    for e in task.eval[:50]:
        assert int(e.answer) == eval(e.prompt.partition(": ")[2].rstrip("=").lstrip("0") or "0") % answers
        assert e.work.endswith(e.answer) and len(e.work) == 4 * len(task.answers[0])


@pytest.mark.parametrize("size, number", [("85k", 85_056), ("650k", 662_912)])
def test_the_size_of_a_model_is_known_before_it_is_built(size, number):
    assert parameters(architecture(f"micro:arithmetic?dose=0.1&size={size}")) == number
