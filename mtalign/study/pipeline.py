"""The whole way: plan a grid, complete its runs, execute its notebooks with papermill, make its report."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mtalign.config.errors import ConfigError, ResourcesError
from mtalign.config.grid import Grid
from mtalign.config.paths import write_whole
from mtalign.config.resources import check_machine
from mtalign.config.run import Run
from mtalign.notebook.pages import open_grid, pages
from mtalign.records.store import Records
from mtalign.runs.worker import FINISHED_ONLY, unheard


def in_order(grid: Grid) -> list[Run]:
    """The grid's runs as they are to be computed: block by block, what the file names first is finished first.

    The first block goes seed by seed and arm by arm, so that its picture grows; the others go pair by pair.
    """
    found: dict[Run, None] = {}
    for number, block in enumerate(grid.blocks.values()):
        lists = (block.pairs, block.arms, block.seeds)
        pairs, arms, seeds = ({value: i for i, value in enumerate(values)} for values in lists)
        order = {run: (pairs[run.model, run.task],) for run in block.runs}
        if number == 0:
            order = {r: (seeds.get(r.seed, 0) if r.max_steps else 0, arms.get(r.arm, 0), *order[r]) for r in order}
        found |= dict.fromkeys(sorted(block.runs, key=order.__getitem__))
    return list(found)


class Picture:
    """Draws the page of what is finished while the runs go on, in a process beside them."""

    def __init__(self, grid: Grid, records: Records, out: Path):
        self.grid, self.records, self.out = grid, records, out
        self.began = self.drawn = time.monotonic()
        self.last, self.process = 0, None

    def watch(self, counts: dict[str, int]) -> None:
        """Draws again where something new is finished and the last picture is some seconds old."""
        from mtalign.notebook import kernels  # imported while the workers import
        from mtalign.report.so_far import EVERY, silently

        now, done = time.monotonic(), sum(counts.values())
        busy = self.process is not None and self.process.is_alive()
        if busy or done == self.last or now - self.drawn < EVERY:
            return
        self.drawn, self.last = now, done
        seconds, computed = now - self.began, counts["trained"] + counts["failed"]
        left = seconds / computed * (len(self.grid.runs) - done) if computed else None
        arguments = (self.grid, self.records, self.out, done, seconds, left)
        self.process = kernels.context().Process(target=silently, args=arguments, daemon=True)
        with unheard():
            self.process.start()

    def end(self) -> None:
        """No page is written after this."""
        if self.process is not None:
            self.process.join(timeout=3)
            self.process.kill()
            self.process.join()


@contextmanager
def _computing(allowed: bool) -> Iterator[None]:
    """Within, runs are computed, or not, in notebooks' processes neither."""
    if allowed:
        yield
        return
    os.environ[FINISHED_ONLY] = "1"
    try:
        yield
    finally:
        del os.environ[FINISHED_ONLY]


def run_study(
    path: str | Path, out: Path | None, workers: int, executor: str = "local", finished_only: bool = False
) -> int:
    """Does what is missing of the grid and makes its report; the exit status, 0 only when all was done.

    Args:
        finished_only: whether nothing is trained: notebooks and report are of the runs that are finished.
    """
    began = time.monotonic()
    grid = open_grid(path)
    if executor == "local":
        try:
            check_machine(grid.runs, grid.resources, workers)
        except ResourcesError as error:
            raise ConfigError(f"{path}: resources: {error}") from None
    from mtalign.runs.pool import complete

    out = out or Path("reports") / grid.name
    records = Records(out / "records")
    records.prepare()
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{out}: another `mtalign study` is writing to this folder") from None
    with lock, _computing(not finished_only):
        kept = out / f"{grid.name}.grid.yaml"
        if not (kept.is_file() and kept.read_bytes() == Path(path).read_bytes()):
            write_whole(kept, Path(path).read_bytes())
        for older in set(out.glob("*.grid.yaml")) - {kept}:
            older.unlink()
        picture = Picture(grid, records, out)
        try:
            counts = complete(in_order(grid), records, workers, True, grid.resources, executor, out, picture.watch)
        finally:
            picture.end()
        from mtalign.notebook.execution import (
            execute_notebooks,  # not before: what is wrong with a record is said at once
        )
        from mtalign.report.site import make_report

        if finished_only and not counts["found"]:
            raise ConfigError(f"{out}: no run of {path} is finished, and --finished-only computes none")
        print(f"runs: {counts['trained']} computed now, {counts['found']} found finished, {counts['failed']} failed")
        broken = execute_notebooks(pages(grid), records.evidence(grid.runs), out, workers)
        index = make_report(out, seconds=time.monotonic() - began)
    for run in grid.runs:
        record = records.read(run)
        if record and record["status"] == "failed":
            print(f"failed: {run.run_id}: {record['reason']}")
    for stem, reason in broken.items():
        print(f"failed: {stem}.ipynb: {reason}")
    print(f"report: {index} ({time.monotonic() - began:.0f} s)")
    return 1 if counts["failed"] or broken else 0
