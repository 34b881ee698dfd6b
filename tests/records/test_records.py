"""Records: whole or absent, checked when read, found by run id."""

import json
import os

import pytest

from mtalign.config.errors import ConfigError
from mtalign.config.run import Run
from mtalign.records.store import Records, checksum
from mtalign.records.tables import accuracies, metrics_of

RUN = Run("micro-a", "logic", eval_prompts=2, num_samples=4)
EVALUATION = {
    "num_samples": 4,
    "correct": [4, 1],
    "answers": [{"9": 4}, {"": 2, "1": 1, "2": 1}],
    "greedy": [True, False],
    "majority": [1.0, 0.5],
    "thinking": 0.5,
}


@pytest.fixture
def store(tmp_path):
    records = Records(tmp_path / "records")
    records.prepare()
    records.write(RUN, {"status": "finished", "after": EVALUATION, "before": EVALUATION, "seconds": 1.5})
    return records


def test_a_record_is_found_again(store):
    assert store.finished(RUN) and store.read(RUN)["run_id"] == RUN.run_id
    assert store.read(Run("micro-a", "logic", seed=1)) is None


def test_a_failure_is_a_record_but_not_finished(store):
    store.write(RUN, {"status": "failed", "reason": "because"})
    assert not store.finished(RUN) and store.read(RUN)["reason"] == "because"


@pytest.mark.parametrize(
    "damage", [lambda t: t[: len(t) // 2], lambda t: "", lambda t: "[]", lambda t: t.replace("[4,1]", "[4,4]")]
)
def test_a_damaged_record_is_refused_by_name(store, damage):
    path = store.path(RUN)
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(ConfigError, match=RUN.run_id):
        store.read(RUN)


@pytest.mark.parametrize("key", ["seconds", "checksum"])
def test_a_key_that_the_digest_leaves_out_cannot_move_inside(store, key):
    path = store.path(RUN)
    record = json.loads(path.read_text())
    record["after"][key] = record[key]
    for moved in (record, {name: value for name, value in record.items() if name != "seconds"}):
        path.write_text(json.dumps(moved, separators=(",", ":"), sort_keys=True))
        with pytest.raises(ConfigError, match="checksum"):
            store.read(RUN)


def test_a_record_is_whole_however_it_is_laid_out_and_whatever_stands_inside(store):
    store.write(
        RUN, {"status": "finished", "after": EVALUATION | {"seconds": 2.0, "said": '"checksum":'}, "seconds": 1.0}
    )
    laid_out = json.dumps(store.read(RUN), indent=2)
    store.path(RUN).write_text(laid_out)
    assert store.finished(RUN) and store.read(RUN)["after"]["seconds"] == 2.0


def test_a_record_under_another_runs_name_is_refused(store):
    other = Run("micro-a", "logic", seed=1)
    os.rename(store.path(RUN), store.path(other))
    with pytest.raises(ConfigError, match="config"):
        store.read(other)


def test_writing_leaves_no_partial_file_when_it_fails(store):
    before = sorted(store.folder.iterdir())
    with pytest.raises(TypeError):
        store.write(RUN, {"status": "finished", "bad": object()})
    assert sorted(store.folder.iterdir()) == before and store.finished(RUN)


def test_the_checksum_leaves_out_the_wall_time_only(store):
    record = json.loads(store.path(RUN).read_text())
    assert checksum(record | {"seconds": 9}) == record["checksum"] != checksum(record | {"status": "x"})


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Records(tmp_path / "file" / "records").prepare()


def test_metrics_of_a_record(store):
    record = store.read(RUN)
    found = metrics_of(record)
    assert found["accuracy"] == pytest.approx(5 / 8) and found["greedy"] == 0.5 and found["pass@4"] == 1.0
    assert found["maj@4"] == 0.75
    assert accuracies([record]).tolist() == [[1.0, 0.25]]
