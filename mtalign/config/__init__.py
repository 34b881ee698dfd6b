"""What is to be computed: runs, arms, grids, resources, published recipes; and the errors that name a file and a key."""

from mtalign.config.arms import ARMS
from mtalign.config.errors import ConfigError, LaunchError, ResourcesError, RunError
from mtalign.config.grid import Block, Grid, expand_grid, load_grid
from mtalign.config.resources import Resources, make_resources
from mtalign.config.run import RECIPE, Run, make_run

__all__ = [
    "ARMS", "RECIPE", "Block", "ConfigError", "Grid", "LaunchError", "Resources", "ResourcesError", "Run", "RunError",
    "expand_grid", "load_grid", "make_resources", "make_run",
]  # fmt: skip
