"""The command's doors: grids by name, a folder to work in, names that are nearly right, JSON with its schema."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from mtalign.cli.lists import SCHEMAS, schema
from mtalign.cli.main import cli
from mtalign.cli.places import grid_file
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.run import Run
from mtalign.runs.progress import State


def asked(*arguments):
    """What a command prints."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


def test_a_grid_of_the_package_is_known_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert grid_file(Path("quick")) == paths.shared("params") / "quick.yaml"
    assert "grid tiny: 1 pair x" in asked("plan", "tiny")
    (tmp_path / "quick").write_text("mine")
    assert grid_file(Path("quick")) == Path("quick")  # what lies here comes first


@pytest.mark.parametrize(
    "name, said",
    [("params/quick.yaml", "the package brings `quick`"), ("quik", "brings `quick`"), ("none", "`mtalign list grids`")],
)
def test_a_missing_grid_file_says_what_there_is(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="No such file") as caught:
        grid_file(Path(name))
    assert said in str(caught.value)


def test_list_grids_names_grid_files_alone():
    names = [row["name"] for row in json.loads(asked("list", "grids", "--json"))]
    assert {"quick", "study", "tiny", "paper"} <= set(names) and not {"models", "hub", "recipes"} & set(names)
    said = asked("list", "grids").splitlines()
    assert all(line.endswith((".", "?")) for line in said) and not any("yaml-language-server" in line for line in said)


def test_init_copies_notebooks_and_grids_once(tmp_path):
    asked("init", tmp_path / "mine")
    assert (tmp_path / "mine/notebooks/01_alignment.ipynb").is_file() and (tmp_path / "mine/params/tiny.yaml").is_file()
    result = CliRunner().invoke(cli, ["init", str(tmp_path / "mine")])
    assert isinstance(result.exception, ConfigError) and "is there already" in str(result.exception)


def test_every_json_output_follows_its_schema(tmp_path):
    State(tmp_path, [Run("micro-a", "logic")], {"found": 0, "trained": 0, "failed": 0}).write(
        {"found": 0, "trained": 0, "failed": 0}, [Run("micro-a", "logic")]
    )
    commands = [("status", tmp_path), ("plan", "tiny")]
    commands += [("list", what) for what in ("models", "tasks", "arms", "claims", "grids", "schema")]
    for name, what in commands:
        text = asked(name, what, "--json")
        jsonschema.validate(json.loads(text, parse_constant=pytest.fail), json.loads(schema(name)))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_is_one_and_is_listed(path):
    found = json.loads(asked("list", "schema", path.stem))
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["description"] in asked("list", "schema")


@pytest.mark.parametrize("name", ["../pyproject", "nothing"])
def test_an_unknown_schema_is_one_line(name):
    result = CliRunner().invoke(cli, ["list", "schema", name])
    assert isinstance(result.exception, ConfigError) and "known: diagnose, diff" in str(result.exception)


def test_python_m_works_on_the_package_and_on_its_command():
    for module in ("mtalign", "mtalign.cli"):
        done = subprocess.run(
            [sys.executable, "-m", module, "list", "arms"], capture_output=True, text=True, check=True
        )
        assert "majority_vote" in done.stdout and not done.stderr


@pytest.mark.slow
def test_an_installed_wheel_has_grids_notebooks_and_schemas(tmp_path):
    """Built and installed without dependencies, which are found in this environment."""
    source = tmp_path / "source"
    shutil.copytree(
        paths.PACKAGE.parent, source, ignore=shutil.ignore_patterns(".git", "reports", "tests", "__pycache__")
    )
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source], check=True)
    venv.create(tmp_path / "venv", system_site_packages=False, with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheel = next(tmp_path.glob("mtalign-*.whl"))
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    site = subprocess.run(
        [sys.executable, "-c", "import numpy; print(numpy.__path__[0])"], capture_output=True, text=True
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(site.stdout.strip()).parent)}
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    environment["PYTHONPATH"] = f"{own}:{environment['PYTHONPATH']}"
    (tmp_path / "report").mkdir()
    shutil.copy(paths.shared("params") / "tiny.yaml", tmp_path / "report" / "report.grid.yaml")
    (tmp_path / "report" / "index.html").touch()
    for arguments, said in (
        (["list", "grids"], "quick"),
        (["plan", "tiny"], "grid tiny"),
        (["init", "mine"], "written"),
        (["open", "08_dose_response", "--print"], "mtalign init"),  # the copy that is there to be changed
        (["export", "zip", "report"], "report.zip: 4 files"),
    ):
        done = subprocess.run(
            [python, "-m", "mtalign", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and said in done.stdout, done.stderr
    assert (tmp_path / "mine" / "notebooks" / "01_alignment.ipynb").is_file()
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert "2508.21188" in archive.read("report-CITATION.cff").decode()
