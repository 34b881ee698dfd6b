"""`python -m tests.benchmarks.jupyterlab [NOTEBOOK ...]`: "Run all" of each notebook in JupyterLab, in Chromium, with its seconds.

A person's first try: no records, a copy of the notebooks, one click. Prints a row for each notebook: seconds on the clock from the
click until the kernel is idle, seconds of processor of the kernel and all that it started, cells that were run, and the first error.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from mtalign.config import paths

LONGEST = 1800  # seconds for one notebook
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@contextmanager
def server(folder: Path, python: str, port: int) -> Iterator[str]:
    """JupyterLab over a copy of the notebooks, with an empty cache; gives its address."""
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    environment = os.environ | own | {"MTALIGN_RECORDS": str(folder / "records")}
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
        "--ServerApp.open_browser=False",
    ]
    command = [python, "-m", "jupyterlab", *options, "--ServerApp.disable_check_xsrf=True", str(folder / "notebooks")]
    with open(folder / "jupyterlab.log", "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                asked(address, "status")
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def asked(address: str, what: str):
    """What the server's API says."""
    with urllib.request.urlopen(f"{address}/api/{what}", timeout=60) as answer:
        return json.loads(answer.read())


def processor_seconds(kernel: str) -> float:
    """Seconds of processor of a kernel, and of the processes that it started."""
    for process in psutil.process_iter(["cmdline"]):
        if any(kernel in part for part in process.info["cmdline"] or ()):
            return sum(process.cpu_times()[:4]) + sum(sum(p.cpu_times()[:2]) for p in process.children(recursive=True))
    return 0.0


def run_all(page, address: str, path: Path) -> dict:
    """Opens the notebook, clicks "Run all", waits for the kernel, and saves."""
    page.goto(f"{address}/lab/workspaces/{path.stem}/tree/{path.name}?reset", timeout=300_000)
    session = wait(lambda: next((s for s in asked(address, "sessions") if s["path"] == path.name), None))
    kernel = session["kernel"]["id"]
    wait(lambda: asked(address, f"kernels/{kernel}")["execution_state"] == "idle")
    page.get_by_role("menuitem", name="Run", exact=True).click(timeout=300_000)
    began = time.monotonic()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click(timeout=300_000)
    wait(lambda: counted(page, path)[0])
    seconds, used = time.monotonic() - began, processor_seconds(kernel)
    _, cells, error = counted(page, path)
    urllib.request.urlopen(
        urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE"), timeout=60
    )
    return {"seconds": round(seconds), "processor": round(used), "cells": cells, "error": error}


def counted(page, path: Path) -> tuple[bool, str, str]:
    """Saves; whether all code cells have run or one has failed, how many have, and the first error."""
    page.keyboard.press("Control+s")
    time.sleep(2)
    code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    done = sum(cell["execution_count"] is not None for cell in code)
    errors = [o["ename"] + ": " + o["evalue"] for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    return done == len(code) or bool(errors), f"{done} of {len(code)}", errors[0][:200] if errors else ""


def wait(until, longest: float = LONGEST):
    """What `until` gives once that is true."""
    began = time.monotonic()
    while time.monotonic() - began < longest:
        if found := until():
            return found
        time.sleep(1)
    raise TimeoutError(f"nothing after {longest} s")


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.jupyterlab", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="all where none is named")
    parser.add_argument("--python", default=sys.executable, help="whose JupyterLab and kernel are tried")
    parser.add_argument("--port", type=int, default=8899)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copytree(paths.shared("notebooks"), folder / "notebooks")
        known = sorted((folder / "notebooks").glob("*.ipynb"))
        chosen = [path for path in known if not options.notebooks or path.stem in options.notebooks]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with server(folder, options.python, options.port) as address:
            print(
                "| notebook | seconds | of processor | code cells | error |\n| --- | --- | --- | --- | --- |",
                flush=True,
            )
            for path in chosen:
                page = chromium.new_page(viewport={"width": 1400, "height": 900})
                try:
                    found = run_all(page, address, path)
                except Exception as error:
                    found = {
                        "seconds": "",
                        "processor": "",
                        "cells": "",
                        "error": f"{type(error).__name__}: {error!s:.200}",
                    }
                print(f"| {path.stem} | {' | '.join(' '.join(str(v).split()) for v in found.values())} |", flush=True)
                page.close()
        chromium.close()


if __name__ == "__main__":
    main()
