"""File formats, by extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from embedclf.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["delimited", "jsonl", "parquet"]

InputFormat = Literal["lines", "csv", "tsv", "jsonl", "parquet"]
"""What can be named where an ending does not tell: lines of text, or a kind of table."""

KINDS: dict[str, Kind] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def kind_of(path: Path) -> Kind:
    """The kind of table that a file's name tells.

    Raises:
        DataError: The ending is unknown.
    """
    kind = KINDS.get(suffix_of(path))
    if kind is None or (kind == "parquet" and is_packed(path)):
        raise DataError(
            f"{path}: unknown kind of table; known are {', '.join(KINDS)}, all but the last in "
            ".gz too"
        )
    return kind


def target_kind(path: Path | None, source: Kind) -> Kind:
    """The kind of table that rows of another are written to; standard output keeps JSON lines.

    Raises:
        DataError: The ending of the path is unknown.
    """
    if path is None:
        return "jsonl" if source == "jsonl" else "delimited"
    return kind_of(path)


def suffix_of(path: Path) -> str:
    """The ending of a name in small letters, what comes before `.gz` where it is that."""
    return (path.with_suffix("") if is_packed(path) else path).suffix.lower()


def is_packed(path: Path) -> bool:
    """Whether a name ends in `.gz`."""
    return path.suffix.lower() == ".gz"
