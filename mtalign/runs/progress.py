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


def status(out: Path, now: float | None = None) -> str:
    """The state of the grid whose output folder is `out`, in lines for people.

    Raises:
        ConfigError: there is no state in `out`.
    """
    try:
        state = json.loads((out / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{out / FILE}: not there; is this the output folder of `mtalign study`?") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{out / FILE}: cannot be read: {error}") from None
    now = now or time.time()
    silent = now - state["updated"]
    word = "runs finished" if state["finished"] else "running" if silent < STALE else f"stopped {_span(silent)} ago"
    done = state["found"] + state["trained"] + state["failed"]
    lines = [
        f"{out}: {word}; {done} of {state['total']} runs done ({state['trained']} computed by this command, "
        f"{state['failed']} failed), {len(state['running'])} running, {_span(state['updated'] - state['began'])} elapsed"
    ]
    for run_id, since in state["running"].items():
        line = f"  running  {run_id}  {_span(now - since)}"
        try:
            updates, total = map(int, (out / "progress" / run_id).read_text().split())
            left = (now - since) / updates * (total - updates)
            line += f"  {updates}/{total} updates, about {_span(left)} of training left"
        except (OSError, ValueError, ZeroDivisionError):
            pass
        lines.append(line)
    return "\n".join(lines + [f"  failed   {run_id}" for run_id in state["failures"]])


def _span(seconds: float) -> str:
    """A span of time for people.

    >>> _span(42), _span(3700)
    ('42 s', '1 h 1 min')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
