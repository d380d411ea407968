"""JSON lines: an object a line, its numbers kept as they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError
from embedclf.textfiles import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def numbered_lines(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that hold something, parted by line feeds alone."""
    rest, number = b"", 1
    while chunk := stream.read(1 << 22):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
    if rest.strip():
        yield number, rest


def parse_record(path: Path, line: int, text: bytes) -> dict[str, Any]:
    """A record whose numbers are kept as they are written."""
    try:
        decoded = text.decode("utf-8-sig")
        record = json.loads(decoded, parse_int=str, parse_float=str, parse_constant=str)
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path}:{line}: half of a surrogate pair; write whole characters"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{line}: not JSON: {one_line(error)}") from error
    if not isinstance(record, dict):
        raise DataError(f'{path}:{line}: not a JSON object; write {{"text": "…"}} a line')
    return record
