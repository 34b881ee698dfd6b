"""One run: a `Run` -> what its record holds, from the run alone."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mtalign.config import plugins
from mtalign.config.errors import RunError, in_one_line
from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.models import dialled
from mtalign.records.store import Records
from mtalign.runs.progress import reporter
from mtalign.runs.provenance import provenance
from mtalign.tasks.base import Example
from mtalign.tasks.registry import load_task
from mtalign.tasks.rows import demonstrations

VOTES = ("answers", "right")  # of an evaluation: the votes for each answer, and which answers are right
TRAIN_EVIDENCE = ("num_samples", "correct", *VOTES)  # kept of the base model's evaluation on training prompts


def execute(
    run: Run, records: Records, progress=None, resources: Resources | None = None, shared: Path | None = None,
    fast: bool = False,
) -> dict:  # fmt: skip
    """Computes a run and returns what its record holds; the records it needs must be finished.

    The result depends on the run alone: one thread, every generator seeded from the run. Where training is spread over
    processes or GPUs (`resources`), the record says so.

    Args:
        progress: called with (updates done, updates in all).
        shared: folder of checkpoints and of TensorBoard's logs; by default the one that holds the records' folder.
        fast: whether an untrained model is evaluated up to rounding, as it is for runs that are `fast` themselves; the
            record says so.

    Raises:
        RunError: a needed record is missing, or the arm has nothing to train on.
        Diverged: training left the finite numbers.
    """
    import torch

    torch.set_num_threads(1)
    start = time.perf_counter()
    resources = resources or Resources()
    if run.max_steps == 0:
        record = _untrained(run, fast)
    else:
        record = _trained(run, records, progress, resources, shared or records.folder.resolve().parent)
    record = (
        {"status": "finished", "chance": load_task(run.task).single_answer} | record | _warm_up(run) | _dialled(run)
    )
    if resources != Resources():
        shown = dataclasses.asdict(resources) | {"accelerate": Path(resources.accelerate).stem}
        record["resources"] = {key: value for key, value in shown.items() if value}
    if digests := plugins.digests(asdict(run)):
        record["plugins"] = digests
    return record | {"seconds": round(time.perf_counter() - start, 2)} | provenance(run)


def _untrained(run: Run, fast: bool) -> dict:
    """What the model can do before RL, on training prompts too: some rewards are made from that."""
    from mtalign.models.load import load_model

    model, tokenizer = load_model(run.model, exact=not fast, bf16=run.cpu_bf16)
    task = load_task(run.task)
    train = {"num_samples": run.num_samples, "correct": [], "answers": []}
    if task.train:
        evaluation = _evaluate(run, model, tokenizer, task.train[: run.train_prompts], seed=1, joint=not fast)
        train = {key: evaluation[key] for key in TRAIN_EVIDENCE if key in evaluation}
    after = _evaluate(run, model, tokenizer, task.eval[: run.eval_prompts], seed=0, joint=not fast)
    return {"train": train, "after": after, "before": after} | ({"fast": True} if fast else {})


def _trained(run: Run, records: Records, progress, resources: Resources, shared: Path) -> dict:
    """Trains the model and measures what it can do then; evidence that is only read of the base is left out."""
    import torch

    from mtalign.models.load import load_model
    from mtalign.training.dataset import asked, training_rows  # not above: the wing imports trl, for 9 s

    launched = resources.launched
    if not launched:  # first: what a wrong model says comes before what a missing record says
        model, tokenizer = load_model(run.model, exact=not run.fast, bf16=run.cpu_bf16)
    task = load_task(run.task)
    base, *history = [_finished(records, needed) for needed in run.needs]
    record = {"before": {key: value for key, value in base["after"].items() if key not in (*VOTES, "samples")}}
    rows = training_rows(run, task, base, history[0]["history"] if history else None)
    if len(chosen := sorted({row["row"] for row in rows})) < run.train_prompts:
        record["rows"] = chosen
    checkpoints = shared / "checkpoints" / run.run_id if resources.save_steps else None
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(shared / "logs" / run.run_id)  # of `report_to: tensorboard`
    if launched:
        from mtalign.runs.launch import launch

        trained, model, tokenizer = launch(run, rows, resources, checkpoints, progress)
        model = model.to("cuda") if torch.cuda.is_available() else model
    else:
        from mtalign.training.train import train

        trained = train(run, model, tokenizer, asked(run, tokenizer, rows), progress, resources, checkpoints)
    record |= trained
    if checkpoints:
        shutil.rmtree(checkpoints, ignore_errors=True)
    if run != run.standard:  # the history ranks prompts, and only that of standard RL is read
        del record["history"]
    after = _evaluate(run, model, tokenizer, task.eval[: run.eval_prompts], seed=run.seed)
    record["after"] = {key: value for key, value in after.items() if key not in VOTES}
    return record


def _evaluate(run: Run, model, tokenizer, examples: Sequence[Example], seed: int, joint: bool = True) -> dict:
    """`evaluate` in the run's own settings, on a GPU in bfloat16 where the run says so."""
    import torch

    from mtalign.generation.evaluate import evaluate

    task = load_task(run.task)
    gpu = torch.cuda.is_available()
    with torch.autocast("cuda", torch.bfloat16) if gpu and run.bf16 else contextlib.nullcontext():
        return evaluate(
            model, tokenizer, examples, task.kind, run.num_samples, run.max_completion_length, seed, run.temperature,
            instruction=task.instruction, style=run.style, shown=demonstrations(task, run.shots), joint=joint,
        )  # fmt: skip


def _warm_up(run: Run) -> dict:
    """What the record says of the warm-up that the run started from: all runs of one checkpoint name the same weights."""
    if not is_warm_up(run.model):
        return {}
    from mtalign.models.warm_up import facts

    return {"warm_up": facts(parse(run.model))}


def _dialled(run: Run) -> dict:
    """The digest of the weights of a base model that was built on demand: on another machine they can differ."""
    return {"base_weights": dialled.digest(dialled.built(run.model))} if dialled.is_dialled(run.model) else {}


def _finished(records: Records, run: Run) -> dict:
    record = records.read(run)
    if record is None or record["status"] != "finished":
        raise RunError(f"needs {run.run_id}, which {'failed: ' + record['reason'] if record else 'has not been run'}")
    return record


def attempt(
    run: Run, records: Records, resources: Resources | None, progress: Path | None, shared=None, fast: bool = False
) -> dict:
    """The run's record, of a failure too."""
    try:
        return execute(run, records, reporter(progress), resources, shared, fast)
    except Exception as error:
        reason = in_one_line(error, 500)
        return {"status": "failed", "reason": reason} | provenance(run)
