"""CSV and TSV."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from embedclf.data.csv_records import (
    RecordError,
    broken_records,
    record_blocks,
    rows_of,
    wrong_count,
    wrong_record,
)
from embedclf.errors import DataError
from embedclf.system.arrow import BATCH_ROWS, BLOCK_BYTES, Batch, Part, empty_batch, join_columns
from embedclf.system.text_files import TextFile, is_utf8, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.formats import Kind

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_NO_TEXT = {
    b"PK\x03\x04": "a zip archive, such as a workbook; save it as CSV in UTF-8",
    b"\x1f\x8b": "packed by gzip; give it a name in .gz, or unpack it",
}

_LOOK = 64
"""Bytes at the beginning that tell text from other things."""


@dataclass(frozen=True)
class Delimited:
    """A delimited table: its file, its delimiter, and its columns in order."""

    file: TextFile
    delimiter: str
    columns: tuple[str, ...]

    kind: ClassVar[Kind] = "delimited"

    def parts(self, wanted: Sequence[str]) -> Iterator[Part]:
        """Read some columns; raises DataError with file and line."""
        return self._parts([self.columns.index(column) for column in wanted])

    def batches(
        self, text: Sequence[str], *, target: Kind, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read all columns, and the texts; raises as `parts` does."""
        del target, reserved  # cells are text whatever they go to
        at = [self.columns.index(column) for column in text]
        for part, share in self._parts(range(len(self.columns))):
            yield Batch(join_columns([part.column(index) for index in at]), part, share=share)

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """The lines that rows, in ascending order, begin on."""
        with self.file.open() as stream:
            records = rows_of(stream.decoded, self.delimiter, len(self.columns))
            lines = [line for line, _ in itertools.islice(records, 1, rows[-1] + 2)]
        return [lines[row] for row in rows]

    def broken(self, wanted: Sequence[str]) -> Iterator[tuple[int, str]]:
        """All records that cannot be read: the line each begins on, and what is wrong with it."""
        del wanted  # a record is read whole or not at all
        with self.file.open() as stream:
            text = io.TextIOWrapper(stream.decoded, encoding="utf-8-sig", newline="")
            yield from broken_records(text, self.delimiter, len(self.columns))

    def _parts(self, wanted: Sequence[int]) -> Iterator[Part]:
        from pyarrow import csv

        names = [f"f{index}" for index in range(len(self.columns))]
        kept = [names[index] for index in wanted]
        parse = csv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=len(self.columns) > 1,
        )
        convert = csv.ConvertOptions(
            column_types={name: pa.string() for name in kept},
            include_columns=kept,
            strings_can_be_null=False,
        )
        header = 1
        for line, block, share in self._blocks():
            records = block.lstrip(b"\r\n") if header or parse.ignore_empty_lines else block
            if not records:
                continue
            read = csv.ReadOptions(
                column_names=names, block_size=len(records) + 1, use_threads=False
            )
            try:
                table = csv.read_csv(pa.BufferReader(records), read, parse, convert)
            except pa.ArrowInvalid as error:
                raise self._diagnose(block, line, error) from error
            rows = table.slice(header).rename_columns([self.columns[index] for index in wanted])
            header = 0
            batches = rows.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)
            yield from ((batch, share) for batch in batches or [empty_batch(rows.schema)])

    def _blocks(self) -> Iterator[tuple[int, bytes, float]]:
        with self.file.open() as stream:
            try:
                for line, block in record_blocks(stream, self.delimiter, len(self.columns)):
                    yield line, block, stream.share
            except RecordError as error:
                raise DataError(f"{self.file.name}:{error.line}: {error}") from error

    def _diagnose(self, block: bytes, line: int, error: Exception) -> DataError:
        """Find the line that Arrow stumbled over, the slow and exact way."""
        if undecodable := self.file.undecodable():
            return undecodable
        found = wrong_record(block, self.delimiter, len(self.columns))
        if found is None:
            return DataError(f"{self.file.name}:{line}: unreadable: {one_line(error)}")
        offset, cells = found
        fault = wrong_count(cells, len(self.columns))
        return DataError(f"{self.file.name}:{line + offset}: {fault}")


def open_delimited(file: TextFile, required: Sequence[str], delimiters: Sequence[str]) -> Delimited:
    """The table under the first of some delimiters that finds the required columns.

    Where none does, or none is required, it is the one that finds most columns.

    Raises:
        DataError: The file is empty, not decodable, or its quotes fit no delimiter.
    """
    head = read_head(file, "a header and rows")
    tables, faults = [], []
    for mark in delimiters:
        try:
            tables.append(Delimited(file, mark, _header(head, mark)))
        except RecordError as error:  # quotes that fit another delimiter
            faults.append(DataError(f"{file.name}:{error.line}: {error}"))
    if not tables:
        raise faults[0]
    fitting = (table for table in tables if required and set(required) <= set(table.columns))
    return next(fitting, None) or max(tables, key=lambda table: len(table.columns))


def checked_delimiter(delimiter: str, name: str) -> str:
    r"""A delimiter, `\t` being a tab.

    Raises:
        DataError: It cannot be one.
    """
    mark = "\t" if delimiter == "\\t" else delimiter
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n':
        raise DataError(
            f"{name}: delimiter {delimiter!r}: must be one ASCII character, no quote or line end"
        )
    return mark


def read_head(file: TextFile, needed: str) -> bytes:
    """The first records of a text table: enough to know its columns.

    Raises:
        DataError: The file is empty, a zip archive, or not decodable.
    """
    with file.open() as stream:
        head = stream.read(BLOCK_BYTES)
        while not _holds_line(head) and (more := stream.read(BLOCK_BYTES)):
            head += more
    for opening, kind in _NO_TEXT.items():
        if head.startswith(opening):
            raise DataError(f"{file.name}: {kind}")
    if head[:_LOOK].count(0) > _LOOK // 4:
        raise DataError(
            f"{file.name}: every other byte is 0: UTF-16 without a mark, it seems; name its "
            "encoding (data.encoding or --encoding), utf-16-le perhaps"
        )
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise DataError(f"{file.name}: empty; it needs {needed}")
    if undecodable := not is_utf8(head) and file.undecodable():
        raise undecodable
    return head


def _holds_line(head: bytes) -> bool:
    begun = head.lstrip()
    return b"\n" in begun or b"\r" in begun


def _header(head: bytes, delimiter: str) -> tuple[str, ...]:
    lines = head.decode("utf-8", errors="ignore").encode()
    return tuple(next(rows_of(io.BytesIO(lines), delimiter, 2))[1])
