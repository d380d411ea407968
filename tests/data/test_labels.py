from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from embedclf.data.label_forms import find_form
from embedclf.data.labels import Labels
from embedclf.errors import DataError
from tests.data.test_labeled import config, labeled

if TYPE_CHECKING:
    import random


def fit(cells: list[str], **data: Any) -> Labels:
    return Labels.fit(labeled(cells), config(**data))


def encode(labels: Labels, cells: list[str], **data: Any) -> tuple[list[Any], dict[str, int]]:
    targets, unknown = labels.encode(labeled(cells), config(**data))
    return (targets.toarray() if targets.ndim == 2 else targets).tolist(), unknown


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


def test_labels_that_every_row_has_are_refused() -> None:
    with pytest.raises(DataError, match=r"every row has all 2 labels; check data\.label"):
        fit(["0|1", "1|0"], label_separator="|")


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
    assert labels.encode(rows, data)[0].toarray().tolist() == [[1, 0], [0, 0], [1, 1]]


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
    assert labels.strata(np.array([2, 0, -1], np.int32), config()).tolist() == [2, 0, -1]
    several = fit(["a|b", "a"], label_separator="|")
    targets = csr_array(np.array([[1, 1], [1, 0], [0, 0]], np.int32))
    assert several.strata(targets, config()).tolist() == [0, 1, 2]


def test_strata_are_numbered_by_code_point_as_in_runs_of_earlier_versions() -> None:
    assert fit(["9", "10"]).strata(np.array([0, 1], np.int32), config()).tolist() == [1, 0]
    several = fit(["9", "10"], label_separator="|")
    targets = csr_array(np.array([[1, 0], [0, 1]], np.int32))
    assert several.strata(targets, config()).tolist() == [1, 0]
    assert several.strata(targets, config(label=["9", "10"])).tolist() == [0, 1]


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


def test_numeric_labels_are_in_the_order_of_their_numbers() -> None:
    assert fit(["10", "9", "-1", "0,5"]).names == ("-1", "0,5", "9", "10")
    assert fit(["9", "10"]).names[1] == "10"  # the positive label
    labels = fit(["2|10", "1"], label_separator="|")
    assert labels.names == ("1", "2", "10")
    assert encode(labels, ["11|9"], label_separator="|")[1] == {"9": 1, "11": 1}


def test_merged_forms_are_one_label_named_by_the_most_frequent() -> None:
    labels = fit(["1", "1.0", "01", "1.0", "2", "TRUE"], merge_label_forms=True)
    assert (labels.names, labels.counts) == (("1.0", "2", "TRUE"), (4, 1, 1))
    targets, unknown = encode(labels, ["+1", "true", "2,0", "X", "x", "3"], merge_label_forms=True)
    assert targets == [0, 2, 1, -1, -1, -1]
    assert unknown == {"3": 1, "X": 2}
    assert (labels.find("1"), labels.find("true"), labels.find("x")) == ("1.0", "TRUE", None)
    assert Labels.from_json(json.loads(json.dumps(labels.to_json()))) == labels


def test_merged_forms_in_cells_with_several_labels() -> None:
    options = {"label_separator": "|", "merge_label_forms": True}
    labels = fit(["neg|POS", "Neg", "neg", "pos|neg"], **options)
    assert labels.names == ("POS", "neg")
    assert labels.counts == (2, 4)
    targets, unknown = encode(labels, ["NEG|x", "Pos|X"], **options)
    assert (targets, unknown) == ([[0, 1, 1], [1, 0, 1]], {"X": 2})


def test_forms_stay_different_labels_without_merging() -> None:
    labels = fit(["1", "1.0"])
    assert labels.names == ("1", "1.0")
    assert labels.find("01") is None
    assert "merge_label_forms" not in labels.to_json()


label_texts = st.text(st.sampled_from("aAbB01. ,"), min_size=1).filter(str.strip)


@given(st.lists(label_texts, min_size=2), st.booleans(), st.randoms())
def test_labels_do_not_depend_on_the_order_of_rows_and_decode_to_a_form_of_the_cell(
    cells: list[str],
    merge: bool,
    rng: random.Random,
) -> None:
    names = {find_form(cell) if merge else cell for cell in cells}
    assume(len(names) > 1)
    labels = fit(cells, merge_label_forms=merge)
    assert len(labels.names) == len(names)
    shuffled = sorted(cells, key=lambda _cell: rng.random())
    assert fit(shuffled, merge_label_forms=merge) == labels
    targets, unknown = encode(labels, cells, merge_label_forms=merge)
    assert not unknown
    for row, cell in enumerate(cells):
        (name,) = labels.decode(np.array(targets, np.int32), row)
        assert find_form(name) == find_form(cell) if merge else name == cell


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, unique=True))
def test_labels_survive_json_and_targets_name_them_back(names: list[str]) -> None:
    labels = fit(names)
    assert Labels.from_json(labels.to_json()) == labels
    targets, unknown = encode(labels, names)
    assert [labels.names[target] for target in targets] == names
    assert not unknown
