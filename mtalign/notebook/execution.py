"""Executed notebooks: papermill runs each in a process of its own; what is up to date is not executed again."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path

import PIL.Image

from mtalign.config import paths
from mtalign.config.bar import bar
from mtalign.config.errors import in_one_line
from mtalign.notebook import kernels
from mtalign.notebook.pages import Page
from mtalign.runs.worker import end_with_parent, unheard

CELL_TIMEOUT = 3600  # seconds that one cell of a notebook may take
START_TIMEOUT = 300  # seconds that a kernel may take to start, on a busy machine


def execute_notebooks(books: list[Page], evidence: str, out: Path, workers: int) -> dict[str, str]:
    """Executes the notebooks whose inputs have changed. One that fails leaves no older result in its place.

    Args:
        evidence: digest of the records, as `Records.evidence` gives it.

    Returns:
        stem -> reason, of those that failed.
    """
    wanted = {page.stem: made_from(page, evidence) for page in books}
    todo = [page for page in books if stored(out / f"{page.stem}.ipynb").get("made_from") != wanted[page.stem]]
    print(f"notebooks: {len(todo)} to execute, {len(books) - len(todo)} up to date")
    for older in out.glob(".*.partial.ipynb"):
        older.unlink(missing_ok=True)
    broken: dict[str, str] = {}
    if not todo:
        return broken
    with bar(total=len(todo), desc="notebooks", unit="notebook") as shown:
        for page, reason in _in_processes(todo, out.resolve(), wanted, workers):
            shown.update()
            if reason:
                broken[page.stem] = reason
                (out / f"{page.stem}.ipynb").unlink(missing_ok=True)
    return broken


def _in_processes(todo: list[Page], out: Path, wanted: dict, workers: int) -> Iterator[tuple[Page, str | None]]:
    """Executes each notebook in a process of its own, `workers` at a time; yields it with why it failed, None where not."""
    context, waiting, running = kernels.context(), list(todo), {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                page = waiting.pop(0)
                answer, ours = context.Pipe(duplex=False)
                process = context.Process(target=_answer, args=(ours, page, out, wanted[page.stem]))
                with unheard():  # the first call starts the server
                    process.start()
                ours.close()
                running[answer] = page, process
            for answer in connection.wait(list(running)):
                page, process = running[answer]
                try:
                    reason = answer.recv()
                except EOFError:
                    process.join()
                    reason = f"the process that executes it died (exit code {process.exitcode})"
                process.join()
                del running[answer]
                yield page, reason
    finally:  # what is not executed by now is not begun
        for _, process in running.values():
            process.terminate()
            process.join()


def _answer(answer: connection.Connection, page: Page, out: Path, inputs: dict[str, str]) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # kernels inherit it; a failed cell's error is in the notebook
    kernel = kernels.fork()  # first: what has threads is not forked
    try:
        end_with_parent()
        answer.send(execute(page, out, inputs))
    finally:
        if kernel:
            kernel.kill()


def made_from(page: Page, evidence: str) -> dict[str, str]:
    """Digests of all that an executed notebook depends on: its `source`, its `parameters`, the library's `code`, the
    `records`. It is executed again when one of them changes."""
    files = sorted(paths.PACKAGE.rglob("*.py"))  # of all wings
    code = b"\0".join(p.relative_to(paths.PACKAGE).as_posix().encode() + b"\0" + p.read_bytes() for p in files)
    content = {"source": page.source.read_bytes(), "code": code, "records": evidence.encode()}
    content["parameters"] = json.dumps(page.parameters, sort_keys=True).encode()
    return {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}


def stored(executed: Path) -> dict:
    """What `execute` noted in the notebook: `made_from`, `checksum`, `source`, `title`; empty where there is nothing."""
    try:
        found = json.loads(executed.read_text(encoding="utf-8"))["metadata"].get("mtalign", {})
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def checksum(notebook: dict) -> str:
    """SHA-256 of the notebook's cells with their outputs: whether it is as it was executed."""
    return hashlib.sha256(json.dumps(notebook["cells"], sort_keys=True).encode()).hexdigest()


def execute(page: Page, out: Path, inputs: dict[str, str]) -> str | None:
    """In a process of its own: executes the notebook beside the records and puts it in its place, whole.

    Returns:
        Why it failed; None where it did not. What there is of a failed notebook stays as `.<stem>.<process>.partial.ipynb`.
    """
    os.environ.setdefault("MTALIGN_STARTED_IN", os.getcwd())
    os.chdir(out)  # the kernel starts here, so that no machine path stands in the executed notebook
    with tempfile.TemporaryDirectory() as own:  # of each kernel: a home that cannot be written is no obstacle
        os.environ.update(JUPYTER_RUNTIME_DIR=f"{own}/runtime", IPYTHONDIR=f"{own}/ipython")
        return _execute(page, inputs)


def _execute(page: Page, inputs: dict[str, str]) -> str | None:
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    unfinished = Path(f".{page.stem}.{os.getpid()}.partial.ipynb")
    for again in (True, False):
        try:
            notebook = papermill.execute_notebook(
                str(page.source), str(unfinished), page.parameters, progress_bar=False, kernel_name="python3",
                execution_timeout=CELL_TIMEOUT, start_timeout=START_TIMEOUT,
            )  # fmt: skip
            break
        except PapermillExecutionError as error:
            return f"cell {error.exec_count}: {error.ename}: {error.evalue}"
        except Exception as error:  # the kernel died, a cell hung, the disk is full
            if not (again and isinstance(error, (RuntimeError, BrokenPipeError)) and _nothing_ran(unfinished)):
                return in_one_line(error, 500)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = _smaller(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)  # times of execution
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"  # papermill's is random, and would differ each time
    notebook.metadata["papermill"] = {"parameters": page.parameters}
    nbformat.write(notebook, unfinished)
    written = json.loads(unfinished.read_text(encoding="utf-8"))
    written["metadata"]["mtalign"] = {
        "made_from": inputs, "checksum": checksum(written), "source": f"notebooks/{page.source.name}", "title": page.title,
    }  # fmt: skip
    unfinished.write_text(json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(unfinished, f"{page.stem}.ipynb")
    return None


def _nothing_ran(unfinished: Path) -> bool:
    """Whether a kernel died as it started, before its first cell, as one can on a machine that is short of memory or time: a
    second one is started then, not forked.
    """
    try:
        found = json.loads(unfinished.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        return True
    return not any(cell.get("execution_count") for cell in found)


def _smaller(png: str) -> str:
    """The picture, base64, with a palette of 64 colours: a third of the size, and hardly to be seen."""
    picture, small = PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), io.BytesIO()
    picture.quantize(64, dither=PIL.Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()
