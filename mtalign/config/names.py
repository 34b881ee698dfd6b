"""Settings that stand in the name of a model, after a question mark: `?dose=0.25&seed=1`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtalign.config.errors import ConfigError


def settings(where: str, query: str, kinds: Mapping[str, Callable[[str], object]]) -> dict:
    """The settings of a name, each by its kind; `dose` must be among them.

    Args:
        where: what the line of an error begins with.
        query: what stands after the question mark.
        kinds: what makes a value from its text, for each setting that is known.

    Raises:
        ConfigError: a setting is unknown, is no number where one is due, or the dose is missing.

    >>> settings("model m", "dose=0.25&size=3m", {"dose": float, "size": str})
    {'dose': 0.25, 'size': '3m'}
    >>> settings("model m", "doze=1", {"dose": float})
    Traceback (most recent call last):
    mtalign.config.errors.ConfigError: model m: doze: unknown setting; known: dose
    """
    found = {}
    for part in filter(None, query.split("&")):
        key, _, text = part.partition("=")
        if key not in kinds:
            raise ConfigError(f"{where}: {key}: unknown setting; known: {', '.join(kinds)}")
        try:
            found[key] = kinds[key](text)
        except ValueError:
            raise ConfigError(f"{where}: {key}: expected a number, got {text!r}") from None
    if "dose" not in found:
        raise ConfigError(f"{where}: dose: is missing")
    return found
