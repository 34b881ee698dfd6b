"""Preflight: does a model understand what a run would ask of it? Its prompt, its tokens, whether it ever stops."""

from __future__ import annotations

import torch

from mtalign.config.arms import Style
from mtalign.config.errors import ConfigError
from mtalign.generation.prompts import continued, render
from mtalign.grading.answers import extract, grade
from mtalign.tasks.base import Task
from mtalign.tasks.rows import demonstrations

LONGEST = 0.9  # share of completions cut off from which a run is meaningless


def preflight(
    model, tokenizer, task: Task, prompts: int = 4, num_samples: int = 4, max_tokens: int | None = None,
    temperature: float = 1.0, style: Style = "think",
) -> dict:  # fmt: skip
    """Samples a few completions and says what training would see: there a completion goes on after its answer.

    Args:
        max_tokens: of a completion, as `max_completion_length` of the run; None for 20 on a micro task, else 256.

    Returns:
        `prompt` (exactly what the model is given), `tokens` of it, `special` (name -> token), `eos` (the id that ends a
        completion), `eos_of_model` (those that its generation settings name), `terminated`, `truncated`, `answered` and `right` (shares of the completions), `completion` (one).

    Raises:
        ConfigError: a run would be meaningless; the line says why.
    """
    max_tokens = max_tokens or (256 if task.instruction else 20)
    examples = (task.train or task.eval)[:prompts]
    texts = [render(tokenizer, e.prompt, task.instruction, style, demonstrations(task)) for e in examples]
    encoded = [tokenizer(text)["input_ids"] for text in texts]
    eos = tokenizer.eos_token_id  # sampling and trl end a completion at this one alone
    if eos is None:
        raise ConfigError("preflight: the tokenizer has no eos token, so that no completion ever ends")
    own = model.generation_config.eos_token_id
    window = getattr(model.config, "max_position_embeddings", None)
    longest = max(map(len, encoded))
    if window and longest + max_tokens > window:
        raise ConfigError(
            f"preflight: a prompt of {longest} tokens and {max_tokens} more do not fit the model's {window} positions"
        )
    if any(tokenizer.unk_token_id in ids for ids in encoded if tokenizer.unk_token_id is not None):
        raise ConfigError(
            f"preflight: the tokenizer cannot write the prompts of {task.name}: it has no token for a part"
        )
    torch.manual_seed(0)
    ended: list[bool] = []
    completions: list[str] = []
    for text, ids in zip(texts, encoded, strict=True):
        rows = torch.tensor([ids] * num_samples, device=model.device)
        with torch.inference_mode():
            out = model.generate(
                input_ids=rows, attention_mask=torch.ones_like(rows), max_new_tokens=max_tokens, do_sample=True,
                temperature=temperature, top_k=0, top_p=1.0, pad_token_id=tokenizer.pad_token_id, eos_token_id=eos,
            )[:, len(ids) :]  # fmt: skip
        ended += (out == eos).any(dim=1).tolist()
        completions += [continued(text, c) for c in tokenizer.batch_decode(out, skip_special_tokens=True)]
    number = len(completions)
    asked = [example for example in examples for _ in range(num_samples)]
    kinds = [e.kind or task.kind for e in asked]
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    found = {
        "task": task.name,
        "prompt": texts[0],
        "tokens": len(encoded[0]),
        "special": {name: [getattr(tokenizer, name), getattr(tokenizer, f"{name}_id")] for name in names},
        "chat_template": bool(tokenizer.chat_template),
        "eos": eos,
        "eos_of_model": own if isinstance(own, list) else [own],
        "completions": number,
        "max_tokens": max_tokens,
        "terminated": sum(ended) / number,
        "truncated": 1 - sum(ended) / number,
        "answered": sum(extract(t, k) is not None for k, t in zip(kinds, completions, strict=True)) / number,
        "right": sum(grade(t, e.answer, k) for e, k, t in zip(asked, kinds, completions, strict=True)) / number,
        "completion": completions[0],
    }
    if found["truncated"] > LONGEST:
        raise ConfigError(
            f"preflight: {found['truncated']:.0%} of {number} completions do not end within {max_tokens} tokens: raise"
            f" max_completion_length, lower the temperature, or take a model that ends its answers (eos"
            f" {tokenizer.eos_token!r}); one of them ends in {completions[0][-60:]!r}"
        )
    return found


def in_words(found: dict) -> str:
    """The result of `preflight` for the terminal."""
    special = ", ".join(f"{name.removesuffix('_token')} {t!r} ({i})" for name, (t, i) in found["special"].items())
    return "\n".join(
        [
            f"prompt, {found['tokens']} tokens, {'with' if found['chat_template'] else 'without'} a chat template:",
            repr(found["prompt"]),
            f"special tokens: {special}; a completion ends at {found['eos']}"
            + ("" if [found["eos"]] == found["eos_of_model"] else f" (the model's settings: {found['eos_of_model']})"),
            f"of {found['completions']} completions of at most {found['max_tokens']} tokens:"
            f" {found['terminated']:.0%} ended, {found['truncated']:.0%} were cut off,"
            f" {found['answered']:.0%} gave an answer, {found['right']:.0%} a right one",
            f"one of them: {found['completion']!r}",
        ]
    )
