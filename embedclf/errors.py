"""All errors that embedclf raises on purpose."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@contextmanager
def needs_extra(
    extra: str, user: str, error_class: type[EmbedclfError] = RequestError
) -> Iterator[None]:
    """Turn an import in the block that finds no package into a line with what to install.

    Args:
        extra: Of embedclf, which has the packages.
        user: What needs them, such as an option.
        error_class: Of the line.

    Raises:
        EmbedclfError: A package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise error_class(describe_missing(user, error.name or extra, extra)) from error


def describe_missing(user: str, module: str, extra: str | None = None) -> str:
    """Return the line for a module that is not installed.

    Args:
        user: What needs it, such as an option.
        module: Its name, or that of one in it.
        extra: Of embedclf, if the module is in none of the packages that it always needs.
    """
    name = module.partition(".")[0]
    target = "embedclf" if extra is None else f"'embedclf[{extra}]'"
    package = _PACKAGES.get(name, name)
    return f"{user} needs {package}, which is not installed: pip install {target}"


_PACKAGES = {
    "ai_edge_litert": "ai-edge-litert",
    "prometheus_client": "prometheus-client",
    "python_calamine": "python-calamine",
    "ruamel": "ruamel.yaml",
    "sklearn": "scikit-learn",
}
"""The package of each module that has another name."""
