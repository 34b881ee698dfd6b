"""`python -m tests.benchmarks [PART ...]`: measures, prints a table, and writes reports/benchmarks/results.json and .md.

Parts: grid, study, workers, step, notebooks, sampling, growth. All of them take about an hour on two idle cores, `--repeats 1` a
third. `--gpu` measures on an accelerator instead: tokens and updates per second beside stock trl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import psutil

PARTS = ("grid", "study", "workers", "step", "notebooks", "sampling", "growth")
OUT = Path(__file__).parents[2] / "reports/benchmarks"


def machine() -> dict:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "instructions": instructions(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "trl")},
    }


def instructions() -> str:
    """What decides how fast the processor multiplies matrices, of all that it can do; as Linux names it."""
    flags = next((line.partition(":")[2].split() for line in _cpuinfo() if line.startswith("flags")), [])
    return " ".join(name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags) or "not known"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def flat(value, name: str = "") -> list[tuple[str, object]]:
    """Nested results as rows: name with dots, value."""
    if isinstance(value, dict):
        return [row for key, part in value.items() for row in flat(part, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [row for i, part in enumerate(value) for row in flat(part, f"{name}.{i}")]
    return [(name, value)]


def table(results: dict) -> str:
    rows = ["| measured | value |", "| --- | --- |"]
    for name, value in flat(results):
        if isinstance(value, list):
            value = ", ".join(f"{each:.3g}" for each in value)
        rows.append(f"| {name} | {value:.4g} |" if isinstance(value, float) else f"| {name} | {value} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"any of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--repeats", type=int, default=3, help="medians are over so many")
    parser.add_argument("--gpu", action="store_true", help="measure on an accelerator; nothing is written")
    options = parser.parse_args()
    if options.gpu:
        from tests.benchmarks import gpu

        raise SystemExit(gpu.main(options.repeats))
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown part {sorted(unknown)[0]!r}; parts: {', '.join(PARTS)}")
    OUT.mkdir(parents=True, exist_ok=True)
    kept = OUT / "results.json"
    results = json.loads(kept.read_text()) if kept.is_file() else {}
    for part in options.parts:
        print(f"measuring {part} ...", flush=True)
        found = import_module(f"tests.benchmarks.{part}").measure(options.repeats)
        results[part] = found | {"machine": machine(), "repeats": options.repeats}
        print(table({part: found}), flush=True)
        kept.write_text(json.dumps(results, indent=1) + "\n")
        (OUT / "results.md").write_text(
            "Made by `python -m tests.benchmarks`; medians, see `tests/benchmarks/`.\n\n" + table(results) + "\n"
        )


if __name__ == "__main__":
    main()
