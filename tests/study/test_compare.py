"""`mtalign diff`: verdicts, numbers beyond their intervals, cells; in the terminal and as a page."""

import json
import shutil

import jsonschema
import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook, new_output
from test_verify import original  # noqa: F401

from mtalign.cli.lists import schema
from mtalign.cli.main import cli
from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.study.compare import cell_differences, compare, write_html


@pytest.fixture
def changed(original, tmp_path):  # noqa: F811
    """The study again, with an arm that now fails and a notebook that says something else."""
    out = shutil.copytree(original, tmp_path / "changed")
    grid, records = open_grid(out / "pages.grid.yaml"), Records(out / "records")
    for run in grid.runs:
        if run.arm == "random":
            record = records.read(run)
            record["after"]["correct"] = [60] * 3
            records.write(run, record)
    notebook = nbformat.read(out / "10_verdicts.ipynb", as_version=4)
    notebook.cells.append(new_code_cell("print('<b>new</b>')"))
    nbformat.write(notebook, out / "10_verdicts.ipynb")
    return out


def test_a_study_equals_itself(original):  # noqa: F811
    found = compare(original, original)
    assert not (found.verdicts or found.numbers or found.cells or found.alone)


def test_changed_verdicts_numbers_and_cells_are_named(original, changed):  # noqa: F811
    found = compare(original, changed)
    assert "random_reward micro-a ordering: fails -> holds" in found.verdicts
    assert any(line.startswith("accuracy, micro-a, ordering random: 0.28") for line in found.numbers)
    assert any(line.startswith("share recovered, random_reward") for line in found.numbers)
    assert not any("standard" in line for line in found.verdicts + found.numbers)
    assert "print('<b>new</b>')" in found.cells["10_verdicts.ipynb"]
    assert "verdicts: 2 changed" in "\n".join(found.lines)


def test_the_json_of_diff_and_verify_follows_its_schema(original, changed):  # noqa: F811
    for name, folders in (("diff", (original, changed)), ("verify", (changed,))):
        result = CliRunner().invoke(cli, [name, *map(str, folders), "--json"])
        found = json.loads(result.stdout, parse_constant=pytest.fail)
        jsonschema.validate(found, json.loads(schema(name)))
        assert found["verdicts"] if name == "diff" else not found["agree"]


def test_the_page_has_the_differences_and_runs_nothing(original, changed, tmp_path):  # noqa: F811
    write_html(compare(original, changed), original, changed, tmp_path / "diff.html")
    page = (tmp_path / "diff.html").read_text()
    assert (
        "fails -&gt; holds" in page
        and "&lt;b&gt;new&lt;/b&gt;" in page
        and "<b>new" not in page
        and "<script" not in page
    )


def test_a_notebook_that_one_lacks_is_named(original, changed):  # noqa: F811
    (changed / "10_verdicts.ipynb").unlink()
    assert compare(original, changed).alone == [f"10_verdicts.ipynb: only in {original}"]


def test_metadata_and_counts_are_left_out_and_pictures_are_named():
    def notebook(count, size, text="x"):
        output = new_output("display_data", {"image/png": "A" * size, "text/plain": text}, metadata={"n": count})
        return new_notebook(cells=[new_code_cell("draw()", outputs=[output], execution_count=count, id="a")])

    assert cell_differences("n", notebook(1, 50), notebook(2, 50)) == ""
    assert "picture of 60" in cell_differences("n", notebook(1, 50), notebook(1, 60))
    assert "AAAA" not in cell_differences("n", notebook(1, 50), notebook(1, 60))
    assert "other" in cell_differences("n", notebook(1, 50), notebook(1, 50, "other"))
