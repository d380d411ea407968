"""Changes of runs by somebody who also renews the checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from embedclf.runs.sealed_json import compute_checksum

if TYPE_CHECKING:
    from pathlib import Path

Change = Callable[[dict[str, Any]], object]


def seal(run: Path, change: Change = lambda _: None) -> None:
    """Change the record of a run, and renew all checksums."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record.pop("checksum")
    for name in record["files"]:
        record["files"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    change(record)
    record["checksum"] = compute_checksum(record)
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


def change_json(run: Path, name: str, change: Change) -> None:
    """Change values in a JSON file of a run, and renew all checksums."""
    values = json.loads((run / name).read_text(encoding="utf-8"))
    sealed = values.pop("checksum", None)
    change(values)
    if sealed:
        values["checksum"] = compute_checksum(values)
    (run / name).write_text(json.dumps(values), encoding="utf-8")
    seal(run)


def nodes(values: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in plain values, with each of its keys."""
    keys = list(values) if isinstance(values, dict) else range(len(values))
    for key in keys:
        yield values, key
        if isinstance(values[key], dict | list):
            yield from nodes(values[key])
