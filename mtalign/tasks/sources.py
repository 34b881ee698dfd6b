"""Rows of data from files (JSONL, Parquet, JSON) and from the Hugging Face Hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mtalign.config import paths
from mtalign.config.errors import ConfigError, in_one_line
from mtalign.config.hub import reachable


def read_jsonl(path: Path) -> list[tuple[int, dict]]:
    """The objects of a JSONL file with their line numbers; blank lines are skipped.

    Raises:
        ConfigError: the file cannot be read, is empty, or a line is no JSON object.
    """
    rows = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: line {number}: not JSON: {error!s:.80}") from None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: line {number}: expected an object with prompt and answer, got {row!r:.40}")
        rows.append((number, row))
    if not rows:
        raise ConfigError(f"{path}: is empty; expected a JSON object with prompt and answer on each line")
    return rows


def read_rows(name: str, file: str, hub: dict, root: str) -> list[dict]:
    """The rows of a benchmark, from a folder of data where there is one, else from the Hub.

    Args:
        name: of the task, for errors. file: below the folder: .jsonl, .parquet, or .json with a list under `examples`
        (BIG-Bench Hard); "" where only the
            Hub has it.
        hub: arguments of `datasets.load_dataset`; of several under `name` all are read.
        root: the folder, as `MTALIGN_DATA` names it; "" without one.

    Raises:
        ConfigError: the rows cannot be had; the line says of what file, or how to get them.
    """
    if not root or not file:
        return _from_hub(name, file, hub)
    path = paths.given(root) / file
    if path.suffix == ".jsonl":
        return [row for _, row in read_jsonl(path)]
    reader: Callable = _read_parquet if path.suffix == ".parquet" else _read_examples
    try:
        return reader(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{path}: broken: {' '.join(str(error).split()):.120}") from None


def _read_parquet(path: Path) -> list[dict]:
    import pandas as pd

    return pd.read_parquet(path).to_dict("records")


def _read_examples(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["examples"]


def _from_hub(name: str, file: str, hub: dict) -> list[dict]:
    """Rows from the Hub, or from its local cache; runs no remote code."""
    advice = f"set MTALIGN_DATA to a folder with {file}, or connect to the Hub" if file else "connect to the Hub"
    online = reachable()
    try:
        import datasets.config
        from datasets import disable_progress_bars, load_dataset

        datasets.config.HF_HUB_OFFLINE = not online
        disable_progress_bars()
        names = hub.get("name", ())
        return [
            row
            for options in ([hub] if isinstance(names, str) or not names else [hub | {"name": n} for n in names])
            for row in load_dataset(**options)
        ]
    except Exception as error:
        raise ConfigError(
            f"task {name}: {hub['path']} could not be loaded ({in_one_line(error, 120)}); {advice}"
        ) from None
