"""y of scikit-learn <-> the labels of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.data.label_cells import LabelCells
from embedclf.system.arrow import number_column, text_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels

LABEL_COLUMN = "label"
"""Column of the label, if rows have one each."""

Classes = npt.NDArray[Any]  # (classes,) of the type of y
ClassIds = npt.NDArray[np.integer]  # (n,) or, of 0 and 1, (n, classes)


@dataclass(frozen=True)
class RowLabels:
    """The labels of rows."""

    classes: Classes
    """(classes,) sorted; those of a matrix are in the order of its columns."""
    ids: ClassIds
    """(n,) the class of each row; with several labels per row, (n, classes) of 0 and 1."""

    @classmethod
    def of(cls, y: Any) -> RowLabels:
        """Read y: a label per row, a list of labels per row, or a matrix of 0 and 1.

        Raises:
            ValueError: It is none of these, has a missing label, or fewer than two classes.
        """
        rows = _listed_labels(y)
        labels = _from_matrix(y) if rows is None and np.ndim(y) == 2 else None
        if labels is None:
            labels = _from_column(y) if rows is None else _from_lists(rows)
        if len(labels.classes) < 2:
            names = label_names(labels.classes)
            found = f"only one class, {names[0]!r}" if names else "no label"
            raise ValueError(f"y has {found}; a classifier needs at least two classes")
        if labels.ids.ndim == 2 and not labels.ids.any():
            raise ValueError("no row of y has a label; a classifier needs at least two classes")
        return labels

    def columns(self) -> dict[str, pa.Array]:
        """Return the label columns of a table (n,): a single one, or one per class.

        Raises:
            ValueError: A class has a name that means something else in a table.
        """
        names = label_names(self.classes)
        if self.ids.ndim == 2:
            if "" in names:
                raise ValueError("y has a class with an empty name; rename it")
            flags = text_column(["0", "1"])
            columns = [flags.take(number_column(np.ascontiguousarray(ids))) for ids in self.ids.T]
            return dict(zip(names, columns, strict=True))
        cells = text_column(names)
        _check_cells(cells)
        return {LABEL_COLUMN: cells.take(number_column(self.ids))}


def label_name(value: Any) -> str:
    """Return the name of a class in a run: `1` for the class 1."""
    return str(value.item() if isinstance(value, np.generic) else value)


def label_names(classes: Classes) -> list[str]:
    """Return the name of each class in a run."""
    return [label_name(each) for each in classes]


def output_order(classes: Classes, labels: Labels) -> list[int]:
    """Return the position of each class (classes,) among the labels of a run.

    A run sorts its labels by number, NumPy sorts texts by code point.
    """
    return [labels.names.index(name) for name in label_names(classes)]


def label_sets(y: Any) -> list[set[str]] | None:
    """Return the names of the labels of each row if y lists several per row; else None."""
    rows = _listed_labels(y)
    return None if rows is None else [set(map(label_name, row)) for row in rows]


def _check_cells(cells: pa.StringArray) -> None:
    """Raise ValueError for a label that a table would not hold as it is."""
    reader = LabelCells(None, frozenset())
    read = reader.read(cells)[0].to_pylist()
    for name, cell, labeled in zip(
        cells.to_pylist(), read, reader.are_labeled(cells).tolist(), strict=True
    ):
        if name != cell or not labeled:
            fault = "would be read as a list" if labeled else "is empty"
            raise ValueError(f"y: class {name!r} {fault}; rename it")


def _listed_labels(y: Any) -> list[Sequence[Any]] | None:
    """Return the labels of each row if y is a list of lists; None if it is something else."""
    if getattr(y, "ndim", 1) != 1 or isinstance(y, str | bytes):
        return None
    rows = [each.as_py() if isinstance(each, pa.Scalar) else each for each in y]
    is_list = [isinstance(row, list | tuple | set | frozenset | np.ndarray) for row in rows]
    if not any(is_list):
        return None
    if not all(is_list):
        raise ValueError(f"y mixes lists of labels with single labels; row {is_list.index(False)}")
    numbers = all(isinstance(each, int | np.integer) and each in (0, 1) for r in rows for each in r)
    return None if numbers and len(set(map(len, rows))) == 1 else rows


def _from_matrix(y: Any) -> RowLabels:
    """Read a matrix of 0 and 1, dense or sparse, with a column per class."""
    matrix = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    if matrix.shape[1] == 1:
        return _from_column(matrix.ravel())
    if not np.isin(matrix, (0, 1)).all():
        raise ValueError("y has several columns, so all values must be 0 or 1, a column per class")
    classes = np.asarray(y.columns) if hasattr(y, "columns") else np.arange(matrix.shape[1])
    return RowLabels(classes, matrix.astype(np.int64))


def _from_lists(rows: Sequence[Sequence[Any]]) -> RowLabels:
    classes, members = _unique([label for row in rows for label in row])
    ids = np.zeros((len(rows), len(classes)), np.int64)
    ids[np.repeat(np.arange(len(rows)), [len(row) for row in rows]), members] = 1
    return RowLabels(classes, ids)


def _from_column(y: Any) -> RowLabels:
    values = [each.as_py() if isinstance(each, pa.Scalar) else each for each in y]
    return RowLabels(*_unique(values))


def _unique(values: Sequence[Any]) -> tuple[Classes, ClassIds]:
    """Return the classes, sorted, and the class of each label.

    Raises:
        ValueError: A label is missing, or labels are neither texts nor whole numbers.
    """
    missing = [row for row, each in enumerate(values) if each is None or each != each]  # noqa: PLR0124 - NaN
    if missing:
        raise ValueError(f"y has no label in row {missing[0]} (NaN or None); remove the row")
    are_texts = {isinstance(each, str) for each in values}
    if len(are_texts) > 1:
        raise ValueError("Unknown label type: y mixes texts with other values; write all as texts")
    # NumPy's own strings lose a NUL at the end, and all take the memory of the longest
    column = np.array(values, object if True in are_texts else None)
    if column.dtype.kind == "f" and not (column == np.floor(column)).all():
        raise ValueError("Unknown label type: continuous; y must be classes, not measurements")
    if column.dtype.kind not in "biuf" and True not in are_texts:
        raise ValueError("Unknown label type: y must be texts, whole numbers, or True and False")
    classes, ids = np.unique(column, return_inverse=True)
    return classes, ids
