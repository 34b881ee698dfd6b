"""The `mtalign` command."""

from mtalign.cli.main import cli, main

__all__ = ["cli", "main"]
