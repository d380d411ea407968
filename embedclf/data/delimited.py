"""CSV and TSV tables."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from embedclf.data.csv_records import (
    RecordError,
    cell_count_fault,
    find_broken_records,
    find_wrong_cell_count,
    read_record_blocks,
    read_records,
)
from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    Batch,
    ReadBatch,
    empty_batch,
    join_columns,
)
from embedclf.system.text_files import TextFile, is_utf8, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.formats import FileFormat

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

_OTHER_FORMATS = {
    b"PK\x03\x04": "this is a zip archive, such as an Excel workbook; save it as CSV in UTF-8",
    b"\x1f\x8b": "compressed with gzip; rename it to end in .gz, or unpack it",
}

_SNIFFED_BYTES = 64
"""Bytes at the beginning to search for the NUL bytes of UTF-16."""


@dataclass(frozen=True)
class DelimitedReader:
    """Reads a delimited table."""

    file: TextFile
    delimiter: str
    columns: tuple[str, ...]
    block_bytes: int = BLOCK_BYTES
    """Number of bytes to read at once."""

    file_format: ClassVar[FileFormat] = "delimited"

    def iter_batches(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read some columns; raises DataError with file and line."""
        return self._iter_batches([self.columns.index(column) for column in columns])

    def iter_scoring_batches(
        self, text: Sequence[str], *, target: FileFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns; raises as `iter_batches`."""
        del target, reserved  # cells are text in all target formats
        indices = [self.columns.index(column) for column in text]
        for rows, fraction_read in self._iter_batches(range(len(self.columns))):
            texts = join_columns([rows.column(index) for index in indices])
            yield Batch(texts, rows, fraction_read=fraction_read)

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the lines that rows, in ascending order, begin on."""
        with self.file.open() as stream:
            records = read_records(stream.decoded, self.delimiter, len(self.columns))
            # From record 1, because record 0 is the header.
            lines = [line for line, _ in itertools.islice(records, 1, rows[-1] + 2)]
        return [lines[row] for row in rows]

    def find_broken_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the line and the fault of each record that cannot be read."""
        del columns  # a record can be read completely or not at all
        with self.file.open() as stream:
            lines = io.TextIOWrapper(stream.decoded, encoding="utf-8-sig", newline="")
            yield from find_broken_records(lines, self.delimiter, len(self.columns))

    def _iter_batches(self, indices: Sequence[int]) -> Iterator[ReadBatch]:
        from pyarrow import csv

        # Numbered names, since column names can repeat.
        names = [f"f{index}" for index in range(len(self.columns))]
        included = [names[index] for index in indices]
        parse = csv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=True,
            # In a table of one column, a blank line is a row with an empty cell.
            ignore_empty_lines=len(self.columns) > 1,
        )
        convert = csv.ConvertOptions(
            # Without types, Arrow would infer them, and read `01` as 1.
            column_types={name: pa.string() for name in included},
            include_columns=included,
            strings_can_be_null=False,
        )
        header_rows = 1
        for line, block, fraction_read in self._read_blocks():
            # Blank lines before the header are never rows, even in a table of one column.
            skip_blank = header_rows or parse.ignore_empty_lines
            records = block.lstrip(b"\r\n") if skip_blank else block
            if not records:
                continue
            # One Arrow block, because Arrow refuses cells larger than a block.
            read = csv.ReadOptions(
                column_names=names, block_size=len(records) + 1, use_threads=False
            )
            try:
                table = csv.read_csv(pa.BufferReader(records), read, parse, convert)
            except pa.ArrowInvalid as error:
                raise self._locate_fault(block, line, error) from error
            # With column_names, Arrow reads the header as an ordinary row.
            rows = table.slice(header_rows).rename_columns(
                [self.columns[index] for index in indices]
            )
            header_rows = 0
            batches = rows.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)
            # A header without rows still yields a batch, with the columns.
            yield from ((batch, fraction_read) for batch in batches or [empty_batch(rows.schema)])

    def _read_blocks(self) -> Iterator[tuple[int, bytes, float]]:
        with self.file.open() as stream:
            try:
                for line, block in read_record_blocks(
                    stream, self.delimiter, len(self.columns), block_bytes=self.block_bytes
                ):
                    yield line, block, stream.fraction_read
            except RecordError as error:
                raise DataError(f"{self.file.name}:{error.line}: {error}") from error

    def _locate_fault(self, block: bytes, line: int, error: Exception) -> DataError:
        """Find the line that Arrow refused; its errors count the rows of a block."""
        # Checked first, because counting cells decodes the block.
        if decode_error := self.file.find_decode_error():
            return decode_error
        wrong = find_wrong_cell_count(block, self.delimiter, len(self.columns))
        if wrong is None:
            return DataError(f"{self.file.name}:{line}: cannot be read: {one_line(error)}")
        lines_before, cells = wrong
        fault = cell_count_fault(cells, len(self.columns))
        return DataError(f"{self.file.name}:{line + lines_before}: {fault}")


def open_delimited(
    file: TextFile, required: Sequence[str], delimiters: Sequence[str]
) -> DelimitedReader:
    """Open a table with the first delimiter that finds the required columns.

    If none does, or no columns are required, use the delimiter that finds the most columns.

    Raises:
        DataError: The file is empty, not decodable, or its quotes fit no delimiter.
    """
    head = read_head(file, "a header and rows")
    readers, faults = [], []
    for delimiter in delimiters:
        try:
            readers.append(DelimitedReader(file, delimiter, _read_header(head, delimiter)))
        except RecordError as error:  # the quotes may fit another delimiter
            faults.append(DataError(f"{file.name}:{error.line}: {error}"))
    if not readers:
        raise faults[0]
    fitting = (reader for reader in readers if required and set(required) <= set(reader.columns))
    return next(fitting, None) or max(readers, key=lambda reader: len(reader.columns))


def parse_delimiter(delimiter: str, name: str) -> str:
    r"""Return a delimiter, with `\t` as a tab.

    Raises:
        DataError: It is not one ASCII character, or it is a quote or a line end.
    """
    character = "\t" if delimiter == "\\t" else delimiter
    if len(character) != 1 or not character.isascii() or character in '"\r\n':
        raise DataError(
            f"{name}: delimiter {delimiter!r}: must be one ASCII character, not a quote or line end"
        )
    return character


def read_head(file: TextFile, required: str) -> bytes:
    """Read the beginning of a text table, enough to find its columns.

    Args:
        file: The table.
        required: What it must contain, for the message about an empty file.

    Raises:
        DataError: The file is empty, not text, or not decodable.
    """
    with file.open() as stream:
        head = stream.read(BLOCK_BYTES)
        # A header can be longer than a block.
        while not _has_whole_line(head) and (more := stream.read(BLOCK_BYTES)):
            head += more
    for magic, fault in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise DataError(f"{file.name}: {fault}")
    # In UTF-16, half the bytes of ASCII text are 0; a quarter leaves room for other characters.
    if head[:_SNIFFED_BYTES].count(0) > _SNIFFED_BYTES // 4:
        raise DataError(
            f"{file.name}: this looks like UTF-16 without a byte-order mark; set its encoding, "
            "such as utf-16-le (data.encoding or --encoding)"
        )
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise DataError(f"{file.name}: the file is empty; it needs {required}")
    # Check the head first, as find_decode_error reads the whole file if it finds no fault.
    if decode_error := not is_utf8(head) and file.find_decode_error():
        raise decode_error
    return head


def _has_whole_line(head: bytes) -> bool:
    head = head.lstrip()
    return b"\n" in head or b"\r" in head


def _read_header(head: bytes, delimiter: str) -> tuple[str, ...]:
    complete = head.decode("utf-8", errors="ignore").encode()  # drops half a character at the end
    # The number of columns, still unknown, matters only for lines after the header.
    return tuple(next(read_records(io.BytesIO(complete), delimiter, 2))[1])
