"""Label cells: what is a list of labels, what is none, and which cells have no label."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.label_cells import LabelCellError, LabelCells, find_listed_labels
from embedclf.system.arrow import text_column

labels = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        lambda label: label == label.strip() != ""
    ),
    unique=True,
)


def read(*cells: str, separator: str | None = None, missing: str = "") -> list[str]:
    cell_reader = LabelCells(separator, frozenset(missing.split()))
    plain: list[str] = cell_reader.read(text_column(cells))[0].to_pylist()
    return plain


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["a", "b"]', ("a", "b")),
        ("['a', \"it's\"]", ("a", "it's")),
        ("['a' 'b']", ("a", "b")),
        ("['a'\n 'b']", ("a", "b")),
        ("('a',)", ("a",)),
        ("{'b', 'a'}", ("a", "b")),
        ("[1, 2.50]", ("1", "2.50")),
        ('["a", null, "a", " "]', ("a",)),
        ("[None, nan]", ()),
        ("[]", ()),
        ('{"choices": ["a", "b"]}', ("a", "b")),
        ("{'choices': ['a']}", ("a",)),
        ('[{"choices": ["a"]}, {"choices": ["b"]}]', ("a", "b")),
        ('{"a": 1.0, "b": 0.0, "c": true}', ("a", "c")),
    ],
)
def test_a_list_is_several_labels(cell: str, expected: tuple[str, ...]) -> None:
    assert find_listed_labels(cell) == expected


@pytest.mark.parametrize("cell", ["a", "[sic]", "[a, b]", "(1)", "{a}", "[", "a]", "", "['a', b]"])
def test_other_brackets_belong_to_the_label(cell: str) -> None:
    assert find_listed_labels(cell) is None


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ('{"rating": 4}', '{"rating": 4} is an object, not a label or a list of labels'),
        ('{"a": 0.9, "b": 0.1}', "is an object"),
        ('[["a"]]', "is a list of lists, not of labels"),
        ("[['a']]", "is a list of lists, not of labels"),
        ("[0, 1, 0]", "is a list of flags, not of labels; write a column of 0 and 1"),
        ("[1. 0. 0. 1.]", "is a list of flags"),
        ('["\\ud800"]', "half of a surrogate pair"),
    ],
)
def test_a_cell_that_holds_no_labels_is_refused(cell: str, fault: str) -> None:
    with pytest.raises(ValueError, match="is") as caught:
        find_listed_labels(cell)
    assert fault in str(caught.value)


def test_lists_are_joined_by_a_separator_that_no_label_contains() -> None:
    cells = text_column(['["a", "b"]', "a|b", '["a;"]'])
    joined, separator = LabelCells(None, frozenset()).read(cells)
    assert (joined.to_pylist(), separator) == (["a,b", "a|b", "a;"], ",")


def test_lists_of_one_label_are_plain_cells_without_a_separator() -> None:
    cells = text_column(['["a"]', "b", "[]"])
    plain, separator = LabelCells(None, frozenset()).read(cells)
    assert (plain.to_pylist(), separator) == (["a", "b", ""], None)


def test_a_label_of_a_list_must_not_contain_the_separator() -> None:
    with pytest.raises(LabelCellError, match=r"'a b' contains data\.label_separator ' '"):
        read('["c"]', '["a b"]', separator=" ")


def test_missing_labels_are_dropped_from_cells_and_lists() -> None:
    assert read("nan", " nan ", "a", '["nan"]', '["nan", "a"]', missing="nan ?") == [
        *("", "", "a", "", "a")
    ]
    assert read("a|nan", "nan|?", "a | b", separator="|", missing="nan ?") == ["a", "", "a | b"]
    reader = LabelCells("|", frozenset({"nan"}))
    cells = text_column(["nan|nan", "nan|", "a|nan", " | ", "[]", '["a"]', '{"x": 1}', "a"])
    assert reader.are_labeled(cells).tolist() == [*[False] * 2, True, *[False] * 2, *[True] * 3]


@given(labels)
def test_a_list_of_labels_means_the_same_in_json_and_python(names: list[str]) -> None:
    if len(names) < 3 or set(names) - {"0", "1", "0.", "1.", "0.0", "1.0", "true", "false"}:
        assert find_listed_labels(json.dumps(names)) == tuple(names)
        assert find_listed_labels(json.dumps(names, ensure_ascii=False)) == tuple(names)
        assert find_listed_labels(repr(names)) == tuple(names)
        numpy_style = "[" + "\n ".join(map(repr, names)) + "]"
        assert find_listed_labels(numpy_style) == tuple(names)


@given(st.lists(labels.filter(lambda names: len(names) < 3), min_size=1))
def test_joined_lists_split_into_the_labels_of_the_lists(rows: list[list[str]]) -> None:
    cells = text_column([json.dumps(names) for names in rows])
    joined, separator = LabelCells(None, frozenset()).read(cells)
    for cell, names in zip(joined.to_pylist(), rows, strict=True):
        expected = [cell] if separator is None else cell.split(separator)
        assert [name for name in expected if name] == names


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_the_reading_of_a_cell(cell: str) -> None:
    cells = text_column([cell, f"[{cell}]", f"{{{cell}}}", f"({cell})"])
    reader = LabelCells(None, frozenset())
    assert len(reader.are_labeled(cells)) == 4
    with suppress(LabelCellError):
        assert len(reader.read(cells)[0]) == 4
