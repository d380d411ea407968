"""X of scikit-learn -> columns of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from embedclf.config.fields import AUTO
from embedclf.system.arrow import string_column
from embedclf.system.terminal import join_shortened
from embedclf.tables.parquet import cells_to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.system.fields import TextColumns

Column: TypeAlias = pa.ChunkedArray | pa.Array  # (n,)

TEXT_COLUMN = "text"
"""Column of texts that are no data frame."""


@dataclass(frozen=True)
class TextRows:
    """Rows with their texts, and the cells of their fields."""

    columns: dict[str, Column]
    """(n,) texts, by name."""
    named: bool
    """Whether the columns have names of their own, those of a data frame."""

    @classmethod
    def of(cls, X: Any, text: Any, fields: Sequence[str]) -> TextRows:
        """Read X for training.

        Args:
            X: A column of texts, or a data frame.
            text: Its text columns; `auto` is all columns of texts, to find them among these.
            fields: Other columns to read.

        Raises:
            ValueError: X has no such columns, or other cells than texts.
        """
        if not is_frame(X):
            if fields:
                raise ValueError("fields are columns of a data frame, but X is a single column")
            return cls({TEXT_COLUMN: _as_texts(X, "X")}, named=False)
        if isinstance(text, str) and text == AUTO:
            names = [name for name in column_names(X) if name not in fields and _has_texts(X, name)]
            if not names:
                raise ValueError("X has no column of texts; name the column: text='COLUMN'")
        else:
            names = [text] if isinstance(text, str) else list(text)
        return cls(read_columns(X, [*fields, *names]), named=True)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def texts_to_predict(X: Any, columns: TextColumns) -> Column:
    """Return the texts (n,) of X, with the fields that they were trained with.

    Args:
        X: A data frame with the columns; or the texts themselves, each with its fields before it.
        columns: The columns that the classifier was trained on.

    Raises:
        ValueError: X lacks a column, or has other cells than texts.
    """
    if not is_frame(X):
        return _as_texts(X, "X")
    if len(columns.names) == 1 and len(names := column_names(X)) == 1:
        return read_columns(X, names)[names[0]]  # trained on a column without a name, maybe
    cells = read_columns(X, columns.names)
    texts: Column = columns.join([cells[name] for name in columns.names])
    return texts


def is_frame(X: Any) -> bool:
    """Whether X is a data frame: of pandas, Polars or Arrow."""
    return hasattr(X, "columns")


def column_names(frame: Any) -> list[str]:
    """Return the names of the columns of a data frame.

    Raises:
        ValueError: A name is not a text.
    """
    names = list(frame.column_names if isinstance(frame, pa.Table) else frame.columns)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise ValueError(f"X: names of columns must be texts, not {wrong[0]!r}; rename the column")
    return names


def read_columns(
    frame: Any, names: Iterable[str], *, with_lists: bool = False
) -> dict[str, Column]:
    """Return some columns of a data frame as texts; missing cells are empty.

    Args:
        frame: The data frame.
        names: Columns.
        with_lists: Whether columns of lists, such as those of labels, stay as they are.

    Raises:
        ValueError: There is no such column, or a column cannot be texts.
    """
    known = column_names(frame)
    for name in names:
        if known.count(name) != 1:
            fault = f"{known.count(name)} columns" if name in known else "no column"
            raise ValueError(f"X has {fault} {name!r}; its columns: {join_shortened(known, 150)}")
    return {name: _as_cells(frame[name], name, with_lists=with_lists) for name in names}


def _has_texts(frame: Any, name: str) -> bool:
    try:
        _as_texts(frame[name], name)
    except ValueError:
        return False
    return True


def _as_cells(column: Any, name: str, *, with_lists: bool) -> Column:
    """Return the cells of a column of any type as the texts that a Parquet table would have."""
    try:
        cells = column if isinstance(column, pa.ChunkedArray | pa.Array) else pa.array(column)
        if with_lists and pa.types.is_nested(cells.type):
            return cells
        return cells_to_text(
            cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
        )
    except pa.ArrowException as error:
        raise ValueError(f"{name}: cells must be texts, numbers or dates") from error


def _as_texts(column: Any, name: str) -> Column:
    """Return a column of texts.

    Raises:
        ValueError: It is a single text, or has other cells than texts.
    """
    if isinstance(column, list | tuple):
        # scikit-learn takes rows of an Arrow column one by one
        column = [each.as_py() if isinstance(each, pa.Scalar) else each for each in column]
    try:
        texts: Column = string_column(column).fill_null("")
    except (TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"{name}: {error}") from error
    return texts
