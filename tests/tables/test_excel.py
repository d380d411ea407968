from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import pytest
from xlsxwriter import Workbook

from embedclf.errors import DataError
from embedclf.tables.read_options import DETECT, ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.tables.tables import Table
    from tests.conftest import Invoke

REVIEWS = [(f"a {word} film, number {number}", word) for number in range(20) for word in "ab"]


def write_book(path: Path, rows: Sequence[Sequence[Any]], *, top: int = 0, left: int = 0) -> Path:
    """Write rows of cells to the first sheet, from a cell on."""
    with Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        for number, cells in enumerate(rows, top):
            sheet.write_row(number, left, cells)
    return path


def read(path: Path, options: ReadOptions = DETECT, required: Sequence[str] = ()) -> Table:
    return open_table(str(path), required, options, name=path.name)


def cells_of(table: Table) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in table.read(table.columns).to_pylist()]


def test_cells_are_the_text_that_excel_shows(tmp_path: Path) -> None:
    with Workbook(tmp_path / "t.xlsx", {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        hours = book.add_format({"num_format": "[h]:mm:ss"})
        clock = book.add_format({"num_format": "hh:mm"})
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, ["text", "value"])
        values = [1, 0.5, 0.1 + 0.2, -3, 1e20, True, False, "01", "NA", "  a\nb "]
        for number, value in enumerate([*values, dt.date(2024, 5, 1)], 1):
            sheet.write(number, 0, f"row {number}")
            sheet.write(number, 1, value)
        sheet.write_row(12, 0, ["row 12"])
        sheet.write_datetime(12, 1, dt.datetime(2024, 5, 1, 10, 30))
        sheet.write_row(13, 0, ["row 13"])
        sheet.write_datetime(13, 1, dt.timedelta(hours=30), hours)
        sheet.write_row(14, 0, ["row 14"])
        sheet.write_datetime(14, 1, dt.time(10, 30), clock)
        sheet.write_row(15, 0, ["row 15"])
        sheet.write_formula(15, 1, "=1+1", None, 2)
        sheet.write_row(16, 0, ["row 16"])
        sheet.write_formula(16, 1, "=NA()", None, "#N/A")
        sheet.write_row(17, 0, ["row 17"])
        sheet.write_rich_string(17, 1, "a ", bold, "bold", " word")
    assert [value for _, value in cells_of(read(tmp_path / "t.xlsx"))] == [
        *("1", "0.5", "0.3", "-3", "1e+20", "TRUE", "FALSE", "01", "NA", "  a\nb "),
        *("2024-05-01", "2024-05-01 10:30:00", "30:00:00", "10:30:00", "2", "", "a bold word"),
    ]


def test_a_table_can_begin_anywhere_below_titles(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Reviews of May"],
        [],
        ["text", "label", "stars"],
        ["good", "pos", 5],
        ["bad", "neg", 1],
    ]
    table = read(write_book(tmp_path / "t.xlsx", rows, top=2, left=1))
    assert table.columns == ("text", "label", "stars")
    assert cells_of(table) == [("good", "pos", "5"), ("bad", "neg", "1")]
    assert table.locate([0, 1]) == ["t.xlsx: row 6", "t.xlsx: row 7"]
    assert table.description == "Excel, sheet 'Data', 4 rows above the header ignored"
    assert table.detected()["skip_lines"][0] == 4
    again = read(tmp_path / "t.xlsx", ReadOptions(skip_lines=4))
    assert cells_of(again) == cells_of(table)


def test_an_index_column_without_a_name_does_not_hide_the_header(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["", "text"], [0, "good"], [1, "bad"], [2, "dull"]]
    table = read(write_book(tmp_path / "t.xlsx", rows))
    assert table.columns == ("", "text")
    assert len(cells_of(table)) == 3


def test_empty_rows_are_ignored_and_keep_the_row_numbers_right(tmp_path: Path) -> None:
    rows = [["text", "label"], ["a", "x"], [], ["b", "y"], ["c", ""], ["", "z"]]
    table = read(write_book(tmp_path / "t.xlsx", rows))
    assert cells_of(table) == [("a", "x"), ("b", "y"), ("c", ""), ("", "z")]
    assert table.locate([1]) == ["t.xlsx: row 4"]


def test_notes_below_the_table_are_ignored_with_a_word(tmp_path: Path) -> None:
    rows: list[Sequence[str]] = [["Title"], ["text", "label"], *REVIEWS, [], ["Total: 40"]]
    table = read(write_book(tmp_path / "t.xlsx", rows))
    assert cells_of(table) == REVIEWS
    assert any("Total: 40" in note for note in table.notes())
    assert table.detected()["skip_lines"][0] == 1
    for skip_lines in (1, (1, 1)):
        again = read(tmp_path / "t.xlsx", ReadOptions(skip_lines=skip_lines))
        assert cells_of(again) == REVIEWS
    # Where texts without labels are usual, the last row is one of them.
    rows = [["text", "label"], ["a", "x"], ["b"], ["c", "y"], [], ["d"]]
    assert len(cells_of(read(write_book(tmp_path / "u.xlsx", rows)))) == 4
    assert len(cells_of(read(tmp_path / "u.xlsx", ReadOptions(skip_lines=(0, 1))))) == 3


def test_the_first_visible_sheet_with_rows_is_read_and_others_are_named(tmp_path: Path) -> None:
    with Workbook(tmp_path / "t.xlsx") as book:
        hidden, _, first, second = map(book.add_worksheet, ["Hidden", "Empty", "First", "Second"])
        first.activate()
        hidden.hide()
        for sheet in (hidden, first, second):
            sheet.write_column(0, 0, ["text", sheet.name])
    table = read(tmp_path / "t.xlsx")
    assert cells_of(table) == [("First",)]
    assert table.description == "Excel, sheet 'First', not read: 'Second'"


def test_a_cell_merged_over_rows_is_in_each_of_them(tmp_path: Path) -> None:
    with Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "a title over both columns")
        sheet.write_row(1, 0, ["label", "text"])
        sheet.merge_range(2, 0, 3, 0, "pos")
        sheet.write_column(2, 1, ["good", "fine", "bad"])
        sheet.write(4, 0, "neg")
    assert cells_of(read(tmp_path / "t.xlsx")) == [("pos", "good"), ("pos", "fine"), ("neg", "bad")]


def test_a_sheet_of_notes_before_the_table_is_not_read(tmp_path: Path) -> None:
    with Workbook(tmp_path / "t.xlsx") as book:
        sheets: dict[str, list[list[str | int]]] = {
            "Notes": [["collected in May"], ["by two people"]],
            "Counts": [["label", "rows"], ["pos", 1], ["neg", 1]],
            "Reviews": [["text", "label"], ["good", "pos"], ["bad", "neg"]],
        }
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(rows):
                sheet.write_row(number, 0, cells)
    assert read(tmp_path / "t.xlsx").description.startswith("Excel, sheet 'Counts'")
    table = read(tmp_path / "t.xlsx", required=["text"])
    assert table.description == "Excel, sheet 'Reviews', not read: 'Notes', 'Counts'"
    assert cells_of(table) == [("good", "pos"), ("bad", "neg")]


def test_a_sheet_without_a_header_is_detected_or_named(tmp_path: Path) -> None:
    path = write_book(tmp_path / "t.xlsx", REVIEWS)
    table = read(path)
    assert table.columns == ("column_1", "column_2")
    assert table.detected()["header"][0] is False
    named = read(path, ReadOptions(columns=("text", "label")), ["text", "label"])
    assert cells_of(named) == REVIEWS
    assert cells_of(read(path, ReadOptions(header=True))) == REVIEWS[1:]
    with pytest.raises(DataError, match=r"t.xlsx: 1 name in data.columns.* has 2 columns"):
        read(path, ReadOptions(columns=("text",)))


def test_a_missing_column_of_a_sheet_without_a_header_can_be_named(tmp_path: Path) -> None:
    path = write_book(tmp_path / "t.xlsx", REVIEWS)
    with pytest.raises(DataError, match="looks like data; name all columns: --columns NAME,NAME"):
        read(path, required=["text"])
    assert len(read(path, required=["column_1"]).read(["column_2"])) == len(REVIEWS)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "not a workbook, or a damaged one"),
        (b"PK\x03\x04" + bytes(100), "damaged or incomplete zip file"),
        (b"", "the file is empty"),
    ],
)
def test_a_damaged_workbook_is_one_line(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=rf"^t.xlsx: .*{fault}[^\n]*$"):
        read(tmp_path / "t.xlsx")


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the workbook is empty"):
        read(write_book(tmp_path / "t.xlsx", []))
    path = write_book(tmp_path / "u.xlsx", [["text"], ["a"]])
    with pytest.raises(DataError, match="no rows below"):
        read(path, ReadOptions(skip_lines=5))


def test_without_the_extra_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    path = write_book(tmp_path / "t.xlsx", [["text", "label"], *REVIEWS])
    monkeypatch.setitem(sys.modules, "python_calamine", None)  # as if it were not installed
    error = invoke("init", path, "-o", "-", status=1).stderr
    assert (
        f"{path}: reading Excel needs python-calamine, which is not installed: "
        "pip install 'embedclf[excel]'" in error
    )


def test_init_proposes_a_config_for_a_workbook(tmp_path: Path, invoke: Invoke) -> None:
    path = write_book(tmp_path / "reviews.xlsx", [["text", "label"], *REVIEWS])
    config = invoke("init", path, "-o", "-").stdout
    assert "# 40 rows, Excel, sheet 'Data'" in config
    assert "text: text\n" in config
    assert "label: label\n" in config
