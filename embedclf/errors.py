"""What can go wrong, by name: every error that embedclf raises on purpose."""

from __future__ import annotations


class EmbedclfError(Exception):
    """Root of all errors meant for the user: place, fault and way out in one line."""

    status = 1
    """Exit status of the command that ends with this error."""


class ConfigError(EmbedclfError):
    """A config, or an override of it, that cannot be used; one line a fault."""

    status = 2


class RequestError(EmbedclfError):
    """Options that do not go together, or not with the run."""

    status = 2


class DataError(EmbedclfError):
    """A table that cannot be read as labelled texts."""


class RunError(EmbedclfError):
    """A run that is missing, damaged, foreign, newer, or cannot be written."""


class TrainingError(EmbedclfError):
    """A training that cannot start or whose outcome must not be kept."""


class TuningError(EmbedclfError):
    """A study that cannot be opened or written, is another's, or came to nothing."""
