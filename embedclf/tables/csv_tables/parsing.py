"""Blocks of records, parsed by Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.system.arrow import pc
from embedclf.tables.csv_tables.row_streams import HIDDEN_RETURN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.tables.csv_tables.dialects import Dialect
    from embedclf.tables.csv_tables.record_blocks import RecordBlock


_BOM = b"\xef\xbb\xbf"


class BlockParser:
    """Parses blocks of records into columns of text.

    Args:
        dialect: How the table is written.
        indices: The columns to return.
    """

    def __init__(self, dialect: Dialect, indices: Sequence[int]) -> None:
        from pyarrow import csv

        self._dialect = dialect
        # Numbered names, since column names can repeat.
        self._names = [f"f{index}" for index in range(dialect.width)]
        included = [self._names[index] for index in indices]
        types = {name: pa.string() for name in included}
        # Without types, Arrow would infer them, and read `01` as 1.
        self._convert = csv.ConvertOptions(
            column_types=types, include_columns=included, strings_can_be_null=False
        )
        # Not schema.empty_table(), which imports pandas
        self.empty_table = pa.Table.from_batches([], schema=pa.schema(types))
        """The columns without rows."""

    def parse(self, block: RecordBlock) -> pa.Table:
        """Return columns of text.

        Raises:
            ArrowInvalid: A record has a wrong number of cells, or text is not UTF-8.
        """
        from pyarrow import csv

        # Arrow refuses a block of blank lines.
        content = block.content.lstrip(b"\r\n") if self._dialect.width > 1 else block.content
        if not content:
            return self.empty_table
        if content.startswith(_BOM):
            content = _BOM + content  # Arrow drops the first one, but here it is part of a cell
        # One Arrow block, because Arrow refuses cells larger than a block.
        read = csv.ReadOptions(
            column_names=self._names, block_size=len(content) + 1, use_threads=False
        )
        table = csv.read_csv(
            pa.BufferReader(content), read, self._parse_options(block), self._convert
        )
        if self._dialect.has_returns:
            columns = [
                pc.replace_substring(column, HIDDEN_RETURN, "\r") for column in table.columns
            ]
            return pa.Table.from_arrays(columns, schema=table.schema)
        return table

    def _parse_options(self, block: RecordBlock) -> Any:
        from pyarrow import csv

        # All cells of rewritten records are quoted.
        has_quotes = self._dialect.has_quotes or block.record_lines is not None
        return csv.ParseOptions(
            delimiter=self._dialect.delimiter,
            quote_char='"' if has_quotes else False,
            newlines_in_values=has_quotes,
            # In a table of one column, a blank line is a row with an empty cell.
            ignore_empty_lines=self._dialect.width > 1,
        )
