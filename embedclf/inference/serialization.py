"""Rows as CSV and JSON text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import decimal_column, numbers_of, text_column
from embedclf.system.text_files import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DECIMALS = 6
"""Of every probability and share that is written."""

_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"

_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?$"


class Json:
    """JSON lines."""

    header = b""

    def lines(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes:
        """Rows, each behind its record where there are records."""
        return "".join(f"{record}\n" for record in objects(rows, records)).encode()


def objects(rows: pa.RecordBatch, records: pa.Array | None) -> Iterator[str]:
    """Rows as JSON objects: the record as it stands with the rest behind it, or the rest alone."""
    try:
        plain = pa.RecordBatch.from_arrays(
            list(map(_plain, rows.schema.names, rows.columns)), rows.schema.names
        ).to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise DataError(f"a cell cannot be JSON: {one_line(error)}; write Parquet") from error
    kept = [None] * len(plain) if records is None else records.to_pylist()
    for row, record in zip(plain, kept, strict=True):
        added = _dumped(row)
        if record is None:
            yield added
        else:
            yield f"{record.removesuffix('}').rstrip()}, {added.removeprefix('{')}"


def _plain(name: str, column: pa.Array) -> pa.Array:
    """Times and decimals as text, which Python's own types hold fewer of than Arrow's."""
    kind, types = column.type, pa.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        raise DataError(f"column {name!r} holds bytes, which JSON cannot; write Parquet")
    return column.cast(pa.string()) if types.is_temporal(kind) or types.is_decimal(kind) else column


def _dumped(value: Any) -> str:
    """A value as JSON, which has no NaN and no infinity: they become null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(cell) for key, cell in value.items()}
    if isinstance(value, list):
        return [_finite(cell) for cell in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Csv:
    """RFC 4180: a cell stands in quotes where it must, or wherever it is text if made safe."""

    def __init__(self, delimiter: str, columns: Sequence[str], *, safe: bool) -> None:
        """Fix the form.

        Args:
            delimiter: Between two cells.
            columns: Names for the header.
            safe: Whether to neutralise cells that a spreadsheet would run as formulas.
        """
        self._safe = safe
        self._delimiter, self._end, self._quote, self._nothing, self._apostrophe = text_column(
            [delimiter, "\n", '"', "", "'"]
        )
        self._needing = f'["\\r\\n{delimiter}]'
        self.header = self._joined([text_column([column]) for column in columns])

    def lines(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes | memoryview:
        """Rows as records of the table."""
        del records  # go into JSON alone
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
        if column.type == pa.bool_() or pa.types.is_integer(column.type):
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
