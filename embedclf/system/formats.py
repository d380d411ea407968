"""File formats, and the file name extensions that they have."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal
from urllib.parse import urlsplit

from embedclf.errors import DataError

FileFormat = Literal["delimited", "json", "parquet", "excel", "fasttext", "lines", "folder"]
"""Formats of tables that can be read; `json` is JSON of any shape, JSON Lines included."""

OutputFormat = Literal["delimited", "jsonl", "parquet", "excel"]
"""Formats of tables that can be written."""

InputFormat = Literal["csv", "tsv", "json", "jsonl", "parquet", "excel", "fasttext", "lines"]
"""Input formats that a user can name: lines of text, or a table."""

FORMATS: dict[str, FileFormat] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".psv": "delimited",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".jsonlines": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
"""Formats of tables by extension; other files are recognized by their content."""

CONFIG_SUFFIXES = (".yaml", ".yml")
"""Extensions of configs."""

_COMPRESSIONS = (".gz", ".zst", ".zstd", ".bz2", ".xz", ".zip")

_OUTPUT_FORMATS: dict[str, OutputFormat] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
}

# A path keeps one slash of two. A letter before the colon is a drive.
_URI_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")

_COMPRESSED_OUTPUTS = (".gz", ".zst", ".bz2", ".xz")
"""Compressions that text tables can be written with."""


def output_format(path: PurePath | None, source: FileFormat) -> OutputFormat:
    """Return the format to write rows in; on standard output (None), JSON becomes JSON Lines.

    Raises:
        DataError: The extension of the path is unknown, the format cannot be compressed, or it is
            a URI.
    """
    if path is None:
        return "jsonl" if source == "json" else "delimited"
    if _URI_PATH.match(str(path)):
        raise DataError(f"{path}: URIs cannot be written; name a local file, and copy it there")
    target = _OUTPUT_FORMATS.get(table_suffix(path))
    compression = compression_suffix(path)
    # Parquet and Excel are compressed inside, and need random access.
    allowed = _COMPRESSED_OUTPUTS if target in {"delimited", "jsonl"} else ()
    if target is None or (compression and compression not in allowed):
        raise DataError(
            f"{path}: cannot be written in this format; the name must end in .csv, .tsv, .jsonl, "
            f".ndjson (each also with {', '.join(_COMPRESSED_OUTPUTS)}), .parquet or .xlsx"
        )
    return target


def table_suffix(location: str | PurePath) -> str:
    """Return the extension of a file or URI in lower case, without that of a compression."""
    name = _name(location)
    return PurePath(name[: len(name) - len(compression_suffix(name))]).suffix.lower()


def compression_suffix(location: str | PurePath) -> str:
    """Return the extension of a compression, such as `.gz`, that a name ends in, or ""."""
    suffix = PurePath(_name(location)).suffix.lower()
    return suffix if suffix in _COMPRESSIONS else ""


def _name(location: str | PurePath) -> str:
    """Return the last part of a path or URI; the query of a URI belongs to its store."""
    text = str(location)
    return PurePath(urlsplit(text).path if "://" in text else text).name
