"""The line at a terminal, next to what else is printed there."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from embedclf.system.live_line import LiveLine

if TYPE_CHECKING:
    import pytest


class SlowTerminal:
    """A stream at a terminal, at which another thread wants to draw the line before each write."""

    def __init__(self, descriptor: int, line: list[LiveLine]) -> None:
        self._descriptor, self._line = descriptor, line

    def write(self, text: str) -> int:
        drawing = threading.Thread(target=self._line[0].draw)
        drawing.start()
        drawing.join(0.2)
        return os.write(self._descriptor, text.encode())

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return True


def test_the_line_is_never_drawn_in_front_of_what_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    line: list[LiveLine] = []
    monkeypatch.setattr(sys, "stderr", SlowTerminal(writer, line))
    with LiveLine(lambda _width: "working") as live:
        line.append(live)
        live.draw()
        sys.stderr.write("printed\n")
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8", newline="") as shown:
        assert shown.read().partition("\n")[0].endswith("\rprinted")
