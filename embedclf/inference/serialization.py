"""Rows as CSV and JSON text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import format_decimals, number_column, text_column, to_numpy
from embedclf.system.text_files import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DECIMALS = 6
"""Of every probability and fraction that is written."""

_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""Beginning of a cell that spreadsheets run as a formula; the last four are full-width =+-@."""

_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?$"


class JsonLines:
    """JSON Lines."""

    header = b""

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes:
        """Render rows as lines, each appended to its record if there are records."""
        return "".join(f"{line}\n" for line in json_objects(rows, records)).encode()


def json_objects(rows: pa.RecordBatch, records: pa.Array | None) -> Iterator[str]:
    """Yield rows as JSON objects.

    A record keeps its text, since parsing and writing it again could change its numbers.

    Args:
        rows: (n,) columns to write.
        records: (n,) JSON objects that the columns are appended to; None writes the columns alone.

    Raises:
        DataError: A value cannot be written as JSON.
    """
    try:
        plain = pa.RecordBatch.from_arrays(
            list(map(_to_json_types, rows.schema.names, rows.columns)), rows.schema.names
        ).to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise DataError(
            f"a cell cannot be written as JSON: {one_line(error)}; write Parquet"
        ) from error
    kept = [None] * len(plain) if records is None else records.to_pylist()
    for row, record in zip(plain, kept, strict=True):
        added = _dump(row)
        if record is None:
            yield added
        else:
            # The record holds at least its text, so the comma is never the first character
            yield f"{record.removesuffix('}').rstrip()}, {added.removeprefix('{')}"


def _to_json_types(name: str, column: pa.Array) -> pa.Array:
    """Cast times and decimals to text: Python's types have a smaller range than Arrow's.

    Raises:
        DataError: The column holds bytes.
    """
    dtype, types = column.type, pa.types
    if types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype):
        raise DataError(f"column {name!r} holds bytes, which JSON has no type for; write Parquet")
    if types.is_temporal(dtype) or types.is_decimal(dtype):
        return column.cast(pa.string())
    return column


def _dump(value: Any) -> str:
    """Dump a value as JSON; NaN and infinity, which JSON lacks, become null."""
    try:
        # `default` is for times and decimals in lists and structs, which are not cast before
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # rare, so values are searched only after a refusal
        return json.dumps(_replace_nan(value), ensure_ascii=False, default=str, allow_nan=False)


def _replace_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class CsvLines:
    """CSV by RFC 4180, but with line feeds; cells are quoted only where necessary.

    If formulas are escaped, all text is quoted. Arrow formats column by column, which releases the
    global interpreter lock and creates no Python string per cell.
    """

    def __init__(
        self,
        delimiter: str,
        columns: Sequence[str],
        *,
        list_separator: str,
        escape_formulas: bool,
    ) -> None:
        """Create the header.

        Args:
            delimiter: Between two cells.
            columns: Names for the header.
            list_separator: Joins the items of a cell that holds a list.
            escape_formulas: Whether to neutralize cells that a spreadsheet would run as formulas.
        """
        self._escape_formulas = escape_formulas
        self._list_separator = text_column([list_separator])[0]
        self._delimiter, self._line_feed, self._quote, self._empty, self._apostrophe = text_column(
            [delimiter, "\n", '"', "", "'"]
        )
        self._special = f'["\\r\\n{delimiter}]'
        self.header = self._join([text_column([column]) for column in columns])

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes | memoryview:
        """Render rows as lines."""
        del records  # only JSON output has them
        return self._join(rows.columns) if rows.num_rows else b""

    def _join(self, columns: Sequence[pa.Array]) -> memoryview:
        """Join cells to lines, and lines to one text: the value buffer of an Arrow string column.

        Taking the buffer avoids a copy. It may be longer than the text, which the last offset ends.
        """
        *cells, last = map(self._format, columns)
        # Part of the last cell, so no delimiter comes before the line feed
        with_line_feed = pc.binary_join_element_wise(last, self._line_feed, self._empty)
        lines = pc.binary_join_element_wise(*cells, with_line_feed, self._delimiter)
        _, offsets, content = lines.buffers()
        # Offsets are int32; `lines` is no slice, so its text begins at 0
        return memoryview(content)[: memoryview(offsets).cast("i")[len(lines)]]

    def _format(self, column: pa.Array) -> pa.Array:
        # Only added columns are lists or numbers: those of a source come as text for CSV
        if pa.types.is_list(column.type):
            column = self._join_lists(column)
        if column.type == pa.float64():
            return format_decimals(to_numpy(column), DECIMALS)
        if column.type == pa.bool_() or pa.types.is_integer(column.type):
            return column.cast(pa.string())
        if self._escape_formulas:
            return self._quoted(self._escape(column))
        special = pc.match_substring_regex(column, self._special)
        # Without such a cell, the column is passed on uncopied
        return pc.if_else(special, self._quoted(column), column) if special.true_count else column

    def _join_lists(self, column: pa.ListArray) -> pa.Array:
        items = column.flatten()
        if items.type == pa.float64():
            items = format_decimals(to_numpy(items), DECIMALS)
        # (n + 1,) where the items of each row begin; a slice begins after 0
        offsets = to_numpy(column.offsets)
        lists = pa.ListArray.from_arrays(number_column(offsets - offsets[0]), items)
        return pc.binary_join(lists, self._list_separator)

    def _quoted(self, column: pa.Array) -> pa.Array:
        doubled = pc.replace_substring(column, '"', '""')
        return pc.binary_join_element_wise(self._quote, doubled, self._quote, self._empty)

    def _escape(self, column: pa.Array) -> pa.Array:
        """Put an apostrophe before cells that begin like a formula and are no number (OWASP)."""
        number = pc.match_substring_regex(column, _NUMBER)
        formula = pc.and_not(pc.match_substring_regex(column, _FORMULA), number)
        escaped = pc.binary_join_element_wise(self._apostrophe, column, self._empty)
        return pc.if_else(formula, escaped, column)
