"""Contamination: a model that knows a benchmark by heart is found, one that does not is cleared; fresh tasks are fresh."""

import random
from importlib.util import find_spec

import pytest

from mtalign.config.errors import ConfigError
from mtalign.diagnosis import contamination
from mtalign.tasks import calculation
from mtalign.tasks.registry import load_task

needs_rouge = pytest.mark.skipif(find_spec("rouge_score") is None, reason=f"needs: {contamination.INSTALL}")


@pytest.fixture
def public(tmp_path):
    lines = [
        f'{{"prompt": "Ann buys {i} pens and Tom buys {i + 3} more, how many?", "answer": "{2 * i + 3}"}}'
        for i in range(60)
    ]
    (tmp_path / "pens.jsonl").write_text("\n".join(lines))
    return f"jsonl:{tmp_path}/pens.jsonl?kind=math"


def by_heart(task):
    """A `sampling.sample` that knows the questions of the task, and goes on like a parrot elsewhere."""
    known = [(e.prompt, e.answer) for e in load_task(task).eval]

    def sample(model, tokenizer, prompts, *_, **__):
        found = [next((f"{q[len(p) :]} <answer>{a}</answer>" for q, a in known if q.startswith(p)), p) for p in prompts]
        return [[text] for text in found]

    return sample


@needs_rouge
def test_a_model_that_knows_the_questions_by_heart_is_found(public, monkeypatch):
    monkeypatch.setattr("mtalign.generation.sampling.sample", by_heart(public))
    rows = contamination.measure("micro-a", [public, "calculation-3"], [0.6, 0.8, 1.0], 20, 30)
    table = contamination.summary(rows)
    said = contamination.verdict(table).data
    assert "**contaminated**: exact completions 1.00" in said and "60%" in said and said.count("\n") == 0
    shown_in_full = rows[rows["share"] == 1.0]
    assert shown_in_full["exact_match"].isna().all() and shown_in_full["right"].notna().all()
    assert (rows[(rows["task"] == public) & (rows["share"] < 1)]["rouge_l"] == 1).all()


@needs_rouge
def test_a_micro_model_shows_no_sign(public):
    rows = contamination.measure("micro-a", [public, "calculation-3"], [0.6], 10, 12)
    assert "**no sign of contamination** (10 questions)" in contamination.verdict(contamination.summary(rows)).data


@needs_rouge
def test_rouge_l_is_the_longest_common_subsequence_of_words():
    assert contamination.rouge_l("he buys three red pens and goes", "he buys two red pens") == pytest.approx(0.8)
    assert contamination.rouge_l("", "he buys") == 0 and contamination.rouge_l("he buys a hat", "he buys") == 1


def test_wrong_settings_and_missing_things_are_one_line(monkeypatch, capsys):
    with pytest.raises(ConfigError, match="shares: expected more than 0"):
        contamination.measure("micro-a", ["calculation-1"], [0.0], 1, 1)
    with pytest.raises(ConfigError, match="questions, max_tokens"):
        contamination.measure("micro-a", ["calculation-1"], [0.5], 0, 1)
    monkeypatch.setattr(contamination, "find_spec", lambda name: None)
    assert not contamination.available("micro-a", ["calculation-1"])
    assert (
        capsys.readouterr().out == f"Skipped. contamination: needs the package rouge-score: {contamination.INSTALL}\n"
    )


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_fresh_arithmetic_has_its_number_of_steps_and_its_value(steps):
    rng = random.Random(steps)
    for _ in range(50):
        text, value = calculation.expression(steps, rng)
        assert eval(text) == value and abs(value) <= calculation.LARGEST
        assert sum(text.count(f" {sign} ") for sign in "+-*/") == steps
    task = load_task(f"calculation-{steps}")
    assert len(task.train) == 256 and len(task.eval) == 200 and task.chance < 0.05


@pytest.mark.parametrize("steps", [0, 21])
def test_a_length_out_of_range_is_an_error(steps):
    with pytest.raises(ConfigError, match="expected 1 to 20 steps"):
        load_task(f"calculation-{steps}")


@needs_rouge
def test_continuations_that_were_drawn_are_found_again_and_not_drawn_anew(public, tmp_path, monkeypatch):
    asked = ("micro-a", [public, "calculation-3"], [0.6, 1.0], 10, 12, f"{tmp_path}/kept")
    first = contamination.measure(*asked)
    assert len(list((tmp_path / "kept").iterdir())) == 4  # two tasks, two shares

    def drawn_again(*_, **__):
        raise AssertionError

    monkeypatch.setattr("mtalign.generation.sampling.sample", drawn_again)
    assert contamination.measure(*asked).equals(first)
    file = next((tmp_path / "kept").iterdir())
    file.write_text('["one"]')
    with pytest.raises(ConfigError, match=f"{file.name}: not a list of 10 continuations"):
        contamination.measure(*asked)
