"""The first screen of a grid of warm-ups: nothing is judged before it is whole, and names can be read."""

from types import SimpleNamespace

from test_decide import as_predicted, table

from mtalign.claims.decide_part import Part
from mtalign.config.warm_up import WarmUp
from mtalign.report.matrix import short
from mtalign.report.warm_up_findings import Dialled, findings, of_warm_ups


def found(part):
    checkpoints = table(as_predicted).assign(gain_beyond=0.2, taken_beyond=1)
    models = [
        WarmUp("org/m", row.task, dose=row.dose, seed=int(row.model[-1])).name for row in checkpoints.itertuples()
    ]
    return findings(Dialled(checkpoints.assign(model=models), part))


def said(one):
    return " ".join([one.lead, *("".join(words for words, _ in sentence) for sentence in one.sentences)])


def test_a_grid_that_is_not_whole_leads_with_that_and_has_no_verdict():
    part = found(Part((), 4, 30, 280))
    assert part.lead.startswith("Not judged yet: 30 of the 280") and "transfers" not in said(part)
    assert "So far, a: 36 of 60 majority votes took off (3 RL seeds of 20 checkpoints" in said(part)
    assert "half of the majority votes take off" in said(part) and "**" not in said(part)
    assert part.measured_on == "40 warm-up checkpoints of org/m, 2 tasks"


def test_a_whole_grid_says_what_transfers_and_what_is_more_than_sharpening():
    whole = said(found(Part((0, 1, 2, 3), 4, 280, 280)))
    assert "threshold transfers" in whole and "Beyond greedy decoding, a: 20 of 20 checkpoints can be tested" in whole


def test_warm_ups_are_called_by_what_tells_them_apart():
    names = [WarmUp("org/m", "t?size=3", dose=dose, seed=seed).name for dose in (0.2, 0.5) for seed in (0, 1)]
    assert [short(name, names) for name in names[:2]] == ["dose 0.2, seed 0", "dose 0.2, seed 1"]


def test_other_grids_have_no_such_first_screen():
    assert of_warm_ups(SimpleNamespace(pairs=[("micro-a", "logic")], blocks={}), None) is None
