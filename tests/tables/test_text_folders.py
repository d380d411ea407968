from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedclf.errors import DataError
from embedclf.tables.folders import choose_texts
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def write_folder(folder: Path, **texts: str | bytes) -> Path:
    """Write texts to files whose names have `__` for a slash."""
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def test_folders_are_labels(tmp_path: Path) -> None:
    write_folder(tmp_path, pos__1="good", pos__deep__2="fine", neg__10="bad", neg__2="dull")
    write_folder(tmp_path, unsup__3="unknown", urls_pos="http://a.example")
    table = open_table(str(tmp_path), ["text", "label"])
    assert table.columns == ("text", "label", "file")
    assert [tuple(row.values()) for row in table.read(table.columns).to_pylist()] == [
        ("bad", "neg", "neg/10.txt"),
        ("dull", "neg", "neg/2.txt"),
        ("good", "pos", "pos/1.txt"),
        ("fine", "pos", "pos/deep/2.txt"),
        ("unknown", "", "unsup/3.txt"),
    ]
    assert table.description == "a text per file, 5 files in neg, pos"
    assert table.locate([0, 3]) == [f"{tmp_path}/neg/10.txt", f"{tmp_path}/pos/deep/2.txt"]


@pytest.mark.parametrize("folder", ["unsup", "Unlabeled", "unlabelled", "unsupervised"])
def test_folders_that_are_no_labels_hold_rows_without_one(tmp_path: Path, folder: str) -> None:
    write_folder(tmp_path, unsupported__a="claim", **{f"{folder}__b": "text"})
    labels = open_table(str(tmp_path), ["text", "label"]).read(["label"]).column(0).to_pylist()
    assert sorted(labels) == ["", "unsupported"]


def test_texts_without_folders_have_no_label(tmp_path: Path) -> None:
    table = open_table(str(write_folder(tmp_path, b="second", a="first")), ["body"])
    assert table.columns == ("body", "file")
    assert table.read(["body", "file"]).to_pydict() == {
        "body": ["first", "second"],
        "file": ["a.txt", "b.txt"],
    }
    with pytest.raises(DataError, match="no column 'label'"):
        open_table(str(tmp_path), ["text", "label"])


def test_each_file_can_have_its_own_encoding(tmp_path: Path) -> None:
    write_folder(tmp_path, a__1="é", a__2="é\r\n".encode("utf-8-sig"), b__3="é\n".encode("utf-16"))
    assert open_table(str(tmp_path), ["text"]).read(["text"]).to_pydict() == {"text": ["é"] * 3}


def test_cp1252_is_assumed_with_a_note_where_it_is_certain(tmp_path: Path) -> None:
    text = "Ça va très bien, l'été est passé à côté de l'école.\n".encode("cp1252")
    texts = {f"fr__{number}": text for number in range(9)}
    table = open_table(str(write_folder(tmp_path, en__1="fine", **texts)), ["text"], name="t")
    assert table.read(["text"]).column(0)[5].as_py().startswith("Ça va très bien")
    assert any("cp1252" in note for note in table.notes())


def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, a__1="odd", a__2=b"\xff\xfa")
    with pytest.raises(
        DataError, match=r"a/2.txt: not UTF-8; save it as UTF-8, or name the .*: --encoding"
    ):
        open_table(str(tmp_path), ["text"]).read(["text"])
    with pytest.raises(DataError, match=r"a/1.txt: not utf-16"):
        open_table(str(tmp_path), ["text"], ReadOptions(encoding="utf-16")).read(["text"])
    with pytest.raises(DataError, match="unknown encoding 'x'"):
        open_table(str(tmp_path), ["text"], ReadOptions(encoding="x"))


def test_half_a_character_at_the_end_of_a_file_is_not_ignored(tmp_path: Path) -> None:
    write_folder(tmp_path, a__1="fine", a__2="café".encode("cp1252"))
    with pytest.raises(DataError, match=r"2.txt: not UTF-8; .* --encoding cp1252"):
        open_table(str(tmp_path), ["text"]).read(["text"])


def test_a_file_that_cannot_be_decoded_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path, a__1="fine", a__2=b"\xff\xfa")
    broken = [*open_table(str(tmp_path), ["text"]).find_broken_rows(["text"])]
    assert [location for location, _ in broken] == [f"{tmp_path}/a/2.txt"]


@pytest.mark.parametrize("splits", [("train", "test"), ("train",)])
def test_folders_of_splits_are_no_labels(tmp_path: Path, splits: tuple[str, ...]) -> None:
    for split in splits:
        write_folder(tmp_path / split, pos__1="good", neg__1="bad")
    with pytest.raises(DataError, match=f"name one of them, such as {tmp_path}/train"):
        open_table(str(tmp_path), ["text"])


def test_files_without_an_extension_are_texts_only_in_folders() -> None:
    assert choose_texts(["README", "sci.med/59", "alt.atheism/4", "a.py"]) == [
        "alt.atheism/4",
        "sci.med/59",
    ]
    assert choose_texts(["README", "a.py"]) == []


def test_a_uri_of_a_folder_reads_the_same_rows(tmp_path: Path) -> None:
    write_folder(tmp_path, pos__a="good", neg__b="bad")
    rows = open_table(str(tmp_path), ["text", "label"]).read(["text", "label", "file"])
    assert open_table(tmp_path.as_uri(), ["text", "label"]).read(["text", "label", "file"]) == rows


def test_init_proposes_a_config_for_a_folder_of_texts(tmp_path: Path, invoke: Invoke) -> None:
    texts = {f"{label}__{n}": f"a {label} film {n}" for label in ("pos", "neg") for n in range(20)}
    config = invoke("init", write_folder(tmp_path / "reviews", **texts), "-o", "-").stdout
    assert "# 40 rows, a text per file, 40 files in neg, pos" in config
    assert "text: text\n" in config
    assert "label: label\n" in config
