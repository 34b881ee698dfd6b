"""What the index and the notebooks say, on synthetic records with known truth."""

import shutil

import numpy as np
import pytest
import yaml

from mtalign.claims.predictions import KIND
from mtalign.config import paths
from mtalign.config.grid import load_grid
from mtalign.notebook import conclusions
from mtalign.notebook.session import Session
from mtalign.records.store import Records
from mtalign.report.index import dial, ladder, paired, verdict_tables
from mtalign.report.site import make_report
from mtalign.tasks.registry import load_task

PROMPTS, SAMPLES = 20, 64
ACCURACY = {"base": 0.45, "standard": 0.97, "majority_vote": 0.95, "random": 0.4, "random_gated": 0.7}
NOTEBOOK = {"12_paired_arms.random": {"block": "lines", "arms": ["base", "standard", "random", "random_gated"]}}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A grid of two blocks with records whose accuracies are those of `ACCURACY`, the same for all prompts."""
    folder = tmp_path_factory.mktemp("story")
    block = {"model": ["micro-a"], "task": ["ordering"], "seed": [0, 1, 2]}
    grid = {
        "ladder": {**block, "title": "The ladder", "arm": ["base", "standard", "majority_vote"]},
        "lines": {**block, "arm": ["base", "standard", "random", "random_gated"]},
    }
    file = folder / "story.yaml"
    content = {"grid": grid, "fixed": {"eval_prompts": PROMPTS, "train_prompts": 16}, "notebooks": {"final": NOTEBOOK}}
    file.write_text(yaml.safe_dump(content))
    grid, records = load_grid(file), Records(folder / "records")
    records.prepare()
    truth = [e.answer for e in load_task("ordering").eval[:PROMPTS]]
    for run in grid.runs:
        right = round(ACCURACY[run.arm] * SAMPLES) + (run.seed if run.arm != "base" else 0)
        evaluation = {"num_samples": SAMPLES, "correct": [right] * PROMPTS, "majority": [1.0] * PROMPTS}
        evaluation |= {"greedy": [True] * PROMPTS, "thinking": 0.5}
        evaluation["answers"] = [{answer: right, "": SAMPLES - right} for answer in truth]
        records.write(run, {"status": "finished", "before": evaluation, "after": evaluation, "seconds": 1.0})
    return grid, records


def test_each_block_has_its_table_and_holm_counts_the_tests_of_all(study):
    first, second = verdict_tables(*study)
    assert first["title"] == "The ladder" and first["claims"] == ["standard_rl", "majority_vote"]
    cell = first["cells"][("micro-a", "ordering"), "majority_vote"]
    assert cell.verdict == "holds" and cell.recovered.value == pytest.approx(0.96, abs=0.03)
    assert second["cells"][("micro-a", "ordering"), "random_reward"].verdict == "fails"
    alone = Session(study[0].block({}).runs, study[1], 1).verdicts()
    assert cell.holm >= alone.set_index("claim").loc["majority_vote", "holm"]  # more tests, larger corrected p-values


def test_a_released_arm_that_is_better_is_named(study):
    (row,) = paired(*study)
    assert row["better"] == "random_gated" and row["stem"] == "12_paired_arms.random"
    assert row["difference"].value == pytest.approx(-0.3, abs=0.02)


def test_a_ladder_shows_what_a_dose_is_in_a_sentence_and_a_picture():
    from mtalign.report import html

    doses = dial(["dose-0.40", "dose-0.04"])
    macro = html.templates().get_template("parts.html").make_module({"words": {}}).dial
    assert doses == [0.04, 0.4] and dial(["dose-0.40"]) == []
    assert "4 of 100, 40 of 100" in macro(doses) and 'width="120.0"' in macro(doses) and "show working" in macro(doses)


def test_two_pairs_are_too_few_for_a_dose_response(study):
    assert all(table.empty for table in ladder(*study))


def test_the_label_free_gain_is_compared_with_what_the_majority_knew(study):
    grid, records = study
    table = Session(grid.block({}).runs, records, 1).label_free()
    row = table.iloc[0]
    assert row["predicted"] == 1.0 and row["before"] == pytest.approx(0.45, abs=0.01)
    assert row["difference"].value == pytest.approx(-0.04, abs=0.02)
    assert "as predicted" in conclusions.label_free(table).data
    worse = table.assign(difference=[type(row["difference"])(-0.4, -0.5, -0.3)])
    assert "less than predicted" in conclusions.label_free(worse).data


def test_the_best_measure_is_the_one_with_the_smallest_error(study):
    import pandas as pd

    table = pd.DataFrame({"arm": ["a"] * 3, "measure": ["x", "y", "z"], "error": [0.1, 0.3, 0.32]})
    said = conclusions.predictors(table).data
    assert said.startswith("- **x** has the smallest error") and "of the best: x." in said
    assert np.isnan(table.assign(error=np.nan)["error"]).all() and "Fewer" in conclusions.predictors(table[:0]).data


@pytest.mark.parametrize("model, arms", [("micro-a", ["base", "standard"]), ("a folder", ["base"])])
def test_the_index_claims_of_the_models_and_of_training_what_is_so(model, arms, tmp_path):
    if model == "a folder":
        model = str(shutil.copytree(paths.CHECKPOINTS / "micro-a", tmp_path / "own"))
    grid = {"model": [model], "task": ["ordering"], "seed": [0], "arm": arms}
    content = {
        "grid": grid,
        "fixed": {"eval_prompts": 2, "train_prompts": 16},
        "notebooks": {"final": {"10_verdicts": {}}},
    }
    (tmp_path / "own.grid.yaml").write_text(yaml.safe_dump(content))
    text = make_report(tmp_path).read_text()
    micro = model == "micro-a"
    assert ("85 thousand parameters" in text) == ("Alignment is set, not found" in text) == micro
    assert ("The models are pretrained ones" in text) != micro
    assert ("Nothing is trained in this grid" in text) != ("Which claims hold where" in text) == ("standard" in arms)
    assert ("surprising claims" in text) == ("standard" in arms)  # what trains nothing asks nothing about claims


def test_a_grid_whose_notebooks_look_elsewhere_asks_their_question_and_tells_their_limits(tmp_path):
    import nbformat

    grid = {"model": ["micro-a"], "task": ["ordering"], "seed": [0], "arm": ["base"]}
    content = {"grid": grid, "notebooks": {"final": {"14_published_outcomes": {}}}}
    (tmp_path / "others.grid.yaml").write_text(yaml.safe_dump(content))
    limits = nbformat.v4.new_markdown_cell(
        "## What these numbers cannot say\nSingle runs <script>x</script> of others."
    )
    judged = {"statement": "It rises", "rule": "r", "outcome": "refuted", "because": "it falls by 0.1"}
    output = nbformat.v4.new_output("display_data", {"text/plain": "x"}, metadata={KIND: [judged]})
    cells = [limits, nbformat.v4.new_code_cell("x", outputs=[output])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "14_published_outcomes.ipynb")
    text = make_report(tmp_path).read_text()
    assert "<h1>Does alignment predict what cheap signals recover in the published record?</h1>" in text
    assert (
        "Of <b>1 prediction: 0 confirmed, 1 refuted, 0 undecided</b>." in text and "It rises (it falls by 0.1)" in text
    )
    assert "of others." in text and "<script>" not in text and "a dial in their pretraining" not in text


def test_alignment_alone_is_counted_by_its_intervals(tmp_path):
    from mtalign.report.untrained_findings import _alignment
    from mtalign.stats import Estimate

    levels = {
        ("a", "t"): Estimate(0.9, 0.8, 1.0),
        ("b", "t"): Estimate(0.4, 0.3, 0.6),
        ("c", "t"): Estimate(-0.1, -0.2, 0),
    }
    said = "".join(words for words, _ in _alignment(levels))
    assert (
        "strong in 1, weak in 1 and undecided in 1 of 3 pairs" in said
        and "highest, 0.90 [0.80, 1.00], for a on t" in said
    )
