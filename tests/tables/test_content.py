from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from embedclf.errors import DataError
from embedclf.tables.content import recognize_format
from embedclf.tables.files import TableFile
from embedclf.tables.read_options import DETECT, ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.system.formats import FileFormat, InputFormat
    from tests.conftest import Invoke

ROWS = [("a good film", "pos"), ("a dull film", "neg"), ("so, so good", "pos")]

JSON_LINES = '{"text": "a good film", "label": "pos"}\n{"text": "a dull film", "label": "neg"}\n'


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def delimited(delimiter: str) -> str:
    quoted = [(f'"{text}"', label) for text, label in ROWS]
    return "".join(f"{delimiter.join(row)}\n" for row in [("text", "label"), *quoted])


def zipped(*members: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for member in members:
            archive.writestr(member, "a")
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return content.getvalue()


def recognize(path: Path, named: InputFormat | None = None) -> FileFormat:
    file = TableFile(str(path), path.name)
    return recognize_format(file, ReadOptions(format=named) if named else DETECT)


@pytest.mark.parametrize("name", ["t.txt", "t.psv", "t.dat", "t", "t.data", "t.tab"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_of_any_extension_is_read_with_its_delimiter(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    table = open_table(str(write(tmp_path / name, delimited(delimiter))), ["text", "label"])
    assert [
        (row["text"], row["label"]) for row in table.read(["text", "label"]).to_pylist()
    ] == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_is_recognized_whatever_ends_its_lines(tmp_path: Path, end: str) -> None:
    content = delimited("\t").strip().replace("\n", end)
    assert recognize(write(tmp_path / "t", content)) == "delimited"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_a_byte_order_mark_does_not_hide_a_table(tmp_path: Path, encoding: str) -> None:
    assert recognize(write(tmp_path / "t.txt", delimited("\t").encode(encoding))) == "delimited"
    assert recognize(write(tmp_path / "j.txt", JSON_LINES.encode(encoding))) == "json"


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t", "t.parquet", "t.json"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (JSON_LINES, "json"),
        ("[\n  " + JSON_LINES.replace("\n", ",\n")[:-2] + "]", "json"),
        ('{\n  "text": "a",\n  "label": "b"\n}\n', "json"),
        ("__label__pos a good film\n__label__neg a dull film\n", "fasttext"),
        (gzip.compress(JSON_LINES.encode(), mtime=0), "json"),
    ],
)
def test_content_that_is_certain_wins_over_the_extension(
    tmp_path: Path, name: str, content: str | bytes, expected: str
) -> None:
    assert recognize(write(tmp_path / name, content)) == expected


def test_parquet_is_recognized_under_any_name(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": ["a"], "label": ["b"]}), tmp_path / "t.csv")
    assert recognize(tmp_path / "t.csv") == "parquet"


@pytest.mark.parametrize("name", ["t.xls", "t.json", "t.parquet"])
def test_a_text_table_of_another_extension_is_read(tmp_path: Path, name: str) -> None:
    assert recognize(write(tmp_path / name, delimited("\t"))) == "delimited"


@pytest.mark.parametrize(
    ("name", "expected"), [("t.jsonl", "json"), ("t.parquet", "parquet"), ("t.xlsx", "excel")]
)
def test_what_is_neither_is_left_to_the_reader_of_the_extension(
    tmp_path: Path, name: str, expected: str
) -> None:
    assert recognize(write(tmp_path / name, "a word\n")) == expected
    assert recognize(write(tmp_path / name, b"\x00\x01\x02")) == expected


def test_fasttext_lines_can_end_with_their_labels(tmp_path: Path) -> None:
    assert recognize(write(tmp_path / "t.txt", "a good film __label__pos\n" * 5)) == "fasttext"


@pytest.mark.parametrize(
    "text",
    [
        "It was nice, and warm.\nNothing happened.\nWe went home, ate, and slept; it rained.\n",
        "one line only\n",
        "one line, with a comma\n",
        "a\tb\n",
        "A poem\n\nwith stanzas\n",
    ],
)
def test_prose_is_lines(tmp_path: Path, text: str) -> None:
    assert recognize(write(tmp_path / "t.txt", text)) == "lines"


def test_required_columns_in_the_first_line_make_a_table(tmp_path: Path) -> None:
    file = TableFile(str(write(tmp_path / "t.txt", "id,text\n1,a\n2\n\n")), "t.txt")
    assert recognize_format(file, DETECT, ["text"]) == "delimited"
    assert recognize_format(file, DETECT, ["body"]) == "lines"


def test_the_option_wins_over_the_content(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "__label__pos a\n<html>\n")
    assert recognize(path, "lines") == "lines"
    assert recognize(path, "tsv") == "delimited"
    assert recognize(path, "jsonl") == "json"
    page = write(tmp_path / "page.txt", "<html>\n")
    assert recognize(page, "lines") == "lines"


FOREIGN: dict[str, tuple[str | bytes, str]] = {
    "lfs.csv": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "a Git LFS pointer, not the file itself; download the file: git lfs pull",
    ),
    "lfs.parquet": ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "page.csv": ("\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "login page"),
    "page.parquet": ("<HTML><body></body></HTML>", "login page"),
    "xhtml.csv": ('<?xml version="1.0"?>\n<!-- x -->\n<!doctype html>', "login page"),
    "page.xls": ("<html><table><tr><td>text</td></tr></table>", "an HTML page with a table"),
    "denied.csv": ('<?xml version="1.0"?>\n<Error><Code>1</Code></Error>', "of a store"),
    "xml.txt": ('<?xml version="1.0"?><rows/>', "an XML document"),
    "a.arff": ("% by me\n\n@RELATION r\n@attribute text string\n", "an ARFF file of Weka"),
    "b.csv": ("@relation r\n", "pip install liac-arff"),
    "db.csv": (b"SQLite format 3\x00\x10", "sqlite3 -header -csv 'db.csv'"),
    "pickle": (b"\x80\x04\x95\x00", "read_pickle('pickle').to_parquet('pickle.parquet')"),
    "t.h5": (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
    "t.npy": (b"\x93NUMPY\x01\0", "a NumPy array"),
    "t.pdf": (b"%PDF-1.7\n", "a PDF document"),
    "t.rtf": (r"{\rtf1 a}", "a rich text document"),
    "t.png": (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
    "t.tar": (tarred(), "a tar archive"),
    "t.csv.gz": (gzip.compress(tarred(), mtime=0), "a tar archive"),
    "t.bin": (b"MZ\x90\0\x03\0", "a binary file of an unknown format"),
    "t.docx": (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
    "t.odt": (zipped("mimetype", "content.xml"), "an OpenDocument text"),
    "two.zip": (zipped("train.csv", "test.csv"), "2 files (train.csv, test.csv)"),
    "stream.arrow": (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow stream"),
    "inside.gz": (
        gzip.compress(b"PAR1abc", mtime=0),
        "inside a compressed file; unpack it: gunzip",
    ),
    "book.gz": (gzip.compress(zipped("a"), mtime=0), "inside a compressed file; unpack it: gunzip"),
    "short.gz": (gzip.compress(b"text,label\n" * 99)[:30], "damaged or incomplete gzip file"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_without_a_table_is_named_as_what_it_is(tmp_path: Path, name: str) -> None:
    content, message = FOREIGN[name]
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as caught:
        open_table(str(path), [], name=name)
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", ["<!-- a --> " * 40 + "<svg>", "% % % % % %\n" * 40 + "x"])
def test_many_comments_are_examined_quickly(tmp_path: Path, start: str) -> None:
    assert recognize(write(tmp_path / "t.csv", start)) == "delimited"


def test_a_feather_file_is_named_with_the_command_that_converts_it(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"text": ["a"]}), str(tmp_path / "t.csv"))
    with pytest.raises(DataError, match=r"Feather.*read_feather\('t.csv'\)"):
        recognize(tmp_path / "t.csv")


def test_commands_name_the_fault_in_one_line(tmp_path: Path, invoke: Invoke) -> None:
    path = write(tmp_path / "lfs.csv", FOREIGN["lfs.csv"][0])
    for command in ("init", "check"):
        error = invoke(command, path, status=1).stderr
        assert "git lfs pull" in error
        assert len(error.splitlines()) <= 2  # the second is the warning of the import thread
