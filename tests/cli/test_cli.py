"""The command: light to import, helpful to ask."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from mtalign.cli.main import cli


def test_import_is_light():
    code = (
        "import time; t = time.process_time(); import mtalign, mtalign.cli, sys; print(time.process_time() - t);"
        " assert 'torch' not in sys.modules"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.5  # of processor time, so that other load changes nothing


@pytest.mark.parametrize("name", [None, *cli.commands])
def test_help_has_an_example(name):
    result = CliRunner().invoke(cli, [name, "--help"] if name else ["--help"])
    assert result.exit_code == 0 and "Example" in result.output and "mtalign " in result.output


@pytest.mark.parametrize(
    "what, said", [("models", "micro-a"), ("tasks", "chance 0.10"), ("arms", "majority_vote"), ("claims", "arXiv")]
)
def test_list_says_what_there_is(what, said):
    result = CliRunner().invoke(cli, ["list", what])
    assert result.exit_code == 0 and said in result.output


def test_diagnose_measures_alignment_and_answers_in_json():
    import json

    result = CliRunner().invoke(
        cli, ["diagnose", "--model", "micro-a", "--task", "ordering", "--samples", "16", "--json"]
    )
    found = json.loads(result.stdout)
    assert found["panel"] == "strong" and {f["claim"]: f["paper"] for f in found["expected"]}["one_example"] == "holds"
    assert (
        found["alignment"]["pass@1"]["low"]
        < found["alignment"]["pass@1"]["value"]
        < found["alignment"]["pass@1"]["high"]
    )
