"""Hostile text: completions made up by Hypothesis go through extraction, grading, rewards, records and pages. No exception,
nothing executed, nothing over 2 s, no script in a page.

`pytest tests/test_fuzz.py` tries a part of them; `pytest -m slow tests/test_fuzz.py` tries more than 10,000.
"""

import json
import subprocess
import sys
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtalign.config.arms import REWARDS as ARM_REWARDS
from mtalign.config.run import Run
from mtalign.grading.answers import GRADERS, extract, grade
from mtalign.records.store import Records
from mtalign.report.html import TAGS, clean, digest, notebook_body, templates, write
from mtalign.report.run_pages import csv, run_page, runs_table
from mtalign.rewards import REWARDS
from mtalign.runs.provenance import provenance

SECONDS = 2.0  # of processor time, of one grading
CHEAP = ["exact", "choice", "korbench-cipher", "korbench-puzzle", "korbench-counterfactual"]
PIECES = st.sampled_from(
    ["<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}", "[[", "]]", "####", "$", "\\frac", "{", "(", ")",
     "9" * 400, "9**9**9**9", "((((((((((", "__import__('os').system('touch executed')", "<script>document.title='run'</script>",
     "</td></tr></table>", "<img src=x onerror=alert(1)>", "{{ 7*7 }}", "{% raw %}", "\x00", "\ud800", "\u202e", "\n", "1e999999",
     "\\sqrt", "factorial(10**9)", "=cmd|'/c calc'!A0", "&lt;", "'\"><svg onload=alert(1)>", "javascript:alert(1)"]
)  # fmt: skip
TEXT = st.lists(st.one_of(PIECES, st.text(max_size=20), st.integers().map(str)), max_size=12).map("".join)
ANSWERS = st.sampled_from(["7", "1/2", "B", "NF", "[[A]]", "#### 18", "\\frac{1}{2}", "{1, 2}"])
COLUMNS = {
    "kind": ["exact"] * 4, "answer": ["7"] * 4, "label": ["8"] * 4, "seed": [0] * 4, "row": [0, 0, 1, 1],
    "trainer_state": SimpleNamespace(global_step=3, max_steps=9),
}  # fmt: skip
RUN = Run("micro-a", "logic", max_steps=4, eval_prompts=1, num_samples=4)


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """The library of mathematics is imported at its first use, which takes seconds on a busy machine."""
    for kind in GRADERS:
        grade("<answer>1/2</answer>", "1/2", kind)


def quick(function, *arguments):
    """The result, which must cost less than SECONDS of processor time: what judges apart has its own limit, by the kernel."""
    began = time.process_time()
    result = function(*arguments)
    assert time.process_time() - began < SECONDS, arguments
    return result


def some(number):
    return settings(
        max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
    )


def check_completion(text, answer):
    for kind in CHEAP:
        assert quick(grade, text, answer, kind) in (True, False)
        found = extract(text, kind)
        assert found is None or (isinstance(found, str) and found.strip() == found != "")


def check_rewards(texts):
    for name, reward in ARM_REWARDS.items():
        if name.startswith("entropy"):  # these read the model, never the text
            continue
        given_ = reward(prompts=["p", "p", "q", "q"], completions=texts, **COLUMNS)
        assert len(given_) == 4 and all(r is None or 0 <= r <= 1 for r in given_), name


class Inert(HTMLParser):
    """Fails at a tag or an attribute that could run or load something."""

    def handle_starttag(self, tag, attributes):
        allowed = {*TAGS, "html", "head", "body", "meta", "title", "link", "style", "main", "header", "nav", "figure",
                   "figcaption", "svg", "path", "text", "footer", "section", "img", "small", "caption"}  # fmt: skip
        assert tag in allowed, tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            assert not (
                name in ("href", "src") and (value or "").strip().lower().startswith(("javascript", "http", "//"))
            )


def check_page(folder, texts):
    """One record with the texts as completions and answers: written, read, shown."""
    records = Records(folder)
    records.prepare()
    evaluation = {
        "num_samples": 4, "correct": [1], "greedy": [False], "majority": [0.5], "thinking": 0.5,
        "answers": [{t: 1 for t in texts}],
        "samples": [{"prompt": t, "answer": t, "completion": t} for t in texts],
    }  # fmt: skip
    records.write(
        RUN, {"status": "finished", "before": evaluation, "after": evaluation, "seconds": 1.0} | provenance(RUN)
    )
    record = records.read(RUN)
    assert [s["completion"] for s in record["after"]["samples"]] == texts
    row = runs_table([record])[0]
    assert isinstance(csv([row | {"reason": texts[0]}]), bytes)
    page = run_page(record, row, record)
    html = templates().get_template("run.html").render(page, grid=SimpleNamespace(name="g"), made_from=digest("x"))
    write(folder / "page.html", html)
    Inert(convert_charrefs=True).feed((folder / "page.html").read_text())
    for text in texts:
        Inert().feed(clean(text))


@some(400)
@given(TEXT, ANSWERS)
def test_made_up_completions_are_graded_without_harm(text, answer):
    check_completion(text, answer)


@some(100)
@given(st.lists(TEXT, min_size=4, max_size=4))
def test_made_up_completions_are_rewarded_without_harm(texts):
    check_rewards(texts)


@some(8)
@given(texts=st.lists(TEXT, min_size=10, max_size=10, unique=True))
def test_made_up_completions_are_kept_and_shown_without_harm(texts, tmp_path_factory):
    check_page(tmp_path_factory.mktemp("fuzz"), texts)


@some(40)
@given(TEXT, ANSWERS)
def test_made_up_mathematics_is_graded_without_harm(text, answer):
    for kind in GRADERS:
        assert quick(grade, f"<answer>{text}</answer>", answer, kind) in (True, False)


@some(3)
@given(texts=st.lists(TEXT, min_size=20, max_size=20, unique=True))
def test_made_up_text_in_a_notebook_is_shown_without_harm(texts, tmp_path_factory):
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    path = tmp_path_factory.mktemp("fuzz") / "n.ipynb"
    outputs = []
    for text in texts:
        text = text.replace("\ud800", "")  # no notebook file can hold it
        outputs += [new_output("display_data", {kind: text}) for kind in ("text/html", "text/markdown", "text/plain", "image/svg+xml", "application/javascript", "text/latex")]  # fmt: skip
        outputs.append(new_output("stream", text=text))
    cells = [new_markdown_cell("# T"), new_code_cell("x", outputs=outputs)]
    nbformat.write(new_notebook(cells=cells), path)
    Inert().feed(str(notebook_body(path)[0]))


@pytest.mark.slow
@some(10_000)
@given(TEXT, ANSWERS)
def test_ten_thousand_completions_are_graded_without_harm(text, answer):
    check_completion(text, answer)


@pytest.mark.slow
@some(2_500)
@given(st.lists(TEXT, min_size=4, max_size=4))
def test_ten_thousand_completions_are_rewarded_without_harm(texts):
    check_rewards(texts)


@pytest.mark.slow
@some(1_000)
@given(texts=st.lists(TEXT, min_size=10, max_size=10, unique=True))
def test_ten_thousand_completions_are_kept_and_shown_without_harm(texts, tmp_path_factory):
    check_page(tmp_path_factory.mktemp("fuzz"), texts)


@pytest.mark.slow
@some(1_000)
@given(TEXT, ANSWERS)
def test_a_thousand_answers_are_graded_as_mathematics_without_harm(text, answer):
    for kind in GRADERS:
        assert quick(grade, f"<answer>{text}</answer>", answer, kind) in (True, False)


def test_rewards_that_read_text_are_all_among_those_tried():
    assert {name for name in REWARDS if not name.startswith("entropy")} <= set(ARM_REWARDS)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_folder_with_code_of_its_own_is_refused_and_its_code_not_run(tmp_path, file):
    import shutil

    from mtalign.models.load import checkpoint

    folder = shutil.copytree(checkpoint("micro-a"), tmp_path / "model")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nEvil = object\n")
    content = json.loads((folder / file).read_text())
    if file == "config.json":
        content |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}}
    else:
        content |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (folder / file).write_text(json.dumps(content))
    code = "import sys; from mtalign.models import load_model; load_model(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], input="y\ny\n", capture_output=True, text=True, timeout=300
    )
    assert not (tmp_path / "ran").exists()
    assert done.returncode != 0 or file == "tokenizer_config.json"


def test_pickled_weights_are_refused(tmp_path):
    import shutil

    from mtalign.models.load import checkpoint, load_model

    folder = shutil.copytree(checkpoint("micro-a"), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(OSError):
        load_model(str(folder))
    assert not (tmp_path / "ran").exists()


def test_yaml_that_asks_for_objects_is_refused(tmp_path):
    from mtalign.config.errors import ConfigError
    from mtalign.config.grid import load_grid

    (tmp_path / "grid.yaml").write_text("grid: !!python/object/apply:os.system ['touch executed']\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load_grid(tmp_path / "grid.yaml")
