"""Cells that swallowed rows are found; prose, poems, addresses and other tables are not."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.tables.csv_tables.dialects import Dialect
from embedclf.tables.csv_tables.record_blocks import RecordBlock
from embedclf.tables.csv_tables.swallowed_rows import find_multiline_cells, find_swallowed_rows

ROWS = [[f"a text of the row {row}", "pos" if row % 3 else "neg"] for row in range(40)]


def block(content: str, record_lines: list[int] | None = None) -> RecordBlock:
    return RecordBlock(2, content.encode(), content.count("\n"), record_lines)


def write(rows: list[list[str]], delimiter: str = ",") -> str:
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return content.getvalue()


def stray_quotes(rows: list[list[str]], delimiter: str, first: int, last: int) -> str:
    """A quote that opens the text of a row, and another that closes the text of a later one."""
    lines = [[*cells] for cells in rows]
    lines[first][-2] = f'"{lines[first][-2]}'
    lines[last][-2] += '"'
    return "".join(f"{delimiter.join(cells)}\n" for cells in lines)


@settings(max_examples=60)
@given(
    delimiter=st.sampled_from(",;\t|"),
    first=st.integers(0, 38),
    length=st.integers(1, 20),
    has_ids=st.booleans(),
    has_numbers=st.booleans(),
)
def test_stray_quotes_are_found_with_their_lines(
    delimiter: str, first: int, length: int, has_ids: bool, has_numbers: bool
) -> None:
    last = min(first + length, 39)
    rows = [[text, str(len(label) % 2) if has_numbers else label] for text, label in ROWS]
    if has_numbers:
        rows = [[text, str(row % 2)] for row, (text, _) in enumerate(rows)]
    if has_ids:
        rows = [[f"id{row}", *cells] for row, cells in enumerate(rows)]
    found = find_swallowed_rows(
        block(stray_quotes(rows, delimiter, first, last)),
        Dialect(delimiter, ("id", "text", "label") if has_ids else ("text", "label")),
    )
    # One swallowed number beside one comma can also be a text such as `it costs 1,000`.
    is_unclear = has_numbers and not has_ids and delimiter == "," and last - first == 1
    assert found == ([] if is_unclear else [(first + 2, last + 2)])


def test_rewritten_records_keep_their_lines() -> None:
    content = stray_quotes(ROWS, ",", 5, 9)
    lines = [2 * row for row in range(1, 37)]
    assert find_swallowed_rows(block(content, lines), Dialect(",", ("text", "label"))) == [(12, 16)]


ORDINARY = {
    "prose with a comma in each line": [
        "Well, I came\nand, as they say\nI saw, and left",
        "a,b\nc,d",
    ],
    "poems": ["Shall I compare thee to a summer's day,\nThou art more lovely,\n" * 7],
    "addresses": ["1 Main St, Springfield\nIL, USA\nphone, fax"],
    "prices": ["It costs 1,000\nor 2"],
    "tables of another width": ["a,b,c\n1,2,3\n4,5,6\n" * 20],
    "code": ["def f(a, b):\n    return a, b\n\nprint(f(1, 2), 3)"],
    "blank lines": ["\n\n\n", "a\n\nb"],
}


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("numbers", [False, True])
def test_ordinary_cells_of_several_lines_are_not_found(name: str, numbers: bool) -> None:
    rows = [
        [f"{text}\n{row}" if row % 2 else text, str(row % 2) if numbers else label]
        for row, (_, label) in enumerate(ROWS)
        for text in ORDINARY[name]
    ]
    assert find_swallowed_rows(block(write(rows)), Dialect(",", ("text", "label"))) == []


def test_cells_of_several_lines_are_found_in_a_table_of_one_column() -> None:
    content = 'a\n"b\nc\n\nd"\n"e"\n"f\n"\n'
    assert find_multiline_cells(block(content), Dialect(",", ("text",))) == [(3, 6), (8, 9)]
