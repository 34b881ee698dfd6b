"""State of a grid: a small file that `pool.complete` keeps up to date, and what `mtalign status` says of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mtalign.config.errors import ConfigError
from mtalign.config.paths import write_whole
from mtalign.config.run import Run

FILE = "state.json"
STALE = 60  # seconds without a sign of life, after which a grid counts as stopped


class State:
    """Writes the state of a grid to `<out>/state.json`, whole each time; does nothing where `out` is None."""

    def __init__(self, out: Path | None, todo: list[Run], counts: dict[str, int]):
        self.out, self.began, self.total = out, time.time(), len(todo) + sum(counts.values())
        self.since: dict[str, float] = {}
        self.failures: list[str] = []
        self._forget({run.run_id for run in todo})

    def _forget(self, todo: set[str]) -> None:
        """Removes what a killed command left of runs that had just finished, or half-written."""
        for path in (self.out / "progress").glob("*") if self.out else ():
            if path.name not in todo:
                path.unlink(missing_ok=True)

    def progress(self, run: Run) -> Path | None:
        """The file in which the run's worker says how far it is."""
        return self.out.resolve() / "progress" / run.run_id if self.out else None

    def write(self, counts: dict[str, int], running: list[Run], finished: bool = False) -> None:
        """Replaces the file."""
        if not self.out:
            return
        now = time.time()
        self.since = {run.run_id: self.since.get(run.run_id, now) for run in running}
        state = {"began": self.began, "updated": now, "finished": finished, "total": self.total, **counts}
        state |= {"running": self.since, "failures": self.failures}
        write_whole(self.out / FILE, json.dumps(state))

    def ended(self, run: Run, finished: bool) -> None:
        """Notes the end of a run."""
        if path := self.progress(run):
            path.unlink(missing_ok=True)
        if not finished:
            self.failures.append(run.run_id)


def reporter(path: Path | None):
    """A function (updates done, updates in all) that leaves both in the file, once a second at most; None without file."""
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 1 or done == total:
            last = time.monotonic()
            write_whole(path, f"{done} {total}")

    return report


def state(out: Path, now: float | None = None) -> dict:
    """The state of the grid whose output folder is `out`.

    Returns:
        `folder`; `status`: finished, running, or stopped; `seconds` since it began and `silent` seconds since its last sign of
        life; `total` runs and how many of them were `found`, `trained` and `failed`; `running`: run -> its `seconds`, and `updates` done `of` how many
        (None where it has not said); `failures`: the names of runs that failed.

    Raises:
        ConfigError: there is no state in `out`.
    """
    try:
        kept = json.loads((out / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{out / FILE}: not there; is this the output folder of `mtalign study`?") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{out / FILE}: cannot be read: {error}") from None
    now = now or time.time()
    silent = now - kept["updated"]
    word = "finished" if kept["finished"] else "running" if silent < STALE else "stopped"
    running = {}
    for run_id, since in kept["running"].items():
        try:
            updates, total = map(int, (out / "progress" / run_id).read_text().split())
        except (OSError, ValueError):
            updates = total = None
        running[run_id] = {"seconds": now - since, "updates": updates, "of": total}
    counts = {key: kept[key] for key in ("total", "found", "trained", "failed")}
    about = {"folder": str(out), "status": word, "seconds": kept["updated"] - kept["began"], "silent": silent}
    return about | counts | {"running": running, "failures": kept["failures"]}


def in_words(found: dict) -> str:
    """What `state` found, in lines for people."""
    words = {"finished": "runs finished", "running": "running", "stopped": f"stopped {_span(found['silent'])} ago"}
    done = found["found"] + found["trained"] + found["failed"]
    lines = [
        f"{found['folder']}: {words[found['status']]}; {done} of {found['total']} runs done ({found['trained']} computed by this"
        f" command, {found['failed']} failed), {len(found['running'])} running, {_span(found['seconds'])} elapsed"
    ]
    for run_id, one in found["running"].items():
        line = f"  running  {run_id}  {_span(one['seconds'])}"
        if one["updates"]:
            left = one["seconds"] / one["updates"] * (one["of"] - one["updates"])
            line += f"  {one['updates']}/{one['of']} updates, about {_span(left)} of training left"
        lines.append(line)
    return "\n".join(lines + [f"  failed   {run_id}" for run_id in found["failures"]])


def _span(seconds: float) -> str:
    """A span of time for people.

    >>> _span(42), _span(3700)
    ('42 s', '1 h 1 min')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
