"""What records say of the paper's claims: each of `paper.CLAIMS_OF_THE_PAPER` with the outcome that its rule gives."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from IPython.display import Markdown

from mtalign.claims import levels, paper_levels
from mtalign.claims.paper import CLAIMS_OF_THE_PAPER, Found, evidence
from mtalign.claims.paper_rules import RULES
from mtalign.config.run import Run
from mtalign.models.load import is_micro
from mtalign.records.store import Records


def judged(
    blocks: Iterable[list[Run]],
    records: Records,
    known: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
) -> dict[str, dict[str, Found]]:
    """What the records say: kind of model (`micro` or `pretrained`) -> P1 to P14 -> `Found`.

    Args:
        blocks: runs of each block of a grid; without any of a kind of model, that kind is left out.
        known: as `evidence` takes them.
        cells: of a map, as `paper_levels.alike_at_equal_alignment` takes them.
    """
    blocks = list(blocks)
    everything, found = evidence(blocks, records, known), {}
    for kind, wanted in {"micro": True, "pretrained": False}.items():
        part = everything.of(lambda pair, wanted=wanted: is_micro(pair[0]) is wanted)
        if part.pairs:
            found[kind] = {claim.name: RULES[claim.name](part) for claim in CLAIMS_OF_THE_PAPER}
    runs = list(dict.fromkeys(run for block in blocks for run in block))
    if found and levels.is_map(runs):
        found["micro"]["P14"] = paper_levels.alike_at_equal_alignment(runs, records, cells)
    return found


def table(found: dict[str, dict[str, Found]]) -> pd.DataFrame:
    """A row for each claim and kind of model: claim, words, models, outcome, numbers, because, rule, would, notebook, paper."""
    rows = []
    for claim in CLAIMS_OF_THE_PAPER:
        for kind, each in found.items():
            one = each[claim.name]
            numbers = "; ".join(f"{name} {estimate}" for name, estimate in one.estimates.items())
            because = one.because if one.outcome != "not tested here" else one.because or f"would need {claim.would}"
            rows.append(
                {"claim": claim.name, "words": claim.words, "models": kind, "outcome": one.outcome, "numbers": numbers}
            )
            rows[-1] |= {"because": because, "rule": claim.rule, "would": claim.would}
            rows[-1] |= {"notebook": claim.notebook, "paper": claim.numbers}
    return pd.DataFrame(rows)


def in_short(table: pd.DataFrame) -> str:
    """How many claims came out how, for each kind of model.

    >>> in_short(pd.DataFrame({"models": "micro", "outcome": ["fails", "fails", "not tested here"]}))
    'of 3 claims with micro models 2 fail, 1 is not tested'
    """
    one = {"holds": "holds", "fails": "fails", "undecided": "is undecided", "not tested here": "is not tested"}
    more = {"holds": "hold", "fails": "fail", "undecided": "are undecided", "not tested here": "are not tested"}
    said = []
    for kind, rows in table.groupby("models", sort=False):
        counts = rows["outcome"].value_counts()
        parts = [f"{counts[o]} {(one if counts[o] == 1 else more)[o]}" for o in one if o in counts]
        said.append(f"of {len(rows)} claims with {kind} models {', '.join(parts)}")
    return "; ".join(said)


def concluded(table: pd.DataFrame) -> Markdown:
    """The outcomes of `table` as a list, for a notebook."""
    shown = table.to_dict("records")
    lines = [
        f"- {r['claim']}, {r['models']} models: **{r['outcome']}**. {r['words']}; {r['numbers'] or r['because']}."
        for r in shown
    ]
    return Markdown("\n".join(lines) or "No run is finished.")
