"""Logs of other tools: those that the real programs wrote (`tests/cases/logs`), and what they get wrong when changed."""

import json
import subprocess
import sys
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from mtalign.config.errors import ConfigError
from mtalign.diagnosis import inspect_logs
from mtalign.diagnosis.card_page import page
from mtalign.diagnosis.sample_logs import read
from mtalign.diagnosis.samples import Asked
from mtalign.diagnosis.words import in_words
from mtalign.grading.forms import compiled

LOGS = Path(__file__).parents[1] / "cases" / "logs"
HARNESS = LOGS / "harness" / "smollm2-135m-instruct"


def log(name):
    """A log that one of the programs wrote."""
    return next(HARNESS.glob(f"samples_{name}_2*")) if "." not in name else LOGS / "inspect" / name


def card(name, **asked):
    return read(log(name), Asked(**asked))


def value(found, name="pass@1"):
    return round(found.alignment[name]["value"], 3)


@pytest.mark.parametrize(
    "name, asked, pass_1, chance, scored_by",
    [
        ("sums_match.eval", {}, 0.25, 0.0, "scorer match"),
        ("sums_match.json", {}, 1.0, 0.0, "scorer match"),
        ("letters_choice.eval", {}, 0.5, 0.25, "scorer choice"),
        ("graded_by_a_model.eval", {}, 0.5, 0.0, "scorer model_graded_qa"),
        ("two_scorers.eval", {}, 0.125, 0.0, "scorer match"),
        ("two_scorers.eval", {"scorer": "includes"}, 0.375, 0.0, "scorer includes"),
        ("several_values.eval", {"scorer": "aspects.right"}, 0.75, 0.0, "scorer aspects.right"),
        ("several_values.eval", {"scorer": "aspects.short"}, 0.75, 0.0, "scorer aspects.short"),
        ("sums_two_filters", {}, 0.833, 0.0, "metric exact_match after filter strict-match"),
        ("sums_two_filters", {"filter": "flexible-extract"}, 0.833, 0.0, "metric exact_match after filter flexible-extract"),
        ("sums_repeats", {}, 0.542, 0.0, "metric exact_match after filter score-first"),
        ("sums_repeats", {"filter": "maj@8"}, 0.542, 0.0, "metric exact_match after filter maj@8"),
        ("words_repeats", {}, 0.542, 0.0, "metric mentioned"),
        ("animals", {}, 0.25, 0.25, "metric acc"),
        ("animals", {"scorer": "acc_norm"}, 0.5, 0.25, "metric acc_norm"),
        ("truths_mc1", {}, 1.0, (1 / 3 + 1 / 4 + 1 / 2) / 3, "metric acc"),
        ("instructions", {"chance": 0.0}, 0.0, 0.0, "metric prompt_level_strict_acc"),
        ("likelihood", {}, 0.0, 0.0, "metric acc"),
    ],
)  # fmt: skip
def test_every_kind_of_log_gives_the_accuracy_that_its_own_program_computed(name, asked, pass_1, chance, scored_by):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = card(name, **asked)
        words = in_words(found)
    assert value(found) == pass_1 and found.chance == pytest.approx(chance) and found.scored_by == scored_by
    assert scored_by in words
    assert found.model == ("mockllm/model" if "." in name else "smollm2-135m-instruct")
    assert found.task == name.partition(".")[0]
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "name, said",
    [
        ("unscored.eval", "2 of 8 samples are missing: they have no score"),
        ("one_sample_fails.eval", "1 of 4 samples are missing: they ended in an error"),
        ("fails.eval", "the log's status is error (RuntimeError('the tool broke'))"),
        ("empty_targets.eval", "2 of 3 samples are missing: their questions have no target"),
        ("graded_by_a_model.eval", "1 of 4 scores lie between 0 and 1, and count as wrong"),
        ("two_scorers.eval", "of the scorers match, includes the log is read by match; --scorer takes another"),
        ("sums_two_filters", "of the filters strict-match, flexible-extract the log is read by strict-match"),
        ("animals", "answers are greedy"),
    ],
)
def test_what_is_missing_or_was_chosen_is_said(name, said):
    found = card(name)
    assert any(said in note for note in found.notes) and said in in_words(found)


def test_the_page_says_it_too():
    text = page(card("two_scorers.eval"))
    assert "Verdicts by scorer match" in text and "of the scorers match, includes" in text and "<svg" in text


def test_what_has_no_verdict_is_missing_and_not_wrong():
    assert value(card("unscored.eval")) == round(1 / 3, 3)  # 2 of 6, of three questions
    assert value(card("one_sample_fails.eval")) == round(2 / 3, 3)
    assert card("fails.eval").prompts == 3 and value(card("fails.eval")) == 1
    assert card("empty_targets.eval").prompts == 1  # inspect_ai calls any answer to the others right


def test_several_epochs_give_pass_at_4_and_a_majority():
    found = card("sums_match.eval")
    assert found.samples == 4 and value(found, "pass@4") == 0.75 and value(found, "maj@4") < 0.75
    assert found.answered == 13 / 16  # "I do not know" is no answer


def test_answers_are_read_from_repeated_responses_by_the_logs_own_filter():
    found = card("sums_repeats")
    assert found.samples == 8 and value(found, "pass@4") > 0.9 and "The answer is (-?[0-9]+)" in str(found.notes)
    assert (
        value(found, "maj@8") == 1.0
    )  # 0.8333 in the harness, where a response without an answer votes for "[invalid]"


def test_answers_are_read_from_repeated_responses_in_words_or_by_a_pattern():
    assert card("words_repeats").samples == 4
    pattern = compiled(r"answer is (\d+)")
    assert value(card("words_repeats", pattern=pattern)) <= value(card("words_repeats"))
    with pytest.raises(ConfigError, match="not judged: our reading contradicts the log's mentioned"):
        card("words_repeats", pattern=compiled("So (the)"))


def test_a_log_that_our_reading_contradicts_is_not_judged(tmp_path):
    rows = [json.loads(line) for line in log("sums_repeats").read_text().splitlines()]
    for row in rows:
        row["resps"] = [[text.replace("answer is", "result has") for text in row["resps"][0]]]
    path = tmp_path / log("sums_repeats").name
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ConfigError, match=r"contradicts the log's exact_match in \d of 6 questions, e.g. question"):
        read(path.rename(tmp_path / "samples_sums_repeats_other.jsonl"), Asked(pattern=compiled("answer is (.)")))


def test_chance_that_cannot_be_estimated_is_asked_for():
    with pytest.raises(
        ConfigError, match=r"chance cannot be estimated: the true answer is '0' to each of 6 questions.*--chance"
    ):
        card("instructions")
    with pytest.raises(ConfigError, match=r"--chance: expected 0 or more and less than 1, got 1.0"):
        card("instructions", chance=1.0)


@pytest.mark.parametrize(
    "name, asked, said",
    [
        (
            "two_scorers.eval",
            {"scorer": "nice"},
            "--scorer: 'nice' is not in .*two_scorers.eval; there are: match, includes",
        ),
        ("sums_two_filters", {"filter": "nice"}, "--filter: 'nice' .* there are: strict-match, flexible-extract"),
        ("animals", {"scorer": "f1"}, "--scorer: 'f1' .* there are: acc, acc_norm"),
        ("animals", {"kind": "nice"}, "--kind: unknown value 'nice'"),
    ],
)
def test_what_is_not_in_a_log_is_named_with_what_is(name, asked, said):
    with pytest.raises(ConfigError, match=said):
        card(name, **asked)


def test_an_evaluation_that_was_killed_has_no_header(tmp_path):
    killed = tmp_path / "killed.eval"
    with zipfile.ZipFile(killed, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(ConfigError, match=r"killed.eval: (has no header.json|not a log)"):
        read(killed)


def test_a_broken_or_huge_member_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(inspect_logs, "find_spec", lambda name: None)
    content = bytearray(log("sums_match.eval").read_bytes())
    at = zipfile.ZipFile(log("sums_match.eval")).getinfo("header.json").header_offset + 200
    content[at : at + 300] = b"x" * 300
    (tmp_path / "broken.eval").write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken.eval: not a log of samples"):
        read(tmp_path / "broken.eval")
    monkeypatch.setattr(inspect_logs, "LARGEST", 1000)
    with pytest.raises(ConfigError, match=r"not a log of samples .*bytes"):
        card("sums_match.eval")


@pytest.mark.skipif(find_spec("inspect_ai") is None, reason="needs inspect_ai")
@pytest.mark.parametrize("path", sorted((LOGS / "inspect").iterdir()), ids=lambda path: path.name)
def test_inspect_ai_s_own_reader_and_ours_give_the_same_card(path, monkeypatch):
    theirs = read(path)
    monkeypatch.setattr(inspect_logs, "find_spec", lambda name: None)
    assert read(path) == theirs


def test_the_command_reads_a_log_and_says_what_it_read():
    command = [
        sys.executable,
        "-m",
        "mtalign",
        "diagnose",
        "--log",
        str(log("two_scorers.eval")),
        "--scorer",
        "includes",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "verdicts by scorer includes" in done.stdout and not done.stderr
