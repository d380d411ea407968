"""How text tables are written: like the input, for Excel, compressed."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.inference.serialization import CsvLines, CsvStyle
from embedclf.system.arrow import text_column
from tests.conftest import reviews, write_csv
from tests.inference.conftest import read_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

CONTENT = "id;text;note\n1;great hotel, it was great;é\n"


@pytest.mark.parametrize(
    ("encoding", "option"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16-le", "utf-16-le"),
        ("utf-32", None),
    ],
)
def test_a_csv_keeps_the_delimiter_and_the_encoding_of_the_input(
    run: Run, tmp_path: Path, invoke: Invoke, encoding: str, option: str | None
) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(CONTENT.encode(encoding))
    named = ("--encoding", option) if option else ()
    invoke("predict", path, "--run", run.path, "-o", out, *named)
    header, row = out.read_bytes().decode(encoding).splitlines()
    assert header.startswith("id;text;note;prediction;probability;")
    assert row.startswith("1;great hotel, it was great;é;pos;")
    assert out.read_bytes().startswith(codecs.BOM_UTF8) == (encoding == "utf-8-sig")


@pytest.mark.parametrize("name", ["out.tsv", "out.jsonl", None])
def test_other_outputs_are_utf8_with_their_own_delimiter(
    run: Run, tmp_path: Path, invoke: Invoke, name: str | None
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(CONTENT.encode("utf-16"))
    output = ("-o", tmp_path / name) if name else ()
    done = invoke("predict", path, "--run", run.path, *output)
    text = (tmp_path / name).read_text(encoding="utf-8") if name else done.stdout
    assert {"out.tsv": "\té\tpos\t", "out.jsonl": '"é", "prediction"', None: ",é,pos,"}[
        name
    ] in text


def test_a_delimiter_that_numbers_contain_is_not_kept(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("id.text\n1.great\n", encoding="utf-8")
    invoke("predict", path, "--run", run.path, "-o", out, "--delimiter", ".")
    assert read_csv(out)[1][:3] == ["1", "great", "pos"]


def test_files_that_differ_are_written_as_ordinary_csv(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "a.csv").write_text("id;text\n1;great\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("id,text\n2,awful\n", encoding="utf-8")
    out = tmp_path / "out.csv"
    invoke("predict", tmp_path / "a.csv", tmp_path / "b.csv", "--run", run.path, "-o", out)
    assert [row[:2] for row in read_csv(out)] == [["id", "text"], ["1", "great"], ["2", "awful"]]


def test_labels_that_the_encoding_lacks_are_refused_before_a_row_is_written(
    workplace: Path, invoke: Invoke
) -> None:
    rows = [(text, {"pos": "хорошо", "neg": "плохо"}[label]) for text, label in reviews(60)]
    write_csv(workplace / "cyrillic.csv", ["text", "label"], rows)
    overrides = ("-s", "data.train=cyrillic.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *overrides)
    (workplace / "in.csv").write_bytes("text\ncafé\n".encode("cp1252"))
    out = workplace / "out.csv"
    out.write_text("before")
    args = ("predict", "in.csv", "--encoding", "cp1252", "-o", out)
    stderr = invoke(*args, status=1).stderr.splitlines()[-1]
    assert stderr == (
        f"embedclf: {out}: label 'плохо': cp1252 has no 'п'; write UTF-8 with --excel, or another "
        "format, such as -o FILE.jsonl"
    )
    assert out.read_text() == "before"
    invoke(*args, "--excel")
    assert out.read_text(encoding="utf-8-sig").startswith('"text","prediction"')


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_excel_opens_what_is_written_for_it(
    run: Run, tmp_path: Path, invoke: Invoke, delimiter: str
) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(f"text{delimiter}note\ngreat{delimiter}=1+1\n", encoding="utf-8")
    invoke("predict", path, "--run", run.path, "-o", out, "--excel")
    kept = ";" if delimiter == ";" else ","
    content = out.read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    assert content.count(b"\r\n") == content.count(b"\n") == 2
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=kept))
    assert rows[1][:3] == ["great", "'=1+1", "pos"]
    printed = invoke("predict", path, "--run", run.path, "--excel").stdout_bytes
    assert printed == content
    tabs = tmp_path / "out.tsv"
    invoke("predict", path, "--run", run.path, "-o", tabs, "--excel")
    assert b'"great"\t' in tabs.read_bytes()
    again = tmp_path / "again.csv"
    invoke("predict", out, "--run", run.path, "-o", again, "--prefix", "new_")
    assert len(again.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_only_csv_is_written_for_excel(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, name: str
) -> None:
    args = ("predict", table, "--run", run.path, "-o", tmp_path / name, "--excel")
    assert "--excel applies only to CSV" in invoke(*args, status=2).stderr
    assert not (tmp_path / name).exists()


def _unpack_zstd(content: bytes) -> bytes:
    unpacked: bytes = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    return unpacked


@pytest.mark.parametrize(
    ("suffix", "unpack"),
    [
        ("gz", gzip.decompress),
        ("bz2", bz2.decompress),
        ("xz", lzma.decompress),
        ("zst", _unpack_zstd),
    ],
)
def test_compressed_tables_hold_the_same_bytes(
    run: Run,
    table: Path,
    tmp_path: Path,
    invoke: Invoke,
    suffix: str,
    unpack: Callable[[bytes], bytes],
) -> None:
    plain, packed = tmp_path / "out.csv", tmp_path / f"out.csv.{suffix}"
    for out in (plain, packed):
        invoke("predict", table, "--run", run.path, "-o", out)
    assert unpack(packed.read_bytes()) == plain.read_bytes()


STYLES = st.builds(
    CsvStyle,
    st.sampled_from(",;\t|^]\\-#:"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "utf-7"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(STYLES, st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_any_cell_is_read_back_from_any_style(style: CsvStyle, rows: list[list[str]]) -> None:
    lines = CsvLines(style, ["a", "b"], list_separator="|")
    batches = (
        pa.RecordBatch.from_arrays([text_column([cell]) for cell in row], ["a", "b"])
        for row in rows
    )
    content = b"".join([lines.header, *(bytes(lines.render(batch, None)) for batch in batches)])
    text = content.decode(style.encoding).removeprefix("\ufeff")
    read = csv.reader(io.StringIO(text, newline=""), delimiter=style.delimiter, strict=True)
    assert list(read) == [["a", "b"], *rows]


def test_a_missing_cell_is_empty_and_loses_no_row() -> None:
    lines = CsvLines(CsvStyle(), ["a", "b"], list_separator="|")
    cells = [text_column(["x", "y"]), pa.nulls(2, pa.string())]
    batch = pa.RecordBatch.from_arrays(cells, ["a", "b"])
    assert bytes(lines.render(batch, None)) == b"x,\ny,\n"
