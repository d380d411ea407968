"""What a file is, by its content: a table of some format, or no table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.errors import DataError
from embedclf.system.compression import open_unpacked, unpack_command
from embedclf.system.encodings.names import marked_encoding, wide_encoding
from embedclf.system.foreign_files import describe_document, describe_foreign_file
from embedclf.system.formats import FORMATS, FileFormat, InputFormat, table_suffix
from embedclf.tables.csv_tables.dialects import DELIMITERS
from embedclf.tables.files import is_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from embedclf.tables.files import TableFile
    from embedclf.tables.read_options import ReadOptions

_HEAD_BYTES = 1 << 16

_NAMED_FORMATS: dict[InputFormat, FileFormat] = {
    "csv": "delimited",
    "tsv": "delimited",
    "json": "json",
    "jsonl": "json",
    "parquet": "parquet",
    "excel": "excel",
    "fasttext": "fasttext",
    "lines": "lines",
}

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How workbooks of Excel 97 and workbooks with a password begin."""

_PARQUET = b"PAR1"

_RANDOM_ACCESS = (_OLE2, _PARQUET)

_ZIP = b"PK\x03\x04"

_OPEN_DOCUMENT_SHEET = b"application/vnd.oasis.opendocument.spreadsheet"

_JSON = re.compile(r'\s*(\[\s*)*\{\s*("(?:[^"\\]|\\.)*"\s*:|\})')
"""The beginning of an object, or of an array of objects."""

_FASTTEXT = re.compile(r"(?:^|[ \t])__label__[^ \t]")

_MIN_FITTING = 0.9
"""Fraction of the lines that must have the same number of cells, or a label of fastText."""


def recognize_format(
    file: TableFile, options: ReadOptions, required: Sequence[str] = ()
) -> FileFormat:
    """Recognize the format of a file: by the option, the content, and the extension.

    Content decides where it is certain: workbooks, Parquet, JSON and fastText are recognized under
    any name. Otherwise a known extension decides. A file without one is delimited if its lines have
    equally many cells, or the options are for such lines. Otherwise it is lines of text.

    Args:
        file: The file, or a folder of texts.
        options: How to read it.
        required: Columns that it must have; a first line that names them is a header.

    Raises:
        DataError: It cannot be read, or it is no table; the message says what it is.
    """
    head = _read_head(file)
    if head is None:
        return "folder"
    text = _decode(head.content, options.encoding)
    foreign = describe_foreign_file(head.content, text, file.name)
    if foreign and options.format != "lines":
        raise DataError(f"{file.name}: {foreign}")
    if options.format is not None:
        return _NAMED_FORMATS[options.format]
    if head.is_workbook:
        return "excel"
    if certain := _certain_format(head.content, text):
        return certain
    named = FORMATS.get(table_suffix(file.location))
    # An empty, binary or JSON-like file is left to the reader, which describes what is wrong.
    if named == "delimited" or (named and ("\0" in text or text.lstrip()[:1] in "[{")):
        return named
    # Programs write text tables with the extensions .xls and .json, too.
    guessed = _guess_format(file, text, options, required)
    return guessed if guessed == "delimited" or named is None else named


@dataclass(frozen=True)
class _Head:
    content: bytes
    """The first bytes, unpacked."""
    is_workbook: bool


def _read_head(file: TableFile) -> _Head | None:
    """Read the beginning of a file; None for a folder.

    Raises:
        DataError: Unpacked, it would need random access; or it is a document.
    """
    if is_folder(file.location):
        return None
    with open_unpacked(file.location, file.name) as (stored, unpacked):
        content = unpacked.read(_HEAD_BYTES)
        is_zip = content.startswith(_ZIP)
        if unpacked is not stored and (is_zip or content.startswith(_RANDOM_ACCESS)):
            kind = "a zip archive or a workbook" if is_zip else "Parquet or an old workbook"
            raise DataError(
                f"{file.name}: {kind} inside a compressed file; unpack it: "
                + unpack_command(stored, file.name)
            )
        is_workbook = _check_workbook(stored, file.name) if is_zip else content.startswith(_OLE2)
        return _Head(content, is_workbook)


def _check_workbook(stored: pa.NativeFile, name: str) -> bool:
    """Return True for a workbook, which is a zip archive inside.

    Raises:
        DataError: It is another document, such as one of Word.
    """
    import zipfile

    stored.seek(0)
    with zipfile.ZipFile(stored) as archive:
        members = archive.namelist()
        if any(member.startswith("xl/") for member in members):
            return True
        if "mimetype" in members and archive.read("mimetype").startswith(_OPEN_DOCUMENT_SHEET):
            return True
    raise DataError(f"{name}: {describe_document(members, name)}")


def _decode(head: bytes, encoding: str | None) -> str:
    """Decode the beginning of a text as well as possible."""
    encoding = marked_encoding(head) or encoding or wide_encoding(head) or "utf-8"
    try:
        return head.decode(encoding, errors="replace").removeprefix("\ufeff")
    except (LookupError, ValueError):  # the reader reports a wrong name
        return head.decode("latin-1")


def _certain_format(head: bytes, text: str) -> FileFormat | None:
    if head.startswith(_PARQUET):
        return "parquet"
    if _JSON.match(text):
        return "json"
    if text.lstrip().startswith("__label__"):
        return "fasttext"
    return None


def _guess_format(
    file: TableFile, text: str, options: ReadOptions, required: Sequence[str]
) -> FileFormat:
    """Guess the format of a text whose extension does not say it.

    Raises:
        DataError: It is not text.
    """
    if "\0" in text:
        raise DataError(
            f"{file.name}: this is a binary file of an unknown format; name a table: "
            ".csv, .tsv, .jsonl, .parquet or .xlsx"
        )
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    if len(text) >= _HEAD_BYTES // 4 and len(lines) > 1:
        lines.pop()  # the end of a long text can be within a line
    if _is_frequent(True, [_FASTTEXT.search(line) is not None for line in lines]):
        return "fasttext"
    if _expects_cells(options) or any(
        _is_delimited(lines, delimiter, required) for delimiter in DELIMITERS
    ):
        return "delimited"
    return "lines"


def _expects_cells(options: ReadOptions) -> bool:
    """Whether an option is for lines with cells."""
    keys = (options.delimiter, options.quote, options.escape, options.header, options.skip_lines)
    return any(value is not None for value in keys)


def _is_delimited(lines: list[str], delimiter: str, required: Sequence[str]) -> bool:
    """Whether the first line is a header, or most lines have equally many cells."""
    if not lines:
        return True  # the reader reports that the file is empty
    if lines[0].lower().startswith("sep="):
        return True
    header = next(csv.reader(lines[:1], delimiter=delimiter))
    if required and set(required) <= {cell.strip() for cell in header}:
        return True
    # Quotes can be ordinary characters.
    return any(
        _have_equal_cells(csv.reader(lines, delimiter=delimiter, quoting=quoting))
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)
    )


def _have_equal_cells(records: Iterable[list[str]]) -> bool:
    counts = [len(cells) for cells in records]
    count, _ = Counter(counts).most_common(1)[0]
    return count > 1 and len(counts) > 1 and _is_frequent(count, counts)


def _is_frequent(value: int, values: Sequence[int]) -> bool:
    return bool(values) and values.count(value) >= _MIN_FITTING * len(values)
