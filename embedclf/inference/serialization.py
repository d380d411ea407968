"""Rows as CSV and JSON text."""

from __future__ import annotations

import codecs
import json
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.inference.predictor import DECIMALS
from embedclf.system.arrow import format_decimals, number_column, pc, text_column, to_numpy
from embedclf.system.storage import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""Beginning of a cell that spreadsheets run as a formula; the last four are full-width =+-@."""

_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*([eE][+-]?[0-9]+)?$"

_BYTE_ORDER = "le" if sys.byteorder == "little" else "be"

_MARKED_ENCODINGS = {"utf-16": f"utf-16-{_BYTE_ORDER}", "utf-32": f"utf-32-{_BYTE_ORDER}"}
"""Encodings that begin with a byte-order mark, and what follows it."""


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
            opening = record.removesuffix("}").rstrip()
            # A record can be empty, and then the comma would be the first character
            yield f"{opening}{', ' if opening != '{' else ''}{added.removeprefix('{')}"


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


@dataclass(frozen=True)
class CsvStyle:
    """How a text table is written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    byte_order_mark: bool = False
    """Whether to begin UTF-8 with a byte-order mark; UTF-16 and UTF-32 always have one."""
    line_end: str = "\n"
    escape_formulas: bool = False
    """Whether to neutralize cells that a spreadsheet would run as formulas."""

    @classmethod
    def for_excel(cls, delimiter: str) -> CsvStyle:
        """What Excel opens with a double click."""
        return cls(delimiter, byte_order_mark=True, line_end="\r\n", escape_formulas=True)

    def encode(self, content: memoryview, *, is_first: bool) -> bytes | memoryview:
        """Encode UTF-8 bytes; the first ones of a file begin with the byte-order mark.

        Raises:
            DataError: The encoding does not have a character.
        """
        name = codecs.lookup(self.encoding).name
        if name in {"utf-8", "utf-8-sig"}:
            has_mark = self.byte_order_mark or name == "utf-8-sig"
            return codecs.BOM_UTF8 + content if is_first and has_mark else content
        if name in _MARKED_ENCODINGS and not is_first:
            name = _MARKED_ENCODINGS[name]
        try:
            return str(content, "utf-8").encode(name)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{self.encoding} has no {error.object[error.start]!r}; write UTF-8 with --excel, "
                "or another format, such as -o FILE.jsonl"
            ) from error


class CsvLines:
    """CSV by RFC 4180; cells are quoted only where necessary.

    If formulas are escaped, all text is quoted. Arrow formats column by column, which releases the
    global interpreter lock and creates no Python string per cell.
    """

    def __init__(self, style: CsvStyle, columns: Sequence[str], *, list_separator: str) -> None:
        """Create the header.

        Args:
            style: How to write.
            columns: Names for the header.
            list_separator: Joins the items of a cell that holds a list.

        Raises:
            DataError: The encoding does not have a character of a name.
        """
        self._style = style
        self._list_separator = text_column([list_separator])[0]
        self._delimiter, self._line_end, self._quote, self._empty, self._apostrophe = text_column(
            [style.delimiter, style.line_end, '"', "", "'"]
        )
        self._special = f'["\\r\\n\\x{{{ord(style.delimiter):x}}}]'
        names = self._join([text_column([column]) for column in columns])
        self.header = style.encode(names, is_first=True)

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes | memoryview:
        """Render rows as lines.

        Raises:
            DataError: The encoding does not have a character.
        """
        del records  # only JSON output has them
        return self._style.encode(self._join(rows.columns), is_first=False) if len(rows) else b""

    def _join(self, columns: Sequence[pa.Array]) -> memoryview:
        """Join cells to lines, and lines to one text: the value buffer of an Arrow string column.

        Taking the buffer avoids a copy. It may be longer than the text, which the last offset ends.
        """
        *cells, last = map(self._format, columns)
        # Part of the last cell, so no delimiter comes before the line end
        with_line_end = pc.binary_join_element_wise(last, self._line_end, self._empty)
        lines = pc.binary_join_element_wise(*cells, with_line_end, self._delimiter)
        _, offsets, content = lines.buffers()
        # Offsets are int32; `lines` is no slice, so its text begins at 0
        return memoryview(content)[: memoryview(offsets).cast("i")[len(lines)]]

    def _format(self, column: pa.Array) -> pa.Array:
        if column.null_count:  # joining would turn the whole row into null
            column = pc.coalesce(column, self._empty)
        # Only added columns are lists or numbers: those of a source come as text for CSV
        if pa.types.is_list(column.type):
            column = self._join_lists(column)
        if column.type == pa.float64():
            return format_decimals(to_numpy(column), DECIMALS)
        if column.type == pa.bool_() or pa.types.is_integer(column.type):
            return column.cast(pa.string())
        if self._style.escape_formulas:
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
