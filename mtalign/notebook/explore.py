"""A slider over doses and a choice of the arm, for a person who explores; where no person is, nothing moves and a line says so.

It needs no widget library: the output is a script for the notebook's own page, which pages of reports never carry (they show the
plain text). All data are in it, so that it works on a closed notebook too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from mtalign.notebook.palette import label

SCRIPT = """
const rows = ROWS, box = document.createElement("div"), said = document.createElement("p");
const choice = document.createElement("select"), slider = document.createElement("input"), name = document.createElement("label");
[...new Set(rows.map(row => row.arm))].forEach(arm => choice.add(new Option(arm)));
slider.type = "range"; slider.min = 0; slider.value = 0; slider.setAttribute("aria-label", "alignment");
choice.setAttribute("aria-label", "arm"); said.setAttribute("aria-live", "polite");
function show() {
  const those = rows.filter(row => row.arm === choice.value);
  slider.max = those.length - 1;
  said.textContent = those[Math.min(slider.value, those.length - 1)].text;
}
choice.onchange = show; slider.oninput = show;
name.textContent = " less aligned to more ";
box.append(choice, name, slider, said); element.append(box); show();
"""


@dataclass(frozen=True)
class Slider:
    """What a notebook shows: controls in JupyterLab, a line of text elsewhere."""

    rows: list[dict]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        text = "In JupyterLab a slider stands here; the table below has all of its values."
        if not self.rows:
            return {"text/plain": "Standard RL gained nothing, or too few runs are finished."}
        data = json.dumps(self.rows).replace("<", "\\u003c")  # names are not ours
        return {"application/javascript": "{" + SCRIPT.replace("ROWS", data) + "}", "text/plain": text}


def slider(table: pd.DataFrame, measure: str = "chance-corrected pass@4") -> Slider:
    """A slider over the pairs of each arm, from the least to the most aligned.

    Args:
        table: as `dose_response.shares` gives it, with a row for each pair and arm.

    >>> slider(pd.DataFrame()).rows
    []
    """
    if table.empty:
        return Slider([])
    rows = []
    for row in table.sort_values(["arm", measure]).to_dict("records"):
        text = f"{row['model']}, {row['task']}: alignment {row[measure]:.2f}; the arm recovers {row['recovered']} of standard RL's gain"
        runs = f", {row['took_off']:.0f} of {row['runs']:.0f} runs take off" if row.get("runs") else ""
        rows.append({"arm": label(row["arm"]), "text": f"{text}{runs}."})
    return Slider(rows)
