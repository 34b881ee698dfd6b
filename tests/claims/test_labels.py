"""How many labelled examples until label-free RL takes off: on made-up records of warm-ups whose answer is known."""

import json
from collections import Counter
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from mtalign.claims import decide, label_costs, labels
from mtalign.cli.lists import schema
from mtalign.config import paths
from mtalign.config.errors import ConfigError
from mtalign.config.run import Run
from mtalign.config.warm_up import WarmUp
from mtalign.diagnosis import card, label_needs
from mtalign.diagnosis.card_page import page
from mtalign.diagnosis.samples import Sampled
from mtalign.diagnosis.words import in_words
from mtalign.records.store import Records
from mtalign.stats import Estimate
from mtalign.tasks.registry import load_task

TASK, PROMPTS, SAMPLES, STEPS = "ordering", 60, 16, 32
DOSES = {
    0.0: 0.01,
    0.0625: 0.02,
    0.25: 0.12,
    1.0: 0.5,
}  # dose of 64 documents -> accuracy; pass@4 is 0.13 between 4 and 16 labels


def evaluation(accuracy, rng):
    """Samples of independent prompts, right with this probability; wrong ones are spread."""
    correct = rng.binomial(SAMPLES, accuracy, PROMPTS)
    truths = [e.answer for e in load_task(TASK).eval[:PROMPTS]]
    answers = [
        {t: int(c)} | {f"x{i}": 1 for i in range(SAMPLES - int(c))} for t, c in zip(truths, correct, strict=True)
    ]
    found = {"num_samples": SAMPLES, "correct": correct.tolist(), "answers": answers, "thinking": 0.0}
    return found | {"greedy": (correct > 8).astype(int).tolist(), "majority": (correct > 2).astype(int).tolist()}


@pytest.fixture
def made(tmp_path):
    """A function that writes records and gives the runs: of the dial, and of RL where `takes_off(dose)` is given."""

    def make(doses=DOSES, seeds=(0, 1), takes_off=None, documents=64):
        rng, records, runs = np.random.default_rng(0), Records(tmp_path / "records"), []
        records.prepare()
        for seed in seeds:
            for dose, accuracy in doses.items():
                name = WarmUp("smollm2-135m-instruct", TASK, dose, documents, seed).name
                common = {
                    "model": name,
                    "task": TASK,
                    "eval_prompts": PROMPTS,
                    "num_samples": SAMPLES,
                    "train_prompts": 32,
                }
                after = {"base": accuracy}
                if takes_off:
                    after |= {"standard": accuracy + 0.25, "majority_vote": accuracy + 0.24 * takes_off(dose)}
                for arm, level in after.items():
                    reward = "majority_vote" if arm == "majority_vote" else "ground_truth"
                    run = Run(**common, arm=arm, reward=reward, max_steps=STEPS * (arm != "base"))
                    record = {"status": "finished", "seconds": 120.0, "after": evaluation(level, rng)}
                    records.write(run, record | {"before": evaluation(accuracy, rng)})
                    runs.append(run)
        return runs, records

    return make


def tables(runs, records):
    return labels.checkpoints(runs, records), decide.outcomes(runs, records)


def test_where_the_warm_up_curve_crosses_the_threshold_is_the_number_of_labels(made):
    (found,) = labels.needed(*tables(*made()))
    assert found.x50_of == labels.MICRO and found.x50.value == decide.registered()
    assert (found.least, found.most, found.checkpoints, found.seeds) == (0, 64, 8, 2)
    assert 4 < found.labels.value < 16 and found.labels.low <= found.labels.value <= found.labels.high
    assert str(found).startswith("ordering: about ") and "an extrapolation" in str(found)


def test_of_more_seeds_the_interval_is_narrower_and_a_single_one_is_said_to_lack_something(made):
    runs, records = made(seeds=(0, 1, 2, 3))
    many, one = (
        labels.needed(*tables([r for r in runs if f"seed={s}&" in r.model or s < 0], records)) for s in (-1, 0)
    )
    assert many[0].seeds == 4 and one[0].seeds == 1
    outcomes = decide.outcomes(runs, records)
    said = [labels.missing(found, outcomes) for found in (many, one)]
    assert ["one warm-up seed" in " ".join(lines) for lines in said] == [False, True]
    assert all("no majority vote has finished" in lines[0] for lines in said)


def test_a_curve_that_never_reaches_the_threshold_needs_more_than_was_measured_and_one_above_it_fewer(made):
    low = labels.needed(*tables(*made({0.0: 0.005, 0.25: 0.005, 1.0: 0.005})))[0]
    assert low.labels.value == np.inf and "more than 64" in str(low)


def test_a_model_that_needs_no_warm_up_is_said_to_need_fewer_labels_than_were_measured(made):
    high = labels.needed(*tables(*made({0.25: 0.8, 1.0: 0.9})))[0]
    assert high.labels == Estimate(-np.inf, -np.inf, -np.inf) and "fewer than 16 [fewer than 16, fewer" in str(high)


def test_where_majority_votes_have_run_their_own_threshold_counts(made):
    table, outcomes = tables(*made(seeds=range(4), takes_off=lambda dose: dose > 0.5))
    (found,) = labels.needed(table, outcomes)
    assert found.x50_of == labels.OWN and found.x50.value > 0.4  # between the alignment of doses 0.25 and 1
    assert 16 < found.labels.value < 64
    rates = labels.take_off(table, outcomes).set_index("labels")["take_off"]
    assert rates[16].value == 0 and rates[64].value == 1 and rates[64].low < 0.5  # four runs
    line = labels.expected(table, found.x50)
    assert line["probability"].is_monotonic_increasing and line["probability"].iloc[-1] > 0.7
    assert labels.missing([found], outcomes) == []
    few = table["warm_seed"] == 0
    assert labels.needed(table[few], outcomes)[0].x50_of == labels.MICRO  # four runs settle nothing


def test_runs_and_labels_are_counted_for_each_way(made):
    runs, records = made(takes_off=lambda dose: dose > 0.1)
    table, outcomes = tables(runs, records)
    spent = label_costs.costs(table, outcomes, runs, records).set_index(["warm_labels", "way"])
    alone, vote, true = (spent.loc[16].loc[way] for way in label_costs.WAYS.values())
    assert (alone["labels"], vote["labels"], true["labels"]) == (16, 16, 16 + 32)
    assert (alone["minutes"], vote["minutes"], vote["runs_needed"], vote["minutes_needed"]) == (0, 2, 1, 2)
    assert spent.loc[(0, "then majority vote"), "runs_needed"] == np.inf
    assert spent.loc[(0, "then RL with true labels"), "runs_needed"] == 1


def test_of_untrained_rows_alone_there_is_a_picture_that_says_what_is_missing(made):
    from matplotlib.figure import Figure

    from mtalign.notebook.label_figures import labels as picture

    runs, records = made()
    table, outcomes = tables(runs, records)
    spent = label_costs.costs(table, outcomes, runs, records)
    found = labels.needed(table, outcomes)
    figure = picture(table, found, labels.take_off(table, outcomes), spent)
    words = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert words == ["no majority vote has finished"] and set(spent["way"]) == {"warm-up alone"}
    nothing = labels.checkpoints([], records)
    assert labels.needed(nothing, outcomes) == [] and "No warm-up" in labels.missing([], outcomes)[0]
    assert isinstance(picture(nothing, [], nothing, nothing), Figure)


def test_warm_ups_of_other_lengths_are_curves_of_their_own(made):
    both = [made(documents=documents) for documents in (64, 128)]
    table = labels.checkpoints([run for runs, _ in both for run in runs], both[0][1])
    outcomes = pd.DataFrame(columns=["model", "task", "arm", "runs", "taken", "testable", "alignment"])
    assert [each.most for each in labels.needed(table, outcomes)] == [128, 64] and table["warm_up"].nunique() == 2


GRID = f"""
grid:
  model: [smollm2-135m-instruct]
  task: [{TASK}]
  warm_up: {{dose: [0.0, 0.0625, 0.25, 1.0], seed: [0, 1], documents: 64}}
  arm: [base]
  seed: [0]
fixed: {{eval_prompts: {PROMPTS}, num_samples: {SAMPLES}, train_prompts: 32}}
"""


def test_a_folder_of_warm_ups_tells_a_readers_own_pair_and_another_pair_is_refused(made, tmp_path):
    runs, records = made()
    (tmp_path / "dial.grid.yaml").write_text(GRID)
    (row,) = label_needs.of_pair("smollm2-135m-instruct", TASK, tmp_path)
    assert label_needs.of_pair(runs[-1].model, TASK, tmp_path) == (row,)  # a warm-up counts as what it started from
    assert row["documents"] == 64 and row["value"] == round(labels.needed(*tables(runs, records))[0].labels.value, 1)
    with pytest.raises(ConfigError, match="has no two doses of micro-a on ordering; it has measured: smollm2-135m-"):
        label_needs.of_pair("micro-a", TASK, tmp_path)
    with pytest.raises(ConfigError, match="output folder of `mtalign study`"):
        label_needs.of_pair("micro-a", TASK, tmp_path / "records")


def test_a_card_says_how_many_labels_in_words_in_json_and_on_its_page(made):
    few = labels.needed(*tables(*made()))[0]
    never = labels.needed(*tables(*made({0.0: 0.005, 1.0: 0.005}, documents=32)))[0]
    rows = tuple(label_needs._row(each) for each in (few, never))
    plain = card.card([Sampled(4, 1, Counter({"1": 1, "2": 3}), frozenset("1"))] * 20)
    told = replace(plain, labels=rows)
    jsonschema.validate(json.loads(json.dumps(told.as_dict(), allow_nan=False)), json.loads(schema("diagnose")))
    said = "right answers among the 64 documents of a warm-up"
    assert said in in_words(told) and said in page(told) and said not in in_words(plain) + page(plain)
    assert rows[1]["value"] is None and "more than 32 [" in in_words(told)


def test_what_the_package_ships_is_read_as_it_was_written(made, tmp_path, monkeypatch):
    found = labels.needed(*tables(*made({0.0: 0.005, 1.0: 0.005})))
    monkeypatch.setattr(labels, "FILE", tmp_path / "labels.json")
    monkeypatch.setattr(labels, "compute", lambda folder: found)
    labels.shipped.cache_clear()
    assert labels.shipped() == ()
    labels.main("anything")
    assert labels.shipped() == tuple(found)
    json.loads(labels.FILE.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    labels.shipped.cache_clear()


def test_what_the_package_ships_is_that_of_the_records_of_this_checkout():
    study = paths.PACKAGE.parent / "reports" / "decide"
    if not labels.FILE.is_file() or not list(study.glob("*.grid.yaml")):
        pytest.skip("nothing is shipped yet, or no checkout with reports/decide")
    pytest.importorskip("reasoning_gym")
    found, shipped = labels.compute(study), labels.shipped()
    assert list(map(str, found)) == list(map(str, shipped)), "run: python -m mtalign.claims.labels reports/decide"
