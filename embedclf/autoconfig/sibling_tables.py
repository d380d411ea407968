"""test.csv and dev.csv beside train.csv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.data.labeled import read_labels
from embedclf.errors import DataError
from embedclf.system.formats import is_compressed
from embedclf.system.terminal import display_path, format_count

if TYPE_CHECKING:
    from collections.abc import Collection

    from embedclf.config.schema import Config
    from embedclf.config.sections import DataConfig
    from embedclf.data.labels import Labels

# Lookarounds instead of `\b`, for which the underscore in `reviews_train` is a letter.
_TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

_SPLIT_NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class SiblingTables:
    """Validation and test tables, and notes on those that were ignored."""

    validation: Path | None = None
    test: Path | None = None
    skipped: int = 0
    """Rows of these tables without a valid label."""
    notes: tuple[str, ...] = ()
    """Why each ignored table was ignored."""
    requested: frozenset[Path] = frozenset()
    """The tables that were written in the config."""

    def origin(self, path: Path) -> str:
        """Describe how a table was chosen."""
        return "as requested" if path in self.requested else "found next to the training table"


def suggest_config_name(table: Path) -> str:
    """Name a config after its table, or after the directory of a table called `train`."""
    stem = _stem(table)
    match = _TRAIN.search(stem)
    name = stem[: match.start()].rstrip(" ._-") if match else stem
    return name or table.absolute().parent.name or stem


def find_sibling_tables(
    config: Config, labels: Labels, written: Collection[str], *, strict: bool
) -> SiblingTables:
    """Find tables named like the training table: `test.csv` next to `train.csv`.

    Tables that lack the columns, have no labels, or have labels that training would refuse are
    ignored. With a refit, no validation table is looked for: its rows could not be trained on.

    Args:
        config: The training table, and how to read tables like it.
        labels: The labels of the training table.
        written: Keys of the config that are not to be chosen.
        strict: Whether tables that were written must be usable.

    Raises:
        DataError: A table that was written cannot be used.
    """
    requested = _written_tables(config.data, written)
    used = {path.resolve() for path in requested.values()}
    wanted = [split for split in _SPLIT_NAMES if f"data.{split}" not in written]
    if "training.refit" in written and config.training.refit:
        wanted = [split for split in wanted if split != "validation"]
    found = {split: _find_sibling(config.data.train, split) for split in wanted}
    # A table that was named for one split serves no other.
    others = {split: path for split, path in found.items() if path and path.resolve() not in used}
    chosen: dict[str, Path] = {}
    skipped, notes = 0, list[str]()
    for split, path in (requested | others).items():
        try:
            # Training refuses unknown labels in validation rows; in test rows they count as wrong.
            skipped += _count_skipped(path, config.data, labels, strict=split == "validation")
        except DataError as error:
            if split in requested:
                if strict:
                    raise
                continue  # `check` and training report what is wrong with it
            notes.append(f"ignored {error}")
        else:
            chosen[split] = path
    chosen |= requested
    named = frozenset(requested.values())
    return SiblingTables(chosen.get("validation"), chosen.get("test"), skipped, tuple(notes), named)


def _written_tables(config: DataConfig, written: Collection[str]) -> dict[str, Path]:
    """Return the validation and test tables that were written, by split."""
    values = {split: getattr(config, split) for split in _SPLIT_NAMES}
    return {
        split: value
        for split, value in values.items()
        if f"data.{split}" in written and isinstance(value, Path)
    }


def _find_sibling(train: Path, split: str) -> Path | None:
    """Return the table of a split next to the training table, if there is one."""
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
    config = config.model_copy(update={"skip_invalid": True})
    rows = read_labels(path, config)
    _, unknown = labels.encode(rows, config)
    count = sum(unknown.values())
    if count and (strict or count >= len(rows)):
        name = next(iter(unknown))
        raise DataError(
            f"{display_path(path)}: {format_count(count, 'row')} with labels that no training row "
            f"has, such as {name!r}"
        )
    return rows.skipped


def _stem(table: Path) -> str:
    """Return the name of a table without its suffixes, including `.gz`."""
    return (table.with_suffix("") if is_compressed(table) else table).stem
