"""Faults: killed processes, a full disk, two grids at once, a clock that jumps, kernels that die or hang. Nothing finished is
lost, nothing half-written is read, and the report in the end equals the undisturbed one.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from mtalign.claims.verdicts import verdicts
from mtalign.config import paths
from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.study.verify import verify

pytestmark = pytest.mark.slow

KILLS, SEEDS = 10, range(5)  # fifty kills, in five tests that may run on different machines
GRID = """
grid: {model: [micro-a], task: [ordering], arm: [base, standard, random, nsr], seed: [0, 1, 2]}
fixed: {max_steps: 2, train_prompts: 16, eval_prompts: 5, num_samples: 8}
notebooks: {each: {01_alignment: {}}, final: {10_verdicts: {}}}
"""


def study(grid, out, **kwargs):
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent), **kwargs.pop("env", {})}
    command = [sys.executable, "-m", "mtalign", "study", str(grid), "--out", str(out)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True, **kwargs
    )  # fmt: skip


def finish(process):
    stdout, stderr = process.communicate(timeout=900)
    return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "faults.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def undisturbed(grid, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.monotonic()
    status, stdout, stderr = finish(study(grid, out))
    assert status == 0, stdout + stderr
    return out, time.monotonic() - began


def cells(notebook):
    """The cells of an executed notebook, but for the wall times of its runs, and the spaces that these move."""
    text = json.dumps(json.loads(notebook.read_text())["cells"])
    return re.sub(r" +", " ", re.sub(r"\d+\.\d+", "#", text)) if "seconds" in text else text


def same_report(a, b, grid):
    runs = open_grid(grid).runs
    one, two = Records(a / "records"), Records(b / "records")
    assert [one.read(run)["checksum"] for run in runs] == [two.read(run)["checksum"] for run in runs]
    assert verdicts(runs, one).equals(verdicts(runs, two))
    assert (a / "headline.png").read_bytes() == (b / "headline.png").read_bytes()
    names = [{p.name for p in out.glob("[!.]*") if p.is_file()} for out in (a, b)]
    assert names[0] == names[1]
    for name in sorted(names[0]):
        if name.endswith(".ipynb"):
            assert cells(a / name) == cells(b / name), name
    for out in (a, b):
        lines, agree = verify(out)
        assert agree, lines


@pytest.mark.parametrize("seed", SEEDS)
def test_fifty_kills_at_random_points_change_nothing(grid, undisturbed, tmp_path, seed):
    rng, kills = random.Random(seed), 0
    usual, span = undisturbed
    out = tmp_path / "out"
    while kills < KILLS:
        process = study(grid, out)
        try:
            process.wait(timeout=rng.uniform(0.2, span))
            assert process.returncode == 0, process.communicate()
            same_report(usual, out, grid)
            shutil.rmtree(out)
        except subprocess.TimeoutExpired:
            family = psutil.Process(process.pid).children(recursive=True)
            if rng.random() < 0.4 and family:  # a worker, a kernel or a helper alone: the grid goes on without it
                target = rng.choice(family)
                try:
                    target.kill()
                except psutil.NoSuchProcess:
                    continue
                finally:
                    if rng.random() < 0.5:
                        os.killpg(process.pid, signal.SIGKILL)
                    process.communicate(timeout=900)
            else:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            kills += 1
    status, stdout, stderr = finish(study(grid, out))
    assert status == 0, stdout + stderr
    same_report(usual, out, grid)
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(out) in " ".join(p.info["cmdline"] or [])]


def test_a_killed_worker_is_replaced_in_the_same_study(grid, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = study(grid, out)
    while not list(out.glob("records/*.json")):
        time.sleep(0.1)
    workers = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()
    status, stdout, stderr = finish(process)
    assert status == 0, stdout + stderr
    same_report(undisturbed[0], out, grid)


@pytest.mark.parametrize("limit", [3_000, 20_000])
def test_files_that_cannot_grow_are_named_and_later_made(grid, undisturbed, tmp_path, limit):
    """As a full disk, at the size of a file; 3 kB stop records, 20 kB notebooks and pages."""
    out = tmp_path / "out"
    small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    status, stdout, stderr = finish(study(grid, out, **small))
    assert status == 1 and "Traceback" not in stderr, stderr
    assert "too large" in (stdout + stderr).lower()
    assert finish(study(grid, out))[0] == 0
    same_report(undisturbed[0], out, grid)


@pytest.fixture
def mount(tmp_path):
    """A small file system of its own, where one may be mounted."""
    place = tmp_path / "mounted"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", place], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_named_and_the_study_goes_on_when_there_is_room(grid, undisturbed, mount):
    status, stdout, stderr = finish(study(grid, mount / "out"))
    assert status == 1 and "No space left" in stdout + stderr and "Traceback" not in stderr, stderr
    kept = len(list((mount / "out" / "records").glob("*.json")))
    subprocess.run(["mount", "-o", "remount,size=50m", mount], check=True)
    status, stdout, _ = finish(study(grid, mount / "out"))
    assert status == 0 and f"{kept} found finished" in stdout
    same_report(undisturbed[0], mount / "out", grid)


def test_a_read_only_folder_is_one_line_and_status_2(grid, mount):
    (mount / "out").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
    status, _, stderr = finish(study(grid, mount / "out"))
    assert status == 2 and "cannot be written" in stderr and stderr.count("\n") == 1


def test_of_two_grids_at_once_one_works_and_the_other_says_so(grid, undisturbed, tmp_path):
    ends = [finish(p) for p in [study(grid, tmp_path / "out") for _ in range(2)]]
    assert sorted(status for status, *_ in ends) == [0, 2]
    assert "another `mtalign study` is writing to this folder" in "".join(stderr for *_, stderr in ends)
    same_report(undisturbed[0], tmp_path / "out", grid)


def test_a_clock_that_jumps_back_changes_nothing(grid, undisturbed, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import time\n"
        "real, begin = time.time, time.monotonic()\n"
        "time.time = lambda: real() - (86400 if time.monotonic() - begin > 3 else 0)\n"
    )
    path = f"{tmp_path}:{paths.PACKAGE.parent}"
    status, stdout, stderr = finish(study(grid, tmp_path / "out", env={"PYTHONPATH": path}))
    assert status == 0, stdout + stderr
    same_report(undisturbed[0], tmp_path / "out", grid)
    for file in (tmp_path / "out").rglob("*"):
        os.utime(file, (4e9, 4e9))  # in the year 2096
    status, stdout, _ = finish(study(grid, tmp_path / "out"))
    assert status == 0 and "0 computed now" in stdout and "0 to execute" in stdout


def own_notebook(path, code):
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell(code, id="a")]) | {"metadata": {"kernelspec": {
        "name": "python3", "display_name": "Python 3", "language": "python"}}}))  # fmt: skip
    return path


def test_a_kernel_that_dies_is_a_hole_and_the_rest_is_done(tmp_path):
    dies = own_notebook(tmp_path / "dies.ipynb", "import os; os._exit(1)")
    grid = tmp_path / "faults.yaml"
    grid.write_text(GRID.replace("10_verdicts: {}", f"10_verdicts: {{}}, {dies}: {{}}").replace("[0, 1, 2]", "[0]"))
    status, stdout, stderr = finish(study(grid, tmp_path / "out"))
    assert status == 1 and "failed: dies.ipynb" in stdout and "Traceback" not in stderr
    assert (tmp_path / "out" / "10_verdicts.html").is_file() and not (tmp_path / "out" / "dies.ipynb").exists()
    assert "failed" in (tmp_path / "out" / "index.html").read_text()
    lines, agree = verify(tmp_path / "out")
    assert not agree and "wrong: dies.ipynb: missing" in lines


def test_a_kernel_that_hangs_is_stopped(tmp_path):
    hangs = own_notebook(tmp_path / "hangs.ipynb", "import time; time.sleep(1000)")
    code = (
        "from pathlib import Path; from mtalign.notebook import execution, pages; execution.CELL_TIMEOUT = 5\n"
        f"page = pages.Page(Path({str(hangs)!r}), {{}}, 'hangs', 'hangs')\n"
        f"print(execution.execute(page, Path({str(tmp_path)!r}), {{}}))\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert "CellTimeoutError" in done.stdout + done.stderr and time.monotonic() - began < 200
    assert not (Path(tmp_path) / "hangs.ipynb").read_text().count('"mtalign"')


def test_a_home_that_cannot_be_written_is_no_obstacle(grid, undisturbed, tmp_path):
    process = study(grid, tmp_path / "out", env={"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache"})
    status, stdout, stderr = finish(process)
    assert status == 0, stdout + stderr
    same_report(undisturbed[0], tmp_path / "out", grid)
