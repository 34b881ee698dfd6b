"""No dead ends: every link of every committed page leads to a committed file, or to an anchor that is there."""

import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """The targets of a page's links, and the anchors that it has."""

    def __init__(self, text: str):
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.targets += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        self.anchors.add(attributes.get("id") or "")


def dead(page: Path, files: set[Path]) -> list[str]:
    """Links of the page that lead to none of the files and no anchor; outside, to arXiv alone."""
    found = Links(page.read_text(encoding="utf-8"))
    wrong = []
    for target in found.targets:
        path, _, anchor = target.partition("#")
        if target.startswith(("data:", "https://")):
            continue
        if path and (page.parent / unquote(path)).resolve() not in files:
            wrong.append(target)
        if not path and anchor and unquote(anchor) not in found.anchors:
            wrong.append(target)
    return wrong


def committed() -> set[Path]:
    """The files of the repository; without git, those on disk but for pages of runs, which are not committed."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "reports"], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return {(ROOT / name).resolve() for name in listed.stdout.split("\0") if name}
    return {p.resolve() for p in (ROOT / "reports").rglob("*") if p.is_file() and p.parent.name != "runs"}


FILES = committed()
PAGES = sorted(path for path in FILES if path.suffix == ".html" and path.is_file())


@pytest.mark.parametrize(
    "page",
    PAGES,
    ids=lambda page: f"{page.parent.name}/{page.name}",
)
def test_every_link_of_a_committed_page_leads_somewhere(page):
    wrong = dead(page, FILES)
    assert not wrong, f"{len(wrong)} dead links, the first: {wrong[:3]}"


def test_a_dead_link_and_a_missing_anchor_are_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<h2 id="here"></h2><a href="#here"></a><a href="#there"></a><a href="no.html#x"></a><a href="page.html"></a>'
    )
    assert dead(page, {page.resolve()}) == ["#there", "no.html#x"]
