"""Runs: one `Run` -> its record, from the run alone."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import shutil
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from mtalign import plugins
from mtalign.config import LATER, ConfigError, Run
from mtalign.models import is_shipped
from mtalign.recipes import deviations
from mtalign.records import Records
from mtalign.resources import Resources
from mtalign.status import reporter
from mtalign.subsets import historical_variance, replicate, select
from mtalign.tasks import Task, load_task
from mtalign.tasks_rows import demonstrations

PACKAGES = ("mtalign", "torch", "transformers", "trl", "numpy")
DEVIATIONS = [  # from the studied paper's recipe, where ours differs for every micro run
    "base models pretrained here, of 85 thousand parameters",
    "16 prompts x 16 completions per rollout (theirs: 128 x 16), 2 updates per rollout (as theirs)",
    "constant learning rate without warm-up, no weight decay (theirs: 10 steps of warm-up, 0.1)",
    "no group filter and no duplication (theirs: groups without spread are dropped, the batch refilled by copies)",
    "rewards not gated by format; answers compared after stripping spaces",
]


class RunError(RuntimeError):
    """A run that cannot be done, with the reason."""


def execute(
    run: Run, records: Records, progress=None, resources: Resources | None = None, shared: Path | None = None
) -> dict:
    """Computes a run and returns what its record holds; the records it needs must be finished.

    The result depends on the run alone: one thread, every generator seeded from the run. Where training is spread over
    processes or GPUs (`resources`), the record says so. Checkpoints and TensorBoard's logs are kept under `shared`, beside the records by default.

    Raises:
        RunError: a needed record is missing, or the arm has nothing to train on.
        watch.Diverged: training left the finite numbers.
    """
    import torch

    from mtalign.models import load_model
    from mtalign.sampling import evaluate

    torch.set_num_threads(1)
    start = time.perf_counter()
    resources = resources or Resources()
    launched = resources.launched and run.max_steps > 0
    model, tokenizer = (None, None) if launched else load_model(run.model, exact=not run.fast)
    gpu = torch.cuda.is_available()
    precision = torch.autocast("cuda", torch.bfloat16) if gpu and run.bf16 else contextlib.nullcontext()
    task = load_task(run.task)
    evaluation = {
        "num_samples": run.num_samples,
        "max_tokens": run.max_completion_length,
        "temperature": run.temperature,
        "instruction": task.instruction,
        "style": run.style,
        "shown": demonstrations(task),
    }
    record: dict = {"status": "finished", "chance": task.chance}
    if run.max_steps == 0:
        record["train"] = {"num_samples": run.num_samples, "correct": [], "answers": []}
        with precision:
            if task.train:
                train = evaluate(model, tokenizer, task.train[: run.train_prompts], task.kind, seed=1, **evaluation)
                kept = ("num_samples", "correct", "answers", "right")
                record["train"] = {key: train[key] for key in kept if key in train}
            record["after"] = evaluate(model, tokenizer, task.eval[: run.eval_prompts], task.kind, seed=0, **evaluation)
        record["before"] = record["after"]
    else:
        from mtalign.training import train

        base, *history = [_finished(records, needed) for needed in run.needs]
        record["before"] = {
            key: value for key, value in base["after"].items() if key not in ("answers", "right", "samples")
        }
        rows = training_rows(run, task, base, history[0]["history"] if history else None)
        if len(chosen := sorted({row["row"] for row in rows})) < run.train_prompts:
            record["rows"] = chosen
        shared = shared or records.folder.resolve().parent
        checkpoints = shared / "checkpoints" / run.run_id if resources.save_steps else None
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(shared / "logs" / run.run_id)  # of `report_to: tensorboard`
        if launched:
            from mtalign.launch import launch

            trained, model, tokenizer = launch(run, rows, resources, checkpoints, progress)
            model = model.to("cuda") if gpu else model
        else:
            rows = asked(run, tokenizer, rows)
            trained = train(run, model, tokenizer, rows, progress, resources, checkpoints)
        record |= trained
        if checkpoints:
            shutil.rmtree(checkpoints, ignore_errors=True)
        if run != run.standard:  # nothing reads it
            del record["history"]
        examples = task.eval[: run.eval_prompts]
        with precision:
            after = evaluate(model, tokenizer, examples, task.kind, seed=run.seed, **evaluation)
        record["after"] = {k: v for k, v in after.items() if k not in ("answers", "right")}  # only the base's are read
    if resources != Resources():
        shown = dataclasses.asdict(resources) | {"accelerate": Path(resources.accelerate).stem}
        record["resources"] = {key: value for key, value in shown.items() if value}
    own = {"plugins": found} if (found := plugins.digests(asdict(run))) else {}
    return record | own | {"seconds": round(time.perf_counter() - start, 2)} | provenance(run)


def asked(run: Run, tokenizer, rows: list[dict]) -> list[dict]:
    """The rows with the texts that the model is given for their prompts."""
    from mtalign.prompts import render

    task = load_task(run.task)
    shown = demonstrations(task)
    return [r | {"prompt": render(tokenizer, r["prompt"], task.instruction, run.style, shown)} for r in rows]


def training_rows(run: Run, task: Task, base: dict, history: dict | None) -> list[dict]:
    """The rows of the run's data set, copied until there are enough for one rollout.

    Raises:
        RunError: no prompt is left.
    """
    examples = task.train[: run.train_prompts]
    if not examples:
        raise RunError(f"task: {task.name} is evaluated only: it has too few questions to train on")
    indices = list(range(len(examples)))
    labels: dict[int, str] = {}
    if run.reward == "incorrect":
        truth = [set(right) for right in base["train"].get("right", ())] or [e.answer for e in examples]
        labels = wrong_majorities(base["train"]["answers"], truth)
        indices = [i for i in indices if i in labels]
        if not indices:
            raise RunError("reward: incorrect: the base model's majority answer is right on every training prompt")
    if run.subset != "full":
        ranking = historical_variance([(history or {}).get(str(i), []) for i in range(len(examples))])
        ranking = [i for i in ranking if i in indices]
        if run.k > len(ranking):
            raise RunError(f"k: {run.k} prompts are asked for and {len(ranking)} are left")
        indices = select(ranking, run.k, run.rank)
    rows = []
    for i in indices:
        example = examples[i]
        row = {
            "prompt": example.prompt,
            "answer": example.answer,
            "kind": example.kind or task.kind,
            "row": i,
            "seed": run.seed,
        }
        rows.append(row | ({"label": labels[i]} if labels else {}))
    return replicate(rows, at_least=run.generation_batch_size // run.num_generations)


def wrong_majorities(answers: list[dict[str, int]], truth: list) -> dict[int, str]:
    """Prompt -> its majority answer, where that is wrong. No answer does not vote; ties go to the first in the alphabet.

    Args:
        answers: for each prompt, `grading.vote` -> samples.
        truth: for each prompt the true answer, or a set of all that are right.

    >>> wrong_majorities([{"1": 5, "2": 3}, {"1": 5, "2": 3}, {"": 9}], truth=["1", "2", "1"])
    {1: '1'}
    """
    found = {}
    for index, (counts, right) in enumerate(zip(answers, truth, strict=True)):
        votes = {answer: n for answer, n in counts.items() if answer}
        if not votes:
            continue
        winner = min(votes, key=lambda a: (-votes[a], a))
        if winner not in (right if isinstance(right, set) else {right}):
            found[index] = winner
    return found


def provenance(run: Run | None = None) -> dict:
    """Versions and device, and where the run deviates from what was published, for its record."""
    import torch

    used = "CPU, 1 thread"
    if torch.cuda.is_available():
        used = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    device = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {used}"
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    made = {"versions": versions, "device": device}
    if run is None:
        return made
    micro = is_shipped(run.model) and not any(
        getattr(run, name) != Run.__dataclass_fields__[name].default for name in LATER - {"fast"}
    )
    return made | {"deviations": DEVIATIONS if micro else deviations(run)}


def refuse_stale(found: list[dict], folder) -> None:
    """Raises `ConfigError` where a finished record was made with other versions than those installed, or other plug-ins.

    Our own code needs no version here: what changes the result of a run changes `config.RECIPE`, and with it the name
    under which records are looked for. Builds of one version (`2.13.0+cpu`) count as the same.
    """
    installed = {name: version(name).partition("+")[0] for name in PACKAGES if name != "mtalign"}
    stale = []
    for record in found:
        made = {name: str(record.get("versions", {}).get(name)).partition("+")[0] for name in installed}
        others = [f"{n} {made[n]}, installed is {installed[n]}" for n in installed if made[n] != installed[n]]
        now = plugins.digests(record["config"])
        others += [
            f"another version of {n.partition(':')[0]}" for n in now if record.get("plugins", {}).get(n) != now[n]
        ]
        stale += [f"{record['run_id']}: made with {others[0]}"] if others else []
    if stale:
        raise ConfigError(
            f"{folder}: {len(stale)} stale records are not used, the first {stale[0]}; go back to that version, choose "
            f"another folder, or delete them to compute them again"
        )


def _finished(records: Records, run: Run) -> dict:
    record = records.read(run)
    if record is None or record["status"] != "finished":
        raise RunError(f"needs {run.run_id}, which {'failed: ' + record['reason'] if record else 'has not been run'}")
    return record


def attempt(run: Run, records: Records, resources: Resources | None, progress: Path | None, shared=None) -> dict:
    """The run's record, of a failure too."""
    try:
        return execute(run, records, reporter(progress), resources, shared)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500].encode(errors="replace").decode()
        return {"status": "failed", "reason": reason} | provenance(run)
