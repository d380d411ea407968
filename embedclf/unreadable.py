"""Unreadable rows: all of a table that cannot be read, where training refuses it for the first."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

from embedclf.config import near
from embedclf.errors import DataError
from embedclf.findings import SHOWN, Example, Finding, several
from embedclf.kinds import KINDS, is_packed, suffix_of
from embedclf.schema import FILES
from embedclf.tables import open_table
from embedclf.textfiles import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.schema import Config, DataConfig

_STRAY = range(0xDC80, 0xDD00)
"""What Python makes of bytes that are not in the encoding (PEP 383)."""


def unreadable(config: Config) -> Iterator[Finding]:
    """Find the rows that cannot be read in each table of a config.

    Tables in which no row can be told from others, such as Parquet, those that are empty, and those
    that lack a column, are passed over: training refuses them in a sentence that says it all.
    """
    for part in FILES:
        path = getattr(config.data, part)
        if isinstance(path, Path) and KINDS.get(suffix_of(path)) in {"delimited", "jsonl"}:
            try:
                yield from _of_table(part, path, config.data)
            except (DataError, OSError, EOFError, UnicodeError, zlib.error):
                continue


def _of_table(part: str, path: Path, data: DataConfig) -> Iterator[Finding]:
    columns = [*data.text_columns, *data.label_columns]
    encoding = open_text(path, str(path), data.encoding).encoding
    with NamedTemporaryFile(suffix=suffix_of(path)) as copy:
        stray = list(_copy(path, encoding, copy.file))
        table = open_table(
            Path(copy.name), columns, delimiter=data.delimiter, encoding="utf-8", name=str(path)
        )
        broken = list(table.broken(columns))
    if stray:
        what = f"{several(len(stray), 'line')} of {near(path)} with bytes that are not {encoding}"
        faults = [(line, "") for line in stray]
        mend = "data.encoding: cp1252, or what else it is in, or save the table in UTF-8"
        yield _finding("bytes-unreadable", what, _examples(part, path, faults), len(stray), mend)
    if broken:
        what = f"{several(len(broken), 'row')} of {near(path)} cannot be read"
        mend = "write the rows as their examples say; a library of CSV or JSON does it by itself"
        yield _finding("row-unreadable", what, _examples(part, path, broken), len(broken), mend)


def _copy(path: Path, encoding: str, copy: IO[bytes]) -> Iterator[int]:
    """Write a table in UTF-8, and give the lines of bytes that are not in its encoding."""
    opened = gzip.open if is_packed(path) else open
    with opened(path, "rt", encoding=encoding, errors="surrogateescape", newline="\n") as text:
        for number, line in enumerate(text, 1):
            if not line.isascii() and any(ord(letter) in _STRAY for letter in line):
                yield number
            copy.write(line.encode("utf-8", errors="replace"))
    copy.flush()


def _examples(part: str, path: Path, faults: list[tuple[int, str]]) -> tuple[Example, ...]:
    return tuple(Example(part, 0, f"{near(path)}:{line}", told) for line, told in faults[:SHOWN])


def _finding(kind: str, what: str, examples: tuple[Example, ...], count: int, mend: str) -> Finding:
    why = "what a row is cannot be guessed, so that training refuses the table"
    return Finding(kind, "error", what, count, None, why, mend, examples)
