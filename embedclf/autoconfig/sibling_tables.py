"""test.csv and dev.csv beside train.csv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.data.labeled import read_labels
from embedclf.errors import DataError
from embedclf.system.formats import is_packed

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import DataConfig
    from embedclf.data.labels import Labels

_TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

_NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class SiblingTables:
    """Tables to validate and to test on, and what is to be told of those beside the table."""

    validation: Path | None = None
    test: Path | None = None
    skipped: int = 0
    """Rows of them that have no valid label."""
    notes: tuple[str, ...] = ()
    """What is wrong with each table that was passed over."""
    given: frozenset[Path] = frozenset()
    """Those that were named, not found."""

    def origin(self, path: Path) -> str:
        """How a table came to be here."""
        return "as asked for" if path in self.given else "found beside the training table"


def base_name(table: Path) -> str:
    """What to call a config for a table: its name, or its folder's where that is `train`."""
    stem = _stem(table)
    found = _TRAIN.search(stem)
    own = stem[: found.start()].rstrip(" ._-") if found else stem
    return own or table.absolute().parent.name or stem


def find_sibling_tables(
    config: DataConfig, known: Labels, *, validation: Path | None = None, test: Path | None = None
) -> SiblingTables:
    """Find tables named as the training table, but for `train`: `test.csv` beside `train.csv`.

    Those of other columns, without labels or with labels that training would refuse are passed
    over.

    Args:
        config: The training table, and how to read tables like it.
        known: The labels of the training table.
        validation: The table to validate on, where it is known.
        test: The table to test on, where it is known.

    Raises:
        DataError: A table that was given cannot be used.
    """
    given = {"validation": validation, "test": test}
    taken = {path.resolve() for path in given.values() if path is not None}
    used: dict[str, Path | None] = {}
    skipped, notes = 0, list[str]()
    for purpose, path in given.items():
        chosen = path or _beside(config.train, purpose)
        if path is None and chosen is not None and chosen.resolve() in taken:
            chosen = None  # rows that were named for one purpose serve no other
        used[purpose] = chosen
        if chosen is None:
            continue
        try:
            skipped += _skipped(chosen, config, known, strict=purpose == "validation")
        except DataError as error:
            if path is not None:
                raise
            used[purpose] = None
            notes.append(f"passed over: {error}")
    named = frozenset(path for path in given.values() if path is not None)
    return SiblingTables(used["validation"], used["test"], skipped, tuple(notes), named)


def _beside(table: Path, purpose: str) -> Path | None:
    """The table of a purpose that stands beside another, if there is one."""
    stem = _stem(table)
    found = _TRAIN.search(stem)
    if found is None:
        return None
    ending = table.name[len(stem) :]
    there = {path.name.lower(): path for path in sorted(table.parent.iterdir())}
    names = (f"{stem[: found.start()]}{name}{stem[found.end() :]}" for name in _NAMES[purpose])
    candidates = (there.get(f"{name}{ending}".lower()) for name in names)
    return next((path for path in candidates if path is not None and path.is_file()), None)


def _skipped(path: Path, config: DataConfig, known: Labels, *, strict: bool) -> int:
    """How many rows of a table have no valid label; raises DataError where it cannot be used."""
    rows = read_labels(path, config)
    _, unknown = known.encode(rows, config)
    carried = sum(unknown.values())
    if carried and (strict or carried >= len(rows)):
        name = next(iter(unknown))
        raise DataError(
            f"{path}: no training row has labels such as {name!r} (rows here: {carried:,})"
        )
    return rows.skipped


def _stem(table: Path) -> str:
    """A table's name without its endings, `.gz` being one of them."""
    return (table.with_suffix("") if is_packed(table) else table).stem
