"""How a delimited table is written: delimiter, quotes, header, lines around the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from embedclf.system.terminal import format_count

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
"""Delimiters that are detected, in this order, and their names."""


@dataclass(frozen=True)
class Dialect:
    """How a delimited table is written. The defaults are RFC 4180."""

    delimiter: str
    columns: tuple[str, ...] = ()
    """Names of the columns, in order."""
    has_quotes: bool = True
    """Whether double quotes enclose cells; otherwise they are ordinary characters."""
    has_escapes: bool = False
    r"""Whether quotes inside a cell are written as `\"`, and delimiters and line ends likewise."""
    has_blanks: bool = False
    """Whether a blank follows each delimiter, and belongs to no cell."""
    has_returns: bool = False
    """Whether a carriage return without a line feed belongs to a cell."""
    trailing_cells: int = 0
    """Empty cells at the end of all rows that the header lacks."""
    has_header: bool = True
    has_rule: bool = False
    """Whether a line of dashes is below the header."""
    has_separator_line: bool = False
    """Whether the first line is `sep=` and the delimiter."""
    skipped_above: int = 0
    """Lines above the header to ignore, with a `sep=` line."""
    skipped_below: int | None = 0
    """Lines below the last row to ignore; None detects them."""
    skips_bad_rows: bool = False
    """Whether rows that cannot be read are ignored."""
    newline: str = "\n"
    r"""What ends a line; `\r` only if the table has no `\n`. `\r\n` is found by its `\n`."""
    given: frozenset[str] = frozenset()
    """Keys of `data` that were set, not detected."""

    @property
    def width(self) -> int:
        """Number of cells in a row."""
        return len(self.columns) + self.trailing_cells

    @property
    def is_plain(self) -> bool:
        """Whether Arrow can read the rows as they are, if their quotes are regular."""
        return not self.has_escapes and not self.has_blanks

    def describe(self, encoding: str) -> str:
        """Describe the table: `tab, utf-8, quotes are ordinary characters (detected)`."""
        skipped = self.skipped_above - self.has_separator_line
        facts = [
            (not self.has_quotes, "quotes are ordinary characters"),
            (self.has_escapes, "backslash escapes"),
            (self.has_blanks, "a blank after each delimiter ignored"),
            (self.has_returns, "carriage returns belong to cells"),
            (
                self.trailing_cells > 0,
                f"{format_count(self.trailing_cells, 'empty cell')} at the end of each row ignored",
            ),
            (self.has_separator_line, "a sep= line"),
            (skipped > 0, f"{format_count(skipped, 'line')} above the header ignored"),
            (not self.has_header, "no header"),
            (self.has_rule, "a line of dashes below the header ignored"),
        ]
        delimiter = DELIMITERS.get(self.delimiter, repr(self.delimiter))
        is_named = {"delimiter", "encoding"} <= self.given
        detected = "" if is_named or encoding.endswith("(assumed)") else " (detected)"
        return (
            ", ".join([delimiter, encoding, *(fact for holds, fact in facts if holds)]) + detected
        )

    def missing_column_hint(self) -> str:
        """Say how to name the columns if the first row looks like data; otherwise ""."""
        if self.has_header or "columns" in self.given:
            return ""
        names = ",".join(["NAME"] * len(self.columns))
        return f"the first row looks like data; name all columns: --columns {names} (data.columns)"

    def non_default(self) -> dict[str, tuple[Any, str]]:
        """Return the keys of `data` that were detected and differ from an ordinary table.

        Returns:
            Key, such as `quote`, to its value and the reason for it. A `sep=` line and a delimiter
            at the end of each row have no keys: they are detected in every table.
        """
        skipped = self.skipped_above
        found = [
            (not self.has_quotes, "quote", "none", "quotes do not enclose cells"),
            (self.has_escapes, "escape", "\\", "a backslash escapes characters of cells"),
            (not self.has_header, "header", False, "the first row looks like data"),
            (
                skipped > self.has_separator_line,
                "skip_lines",
                skipped,
                f"the {'header' if self.has_header else 'first row'} is on line {skipped + 1}",
            ),
        ]
        return {
            key: (value, reason)
            for holds, key, value, reason in found
            if holds and key not in self.given
        }
