"""Sampling: n completions for each prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mtalign.generation.drawing import Answered, Drawn, Uniform
from mtalign.generation.prompts import continued
from mtalign.models.size import cache_bytes
from mtalign.speed.cpu import packed
from mtalign.speed.decoding import QUICK
from mtalign.speed.prefix_cache import can_share, shared_prefix

ROWS = 1600  # completions decoded at a time, at most


def rows(config: dict, tokens: int, memory: int | None = None) -> int:
    """Completions decoded at a time: as many as 0.4 of a GPU's memory holds the KV cache of, in 16 bits.

    Args:
        config: of the model.
        tokens: of a prompt and its longest completion.
        memory: bytes of the GPU; None on a CPU.

    >>> from mtalign.config.hub import listing
    >>> rows(listing()["models"]["Qwen/Qwen2.5-7B@d149729398750b98c0af14eb82c78cfe92750796"], 8448, 80 * 10**9), rows({}, 60)
    (66, 1600)
    """
    if memory is None:
        return ROWS
    return max(1, min(ROWS, int(0.4 * memory) // (cache_bytes(config) * tokens)))


LARGE, LARGE_ROWS = 10_000_000, 512  # a model from this many parameters on decodes at most so many at a time ...
LARGE_BYTES = 10**9  # ... and on a CPU as many as have a KV cache, and all copies of the logits, of this size


@torch.inference_mode()
def draw(model, tokenizer, ids, mask, num_samples: int, max_tokens: int, **how) -> list[list[str]]:
    """Completions of a batch of prompts, decoded together; they end at the tokenizer's end token and at no other.

    Args:
        ids, mask: of the prompts, (B, T).
        how: further arguments of transformers' `generate`: how a token is chosen, what has been read already.

    Returns:
        B lists of `num_samples` texts, special tokens left out.
    """
    out = model.generate(
        input_ids=ids.repeat_interleave(num_samples, dim=0), attention_mask=mask.repeat_interleave(num_samples, dim=0),
        max_new_tokens=max_tokens, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, **how,
    )  # fmt: skip
    texts = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
    return [texts[start : start + num_samples] for start in range(0, len(texts), num_samples)]


def sample(
    model, tokenizer, prompts: Sequence[str], num_samples: int, max_tokens: int, seed: int, temperature: float = 1.0
) -> list[list[str]]:
    """`num_samples` completions for each prompt, without top-p or top-k; greedy where `temperature` is 0.

    The same arguments give the same text on one machine. Prompts of equal length are decoded together, so that no
    padding is seen.

    Returns:
        P lists of N completions, special tokens left out.
    """
    torch.manual_seed(seed)
    if sum(p.numel() for p in model.parameters()) >= LARGE:
        return _sample_large(model, tokenizer, prompts, num_samples, max_tokens, temperature)
    choose = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if temperature
        else {"do_sample": False}
    )
    encoded = tokenizer(list(prompts))["input_ids"]
    by_length: dict[int, list[int]] = {}
    for index, ids in enumerate(encoded):
        by_length.setdefault(len(ids), []).append(index)
    completions: list[list[str]] = [[] for _ in prompts]
    for _, indices in sorted(by_length.items()):
        per_batch = max(1, ROWS // num_samples)
        for start in range(0, len(indices), per_batch):
            batch = indices[start : start + per_batch]
            ids = torch.tensor([encoded[i] for i in batch], device=model.device)
            drawn = draw(model, tokenizer, ids, torch.ones_like(ids), num_samples, max_tokens, **choose)
            for index, texts in zip(batch, drawn, strict=True):
                completions[index] = texts
    return completions


def sample_and_greedy(
    model, tokenizer, prompts: Sequence[str], num_samples: int, max_tokens: int, seed: int, temperature: float,
    joint: bool = True,
) -> tuple[list[list[str]], list[list[str]]]:  # fmt: skip
    """`num_samples` completions and the greedy one for each prompt.

    A model that samples over prefix trees (`speed.decoding`) reads each prompt once for both, and computes what
    completions begin with once: of a trained model most are the same.

    Args:
        joint: whether random numbers are drawn for all rows, the greedy ones too, and a completion ends at the end token
            alone. Else the completions are those of `sample`, for both temperatures, up to rounding.

    Returns:
        P lists of N completions, and P lists of the greedy one.
    """
    asked = (model, tokenizer, prompts)
    if type(model) not in QUICK.values():
        sampled = sample(*asked, num_samples, max_tokens, seed, temperature)
        return sampled, sample(*asked, 1, max_tokens, seed, temperature=0)
    torch.manual_seed(seed)
    found = _over_trees(*asked, num_samples, max_tokens, temperature, greedy=True, joint=joint)
    return [texts[:-1] for texts in found], [texts[-1:] for texts in found]


PART = 8  # prompts whose completions are decoded together over trees: their rows are enough for fast products


@torch.inference_mode()
def _over_trees(
    model, tokenizer, prompts, num_samples: int, max_tokens: int, temperature: float, greedy=False, joint=False
) -> list[list[str]]:
    """Completions of each prompt over prefix trees, `num_samples` drawn and, where `greedy`, the likeliest as the last."""
    encoded = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    each, longest = num_samples + greedy, max(map(len, encoded))
    drawn = each if joint else num_samples  # random numbers of a prompt at each step
    copies = 1 if joint or not can_share(model) else max(1, num_samples)  # as in `_sample_large`
    size = max(
        1, _large_rows(model, longest // copies + max_tokens) // max(1, drawn)
    )  # prompts whose random numbers are drawn together
    found: list[list[str]] = [[] for _ in prompts]
    with packed(model):
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            numbers = Uniform(len(batch) * drawn, model.device)
            of_row = torch.arange(len(batch) * drawn, device=model.device).view(len(batch), drawn)[:, :num_samples]
            of_row = torch.nn.functional.pad(of_row, (0, int(greedy)), value=-1)  # (prompts, rows of each)
            step = len(batch) if joint else PART
            for first in range(0, len(batch), step):
                part = batch[first : first + step]
                choose = Drawn(temperature, numbers, of_row[first : first + step].flatten(), always=joint)
                inputs = tokenizer.pad({"input_ids": [encoded[i] for i in part]}, return_tensors="pt").to(model.device)
                ids, mask = inputs["input_ids"], inputs["attention_mask"]
                stop = {} if joint else {"stopping_criteria": [Answered(tokenizer, ids.shape[1])]}
                texts = draw(
                    model, tokenizer, ids, mask, each, max_tokens, do_sample=False, logits_processor=[choose], **stop
                )
                for index, own in zip(part, texts, strict=True):
                    found[index] = [continued(prompts[index], text) for text in own]
    return found


def _large_rows(model, tokens: int) -> int:
    """Completions decoded at a time, of `tokens` each, with their part of the prompt."""
    config = model.config.to_dict()
    if model.device.type == "cpu":
        logits = 4 * 4 * model.config.get_text_config().vocab_size  # bytes of four copies in float32
        return max(1, min(LARGE_ROWS, LARGE_BYTES // (2 * cache_bytes(config) * tokens), LARGE_BYTES // logits))
    return rows(config, tokens, torch.cuda.get_device_properties(model.device).total_memory)


@torch.inference_mode()
def _sample_large(model, tokenizer, prompts, num_samples: int, max_tokens: int, temperature: float) -> list[list[str]]:
    """`sample` in batches of `LARGE_ROWS`, of prompts of similar length; a completion ends where its answer is closed.

    A prompt is read once for all its samples: with few tokens to write, reading would cost most.
    """
    if type(model) in QUICK.values():
        if temperature:
            return _over_trees(model, tokenizer, prompts, num_samples, max_tokens, temperature)
        return [o * num_samples for o in _over_trees(model, tokenizer, prompts, 0, max_tokens, 1.0, greedy=True)]
    choose = {"do_sample": False, "logits_processor": [Drawn(temperature)] if temperature else []}
    encoded = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    completions: list[list[str]] = [[] for _ in prompts]
    copies = num_samples if can_share(model) else 1  # a prompt is kept once, or for each sample
    size = max(1, _large_rows(model, max(map(len, encoded)) // copies + max_tokens) // num_samples)  # prompts
    with shared_prefix(model) as new_cache, packed(model):
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            inputs = tokenizer.pad({"input_ids": [encoded[i] for i in batch]}, return_tensors="pt").to(model.device)
            ids, mask = inputs["input_ids"], inputs["attention_mask"]  # (B, T)
            cache = new_cache()
            if ids.shape[1] > 1:
                read = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)[:, :-1], "attention_mask": mask[:, :-1]}
                model(ids[:, :-1], past_key_values=cache, logits_to_keep=1, **read)
                cache.share(num_samples, max_tokens)
            how = choose | {"past_key_values": cache, "stopping_criteria": [Answered(tokenizer, ids.shape[1])]}
            drawn = draw(model, tokenizer, ids, mask, num_samples, max_tokens, **how)
            for index, texts in zip(batch, drawn, strict=True):
                completions[index] = [continued(prompts[index], text) for text in texts]
    return completions
