"""What reading a table found that people should know: rows ignored, cells that swallowed rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from embedclf.system.terminal import format_count, shorten

_MAX_PLACES = 5
"""Places to remember; all are counted."""

_MAX_FOOTER = 40
"""Characters of the lines below the rows in a message."""


@dataclass
class ReadNotes:
    """What was found while a table was read completely; each reading starts with none."""

    name: str
    """Of the file, in messages."""
    lines: int = 0
    """Lines of rows, without the header and the lines around them."""
    rows: int = 0
    skipped: int = 0
    """Rows ignored because they cannot be read."""
    skipped_places: list[tuple[int, str]] = field(default_factory=list)
    """The first of these rows: line and fault."""
    swallowing: int = 0
    """Cells that most likely swallowed rows."""
    swallowing_places: list[tuple[int, int]] = field(default_factory=list)
    """The first of these cells: first and last line."""
    multiline: int = 0
    """Cells of several lines in a table of one column, where any line can be a row."""
    multiline_places: list[tuple[int, int]] = field(default_factory=list)
    footer: tuple[int, str] | None = None
    """Line and text below the last row, if lines there were ignored."""
    footer_lines: int = 0
    """Number of lines below the last row that were ignored, blank ones included."""
    assumed_encoding: str | None = None
    """Encoding of bytes that are not UTF-8, if it was not set."""

    def add_skipped(self, line: int, fault: str) -> None:
        """Note a row that cannot be read."""
        self.skipped += 1
        if len(self.skipped_places) < _MAX_PLACES:
            self.skipped_places.append((line, fault))

    def add_swallowing(self, cells: list[tuple[int, int]]) -> None:
        """Note cells that most likely swallowed rows: first and last line."""
        self.swallowing += len(cells)
        self.swallowing_places += cells[: _MAX_PLACES - len(self.swallowing_places)]

    def add_multiline(self, cells: list[tuple[int, int]]) -> None:
        """Note cells of several lines in a table of one column: first and last line."""
        self.multiline += len(cells)
        self.multiline_places += cells[: _MAX_PLACES - len(self.multiline_places)]

    def clear(self) -> None:
        """Forget everything, because the table is read again."""
        self.__dict__.update(ReadNotes(self.name).__dict__)

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence for each finding; it begins with the file, and the line if any."""
        found = [self._swallowing(), self._multiline(), self._skipped(), self._footer()]
        if self.assumed_encoding:
            encoding = self.assumed_encoding
            found.append(
                f"{self.name}: not UTF-8, read as {encoding}; to confirm, set "
                f"data.encoding: {encoding}"
            )
        return tuple(filter(None, found))

    def _swallowing(self) -> str:
        if not self.swallowing:
            return ""
        first, last = self.swallowing_places[0]
        cells = format_count(self.swallowing, "quoted cell")
        return (
            f"{self.name}:{first}-{last}: {cells} with lines that look "
            "like rows; if quotes are ordinary characters, set data.quote: none"
        )

    def _multiline(self) -> str:
        if not self.multiline:
            return ""
        first, last = self.multiline_places[0]
        cells = format_count(self.multiline, "quoted cell")
        return (
            f"{self.name}:{first}-{last}: "
            f"{format_count(self.lines, 'line')}, but {format_count(self.rows, 'row')}, because "
            f"of {cells} with several lines; if quotes are ordinary characters, set "
            "data.quote: none"
        )

    def _skipped(self) -> str:
        if not self.skipped:
            return ""
        line, fault = self.skipped_places[0]
        return (
            f"{self.name}:{line}: {format_count(self.skipped, 'row')} ignored "
            f"(data.on_bad_row: skip); the first: {fault}"
        )

    def _footer(self) -> str:
        if self.footer is None:
            return ""
        line, text = self.footer
        return f"{self.name}:{line}: ignored below the last row: {shorten(text, _MAX_FOOTER)!r}"
