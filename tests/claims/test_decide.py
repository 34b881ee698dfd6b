"""The rules of the deciding experiment, on tables whose answer is known by hand."""

import pandas as pd
import pytest

from mtalign.claims import decide, decide_words, registration
from mtalign.claims.falsified import falsified
from mtalign.claims.mixed_logit import Crossing
from mtalign.records.store import Records

DOSES = {0.0: 0.01, 0.1: 0.08, 0.2: 0.16, 0.4: 0.35, 0.8: 0.7}  # dose -> alignment


def table(takes_off, tasks=("a", "b"), gain=0.4, shuffled=0.2):
    """Four checkpoints a dose, three runs each; of the majority's runs `takes_off(alignment)` take off."""
    rows = []
    for task in tasks:
        for dose, alignment in DOSES.items():
            for seed in range(4):
                base = {"model": f"{task} {dose} {seed}", "task": task, "dose": dose, "gain": gain}
                base |= {"runs": 3, "options": True}
                base |= {"alignment": alignment + seed / 1000, "testable": gain >= decide.SMALLEST_GAIN}
                taken = takes_off(alignment)
                each = {"seeds": [0, 1, 2], "shares": [1.0] * int(taken) + [0.0] * (3 - int(taken))}
                rows.append(base | {"arm": "majority_vote", "taken": taken, "after": 0.6} | each)
                if dose == max(DOSES):
                    rows.append(base | {"arm": "shuffled_majority", "taken": 0, "after": shuffled})
    return pd.DataFrame(rows)


def as_predicted(alignment):
    return 3 if alignment > decide.registered() else 0


def test_a_threshold_where_it_was_registered_transfers_and_falsifies_nothing():
    found = table(as_predicted)
    crossings = decide.thresholds(found)
    assert set(crossings["outcome"]) == {"transfers"}
    assert falsified(found, crossings) == {
        "no_slope a": False, "no_slope b": False, "low_takes_off": False, "no_better_than_shuffled a": False,
        "no_better_than_shuffled b": False, "tasks_apart": False,
    }  # fmt: skip


def test_a_threshold_far_above_does_not_transfer():
    found = table(lambda alignment: 3 if alignment > 0.5 else 0, tasks=("a",))
    said = decide_words.verdicts(found)
    assert said[0].startswith(
        "a: the micro study's threshold **does not transfer**: half of the majority votes take off"
    )
    assert "1 of 4 rules that could falsify it could not be applied" in said[-1]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("no_slope a", table(lambda alignment: 3 if alignment < 0.1 else 1, tasks=("a",))),
        ("low_takes_off", table(lambda alignment: 2, tasks=("a",))),
        ("no_better_than_shuffled a", table(as_predicted, tasks=("a",), shuffled=0.7)),
        ("tasks_apart", pd.concat([table(as_predicted, ("a",)), table(lambda x: 3 * (x > 0.5), ("b",))])),
    ],
)
def test_each_rule_that_falsifies_can_be_met(rule, found):
    assert falsified(found)[rule] is True


def test_where_standard_rl_gains_nothing_no_checkpoint_is_tested():
    found = table(as_predicted, tasks=("a",), gain=0.05)
    assert set(decide.thresholds(found)["outcome"]) == {"undecided"}
    assert falsified(found)["low_takes_off"] is None
    said = decide_words.verdicts(found)
    assert "no checkpoint could be tested" in said[0] and "could not be applied" in said[-1]


def test_what_falsifies_is_told_by_its_rule_and_no_sentence_knows_infinity():
    shares = ((lambda x: 2), (lambda x: 0), (lambda x: 3), as_predicted)
    for said in (decide_words.verdicts(table(takes_off)) for takes_off in shares):
        assert not any(word in " ".join(said) for word in ("inf", "nan", "_"))
    falsified = "**The thesis is falsified**: half of the majority votes take off at an alignment of at most 0.03."
    assert falsified in decide_words.verdicts(table(lambda alignment: 2, tasks=("a",)))
    assert "none is met" in " ".join(decide_words.verdicts(table(as_predicted)))


def test_a_rule_without_its_runs_is_not_applied():
    found = table(as_predicted, tasks=("a",))
    found = found[found["arm"] != "shuffled_majority"]
    assert falsified(found)["no_better_than_shuffled a"] is None
    assert falsified(found)["tasks_apart"] is None


def test_where_all_runs_take_off_nothing_is_falsified_and_nothing_below_the_lowest_alignment_is_known():
    found = table(lambda alignment: 3, tasks=("a",))
    found = found[found["alignment"] > 0.1]
    assert falsified(found)["no_slope a"] is None
    assert decide.thresholds(found)["outcome"].tolist() == ["undecided"]  # it may lie anywhere below 0.16
    found = found[found["alignment"] > 0.3]
    assert decide.thresholds(found)["outcome"].tolist() == ["undecided"]


def test_what_greedy_decoding_gives_is_no_take_off_beyond_it():
    found = table(as_predicted, tasks=("a",)).assign(gain_beyond=0.05, taken_beyond=0)
    beyond = decide.beyond_greedy(found)
    assert not beyond["testable"].any() and found["testable"].all()
    assert decide.beyond_greedy(found.assign(gain_beyond=0.2))["taken"].sum() == 0


def test_where_none_takes_off_take_off_does_not_rise_with_alignment():
    assert falsified(table(lambda alignment: 0, tasks=("a",)))["no_slope a"] is True


def test_a_majority_that_is_shuffled_is_compared_at_the_highest_dose_that_can_be_tested():
    found = table(as_predicted, tasks=("a",), shuffled=0.7)
    saturated = found["dose"].eq(max(DOSES))
    lower = found[saturated].assign(dose=0.4, model=lambda t: t["model"] + " lower", after=0.5)
    found = pd.concat([found.assign(testable=~saturated), lower])
    assert falsified(found)["no_better_than_shuffled a"] is True  # 0.5 beside 0.5, at dose 0.4


def test_before_any_run_there_is_an_empty_table_and_no_rule_applies(tmp_path):
    found = decide.outcomes([], Records(tmp_path))
    assert found.empty and decide.rates(found).empty and decide.thresholds(decide.beyond_greedy(found)).empty
    assert set(falsified(found).values()) == {None}


def test_an_arm_whose_runs_all_diverged_is_a_row_without_take_off(monkeypatch):
    def evaluated(right):
        return {"num_samples": 16, "correct": [right] * 4, "greedy": [right > 8] * 4}

    def record(arm, status="finished", right=0, reason=""):
        return {"status": status, "reason": reason, "config": {"arm": arm, "seed": 0}, "after": evaluated(right)}

    arms = {"base": [record("base", right=2)], "standard": [record("standard", right=14)]}
    arms["majority_vote"] = [record("majority_vote", "failed", reason="Diverged: loss is nan")] * 3
    arms["nsr"] = [record("nsr", "failed", reason="MemoryError")]
    monkeypatch.setattr(decide, "grouped", lambda runs, records: {("m", "ordering"): arms})
    monkeypatch.setattr(decide, "measured", lambda base: dict.fromkeys(decide.MEASURES, 0.1))
    found = decide.outcomes([], None).set_index("arm")
    assert set(found.index) == {"standard", "majority_vote"} and found["testable"].all()
    diverged = found.loc["majority_vote"]
    assert (diverged["runs"], diverged["taken"], diverged["taken_beyond"], diverged["after_by_seed"]) == (3, 0, 0, [])
    assert pd.isna(diverged["after"]) and (diverged["shares"], diverged["seeds"]) == ([0.0] * 3, [0] * 3)


def test_an_interval_that_knows_shared_seeds_is_wider_and_judges_nothing():
    found = table(lambda alignment: 2 if alignment > 0.1 else 0, tasks=("a",))
    seeds = [1.0, 1.0, 0.0]  # the third RL seed takes off nowhere
    found["seeds"], found["shares"] = (
        [[0, 1, 2]] * len(found),
        [seeds[: int(n)] + [0.0] * (3 - int(n)) for n in found["taken"]],
    )
    known, shared = decide.thresholds(found).iloc[0], decide.thresholds_of_shared_seeds(found).iloc[0]
    assert shared["x50"] == known["x50"] and shared["seeds"] == 3
    assert shared["low"] < known["low"] and shared["high"] > known["high"]
    assert decide.thresholds_of_shared_seeds(found[found["arm"] == "none"]).empty
    counted = decide.beyond_greedy(found.assign(gain_beyond=0.2, taken_beyond=1))
    assert not {"seeds", "shares"} & set(counted.columns)  # they are of the other gain


@pytest.mark.parametrize(
    ("in_family", "said"), [("undecided", "that is undecided"), ("does not transfer", "not either")]
)
def test_what_does_not_transfer_says_so_of_both_tests_together(monkeypatch, in_family, said):
    found = table(lambda alignment: 3 if alignment > 0.5 else 0, tasks=("a",))
    crossings = decide.thresholds(found).assign(in_family=in_family)
    monkeypatch.setattr(decide, "thresholds", lambda table: crossings)
    assert "two tests (97.5%)" in decide_words.verdicts(found)[0] and said in decide_words.verdicts(found)[0]


def test_an_interval_across_the_bound_is_undecided():
    known = decide.registered()
    assert decide.transfers(Crossing(known, known / 3, known, 60, 20, 20), known) == "undecided"


def test_the_mean_field_drift_has_the_sign_of_the_mode_and_counts_dispersed_wrong_answers():
    spread = {"right": 4} | {str(n): 1 for n in range(12)}
    agreed = {"right": 4, "wrong": 12}
    assert decide.replicator_drift(spread, "right") > 0 > decide.replicator_drift(agreed, "right")
    assert decide.replicator_drift({None: 16}, "right") == 0


def test_power_tells_a_threshold_in_place_from_one_far_away():
    alignment = [a for a in DOSES.values() for _ in range(4)]
    settings = {"slope": 60.0, "spread": 0.0, "registered": 0.137, "repeats": 3}
    assert registration.power(alignment, x50=0.13, **settings)["does not transfer"] == 0
    assert registration.power(alignment, x50=0.55, **settings)["does not transfer"] == 1


@pytest.mark.parametrize(
    ("change", "unmet"),
    [
        ({}, set()),
        ({"gain": 0.05}, {"learns"}),
        ({"greedy": 0.9}, {"sharp"}),
        ({"shift": 0.2}, {"low"}),
        ({"shift": -0.5}, {"high"}),
    ],
)
def test_no_arm_that_decides_runs_before_the_gate_is_met(change, unmet):
    gain, greedy, shift = (change.get(key, usual) for key, usual in (("gain", 0.4), ("greedy", 0.2), ("shift", 0.0)))
    rows = [
        {
            "task": "a",
            "arm": "standard",
            "dose": dose,
            "alignment": alignment + shift,
            "greedy": greedy,
            "accuracy": 0.15,
            "options": True,
        }
        | {"gain": gain, "testable": gain >= decide.SMALLEST_GAIN}
        for dose, alignment in DOSES.items()
    ]
    found = registration.gate(pd.DataFrame(rows))
    assert {name.split()[0] for name, met in found.items() if not met} == unmet
    free = registration.gate(pd.DataFrame(rows).assign(options=False))  # answers are spread, so that it cannot be met
    assert {name.split()[0] for name, met in free.items() if not met} == unmet - {"sharp"}


def test_a_cell_of_twelve_runs_decides_by_ten_and_one_of_three_never():
    assert registration.needed(12) == 10 and registration.needed(3) > 3
