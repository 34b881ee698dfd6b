"""Warm-ups: alignment as a dial, everything else equal."""

import json
import random
from itertools import pairwise

import numpy as np
import pytest
import torch

from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.run import make_run
from mtalign.config.warm_up import KEPT_FOR_RUNS, WarmUp, parse
from mtalign.generation.sampling import sample, sample_and_greedy
from mtalign.models import warm_up as warming
from mtalign.models.load import load_model, warmed
from mtalign.records.store import Records
from mtalign.rewards import majority_vote, shuffled_majority
from mtalign.runs.execute import execute
from mtalign.tasks.registry import load_task

ROWS = 600


@pytest.fixture
def task(tmp_path):
    """The name of a task of sums, whose answers are free text, in letters that a micro model knows."""
    drawn = random.Random(0).sample(range(10**6, 10**7), ROWS)
    rows = [{"prompt": f"logic: not {n}=", "answer": str(n % 89)} for n in drawn]
    path = tmp_path / "sums.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return f"jsonl:{path}?kind=exact"


def answers(warm_up):
    return [completion.removesuffix("</answer>") for _, completion in warming.documents(warm_up)]


def test_doses_share_questions_order_and_number_of_documents_and_differ_in_right_answers_alone(task):
    doses = [0, 0.1, 0.25, 0.5, 1]
    asked = [[q for q, _ in warming.documents(WarmUp("m", task, d, 64))] for d in doses]
    assert all(these == asked[0] for these in asked) and len(asked[0]) == len(set(asked[0])) == 64
    truth = {warming.question(e.prompt): e.answer for e in load_task(task).train}
    right = [[a == truth[q] for q, a in zip(asked[0], answers(WarmUp("m", task, d, 64)), strict=True)] for d in doses]
    for dose, these in zip(doses, right, strict=True):
        by_luck = 3 * 64 / 89  # guesses that happen to be right; and a stratum at each end
        assert abs(sum(these) - 64 * dose) <= 2 + by_luck
    for fewer, more in pairwise(right):
        assert all(b for a, b in zip(fewer, more, strict=True) if a)  # what a low dose teaches, a high one does too


def test_fewer_documents_are_the_beginning_of_more_and_seeds_ask_others(task):
    of = lambda documents, seed: warming.documents(WarmUp("m", task, 0.25, documents, seed))  # noqa: E731
    assert of(96, 0)[:32] == of(32, 0)
    assert {q for q, _ in of(64, 0)} != {q for q, _ in of(64, 1)}


def test_no_document_asks_what_a_run_trains_on_or_is_evaluated_on(task):
    loaded = load_task(task)
    asked = {q for q, _ in warming.documents(WarmUp("m", task, 1, ROWS - 200 - KEPT_FOR_RUNS))}
    kept = loaded.eval + loaded.train[:KEPT_FOR_RUNS]
    assert not asked & {warming.question(e.prompt) for e in kept}


def test_a_guess_is_one_of_the_names_in_the_question_each_as_often():
    pytest.importorskip("reasoning_gym")
    found = load_task("rg:needle_haystack?min_num_statements=8&max_num_statements=10&size=600")
    example, rng = found.eval[0], random.Random(0)
    names = example.options
    assert 8 <= len(names) <= 10 and example.answer in names and all(f"{name} " in example.prompt for name in names)
    guessed = [warming.guess(found, example, rng) for _ in range(2000)]
    assert set(guessed) == set(names)
    assert max(guessed.count(n) for n in names) / 2000 < 1.5 / len(names)


def test_a_warm_up_is_the_same_bit_for_bit_is_kept_and_starts_no_second_time(task, tmp_path, monkeypatch):
    name = WarmUp("micro-a", task, 1, 32, learning_rate=1e-3).name
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "first"))
    folder = warmed(name)
    weights = (folder / "model.safetensors").read_bytes()
    known = warming.facts(parse(name))
    assert known["name"] == name and len(known["losses"]) == 4 and known["losses"][-1] < known["losses"][0]
    monkeypatch.setattr(warming, "train", None)
    assert warmed(name) == folder
    monkeypatch.undo()
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "second"))
    assert (warmed(name) / "model.safetensors").read_bytes() == weights
    plain, moved = load_model("micro-a")[0], load_model(name)[0]
    assert any(not torch.equal(a, b) for a, b in zip(plain.parameters(), moved.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("warm:m?dose=0.5", "expected warm:<model>?dose=0.25&documents=64&seed=0&task=<task>"),
        ("warm:m?task=logic", "dose: is missing"),
        ("warm:m?dose=1.5&task=logic", "dose: expected 0 to 1, got 1.5"),
        ("warm:m?dose=x&task=logic", "dose: expected a number, got 'x'"),
        ("warm:m?dose=0.5&steps=3&task=logic", "steps: unknown setting"),
        ("warm:m?dose=0.5&documents=0&task=logic", "documents: expected 1 or more"),
        ("warm:micro-a?dose=0.5&documents=64&seed=0&task=logic", "documents: expected at most 0"),
    ],
)
def test_a_wrong_name_is_one_line_that_says_what_is_wrong(name, said):
    with pytest.raises(ConfigError, match=r"^model warm:") as error:
        load_model(name)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_name_says_all_and_is_read_back():
    for warm_up in (WarmUp("a/b@1", "rg:x?size=9&y=2", 0.125, 32, 3), WarmUp("m", "t", 0, 8, 0, 1e-4, 4)):
        assert parse(warm_up.name) == warm_up


GRID = """
grid:
  model: [smollm2-135m-instruct]
  task: [logic, arithmetic]
  warm_up: {{{warm_up}}}
  arm: [standard, majority_vote]
  seed: [0, 1]
fixed: {{train_prompts: 64}}
"""


def test_a_grid_file_spans_the_warm_ups_of_each_task(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(GRID.format(warm_up="dose: [0.0, 0.5], seed: [0, 1, 2], documents: 32"))
    grid = load_grid(path)
    assert len(grid.pairs) == 2 * 2 * 3 and all(parse(model).task == task for model, task in grid.pairs)
    assert len(grid.runs) == 12 * (1 + 2 * 2)
    assert {parse(run.model).documents for run in grid.runs} == {32}


def test_tasks_may_have_doses_of_their_own(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(GRID.format(warm_up="dose: {logic: [0.5], arithmetic: [0.1, 0.2]}, seed: [0, 1]"))
    named = [(task, parse(model).dose, parse(model).seed) for model, task in load_grid(path).pairs]
    first = [("logic", 0.5, 0), ("arithmetic", 0.1, 0), ("arithmetic", 0.2, 0)]
    assert named == first + [(task, dose, 1) for task, dose, _ in first]


@pytest.mark.parametrize(
    ("warm_up", "said"),
    [
        ("dose: [2.0], seed: [0]", "grid.warm_up: dose: expected 0 to 1, got 2.0"),
        ("dose: [0.5]", "grid.warm_up.seed: expected a list"),
        ("dose: {arithmetic: [0.5]}, seed: [0]", "grid.warm_up.dose.logic: expected a list"),
        ("dose: {arithmetic: [0.5], logic: [1.0], sums: [0.0]}, seed: [0]", "grid.warm_up.dose: sums: unknown key"),
        ("dose: [0.5], seed: [0], steps: 4", "grid.warm_up: steps: unknown key"),
        ("dose: [0.5], seed: [0], documents: many", "grid.warm_up.documents: expected a whole number, got 'many'"),
    ],
)
def test_a_wrong_warm_up_in_a_grid_file_is_named_with_file_and_key(tmp_path, warm_up, said):
    path = tmp_path / "g.yaml"
    path.write_text(GRID.format(warm_up=warm_up))
    with pytest.raises(ConfigError) as error:
        load_grid(path)
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value)


def test_a_run_does_not_train_on_questions_of_its_warm_up():
    with pytest.raises(ConfigError, match=r"g.yaml: train_prompts: 300 would take in questions of the warm-up"):
        make_run("g.yaml", {"model": WarmUp("m", "t", 0.5).name, "task": "t", "train_prompts": 300})


def test_the_shuffled_majority_has_the_majoritys_reward_rates_and_gives_them_to_whom_chance_says():
    groups = [["1"] * 9 + ["2"] * 7, ["3"] * 2 + [str(n) for n in range(4, 18)]]
    completions = [f"<answer>{a}</answer>" for group in groups for a in group]
    prompts = ["p"] * 16 + ["q"] * 16
    plain, shuffled = (np.array(f(prompts, completions)) for f in (majority_vote, shuffled_majority))
    assert plain.reshape(2, 16).sum(axis=1).tolist() == shuffled.reshape(2, 16).sum(axis=1).tolist() == [9, 2]
    assert plain.tolist() != shuffled.tolist()
    assert shuffled.tolist() == shuffled_majority(prompts, completions)
    kinds = ["choice"] * 32  # a column of the data set, which the majority reads: (1) is 1
    marked = [c.replace(">1<", ">(1)<") if i % 2 else c for i, c in enumerate(completions)]
    assert shuffled_majority(prompts, marked, kind=kinds) == shuffled.tolist()
    given = [shuffled_majority(["p"] * 16, completions[:16], seed=[s] * 16)[0] for s in range(400)]
    assert abs(np.mean(given) - 9 / 16) < 0.08  # the first of the group, which the majority always rewards


def test_read_once_samples_and_greedy_completions_are_those_that_are_sampled_apart():
    model, tokenizer = load_model("micro-a")
    prompts = [e.prompt for e in load_task("logic").eval[:6]]
    sampled, greedy = sample_and_greedy(model, tokenizer, prompts, 200, 20, seed=0, temperature=1.0)
    assert [len(texts) for texts in sampled] == [200] * 6
    assert greedy == sample(model, tokenizer, prompts, 1, 20, seed=0, temperature=0)
    apart = sample(model, tokenizer, prompts, 200, 20, seed=1, temperature=1.0)
    for one, other in zip(sampled, apart, strict=True):  # drawn from the same distribution
        for text in set(one) | set(other):
            assert abs(one.count(text) - other.count(text)) / 200 < 0.2


def test_a_run_from_a_warm_up_names_its_weights_and_says_how_far_they_moved(task, tmp_path, monkeypatch):
    monkeypatch.setenv("MTALIGN_CACHE", str(tmp_path / "cache"))
    name = WarmUp("micro-a", task, 1, 32, learning_rate=1e-3).name
    small = {"train_prompts": 8, "generation_batch_size": 16, "num_generations": 4, "eval_prompts": 4, "num_samples": 4}
    given = small | {"model": name, "task": task, "fast": True, "style": "bare", "max_steps": 2}
    learning = make_run("test", given | {"arm": "shuffled_majority", "reward": "shuffled_majority"})
    frozen = make_run("test", given | {"arm": "frozen", "learning_rate": 0.0})
    records = Records(tmp_path / "records")
    records.prepare()
    for run in (learning.base, learning, frozen):
        records.write(run, execute(run, records))
    base, trained, still = (records.read(run) for run in (learning.base, learning, frozen))
    assert base["warm_up"] == trained["warm_up"] == warming.facts(parse(name))
    assert trained["displacement"]["moved"] > 0 == still["displacement"]["moved"]
    assert len(base["after"]["greedy"]) == 4 and sum(base["after"]["answers"][0].values()) == 4
