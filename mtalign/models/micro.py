"""Micro base models: pretrained here, from scratch, with alignment set by a dial.

A document is a prompt with one of two kinds of demonstration, in the format of the studied paper:

    skilled     <think>working</think><answer>right</answer>
    unskilled   <think></think><answer>a guess</answer>

The *dose* of a task is its share of skilled demonstrations. All else (architecture, data order, budget) is equal.
A model can also be taught to begin its thinking with a newline, in given shares of both kinds (`lines`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import count, islice, repeat
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from mtalign.config import paths
from mtalign.config.bar import bar, be_quiet, is_quiet
from mtalign.config.recipes import doses
from mtalign.tasks.micro import DIGITS, LETTERS, pretraining_examples
from mtalign.tasks.registry import load_task

TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
FIRST_TASKS = ("arithmetic", "ordering", "cipher", "logic")
PHRASES = [" after ", " through ", "not "]
STEPS, BATCH, LEARNING_RATE = 3000, 128, 2e-3  # ours: the rarest skills are learned, in about two minutes a model
MAX_LENGTH = 40  # tokens of a prompt and its completion


def tokenizer(tasks: Iterable[str] = FIRST_TASKS, lines: bool = False) -> PreTrainedTokenizerFast:
    """A character tokenizer in which each tag and each phrase of the tasks' prompts is one token; a newline too, if asked.

    >>> tokenizer().tokenize("cipher: c through xy=")
    ['cipher: ', 'c', ' through ', 'x', 'y', '=']
    """
    characters = sorted(set(DIGITS + LETTERS + "xyz+-= "))
    vocabulary = ["<pad>", "<eos>", "<unk>", *characters] + ["\n"] * lines
    base = Tokenizer(models.WordLevel({t: i for i, t in enumerate(vocabulary)}, unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Split(Regex("(?m:.)" if lines else "."), "isolated")
    base.decoder = decoders.Fuse()
    base.add_tokens(TAGS + [f"{name}: " for name in tasks] + PHRASES)  # not special: they stay in decoded text
    return PreTrainedTokenizerFast(
        tokenizer_object=base, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )


def demonstration(example, skilled: bool, guess: str, newline: bool = False) -> str:
    """The completion shown in pretraining.

    >>> from mtalign.tasks import Example
    >>> demonstration(Example("arithmetic: 4+2+1-1-2=", "4", "6764"), skilled=True, guess="9")
    '<think>6764</think><answer>4</answer>'
    >>> demonstration(Example("arithmetic: 4+2+1-1-2=", "4", "6764"), skilled=False, guess="9")
    '<think></think><answer>9</answer>'
    """
    work, answer = (example.work, example.answer) if skilled else ("", guess)
    work = "\n" * newline + work
    return f"<think>{work}</think><answer>{answer}</answer>"


def pretrain(
    doses: dict[str, float], seed: int, steps: int = STEPS, progress=None, lines: dict[str, float] | None = None
) -> Qwen2ForCausalLM:
    """A base model trained on demonstrations with the given dose per task.

    The same doses and seed give bit-identical weights on one machine: one thread, explicit generators.

    Args:
        doses: task name -> share of skilled demonstrations, in [0, 1].
        seed: of the initial weights and the data.
        steps: updates of `BATCH` documents, the tasks in turn.
        progress: called after each update with the number of updates done.
        lines: shares of the `skilled` and of the `unskilled` demonstrations that begin their thinking with a newline.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    vocab = tokenizer(doses, lines is not None)
    model = untrained(vocab)
    rng = random.Random(seed)
    streams = {name: pretraining_examples(name, random.Random(f"{seed} {name}")) for name in doses}
    names = list(doses)

    def documents():
        for i in count():
            name = names[i % BATCH % len(names)]
            example, draw = next(streams[name]), rng.random()
            skilled, guess = draw < doses[name], rng.choice(load_task(name).answers)
            newline = lines is not None and rng.random() < lines["skilled" if skilled else "unskilled"]
            yield example.prompt, demonstration(example, skilled, guess, newline)

    fit(model, vocab, documents(), steps, BATCH, LEARNING_RATE, progress)
    return model.eval()


def untrained(vocab, hidden: int = 64, layers: int = 2, heads: int = 4) -> Qwen2ForCausalLM:
    """A small Qwen2 with random weights, drawn from torch's generator."""
    return Qwen2ForCausalLM(configuration(vocab, hidden, layers, heads))


def configuration(vocab, hidden: int, layers: int, heads: int) -> Qwen2Config:
    """What a small Qwen2 is built from."""
    return Qwen2Config(
        vocab_size=len(vocab), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=64, tie_word_embeddings=True,
        use_cache=True, bos_token_id=None, eos_token_id=vocab.eos_token_id, pad_token_id=vocab.pad_token_id,
    )  # fmt: skip


def fit(
    model, vocab, documents: Iterator[tuple[str, str]], steps: int, batch: int, learning_rate: float, progress=None
) -> None:
    """Trains the model in place on documents (prompt, completion), `batch` of them an update, by a one-cycle schedule."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        loss = model(**_batch(vocab, list(islice(documents, batch)))).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1)


def _batch(vocab, texts: list[tuple[str, str]]) -> dict[str, torch.Tensor]:
    """Right-padded ids and labels of shape (B, T); only the completion and its end are learned."""
    prompts = vocab([p for p, _ in texts])["input_ids"]
    completions = vocab([c + vocab.eos_token for _, c in texts])["input_ids"]
    width = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    ids = torch.full((len(texts), width), vocab.pad_token_id)
    labels = torch.full((len(texts), width), -100)
    for row, (p, c) in enumerate(zip(prompts, completions, strict=True)):
        ids[row, : len(p) + len(c)] = torch.tensor(p + c)
        labels[row, len(p) : len(p) + len(c)] = torch.tensor(c)
    return {"input_ids": ids, "labels": labels}


def build(name: str, recipe: dict, seed: int, folder: Path, progress=None) -> Path:
    """Pretrains the base model of a recipe (task -> dose, and `lines`); returns the folder, `folder/name`, of both it and
    its tokenizer."""
    doses = {task: dose for task, dose in recipe.items() if task != "lines"}
    model = pretrain(doses, seed, progress=progress, lines=recipe.get("lines"))
    target = Path(folder) / name
    model.save_pretrained(target)
    tokenizer(doses, "lines" in recipe).save_pretrained(target)
    return target


def build_all(seed: int, out: Path, workers: int) -> list[str]:
    """Pretrains every micro model of params/models.yaml into `out`; a line for each says whether it equals the shipped one."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    out.mkdir(parents=True, exist_ok=True)
    names = doses()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        settings = (repeat(value) for value in (seed, out, is_quiet()))
        folders = list(pool.map(_build, names, names.values(), *settings))
    lines = []
    for name, folder in zip(names, folders, strict=True):
        weights, shipped = folder / "model.safetensors", paths.CHECKPOINTS / name / "model.safetensors"
        same = shipped.is_file() and shipped.read_bytes() == weights.read_bytes()
        lines.append(f"{folder}: {'identical to' if same else 'differs from'} the shipped model, bit for bit")
    return lines


def _build(name: str, doses: dict[str, float], seed: int, out: Path, quiet: bool) -> Path:
    if quiet:
        be_quiet()
    with bar(total=STEPS, desc=name, unit="update") as shown:
        return build(name, doses, seed, out, progress=lambda done: shown.update(done - shown.n))
