"""Delimited tables: whatever the dialect, the rows written are the rows read."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Rows = list[tuple[str, str]]

HEADER = ("text", "label")
ROWS: Rows = [
    ("the film was warm and long", "pos"),
    ("a cold room", "neg"),
    ("we liked the soup, really", "pos"),
    ("nothing works here", "neg"),
    ("a splendid menu", "pos"),
    ("rude staff", "neg"),
]
PLAIN = "text,label\n" + "".join(
    f'"{text}",{label}\n' if "," in text else f"{text},{label}\n" for text, label in ROWS
)
SEMICOLONS = "text;label\n" + "".join(f"{text};{label}\n" for text, label in ROWS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("delimited") / "t.csv"


def open_content(path: Path, content: str, required: tuple[str, ...] = (), **keys: Any) -> Table:
    path.write_bytes(content.encode())
    return open_table(str(path), required, ReadOptions(**keys))


def read(table: Table, *, block_bytes: int | None = None) -> Rows:
    reader = table.parts[0].reader
    assert isinstance(reader, DelimitedReader)
    if block_bytes is not None:
        reader = replace(reader, block_bytes=block_bytes)
    batches = (batch for batch, _ in reader.iter_batches(table.columns))
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def write_quoted(rows: Rows) -> str:
    content = io.StringIO(newline="")
    csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return content.getvalue()


def write_escaped(rows: Rows) -> str:
    content = io.StringIO(newline="")
    writer = csv.writer(
        content, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", lineterminator="\n"
    )
    writer.writerows(rows)
    return content.getvalue()


def write_with_blanks(rows: Rows) -> str:
    cells = ([cell.replace('"', '""') for cell in row] for row in rows)
    return "".join('"{}", "{}"\n'.format(*row) for row in cells)


def write_joined(rows: Rows) -> str:
    return "".join(f"{text}\t{label}\n" for text, label in rows)


ANY = st.text(st.sampled_from('ab é,;"\\\n\r'), max_size=8)
ONE_LINE = st.text(st.sampled_from('ab é,;"\\'), max_size=8)
WITH_RETURNS = st.text(st.sampled_from("ab\r,"), max_size=8).filter(lambda cell: cell[-1:] != "\r")

DIALECTS: dict[str, tuple[Callable[[Rows], str], st.SearchStrategy[str], dict[str, Any]]] = {
    "quotes": (write_quoted, ANY, {"delimiter": ","}),
    "escapes": (write_escaped, ANY, {"delimiter": ",", "escape": "\\"}),
    "no quotes": (write_joined, ONE_LINE, {"delimiter": "\t", "quote": "none"}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60)
@given(data=st.data(), block_bytes=st.sampled_from([8, 30, 1 << 21]))
def test_the_rows_written_are_the_rows_read(
    path: Path, dialect: str, data: st.DataObject, block_bytes: int
) -> None:
    write, cells, keys = DIALECTS[dialect]
    # Two blank cells would be written as a delimiter alone, which can be a line below the rows.
    rows = data.draw(st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
    table = open_content(path, write([HEADER, *rows]), HEADER, skip_lines=[0, 0], **keys)
    assert read(table, block_bytes=block_bytes) == rows
    assert len(list(table.parts[0].reader.iter_line_numbers())) == len(rows)


PIECES = st.sampled_from(
    [
        "good film",
        ", ",
        "\n\n",
        '\\"',
        "x,y\n1,2\n",
        "# ",
        "-- ",
        "sep=;",
        "(3 rows)",
        "Total",
        "pos",
    ]
)
ANY_PIECE = st.one_of(PIECES, st.sampled_from('a,;"|1{\ufeff\u2028\t\n\\'))


@settings(max_examples=200)
@given(
    delimiter=st.sampled_from(",;\t|"),
    rows=st.lists(
        st.tuples(
            st.lists(ANY_PIECE, max_size=5).map("".join), st.sampled_from(["pos", "neg", ""])
        ),
        max_size=12,
    ),
    is_one_column=st.booleans(),
    required=st.sampled_from([(), ("text",)]),
)
def test_a_regular_table_is_read_as_it_was_written(
    path: Path, delimiter: str, rows: Rows, is_one_column: bool, required: tuple[str, ...]
) -> None:
    header: tuple[str, ...] = HEADER
    cells: list[tuple[str, ...]] = [*rows]
    if is_one_column:
        delimiter, header, cells = ",", HEADER[:1], [(text,) for text, _ in rows if text]
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *cells])
    table = open_content(path, content.getvalue(), required)
    assert (table.columns, read(table)) == (header, cells)


@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=8),
    above=st.integers(0, 3),
    below=st.integers(0, 3),
    block_bytes=st.sampled_from([8, 30, 1 << 21]),
)
def test_lines_around_the_rows_are_ignored(
    path: Path, rows: Rows, above: int, below: int, block_bytes: int
) -> None:
    content = "title\n" * above + write_quoted([HEADER, *rows]) + "1 row\n" * below
    table = open_content(path, content, HEADER, skip_lines=(above, below))
    assert read(table, block_bytes=block_bytes) == rows


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(ONE_LINE, ONE_LINE), min_size=2, max_size=9), bad=st.data())
def test_rows_that_cannot_be_read_are_skipped_and_counted(
    path: Path, rows: Rows, bad: st.DataObject
) -> None:
    lines = write_quoted(rows).splitlines()
    places = bad.draw(st.sets(st.integers(0, len(rows)), max_size=3))
    for place in sorted(places, reverse=True):
        lines.insert(place, bad.draw(st.sampled_from(["a,b,c", "alone", '"a"b,c', '"a,b"'])))
    content = "text,label\n" + "\n".join(lines) + "\n"
    table = open_content(path, content, HEADER, on_bad_row="skip", skip_lines=[0, 0], quote='"')
    assert read(table) == rows
    reader = table.parts[0].reader
    assert isinstance(reader, DelimitedReader)
    assert reader.notes.skipped == len(places)
    found = [line for line, _ in reader.find_broken_rows(())]
    assert [line for line, _ in reader.notes.skipped_places] == found
    assert [*reader.iter_line_numbers()] == [
        line for line in range(2, len(lines) + 2) if line not in found
    ]


DETECTED: dict[str, tuple[str, str]] = {
    "a sep line": ("sep=;\r\n" + SEMICOLONS.replace("\n", "\r\n"), "semicolon, utf-8, a sep= line"),
    "a sep line in capitals": (
        "SEP=|\n" + SEMICOLONS.replace(";", "|"),
        "pipe, utf-8, a sep= line",
    ),
    "a sep line with a tab": (
        "\ufeffsep=\t\n" + SEMICOLONS.replace(";", "\t"),
        "tab, utf-8, a sep= line",
    ),
    "a sep line with a name": (
        "sep=\\t\n" + SEMICOLONS.replace(";", "\t"),
        "tab, utf-8, a sep= line",
    ),
    "a quoted sep line": ('"sep=^"\n' + SEMICOLONS.replace(";", "^"), "'^', utf-8, a sep= line"),
    "a sep line that names a letter": (
        "sep=K\n" + SEMICOLONS.replace(";", "K"),
        "'K', utf-8, a sep= line",
    ),
    "a sep line that ends with a blank": ("sep=; \n" + SEMICOLONS, "semicolon, utf-8, a sep= line"),
    "a padded sep line": ("sep=;;\n" + SEMICOLONS, "semicolon, utf-8, a sep= line"),
    "escaped quotes": (
        "text,label\n" + "".join(f'"say \\"{text}\\"","{label}"\n' for text, label in ROWS),
        "comma, utf-8, backslash escapes",
    ),
    "escaped delimiters and line ends": (
        "text\tlabel\n" + "".join(f"{text}\\\n\\\tor not\t{label}\n" for text, label in ROWS),
        "tab, utf-8, backslash escapes",
    ),
    "stray quotes": (
        "text\tlabel\n" + "".join(f'"{text}\t{label}\n' for text, label in ROWS),
        "tab, utf-8, quotes are ordinary characters",
    ),
    "blanks before quotes": (
        "text, label\n" + "".join(f'"{text}", "{label}"\n' for text, label in ROWS),
        "comma, utf-8, a blank after each delimiter ignored",
    ),
    "blanks before quoted delimiters": (
        "label, text\n" + "".join(f'{label}, "{text}, yes"\n' for text, label in ROWS),
        "comma, utf-8, a blank after each delimiter ignored",
    ),
    "carriage returns": (
        "text;label\n" + "".join(f"{text}\ror not;{label}\n" for text, label in ROWS),
        "semicolon, utf-8, carriage returns belong to cells",
    ),
    "trailing delimiters": (
        "text;label\n" + "".join(f"{text};{label};\n" for text, label in ROWS),
        "semicolon, utf-8, 1 empty cell at the end of each row ignored",
    ),
    "several trailing delimiters": (
        "text;label\n" + "".join(f"{text};{label};;;\n" for text, label in ROWS),
        "semicolon, utf-8, 3 empty cells at the end of each row ignored",
    ),
    "a comment": (
        "# exported by a tool\n" + PLAIN,
        "comma, utf-8, 1 line above the header ignored",
    ),
    "comments with delimiters": (
        "# tool, version\n# date, time\n" + PLAIN,
        "comma, utf-8, 2 lines above the header ignored",
    ),
    "a title": ("All answers\n\n" + PLAIN, "comma, utf-8, 2 lines above the header ignored"),
    "a padded title": (
        "All answers,,\n,,\nid,text,label\n" + "1,a b,pos\n2,c d,neg\n" * 3,
        "comma, utf-8, 2 lines above the header ignored",
    ),
    "labels without a header": (
        "".join(f'"{len(text) % 2}","{text}"\n' for text, _ in ROWS),
        "comma, utf-8, no header",
    ),
    "a line of dashes": (
        PLAIN.replace("\n", "\n----,-----\n", 1),
        "comma, utf-8, a line of dashes below the header ignored",
    ),
    "a plain table": (PLAIN, "comma, utf-8"),
}


@pytest.mark.parametrize("name", DETECTED)
def test_what_is_detected_is_described_and_all_rows_are_read(path: Path, name: str) -> None:
    content, description = DETECTED[name]
    table = open_content(path, content)
    assert table.description == f"{description} (detected)"
    assert table.read(table.columns).num_rows == len(ROWS)


@pytest.mark.parametrize("name", DETECTED)
def test_what_is_detected_can_be_written_into_a_config(path: Path, name: str) -> None:
    table = open_content(path, DETECTED[name][0])
    keys = {key: value for key, (value, _) in table.detected().items()}
    again = open_table(str(path), (), ReadOptions(**keys))
    assert again.columns == table.columns
    assert again.read(again.columns) == table.read(table.columns)
    assert again.detected() == {}


FOOTERS = {
    "a count": "(6 rows affected)\n",
    "a count below a blank line": "\n(6 rows affected)\n",
    "a total": "Total: 6 rows\n",
    "words below a blank line": "\nsource: our own survey\n\n",
    "several lines": "\nsource: our own survey\nby a tool\n",
    "a comment": "# end\n",
}


@pytest.mark.parametrize("name", FOOTERS)
def test_lines_below_the_rows_are_ignored_and_reported(path: Path, name: str) -> None:
    table = open_content(path, PLAIN + FOOTERS[name])
    assert read(table) == ROWS
    (note,) = table.notes()
    assert note.startswith(f"{path}:8: ignored below the last row: ")
    # Not to be written: another table may have rows in their place.
    assert table.detected() == {}
    below = FOOTERS[name].count("\n")
    assert read(open_table(str(path), (), ReadOptions(skip_lines=(0, below)))) == ROWS


def test_the_end_of_file_character_of_dos_is_no_row(path: Path) -> None:
    table = open_content(path, PLAIN.replace("\n", "\r\n") + "\x1a")
    assert read(table) == ROWS
    assert table.notes() == ()


@pytest.mark.parametrize("last", ["trunc", "1", "the film was", "a\n\nb\n\nc"])
def test_a_truncated_last_row_is_refused(path: Path, last: str) -> None:
    table = open_content(path, PLAIN + last)
    with pytest.raises(DataError, match=r"t\.csv:8: 1 cell, but the header has 2 columns"):
        read(table)


def test_a_carriage_return_in_a_row_is_named(path: Path) -> None:
    table = open_content(path, PLAIN + "one\rmore,pos\n" + "a,b,c\n" + PLAIN[11:])
    with pytest.raises(
        DataError, match=r":8: 1 cell, .* a carriage return \(\\r\) splits this row"
    ):
        read(table)


FAULTS = {
    "a b\n": r"1 cell, .*; if the last line is no row, set data\.skip_lines: \[0, 1\]",
    "a b\n"
    + PLAIN: r"1 cell, but the header has 2 columns; add the missing cells, or set data\.on_",
    "a,b,c\n": "3 cells, but the header has 2 columns; quote cells that contain the delimiter",
    'pos, "a, b"\n': "3 cells, .*; cell 2 begins with a blank, then a quote; remove the blank",
    '"a"b,c\n': r"text follows a closing quote; .*, or set data\.quote: none, or set data",
    '"a,c\nd,e\nf"\n': "1 cell, .*; its quoted cell spans lines 8-10; check its quotes, or s",
    '"a,c\n': r"a quote opens here and is never closed; .*, or set data\.quote: none, or set data",
}


@pytest.mark.parametrize("row", FAULTS)
def test_a_row_that_cannot_be_read_is_refused_with_a_way_out(path: Path, row: str) -> None:
    table = open_content(path, PLAIN + row, quote='"')
    with pytest.raises(DataError, match=rf"t\.csv:8: {FAULTS[row]}"):
        read(table)


def test_backslashes_that_escape_nothing_are_named(path: Path) -> None:
    content = PLAIN + '"C:\\""new""\\",pos\n'
    with pytest.raises(DataError, match=r":8: text follows .*, or set data\.escape: null"):
        read(open_content(path, content, escape="\\"))
    assert read(open_content(path, content))[-1] == ('C:\\"new"\\', "pos")


def test_quotes_that_are_no_ordinary_characters_are_named(path: Path) -> None:
    table = open_content(path, PLAIN, quote="none")
    with pytest.raises(DataError, match=r"if quotes enclose cells, set data\.quote: null"):
        read(table)
    assert read(open_content(path, PLAIN, quote=None)) == ROWS


def test_a_broken_row_above_a_backslash_is_the_only_one_ignored(path: Path) -> None:
    table = open_content(path, PLAIN + "a,b,c\nC:\\,pos\n", on_bad_row="skip")
    assert read(table) == [*ROWS, ("C:\\", "pos")]
    assert [note.partition(" (")[0] for note in table.notes()] == [f"{path}:8: 1 row ignored"]


def test_a_table_without_a_line_below_those_to_skip_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="no header and no rows below the lines to skip; it has 7"):
        open_content(path, PLAIN, skip_lines=9)


def test_names_are_given_to_columns_without_a_header(path: Path) -> None:
    content = PLAIN.removeprefix("text,label\n")
    named = open_content(path, content, HEADER, columns=HEADER)
    assert read(named) == ROWS
    assert read(open_content(path, PLAIN, HEADER, columns=HEADER)) == ROWS
    renamed = open_content(path, PLAIN, ("body",), columns=("body", "kind"), header=True)
    assert read(renamed) == ROWS
    assert read(open_content(path, PLAIN, header=False)) == [HEADER, *ROWS]
    with pytest.raises(DataError, match=r"data\.columns has 3 names, but rows have 2 cells"):
        open_content(path, content, columns=("a", "b", "c"))
    with pytest.raises(DataError, match=r"no column 'text'.*looks like data; .* --columns"):
        open_content(path, content, HEADER)


HEADERS = {
    "0,1\n": "1",
    "text,2019,2020\n": "1,0",
    "text,joy,grief\n": "1,0",
    "id,label,text\n": "pos,x",
    "review,stars\n": "4",
    "text,spam\n": "spam",
    "a,b\n": "pos",
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_not_mistaken_for_data(path: Path, header: str) -> None:
    content = header + f"it was warm and splendid in there,{HEADERS[header]}\n" * 5
    assert open_content(path, content).columns == tuple(header.strip().split(","))


@pytest.mark.parametrize("character", ["é", "\0"])
def test_a_separator_line_names_an_ascii_character(path: Path, character: str) -> None:
    assert open_content(path, f"sep={character}\na\nb\n").columns == (f"sep={character}",)


def test_a_header_with_more_cells_than_the_rows_is_not_ignored(path: Path) -> None:
    table = open_content(path, PLAIN.replace("label", "label,source"))
    with pytest.raises(DataError, match=r":2: 2 cells, but the header has 3 columns"):
        read(table)


def test_lines_to_skip_are_those_of_another_table_if_the_header_is_on_top(path: Path) -> None:
    assert read(open_content(path, PLAIN, HEADER, skip_lines=2)) == ROWS


def test_row_numbers_without_a_name_for_their_column_are_read(path: Path) -> None:
    rows = "".join(f"{index}\t{text}\t{label}\n" for index, (text, label) in enumerate(ROWS))
    table = open_content(path, "text\tlabel\n" + rows)
    assert table.columns == ("", "text", "label")
    assert table.read(["label"])["label"].to_pylist() == [label for _, label in ROWS]
    table = open_content(path, "text\n" + "".join(f"{text}, {label}\n" for text, label in ROWS[:2]))
    with pytest.raises(
        DataError, match=r":2: 2 cells, but the header has 1 column; quote the cell"
    ):
        table.read(["text"])


@pytest.mark.parametrize(("suffix", "delimiter"), [("tsv", "\t"), ("tab", "\t"), ("psv", "|")])
def test_the_extension_decides_between_delimiters_that_both_fit(
    tmp_path: Path, suffix: str, delimiter: str
) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_text(f"a,b{delimiter}c\n1,2{delimiter}3\n6,7{delimiter}8\n")
    assert open_table(str(path), []).columns == ("a,b", "c")
