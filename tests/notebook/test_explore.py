"""The slider moves in a browser, says the same as the table, and runs nothing that a name holds."""

import shutil

import pandas as pd
import pytest

from mtalign.notebook.explore import slider
from mtalign.stats import Estimate

M = "chance-corrected pass@4"
TABLE = pd.DataFrame(
    [
        {"model": name, "task": "logic", "arm": arm, M: level, "recovered": Estimate(share, share, share), "took_off": 2, "runs": 5}
        for arm in ("nsr", "random")
        for name, level, share in (("</script><b>x</b>", 0.9, 0.8), ("weak", 0.1, 0.2))
    ]
)  # fmt: skip


def test_rows_go_from_the_least_to_the_most_aligned_and_where_there_are_none_a_line_says_so():
    rows = slider(TABLE).rows
    assert rows[0]["text"].startswith("weak, logic: alignment 0.10; the arm recovers 0.20 [0.20, 0.20]")
    assert "2 of 5 runs take off" in rows[0]["text"]
    assert set(slider(pd.DataFrame())._repr_mimebundle_()) == {"text/plain"}
    assert "</script>" not in slider(TABLE)._repr_mimebundle_()["application/javascript"]


@pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="needs Chromium on the PATH"
)
def test_the_slider_moves_in_a_browser_and_names_stay_text():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<div id=e></div>")
        code = slider(TABLE)._repr_mimebundle_()["application/javascript"]
        page.evaluate("code => { const element = document.getElementById('e'); eval(code) }", code)
        assert page.inner_text("p").startswith("weak")
        page.locator("input").fill("1")
        assert (
            page.inner_text("p").startswith("</script><b>x</b>, logic: alignment 0.90")
            and page.locator("b").count() == 0
        )
        page.locator("select").select_option(index=1)
        assert page.inner_text("p").startswith("</script>")
        browser.close()
