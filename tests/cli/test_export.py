"""What is handed on opens without the network, says how to cite it, and is not overwritten; what cannot be opened is said."""

import hashlib
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from click.testing import CliRunner

from mtalign.cli.export import found
from mtalign.cli.main import cli
from mtalign.config.errors import ConfigError
from mtalign.config.paths import CHECKPOINTS, shared
from mtalign.report.export import write_data_card, write_model_card, write_page, write_zip

SMALL = Path(__file__).parents[2] / "reports" / "small"
committed = pytest.mark.skipif(not SMALL.is_dir(), reason="needs a checkout")


def report(folder, index=True):
    folder.mkdir()
    grid = {"grid": {"model": ["micro-a"], "task": ["logic"], "arm": ["base"], "seed": [0]}}
    (folder / "mine.grid.yaml").write_text(yaml.safe_dump(grid))
    if index:
        (folder / "index.html").write_text("<p>mine</p>")
    return folder


def test_a_report_is_one_zip_with_manifest_and_citation_and_the_same_bytes_each_time(tmp_path):
    out = report(tmp_path / "mine")
    assert write_zip(out, tmp_path / "a.zip") == write_zip(out, tmp_path / "b.zip") == 4
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        listed = dict(line.split("  ")[::-1] for line in archive.read("mine/SHA256SUMS").decode().splitlines())
        assert {hashlib.sha256(archive.read(f"mine/{n}")).hexdigest() for n in listed} == set(listed.values())
        assert "2508.21188" in archive.read("mine-CITATION.cff").decode()


def test_a_zip_within_its_report_or_of_a_report_without_pages_is_refused(tmp_path):
    out = report(tmp_path / "mine", index=False)
    with pytest.raises(ConfigError, match="no index"):
        write_zip(out, tmp_path / "a.zip")
    (out / "index.html").touch()
    with pytest.raises(ConfigError, match="would lie in the report"):
        write_zip(out, out / "a.zip")


def test_the_page_of_one_notebook_loads_nothing_and_runs_nothing(tmp_path):
    hostile = nbformat.v4.new_output(
        "display_data", {"text/html": "<b>seen</b><script src='https://x.example/a.js'></script>"}
    )
    cells = [nbformat.v4.new_markdown_cell("# Mine"), nbformat.v4.new_code_cell("1", outputs=[hostile])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "mine.ipynb")
    write_page(tmp_path / "mine.ipynb", tmp_path / "mine.html")
    text = (tmp_path / "mine.html").read_text()
    assert "<b>seen</b>" in text and "<script" not in text and "src=" not in text and "default-src 'none'" in text
    (tmp_path / "bad.ipynb").write_text("{")
    with pytest.raises(ConfigError, match=r"bad\.ipynb: cannot be shown"):
        write_page(tmp_path / "bad.ipynb", tmp_path / "bad.html")


@committed
def test_records_and_a_model_have_a_card_that_the_hub_reads(tmp_path):
    number = write_data_card(SMALL, tmp_path / "data")
    head, body = (tmp_path / "data" / "README.md").read_text().split("---\n")[1:3]
    assert yaml.safe_load(head)["license"] == "mit" and f"{number} records" in body
    assert len(list((tmp_path / "data" / "records").glob("*.json"))) == number
    write_model_card("dose-0.40", tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "transformers" and "| logic | 0.4 |" in card
    assert {path.name for path in (CHECKPOINTS / "dose-0.40").iterdir()} <= {
        path.name for path in (tmp_path / "model").iterdir()
    }
    with pytest.raises(ConfigError, match="cannot be made"):
        write_model_card("dose-0.40", tmp_path / "model")
    with pytest.raises(ConfigError, match="unknown model"):
        write_model_card("../dose-0.40", tmp_path / "other")


def test_what_is_opened_is_a_page_a_notebook_or_a_folder_of_them(tmp_path):
    out = report(tmp_path / "mine")
    assert found(str(out)) == out / "index.html"
    assert found("08_dose_response") == shared("notebooks") / "08_dose_response.ipynb" and found("notebooks").is_dir()
    (out / "index.html").unlink()
    (tmp_path / "a.txt").touch()
    for what, said in {
        str(out): "mtalign report",
        str(tmp_path / "a.txt"): "expected a page",
        "nothing": "no such file",
    }.items():
        with pytest.raises(ConfigError, match=said):
            found(what)


def test_open_says_what_it_would_open():
    said = CliRunner().invoke(cli, ["open", "08_dose_response", "--print"]).output
    assert said.startswith("JupyterLab: ") and said.split(" (of the package")[0].rstrip().endswith(
        "08_dose_response.ipynb"
    )
