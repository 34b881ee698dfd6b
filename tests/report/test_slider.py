"""The slider of a dose ladder in a real headless Chromium, under the policy of its page; without scripts it is not there."""

import shutil

import pandas as pd
import pytest

from mtalign.report import html
from mtalign.report.dose_panel import panel
from mtalign.report.dose_slider import stops
from mtalign.report.findings import MEASURE
from mtalign.stats import Estimate

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
SHARES = pd.DataFrame(
    {"model": m, "task": t, "arm": "majority_vote", MEASURE: x, "recovered": Estimate(v, v - 0.1, v + 0.1), "value": max(v, -1.0),
     "took_off": taken, "runs": 5}
    for m, t, x, v, taken in (("dose-0.04", "logic", 0.1, -2.5, 0), ("dose-0.04", "sums", 0.12, 0.25, 1), ("dose-0.40", "logic", 0.9, 0.97, 5))
)  # fmt: skip
FLIPS = pd.DataFrame({"arm": ["majority_vote"], "flip": [0.2], "low": [0.1], "high": [0.3]})
PAGE = (
    "{% import 'parts.html' as parts with context %}{% include 'head.html' %}"
    "{{ parts.slider(stops) }}{{ parts.dose_panel(panel, 'deciding') }}"
)


def test_a_stop_has_the_ends_of_the_shares_over_tasks_and_a_dose_without_gain_says_so():
    none, low, high = stops(SHARES, [0.0, 0.04, 0.4])
    assert (none.dose, none.rows) == ("0.00", [])
    assert (low.alignment, low.rows) == ("0.10 to 0.12", [("majority vote", "-2.50 to 0.25", "1 of 10")])
    assert high.rows == [("majority vote", "0.97", "5 of 5")]
    assert stops(SHARES, []) == []


def test_a_share_outside_the_panel_is_an_arrow_with_a_note():
    found = panel(SHARES, FLIPS, "majority_vote")
    assert found.outside == [-2.5] and "-2.50" in found.text
    text = html.templates().from_string(PAGE).render(stops=[], panel=found, made_from="")
    assert "outside the picture, at -2.50" in text


@pytest.fixture(scope="module")
def page_of_a_ladder(tmp_path_factory):
    path = tmp_path_factory.mktemp("slider") / "index.html"
    given = {"stops": stops(SHARES, [0.0, 0.04, 0.4]), "panel": panel(SHARES, FLIPS, "majority_vote")}
    path.write_text(html.templates().from_string(PAGE).render(script="slider", made_from="", **given))
    return path


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
def test_the_slider_shows_one_dose_at_a_time_and_is_not_there_without_scripts(page_of_a_ladder):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page, errors = browser.new_page(viewport={"width": 360, "height": 700}), []
        page.on("console", lambda message: errors.append(message.text))
        page.goto(page_of_a_ladder.as_uri())
        slider, bright = page.get_by_role("slider"), page.locator(".point:not(.faded)")
        assert bright.count() == 3 and page.locator("table:visible").count() == 0
        slider.press("ArrowRight")
        assert "standard RL gains too little" in page.locator("table:visible").inner_text() and bright.count() == 0
        slider.press("ArrowRight")
        assert page.locator("output").inner_text() == "dose 0.04" and bright.count() == 2
        assert "-2.50 to 0.25" in page.locator("table:visible").inner_text()
        slider.press("Home")
        assert bright.count() == 3 and errors == []
        still = browser.new_context(java_script_enabled=False).new_page()
        still.goto(page_of_a_ladder.as_uri())
        assert not still.locator("#slider").is_visible() and still.locator(".point:not(.faded)").count() == 3
        browser.close()
