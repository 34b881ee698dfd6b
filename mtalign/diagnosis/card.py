"""The card of `diagnose`: its result in words for the terminal, and as a page."""

from __future__ import annotations

from markupsafe import Markup

from mtalign.claims import thresholds
from mtalign.claims.verdicts import CLAIMS, STRONG
from mtalign.config import paths


def in_words(found: dict) -> str:
    """The result as a card for the terminal."""
    level = found["alignment"][found["compared"]]
    lines = [
        f"{found['model']} on {found['task']}: {found['panel']} alignment",
        f"  {found['prompts']} prompts, at least {found['samples']} samples each; chance {found['chance']:.2f}"
        f" ({found['chance_is']})" + (f"; stopped: {found['stopped']}" if "stopped" in found else ""),
    ]
    if found["answered"] is not None:
        lines.append(f"  an answer was found in {found['answered']:.0%} of the samples")
    for name, e in found["alignment"].items():
        lines.append(f"  {name:24} {e['value']:.2f} [{e['low']:.2f}, {e['high']:.2f}]")
    lines += [f"  strong from {STRONG} of {found['compared']}, here {level['value']:.2f}", ""]
    lines.append(f"  {'claim':26} {'expect':14} {'P(holds)':9} {'flips at [95%]':26} {'right':17} paper expects")
    lines += [
        f"  {name:26} {e['verdict']:14} {shown(e.get('probability')):9} {flip(e):26} {right(e):17} {e['paper']}"
        for name, e in found["expected"].items()
    ]
    lines += [
        "",
        f"  P(holds): alignment lies above the flip, both uncertain, trusted as often as the flip was right. right: pairs of the study, their task left out, of"
        f" which the flip says what happened; then pairs with free answers or other formats. Rests on {found['rests_on']}. Paper: arXiv 2508.21188.",
    ]
    return "\n".join(lines)


def page(found: dict) -> str:
    """The result as an HTML page that opens from disk; names from outside are escaped."""
    import jinja2

    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(paths.PACKAGE / "templates"), autoescape=True)
    style = (paths.PACKAGE / "templates" / "style.css").read_text(encoding="utf-8")
    options = {"claims": CLAIMS, "shown": shown, "flip": flip, "right": right}
    return templates.get_template("diagnose.html").render(found=found, style=Markup(style), **options)


def shown(probability: float | None) -> str:
    """A probability, or nothing."""
    return "" if probability is None else f"{probability:.2f}"


def flip(e: dict) -> str:
    """Where a claim flips, for people."""
    if "flip" not in e:
        return ""
    words = {thresholds.EVERYWHERE: "holds always", thresholds.NOWHERE: "never holds"}
    ends = [
        {thresholds.EVERYWHERE: "-inf", thresholds.NOWHERE: "inf"}.get(e[k], f"{e[k]:.2f}") for k in ("low", "high")
    ]
    return f"{words.get(e['flip'], format(e['flip'], '.2f'))} [{', '.join(ends)}]"


def right(e: dict) -> str:
    """Of how many pairs of the study the threshold says what happened; then of other blocks, which it was not made from."""
    if "pairs" not in e:
        return ""
    others = f"; {e['other_right']} of {e['other_pairs']}" if e.get("other_pairs") else ""
    return f"{e['right']} of {e['pairs']}{others}"
