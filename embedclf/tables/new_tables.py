"""Tables that a run was not trained on: read like its training table, as far as that fits."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from embedclf.config.messages import closest_match
from embedclf.config.reading import READING_KEYS
from embedclf.errors import DataError
from embedclf.system.encodings.detection import ByteSample
from embedclf.system.encodings.names import marked_encoding
from embedclf.system.terminal import join_shortened
from embedclf.system.text_files import TextFile
from embedclf.tables.files import TableFile, find_files
from embedclf.tables.parts import MissingColumnError
from embedclf.tables.read_options import ReadOptions, check_keys
from embedclf.tables.tables import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables

_LAYOUT_KEYS = ("format", "header", "columns", "skip_lines")
"""Keys that describe the training table, which a new table seldom shares."""

_DELIMITERS = "^#~:\\/&@$%*+!=\x01\x1f,;\t|"
"""Delimiters that are not detected, but occur in exports, and those that are."""

_WORD_ENDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")

_HEAD_BYTES = 1 << 16

_MAX_COLUMN_NAME = 80
"""Characters of a name; a longer one is a text."""

_MAX_COLUMN_LIST = 200
"""Characters of a list of columns in a message."""


class NewColumnError(DataError):
    """A new table lacks a column of the run."""

    def __init__(self, message: str, close: str | None) -> None:
        super().__init__(message)
        self.close = close
        """The column that is most likely meant."""


def open_new_table(
    tables: Tables | TableFile,
    data: DataConfig,
    reading: Mapping[str, Any],
    *,
    labels: bool = False,
    name: str | None = None,
) -> tuple[Table, DataConfig]:
    """Open a table for a run, and return how to read it.

    What the command line says about the table is obeyed. What the run's config says is tried: its
    delimiter, quotes and encoding first, with the layout of the new table detected; then everything
    is detected; then its layout. The first that finds the columns is used. Its encoding is ignored
    if the table is plainly in UTF-8, or has a byte-order mark.

    Args:
        tables: The table.
        data: The section `data` of the run's config.
        reading: Keys of `data` that the command line sets.
        labels: Whether the label columns must exist, beside those of the text.
        name: Replaces the path of a single file in messages.

    Raises:
        DataError: It cannot be read, or a key in `reading` is for other formats.
        NewColumnError: It lacks a column; the message names the option to use.
    """
    missing: list[MissingColumnError] = []
    if data.encoding is not None and "encoding" not in reading and _has_other_encoding(tables):
        data = data.model_copy(update={"encoding": None})
    for config in _candidates(data, reading):
        required = [*config.text_columns, *(config.label_columns if labels else []), *config.fields]
        try:
            table = open_table(tables, required, ReadOptions.from_config(config), name=name)
        except MissingColumnError as error:
            missing.append(error)
        except DataError:
            if not missing:
                raise
        else:
            check_keys(reading, (part.reader.file_format for part in table.parts), table.name)
            return table, config
    raise _describe_missing(missing[-1], data.model_copy(update=reading)) from missing[-1]


def find_delimiter(header: str, column: str | None = None) -> str | None:
    """Return the delimiter that splits a header in one piece into names, quoted for a shell.

    Args:
        header: The name of the only column.
        column: A name that must be among them; without it, all must look like names.
    """
    for character in _DELIMITERS:
        names = [name.strip('" ') for name in header.split(character)]
        are_names = all(map(str.isidentifier, names)) if column is None else column in names
        if len(names) > 1 and are_names:
            return shlex.quote(character) if character.isprintable() else f"${character!r}"
    return None


def _has_other_encoding(tables: Tables | TableFile) -> bool:
    """Whether all files are in an encoding that needs no name, and not in ASCII alone."""
    try:
        return all(map(_names_its_encoding, find_files(tables)))
    except DataError:
        return False  # reported when the table is opened


def _names_its_encoding(file: TableFile) -> bool:
    # As UTF-8, bytes are passed on as they are.
    with TextFile(file.location, file.name).open() as stream:
        head = stream.read(_HEAD_BYTES)
    sample = ByteSample()
    sample.add(head)
    return marked_encoding(head) is not None or sample.is_utf8


def _candidates(data: DataConfig, reading: Mapping[str, Any]) -> Iterator[DataConfig]:
    """Yield the ways to read a table, each once."""
    if isinstance(data.skip_lines, tuple):
        # A new table without these lines below the last row would lose rows.
        data = data.model_copy(update={"skip_lines": data.skip_lines[0]})
    if data.header is False:
        # The names of its columns say as much, and a new table can have a header.
        data = data.model_copy(update={"header": None})
    as_run = data.model_copy(update=reading)
    kept = {"encoding", "on_bad_row"}
    tried = []
    for keys in (_LAYOUT_KEYS, set(READING_KEYS) - kept, {"skip_lines"}, set[str]()):
        config = as_run.model_copy(update=dict.fromkeys(set(keys) - reading.keys()))
        if config not in tried:
            tried.append(config)
            yield config


def _describe_missing(error: MissingColumnError, data: DataConfig) -> NewColumnError:
    """Say which column is missing, and the option that names another or adds names."""
    if error.column in data.fields:
        return _describe_missing_field(error)
    is_text = error.column in data.text_columns
    role, option = ("text", "--text-column") if is_text else ("label", "--label-column")
    fault = f"{error.name}:1: no column {error.column!r}, which the run reads as {role}"
    header = error.columns[0] if len(error.columns) == 1 else ""
    if delimiter := find_delimiter(header, error.column):
        return NewColumnError(f"{fault}; name the delimiter: --delimiter {delimiter}", delimiter)
    close = _closest_column(error.column, error.columns)
    if close is not None:
        others = data.text_columns if is_text else data.label_columns
        names = [close if column == error.column else column for column in others]
        return NewColumnError(f"{fault}; did you mean {close!r}? {_repeated(option, names)}", close)
    if error.hint:  # there is no header
        columns = error.columns if len(error.columns) > 1 else [error.column]
        return NewColumnError(
            f"{fault}; the first row looks like data; name all columns, one of them "
            f"{error.column!r}: --columns {','.join(columns)}",
            None,
        )
    listed = join_shortened([*map(repr, error.columns)], _MAX_COLUMN_LIST)
    return NewColumnError(f"{fault}; columns: {listed}; name it with {option} NAME", None)


def _describe_missing_field(error: MissingColumnError) -> NewColumnError:
    fault = f"{error.name}:1: no column {error.column!r}, which the run reads as a field"
    close = _closest_column(error.column, error.columns)
    if close is not None:
        return NewColumnError(f"{fault}; did you mean {close!r}? rename that column", close)
    listed = join_shortened([*map(repr, error.columns)], _MAX_COLUMN_LIST)
    return NewColumnError(f"{fault}; columns: {listed}; add it, its cells can be empty", None)


def _closest_column(column: str, columns: Sequence[str]) -> str | None:
    """Return the column that a wrong name most likely means, or None.

    First come differences in case, white space, `_` and `-`, then typing errors. Names that contain
    the word, such as `review_text` or the nested `review.text`, come last.
    """
    word = _normalized(column)
    by_spelling = {_normalized(name): name for name in reversed(columns)}
    if word in by_spelling:
        return by_spelling[word]
    if close := closest_match(word, by_spelling):
        return by_spelling[close]
    names = (name for name in columns if len(name) <= _MAX_COLUMN_NAME)
    return next((name for name in names if word in _words(name)), None)


def _repeated(option: str, names: Sequence[str]) -> str:
    return " ".join(f"{option} {shlex.quote(name)}" for name in names)


def _words(name: str) -> list[str]:
    return [word.casefold() for word in _WORD_ENDS.split(name)]


def _normalized(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.casefold().strip("\ufeff"))
