from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.errors import DataError
from tests.data.test_labeled import config, labeled


def fit(cells: list[str], **data: Any) -> Labels:
    return Labels.fit(labeled(cells), config(**data))


def encode(labels: Labels, cells: list[str], **data: Any) -> tuple[list[Any], dict[str, int]]:
    targets, unknown = labels.encode(labeled(cells), config(**data))
    return targets.tolist(), unknown


def test_two_labels_are_a_binary_task_whose_second_is_positive() -> None:
    labels = fit(["spam", "ham", "ham"])
    assert (labels.task, labels.names, labels.counts) == ("binary", ("ham", "spam"), (2, 1))
    assert labels.outputs == 1
    assert encode(labels, ["spam", "ham", "eggs"]) == ([1, 0, -1], {"eggs": 1})


def test_labels_stay_the_text_they_are() -> None:
    labels = fit(["01", "1", "NA", "null", " 1"])
    assert labels.names == (" 1", "01", "1", "NA", "null")
    assert labels.task == "multiclass"
    assert labels.outputs == 5


def test_one_label_is_refused() -> None:
    with pytest.raises(DataError, match="the only label is 'a'; a classifier needs at least two"):
        fit(["a", "a"])


def test_several_labels_in_a_cell_are_trimmed_and_counted_once() -> None:
    labels = fit(["a|b", " b | b", "c|", "a"], label_separator="|")
    assert (labels.task, labels.names) == ("multilabel", ("a", "b", "c"))
    assert labels.counts == (2, 2, 1)
    targets, unknown = encode(labels, ["c|a", "x|b|x", "y"], label_separator="|")
    assert targets == [[1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert unknown == {"x": 1, "y": 1}


def test_a_column_a_label_is_multi_label() -> None:
    rows = labeled(["1", "0", "TRUE"], ["0", "0", "1"])
    data = config(label=["p", "q"])
    labels = Labels.fit(rows, data)
    assert (labels.task, labels.names, labels.counts) == ("multilabel", ("p", "q"), (2, 1))
    assert labels.encode(rows, data)[0].tolist() == [[1, 0], [0, 0], [1, 1]]


def test_targets_are_in_the_order_of_the_rows_in_a_large_table() -> None:
    rng = np.random.default_rng(0)
    given_rows = [sorted(rng.choice(20, rng.integers(1, 4))) for _ in range(50_000)]
    cells = ["|".join(f"l{label:02}" for label in row) for row in given_rows]
    labels = fit(cells, label_separator="|")
    targets, _ = encode(labels, cells, label_separator="|")
    expected = np.zeros((50_000, 20), np.int32)
    for row, found in zip(expected, given_rows, strict=True):
        row[found] = 1
    assert (np.array(targets) == expected).all()
    assert labels.counts == tuple(expected.sum(axis=0).tolist())


def test_strata_are_the_label_or_the_rarest_of_several() -> None:
    labels = fit(["a", "b", "c"])
    assert labels.strata(np.array([2, 0], np.int32)).tolist() == [2, 0]
    several = fit(["a|b", "a"], label_separator="|")
    targets = np.array([[1, 1], [1, 0], [0, 0]], np.int32)
    assert several.strata(targets).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("task", "probabilities", "decided"),
    [
        ("binary", [[0.5], [0.49]], [1, 0]),
        ("multiclass", [[0.2, 0.5, 0.3]], [1]),
        ("multilabel", [[0.5, 0.1, 0.9]], [[1, 0, 1]]),
    ],
)
def test_decisions(task: Any, probabilities: list[list[float]], decided: list[Any]) -> None:
    labels = Labels(task, ("a", "b", "c"), (1, 1, 1))
    assert labels.decide(np.array(probabilities, np.float32)).tolist() == decided


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, unique=True))
def test_labels_survive_json_and_targets_name_them_back(names: list[str]) -> None:
    labels = fit(names)
    assert Labels.from_json(labels.to_json()) == labels
    targets, unknown = encode(labels, names)
    assert [labels.names[target] for target in targets] == names
    assert not unknown
