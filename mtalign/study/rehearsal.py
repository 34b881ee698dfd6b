"""Rehearsal: a large grid with tiny stand-ins, to see every arm go through the real code before it costs anything.

Kept: arms, optimiser, schedule, loss, clipping, updates per rollout, notebooks. Replaced: each model by a shipped micro
model in the same architecture, each task by a micro task, the budget by one rollout of two groups or a few more, GPUs by
CPU processes, vLLM by transformers, bfloat16 by float32; one seed.
"""

from __future__ import annotations

import math
from pathlib import Path

import yaml

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.hub import listing

GROUP = 4  # completions of a prompt
BUDGET = {  # fields of a Run, and their values in a rehearsal
    "num_generations": GROUP, "max_completion_length": 20, "train_prompts": 16, "eval_prompts": 8, "num_samples": 4,
    "bf16": False, "rollouts": "transformers",
}  # fmt: skip


def rehearse(path: str | Path, out: Path, processes: int = 1) -> Path:
    """Writes the rehearsal of a grid file, and the models it needs, to `out`; returns the new grid file.

    Args:
        processes: of training.

    Raises:
        ConfigError: the grid file is wrong, or names a model or task that has no stand-in.
    """
    grid = load_grid(path)
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    stand_in = {model: _stand_in_model(path, model, out) for model, _ in grid.pairs}
    updates = math.lcm(*(run.steps_per_generation for run in grid.runs if run.max_steps))
    budget = BUDGET | {"generation_batch_size": math.lcm(2 * GROUP, updates * processes), "max_steps": updates}
    for block in content["grid"].values() if "model" not in content["grid"] else [content["grid"]]:
        block["model"] = list(dict.fromkeys(stand_in[model] for model in block["model"]))
        block["task"] = list(dict.fromkeys(_stand_in_task(path, task) for task in block["task"]))
        block["seed"] = block["seed"][:1]
    content["fixed"] = content.get("fixed", {}) | budget
    content["fixed"]["warmup_steps"] = min(1, content["fixed"].get("warmup_steps", 0))
    for settings in content.get("arms", {}).values():
        settings.update({key: value for key, value in budget.items() if key in settings and settings[key] != 0})
    content["resources"] = {"processes": processes}
    out.mkdir(parents=True, exist_ok=True)
    rehearsal = out / f"{grid.name}-rehearsal.yaml"
    rehearsal.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return rehearsal


def _stand_in_task(path, task: str) -> str:
    trained = task.partition(">")[0]
    known = listing()["tasks"]
    from mtalign.tasks.micro import MICRO

    if trained in MICRO:
        return trained
    if trained not in known:
        raise ConfigError(f"{path}: grid.task: {trained!r} has no stand-in; known: {', '.join(known)}")
    return known[trained]["stand_in"]


def _stand_in_model(path, model: str, out: Path) -> str:
    if (paths.CHECKPOINTS / model).is_dir():
        return model
    known = listing()["models"]
    if model not in known:
        raise ConfigError(f"{path}: grid.model: {model!r} has no stand-in; known: {', '.join(known)}")
    if known[model]["model_type"] == "qwen2":
        return "micro-a"
    folder = out / "models" / "micro-a-llama"
    if not (folder / "config.json").is_file():
        as_llama("micro-a", folder)
    return str(folder.resolve())


def as_llama(name: str, folder: Path) -> None:
    """Writes a shipped micro model in the Llama architecture: the same function of its input, weight by weight.

    Qwen2 has biases on queries, keys and values; Llama has, with `attention_bias`, one on the output too: zero here.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mtalign.models.load import load_model

    model, tokenizer = load_model(name)
    old = model.config
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    same += ("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings")
    same += ("eos_token_id", "pad_token_id", "bos_token_id", "rope_parameters")
    llama = LlamaForCausalLM(LlamaConfig(**{key: getattr(old, key) for key in same}, attention_bias=True))
    missing = llama.load_state_dict(model.state_dict(), strict=False).missing_keys
    with torch.no_grad():
        for key in missing:
            if key.endswith("o_proj.bias"):
                llama.get_parameter(key).zero_()
    llama.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
