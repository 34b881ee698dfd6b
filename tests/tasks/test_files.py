"""Tasks of one's own: a path as it is, the usual names of columns, CSV and Parquet; what is wrong is named."""

import csv
import json

import pandas as pd
import pytest

from mtalign.config.errors import ConfigError
from mtalign.tasks import files
from mtalign.tasks.registry import load_task

ROWS = [{"question": f"What is {i} + 1?", "target": str(i + 1)} for i in range(10)]
EXPECTED = {row["target"] for row in ROWS}


def written(path, rows):
    """The path of a file of the rows, in the format that its ending names."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def answers(task):
    return {e.answer for e in task.train + task.eval}


@pytest.mark.parametrize("ending", files.ENDINGS)
def test_a_path_is_a_task_as_it_is_with_usual_columns_in_each_format(tmp_path, ending):
    name = written(tmp_path / f"own{ending}", ROWS)
    assert answers(load_task(name)) == EXPECTED and load_task(f"{name}?kind=math").kind == "math"


def test_other_columns_are_named(tmp_path):
    rows = [{"prompt": "no", "ask": row["question"], "key": row["target"]} for row in ROWS]
    task = load_task(written(tmp_path / "own.csv", rows) + "?prompt=ask&answer=key")
    assert answers(task) == EXPECTED and task.eval[0].prompt.startswith("What is")
    with pytest.raises(
        ConfigError, match=r"own.csv: line 2: nice: expected text, not there; there are: prompt, ask, key"
    ):
        load_task(str(tmp_path / "own.csv") + "?prompt=ask&answer=nice")


def test_a_worked_solution_is_read_for_its_answer(tmp_path):
    rows = [{"problem": f"{i}?", "solution": rf"Clearly $\boxed{{{i}}}$."} for i in range(4)]
    assert answers(load_task(written(tmp_path / "own.jsonl", rows))) == {"0", "1", "2", "3"}


@pytest.mark.parametrize(
    "text, said",
    [
        ("question,target\na,1,2\n", "line 2: has more cells than the header"),
        ('question,target\n"a,1\n', "not a CSV file"),
        ("question,target\n", "is empty"),
        ("ask,target\na,1\n", "line 2: prompt: expected text, not there; there are: ask, target"),
        ("question,target\na,\n", "line 2: answer: is blank"),
    ],
)
def test_a_broken_csv_file_is_one_line(tmp_path, text, said):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_task(str(tmp_path / "own.csv"))


def test_a_data_set_of_the_hub_is_named_with_its_split_and_columns(monkeypatch):
    asked = []
    monkeypatch.setattr(files, "read_rows", lambda name, file, hub, root: asked.append(hub) or ROWS)
    task = load_task("hub:org/sums?split=test&prompt=question&answer=target")
    assert answers(task) == EXPECTED and asked == [{"path": "org/sums", "split": "test"}]
    with pytest.raises(
        ConfigError, match=r"task hub:org/sums[?]sprit=test: sprit: unknown key; nearest: split; known: kind, prompt"
    ):
        load_task("hub:org/sums?sprit=test")


def test_an_unknown_task_is_answered_with_the_nearest_names():
    with pytest.raises(KeyError, match="unknown task 'gsm9k'; nearest: gsm8k") as caught:
        load_task("gsm9k")
    assert len(str(caught.value)) < 250
