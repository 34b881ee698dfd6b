"""Figures in words: what a picture shows, for those who do not see it; the plain text beside the picture in a notebook."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

MOST = 12  # bars or lines of a panel that are named


def describe(figure: Figure) -> str:
    """The panels of a figure with their axes, the heights of their bars and the ends of their lines.

    >>> import matplotlib.pyplot as plt
    >>> figure, axis = plt.subplots()
    >>> _ = axis.bar([0, 1], [0.25, 1.0]), axis.set_xticks([0, 1], ["before", "after"]), axis.set_ylabel("accuracy")
    >>> describe(figure)
    'accuracy: before 0.25, after 1.00.'
    >>> plt.close(figure)
    """
    panels = [words for axis in figure.axes if axis.axison and (words := _panel(axis))]
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    keys = dict.fromkeys(text.get_text().replace("\n", " ") for legend in legends for text in legend.get_texts())
    return ". ".join([*panels, *([f"Legend: {', '.join(keys)}"] if keys else [])]) + "."


def _panel(axis) -> str:
    title, x, y = (words.replace("\n", " ") for words in (axis.get_title(), axis.get_xlabel(), axis.get_ylabel()))
    about = ", ".join(part for part in (title, f"{y} against {x}" if x and y else y or x) if part)
    labels = [label.get_text().replace("\n", " ") for label in axis.get_xticklabels()]
    values = []
    if axis.containers and len(labels) == len(axis.patches):
        values = [f"{label} {bar.get_height():.2f}" for label, bar in zip(labels, axis.patches, strict=True)]
    for line in axis.lines:
        heights = [float(height) for height in line.get_ydata() if math.isfinite(height)]
        if not heights or str(line.get_label()).startswith("_"):
            continue
        if line.get_linestyle() == "None":  # points in no order
            values.append(f"{line.get_label()} between {min(heights):.2f} and {max(heights):.2f}")
        elif len(heights) > 1:
            values.append(f"{line.get_label()} from {heights[0]:.2f} to {heights[-1]:.2f}")
    more = f", and {len(values) - MOST} more" if len(values) > MOST else ""
    return ": ".join(part for part in (about, ", ".join(values[:MOST]) + more) if part)


def show_in_words() -> None:
    """In a notebook: from now on the plain text of a figure's output is its description."""
    from IPython import get_ipython

    if shell := get_ipython():
        import matplotlib_inline.backend_inline  # noqa: F401  when first imported it forgets how figures are shown

        formatter = shell.display_formatter.formatters["text/plain"]
        formatter.for_type(Figure, lambda figure, printer, cycle: printer.text(describe(figure)))
