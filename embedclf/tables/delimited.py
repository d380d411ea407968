"""CSV and TSV tables."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    ReadBatch,
    empty_batch,
    find_positions,
    with_texts,
)
from embedclf.system.encodings.names import is_utf8
from embedclf.system.formats import table_suffix
from embedclf.tables.csv_tables.detection import DialectError, detect_dialect
from embedclf.tables.csv_tables.dialects import DELIMITERS
from embedclf.tables.csv_tables.parsing import BlockParser
from embedclf.tables.csv_tables.record_blocks import (
    RecordBlock,
    last_record_end,
    read_record_blocks,
    rewrite_records,
)
from embedclf.tables.csv_tables.records import Record, RecordError, read_records
from embedclf.tables.csv_tables.row_streams import RowStream
from embedclf.tables.csv_tables.swallowed_rows import find_multiline_cells, find_swallowed_rows
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrow import Batch
    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.system.text_files import TextFile
    from embedclf.tables.csv_tables.dialects import Dialect
    from embedclf.tables.csv_tables.row_streams import RowsStart
    from embedclf.tables.read_options import ReadOptions


_DELIMITERS_BY_SUFFIX = {".tsv": "\t", ".tab": "\t", ".psv": "|"}


@dataclass(frozen=True)
class DelimitedReader:
    """Reads a delimited table."""

    file: TextFile
    dialect: Dialect
    start: RowsStart
    """Where the first row begins."""
    notes: ReadNotes
    """What the last complete reading found."""
    block_bytes: int = BLOCK_BYTES
    """Number of bytes to read at once."""

    file_format: ClassVar[FileFormat] = "delimited"
    counts_rows: ClassVar[bool] = False
    names: ClassVar[None] = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.dialect.columns

    @property
    def description(self) -> str:
        """How it is read: `comma, utf-8, no header (detected)`."""
        return self.dialect.describe(self.file.described_encoding)

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns; raises DataError with file and line."""
        del as_json  # cells are text
        positions = find_positions(self.columns)
        return self._iter_batches([positions[column] for column in columns])

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns; raises as `iter_batches`."""
        del target, reserved  # cells are text in all target formats
        # By position, because names that nobody reads can repeat.
        return with_texts(self._iter_batches(range(len(self.columns))), text)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the line that each row begins on."""
        skips = self.dialect.skips_bad_rows
        return (record.line for record in self._records() if not (skips and record.fault))

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield the line and the fault of each record that cannot be read."""
        del columns, as_json  # a record can be read completely or not at all
        return ((record.line, record.fault) for record in self._records() if record.fault)

    def _records(self) -> Iterator[Record]:
        with self.file.open() as stream:
            rows = RowStream(stream, self.dialect, self.start)
            yield from read_records(rows, self.dialect, first_line=self.start.line)

    def _iter_batches(self, indices: Sequence[int]) -> Iterator[ReadBatch]:
        parser = BlockParser(self.dialect, indices)
        schema = pa.schema([(self.columns[index], pa.string()) for index in indices])
        self.notes.clear()
        is_empty = True
        for block, fraction_read in self._read_blocks():
            rows = self._parse(parser, block)
            self._note(block, len(rows))
            is_empty &= len(rows) == 0
            columns = rows.combine_chunks().columns
            for batch in pa.Table.from_arrays(columns, schema=schema).to_batches(BATCH_ROWS):
                yield batch, fraction_read
        if is_empty:
            yield empty_batch(schema), 1.0  # a table without rows has columns
        self.notes.assumed_encoding = self.file.assumed_encoding

    def _read_blocks(self) -> Iterator[tuple[RecordBlock, float]]:
        with self.file.open() as stream:
            rows = RowStream(stream, self.dialect, self.start)
            try:
                for block in read_record_blocks(
                    rows, self.dialect, self.start, skip=self._skip, block_bytes=self.block_bytes
                ):
                    yield block, stream.fraction_read
            except RecordError as error:
                raise DataError(f"{self.file.name}:{error.line}: {error}") from error
        if rows.footer:
            self.notes.footer = (self.start.line + self.notes.lines, rows.footer)
            self.notes.footer_lines = rows.footer_lines

    def _skip(self, record: Record) -> None:
        """Ignore a malformed record, or raise RecordError."""
        if not self.dialect.skips_bad_rows:
            raise RecordError(record.line, record.fault)
        self.notes.add_skipped(record.line, record.fault)

    def _parse(self, parser: BlockParser, block: RecordBlock) -> pa.Table:
        try:
            return parser.parse(block)
        except pa.ArrowInvalid as error:
            # Checked first, because reading records decodes the block.
            if not is_utf8(block.content) and (decode_error := self.file.find_decode_error()):
                raise decode_error from error
        # Arrow does not say where the wrong record is.
        content = io.BytesIO(block.content)
        records = read_records(content, self.dialect, first_line=block.line, is_whole=block.is_last)
        try:
            blocks = [*rewrite_records(records, self.dialect, self._skip)]
        except RecordError as error:
            raise DataError(f"{self.file.name}:{error.line}: {error}") from error
        return pa.concat_tables([parser.empty_table, *map(parser.parse, blocks)])

    def _note(self, block: RecordBlock, rows: int) -> None:
        """Note cells of several lines that may be rows."""
        self.notes.lines += block.line_count
        self.notes.rows += rows
        # Without blank lines, a table without cells of several lines has as many rows as lines.
        if rows == block.line_count or not self.dialect.has_quotes or b'"' not in block.content:
            return
        if self.dialect.width == 1:
            self.notes.add_multiline(find_multiline_cells(block, self.dialect))
        else:
            self.notes.add_swallowing(find_swallowed_rows(block, self.dialect))


def open_delimited(
    file: TextFile, required: Sequence[str], options: ReadOptions
) -> DelimitedReader:
    """Open a table, and detect how it is written.

    Without a delimiter, the first one that finds the required columns is used. If none does, the
    one with the most columns is used.

    Raises:
        DataError: The file is empty or not decodable, the quotes of its header fit no delimiter, or
            `options.columns` has a wrong number of names.
    """
    head = _read_head(file)
    delimiters = _delimiters(file, options)
    try:
        dialect, start = detect_dialect(_whole_lines(head), required, options, delimiters)
    except RecordError as error:
        raise DataError(f"{file.name}:{error.line}: {error}") from error
    except DialectError as error:
        raise DataError(f"{file.name}: {error}") from error
    return DelimitedReader(file, dialect, start, ReadNotes(file.name))


def _read_head(file: TextFile) -> bytes:
    """Read the beginning of a table; raises DataError if it is empty or not decodable."""
    blocks, has_text = list[bytes](), False
    with file.open() as stream:
        # A header can be longer than a block.
        while block := stream.read(BLOCK_BYTES):
            blocks.append(block)  # joined once, as joining block by block takes quadratic time
            line = block if has_text else block.lstrip()
            if b"\n" in line or b"\r" in line:
                break
            has_text |= bool(line)
    head = b"".join(blocks).removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise DataError(f"{file.name}: the file is empty; it needs a header and rows")
    # Check the head first, as find_decode_error reads the whole file if it finds no fault.
    if decode_error := not is_utf8(head) and file.find_decode_error():
        raise decode_error
    return head


def _delimiters(file: TextFile, options: ReadOptions) -> list[str]:
    if options.delimiter is not None:
        return [_parse_delimiter(options.delimiter, file.name)]
    suffix = ".tsv" if options.format == "tsv" else table_suffix(file.location)
    first = _DELIMITERS_BY_SUFFIX.get(suffix)
    # False sorts first; the order of the others stays the same.
    return sorted(DELIMITERS, key=lambda character: character != first)


def _parse_delimiter(delimiter: str, name: str) -> str:
    r"""Return a delimiter, with `\t` as a tab; raises DataError if it cannot be one."""
    character = "\t" if delimiter == "\\t" else delimiter
    if len(character) != 1 or not character.isascii() or character in '"\r\n':
        raise DataError(
            f"{name}: delimiter {delimiter!r}: must be one ASCII character, not a quote or line end"
        )
    return character


def _whole_lines(head: bytes) -> str:
    """Return the beginning of a table without an incomplete record at its end."""
    newline = b"\n" if b"\n" in head else b"\r"
    # Without a line end, the head is the whole file.
    if len(head) >= BLOCK_BYTES and newline in head:
        head = head[: last_record_end(head, newline) or head.rfind(newline) + 1]
    return head.decode(errors="ignore")
