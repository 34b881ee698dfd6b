"""Tokens per second of pass@k measurement: `mtalign.generation.sampling.sample` against transformers' `generate` at its best batch.

Both draw `SAMPLES` completions of `TOKENS` tokens for each of four prompts, at temperature 1; `generate` is given all the samples
of one prompt at a time, in the batch that is fastest for it.
"""

from __future__ import annotations

import statistics
import time

SAMPLES, TOKENS = 128, 32
BATCHES = (32, 64, 128)
PROMPTS = [
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did"
    " Natalia sell altogether in April and May? Answer with a number.",
    "Weng earns twelve dollars an hour for babysitting. Yesterday, she just did fifty minutes of babysitting, and then an"
    " hour more. How much did she earn in all? Answer with a number.",
    "A robe takes two bolts of blue fiber and half that much white fiber. A tailor makes seven such robes in a week. How many"
    " bolts in total does the tailor need in that week? Answer with a number.",
    "James writes a three page letter to two different friends twice a week. Every page takes one sheet. How many pages does"
    " he write in a year, which has 52 weeks? Answer with a number.",
]  # of about 50 tokens each


def generate(model, tokenizer, batch: int) -> float:
    """Seconds of plain `generate`, `batch` completions at a time."""
    began = time.perf_counter()
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        for _ in range(SAMPLES // batch):
            model.generate(
                input_ids=ids, attention_mask=ids.new_ones(ids.shape), do_sample=True, top_k=0, top_p=1.0,
                temperature=1.0, num_return_sequences=batch, max_new_tokens=TOKENS,
                pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
    return time.perf_counter() - began


def ours(model, tokenizer) -> float:
    """Seconds of `sample`; completions go on as long as with `generate`, as none closes an answer."""
    from mtalign.generation.sampling import sample

    began = time.perf_counter()
    sample(model, tokenizer, PROMPTS, SAMPLES, TOKENS, seed=0)
    return time.perf_counter() - began


def measure(repeats: int = 3) -> dict:
    import torch

    from mtalign.models.load import load_model
    from tests.benchmarks.step import rate

    torch.set_num_threads(2)
    model, tokenizer = load_model("smollm2-135m-instruct")
    quick, _ = load_model("smollm2-135m-instruct", exact=False)
    tokens = len(PROMPTS) * SAMPLES * TOKENS
    ours(model, tokenizer)
    ours(quick, tokenizer)
    theirs: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    mine, fast = [], []
    for _ in range(repeats):
        mine.append(tokens / ours(model, tokenizer))
        fast.append(tokens / ours(quick, tokenizer))
        for batch, found in theirs.items():
            found.append(tokens / generate(model, tokenizer, batch))
    best = {batch: statistics.median(found) for batch, found in theirs.items()}
    mean_prompt = sum(len(tokenizer(p)["input_ids"]) for p in PROMPTS) / len(PROMPTS)
    floor = rate() / (2 * sum(p.numel() for p in model.parameters()))
    return {
        "prompt_tokens": mean_prompt,
        "new_tokens": TOKENS,
        "samples_per_prompt": SAMPLES,
        "generate_tokens_per_second": best,
        "tokens_per_second": statistics.median(mine),
        "ratio": statistics.median(mine) / max(best.values()),
        "fast_tokens_per_second": statistics.median(fast),
        "fast_ratio": statistics.median(fast) / max(best.values()),
        "floor_tokens_per_second": floor,
    }
