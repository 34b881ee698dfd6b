"""One run: a `Run` -> what its record holds, from the run alone."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from mtalign.config import plugins
from mtalign.config.errors import RunError
from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.runs.progress import reporter
from mtalign.runs.provenance import provenance
from mtalign.tasks.registry import load_task
from mtalign.tasks.rows import demonstrations
from mtalign.training.dataset import asked, training_rows


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

    from mtalign.generation.evaluate import evaluate
    from mtalign.models.load import load_model

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
    record: dict = {"status": "finished", "chance": task.chance} | _warm_up(run) | _dialled(run)
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
        from mtalign.training.train import train

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
            from mtalign.runs.launch import launch

            trained, model, tokenizer = launch(run, rows, resources, checkpoints, progress)
            model = model.to("cuda") if gpu else model
        else:
            rows = asked(run, tokenizer, rows)
            made_here = is_warm_up(run.model) or dialled.is_dialled(run.model)
            start_weights = [p.detach().clone() for p in model.parameters()] if made_here else []
            trained = train(run, model, tokenizer, rows, progress, resources, checkpoints)
            if start_weights:
                record["displacement"] = displacement(start_weights, model)
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


def _warm_up(run: Run) -> dict:
    """What the record says of the warm-up that the run started from: all runs of one checkpoint name the same weights."""
    if not is_warm_up(run.model):
        return {}
    from mtalign.models.warm_up import facts

    return {"warm_up": facts(parse(run.model))}


def _dialled(run: Run) -> dict:
    """The digest of the weights of a base model that was built on demand: on another machine they can differ."""
    return {"base_weights": dialled.digest(dialled.built(run.model))} if dialled.is_dialled(run.model) else {}


def displacement(start: list, model) -> dict[str, float]:
    """How far training moved the weights: the Euclidean length of the change, and of the weights before it."""
    pairs = [(before, after.detach()) for before, after in zip(start, model.parameters(), strict=True)]
    moved = sum(float((after - before).double().square().sum()) for before, after in pairs)
    length = sum(float(before.double().square().sum()) for before, _ in pairs)
    return {"moved": round(moved**0.5, 6), "length": round(length**0.5, 6)}


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
