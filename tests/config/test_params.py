"""Packaging: the same pins everywhere, and every value in params/ says where it comes from."""

import tomllib
from pathlib import Path

import pytest
import yaml

from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.models import packaged
from mtalign.models.load import check_names
from mtalign.notebook.pages import check_notebooks, open_grid

ROOT = Path(__file__).parents[2]
GRIDS = ["quick", "tiny", "study", "published"]
REAL = ["small", "alignment"]  # of pretrained models, which are optional


def test_environment_yml_has_the_pins_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert [line for line in pip if line != "-e ."] == wanted
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    assert all("==" in line for line in [*wanted, *extras])


@pytest.mark.parametrize("name", GRIDS + REAL)
def test_every_fixed_value_has_its_source_beside_it(name):
    lines = (paths.shared("params") / f"{name}.yaml").read_text().split("fixed:\n")[1].split("\n\n")[0].splitlines()
    assert lines and all("  # " in line for line in lines)


@pytest.mark.parametrize("name", GRIDS)
def test_shipped_grids_and_their_notebooks_are_valid(name):
    assert open_grid(paths.shared("params") / f"{name}.yaml").runs


@pytest.mark.parametrize("name", REAL)
def test_grids_of_pretrained_models_are_valid(name):
    grid = load_grid(paths.shared("params") / f"{name}.yaml")
    assert all(model in packaged.PACKAGED for model, _ in grid.pairs) and grid.runs
    check_notebooks(grid, name)
    for model, task in grid.pairs:
        try:
            check_names([(model, task)])
        except ConfigError as error:
            assert "pip install" in str(error) or "MTALIGN_DATA" in str(error)


def test_the_grid_of_alignment_measures_both_models_on_eight_tasks_with_32_samples():
    runs = load_grid(paths.shared("params") / "alignment.yaml").runs
    assert {r.max_steps for r in runs} == {0} and min(r.num_samples for r in runs) >= 32
    assert len({r.task for r in runs}) >= 8 and len({r.model for r in runs}) == 2


def test_git_shows_the_cells_of_notebooks():
    assert "*.ipynb diff=jupyternotebook merge=jupyternotebook" in (ROOT / ".gitattributes").read_text()
    assert "nbdime config-git --enable" in (ROOT / "README.md").read_text()
