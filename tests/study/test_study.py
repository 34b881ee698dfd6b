"""End to end: a grid file through training, papermill and HTML; and what happens when something is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from mtalign.config import paths
from mtalign.notebook.execution import checksum
from mtalign.notebook.pages import open_grid, pages
from mtalign.records.store import Records
from mtalign.report.site import make_report
from mtalign.study.again import compute_again
from mtalign.study.rendering import wrong_outputs
from mtalign.study.verify import verify

TINY = paths.shared("params") / "tiny.yaml"


def mtalign(*arguments, cwd=None, **kwargs):
    command = [sys.executable, "-m", "mtalign", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=1800, **kwargs)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tiny grid, completed once through the command."""
    out = tmp_path_factory.mktemp("with space é") / "tiny"
    done = mtalign("study", TINY, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done


OWN = {"index", "runs", "predictions", "claims"}  # pages that are not of a notebook


def test_a_grid_ends_in_a_report_of_executed_notebooks_and_records(finished):
    out, done = finished
    assert "3 computed now" in done.stdout and "3 to execute" in done.stdout
    assert len(list((out / "records").glob("*.json"))) == 3
    names = {"01_alignment.micro-a.ordering", "02_reward_signal.micro-a.ordering", "10_verdicts"}
    assert {p.stem for p in out.glob("*.ipynb")} == names == {p.stem for p in out.glob("*.html")} - OWN
    index = (out / "index.html").read_text()
    assert all(f"{name}.html" in index for name in names) and "data:image/png" in index and "random reward" in index


def test_the_pages_ask_nothing_of_the_network_and_show_no_machine_path(finished):
    out, _ = finished
    for page in [*out.glob("*.html"), *out.glob("*.ipynb"), *(out / "records").iterdir()]:
        text = page.read_text()
        assert str(out) not in text and str(paths.PACKAGE.parent) not in text, page
        if page.suffix == ".html":
            assert text.count("<script") == (page.name == "runs.html"), page  # ours sorts the table
            assert 'src="http' not in text and "@import" not in text, page


def test_executed_notebooks_have_no_error_open_with_a_verdict_and_judge_their_predictions(finished):
    out, _ = finished
    for path in out.glob("*.ipynb"):
        cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
        assert all(output["output_type"] != "error" for c in cells for output in c["outputs"])
        told = {
            c["id"]: "".join("".join(o.get("data", {}).get("text/markdown", "")) for o in c["outputs"]) for c in cells
        }
        verdict, judged = (
            next(said for at, said in told.items() if at.endswith(end)) for end in ("-verdict-code", "-judged-code")
        )
        assert any(
            word in verdict for word in ("enough", "hold", "fail", "undecided", "confirmed", "strong", "weak")
        ), path
        assert any(outcome in judged for outcome in ("confirmed", "refuted", "undecided")), path
        assert path.stem.startswith("10") or "[" in judged, "the outcome has an interval"
    assert "**What came of it**" not in (page := (out / "predictions.html").read_text()) and "confirmed" in page


def test_a_rerun_trains_nothing_and_says_so(finished):
    out, _ = finished
    before = {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}
    again = mtalign("study", TINY, "--out", out)
    assert again.returncode == 0
    assert "0 computed now, 3 found finished" in again.stdout and "0 to execute, 3 up to date" in again.stdout
    assert before == {p: p.stat().st_mtime_ns for p in (out / "records").iterdir()}


def test_what_is_finished_is_shown_and_nothing_trained_where_that_is_asked_for(finished, tmp_path):
    out = tmp_path / "part"
    (out / "records").mkdir(parents=True)
    done = mtalign("study", TINY, "--out", out, "--finished-only")
    assert done.returncode == 2 and "no run of" in done.stderr
    for record in (finished[0] / "records").glob("*.json"):
        if ".random." not in record.name:
            shutil.copy(record, out / "records")
    done = mtalign("study", TINY, "--out", out, "--finished-only")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 computed now, 2 found finished" in done.stdout and len(list((out / "records").iterdir())) == 2
    assert "left out of what follows: 1 of 3 runs" in (out / "02_reward_signal.micro-a.ordering.html").read_text()
    assert (out / "index.html").is_file()


def test_report_diff_and_verify_work_on_a_finished_study(finished):
    out, _ = finished
    assert mtalign("report", out).returncode == 0
    index = (out / "index.html").read_text()
    assert ">Deviations</h2>" in index and ">learning_rate</th><td>0.0003</td><td><b>1e-06</b></td>" in index
    same = mtalign("diff", out, out)
    assert same.returncode == 0 and "verdicts: 0 changed" in same.stdout
    agree = mtalign("verify", out, "--recompute", 1)
    assert agree.returncode == 0 and "recomputed  1 of 1 agree" in agree.stdout, agree.stdout
    assert "executed    1 of 1 agree" in agree.stdout and "1 of 3 notebooks executed again: whether" in agree.stdout


def test_a_forgery_in_which_all_fits_is_seen_by_computing_and_executing_again_alone(finished, tmp_path):
    out = shutil.copytree(finished[0], tmp_path / "forged")
    grid, records = open_grid(TINY), Records(out / "records")
    run = next(run for run in grid.runs if run.arm == "random")
    record = records.read(run)
    record["after"]["correct"] = [16] * len(record["after"]["correct"])
    records.write(run, record)  # with the checksum that belongs to it
    page = next(page for page in pages(grid) if page.stem.startswith("01"))
    notebook = json.loads((out / f"{page.stem}.ipynb").read_text())
    notebook["cells"][-1] = notebook["cells"][-1] | {"source": notebook["cells"][-1]["source"] + ["\n# better"]}
    for executed in out.glob("*.ipynb"):
        content = notebook if executed.stem == page.stem else json.loads(executed.read_text())
        content["metadata"]["mtalign"]["made_from"]["records"] = sha256(
            records.evidence(grid.runs).encode()
        ).hexdigest()
        content["metadata"]["mtalign"]["checksum"] = checksum(content)
        executed.write_text(json.dumps(content))
    make_report(out)
    assert verify(out)[1]
    (again,) = compute_again([run], records)
    assert (
        again.outcome == "differs"
        and again.problem.startswith("gives another result on this machine: accuracy 0.")
        and again.recorded == 1.0
    )
    assert list(wrong_outputs([page], records.evidence(grid.runs), out)) == [f"{page.stem}.ipynb again"]


def test_plan_computes_nothing(tmp_path):
    done = mtalign("plan", TINY, "--out", tmp_path / "out")
    assert done.returncode == 0 and "3, of which 0 are finished" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # the slow suite kills fifty more; signals that a grid can catch are tested by default in tests/cli/test_stopping.py
def test_a_killed_grid_continues_and_ends_in_the_same_records(finished, tmp_path):
    command = [sys.executable, "-m", "mtalign", "study", str(TINY), "--out", str(tmp_path / "tiny")]
    grid = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    records = tmp_path / "tiny" / "records"
    deadline = time.monotonic() + 120
    while not list(records.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(grid.pid, signal.SIGKILL)
    grid.wait()
    kept = {p.name: p.stat().st_mtime_ns for p in records.glob("*.json")}
    assert kept
    done = mtalign("study", TINY, "--out", tmp_path / "tiny")
    assert done.returncode == 0 and f"{3 - len(kept)} computed now, {len(kept)} found finished" in done.stdout
    assert all((records / name).stat().st_mtime_ns == when for name, when in kept.items())
    undisturbed = Records(finished[0] / "records")
    for run in open_grid(TINY).runs:
        assert Records(records).read(run)["checksum"] == undisturbed.read(run)["checksum"]


def write_grid(tmp_path, **changes) -> Path:
    grid = yaml.safe_load(TINY.read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = grid
        for key in parents:
            place = place[key]
        place[last] = value
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(grid))
    return file


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"grid__model": ["gpt-9"]}, "grid: model: unknown model 'gpt-9'"),
        ({"grid__task": ["chess"]}, "grid: task: unknown task 'chess'"),
        ({"grid__arm": ["magic"]}, "grid.arm: unknown arm 'magic'"),
        ({"notebooks__each": {"99_none": {}}}, "unknown notebook '99_none'"),
        ({"notebooks__each": {"01_alignment": {"sedes": [1]}}}, "01_alignment: sedes: unknown parameter"),
        ({"notebooks__each": {"01_alignment": {"seeds": 1}}}, "01_alignment: seeds: expected a list"),
        ({"notebooks__each": {"02_reward_signal": {"arms": ["nsr"]}}}, "nsr is not in grid.arm"),
        ({"fixed__num_generations": 15}, "num_generations: 15 does not divide"),
        ({"fixed__train_prompts": 1}, "train_prompts: 1 rows"),
    ],
)
def test_bad_input_is_one_line_and_status_2_before_any_compute(tmp_path, changes, said):
    file = write_grid(tmp_path, **changes)
    done = mtalign("study", file, "--out", tmp_path / "out")
    assert done.returncode == 2 and said in done.stderr and str(file) in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["study", TINY, "--workers", "0"], "--workers"),
        (["study", "none.yaml"], "none.yaml: cannot be read"),
        (["study"], "Missing argument"),
        (["no-such-command"], "no-such-command"),
        (["report", "none"], "grid.yaml in it"),
        (["diff", "none", "none"], "grid.yaml in it"),
        (["diagnose", "--model", "none", "--task", "logic"], "unknown model"),
        (["diagnose", "--model", "micro-a", "--task", "none"], "unknown task"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(arguments, said, tmp_path):
    done = mtalign(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_file_that_is_no_notebook_is_one_line_and_status_2(tmp_path):
    (tmp_path / "own.ipynb").write_text("{ not json")
    grid = {"model": ["micro-a"], "task": ["logic"], "arm": ["base"], "seed": [0]}
    named = {"grid": grid, "notebooks": {"final": {str(tmp_path / "own.ipynb"): None}}}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(named))
    done = mtalign("plan", tmp_path / "grid.yaml")
    assert done.returncode == 2 and done.stderr.strip().endswith("own.ipynb: is no notebook with cells")
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_line_and_status_2(tmp_path):
    (tmp_path / "file").write_text("")
    done = mtalign("study", TINY, "--out", tmp_path / "file" / "out")
    assert done.returncode == 2 and "cannot be written" in done.stderr and done.stderr.count("\n") == 1


def test_a_corrupt_record_is_one_line_and_status_2(finished, tmp_path):
    import shutil

    out = tmp_path / "copy"
    shutil.copytree(finished[0], out)
    record = next((out / "records").glob("*.json"))
    record.write_text(record.read_text()[:100])
    done = mtalign("study", TINY, "--out", out)
    assert done.returncode == 2 and record.name in done.stderr and "corrupt record" in done.stderr


def test_a_failed_run_is_a_hole_in_the_report_and_status_1(tmp_path):
    arms = {"explode": {"reward": "random", "learning_rate": 1e30, "max_grad_norm": 1e30}}
    file = write_grid(
        tmp_path, grid__arm=["base", "standard", "explode"], arms=arms, notebooks={"final": {"10_verdicts": {}}}
    )
    done = mtalign("study", file, "--out", tmp_path / "out")
    assert done.returncode == 1 and "failed: micro-a.ordering.explode" in done.stdout
    index = (tmp_path / "out" / "index.html").read_text()
    assert "Holes" in index and "explode" in index and (tmp_path / "out" / "10_verdicts.html").is_file()
