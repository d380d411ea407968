"""Outputs: where scored rows go, as CSV, TSV, JSON lines, Parquet, or into memory.

Rows are rendered in whatever thread scored them and written in one, in order.
"""

from __future__ import annotations

import gzip
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.atomic import draft_file
from embedclf.columns import decimal_column, numbers_of, text_column
from embedclf.errors import DataError
from embedclf.jsonlines import RECORD
from embedclf.tables import Kind, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DECIMALS = 6
"""Of every probability and share that is written."""
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?$"


class Output(Protocol):
    """Takes scored rows, batch by batch."""

    def render(self, rows: pa.RecordBatch) -> Any:
        """Turn rows into what can be written; threads may do so at once."""

    def write(self, rendered: Any) -> None:
        """Write it; the order of calls is the order of rows."""

    def flush(self) -> None:
        """Let readers have what was written."""


@contextmanager
def open_output(
    path: Path | None, kind: Kind, columns: Sequence[str], *, safe: bool = False
) -> Iterator[Output]:
    """Open where scored rows go.

    Args:
        path: The table; its ending tells the delimiter and whether to pack it. It is there, whole,
            when the block ends well. None is standard output.
        kind: What it is.
        columns: Of the rows that will come.
        safe: Whether to neutralise cells that a spreadsheet would run as formulas.

    Raises:
        DataError: The folder cannot be written to, or a kind of table cannot hold the columns.
    """
    if kind != "delimited" and len(set(columns)) < len(columns):
        twice = next(name for name in columns if list(columns).count(name) > 1)
        raise DataError(f"two columns are named {twice!r}; rename one, or write CSV")
    if path is None:
        yield _Lines(sys.stdout.buffer, _format(kind, ",", columns, safe=safe))
        return
    try:
        with draft_file(path) as file:
            if kind == "parquet":
                with _Parquet(file) as output:
                    yield output
            else:
                delimiter = "\t" if suffix_of(path) == ".tsv" else ","
                packed = path.suffix.lower() == ".gz"
                yield _Lines(file, _format(kind, delimiter, columns, safe=safe), packed=packed)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Held:
    """Rows in memory, as plain values."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def render(self, rows: pa.RecordBatch) -> list[dict[str, Any]]:
        """Rows as dictionaries; JSON records with what was added to them."""
        plain: list[dict[str, Any]] = rows.to_pylist()
        return [{**json.loads(row.pop(RECORD, "{}")), **row} for row in plain]

    def write(self, rendered: list[dict[str, Any]]) -> None:
        """Keep rows."""
        self.rows.extend(rendered)

    def flush(self) -> None:
        """Nothing is held back."""


class _Lines:
    """Rows as lines of text; packed, each batch is a member of a gzip file of its own."""

    def __init__(self, file: IO[bytes], form: _Csv | _Json, *, packed: bool = False) -> None:
        self._file, self._form, self._packed = file, form, packed
        self.write(self._pack(form.header))

    def render(self, rows: pa.RecordBatch) -> bytes | memoryview:
        return self._pack(self._form.lines(rows))

    def write(self, rendered: bytes | memoryview) -> None:
        self._file.write(rendered)

    def flush(self) -> None:
        self._file.flush()

    def _pack(self, content: bytes | memoryview) -> bytes | memoryview:
        return gzip.compress(content, mtime=0) if self._packed else content


def _format(kind: Kind, delimiter: str, columns: Sequence[str], *, safe: bool) -> _Csv | _Json:
    return _Json() if kind == "jsonl" else _Csv(delimiter, columns, safe=safe)


class _Json:
    header = b""

    def lines(self, rows: pa.RecordBatch) -> bytes:
        return "".join(map(self._line, rows.to_pylist())).encode()

    def _line(self, row: dict[str, Any]) -> str:
        """A record as it stands with the rest behind it, or the rest alone."""
        begun = row.pop(RECORD, "{}").removesuffix("}").rstrip()
        added = json.dumps(row, ensure_ascii=False, default=str).removeprefix("{")
        return f"{begun}{'' if begun == '{' else ', '}{added}\n"


class _Csv:
    """RFC 4180: a cell stands in quotes where it must, or wherever it is text if made safe."""

    def __init__(self, delimiter: str, columns: Sequence[str], *, safe: bool) -> None:
        self._safe = safe
        self._delimiter, self._end, self._quote, self._nothing, self._apostrophe = text_column(
            [delimiter, "\n", '"', "", "'"]
        )
        self._needing = f'["\\r\\n{delimiter}]'
        self.header = self._joined([text_column([column]) for column in columns])

    def lines(self, rows: pa.RecordBatch) -> bytes | memoryview:
        return self._joined(rows.columns) if rows.num_rows else b""

    def _joined(self, columns: Sequence[pa.Array]) -> memoryview:
        """All rows as one piece of memory: that of an Arrow column of lines."""
        *cells, last = map(self._cells, columns)
        ended = pc.binary_join_element_wise(last, self._end, self._nothing)
        lines = pc.binary_join_element_wise(*cells, ended, self._delimiter)
        _, offsets, content = lines.buffers()
        return memoryview(content)[: memoryview(offsets).cast("i")[len(lines)]]

    def _cells(self, column: pa.Array) -> pa.Array:
        if column.type == pa.float64():
            return decimal_column(numbers_of(column), DECIMALS)
        if column.type == pa.bool_():
            return column.cast(pa.string())
        if self._safe:
            return self._quoted(self._neutralised(column))
        needing = pc.match_substring_regex(column, self._needing)
        return pc.if_else(needing, self._quoted(column), column) if needing.true_count else column

    def _quoted(self, column: pa.Array) -> pa.Array:
        doubled = pc.replace_substring(column, '"', '""')
        return pc.binary_join_element_wise(self._quote, doubled, self._quote, self._nothing)

    def _neutralised(self, column: pa.Array) -> pa.Array:
        """An apostrophe before each cell that begins as a formula does and is no number (OWASP)."""
        number = pc.match_substring_regex(column, _NUMBER)
        formula = pc.and_not(pc.match_substring_regex(column, _FORMULA), number)
        marked = pc.binary_join_element_wise(self._apostrophe, column, self._nothing)
        return pc.if_else(formula, marked, column)


class _Parquet:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._writer: Any = None

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def render(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return rows

    def write(self, rendered: pa.RecordBatch) -> None:
        from pyarrow import parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, rendered.schema)
        if rendered.num_rows:
            self._writer.write_batch(rendered)

    def flush(self) -> None:
        """Row groups are written when they are full."""
