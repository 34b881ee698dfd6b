"""What happens inside a worker process: one thread, no network, no output, and an end when its parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.runs.execute import attempt

FINISHED_ONLY = "MTALIGN_FINISHED_ONLY"  # environment variable: where it is set, nothing is computed


def compute_and_write(
    run: Run, folder, resources: Resources | None = None, progress: Path | None = None, fast: bool = False
) -> bool:
    """In a worker: computes the run and writes its record, of a failure too."""
    records = Records(folder)
    record = attempt(run, records, resources, progress, fast=fast)
    records.write(run, record)
    return record["status"] == "finished"


def end_with_parent() -> None:
    """In a worker: ends the process as soon as the one that started it ends, however that came."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Processes and threads that are started inside never hear Ctrl-C or SIGHUP: who started them ends them.

    A signal from the terminal reaches every process of the command. One that is still importing would print a traceback.
    """
    resource_tracker.ensure_running()  # its start would unblock Ctrl-C again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def warm_up() -> None:
    """In a new worker: quiet, and with an end when the parent is gone."""
    end_with_parent()
    keep_memory()
    quiet()


def keep_memory() -> None:
    """Lets glibc keep freed memory: else each update maps its tensors anew, a tenth of its time. Elsewhere, nothing."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if mallopt := getattr(libc, "mallopt", None):
        for option, size in ((-1, 2**30), (-2, 2**26), (-3, 2**30)):  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD
            mallopt(option, size)


def quiet() -> None:
    """One thread, no network, and libraries that print nothing."""
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    with contextlib.redirect_stderr(open(os.devnull, "w")):
        import torch
        import transformers

        import mtalign.training.train  # noqa: F401

    gc.freeze()  # what was imported is there to stay: each run's full collection takes 0.3 s less
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)
