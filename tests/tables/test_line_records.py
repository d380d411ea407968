from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.text_files import TextFile
from embedclf.tables.line_records import open_fasttext, open_lines
from embedclf.tables.read_options import DETECT, ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

LINES = """\
__label__pos  a  good film\t
__label__a __label__b two labels
no label

labels __label__a in the middle
at the end __label__c
not__label__a label
__label__ nothing
__label__é-1\tafter a tab
__label__a __label__a twice
"""

ROWS = [
    ("pos", "a  good film"),
    ('["a", "b"]', "two labels"),
    ("", "no label"),
    ("", ""),
    ("a", "labels in the middle"),
    ("c", "at the end"),
    ("", "not__label__a label"),
    ("", "nothing"),
    ("é-1", "after a tab"),
    ("a", "twice"),
]


def read(path: Path, content: str | bytes, required: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    table = open_table(str(path), required, ReadOptions(format="fasttext"))
    return [tuple(row.values()) for row in table.read(["label", "text"]).to_pylist()]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_and_texts_of_fasttext_are_read(tmp_path: Path, end: str) -> None:
    content = LINES.replace("\n", end)
    assert read(tmp_path / "t.txt", content) == ROWS
    assert read(tmp_path / "t.txt", content.rstrip()) == ROWS
    assert read(tmp_path / "t.gz", gzip.compress(content.encode("utf-8-sig"))) == ROWS


def test_rows_are_located_by_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(LINES, encoding="utf-8")
    table = open_table(str(path), ["text"], ReadOptions(format="fasttext"), name="t.txt")
    assert table.locate([0, 3, 9]) == ["t.txt:1", "t.txt:4", "t.txt:10"]


LABELS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1))


@settings(max_examples=40)  # each writes a file
@given(rows=st.lists(st.tuples(LABELS, st.from_regex(r"[a-z]+( [a-z]+)*", fullmatch=True))))
def test_what_is_written_for_fasttext_is_read_in_blocks_of_any_size(
    rows: list[tuple[list[str], str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fasttext") / "t.txt"
    lines = [" ".join([*(f"__label__{label}" for label in labels), text]) for labels, text in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    reader = open_fasttext(TextFile(str(path), "t.txt"), (), DETECT)
    cells = []
    for batch, _ in type(reader)(reader.file, reader.columns, reader.notes, 7).iter_batches(
        ["label", "text"]
    ):
        cells += batch.to_pylist()
    for (labels, text), cell in zip(rows, cells, strict=True):
        distinct = [*dict.fromkeys(labels)]
        expected = (
            json.dumps(distinct, ensure_ascii=False) if len(distinct) > 1 else "".join(labels[:1])
        )
        assert cell == {"label": expected, "text": text}


def test_columns_bear_the_names_that_are_required(tmp_path: Path) -> None:
    file = TextFile(str(tmp_path / "t.txt"), "t.txt")
    assert open_fasttext(file, ["text"], DETECT).columns == ("label", "text")
    assert open_fasttext(file, ["body"], DETECT).columns == ("label", "body")
    assert open_fasttext(file, ["body", "class"], DETECT).columns == ("class", "body")
    assert open_fasttext(file, [], ReadOptions(columns=("y", "x"))).columns == ("y", "x")
    assert open_lines(file, ["body"], DETECT).columns == ("body",)
    with pytest.raises(DataError, match="3 names"):
        open_fasttext(file, [], ReadOptions(columns=("a", "b", "c")))
    with pytest.raises(DataError, match="2 names"):
        open_lines(file, [], ReadOptions(columns=("a", "b")))


def test_bytes_that_cannot_be_decoded_are_located(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"__label__a x\n__label__b \xff\xfe\n")
    with pytest.raises(DataError, match=r"t.txt:2: byte 0xff"):
        open_table(str(path), ["text"], name="t.txt").read(["text"])


def test_lines_keep_blank_lines_and_odd_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("a\r\n\nb\u2028c\rd\ne".encode())
    table = open_table(str(path), ["text"], ReadOptions(format="lines"))
    assert table.read(["text"]).to_pydict() == {"text": ["a", "", "b\u2028c\rd", "e"]}


def test_init_proposes_a_config_for_a_file_in_the_format_of_fasttext(
    tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("__label__pos a good film\n__label__neg a dull film\n" * 20, encoding="utf-8")
    config = invoke("init", path, "-o", "-").stdout
    assert "# 40 rows, fastText, utf-8" in config
    assert "text: text\n" in config
    assert "label: label\n" in config


def test_lines_without_labels_cannot_be_trained_on(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("A nice day.\nIt rained, but later.\nNothing to see.\n", encoding="utf-8")
    error = invoke("init", path, "-o", "-", status=1).stderr
    assert "notes.txt: no column is left for the label; training needs a table" in error
