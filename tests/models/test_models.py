"""Shipped micro models: small, rebuilt from a seed, aligned as their doses say."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from mtalign.config import paths
from mtalign.config.recipes import doses
from mtalign.generation.evaluate import evaluate, is_thinking
from mtalign.generation.sampling import sample
from mtalign.models import micro
from mtalign.models.load import load_model
from mtalign.tasks.registry import load_task

PAIRS = [(model, task, dose) for model, doses in doses().items() for task, dose in doses.items() if task != "lines"]


@pytest.mark.parametrize("name", [name for name, recipe in doses().items() if "lines" in recipe])
def test_newlines_begin_the_thinking_as_often_as_the_recipe_says(name):
    known, shares = load_task("ordering"), doses()[name]["lines"]
    texts = [t for each in sample(*load_model(name), [e.prompt for e in known.eval[:60]], 16, 20, seed=0) for t in each]
    for kind, skilled in (("skilled", True), ("unskilled", False)):
        these = [t for t in texts if is_thinking(t) == skilled]
        assert np.mean([t.startswith("<think>\n") for t in these]) == pytest.approx(shares[kind], abs=0.1)


def test_each_model_is_under_half_a_mb():
    assert all(sum(p.stat().st_size for p in folder.iterdir()) < 0.5e6 for folder in paths.CHECKPOINTS.iterdir())
    assert {p.name for p in paths.CHECKPOINTS.iterdir()} == set(doses())


@pytest.mark.parametrize("name, task, dose", PAIRS)
def test_alignment_is_what_the_dose_says(name, task, dose):
    known = load_task(task)
    found = evaluate(*load_model(name), known.eval[:60], known.kind, num_samples=64, max_tokens=20, seed=0)
    accuracy = np.mean(found["correct"]) / 64

    majority = np.mean(found["majority"])
    if dose >= 0.2:
        assert 0.2 <= accuracy <= 0.8 and majority >= 0.9
    if dose <= 0.04:
        assert abs(accuracy - known.single_answer) <= 0.05
    assert found["thinking"] == pytest.approx(dose, abs=0.05)


def test_sampling_is_repeatable_and_changes_with_the_seed():
    model, tokenizer = load_model("micro-a")
    prompts = [e.prompt for e in load_task("arithmetic").eval[:4]]
    one, two, other = (sample(model, tokenizer, prompts, 8, 20, seed) for seed in (0, 0, 1))
    assert one == two != other
    greedy = sample(model, tokenizer, prompts, 2, 20, 0, temperature=0)
    assert all(a == b for a, b in greedy)


def test_pretraining_is_repeatable_bit_for_bit():
    import torch

    doses = {"ordering": 0.4, "logic": 0.04}
    one, two = (micro.pretrain(doses, seed=0, steps=5).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    other = micro.pretrain(doses, seed=1, steps=5).state_dict()
    assert not all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_a_shipped_model_is_rebuilt_bit_for_bit(tmp_path):
    """One drawn at random, another each time; all with MTALIGN_REBUILD=all, which takes three minutes each. It holds where the
    processor's products round as those of the one that built it: `code-*` were built on an Intel processor, differ on an AMD, and
    are left out there."""
    is_all, cpu = os.environ.get("MTALIGN_REBUILD") == "all", Path("/proc/cpuinfo")
    intel = not cpu.is_file() or "GenuineIntel" in cpu.read_text()
    names = [name for name in doses() if intel or not name.startswith("code-")]
    for name in names if is_all else [random.SystemRandom().choice(names)]:
        built = micro.build(name, doses()[name], 0, tmp_path) / "model.safetensors"
        assert built.read_bytes() == (paths.CHECKPOINTS / name / "model.safetensors").read_bytes(), name


def test_every_prompt_of_every_task_is_in_the_vocabulary():
    vocab = micro.tokenizer()
    for task in map(load_task, doses()["micro-a"]):
        for example in task.train + task.eval:
            text = example.prompt + micro.demonstration(example, True, "0")
            ids = vocab(text)["input_ids"]
            assert vocab.unk_token_id not in ids and vocab.decode(ids) == text and len(ids) < 40
