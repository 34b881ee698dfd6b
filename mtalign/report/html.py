"""Pages: templates and text of models in, HTML out that runs nothing of theirs, loads nothing and says what it is made from.

A page carries `<meta name="mtalign" content="from A sum B">`: A is the digest of its source (an executed notebook, a
record, or all records of the grid), B its own, so that `mtalign verify` sees a page that is old or was changed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import bleach
import jinja2
import nbformat
from bleach.html5lib_shim import Filter
from markupsafe import Markup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from mtalign.claims.predictions import counted
from mtalign.config import paths
from mtalign.config.paths import write_whole
from mtalign.report.predictions import judged_in

STAMP = re.compile(r'<meta name="mtalign" content="from ([0-9a-f]{64}) sum ([0-9a-f]{64})">')
BLANK = "0" * 64
PHONE = (
    328  # what a page of 360 dots leaves for a picture; a wider one scrolls in its box, so that its text stays readable
)
SCOPED_STYLE = re.compile(r"<style scoped>.*?</style>", re.DOTALL)  # of pandas tables; ours is in style.css
TAGS = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
]
SPANS = ["id", "class", "rowspan", "colspan"]
ATTRIBUTES = {"*": ["id", "class"], "a": ["id", "class", "href"], "td": SPANS, "th": SPANS}
ID, CLASS, HREF = (None, "id"), (None, "class"), (None, "href")  # as html5lib names them
OWN_ID = "n-"  # before every id of what is cleaned: none of ours begins so
HARMLESS = re.compile(
    r"highlight|hl-[\w-]+|dataframe|anchor-link|(?!l\d)[a-z][a-z0-9]{0,2}"
)  # classes of code and tables
SHOWN = ["text/html", "text/markdown", "image/png", "text/plain"]  # of an output, the first that there is
TEMPLATES = paths.PACKAGE / "templates"


def templates() -> jinja2.Environment:
    """The environment of all pages: everything is escaped but `Markup`."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    scripts = {name: (TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in ("runs", "slider")}
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("xcode", "lightbulb"))
    environment.globals |= {
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "code_style": Markup(f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"),
        "scripts": {name: Markup(text) for name, text in scripts.items()},
        "hashes": {
            name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for name, text in scripts.items()
        },
        "blank": BLANK,
    }
    return environment


def write(path: Path, html: str) -> None:
    """Puts a page in its place, whole, with its own digest filled in."""
    write_whole(path, html.replace(f"sum {BLANK}", f"sum {digest(html)}", 1))


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()


def stamp(path: Path) -> tuple[str, bool]:
    """The digest of what the page was made from ("" where it is no page of ours), and whether it is unchanged."""
    html = path.read_text(encoding="utf-8", errors="replace")
    found = STAMP.search(html)
    if not found:
        return "", False
    return found[1], digest(html.replace(f"sum {found[2]}", f"sum {BLANK}", 1)) == found[2]


def notebook_body(executed: Path) -> tuple[Markup, list[tuple[str, str]]]:
    """The notebook as an HTML fragment, cleaned of scripts and styles, and its contents as (anchor, words).

    Code is folded. A figure's caption is the sentence before it, its alternative text the output's plain text.
    """
    notebook = nbformat.read(executed, as_version=4)
    number, before, contents = 0, "", []
    if notebook.cells and (found := [row["outcome"] for row in judged_in(executed)]):
        notebook.cells[0].source += f"\n\n**What came of it**, judged at the end of the page: {counted(found)}."
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            before = cell.source
            contents += [(_anchor(line), plain(line)) for line in before.splitlines() if line.startswith("## ")]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = SCOPED_STYLE.sub("", data["text/html"]).replace(
                    "<th></th>", "<td></td>"
                )  # a corner
            if "image/png" in data:
                number += 1
                caption = first_sentence(before)
                text = data.get("text/plain", "")
                output["metadata"] = {
                    "figure": number, "caption": caption, "alt": caption if text.startswith("<Figure") else text,
                    "wide": width(base64.b64decode(data["image/png"])) > PHONE,
                }  # fmt: skip
                contents.append((f"figure-{number}", f"Figure {number}: {caption}"))
    return Markup(_exporter().from_notebook_node(notebook)[0]), contents


def width(png: bytes) -> int:
    """The width of a picture, in its dots: the first number of its header."""
    return int.from_bytes(png[16:20])


@cache
def _exporter() -> HTMLExporter:
    """One for all notebooks: its templates are read once."""
    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}), template_name="mtalign",
        extra_template_basedirs=[str(TEMPLATES / "nbconvert")], sanitize_html=True,
        exclude_input_prompt=True, exclude_output_prompt=True,
    )  # fmt: skip
    exporter.register_filter("clean_html", clean)
    exporter.register_filter("scrolling", scrolling)
    exporter.register_filter("without_headings", without_headings)
    return exporter


def _anchor(heading: str) -> str:
    """The id that a heading has here: nbconvert gives it its words with hyphens, `clean` what tells it from ours."""
    return OWN_ID + heading.lstrip("# ").strip().replace(" ", "-")


def plain(markdown: str) -> str:
    """Markdown of a line or a paragraph as text.

    >>> plain("## **Which** `claims` hold?")
    'Which claims hold?'
    """
    return " ".join(re.sub(r"[*`#]+", "", markdown).split())


def first_sentence(markdown: str) -> str:
    """The first sentence below any heading; of no text, "Drawn by the code above".

    >>> first_sentence("## Headline\\nAccuracy of each arm. With intervals.")
    'Accuracy of each arm.'
    """
    text = plain(" ".join(line for line in markdown.splitlines() if not line.startswith("#")))
    return re.split(r"(?<=[.?!])\s", text)[0] or "Drawn by the code above."


class _NotOurs(Filter):
    """What is cleaned cannot pose as ours: its ids are its own, it has the classes of code and tables, no link leads out."""

    def __iter__(self):
        leads_to = ""
        for token in super().__iter__():
            attributes = token.get("data")
            if token["type"] in ("StartTag", "EmptyTag") and attributes:
                if ID in attributes:
                    attributes[ID] = OWN_ID + attributes[ID]
                if CLASS in attributes:
                    attributes[CLASS] = " ".join(name for name in attributes[CLASS].split() if HARMLESS.fullmatch(name))
                if token["name"] == "a" and HREF in attributes:
                    if attributes[HREF].startswith("#"):
                        attributes[HREF] = "#" + OWN_ID + attributes[HREF][1:]
                    else:
                        leads_to = attributes.pop(HREF)
            yield token
            if token["type"] == "EndTag" and token["name"] == "a" and leads_to:
                yield {"type": "Characters", "data": f" ({leads_to})"}
                leads_to = ""


@cache
def _cleaner() -> bleach.Cleaner:
    return bleach.Cleaner(tags=TAGS, attributes=ATTRIBUTES, strip=True, filters=[_NotOurs])


def clean(html: str) -> str:
    """The HTML with its text and tables, and nothing that runs, loads, styles, leads out of the page or poses as ours.

    >>> clean("<p onclick='x()'>a<script>b()</script><img src=x onerror=y></p>")
    '<p>ab()</p>'
    >>> clean('<p id="content" class="holds n">a <a href="https://b.example">c</a></p>')
    '<p id="n-content" class="n">a <a>c</a> (https://b.example)</p>'
    """
    return _cleaner().clean(str(html))


def without_headings(html: str) -> str:
    """Clean HTML whose headings are paragraphs: headings of a page are in its own text, not in what code or models print.

    >>> without_headings("<h2>Verdicts</h2>")
    '<p><strong>Verdicts</strong></p>'
    """
    html = re.sub(r"<h[1-4]\b[^>]*>", "<p><strong>", html)
    return re.sub(r"</h[1-4]>", "</strong></p>", html)


def scrolling(html: str) -> str:
    """Clean HTML whose tables scroll by themselves where the window is narrow, with the keyboard too.

    >>> scrolling("<p>a</p><table></table>")
    '<p>a</p><div class="scroll" tabindex="0"><table></table></div>'
    """
    return html.replace("<table", '<div class="scroll" tabindex="0"><table').replace("</table>", "</table></div>")
