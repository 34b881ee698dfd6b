"""The page of a card: one HTML file that opens from disk, with its picture."""

from __future__ import annotations

from markupsafe import Markup

from mtalign.claims.verdicts import STRONG
from mtalign.config import paths
from mtalign.diagnosis.card import Card, next_step
from mtalign.diagnosis.in_print import said
from mtalign.diagnosis.picture import draw
from mtalign.diagnosis.words import HOW_SURE, estimate, labels, probability, where


def page(found: Card) -> str:
    """The card as an HTML page that opens from disk, with its picture; names from outside are escaped."""
    import jinja2

    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(paths.PACKAGE / "templates"), autoescape=True)
    style = (paths.PACKAGE / "templates" / "style.css").read_text(encoding="utf-8")
    options = {"estimate": estimate, "probability": probability, "where": where, "how_sure": HOW_SURE, "strong": STRONG}
    options |= {"labels": labels, "printed": said}
    picture = Markup(draw(found))
    return templates.get_template("diagnose.html").render(
        found=found, next_step=next_step(found), style=Markup(style), picture=picture, **options
    )
