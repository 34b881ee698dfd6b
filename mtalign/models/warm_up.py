"""Warm-ups of pretrained models: alignment with a task as a dial, all else equal.

A warm-up trains on a fixed number of documents, all in the answer format: a question, and the right answer in a share of
them (`dose`), a guess in the others. Whatever the dose, questions, their order, the number of updates and every setting
of the optimiser are the same; with dose 0 it teaches the format alone. The model is kept in the cache, under its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import tempfile
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.warm_up import KEPT_FOR_RUNS, WarmUp
from mtalign.grading.answers import CLOSE, OPEN
from mtalign.tasks.base import Example, Task
from mtalign.tasks.registry import load_task

STRATA = 32  # documents among which the share of right answers is exact, to one document
FACTS = "warm_up.json"


def question(prompt: str) -> str:
    r"""What the model is given: the question and the begun answer, without a chat template.

    >>> question("2 + 2 = ?\n")
    '2 + 2 = ?\n<answer>'
    """
    return f"{prompt.rstrip()}\n{OPEN}"


def guess(task: Task, example: Example, rng: random.Random) -> str:
    """An answer in the format of the task that does not depend on what is asked: one of the options of the question,
    or of the task's possible answers, or else the answer to another question."""
    if example.options:
        return rng.choice(example.options)
    return rng.choice(task.answers) if task.answers else rng.choice(task.train[:KEPT_FOR_RUNS]).answer


def documents(warm_up: WarmUp) -> list[tuple[str, str]]:
    """(question, completion) of each document, in order. Fewer documents are the beginning of more; with a higher dose
    the same ones, and others besides, are answered right.

    Raises:
        ConfigError: the task has too few questions that runs do not train on.

    >>> half, all_right = (documents(WarmUp("m", "jsonl:tests/cases/own.jsonl", d)) for d in (0.5, 1))  # doctest: +SKIP
    """
    task = load_task(warm_up.task)
    pool = list(task.train[KEPT_FOR_RUNS:])
    if len(pool) < warm_up.documents:
        raise ConfigError(
            f"model {warm_up.name}: documents: expected at most {len(pool)}, the training questions of {task.name} "
            f"after the first {KEPT_FOR_RUNS}, which are kept for runs; got {warm_up.documents}"
        )
    rng = random.Random(f"warm-up {warm_up.seed} {task.name}")
    rng.shuffle(pool)
    found: list[tuple[str, str]] = []
    strata: list[int] = []
    for example in pool[: warm_up.documents]:
        strata = strata or rng.sample(range(STRATA), STRATA)
        right = (strata.pop() + rng.random()) / STRATA < warm_up.dose
        guessed = guess(task, example, rng)  # drawn in any case, so that the next numbers are the same at each dose
        found.append((question(example.prompt), (example.answer if right else guessed) + CLOSE))
    return found


def place(warm_up: WarmUp) -> Path:
    """Its folder in the cache, whether it is there yet or not."""
    digest = hashlib.sha256(warm_up.name.encode()).hexdigest()[:10]
    return paths.cache() / "models" / f"{warm_up.short}-{digest}"


def is_made(warm_up: WarmUp) -> bool:
    """Whether the cache holds it, whole."""
    return (place(warm_up) / "config.json").is_file()


def make(warm_up: WarmUp, model, tokenizer, progress=None) -> Path:
    """Trains the model in place and puts it into the cache, whole or not at all.

    Args:
        model, tokenizer: the pretrained model that it starts from.
        progress: called with the number of documents seen.

    Raises:
        ConfigError: the task has too few questions, or the cache cannot be written.
    """
    target = place(warm_up)
    losses = train(model, tokenizer, warm_up, progress)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".warming-") as temporary:
            made = Path(temporary, "model")
            model.save_pretrained(made)
            tokenizer.save_pretrained(made)
            (made / FACTS).write_text(json.dumps(_facts(warm_up, made, losses), indent=1) + "\n", encoding="utf-8")
            try:
                os.rename(made, target)
            except OSError:
                if not is_made(warm_up):  # else another process was faster
                    raise
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"model {warm_up.name}: {target}: cannot be written: {reason}; set MTALIGN_CACHE") from None
    return target


def facts(warm_up: WarmUp) -> dict:
    """What is known of one that was made: `name`, `losses` of its updates, `weights` (SHA-256) and `versions`."""
    return json.loads((place(warm_up) / FACTS).read_text(encoding="utf-8"))


def _facts(warm_up: WarmUp, made: Path, losses: list[float]) -> dict:
    from importlib.metadata import version

    with (made / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    versions = {package: version(package) for package in ("torch", "transformers")}
    return {"name": warm_up.name, "losses": losses, "weights": digest, "versions": versions}


def train(model, tokenizer, warm_up: WarmUp, progress=None) -> list[float]:
    """Trains `model` in place on the documents, in one thread; returns the loss of each update, in nats a token."""
    import torch

    torch.set_num_threads(1)
    texts = documents(warm_up)
    optimizer = torch.optim.AdamW(model.parameters(), lr=warm_up.learning_rate, weight_decay=0.0)
    losses = []
    model.train()
    for start in range(0, len(texts), warm_up.batch):
        part = texts[start : start + warm_up.batch]
        loss = _loss(model, tokenizer, part)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(round(loss.item(), 4))
        if progress:
            progress(start + len(part))
    model.eval()
    return losses


def _loss(model, tokenizer, texts: list[tuple[str, str]]):
    """The mean loss of the completions' tokens and their end; of questions nothing is learned."""
    import torch
    from torch.nn.functional import cross_entropy

    asked = tokenizer([q for q, _ in texts])["input_ids"]
    said = tokenizer([c + tokenizer.eos_token for _, c in texts], add_special_tokens=False)["input_ids"]
    width = max(len(q) + len(c) for q, c in zip(asked, said, strict=True))
    ids = torch.full((len(texts), width), tokenizer.pad_token_id)
    mask, learned = torch.zeros_like(ids), torch.zeros_like(ids).bool()
    for row, (q, c) in enumerate(zip(asked, said, strict=True)):
        ids[row, : len(q) + len(c)] = torch.tensor(q + c)
        mask[row, : len(q) + len(c)] = 1
        learned[row, len(q) : len(q) + len(c)] = True
    ids, mask, learned = (x.to(model.device) for x in (ids, mask, learned))
    hidden = model.get_decoder()(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, T, H)
    logits = model.get_output_embeddings()(hidden[:, :-1][learned[:, 1:]])  # (tokens learned, V)
    return cross_entropy(logits.float(), ids[:, 1:][learned[:, 1:]])
