"""Problems with reading tables: rows that cannot be read, are ignored, or are part of a cell."""

from __future__ import annotations

import re
from dataclasses import replace
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING

from embedclf.audit.findings import (
    MAX_EXAMPLES,
    Example,
    Finding,
    format_rate,
    format_settings,
    severity_by_rate,
)
from embedclf.config.loading import named_tables
from embedclf.errors import DataError
from embedclf.system.compression import open_unpacked
from embedclf.system.formats import table_suffix
from embedclf.system.publishing.private_files import private_file
from embedclf.system.terminal import format_count, join_shortened, shorten
from embedclf.system.text_files import open_text
from embedclf.tables.content import recognize_format
from embedclf.tables.files import find_files
from embedclf.tables.parts import open_part
from embedclf.tables.read_options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.data_section import DataConfig
    from embedclf.config.schema import Config
    from embedclf.system.formats import FileFormat
    from embedclf.system.text_files import TextFile
    from embedclf.tables.files import TableFile
    from embedclf.tables.parts import TablePart

_TEXT_FORMATS: set[FileFormat] = {"delimited", "json", "fasttext", "lines"}

_MAX_FOOTER = 60
"""Characters of a line below the last row in a message."""

_UNREADABLE_REASON = "training stops at the first row that it cannot read"

_SURROGATE = re.compile("[\udc80-\udcff]")
"""What Python substitutes for a byte that it cannot decode (PEP 383)."""


def find_unreadable_rows(config: Config) -> Iterator[Finding]:
    """Find the rows that cannot be read in each file of a config.

    Files without such rows are ignored: those that are empty, or lack a column. The error that
    training raises describes them.
    """
    for split, tables in named_tables(config).items():
        for file in find_files(tables):
            try:
                yield from _find_unreadable_rows_in(file, split, config.data)
            except (DataError, OSError, UnicodeError):
                continue


def find_reading_problems(split: AuditedSplit, config: Config) -> Iterator[Finding]:
    """Find what reading the table of a split had to ignore or to assume.

    Args:
        split: A split with its own table.
        config: Knows the reason of an encoding that was assumed when the config was resolved.
    """
    parts = split.split.rows.table.parts
    yield from _find_skipped_rows(split, parts)
    yield from _find_swallowed_rows(split, parts)
    if not isinstance(config.data.skip_lines, tuple):  # otherwise they are ignored as requested
        yield from _find_footers(parts)
    encodings = {part.file.name: part.reader.notes.assumed_encoding for part in parts}
    if "data.encoding" in config.reasons:
        encodings = dict.fromkeys(encodings, config.data.encoding)
    if assumed := [name for name, encoding in encodings.items() if encoding]:
        encoding = encodings[assumed[0]]
        settings = {"data.encoding": encoding}
        yield Finding(
            "encoding-assumed",
            "note",
            f"{join_shortened(assumed)}: not UTF-8, read as {encoding}",
            len(assumed),
            len(parts),
            "no other encoding makes sense of these bytes",
            f"{format_settings(settings)}, to confirm it",
            settings=settings,
        )


def _find_unreadable_rows_in(file: TableFile, split: str, data: DataConfig) -> Iterator[Finding]:
    columns = [*data.input_columns.names, *data.label_columns]
    options = ReadOptions.from_config(data)
    if recognize_format(file, options, columns) not in _TEXT_FORMATS:
        yield from _find_broken_rows(file, split, data, options)
        return
    text = open_text(file.location, file.name, data.encoding).with_assumed_encoding()
    # Reading stops at the first undecodable byte, so broken rows are searched in a UTF-8 copy.
    with private_file(table_suffix(file.location)) as (location, copy):
        undecodable = list(_copy_as_utf8(text, copy))
        if undecodable:
            yield _undecodable_finding(text, undecodable, split)
        copied = replace(file, location=location)
        yield from _find_broken_rows(copied, split, data, replace(options, encoding="utf-8"))


def _find_broken_rows(
    file: TableFile, split: str, data: DataConfig, options: ReadOptions
) -> Iterator[Finding]:
    part, broken = _read_broken_rows(file, data, options)
    if not broken:
        return
    settings = {"data.on_bad_row": "skip"} if _can_skip(part, data, options) else {}
    yield Finding(
        "row-unreadable",
        "error",
        f"cannot read {format_count(len(broken), 'row')} of {file.name}",
        len(broken),
        None,
        _UNREADABLE_REASON,
        f"correct {'this row' if len(broken) == 1 else 'these rows'}"
        + (f", or ignore them: {format_settings(settings)}" if settings else ""),
        tuple(Example(split, 0, *place) for place in broken[:MAX_EXAMPLES]),
        settings,
    )


def _read_broken_rows(
    file: TableFile, data: DataConfig, options: ReadOptions
) -> tuple[TablePart, list[tuple[str, str]]]:
    """Return an open file, and the location and fault of each of its broken rows."""
    columns = [*data.input_columns.names, *data.label_columns]
    part = open_part(file, columns, options)
    stored = [column for column in columns if column not in part.constants]
    broken = part.reader.find_broken_rows(stored, as_json=data.label_columns)
    return part, [(part.location(number), fault) for number, fault in broken]


def _can_skip(part: TablePart, data: DataConfig, options: ReadOptions) -> bool:
    """Whether `data.on_bad_row: skip` ignores all broken rows of a file."""
    if part.reader.file_format != "json":
        return part.reader.file_format == "delimited"
    # A record whose text is a list is never ignored, nor is an array with a syntax error.
    return not _read_broken_rows(part.file, data, replace(options, on_bad_row="skip"))[1]


def _copy_as_utf8(text: TextFile, copy: IO[bytes]) -> Iterator[int]:
    """Copy a table as UTF-8; yield the numbers of the lines that its encoding cannot decode."""
    with open_unpacked(text.location, text.name) as (_, unpacked):
        # newline: line ends stay as they are, and a lone carriage return does not end a line.
        lines = TextIOWrapper(unpacked, text.encoding, errors="surrogateescape", newline="\n")
        for number, line in enumerate(lines, 1):
            # `isascii` is fast, and saves most lines the search.
            if not line.isascii() and _SURROGATE.search(line):
                yield number
            copy.write(line.encode("utf-8", errors="replace"))  # surrogates become "?"
    copy.flush()  # the copy is opened again by its name


def _undecodable_finding(text: TextFile, lines: list[int], split: str) -> Finding:
    likely = text.likely_encodings()
    those = "this line" if len(lines) == 1 else "these lines"
    settings, fix = {}, f"correct {those}, or save the file as UTF-8"
    if likely.names and not likely.is_utf8:
        best, *others = likely.names
        settings = {"data.encoding": best}
        alternatives = f" (or {', '.join(others)})" if others else ""
        fix = f"{format_settings(settings)}{alternatives}; or save the file as UTF-8"
    return Finding(
        "bytes-unreadable",
        "error",
        f"cannot decode {format_count(len(lines), 'line')} of {text.name} as {text.encoding}",
        len(lines),
        None,
        _UNREADABLE_REASON,
        fix,
        tuple(Example(split, 0, f"{text.name}:{line}") for line in lines[:MAX_EXAMPLES]),
        settings,
    )


def _find_skipped_rows(split: AuditedSplit, parts: Sequence[TablePart]) -> Iterator[Finding]:
    count = sum(part.reader.notes.skipped for part in parts)
    if not count:
        return
    total = len(split.valid_positions) + split.split.rows.skipped + count
    places = [
        (part.location(line), fault)
        for part in parts
        for line, fault in part.reader.notes.skipped_places
    ]
    yield Finding(
        "row-skipped",
        severity_by_rate(count, total),
        f"{format_rate(count, total)} rows of {split.split.rows.table.name} cannot be read",
        count,
        total,
        "they are ignored (data.on_bad_row: skip)",
        f"correct {'this row' if count == 1 else 'these rows'}",
        tuple(Example(split.name, 0, *place) for place in places[:MAX_EXAMPLES]),
    )


def _find_swallowed_rows(split: AuditedSplit, parts: Sequence[TablePart]) -> Iterator[Finding]:
    count = sum(part.reader.notes.swallowing for part in parts)
    if not count:
        return
    places = [
        f"{part.location(first)}-{last}"
        for part in parts
        for first, last in part.reader.notes.swallowing_places
    ]
    yield Finding(
        "cell-swallows-rows",
        "warning",
        f"{format_count(count, 'quoted cell')} of {split.split.rows.table.name} "
        f"{'has' if count == 1 else 'have'} lines that look like rows",
        count,
        None,
        "these rows are read as one text",
        f"close the quote that opens in {places[0].rpartition('-')[0]}; if quotes are ordinary "
        "characters, set data.quote: none",
        tuple(Example(split.name, 0, place) for place in places[:MAX_EXAMPLES]),
    )


def _find_footers(parts: Sequence[TablePart]) -> Iterator[Finding]:
    """Report the lines below the last row, such as `Total: 120 rows`."""
    for part in parts:
        note = part.reader.notes
        if note.footer is None:
            continue
        line, text = note.footer
        lines = format_count(note.footer_lines, "line")
        yield Finding(
            "lines-ignored",
            "note",
            f"{lines} below the last row of {part.file.name} ignored, from {part.location(line)}: "
            f"{shorten(text, _MAX_FOOTER)!r}",
            note.footer_lines,
            None,
            "they do not look like a row",
            f"remove {'it' if note.footer_lines == 1 else 'them'}; or make rows of them, with as "
            "many cells as the other rows",
        )
