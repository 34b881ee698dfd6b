"""Sampling from large models draws each token in another way than transformers does, from the same distribution."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from test_models_real import needs

from mtalign.generation import sampling
from mtalign.generation.drawing import Drawn
from mtalign.generation.sampling import sample
from mtalign.speed.prefix_cache import shared_prefix


@pytest.mark.parametrize("tokens_known", [40, 600])  # within a block of the vocabulary, and over three of them
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_tokens_are_drawn_with_the_probabilities_of_the_softmax(temperature, tokens_known):
    torch.manual_seed(0)
    scores = torch.randn(tokens_known) * 2
    drawn = Drawn(temperature)(None, scores.repeat(20_000, 1))
    tokens = drawn.argmax(dim=1)
    assert torch.isinf(drawn).sum() == drawn.numel() - len(drawn) and (drawn.max(dim=1).values == 0).all()
    expected = torch.softmax(scores / temperature, dim=0).double().numpy() * len(tokens)
    assert (
        chisquare(np.bincount(tokens.numpy(), minlength=tokens_known), expected * len(tokens) / expected.sum()).pvalue
        > 0.01
    )


def test_a_token_that_cannot_come_is_never_drawn():
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf]]).repeat(1000, 1)
    assert (Drawn(1.0)(None, scores.clone()).argmax(dim=1) == 1).all()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "name",
    ["micro-a", *(pytest.param(name, marks=pytest.mark.slow) for name in ("smollm2-135m-instruct", "gemma-3-270m"))],
)
def test_a_shared_prompt_gives_the_logits_of_a_prompt_read_for_each_sample(name, attention):
    """Prompts of two lengths, two samples of each, six tokens: against one plain pass over the whole text."""
    from mtalign.models.load import load_model

    needs(name)
    model, tokenizer = load_model(name)
    model.set_attn_implementation(attention)
    prompts = tokenizer(["1+1=?", "What comes after 1, 2, 3, 4?"])["input_ids"]
    inputs = tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    tokens = torch.randint(5, 30, (4, 6), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for_each, masks = ids.repeat_interleave(2, dim=0), mask.repeat_interleave(2, dim=0)
        whole, seen = torch.cat([for_each, tokens], dim=1), torch.cat([masks, masks.new_ones(tokens.shape)], dim=1)
        positions = (seen.cumsum(dim=1) - 1).clamp(min=0)
        plain = model(whole, attention_mask=seen, position_ids=positions).logits[:, ids.shape[1] :]
        with shared_prefix(model) as new_cache:
            cache = new_cache()
            model(ids, attention_mask=mask, position_ids=positions[::2, : ids.shape[1]], past_key_values=cache)
            cache.share(2, 6)
            for i in range(6):
                end = ids.shape[1] + i + 1
                step = {"attention_mask": seen[:, :end], "position_ids": positions[:, end - 1 : end]}
                logits = model(tokens[:, i : i + 1], past_key_values=cache, **step).logits[:, 0]
                assert (logits - plain[:, i]).abs().max() < 2e-3 * plain.std()


def test_samples_of_a_large_model_are_distributed_as_those_of_a_small_one(monkeypatch):
    """The same micro model through both ways: how often each completion comes."""
    from mtalign.models.load import load_model
    from mtalign.tasks.registry import load_task

    model, tokenizer = load_model("micro-a")
    prompts = [e.prompt for e in load_task("ordering").eval[:2]]
    options = {"num_samples": 1500, "max_tokens": 20, "seed": 0}
    small = sample(model, tokenizer, prompts, **options)
    monkeypatch.setattr(sampling, "LARGE", 0)
    large = sample(model, tokenizer, prompts, **options)
    for ours, theirs in zip(large, small, strict=True):
        kinds = sorted({text for text in theirs if theirs.count(text) >= 30})
        counts = np.array([[texts.count(kind) for kind in kinds] for texts in (ours, theirs)])
        counts = np.column_stack([counts, 1500 - counts.sum(axis=1)])
        pooled = counts.sum(axis=0) / 2
        assert ((counts - pooled) ** 2 / pooled).sum() < 3 * len(pooled) + 12, counts  # chi-square, far out
