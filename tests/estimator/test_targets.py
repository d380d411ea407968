from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from embedclf.estimator.targets import RowLabels, label_name, label_sets

Y = st.one_of(
    st.lists(st.integers(-99, 99), min_size=2),
    st.lists(st.booleans(), min_size=2),
    st.lists(st.text(min_size=1), min_size=2),
).filter(lambda y: len(set(y)) > 1)


@given(Y)
def test_classes_and_ids_give_the_labels_back(y: list[Any]) -> None:
    labels = RowLabels.of(y)
    assert labels.classes[labels.ids].tolist() == y
    assert labels.classes.tolist() == sorted(set(y))


def test_every_form_of_a_column_has_the_same_labels() -> None:
    expected = RowLabels.of(["b", "a", "b"])
    for y in (
        np.array(["b", "a", "b"], object),
        pd.Series(["b", "a", "b"], dtype="category"),
        pa.chunked_array([["b", "a"], ["b"]]),
        np.array([["b"], ["a"], ["b"]]),
    ):
        labels = RowLabels.of(y)
        assert labels.classes.tolist() == expected.classes.tolist()
        assert labels.ids.tolist() == expected.ids.tolist()


def test_every_form_of_several_labels_has_the_same_columns() -> None:
    matrix = [[1, 0, 1], [0, 0, 0], [0, 1, 1]]
    names = ["a", "b", "c"]
    for y in ([["c", "a"], [], ["b", "c"]], [("a", "c"), set(), np.array(["c", "b"])]):
        assert RowLabels.of(y).ids.tolist() == matrix
        assert RowLabels.of(y).classes.tolist() == names
        assert label_sets(y) == [{"a", "c"}, set(), {"b", "c"}]
    frame = pd.DataFrame(matrix, columns=names)
    for of_flags in (matrix, np.array(matrix), csr_matrix(matrix), frame):
        assert RowLabels.of(of_flags).ids.tolist() == matrix
        assert label_sets(of_flags) is None
    columns = RowLabels.of(frame).columns()
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "a": ["1", "0", "0"],
        "b": ["0", "0", "1"],
        "c": ["1", "0", "1"],
    }


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "a"], "^y has only one class, 'a'; a classifier needs at least two classes$"),
        ([], "^y has no label; a classifier needs at least two classes$"),
        (np.zeros((3, 2)), "^no row of y has a label; a classifier needs at least two classes$"),
        ([["a"], []], "^y has only one class, 'a'"),
        ([0.5, 1.0], "^Unknown label type: continuous"),
        ([None, "a"], r"^y has no label in row 0 \(NaN or None\); remove the row$"),
        (pd.Series(["a", None]), r"^y has no label in row 1 \(NaN or None\)"),
        (np.array([0.0, np.nan]), r"^y has no label in row 1 \(NaN or None\)"),
        ([1, "a"], "^Unknown label type: y mixes texts with other values; write all as texts$"),
        ([b"a", b"b"], "^Unknown label type: y must be texts, whole numbers, or True and False$"),
        ([["a"], "b"], "^y mixes lists of labels with single labels; row 1$"),
        (np.array([[1, 2], [0, 1]]), "^y has several columns, so all values must be 0 or 1"),
    ],
)
def test_y_that_is_no_classes_is_refused(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RowLabels.of(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", " "], "^y: class ' ' is empty; rename it$"),
        (["a", '["b", "c"]'], "would be read as a list; rename it$"),
        ([["a"], [""]], "^y has a class with an empty name; rename it$"),
    ],
)
def test_a_class_that_a_table_cannot_hold_is_refused(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RowLabels.of(y).columns()


def test_names_of_classes_are_those_that_people_write() -> None:
    values = [np.int64(3), np.str_("a"), np.bool_(True), 1.0, "01"]
    assert [label_name(value) for value in values] == ["3", "a", "True", "1.0", "01"]
