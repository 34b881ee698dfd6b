"""`mtalign verify`: what agrees, and that each kind of disagreement is found; stale records are refused."""

import json
import os
import shutil
from importlib import import_module

import pytest
from test_pages import GRID, synthetic

from mtalign.cli import main
from mtalign.config.errors import ConfigError
from mtalign.notebook import execution
from mtalign.notebook.pages import open_grid, pages
from mtalign.records.store import Records
from mtalign.report.site import make_report
from mtalign.runs.pool import complete
from mtalign.study.verify import verify


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A study of synthetic records, its notebook noted as executed from them."""
    import nbformat

    out = tmp_path_factory.mktemp("verified")
    (out / "pages.grid.yaml").write_text(GRID)
    grid, records = open_grid(out / "pages.grid.yaml"), Records(out / "records")
    records.prepare()
    for run in grid.runs:
        records.write(run, synthetic(run))
    for page in pages(grid):
        notebook = json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T")])))
        made = {"made_from": execution.made_from(page, records.evidence(grid.runs))}
        notebook["metadata"]["mtalign"] = made | {"checksum": execution.checksum(notebook)}
        (out / f"{page.stem}.ipynb").write_text(json.dumps(notebook))
    make_report(out, run_pages=True)
    return out


@pytest.fixture
def site(original, tmp_path):
    return shutil.copytree(original, tmp_path / "site")


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def record_of(site, arm="standard"):
    return next((site / "records").glob(f"*.{arm}.*.json"))


def test_a_study_as_it_was_made_agrees(site):
    lines, agree = verify(site)
    assert agree and not [line for line in lines if line.startswith("wrong")], lines


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda s: change(record_of(s), '"num_samples":64', '"num_samples":65'), "checksum"),
        (lambda s: record_of(s).write_text("{"), "corrupt"),
        (lambda s: record_of(s).unlink(), ".json: missing"),
        (lambda s: change(s / "10_verdicts.ipynb", "# T", "# U"), "10_verdicts.ipynb: changed since it was executed"),
        (lambda s: (s / "10_verdicts.ipynb").unlink(), "10_verdicts.ipynb: missing"),
        (lambda s: change(s / "index.html", "Verdicts", "Sentences"), "index.html: changed since it was made"),
        (lambda s: next((s / "runs").iterdir()).unlink(), ".html: missing"),
        (lambda s: (s / "runs.csv").write_text("run_id\n"), "runs.csv: is not what the records give"),
        (lambda s: change(s / "pages.grid.yaml", "max_steps: 4", "max_steps: 5"), "missing"),
    ],
)
def test_each_disagreement_is_found(site, damage, said):
    damage(site)
    lines, agree = verify(site)
    assert not agree and any(said in line for line in lines if line.startswith("wrong")), lines


def test_a_record_replaced_by_another_whole_one_disagrees_with_notebooks_and_pages(site):
    grid, records = open_grid(site / "pages.grid.yaml"), Records(site / "records")
    run = next(run for run in grid.runs if run.arm == "standard")
    record = records.read(run)
    record["after"]["correct"] = [0, 0, 0]
    records.write(run, record)
    lines, agree = verify(site)
    assert not agree and any("executed from other records" in line for line in lines)
    assert any(f"runs/{run.run_id}.html: made from something else" in line for line in lines)


def test_a_record_trained_from_another_base_is_found(site):
    grid, records = open_grid(site / "pages.grid.yaml"), Records(site / "records")
    run = next(run for run in grid.runs if run.arm == "base")
    record = records.read(run)
    record["after"]["correct"] = record["before"]["correct"] = [1, 1, 1]
    records.write(run, record)
    lines, _ = verify(site)
    assert sum("`before` is not what the base's record says" in line for line in lines) == 4


def test_other_code_is_named(site, monkeypatch):
    made_from = execution.made_from
    monkeypatch.setattr("mtalign.study.verify.made_from", lambda *a: made_from(*a) | {"code": "other"})
    lines, agree = verify(site)
    assert not agree and any("executed with other code" in line for line in lines)


def test_records_of_several_versions_are_named(site):
    grid, records = open_grid(site / "pages.grid.yaml"), Records(site / "records")
    run = next(run for run in grid.runs if run.arm == "standard")
    record = records.read(run)
    record["versions"]["torch"] = "1.0"
    records.write(run, record)
    assert any("torch 1.0" in line for line in verify(site)[0])


def test_a_record_of_other_versions_is_refused_and_named_before_any_compute(site, monkeypatch):
    grid, records = open_grid(site / "pages.grid.yaml"), Records(site / "records")
    assert complete(grid.runs, records)["found"] == len(grid.runs)
    provenance = import_module("mtalign.runs.provenance")
    installed = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: "99.0" if name == "trl" else installed(name))
    with pytest.raises(ConfigError, match=r"10 stale records are not used.*made with trl .*, installed is 99\.0"):
        complete(grid.runs, records)


def test_a_full_disk_is_one_line_and_status_1(site, monkeypatch, capsys):
    import errno

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "index.html")

    monkeypatch.setattr("mtalign.report.site.make_report", full)
    monkeypatch.setattr("sys.argv", ["mtalign", "report", str(site)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "mtalign: index.html: No space left on device; what is finished is kept\n"


def test_a_page_that_cannot_be_written_leaves_the_old_one(site, monkeypatch):
    from mtalign.config.paths import write_whole

    before = (site / "index.html").read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError):
        write_whole(site / "index.html", b"new")
    assert (site / "index.html").read_bytes() == before and not list(site.glob(".index*"))


def forge(site):
    """A number on the index is changed, and the page's own digest with it."""
    from mtalign.report.html import BLANK, STAMP, digest

    text = (site / "index.html").read_text().replace("Verdicts", "Sentences")
    sum_ = STAMP.search(text)[2]
    text = text.replace(f"sum {sum_}", f"sum {BLANK}", 1)
    (site / "index.html").write_text(text.replace(f"sum {BLANK}", f"sum {digest(text)}", 1))


@pytest.mark.parametrize(
    "damage, said",
    [
        (forge, "index.html: is not what the notebooks and records that are here give"),
        (lambda s: shutil.copy(s / "index.html", s / "results.html"), "results.html: is not of this study"),
        (lambda s: (s / "other.grid.yaml").write_text(GRID), "other.grid.yaml: one of several grid files"),
        (lambda s: (s / "headline.png").write_bytes(png()), "headline.png: is not what the notebooks and records"),
        (lambda s: (s / "runs" / "style.css").write_text("* {}"), "runs/style.css: is not what the notebooks"),
        (
            lambda s: (s / "index.html").symlink_to((s / "index.html").rename(s.parent / "elsewhere.html")),
            "index.html: is a link",
        ),
        (lambda s: (s / "runs" / "x.html").write_text("x"), "runs/x.html: is not of this study"),
        (lambda s: (s / "runs").symlink_to((s / "runs").rename(s.parent / "elsewhere")), "runs: is a link"),
        (
            lambda s: (s / "SHA256SUMS").symlink_to((s / "SHA256SUMS").rename(s.parent / "list")),
            "SHA256SUMS: is a link",
        ),
        (lambda s: os.mkfifo(s / "records" / "pipe.json"), "records/pipe.json: is no file"),
        (lambda s: (s / "records" / ".x.html").write_text("x"), "records/.x.html: is hidden"),
        (lambda s: (s / "progress").mkdir() or (s / "progress" / "x.html").write_text("x"), "x.html: is of a run that"),
        (lambda s: (s / "a\nwell: complete.html").write_text("x"), "a?well: complete.html: is not of this study"),
        (lambda s: (s / "10_verdicts.ipynb").write_text("[" * 100_000), "10_verdicts.ipynb: does not say"),
        (lambda s: record_of(s).write_text("[" * 100_000), "corrupt record"),
        (lambda s: record_of(s).write_text("null"), "checksum"),
        (lambda s: change(s / "SHA256SUMS", "a", "b"), "SHA256SUMS"),
    ],
)
def test_a_forged_report_is_seen(site, damage, said):
    damage(site)
    lines, agree = verify(site)
    assert not agree and any(said in line for line in lines if line.startswith("wrong")), lines


def png() -> bytes:
    """Another picture of the size of any."""
    import io

    import PIL.Image

    file = io.BytesIO()
    PIL.Image.new("RGB", (1000, 500), "green").save(file, "PNG")
    return file.getvalue()


def test_others_can_check_the_files_without_mtalign(site):
    import subprocess

    for folder in (site, site / "runs"):
        done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    change(site / "runs.csv", "standard", "random")
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=site, capture_output=True, text=True)
    assert done.returncode != 0 and "runs.csv" in done.stdout


def test_the_words_say_what_was_checked(site):
    lines, agree = verify(site)
    said = "complete and consistent; 0 of 10 records were computed again, 0 of 1 notebooks executed again: whether"
    assert agree and said in lines[-1]
