"""What can be wrong, as exceptions whose message is one line that names the file and the key."""

from __future__ import annotations


class ConfigError(ValueError):
    """Bad input: one line that names the file and the key."""


class LaunchError(RuntimeError):
    """The processes ended without a result, with what they said."""


class ResourcesError(ValueError):
    """A wrong entry; the message begins with its key."""


class RunError(RuntimeError):
    """A run that cannot be done, with the reason."""
