"""Sampling: n completions for each prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, StoppingCriteria

from mtalign.generation.prompts import continued
from mtalign.grading.answers import CLOSE
from mtalign.models.size import cache_bytes
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


BLOCK = 256  # tokens of the vocabulary that are drawn from together
TAIL = 12  # tokens in which the end of an answer is looked for
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
    model, tokenizer, prompts: Sequence[str], num_samples: int, max_tokens: int, seed: int, temperature: float
) -> tuple[list[list[str]], list[list[str]]]:
    """`num_samples` completions and the greedy one for each prompt.

    A model that samples over prefix trees (`speed.decoding`) reads each prompt once for both, and computes what
    completions begin with once: of a trained model most are the same. A completion ends at the end token alone.

    Returns:
        P lists of N completions, and P lists of the greedy one.
    """
    if type(model) not in QUICK.values():
        asked = (model, tokenizer, prompts)
        sampled = sample(*asked, num_samples, max_tokens, seed, temperature)
        return sampled, sample(*asked, 1, max_tokens, seed, temperature=0)
    torch.manual_seed(seed)
    encoded = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    each = num_samples + 1
    size = max(1, _large_rows(model, max(map(len, encoded)) + max_tokens) // each)  # prompts decoded at a time
    found: list[list[str]] = [[] for _ in prompts]
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        inputs = tokenizer.pad({"input_ids": [encoded[i] for i in batch]}, return_tensors="pt").to(model.device)
        ids, mask = (inputs[key].repeat_interleave(each, dim=0) for key in ("input_ids", "attention_mask"))
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id, do_sample=False, logits_processor=[_DrawnAndGreedy(temperature, each)],
            )  # fmt: skip
        texts = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
        for position, index in enumerate(batch):
            own = texts[position * each : (position + 1) * each]
            found[index] = [continued(prompts[index], text) for text in own]
    return [texts[:-1] for texts in found], [texts[-1:] for texts in found]


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
    choose = {"do_sample": False, "logits_processor": [_Drawn(temperature)] if temperature else []}
    encoded = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    completions: list[list[str]] = [[] for _ in prompts]
    copies = num_samples if can_share(model) else 1  # a prompt is kept once, or for each sample
    size = max(1, _large_rows(model, max(map(len, encoded)) // copies + max_tokens) // num_samples)  # prompts
    with shared_prefix(model) as new_cache:
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            inputs = tokenizer.pad({"input_ids": [encoded[i] for i in batch]}, return_tensors="pt").to(model.device)
            ids, mask = inputs["input_ids"], inputs["attention_mask"]  # (B, T)
            cache = new_cache()
            if ids.shape[1] > 1:
                read = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)[:, :-1], "attention_mask": mask[:, :-1]}
                model(ids[:, :-1], past_key_values=cache, logits_to_keep=1, **read)
                cache.share(num_samples, max_tokens)
            how = choose | {"past_key_values": cache, "stopping_criteria": [_Answered(tokenizer, ids.shape[1])]}
            drawn = draw(model, tokenizer, ids, mask, num_samples, max_tokens, **how)
            for index, texts in zip(batch, drawn, strict=True):
                completions[index] = [continued(prompts[index], text) for text in texts]
    return completions


class _Drawn(LogitsProcessor):
    """Draws each row's token and leaves it as the only one: one uniform number a row, where `do_sample` draws one for
    each token of the vocabulary and takes a third of the time of decoding on a CPU. The distribution is the same.

    A block of `BLOCK` tokens is drawn by its share, then a token within it: one pass over the vocabulary.
    """

    def __init__(self, temperature: float):
        self.temperature = temperature

    def __call__(self, ids, scores):
        rows, vocabulary = scores.shape
        weights = scores.sub_(scores.amax(dim=-1, keepdim=True)).div_(self.temperature).exp_()  # (B, V), in place
        blocks = torch.nn.functional.pad(weights, (0, -vocabulary % BLOCK)).view(rows, -1, BLOCK)
        below = blocks.sum(dim=-1).cumsum(dim=-1, dtype=torch.float64)  # (B, V / BLOCK)
        drawn = torch.rand(rows, 1, dtype=torch.float64, device=scores.device) * below[:, -1:]
        block = torch.searchsorted(below, drawn, right=True).clamp(max=below.shape[1] - 1)  # (B, 1)
        drawn -= below.gather(1, block) - blocks.sum(dim=-1).double().gather(1, block)
        within = blocks[torch.arange(rows, device=scores.device), block[:, 0]].cumsum(dim=-1, dtype=torch.float64)
        token = torch.searchsorted(within, drawn, right=True).clamp(max=BLOCK - 1) + block * BLOCK
        token = token.clamp(max=vocabulary - 1)
        return scores.fill_(-torch.inf).scatter_(1, token, 0.0)


class _DrawnAndGreedy(_Drawn):
    """The same, but the last of every `each` rows takes its likeliest token."""

    def __init__(self, temperature: float, each: int):
        super().__init__(temperature)
        self.each = each

    def __call__(self, ids, scores):
        greedy = torch.arange(self.each - 1, len(scores), self.each, device=scores.device)
        likeliest = scores[greedy].argmax(dim=-1)  # before the scores are drawn from, in place
        drawn = super().__call__(ids, scores)
        drawn[greedy] = -torch.inf
        drawn[greedy, likeliest] = 0.0
        return drawn


class _Answered(StoppingCriteria):
    """A completion is done where its answer is closed: a model that is not tuned for chats would go on."""

    def __init__(self, tokenizer, start: int):
        self.tokenizer, self.start = tokenizer, start

    def __call__(self, ids, scores, **_):
        tails = self.tokenizer.batch_decode(ids[:, max(self.start, ids.shape[1] - TAIL) :])
        done = [CLOSE in tail for tail in tails]
        return torch.tensor(done, device=ids.device)
