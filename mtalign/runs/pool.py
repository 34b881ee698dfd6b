"""Many runs: completed in warm worker processes, or on a cluster. What is finished is never done again."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

from mtalign.config.resources import Resources
from mtalign.config.run import Run
from mtalign.records.store import Records
from mtalign.runs.progress import State
from mtalign.runs.provenance import refuse_stale
from mtalign.runs.worker import _warm_up, _work

DEATHS = 2  # of its worker process (for want of memory, or killed) that a run survives: it is begun again


def complete(
    runs: Iterable[Run], records: Records, workers: int = 2, retry_failed: bool = False,
    resources: Resources | None = None, executor: str = "local", out: Path | None = None,
) -> dict[str, int]:  # fmt: skip
    """Computes what is missing among the runs and those they need, in worker processes, with a progress bar.

    A failed run is recorded with its reason and the others go on. Runs are begun in the order given, each after those it needs.

    Args:
        workers: processes on this machine; a cluster decides itself.
        resources: what each run is computed with.
        executor: "local", or "ray" for the cluster of `ray_pool`.
        out: where the state is kept for `mtalign status`.

    Returns:
        How many runs were `found` finished, `trained` now, and `failed`.

    Raises:
        ConfigError: a record is damaged or stale, or the folder cannot be written.
    """
    wanted = list(dict.fromkeys(each for run in runs for each in (*run.needs, run)))
    records.prepare()
    todo, found, counts = [], [], {"found": 0, "trained": 0, "failed": 0}
    for run in wanted:
        record = records.read(run)
        if record is None or (record["status"] == "failed" and retry_failed):
            todo.append(run)
        else:
            counts["found" if record["status"] == "finished" else "failed"] += 1
            found += [record] if record["status"] == "finished" else []
    refuse_stale(found, records.folder)
    state = State(out, todo, counts)
    state.write(counts, [], finished=not todo)
    if not todo:
        return counts
    if executor == "ray":
        from mtalign.runs.ray_pool import RayPool

        pool, workers = RayPool(resources or Resources()), len(todo)
    else:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPool(workers, initializer=_warm_up, initargs=[os.getpid()], context=context)
    cost = {run: run.max_steps + 20 for run in todo}
    bar = tqdm(
        total=sum(cost.values()), bar_format="{desc} |{bar}| {percentage:3.0f}%  {elapsed} elapsed, {remaining} left"
    )
    waiting, futures, deaths = list(todo), {}, Counter()
    try:
        while waiting or futures:
            busy = {*waiting, *futures.values()}
            ready = [run for run in waiting if not busy.intersection(run.needs)]
            for run in ready[: workers - len(futures)]:
                waiting.remove(run)
                arguments = (run, records.folder, resources, state.progress(run))
                futures[pool.schedule(_work, args=arguments)] = run
            done = counts["trained"] + counts["failed"]
            bar.set_description(f"runs {done}/{len(todo)} done, {len(futures)} running")
            for future in wait(futures, timeout=1.0, return_when=FIRST_COMPLETED).done:
                run = futures.pop(future)
                if isinstance(future.exception(), ProcessExpired) and deaths[run] < DEATHS:
                    deaths[run] += 1
                    waiting.append(run)
                    continue
                finished = _outcome(future, run, records)
                counts["trained" if finished else "failed"] += 1
                state.ended(run, finished)
                bar.update(cost[run])
            bar.refresh()
            state.write(counts, list(futures.values()), finished=not (waiting or futures))
        bar.set_description(f"runs {len(todo)}/{len(todo)} done, {counts['failed']} failed")
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        bar.close()
        pool.join()
    return counts


def _outcome(future, run: Run, records: Records) -> bool:
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
