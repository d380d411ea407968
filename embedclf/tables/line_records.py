"""Tables whose rows are lines: labeled texts of fastText, and plain texts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BLOCK_BYTES,
    ReadBatch,
    empty_batch,
    number_column,
    pc,
    split_batches,
    text_column,
    to_numpy,
    with_texts,
)
from embedclf.system.terminal import format_count
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrow import Batch
    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.system.text_files import TextFile
    from embedclf.tables.read_options import ReadOptions

_LABEL = r"__label__([^ \t\r\f\v]*)"

_NAMED_LABEL = _LABEL.replace("(", "(?P<label>")

_LABELS = re.compile(rf"(?:^|(?<=[ \t])){_LABEL}")

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LineReader:
    """Reads a text per line, with the labels of fastText or without labels.

    In fastText's format, words that begin with `__label__` are the labels of a line, wherever they
    stand. A cell with several labels is a JSON list. A blank line is a row with an empty text.
    """

    file: TextFile
    columns: tuple[str, ...]
    """Names of the label and the text, or of the text alone."""
    notes: ReadNotes
    block_bytes: int = BLOCK_BYTES
    """Number of bytes to read at once."""

    counts_rows: ClassVar[bool] = False
    names: ClassVar[None] = None

    @property
    def file_format(self) -> FileFormat:
        """Its format."""
        return "fasttext" if len(self.columns) > 1 else "lines"

    @property
    def description(self) -> str:
        """Format and encoding."""
        kind = "fastText" if self.file_format == "fasttext" else "a text per line"
        return f"{kind}, {self.file.described_encoding}"

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns.

        Raises:
            DataError: A line cannot be decoded; the message begins with file and line.
        """
        del as_json  # all cells are text
        yield empty_batch(pa.schema([(column, pa.string()) for column in columns])), 0.0
        for lines, fraction_read in self._iter_lines():
            cells = _split_labels(lines) if len(self.columns) > 1 else (lines,)
            rows = pa.RecordBatch.from_arrays([*cells], [*self.columns]).select([*columns])
            yield from ((batch, fraction_read) for batch in split_batches(rows))

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns; raises as `iter_batches`."""
        del target, reserved  # cells are text in all target formats
        return with_texts(self.iter_batches(self.columns), text)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the line of each row."""
        number = 1
        for lines, _ in self._iter_lines():
            yield from range(number, number + len(lines))
            number += len(lines)

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield nothing: every line is a row."""
        del columns, as_json
        return iter(())

    def _iter_lines(self) -> Iterator[tuple[pa.StringArray, float]]:
        """Read lines in blocks, without their ends; only a line feed ends a line."""
        rest, is_first = [b""], True
        with self.file.open() as stream:
            while block := stream.read(self.block_bytes):
                if is_first:
                    block, is_first = block.removeprefix(_BOM), False
                whole, newline, tail = block.rpartition(b"\n")
                if newline:
                    yield self._split(b"".join([*rest, whole])), stream.fraction_read
                    rest = []
                rest.append(tail)  # joined once, because a line can be longer than many blocks
            if last := b"".join(rest):
                yield self._split(last), stream.fraction_read
        self.notes.assumed_encoding = self.file.assumed_encoding

    def _split(self, block: bytes) -> pa.StringArray:
        offsets = np.array([0, len(block)], np.int32)
        text = pa.StringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(block))
        try:
            text.validate(full=True)
        except pa.ArrowInvalid as error:
            raise self.file.find_decode_error() or DataError(
                f"{self.file.name}: {error}"
            ) from error
        lines = pc.split_pattern(text, "\n").flatten()
        return pc.replace_substring_regex(lines, r"\r$", "") if b"\r" in block else lines


def open_fasttext(file: TextFile, required: Sequence[str], options: ReadOptions) -> LineReader:
    """Open a table in fastText's format.

    Its columns are named as `name_columns` says.

    Raises:
        DataError: The options name another number of columns.
    """
    return LineReader(file, name_columns(required, options, file.name), ReadNotes(file.name))


def open_lines(file: TextFile, required: Sequence[str], options: ReadOptions) -> LineReader:
    """Open a file with a text per line; its column bears the required name, or is `text`.

    Raises:
        DataError: The options name several columns.
    """
    columns = options.columns or (tuple(required) if len(required) == 1 else ("text",))
    if len(columns) != 1:
        raise DataError(
            f"{file.name}: {format_count(len(columns), 'name')} in data.columns; lines of text "
            "have 1 column; name the format if it is a table, such as data.format: csv"
        )
    return LineReader(file, columns, ReadNotes(file.name))


def name_columns(required: Sequence[str], options: ReadOptions, name: str) -> tuple[str, str]:
    """Name the label and the text of a table that has no names for them.

    Args:
        required: Required columns: the text, then the label.
        options: Their `columns`, if any, are the names.
        name: Name of the table in messages.

    Raises:
        DataError: The options name another number of columns.
    """
    if options.columns is not None:
        if len(options.columns) != 2:
            raise DataError(
                f"{name}: {format_count(len(options.columns), 'name')} in data.columns; "
                "there are 2 columns: label, text"
            )
        return options.columns[0], options.columns[1]
    if set(required) <= {"label", "text"}:
        return "label", "text"
    text, label = [*required, "label"][:2]
    return label, text


def _split_labels(lines: pa.StringArray) -> tuple[pa.StringArray, pa.StringArray]:
    """Split lines of fastText into labels and texts."""
    labels = pc.struct_field(pc.extract_regex(lines, rf"^(?:{_NAMED_LABEL})"), ["label"])
    texts = pc.utf8_trim(pc.replace_substring_regex(lines, rf"(?:^|[ \t]){_LABEL}", ""), " \t")
    # Where the only label stands first, as nearly always, it is extracted already.
    others = pc.or_(pc.not_equal(pc.count_substring(lines, "__label__"), 1), pc.is_null(labels))
    places = np.flatnonzero(to_numpy(others))
    if len(places):
        found = lines.take(number_column(places)).to_pylist()
        cells = text_column([_label_cell(_LABELS.findall(line)) for line in found])
        labels = pc.replace_with_mask(labels, others, cells)
    return labels, texts


def _label_cell(labels: list[str]) -> str:
    """Return the cell of a line's labels: none, one, or a JSON list of several."""
    distinct = [label for label in dict.fromkeys(labels) if label]
    if len(distinct) < 2:
        return "".join(distinct)
    return json.dumps(distinct, ensure_ascii=False)
