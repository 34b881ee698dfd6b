"""Many runs: completed in warm worker processes, or on a cluster. What is finished is never done again."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from mtalign.config.bar import bar
from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.models.load import is_micro
from mtalign.records.store import Records
from mtalign.runs.progress import State
from mtalign.runs.provenance import refuse_stale
from mtalign.runs.worker import FINISHED_ONLY, compute_and_write, unheard, warm_up

DEATHS = 2  # of its worker process (for want of memory, or killed) that a run survives: it is begun again


def complete(
    runs: Iterable[Run], records: Records, workers: int = 2, retry_failed: bool = False,
    resources: Resources | None = None, executor: str = "local", out: Path | None = None,
    watch: Callable[[dict[str, int]], None] | None = None,
) -> dict[str, int]:  # fmt: skip
    """Computes what is missing among the runs and those they need, in worker processes, with a progress bar.

    A failed run is recorded with its reason and the others go on. Runs are begun in the order given, each after those it
    needs.

    Args:
        workers: processes on this machine; a cluster decides itself.
        retry_failed: whether runs that failed before are tried again.
        resources: what each run is computed with.
        executor: "local", or "ray" for the cluster of `ray_pool`.
        out: where the state is kept for `mtalign status`.
        watch: called once a second with the counts so far.

    Where the environment variable `FINISHED_ONLY` is set nothing is computed: so that notebooks, in processes of their own,
    are executed from what a study has so far.

    Returns:
        How many runs were `found` finished, `trained` now, and `failed`.

    Raises:
        ConfigError: a record is damaged or stale, or the folder cannot be written.
    """
    records.prepare()
    runs = list(runs)
    fast = {run.base for run in runs if run.fast and not is_micro(run.model)}  # a micro model is as fast exactly
    missing, counts = _missing(runs, records, retry_failed)
    if os.environ.get(FINISHED_ONLY):
        return counts
    progress = Progress(missing, counts, out)
    if not missing:
        return counts
    if executor == "ray":
        from mtalign.runs.ray_pool import RayPool

        pool, workers = RayPool(resources or Resources()), len(missing)
    else:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPool(workers, initializer=warm_up, context=context)
    waiting, running, deaths, undone = dict.fromkeys(missing), {}, Counter(), set(missing)
    try:
        while waiting or running:
            for run in _ready(waiting, undone, workers - len(running)):
                del waiting[run]
                arguments = (run, records.folder, resources, progress.state.progress(run), run in fast)
                with unheard():  # the first call starts the processes
                    running[pool.schedule(compute_and_write, args=arguments)] = run
            progress.show(list(running.values()))
            if watch:
                watch(counts)
            for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                run = running.pop(future)
                if isinstance(future.exception(), ProcessExpired) and deaths[run] < DEATHS:
                    deaths[run] += 1
                    waiting[run] = None
                else:
                    undone.discard(run)
                    progress.ended(run, _outcome(future, run, records))
            progress.write(list(running.values()), finished=not (waiting or running))
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        progress.close()
        pool.join()
    return counts


def _missing(runs: Iterable[Run], records: Records, retry_failed: bool) -> tuple[list[Run], dict[str, int]]:
    """The runs without a record, with those they need, each after what it needs; and how many have one.

    Raises:
        ConfigError: a record is damaged, or was made with other versions than those installed.
    """
    wanted = dict.fromkeys(each for run in runs for each in (*run.needs, run))
    missing, finished, counts = [], [], {"found": 0, "trained": 0, "failed": 0}
    for run in wanted:
        record = records.read(run)
        if record is None or (record["status"] == "failed" and retry_failed):
            missing.append(run)
        elif record["status"] == "failed":
            counts["failed"] += 1
        else:
            counts["found"] += 1
            finished.append(record)
    refuse_stale(finished, records.folder)
    return missing, counts


def _ready(waiting: Iterable[Run], undone: set[Run], number: int) -> list[Run]:
    """The first `number` of the waiting runs that need no run which is still to be done."""
    return list(islice((run for run in waiting if undone.isdisjoint(run.needs)), number))


class Progress:
    """How far the runs are: counts, a bar on the terminal, and the state file that `mtalign status` reads."""

    def __init__(self, missing: list[Run], counts: dict[str, int], out: Path | None):
        self.counts, self.total = counts, len(missing)
        self.state = State(out, missing, counts)
        self.write([], finished=not missing)
        self.bar = None
        if missing:
            form = "{desc} |{bar}| {percentage:3.0f}%  {elapsed} elapsed, {remaining} left"
            self.bar = bar(total=sum(map(self._cost, missing)), bar_format=form)

    @staticmethod
    def _cost(run: Run) -> int:
        """What a run counts for on the bar: its updates, and evaluation as twenty more."""
        return run.max_steps + 20

    def show(self, running: list[Run]) -> None:
        """Redraws the bar."""
        done, failed = self.counts["trained"] + self.counts["failed"], self.counts["failed"]
        now = f"{len(running)} running" if running else f"{failed} failed"
        self.bar.set_description(f"runs {done}/{self.total} done, {now}")

    def ended(self, run: Run, finished: bool) -> None:
        """Counts a run that finished or failed."""
        self.counts["trained" if finished else "failed"] += 1
        self.state.ended(run, finished)
        self.bar.update(self._cost(run))

    def write(self, running: list[Run], finished: bool) -> None:
        """Replaces the state file."""
        self.state.write(self.counts, running, finished=finished)

    def close(self) -> None:
        """Leaves the bar's last words on the terminal."""
        self.show([])
        self.bar.close()


def _outcome(future: Future, run: Run, records: Records) -> bool:
    """Whether the run finished; writes a record that came from another machine, or of a worker that died."""
    try:
        result = future.result()
    except Exception as error:  # the worker or the node was lost: what is wrong with a run is in its record
        if not isinstance(error, ProcessExpired) and not type(error).__module__.startswith("ray."):
            raise
        reason = f"the worker process died (exit code {getattr(error, 'exitcode', type(error).__name__)})"
        records.write(run, {"status": "failed", "reason": reason})
        return False
    if isinstance(result, dict):
        records.write(run, result)
        return result["status"] == "finished"
    return result
