from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.errors import DataError
from embedclf.system.fields import TextColumns
from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table
from tests.conftest import write_csv

if TYPE_CHECKING:
    from pathlib import Path

BIG = f"{'x' * 98},\n" * 60_000
"""Larger than a block, and each of its lines looks like a row."""

READ: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "plain.csv": (b"text,label\na,1\n", [("a", "1")]),
    "no-last-newline.csv": (b"text,label\na,1", [("a", "1")]),
    "crlf.csv": (b'text,label\r\na,1\r\n"x\r\ny",2\r\n', [("a", "1"), ("x\r\ny", "2")]),
    "cr.csv": (b"text,label\ra,1\rb,2\r", [("a", "1"), ("b", "2")]),
    "bom.csv": (b"\xef\xbb\xbftext,label\na,1\n", [("a", "1")]),
    "utf16.csv": ("text,label\né,1\n".encode("utf-16"), [("é", "1")]),
    "utf32.csv": ("text,label\n\U0001f600,1\n".encode("utf-32"), [("\U0001f600", "1")]),
    "semicolon.csv": (b"text;label\na,b;1\n", [("a,b", "1")]),
    "bar.csv": (b"label|text\n1|a\n", [("a", "1")]),
    "tab.tsv": (b"text\tlabel\na,b\t1\n", [("a,b", "1")]),
    "literal.csv": (
        b'text,label\nNA,null\n,\n"",01\nnan,1e5\n',
        [("NA", "null"), ("", ""), ("", "01"), ("nan", "1e5")],
    ),
    "quoted-header.csv": (b'"text","label"\n"a;b","1"\n', [("a;b", "1")]),
    "quoted-semicolons.csv": (b'"text";"label"\n"a,b";"1"\n', [("a,b", "1")]),
    "quotes.csv": (b'text,label\n"say ""hi"", ok",1\n', [('say "hi", ok', "1")]),
    "inch.csv": (b'text,label\n5" disk,1\n"a""b",2\n', [('5" disk', "1"), ('a"b', "2")]),
    "blank-lines.csv": (b"text,label\n\na,1\n\n\nb,2\n\n", [("a", "1"), ("b", "2")]),
    "nul.csv": (b"text,label\na\x00b,1\n", [("a\x00b", "1")]),
    "separators.csv": ("text,label\na\u2028b\x85c\x0b,1\n".encode(), [("a\u2028b\x85c\x0b", "1")]),
    "right-to-left.csv": ("text,label\nשלום,1\n".encode(), [("שלום", "1")]),
    "big-cell.csv": (f'text,label\n"{BIG}",1\nb,2\n'.encode(), [(BIG, "1"), ("b", "2")]),
    "more-columns.csv": (b"id,label,id,text\n1,2,3,4\n", [("4", "2")]),
    "header-only.csv": (b"text,label\n", []),
    "not-compressed.csv.gz": (b"text,label\na,1\n", [("a", "1")]),
    "unknown.txt": (b"text,label\na,1\n", [("a", "1")]),
    "lines.jsonl": (
        b'{"text": "a", "label": 1.50}\n\n{"label": true, "text": null}\n',
        [("a", "1.50"), ("", "true")],
    ),
    "bom.jsonl": (b'\xef\xbb\xbf{"text": "a", "label": "01"}', [("a", "01")]),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", ": the file is empty; it needs a header and rows"),
    "blank.csv": (b"\n\n", ": the file is empty"),
    "unclosed.csv": (b'text,label\na,1\n"b\n\nc",2\n"d,1\n', ":6: a quote opens here and is never"),
    "unclosed-end.csv": (b'text,label\na,1\nb,"2\n', ":3: a quote opens here and is never closed"),
    "swallowed.csv": (b'text,label\n"a,1\n"b,2\n', ":2: text follows a closing quote"),
    "follow.csv": (b'text,label\n5" x,1\n"a"b,3\n', ":3: text follows a closing quote"),
    "too-many.csv": (b'text,label\n"a\nb",2\na,1,3\n', ":4: 3 cells, but the header has 2 columns"),
    "too-few.csv": (b"text,label\na\nb,2\n", ":2: 1 cell, but the header has 2 columns"),
    "latin.csv": (b"text,label\na,1\n\xe9,2\n", ":3: byte 0xe9 is not utf-8; name the encoding"),
    "latin-header.csv": (b"text,label,\xe9\n", ":1: byte 0xe9 is not utf-8"),
    "broken16.csv": ("text,label\na,1\n".encode("utf-16") + b"\x00", ":3: byte 0x00 is not utf-16"),
    "far-too-many.csv": (
        b"text,label\n" + b"aaaa,bb\n" * 600_000 + b"a,b,c\n",
        ":600002: 3 cells",
    ),
    "far-cut.csv": (b"text,label\n" + b"aaaa,bb\n" * 600_000 + b"trunc", ":600002: 1 cell"),
    "workbook.csv": (
        b"PK\x03\x04\x14\x00\n\xee\x90",
        ": damaged or incomplete zip file",
    ),
    "no-column.csv": (
        b"txt,label\na,1\n",
        "; did you mean 'txt'? columns: 'txt', 'label'",
    ),
    "twice.csv": (b"text,text,label\na,b,1\n", ":1: two columns are named 'text'"),
    "cut.csv.gz": (
        gzip.compress(b"text,label\n" + b"a,b\n" * 99999)[:-99],
        ": damaged or incomplete gzip",
    ),
    "empty.parquet.gz": (b"", ": not a Parquet file"),
    "no.parquet": (b"text", ": not a Parquet file"),
    "empty.jsonl": (b"\n", ": the file is empty"),
    "broken.jsonl": (b'{"text": "a", "label": 1}\n{"text"\n', ":2: not JSON"),
    "array.jsonl": (b"[1]\n", ":1: not a JSON object"),
    "no-key.jsonl": (b'{"text": "a"}\n{"text": "b", "x": 1}\n', ":1: no column 'label'"),
    "list.jsonl": (b'{"text": ["a"], "label": 1}\n', ":1: 'text' is a list"),
    "surrogate.jsonl": (
        b'{"text": "\\ud800", "label": 1}\n',
        ":1: an escape is half of a surrogate pair",
    ),
    "latin.jsonl": (b'{"text": "a", "label": 1}\n{"text": "\xe9"}', ":2: byte 0xe9 is not utf-8"),
}


def read(path: Path, block_bytes: int | None = None, **form: Any) -> list[tuple[str, str]]:
    table = open_table(str(path), ["text", "label"], ReadOptions(**form))
    (part,) = table.parts
    if block_bytes is not None and isinstance(part.reader, DelimitedReader):
        part = replace(part, reader=replace(part.reader, block_bytes=block_bytes))
        table = replace(table, parts=(part,))
    rows = table.read(["text", "label"])
    return list(zip(rows["text"].to_pylist(), rows["label"].to_pylist(), strict=True))


@pytest.mark.parametrize("block_bytes", [None, 16])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", READ)
def test_every_cell_is_read_unchanged(
    tmp_path: Path, name: str, compressed: bool, block_bytes: int | None
) -> None:
    content, rows = READ[name]
    path = tmp_path / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    assert read(path, None if name == "big-cell.csv" else block_bytes) == rows


@pytest.mark.parametrize("block_bytes", [None, 16])
@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_table_is_refused_with_its_line(
    tmp_path: Path, name: str, block_bytes: int | None
) -> None:
    content, fault = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / name, None if name.startswith("far-") else block_bytes)
    assert str(caught.value).startswith(f"{tmp_path / name}:")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_delimiter_and_encoding_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes("text#label\ncafé#1\n".encode("cp1252"))
    assert read(path, delimiter="#", encoding="cp1252") == [("café", "1")]
    table = open_table(str(path), ["text"], ReadOptions(delimiter="#", encoding="cp1252"))
    assert table.description == "'#', cp1252"
    with pytest.raises(DataError, match="unknown encoding 'utf9'"):
        read(path, encoding="utf9")
    path.write_bytes(b"text,label\na,1\nb\x81,2\n")
    with pytest.raises(DataError, match="byte 0x81 is not cp1252"):
        read(path, encoding="cp1252")


@pytest.mark.parametrize("delimiter", ["§", '"', "\n", ";;"])
def test_a_delimiter_is_one_ascii_character(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text\tlabel\na\t1\n")
    with pytest.raises(DataError, match=r"must be one ASCII character"):
        read(path, delimiter=delimiter)
    assert read(path, delimiter="\\t") == [("a", "1")]


@pytest.mark.parametrize("encoding", ["hex", "rot13", "zlib", "undefined", "idna", "\udcff", "a\0"])
def test_an_encoding_must_be_one_of_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text,label\na,1\n")
    with pytest.raises(DataError, match="unknown encoding"):
        read(path, encoding=encoding)


@pytest.mark.parametrize("encoding", ["ascii", "utf-7", "utf-16", "utf-32"])
def test_a_wrong_encoding_is_a_data_error(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("text,label\né,1\nü-ü,2\n".encode())
    with pytest.raises(DataError):
        read(path, encoding=encoding)


def test_a_long_first_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"text": "' + "x" * 3_000_000 + '", "label": 1}\n{"text": "b", "label": 2}\n')
    assert [label for _, label in read(path)] == ["1", "2"]


def test_the_description_says_what_was_detected(tmp_path: Path) -> None:
    path = tmp_path / "detected.csv"
    path.write_bytes("text;label\na;1\n".encode("utf-16"))
    assert open_table(str(path), ["text"]).description == "semicolon, utf-16 (detected)"


def test_parquet_cells_become_text_and_nulls_become_empty(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {"text": ["a", None], "label": [1, 2], "list": [[1], [2]]}
    parquet.write_table(pa.table(columns), path)
    assert read(path) == [("a", "1"), ("", "2")]
    assert open_table(str(path), ["text"]).locate([1]) == [f"{path}: row 2"]
    with pytest.raises(DataError, match="column 'list' is a list, not a text"):
        open_table(str(path), ["list"]).read(["list"])


def test_rows_are_located_by_the_line_their_record_begins_on(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b'text,label\n"a\n\nb",1\n\nc,2\nd,3\n')
    table = open_table(str(path), ["text"])
    assert table.locate([0, 1, 2]) == [f"{path}:2", f"{path}:6", f"{path}:7"]
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n{"text": "b"}\n')
    assert open_table(str(path), ["text"]).locate([0, 1]) == [f"{path}:1", f"{path}:3"]


def test_a_table_of_one_column_keeps_its_blank_rows(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_bytes(b'text\na\n\n""\nb\n')
    table = open_table(str(path), ["text"])
    assert table.read(["text"])["text"].to_pylist() == ["a", "", "", "b"]
    assert table.locate([1, 3]) == [f"{path}:3", f"{path}:5"]
    path.write_bytes(b"\ntext\n\na\n")
    assert open_table(str(path), ["text"]).read(["text"])["text"].to_pylist() == ["", "a"]
    assert open_table(str(path), ["text"]).locate([1]) == [f"{path}:4"]


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20),
    block_bytes=st.sampled_from([24, 64, 1 << 22]),
)
def test_csv_written_by_python_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block_bytes: int
) -> None:
    path = write_csv(tmp_path_factory.mktemp("csv") / "t.csv", ["text", "label"], rows)
    assert read(path, block_bytes) == rows


def test_all_columns_are_read_as_text_and_lists_as_json(tmp_path: Path) -> None:
    csv_file = tmp_path / "t.csv"
    csv_file.write_text("a;b\n1;x,y\n")
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"a": 1, "b": ["x", {"y": 2}]}\n')
    for path, row in ((csv_file, ["1", "x,y"]), (lines, ["1", '["x", {"y": 2}]'])):
        table = open_table(str(path), [])
        assert table.columns == ("a", "b")
        read = pa.Table.from_batches(table.iter_all_columns())
        assert [column.to_pylist() for column in read.columns] == [[cell] for cell in row]


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    suffix=st.sampled_from([".csv", ".jsonl", ".parquet", ".csv.gz"]),
)
def test_a_table_in_several_files_reads_as_the_whole_table(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    cuts: list[int],
    suffix: str,
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [rows[start:end] for start, end in itertools.pairwise(bounds)]
    for number, piece in enumerate(pieces):
        write_table(folder / f"part-{number}{suffix}", piece)
    write_table(folder / f"whole{suffix}", rows)
    table = open_table(str(folder / "part-*"), ["text", "label"])
    whole = open_table(str(folder / f"whole{suffix}"), ["text", "label"])
    assert table.columns == whole.columns
    assert table.read(["label", "text"]).to_pylist() == whole.read(["label", "text"]).to_pylist()
    # Rows that are written again, from where they are said to be, are the same.
    located = [f"{folder}/part-{n}{suffix}" for n, piece in enumerate(pieces) for _ in piece]
    places = table.locate(range(len(rows)))
    assert [place.rpartition(":")[0] for place in places] == located
    lines = [
        line
        for number in range(len(pieces))
        for part in [open_table(f"{folder}/part-{number}{suffix}", ["text"])]
        for line in part.line_numbers(range(len(pieces[number])))
    ]
    assert table.line_numbers(range(len(rows))) == lines
    assert table.line_numbers([len(rows) - 1]) == lines[-1:]


def write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    """Write a table in the format of its extension."""
    if path.suffix == ".parquet":
        texts, labels = [list(column) for column in zip(*rows, strict=True)]
        parquet.write_table(pa.table({"text": texts, "label": labels}), path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        path.write_text("".join(lines), encoding="utf-8")
    else:
        write_csv(path, ["text", "label"], rows)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(path.read_bytes(), 1))


def test_files_of_different_formats_and_columns_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text;id;label\na;1;x\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"label": "y", "text": "b", "note": 2}\n', encoding="utf-8")
    folder = tmp_path / "label=z"
    folder.mkdir()
    parquet.write_table(pa.table({"text": ["c"], "id": [3]}), folder / "c.parquet")
    table = open_table(str(tmp_path), ["text", "label"])
    assert table.columns == ("text", "id", "label", "note")
    assert table.description == "3 files, semicolon, utf-8 (detected); JSON Lines, utf-8; Parquet"
    assert table.read(table.columns).to_pylist() == [
        {"text": "a", "id": "1", "label": "x", "note": ""},
        {"text": "b", "id": "", "label": "y", "note": "2"},
        {"text": "c", "id": "3", "label": "z", "note": ""},
    ]
    assert [place.removeprefix(f"{tmp_path}/") for place in table.locate([0, 1, 2])] == [
        "a.csv:2",
        "b.jsonl:1",
        "label=z/c.parquet: row 1",
    ]
    rows = pa.Table.from_batches(table.iter_all_columns())
    assert rows.to_pylist() == table.read(table.columns).to_pylist()


def test_parquet_files_keep_their_types_if_these_agree(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": ["a"], "id": [1]}), tmp_path / "1.parquet")
    parquet.write_table(pa.table({"score": [0.5], "text": ["b"]}), tmp_path / "2.parquet")
    table = open_table(str(tmp_path), ["text"])
    batches = table.iter_scoring_batches(TextColumns(["text"]), target="parquet", reserved=())
    assert pa.Table.from_batches(batch.rows for batch in batches).to_pylist() == [
        {"text": "a", "id": 1, "score": None},
        {"text": "b", "id": None, "score": 0.5},
    ]
    parquet.write_table(pa.table({"text": ["c"], "id": ["three"]}), tmp_path / "3.parquet")
    table = open_table(str(tmp_path), ["text"])
    batches = table.iter_scoring_batches(TextColumns(["text"]), target="parquet", reserved=())
    assert pa.Table.from_batches(batch.rows for batch in batches)["id"].to_pylist() == [
        "1",
        "",
        "three",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"title,label\nb,1\n", "b.csv:1: no column 'text'"),
        (b"", "b.csv: the file is empty"),
        (b"text,label\nb,1\nc\n", "b.csv:3: 1 cell, but the header has 2 columns"),
    ],
)
def test_a_fault_in_one_of_several_files_names_the_file(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\na,1\n")
    (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_table((f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"), ["text"]).read(["text", "label"])
    assert str(caught.value).startswith(f"{tmp_path}/{fault}")


def test_a_column_of_folder_names_can_be_the_only_one_that_is_read(tmp_path: Path) -> None:
    for label in ("x", "y"):
        (tmp_path / f"label={label}").mkdir()
        write_csv(tmp_path / f"label={label}" / "t.csv", ["text"], [("a",), ("b",)])
    table = open_table(str(tmp_path), ["label"])
    assert table.read(["label"])["label"].to_pylist() == ["x", "x", "y", "y"]
