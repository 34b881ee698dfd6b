"""Training over several processes: the same `train`, under `accelerate launch`, in processes that end with it.

`python -m mtalign.runs.launch JOB` is what each of them runs; JOB is a folder with `job.json`. The first process leaves
`result.json` and the trained model there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from mtalign.config.errors import LaunchError, in_one_line
from mtalign.config.paths import write_whole
from mtalign.config.resources import Resources
from mtalign.config.run import Run

ALIVE = "alive.lock"  # held by the process that launched; who can get hold of it has lost that one


def launch(run: Run, rows: list[dict], resources: Resources, checkpoints: Path | None = None, progress=None):
    """Trains the run's model in processes of their own.

    Returns:
        What `training.train` returns, the trained model in evaluation mode, and its tokenizer.

    Raises:
        LaunchError: a process failed; the message is the reason it gave.
    """
    import torch

    from mtalign.models.load import load_model

    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # of an evaluation before, in this process
    with tempfile.TemporaryDirectory() as folder, FileLock(f"{folder}/{ALIVE}"):
        job = Path(folder)
        content = {"run": dataclasses.asdict(run), "resources": dataclasses.asdict(resources), "rows": rows}
        content["checkpoints"] = str(checkpoints) if checkpoints else None
        (job / "job.json").write_text(json.dumps(content), encoding="utf-8")
        with (job / "log").open("wb") as log:
            env = os.environ | {"OMP_NUM_THREADS": "1"} | ({} if resources.gpus else {"ACCELERATE_USE_CPU": "true"})
            process = subprocess.Popen(command(resources, job), stdout=log, stderr=log, env=env)
            try:
                while process.poll() is None:
                    time.sleep(0.5)
                    if progress and (job / "progress").is_file():
                        progress(*map(int, (job / "progress").read_text().split()))
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if process.returncode or not (job / "result.json").is_file():
            said = (job / "failed").read_text() if (job / "failed").is_file() else _last_line(job / "log")
            raise LaunchError(f"training in {resources.processes} processes: {said}")
        trained = json.loads((job / "result.json").read_text(encoding="utf-8"))
        if run.lora_rank:
            from peft import PeftModel

            model, tokenizer = load_model(run.model)
            return trained, PeftModel.from_pretrained(model, job / "model").eval(), tokenizer
        return trained, *load_model(str(job / "model"))


def command(resources: Resources, job: Path) -> list[str]:
    """The command line: of accelerate, or on CPUs without a configuration of torchrun (accelerate starts one process there).

    >>> " ".join(command(Resources(processes=2), Path("job"))[1:])
    '-m torch.distributed.run --standalone --nproc-per-node 2 -m mtalign.runs.launch job'
    """
    module = ["-m", "mtalign.runs.launch", str(job)]
    if not resources.gpus and not resources.accelerate:
        words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(resources.processes)]
        return [sys.executable, *words, *module]
    words = ["-m", "accelerate.commands.launch", "--num_processes", str(resources.processes), "--num_machines", "1"]
    if resources.accelerate:
        words += ["--config_file", resources.accelerate]
    else:
        words += ["--multi_gpu", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return [sys.executable, *words, "--main_process_port", "0", *module]


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no output"


def _end_with_launcher(job: Path) -> None:
    """Ends this process within seconds of the launching one's end, however that came: its checkpoints have one writer."""

    def follow() -> None:
        while True:
            time.sleep(1)
            try:
                FileLock(job / ALIVE).acquire(timeout=0)
            except Timeout:
                continue
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def main(job: Path) -> None:
    """One of the processes: trains, and as the first of them writes the result."""
    import torch
    from accelerate import PartialState

    from mtalign.models.load import load_model
    from mtalign.training.dataset import asked
    from mtalign.training.train import train

    _end_with_launcher(job)
    torch.set_num_threads(1)
    content = json.loads((job / "job.json").read_text(encoding="utf-8"))
    first = os.environ.get("RANK", "0") == "0"

    def progress(done: int, total: int) -> None:
        write_whole(job / "progress", f"{done} {total}")

    run, resources = Run(**content["run"]), Resources(**content["resources"])
    # They know each other before the model is loaded, so that FSDP loads it once.
    started = PartialState(cpu=not resources.gpus).num_processes
    try:
        if started != resources.processes:
            raise LaunchError(f"{resources.processes} processes were asked for and {started} started")
        model, tokenizer = load_model(run.model)
        checkpoints = Path(content["checkpoints"]) if content["checkpoints"] else None
        rows = asked(run, tokenizer, content["rows"])
        result = train(run, model, tokenizer, rows, progress if first else None, resources, checkpoints, job / "model")
    except Exception as error:
        (job / "failed").write_text(in_one_line(error, 300), encoding="utf-8")
        raise
    if first:
        write_whole(job / "result.json", json.dumps(result))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
