"""Pages in a real headless Chromium: no request, no console error, no scroll sideways on a phone, hostile text inert,
nothing serious found by axe-core."""

import base64
import io
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import matplotlib.pyplot as plt
import nbformat
import pytest

from mtalign.config.run import Run
from mtalign.notebook.pages import open_grid
from mtalign.records.store import Records
from mtalign.report import html, run_pages
from mtalign.report.html import clean, stamp, without_headings
from mtalign.report.site import make_report
from mtalign.runs.provenance import provenance

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

GRID = """
grid: {model: [micro-a], task: [ordering, logic], arm: [base, standard, random], seed: [0, 1]}
fixed: {max_steps: 4, eval_prompts: 3, num_samples: 64}
notebooks: {each: {}, final: {10_verdicts: {}}}
"""
HOSTILE = (
    "</td><script>document.title='run'</script><img src=x onerror=\"document.title='run'\"><iframe src=//example.org>"
)
WIDE = "| {} |\n|{}\n| {} |\n".format(" | ".join(["a_long_word"] * 9), "---|" * 9, " | ".join(["`another_one`"] * 9))


def evaluation(right: int) -> dict:
    return {
        "num_samples": 64,
        "correct": [right] * 3,
        "answers": [{"9": right, HOSTILE: 64 - right}] * 3,
        "greedy": [True, False, True],
        "majority": [1.0, 0.0, 1.0],
        "thinking": 0.4,
        "samples": [{"prompt": "p", "answer": "1", "completion": HOSTILE}] * 10,
    }


def synthetic(run: Run) -> dict:
    """A record as a run would leave it, with hostile text where model text goes."""
    before, after = evaluation(20), evaluation({"base": 20, "standard": 64, "random": 18}[run.arm])
    if run.max_steps:
        before = {key: value for key, value in before.items() if key not in ("answers", "samples")}
    curve = {"step": [1, 3, 5], "accuracy": [0.1, 0.5, 0.9], "reward": [None] * 3, "entropy": [1.0, 0.5, 0.1]}
    record = {"status": "finished", "before": before, "after": after, "seconds": 1.0} | provenance(run)
    return record | ({"curve": curve} if run.max_steps else {})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A report made of synthetic records, one of them a failure whose reason is hostile, and an executed notebook."""
    out = tmp_path_factory.mktemp("site")
    (out / "pages.grid.yaml").write_text(GRID)
    grid, records = open_grid(out / "pages.grid.yaml"), Records(out / "records")
    records.prepare()
    for run in grid.runs:
        failed = run.arm == "random" and run.task == "logic" and run.seed == 1
        records.write(run, {"status": "failed", "reason": HOSTILE} if failed else synthetic(run))
    data = {
        "text/markdown": f"- {HOSTILE}\n\n[link](javascript:alert(1))",
        "text/html": f"<table><tr><th></th><th>a</th></tr><tr><th>0</th><td>{HOSTILE}</td></tr></table>",
    }
    outputs = [nbformat.v4.new_output("display_data", {kind: text}) for kind, text in data.items()]
    outputs.append(nbformat.v4.new_output("stream", text=HOSTILE))
    picture = io.BytesIO()
    plt.figure().savefig(picture, format="png")
    plain = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": f"bars {HOSTILE}"}
    figure = nbformat.v4.new_output("display_data", plain)
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("x = 1  # comment\n" + "y = 'text' + 1" * 60, outputs=outputs),
        nbformat.v4.new_markdown_cell(f"## A 'headline': how?\nAccuracy {HOSTILE} of *each* arm. With intervals."),
        nbformat.v4.new_code_cell("draw()", outputs=[figure]),
        nbformat.v4.new_markdown_cell(WIDE),
        nbformat.v4.new_code_cell("table()", outputs=[nbformat.v4.new_output("display_data", {"text/markdown": WIDE})]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), out / "10_verdicts.ipynb")
    make_report(out, seconds=1.0, run_pages=True)
    return out


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


RUN = Run("micro-a", "logic", max_steps=4, eval_prompts=3)
PAGES = ["index.html", "claims.html", "predictions.html", "10_verdicts.html", "runs.html", f"runs/{RUN.run_id}.html"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_quiet_fits_and_runs_nothing(site, browser, name, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.wait_for_timeout(200)
    own = [site / name] + [site / "runs/style.css"] * name.startswith("runs/")
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri() for path in own]
    assert errors == []
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"  # the style is there
    assert page.title() != "run" and page.locator("iframe, [onerror]").count() == 0
    assert page.locator("script").count() == (name == "runs.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("a[href^='javascript']").count() == 0
    page.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme, width", [("light", 360), ("light", 1280), ("dark", 1280)])
def test_axe_finds_nothing(site, browser, name, scheme, width):
    import axe_playwright_python

    source = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto((site / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate(source)
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "axe has looked"
    assert not found["violations"], [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in found["violations"]]
    page.close()


def test_the_index_tells_the_story_and_shows_the_hole(site, browser):
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    text = page.inner_text("body")
    words = ("What was found", "Which claims hold where", "standard RL", "How it was made", "Holes", "Limits")
    for each in (*words, "torch 2.13.0"):
        assert each in text, each
    image = page.locator("figure img").first
    assert image.evaluate("i => i.naturalWidth") > 500 and "standard RL 1.00" in image.get_attribute("alt")
    page.close()


def test_the_index_shows_an_example_of_each_task_and_model_text_in_it_is_inert(site, browser):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto((site / "index.html").as_uri())
    section = page.locator("section[aria-labelledby=tasks]")
    assert section.locator("tbody tr").count() == 2 and section.locator("script, iframe").count() == 0
    assert "Wrong" in section.inner_text() and "document.title" in section.inner_text()
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(site, browser, name):
    page = browser.new_page()
    page.goto((site / name).as_uri())
    for link in page.locator("a[href]").all():
        href, _, anchor = link.get_attribute("href").partition("#")
        assert not href or href.startswith("https://arxiv.org/") or ((site / name).parent / href).is_file(), href
        if anchor and not href:
            assert page.evaluate("id => document.getElementById(id) !== null", unquote(anchor)), anchor
    page.close()


def test_a_notebook_has_contents_folded_code_and_figures_in_words(site, browser):
    page = browser.new_page()
    page.goto((site / "10_verdicts.html").as_uri())
    assert not page.locator("details.code pre").first.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    image = page.locator("figure img").first
    assert image.get_attribute("alt") == f"bars {HOSTILE}"
    assert "Figure 1. Accuracy" in page.locator("figcaption").inner_text()
    assert "Figure 1: Accuracy" in page.locator("nav.toc").inner_text() and page.locator("nav.toc a").count() == 2
    page.close()


def test_the_table_of_runs_sorts_and_filters_and_downloads(site, browser):
    import csv

    page = browser.new_page()
    page.goto((site / "runs.html").as_uri() + "#q=logic%20standard")
    rows = page.locator("tbody tr:visible")
    assert rows.count() == 2 and page.locator("#count").inner_text() == "2 of 10"
    page.fill("#filter", "")
    assert rows.count() == 10
    button = page.get_by_role("button", name="accuracy", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort=ascending]").inner_text().strip().startswith("accuracy")
    column = [cell for cell in page.locator("tbody tr td:nth-child(7)").all_inner_texts() if cell]
    assert column == sorted(column, key=float) and len(column) == 9
    page.keyboard.press("Enter")
    assert [c for c in page.locator("tbody tr td:nth-child(7)").all_inner_texts() if c] == column[::-1]
    page.close()
    with open(site / "runs.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 10 and {row["run_id"] for row in found} == {p.stem for p in (site / "records").iterdir()}


def test_a_table_of_many_runs_shows_some_of_them_at_once(site, browser, tmp_path, monkeypatch):
    many = shutil.copytree(site, tmp_path / "many")
    monkeypatch.setattr(run_pages, "SHOWN", 4)
    make_report(many)
    page = browser.new_page()
    page.goto((many / "runs.html").as_uri())
    rows, count = page.locator("tbody tr:visible"), page.locator("#count")
    assert rows.count() == 4 and count.inner_text() == "10 of 10, 1 to 4 shown"
    first = rows.all_inner_texts()
    for _ in range(3):  # there are three pages: the last click does nothing
        page.get_by_role("button", name="later").click()
    assert rows.count() == 2 and count.inner_text() == "10 of 10, 9 to 10 shown"
    assert not set(first) & set(rows.all_inner_texts())
    page.fill("#filter", "logic standard")
    assert rows.count() == 2 and count.inner_text() == "2 of 10" and not page.locator("#pager").is_visible()
    page.close()


def test_a_run_has_its_curve_and_ten_completions(site, browser):
    page = browser.new_page()
    page.goto((site / PAGES[-1]).as_uri())
    assert "entropy from 1.00 to 0.10" in page.locator("svg").nth(1).get_attribute("aria-label")
    assert page.locator("table").nth(1).locator("tbody tr").count() == 10
    assert "max_steps 4" in page.inner_text("main") and "Deviations" in page.inner_text("main")
    page.close()


def test_a_changed_page_is_seen(site, tmp_path):
    page = site / "index.html"
    assert stamp(page)[1] and len(stamp(page)[0]) == 64
    (tmp_path / "page.html").write_text(page.read_text().replace("1.00", "0.99"))
    assert not stamp(tmp_path / "page.html")[1]


def test_a_study_of_1200_runs_stays_under_20_mb(site):
    runs = [p.stat().st_size for p in (site / "runs").glob("*.html")]
    assert 1200 * max(runs) < 20e6


def test_clean_keeps_tables_and_drops_what_runs():
    assert "<td>1</td>" in clean("<table><tr><td>1</td></tr></table>")
    for hostile in (HOSTILE, "<a href='javascript:x()'>a</a>", "<svg onload=x()>", "<style>*{}</style>"):
        assert not any(
            word in clean(hostile) for word in ("<script", "onerror=", "<iframe", "javascript:", "onload", "<style")
        )


@pytest.mark.parametrize(
    "posing, shown",
    [
        ('<h2 id="verdicts">Verdicts</h2>', '<h2 id="n-verdicts">Verdicts</h2>'),
        ('<p class="holds wide">holds</p>', '<p class="">holds</p>'),
        ('<a href="https://x.example/report">our report</a>', "<a>our report</a> (https://x.example/report)"),
        ('<a href="runs.html">runs</a>', "<a>runs</a> (runs.html)"),
        ('<a href="#content">up</a>', '<a href="#n-content">up</a>'),
        ('<span class="l1">line</span>', '<span class="">line</span>'),
        ('<div class="box tip toc t1 key">found</div>', '<div class="">found</div>'),
    ],
)
def test_text_of_models_and_notebooks_cannot_pose_as_ours(posing, shown):
    assert clean(posing) == shown


def test_no_class_of_our_style_sheet_is_left_but_those_of_code():
    style = (html.TEMPLATES / "style.css").read_text()
    names = set(re.findall(r"\.([A-Za-z][\w-]*)", style)) - html.OF_CODE
    assert len(names) > 30 and clean(f'<i class="{" ".join(sorted(names))}">x</i>') == '<i class="">x</i>'


def test_a_tag_of_a_cell_gives_it_no_class_of_ours(tmp_path):
    cell = nbformat.v4.new_code_cell("1", metadata={"tags": ["x holds far3", "parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    body, _ = html.notebook_body(tmp_path / "a.ipynb")
    assert "holds" not in body and "celltag_parameters" in body


def test_marks_of_direction_in_text_of_a_model_turn_none_of_ours():
    assert html.templates().from_string("{{ said }}, we say").render(said="\u202eab\u2066") == "ab, we say"


def test_headings_that_code_prints_are_none_of_the_page():
    assert "<h" not in without_headings(clean("<h1>a</h1><h4 id='b'>c</h4>"))


def test_a_wide_table_of_a_notebook_scrolls_by_itself(site, browser):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto((site / "10_verdicts.html").as_uri())
    assert (
        page.evaluate("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length")
        == 2
    )
    page.close()


def test_tables_keep_the_cells_that_span_others():
    table = '<table><tr><th rowspan="2" onclick="x()">a</th><td colspan="3">b</td></tr></table>'
    assert clean(table).replace("<tbody>", "").replace("</tbody>", "") == table.replace(' onclick="x()"', "")


def test_a_cell_of_the_matrix_tells_its_value_interval_and_seeds_on_focus_and_leads_to_its_runs(site, browser):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto((site / "index.html").as_uri())
    cell = page.locator("table.strip a.cell", has_text="random reward on micro-a, ordering")
    tip = cell.locator(".tip")
    assert tip.bounding_box()["width"] <= 2  # not seen ...
    cell.focus()
    box = tip.bounding_box()
    assert box["width"] > 200 and box["x"] >= 0 and box["x"] + box["width"] <= 360  # ... but on focus, and whole
    assert re.search(r"share -?\d\.\d\d \[.*\], 2 seeds; alignment", tip.inner_text())
    cell.press("Enter")
    assert page.url.endswith("runs.html#q=micro-a%20ordering%20random")
    assert page.locator("tbody tr:visible").count() == 2
    page.close()


def test_a_wide_picture_scrolls_in_its_box_on_a_phone_and_says_so(site, browser):
    for width, scrolls in ((360, True), (1280, False)):
        page = browser.new_page(viewport={"width": width, "height": 800})
        for name in ("10_verdicts.html", "index.html"):
            page.goto((site / name).as_uri())
            shown, dots = page.evaluate(
                "(i => [i.clientWidth, i.naturalWidth])(document.querySelector('.picture img'))"
            )
            natural = dots * 100 / (130 if name == "index.html" else 100)  # at 100 dots an inch
            assert shown == pytest.approx(natural, abs=1) if scrolls else shown <= natural
            assert page.locator(".hint").first.is_visible() == scrolls
        page.close()
