"""File formats, by file name extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from embedclf.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

FileFormat = Literal["delimited", "jsonl", "parquet"]

InputFormat = Literal["lines", "csv", "tsv", "jsonl", "parquet"]
"""Input formats that a user can name: lines of text, or a table."""

FORMATS: dict[str, FileFormat] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""Table formats by extension."""

CONFIG_SUFFIXES = (".yaml", ".yml")
"""Extensions of configs."""


def format_of(path: Path) -> FileFormat:
    """Return the table format of a file name.

    Raises:
        DataError: The extension is unknown.
    """
    file_format = FORMATS.get(table_suffix(path))
    # Parquet needs random access, which a gzip stream does not offer.
    if file_format is None or (file_format == "parquet" and is_compressed(path)):
        text_formats = [suffix for suffix in FORMATS if suffix != ".parquet"]
        raise DataError(
            f"{path}: unknown file extension; a table ends in {', '.join(text_formats)} (each also "
            "with .gz) or .parquet"
        )
    return file_format


def output_format(path: Path | None, source: FileFormat) -> FileFormat:
    """Return the format to write rows in; on standard output (None), JSON Lines stay JSON Lines.

    Raises:
        DataError: The extension of the path is unknown.
    """
    if path is None:
        return "jsonl" if source == "jsonl" else "delimited"
    return format_of(path)


def table_suffix(path: Path) -> str:
    """Return the extension of a name in lower case, without a final `.gz`."""
    return (path.with_suffix("") if is_compressed(path) else path).suffix.lower()


def is_compressed(path: Path) -> bool:
    """Whether a name ends in `.gz`."""
    return path.suffix.lower() == ".gz"
