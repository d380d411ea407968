"""test.csv and dev.csv beside train.csv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.data.labeled import read_labels
from embedclf.errors import DataError
from embedclf.system.formats import is_compressed

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import DataConfig
    from embedclf.data.labels import Labels

# Lookarounds instead of `\b`, for which the underscore in `reviews_train` is a letter.
_TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

_SPLIT_NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class SiblingTables:
    """Validation and test tables, and what to say about those that cannot be used."""

    validation: Path | None = None
    test: Path | None = None
    skipped: int = 0
    """Their rows without a valid label."""
    notes: tuple[str, ...] = ()
    """Why each ignored table was ignored."""
    requested: frozenset[Path] = frozenset()
    """The tables that the user named."""

    def origin(self, path: Path) -> str:
        """Say how a table was chosen."""
        return "as asked for" if path in self.requested else "found beside the training table"


def suggest_config_name(table: Path) -> str:
    """Name a config after its table, or after the directory of a table called `train`."""
    stem = _stem(table)
    match = _TRAIN.search(stem)
    name = stem[: match.start()].rstrip(" ._-") if match else stem
    return name or table.absolute().parent.name or stem


def find_sibling_tables(
    config: DataConfig, labels: Labels, *, validation: Path | None = None, test: Path | None = None
) -> SiblingTables:
    """Find tables named like the training table: `test.csv` beside `train.csv`.

    Tables that lack the columns, have no labels, or have labels that training would refuse are
    ignored.

    Args:
        config: The training table, and how to read tables like it.
        labels: The labels of the training table.
        validation: The table to validate on, if it is known.
        test: The table to test on, if it is known.

    Raises:
        DataError: A table that the user named cannot be used.
    """
    requested = {"validation": validation, "test": test}
    used = {path.resolve() for path in requested.values() if path is not None}
    chosen: dict[str, Path | None] = {}
    skipped, notes = 0, list[str]()
    for split, path in requested.items():
        table = path or _find_sibling(config.train, split)
        if path is None and table is not None and table.resolve() in used:
            table = None  # a table that was named for one split serves no other
        chosen[split] = table
        if table is None:
            continue
        try:
            # Training refuses unknown labels in validation rows; in test rows they count as wrong.
            skipped += _count_skipped(table, config, labels, strict=split == "validation")
        except DataError as error:
            # A table that nobody asked for must not stop `init`; a requested one must be usable.
            if path is not None:
                raise
            chosen[split] = None
            notes.append(f"passed over: {error}")
    named = frozenset(path for path in requested.values() if path is not None)
    return SiblingTables(chosen["validation"], chosen["test"], skipped, tuple(notes), named)


def _find_sibling(train: Path, split: str) -> Path | None:
    """Return the table of a split in the directory of the training table, if there is one."""
    stem = _stem(train)
    match = _TRAIN.search(stem)
    if match is None:
        return None
    suffix = train.name[len(stem) :]  # all of them: `.csv.gz`
    # By lower case, as `Train.csv` goes with `test.csv` on every file system.
    files = {path.name.lower(): path for path in sorted(train.parent.iterdir())}
    stems = (f"{stem[: match.start()]}{name}{stem[match.end() :]}" for name in _SPLIT_NAMES[split])
    candidates = (files.get(f"{name}{suffix}".lower()) for name in stems)
    return next((path for path in candidates if path is not None and path.is_file()), None)


def _count_skipped(path: Path, config: DataConfig, labels: Labels, *, strict: bool) -> int:
    """Count the rows without a valid label.

    Args:
        path: The table.
        config: How to read it.
        labels: The labels of the training table.
        strict: Whether a single row of an unknown label makes a table unusable, or only all rows.

    Raises:
        DataError: The table cannot be used.
    """
    rows = read_labels(path, config)
    _, unknown = labels.encode(rows, config)
    count = sum(unknown.values())
    if count and (strict or count >= len(rows)):
        name = next(iter(unknown))
        raise DataError(
            f"{path}: no training row has labels such as {name!r} (rows here: {count:,})"
        )
    return rows.skipped


def _stem(table: Path) -> str:
    """Return the name of a table without its suffixes, including `.gz`."""
    return (table.with_suffix("") if is_compressed(table) else table).stem
