"""The cheaper dials: tasks of one generator are one axis, and their files ask what the deciding experiment asks."""

from types import SimpleNamespace

import pandas as pd
import pytest

from mtalign.claims import decide, dials
from mtalign.config import paths
from mtalign.config.grid import load_grid
from mtalign.config.run import Run
from mtalign.config.warm_up import is_warm_up, parse
from mtalign.notebook.pages import check_notebooks
from mtalign.records.store import Records
from mtalign.tasks.base import Example, Task
from mtalign.tasks.rows import DEMONSTRATIONS, demonstrations

LEVELS = {2: 0.7, 4: 0.35, 6: 0.16, 8: 0.08, 10: 0.01}  # people -> alignment


def outcomes(crosses):
    """A row for each difficulty and warm-up seed; all runs take off where alignment lies above `crosses`."""
    rows = []
    for people, level in LEVELS.items():
        for seed in range(4):
            row = {
                "model": f"warm {seed}",
                "task": f"rg:needle?people={people}",
                "arm": "majority_vote",
                "accuracy": 0.2,
            }
            row |= {"alignment": level + seed / 1000, "gain": 0.3, "runs": 3, "testable": True}
            rows.append(row | {"taken": 3 * int(level > crosses)})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("crosses", "said"), [(decide.registered(), "confirmed"), (0.5, "refuted")])
def test_difficulties_of_one_generator_cross_together(monkeypatch, tmp_path, crosses, said):
    monkeypatch.setattr(decide, "outcomes", lambda runs, records: outcomes(crosses))
    table = dials.cells([[Run("m", "t")]], Records(tmp_path))
    assert set(table["family"]) == {"rg:needle"} and table["shots"].isna().all() and table["setting"].nunique() == 5
    assert [j.outcome for j in dials.judged(table)] == [said]
    assert dials.by_level(table)["runs"].tolist() == [12] * 5


def test_numbers_of_examples_are_levels_of_their_own_and_nothing_is_said_of_what_has_not_run(monkeypatch, tmp_path):
    monkeypatch.setattr(
        decide, "outcomes", lambda runs, records: outcomes(0.13) if runs[0].shots else outcomes(0.13)[:0]
    )
    table = dials.cells([[Run("m", "t", style="direct", shots=n)] for n in (0, 1, 8)], Records(tmp_path))
    assert set(table["shots"]) == {1, 8} and len(dials.by_level(table)) == 10
    nothing = dials.cells([[Run("m", "t", style="direct", shots=0)]], Records(tmp_path))
    assert dials.judged(nothing) == [] and dials.by_level(nothing).empty and dials.crossings(nothing).empty


@pytest.mark.parametrize("name", ["decide_dials", "decide_gemma"])
def test_the_exploratory_files_differ_from_the_deciding_one_in_their_dial_alone(name):
    grid, deciding = (load_grid(paths.shared("params") / f"{n}.yaml") for n in (name, "decide"))
    assert grid.fixed == deciding.fixed
    check_notebooks(grid, name)
    blocks = {key: block.fixed for key, block in grid.blocks.items()}
    assert set(deciding.blocks).isdisjoint(blocks)
    warmed = [
        parse(run.model) for each in (grid, deciding.blocks["primary"]) for run in each.runs if is_warm_up(run.model)
    ]
    assert len({(w.documents, w.learning_rate, w.batch) for w in warmed}) == 1
    if name == "decide_gemma":
        assert {task for _, task in grid.pairs} == {task for _, task in deciding.pairs}
    else:
        assert [own["shots"] for own in blocks.values() if own] == [0, 1, 3, 8]
        assert all(run.style == "direct" for run in grid.blocks["shots_8"].runs)


@pytest.mark.parametrize("name", ["decide_pilot_words", "decide_pilot_names"])
def test_the_runs_of_a_pilot_are_runs_of_the_deciding_experiment(name):
    pilot, deciding = (load_grid(paths.shared("params") / f"{n}.yaml") for n in (name, "decide"))
    assert {run.run_id for run in pilot.runs} <= {run.run_id for run in deciding.runs}


def task(questions, length=10):
    examples = [Example("q" * length + str(i), str(i), "") for i in range(questions)]
    return Task("own", "", tuple(examples), tuple(examples[:1]), answers=())


def test_as_many_examples_are_shown_as_asked_for_or_the_run_says_that_it_cannot():
    assert [len(demonstrations(task(100), n)) for n in (0, 1, 3, 8)] == [0, 1, 3, 8]
    assert demonstrations(task(100), 8)[-1][1] == "99"
    assert demonstrations(task(100, length=500), 2) == DEMONSTRATIONS[:2]
    with pytest.raises(RuntimeError, match="shots: own can show at most 3"):
        demonstrations(task(100, length=500), 8)


@pytest.mark.parametrize("shots", [0, 1, 8])
def test_training_and_evaluation_show_as_many_examples_as_the_run_says(monkeypatch, shots):
    from mtalign.generation import evaluate
    from mtalign.runs import execute
    from mtalign.training.dataset import asked

    run = Run("m", "calculation-1", style="direct", shots=shots)
    (row,) = asked(run, SimpleNamespace(chat_template=None), [{"prompt": "1 + 1 = ?"}])
    assert row["prompt"].count("Question: ") == shots + 1
    seen = []
    monkeypatch.setattr(evaluate, "evaluate", lambda *args, **given: seen.append(len(given["shown"])))
    execute._evaluate(run, None, None, [], 0)
    assert seen == [shots]
