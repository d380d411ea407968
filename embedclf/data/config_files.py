"""Whether the keys of a config fit the files that it names, and their labels."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.config.loading import named_tables
from embedclf.config.messages import closest_match
from embedclf.config.sections import BUILT_IN_VECTORS
from embedclf.data.label_forms import suggest_setting
from embedclf.data.labels import THRESHOLD, Labels
from embedclf.data.split_units import suggest_split
from embedclf.errors import ConfigError, DataError
from embedclf.system.terminal import display_path, format_count
from embedclf.tables.content import recognize_format
from embedclf.tables.files import display_tables, find_files, list_tables
from embedclf.tables.read_options import ReadOptions, check_keys

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset


def check_files(config: Config) -> None:
    """Check that all files exist, and that the keys of `data` are for their formats.

    Raises:
        ConfigError: Files are missing; the message lists all.
        DataError: A key, such as `delimiter`, is for no format of the tables.
    """
    lines = []
    for key, tables in named_tables(config).items():
        for table in list_tables(tables):
            try:
                find_files(table)
            except DataError as error:
                lines.append(f"data.{key}: {error}")
    for key, built_in in BUILT_IN_VECTORS.items():
        vectors = getattr(config.model, key)
        if isinstance(vectors, Path) and not vectors.is_file():
            lines.append(f"model.{key}: {_describe_missing_vectors(vectors, built_in)}")
    if lines:
        raise ConfigError("\n".join(lines))
    _check_reading_keys(config)


def check_label_keys(config: Config, labels: Labels) -> None:
    """Check `class_weight` and `threshold`.

    Raises:
        ConfigError: One of them does not fit the labels.
    """
    weights = config.training.class_weight
    for name in weights if isinstance(weights, dict) else ():
        if labels.find(name) is None:
            close = closest_match(name, labels.names)
            hint = f"did you mean {close!r}?" if close else f"labels: {', '.join(labels.names)}"
            raise ConfigError(f"training.class_weight: no training row has label {name!r}; {hint}")
    if labels.task == "multiclass" and config.training.threshold != THRESHOLD:
        raise ConfigError(
            f"training.threshold: with {len(labels.names)} labels, the most probable is predicted; "
            "remove this key, or set data.label_separator if rows can have several labels"
        )


def check_validation_labels(dataset: Dataset) -> None:
    """Raise DataError for validation rows with unknown labels, which have no loss."""
    unknown = dataset.validation.unknown_labels
    if not unknown:
        return
    name, rows = next(iter(unknown.items()))
    close = closest_match(name, dataset.labels.names)
    hint = f"did you mean {close!r}?" if close else "add training rows with it, or remove it"
    hint = suggest_split(dataset.config.data) or hint
    hint = suggest_setting(name, dataset.labels.names) or hint
    others = f", and {format_count(len(unknown) - 1, 'other label')}" if len(unknown) > 1 else ""
    raise DataError(
        f"{dataset.validation.rows.table.name}: no training row has label {name!r} "
        f"({format_count(rows, 'row')} here){others}; {hint}"
    )


def _check_reading_keys(config: Config) -> None:
    options = ReadOptions.from_config(config.data)
    keys = [key for key, value in asdict(options).items() if value is not None]
    formats = (
        recognize_format(file, options)
        for tables in named_tables(config).values()
        for file in find_files(tables)
    )
    check_keys(keys, formats, display_tables(config.data.train))


def _describe_missing_vectors(file: Path, built_in: tuple[str, ...]) -> str:
    if file.is_dir():
        return f"{display_path(file)}: is a folder; name a file of word vectors"
    siblings = [path.name for path in file.parent.iterdir()] if file.parent.is_dir() else []
    close = closest_match(file.name, [*siblings, *built_in])
    hint = f"did you mean {close}?" if close else "name a file of word vectors that exists"
    return f"{display_path(file)}: no such file; {hint}"
