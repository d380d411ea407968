"""Nasty tables through `predict`: every row comes out as it went in, or the table is refused."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

BIG = "word " * 2_100_000
LONG = b"words " * 20
"""20,000 rows of it are more than is read at a time."""

KEPT: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "quotes.csv": (b'id,text\n1,"say ""hi"""\n2,""""\n', [("1", 'say "hi"'), ("2", '"')]),
    "inches.csv": (b'id,text\n1,5" disk\n2,a"b"c\n', [("1", '5" disk'), ("2", 'a"b"c')]),
    "newlines.csv": (b'id,text\n1,"a\n\r\nb"\n2,c\n', [("1", "a\n\r\nb"), ("2", "c")]),
    "lone-returns.csv": (b'id,text\n1,"a\rb"\n"\r",c\n', [("1", "a\rb"), ("\r", "c")]),
    "bom.csv": (b"\xef\xbb\xbfid,text\n1,a\n", [("1", "a")]),
    "bom-quoted.csv": (b'\xef\xbb\xbf"id","text"\n1,a\n', [("1", "a")]),
    "utf16.csv": ("id,text\n1,\u00e9\n".encode("utf-16"), [("1", "\u00e9")]),
    "utf16-be.csv": (b"\xfe\xff" + "id,text\n1,a\n".encode("utf-16-be"), [("1", "a")]),
    "utf32.csv": ("id,text\n1,\U0001f600\n".encode("utf-32"), [("1", "\U0001f600")]),
    "crlf.csv": (b"id,text\r\n1,a\r\n2,b\r\n", [("1", "a"), ("2", "b")]),
    "cr-only.csv": (b"id,text\r1,a\r2,b\r", [("1", "a"), ("2", "b")]),
    "cr-only-open.csv": (b"id,text\r1,a\r2,b", [("1", "a"), ("2", "b")]),
    "mixed-ends.csv": (b"id,text\n1,a\r2,b\r\n3,c\n", [("1", "a"), ("2", "b"), ("3", "c")]),
    "no-last-newline.csv": (b"id,text\n1,a", [("1", "a")]),
    "header-only.csv": (b"id,text\n", []),
    "header-open.csv": (b"id,text", []),
    "blank-lines.csv": (b"\n\nid,text\n\n1,a\n\n\n2,b\n\n", [("1", "a"), ("2", "b")]),
    "blank-cells.csv": (b'id,text\n,\n"",""\n ,\t\n', [("", ""), ("", ""), (" ", "\t")]),
    "nul.csv": (b"id,text\n\x00,a\x00b\n", [("\x00", "a\x00b")]),
    "controls.csv": (b"id,text\n1,\x01\x1a\x7f\x1b[31m\n", [("1", "\x01\x1a\x7f\x1b[31m")]),
    "separators.csv": (
        "id,text\n1,a\u2028b\u2029c\x85d\x0be\x0cf\n".encode(),
        [("1", "a\u2028b\u2029c\x85d\x0be\x0cf")],
    ),
    "emoji.csv": (
        "id,text\n1,\U0001f468\u200d\U0001f469\u200d\U0001f467 ok\n".encode(),
        [("1", "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok")],
    ),
    "right-to-left.csv": (
        "id,text\n1,\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c\n".encode(),
        [("1", "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c")],
    ),
    "combining.csv": (
        "id,text\n1,e\u0301\n2,\u00e9\n3,\u0301\n".encode(),
        [("1", "e\u0301"), ("2", "\u00e9"), ("3", "\u0301")],
    ),
    "noncharacters.csv": (
        "id,text\n1,\ufffe\uffff\U0010ffff\n".encode(),
        [("1", "\ufffe\uffff\U0010ffff")],
    ),
    "null-like.csv": (
        b"id,text\nNA,null\nnan,None\n01,1e5\nTRUE,-0\n",
        [("NA", "null"), ("nan", "None"), ("01", "1e5"), ("TRUE", "-0")],
    ),
    "spaces.csv": (b"id,text\n 1 , a \n", [(" 1 ", " a ")]),
    "backslashes.csv": (b'id,text\n1,"a\\"\n2,\\n\n', [("1", "a\\"), ("2", "\\n")]),
    "formulas.csv": (b"id,text\n=1+1,@x\n", [("=1+1", "@x")]),
    "semicolons.csv": (b"id;text\n1;a,b\n", [("1", "a,b")]),
    "bars.csv": (b"id|text\n1|a,b;c\n", [("1", "a,b;c")]),
    "tabs.tsv": (b"id\ttext\n1\ta,b\n", [("1", "a,b")]),
    "separator-line.csv": (b"sep=;\r\nid;text\r\n1;a,b\r\n", [("1", "a,b")]),
    "title.csv": (b"All answers,\n,\nid,text\n1,a\n2,b\n", [("1", "a"), ("2", "b")]),
    "comment.csv": (b"# by a tool, today\nid,text\n1,a\n", [("1", "a")]),
    "row-count.csv": (b"id,text\n1,a\n2,b\n\n(2 rows affected)\n", [("1", "a"), ("2", "b")]),
    "dos-end.csv": (b"id,text\r\n1,a\r\n\x1a", [("1", "a")]),
    "trailing.csv": (b"id,text\n1,a,\n2,b,\n", [("1", "a"), ("2", "b")]),
    "returns.csv": (b"id,text\n1,a\rb\n2,c\rd\n", [("1", "a\rb"), ("2", "c\rd")]),
    "stray-quotes.tsv": (
        b'id\ttext\n1\t"a\n2\tb"c\n3\t"d"e\n4\t"\n5\tf\n6\t""g"\n',
        [("1", '"a'), ("2", 'b"c'), ("3", '"d"e'), ("4", '"'), ("5", "f"), ("6", '""g"')],
    ),
    "escaped.csv": (
        b'id,text\n1,"a \\"b\\", c"\n2,"\\\\d\\n"\n',
        [("1", 'a "b", c'), ("2", "\\d\\n")],
    ),
    "blanks.csv": (b'id, text\n1, "a, b"\n2, "c, d"\n', [("1", "a, b"), ("2", "c, d")]),
    "packed.csv.gz": (gzip.compress(b"id,text\n1,a\n"), [("1", "a")]),
    "packed.csv": (gzip.compress(b"id,text\n1,a\n"), [("1", "a")]),
    "not-packed.csv.gz": (b"id,text\n1,a\n", [("1", "a")]),
    "members.csv.gz": (
        gzip.compress(b"id,text\n1,a\n") + gzip.compress(b"2,b\n"),
        [("1", "a"), ("2", "b")],
    ),
    "big-cell.csv": (f'id,text\n1,"{BIG}"\n2,b\n'.encode(), [("1", BIG), ("2", "b")]),
    "many-quotes.csv": (
        b'id,text\n1,"' + b'""' * 100_000 + b'"\n2,b\n',
        [("1", '"' * 100_000), ("2", "b")],
    ),
    "late-inches.csv": (
        b"id,text\n" + b"1,%b\n" % LONG * 20_000 + b'2,5" disk\n' + b"3,%b\n" % LONG * 20_000,
        [("1", LONG.decode())] * 20_000 + [("2", '5" disk')] + [("3", LONG.decode())] * 20_000,
    ),
    "wide.csv": (
        b"id,text," + b",".join(b"c%d" % n for n in range(2000)) + b"\n1,a" + b",x" * 2000 + b"\n",
        [("1", "a")],
    ),
    "lines.jsonl": (
        b'{"id": "1", "text": "a\\u2028\\u0000\\ud83d\\ude00"}\n\n{"text": null, "id": "2"}\n',
        [("1", "a\u2028\x00\U0001f600"), ("2", "")],
    ),
    "constants.jsonl": (
        b'{"id": "1", "text": "a", "n": NaN, "m": -Infinity}\n{"id": "2"}\n',
        [("1", "a"), ("2", "")],
    ),
    "utf16.jsonl": ('{"id": "1", "text": "\u00e9"}\n'.encode("utf-16"), [("1", "\u00e9")]),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "the file is empty; it needs a header and rows"),
    "blank.csv": (b"\n \n", "the file is empty; it needs a header and rows"),
    "only-bom.csv": (b"\xef\xbb\xbf", "the file is empty; it needs a header and rows"),
    "latin-1.csv": (b"id,text\n1,a\n2,caf\xe9\n", ":3: byte 0xe9 is not utf-8"),
    "overlong.csv": (b"id,text\n1,\xc0\xaf\n", ":2: byte 0xc0 is not utf-8"),
    "half-character.csv": (b"id,text\n1,\xf0\x9f\x98", ":2: byte 0xf0 is not utf-8"),
    "unclosed.csv": (b'id,text\n1,"a\n2,b\n', ":2: a quote opens here and is never closed"),
    "after-quote.csv": (b'id,text\n1,"a"b\n', ":2: text follows a closing quote"),
    "ragged.csv": (b"id,text\n1,a\n2,b,c\n", ":3: 3 cells, but the header has 2 columns"),
    "ragged-inches.csv": (b'id,text\n1,5" a\n2,b,c\n', ":3: 3 cells, but the header has 2 columns"),
    "twice.csv": (b"text,text\n1,a\n", ":1: two columns are named 'text'"),
    "no-text.csv": (b"id,body\n1,a\n", ":1: no column 'text', which the run reads as text"),
    "prediction.csv": (b"prediction,text\n1,a\n", ":1: column 'prediction' already exists"),
    "truncated.csv": (b"text,truncated\na,1\n", ":1: column 'truncated' already exists"),
    "cut.csv.gz": (gzip.compress(b"id,text\n" + b"1,a\n" * 9999)[:-20], "damaged or incomplete"),
    "returns-and-more.csv": (
        b"id,text\n1,a\rb\n2,c,d\n",
        ":3: 1 cell, but the header has 2 columns; a carriage return (\\r) splits this row",
    ),
    "no-mark.csv": (
        "id,text\n1,a\n".encode("utf-16-le") * 9,
        "this looks like utf-16-le without a byte-order mark",
    ),
    "workbook.csv": (
        b"PK\x03\x04\x14\x00\n\xee\x90",
        "damaged or incomplete zip file",
    ),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\x00\x00", "this is an image (PNG)"),
    "half-surrogate.jsonl": (b'{"text": "\\ud800"}\n', ":1: an escape is half of a surrogate pair"),
    "deep.jsonl": (b'{"text": ' + b"[" * 100_000 + b"\n", ":1: not JSON"),
    "twice.jsonl": (b'{"text": "a", "text": "b"}\n', ":1: not JSON: key 'text' occurs twice"),
    "bare.jsonl": (b'"great"\n', ":1: not a JSON object"),
    "list.jsonl": (b'{"text": ["a"]}\n', ":1: 'text' is a list"),
    "not.parquet": (b"PAR1 no PAR1", "not a Parquet file"),
}


@pytest.mark.parametrize("name", KEPT)
def test_every_row_comes_out_as_it_went_in(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, name: str
) -> None:
    content, rows = KEPT[name]
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out.csv"
    invoke("predict", tmp_path / name, "--run", runs["binary"].path, "-o", out)
    written = open_table(str(out), ["text", "prediction"])
    back = written.read(["id", "text", "prediction"])
    assert list(zip(*(back[name].to_pylist() for name in ("id", "text")), strict=True)) == rows
    assert set(back["prediction"].to_pylist()) <= {"pos", "neg"}
    limit = csv.field_size_limit(1 << 24)
    reader = written.parts[0].reader
    assert isinstance(reader, DelimitedReader)
    encoding = reader.file.encoding.replace("utf-8", "utf-8-sig")
    with out.open(encoding=encoding, newline="") as file:  # and as Python reads it
        records = csv.DictReader(file, delimiter=reader.dialect.delimiter)
        read = [(record["id"], record["text"]) for record in records]
    csv.field_size_limit(limit)
    assert read == rows
    out = tmp_path / "out.jsonl"
    invoke("predict", tmp_path / name, "--run", runs["binary"].path, "-o", out)
    with out.open(encoding="utf-8", newline="\n") as lines:
        texts = [json.loads(line) for line in lines]
    assert [(record["id"], record.get("text") or "") for record in texts] == rows


@pytest.mark.parametrize("name", REFUSED)
def test_an_unreadable_table_is_refused_in_one_line(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, name: str
) -> None:
    content, fault = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out.csv"
    args = ("predict", tmp_path / name, "--run", runs["binary"].path, "-o", out, "-q")
    stderr = invoke(*args, status=1).stderr
    assert stderr.startswith(f"embedclf: {tmp_path / name}")
    assert fault in stderr
    assert stderr.count("\n") == 1
    assert not out.exists()


STRAY = {4: '"a text of row {}', 9: 'a text of row {}"'}
"""A quote opens the text of row 4, on line 6, and another ends that of row 9."""


def test_a_cell_that_swallowed_rows_is_reported_even_with_q(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = tmp_path / "t.csv"
    texts = [STRAY.get(row, "a text of row {}").format(row) for row in range(30)]
    rows = (f"{text},{'pos' if row % 2 else 'neg'}\n" for row, text in enumerate(texts))
    table.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    note = f"{table}:6-11: 1 quoted cell with lines that look like rows"
    args = ("predict", table, "--run", runs["binary"].path, "-o", tmp_path / "out.csv", "-q")
    assert note in invoke(*args).stderr.replace("\n", " ")
    config = tmp_path / "c.yaml"
    config.write_text("data: {train: t.csv}\ntraining: {epochs: 1, refit: false}\n")
    assert note in invoke("train", config, "-o", tmp_path / "run", "-q").stderr.replace("\n", " ")


def test_rows_that_predict_skips_are_counted(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "out.csv"
    table.write_text("id,text\n1,a\n2,b,c\n3,d\n", encoding="utf-8")
    args = ("predict", table, "--run", runs["binary"].path, "-o", out, "-q")
    assert "set data.on_bad_row: skip" in invoke(*args, status=1).stderr
    stderr = invoke(*args, "-s", "data.on_bad_row=skip").stderr
    assert f"{table}:3: 1 row ignored (data.on_bad_row: skip)" in stderr.replace("\n", " ")
    assert open_table(str(out), []).read(["id"])["id"].to_pylist() == ["1", "3"]
