"""What the texts for readers name is there: files, functions, tests, arms and claims."""

import contextlib
import importlib
import re
import shlex
from collections import Counter
from html import unescape
from pathlib import Path

import click
import pytest
import yaml

from mtalign import metrics, released, subsets
from mtalign.claims.verdicts import CLAIMS
from mtalign.cli.main import cli
from mtalign.config.arms import ARMS, OBJECTIVES, REWARDS
from mtalign.config.errors import ConfigError
from mtalign.config.grid import load_grid
from mtalign.config.recipes import ORIGINALS
from mtalign.notebook.cells import cells

ROOT = Path(__file__).parents[1]
DOCS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").glob("*.md")),
]
INDEX = ROOT / "docs" / "paper_index.md"
MINE = re.compile(
    r"own\.|my_|mine|short_answers|reports/(quick|paper)|\.\./|out\.ipynb|samples_"
)  # of the reader, or made by a command
FOLDERS = (
    "mtalign|tests|params|notebooks|reports|docs|config|tasks|grading|models|speed|generation|training|records|runs"
)
FOLDERS += "|claims|notebook|report|study|diagnosis|cli"  # files of a wing can be named without the package
PATH = re.compile(rf"`((?:(?:{FOLDERS})/[\w./-]+)|[\w-]+\.(?:md|toml|yml|cff|sh))`")
FUNCTION = re.compile(r"\b(mtalign(?:\.\w+)+):(\w+)")
MODULE = re.compile(r"`(?:python -m )?((?:mtalign|tests)(?:\.\w+)+)`")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}

pytestmark = pytest.mark.skipif(not DOCS[0].is_file(), reason="needs a checkout")


def without_blocks(path: Path) -> str:
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def missing(text: str) -> list[str]:
    """What a text names and is not there."""
    lost = []
    for name in PATH.findall(text):
        places = (ROOT, ROOT / "mtalign", ROOT / "params", ROOT / "reports")
        if not MINE.search(name) and not any((place / name).exists() for place in places):
            lost.append(name)
    for module, name in FUNCTION.findall(text):
        if not hasattr(importlib.import_module(module), name):
            lost.append(f"{module}:{name}")
    for module in MODULE.findall(text):
        parent, _, name = module.rpartition(".")
        if parent.startswith("tests") or module.startswith("tests."):  # not installed: looked for in the checkout
            path = ROOT.joinpath(*module.split("."))
            lost += [] if path.is_dir() or path.with_suffix(".py").is_file() else [module]
            continue
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            if not hasattr(importlib.import_module(parent), name):
                lost.append(module)
    return lost + [name for name in re.findall(r"`(test_\w+)`", text) if name not in TESTS and name not in ARMS]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_function_and_test_that_is_named_is_there(path):
    assert missing(without_blocks(path)) == []


@pytest.mark.parametrize(
    "text, lost",
    [
        ("`mtalign/nothing.py` and `rewards.py`", ["mtalign/nothing.py"]),
        ("`mtalign.rewards:nothing`, `mtalign.rewards:random`", ["mtalign.rewards:nothing"]),
        ("`mtalign.config.nothing`, `mtalign.config.run`", ["mtalign.config.nothing"]),
        ("`test_nothing_is_here`, `test_no_votes_no_reward`", ["test_nothing_is_here"]),
    ],
)
def test_what_is_not_there_is_found(text, lost):
    assert missing(text) == lost


def commands(text: str) -> list[list[str]]:
    """The `mtalign` commands of a text's shell blocks, as words; of alternatives the first, and what is in brackets, too."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    found = []
    for line in re.split(r"\n|&&|; do", blocks):
        if line.strip().startswith("mtalign "):
            plain = re.sub(r"\s#.*|[][]|(?<=[a-z])(\|[a-z]+)+|; done", "", line)
            found.append(shlex.split(plain)[1:])
    return found


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_in_a_block_is_one_that_the_command_line_takes(path):
    for name, *arguments in commands(path.read_text(encoding="utf-8")):
        with contextlib.suppress(ConfigError):  # a folder that is not there yet; options are looked at before
            cli.commands[name].make_context(name, [re.sub(r"^[A-Z]$", "1", each) for each in arguments])


def test_a_command_that_does_not_exist_or_lacks_an_option_is_found():
    (name, *arguments), *_ = commands("```sh\nmtalign warm-up m --dose 1 \\\n --task t [--rate 2]  # fast\n```")
    with pytest.raises(click.NoSuchOption, match="--rate"):
        cli.commands[name].make_context(name, arguments)


def test_the_paper_index_has_every_published_arm_and_every_source_that_the_code_names():
    text = INDEX.read_text(encoding="utf-8")
    titles = " ".join(re.findall(r"^### .*$", text, re.MULTILINE))
    assert {arm for arm in [*ORIGINALS, *released.REWARDS, *released.OBJECTIVES] if f"`{arm}`" not in titles} == set()
    named = [function.__doc__ or "" for function in [*REWARDS.values(), *OBJECTIVES.values()]]
    named += [claim.source for claim in CLAIMS.values()] + [
        metrics.pass_at_k.__doc__,
        subsets.historical_variance.__doc__,
    ]
    numbers = {number for each in named for number in re.findall(r"\d{4}\.\d{5}", each)}
    assert len(numbers) >= 7 and {number for number in numbers if number not in text} == set()


def test_the_paper_index_says_of_an_arm_whether_the_study_has_runs_of_it():
    entries = re.split(r"^### ", INDEX.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    without = {arm for entry in entries if "No run of this arm is in the study" in entry for arm in titled(entry)}
    runs = load_grid(ROOT / "params" / "study.yaml").runs
    arms = Counter(run.arm for run in runs)
    assert without == {arm for entry in entries for arm in titled(entry) if arm in ARMS and arm not in arms} != set()
    (entry,) = (entry for entry in entries if titled(entry) == ["test_time"])
    assert f"has {arms['test_time']} runs of this arm" in entry


def titled(entry):
    """The names in the title of an entry of the paper index, before it says what they are."""
    return re.findall(r"`([^`]+)`", entry.partition("\n")[0].partition(": ")[0])


def test_the_citation_names_the_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project and citation["license"] in project
    assert citation["references"][0]["url"].endswith("2508.21188")


def test_the_source_archive_has_the_texts():
    include = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("targets.sdist]")[1].split("]")[0]
    assert all(f'"{name}"' in include for name in ("docs", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff"))


def test_the_readme_quotes_what_the_committed_map_says_of_each_level():
    texts = [
        "".join(o.get("data", {}).get("text/markdown", ""))
        for c in cells(ROOT / "reports/map/16_map.ipynb")
        for o in c.get("outputs", [])
    ]
    said = next(text for text in texts if text.startswith("- **The centre**"))
    stated = [line.removeprefix("- ").replace("**", "") for line in said.splitlines()]
    assert quoted_from("map") == stated


def quoted_from(report: str) -> list[str]:
    """The items of the README's block of findings of a report, each on one line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"findings of reports/{report}[^>]*-->\n(.*?)\n<!-- end of findings", text, re.DOTALL)[1]
    return [" ".join(line.split()) for line in block.removeprefix("- ").split("\n- ")]


@pytest.mark.parametrize("report", ["study", "decide"])
def test_the_readme_quotes_the_findings_that_a_committed_index_states(report):
    page = (ROOT / "reports" / report / "index.html").read_text(encoding="utf-8")
    section = re.search(r'<section class="finding".*?</section>', page, re.DOTALL)[0]
    stated = [
        " ".join(re.sub(r"<[^>]+>", "", item).split()) for item in re.findall(r"<li>(.*?)</li>", section, re.DOTALL)
    ]
    assert quoted_from(report) == [unescape(each) for each in stated]
