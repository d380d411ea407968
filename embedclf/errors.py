"""All errors that embedclf raises on purpose."""

from __future__ import annotations


class EmbedclfError(Exception):
    """Base of all errors for users: one line with the place, the fault and the way out."""

    exit_status = 1
    """Exit status of a command that ends with this error."""
    has_lines = False
    """Whether line breaks in the message are its own, and not those of a name in it."""


class ConfigError(EmbedclfError):
    """A config or an override is invalid; one line per fault."""

    exit_status = 2
    has_lines = True


class RequestError(EmbedclfError):
    """Options contradict each other or don't fit the run."""

    exit_status = 2


class DataError(EmbedclfError):
    """A table cannot be read as labeled texts."""


class ColumnError(DataError):
    """It is unclear what a column holds; the lines below the first list the candidates."""

    has_lines = True


class RunError(EmbedclfError):
    """A run is missing, damaged, not one of embedclf or of a newer format, or cannot be written."""


class TrainingError(EmbedclfError):
    """A training cannot start, or its result is unusable."""


class TuningError(EmbedclfError):
    """A study cannot be opened or written, belongs to another search, or has no result."""


class ExportError(EmbedclfError):
    """An export differs from its run."""
