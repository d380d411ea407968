from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from embedclf.errors import DataError
from embedclf.tables.files import display_tables, find_files, hash_table, tables_exist
from embedclf.tables.tables import open_table
from tests.object_store import ObjectStore, serve_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def make(folder: Path, *names: str) -> None:
    """Write small tables."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text,label\na,1\n", encoding="utf-8")


def names(*tables: str) -> list[str]:
    return [file.name for file in find_files(tables)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with serve_objects() as objects:
        yield objects


def test_files_come_in_the_order_of_the_list(here: Path) -> None:
    make(here, "b.csv", "a.csv")
    assert names("b.csv", str(here / "a.csv")) == ["b.csv", "a.csv"]


def test_a_folder_stands_for_its_tables_and_nothing_else(here: Path) -> None:
    make(here, "d/b.csv", "d/a/x.tsv.gz", "d/c.jsonl", "d/_SUCCESS", "d/.hidden.csv", "d/README.md")
    make(here, "d/_temporary/y.csv", "d/.git/z.csv", "d/notes.txt", "d/~$open.xlsx")
    assert names("d") == ["d/a/x.tsv.gz", "d/b.csv", "d/c.jsonl"]


def test_a_saved_dataset_of_hugging_face_is_named_with_the_way_out(here: Path) -> None:
    make(here, "d/dataset_dict.json", "d/test/data-00000-of-00001.arrow", "d/test/state.json")
    make(here, "d/train/data-00000-of-00001.arrow", "d/train/state.json")
    with pytest.raises(DataError, match=r"^d: .* load_from_disk\('d/train'\)\.to_parquet\('t\."):
        find_files("d")


def test_parts_that_spark_wrote_need_no_extension_and_no_rows(
    here: Path, store: ObjectStore
) -> None:
    make(here, "d/part-00000", "d/part-00001", "e/part-0.csv")
    (here / "e/part-1.csv").write_bytes(b"")
    assert names("d", "e/*") == ["d/part-00000", "d/part-00001", "e/part-0.csv"]
    store.objects |= {"e/part-0.csv": b"text\na\n", "e/part-1.csv": b""}
    assert names(store.uri("e")) == names(store.uri("e/*")) == ["s3://tables/e/part-0.csv"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("d/*.csv", ["d/a1.csv", "d/a2.csv"]),
        ("d/a?.csv", ["d/a1.csv", "d/a2.csv"]),
        ("d/a[2-9].csv", ["d/a2.csv"]),
        ("d/**/*.csv", ["d/a1.csv", "d/a2.csv", "d/e/a3.csv"]),
        ("d/**", ["d/a1.csv", "d/a2.csv", "d/e/a3.csv", "d/x.tsv"]),
        ("*/e", ["d/e/a3.csv"]),
        ("[d]/x.tsv", ["d/x.tsv"]),
    ],
)
def test_a_pattern_matches_files_in_alphabetical_order(
    here: Path, store: ObjectStore, pattern: str, found: list[str]
) -> None:
    files = ["d/e/a3.csv", "d/a2.csv", "d/a1.csv", "d/x.tsv"]
    make(here, *files)
    assert names(pattern) == found
    store.objects |= dict.fromkeys(files, b"text\na\n")
    uri = store.uri(pattern.replace("?", "[0-9]"))  # a query begins with "?"
    assert names(uri) == [f"s3://tables/{name}" for name in found]


def test_a_file_that_literally_has_the_name_is_no_pattern(here: Path) -> None:
    make(here, "a*.csv", "ab.csv", "[x].csv", "x.csv")
    assert names("a*.csv", "[x].csv") == ["a*.csv", "[x].csv"]


def test_folder_names_are_columns(here: Path, store: ObjectStore) -> None:
    files = ["d/label=a%20b/year=/1.csv", "d/label=__HIVE_DEFAULT_PARTITION__/2.csv", "d/x/3.csv"]
    make(here, *files)
    store.objects |= dict.fromkeys(files, b"text\na\n")
    expected = [(("label", ""),), (("label", "a b"), ("year", "")), ()]
    for tables in ("d", "d/**/*.csv", store.uri("d"), store.uri("d/**/*.csv")):
        assert [file.partition for file in find_files(tables)] == expected


def test_a_folder_above_the_one_that_is_named_is_no_column(here: Path) -> None:
    make(here, "label=a/x/1.csv")
    for tables in ("label=a/x", "label=a/x/*.csv", "label=a/x/1.csv"):
        assert [file.partition for file in find_files(tables)] == [()]


def test_a_folder_of_text_files_is_one_table(here: Path, store: ObjectStore) -> None:
    make(here, "d/pos/1.txt", "d/neg/2.txt")
    store.objects |= {"d/pos/1.txt": b"a", "d/neg/2.txt": b"b"}
    assert names("d", store.uri("d")) == ["d", "s3://tables/d"]


def test_a_folder_that_cannot_be_listed_is_not_left_out(here: Path) -> None:
    make(here, "d/a.csv", "d/b.csv")
    (here / "d/c.csv").symlink_to(here / "gone.csv")
    with pytest.raises(DataError, match=r"d/c\.csv: cannot be read: No such file"):
        open_table("d", ["text"])
    (here / "d/c.csv").unlink()
    (here / "d/locked").mkdir(mode=0)
    try:
        if not os.access(here / "d/locked", os.R_OK):  # the superuser reads everything
            with pytest.raises(DataError, match="d/locked: the folder cannot be read"):
                find_files("d")
    finally:
        (here / "d/locked").chmod(0o700)


def test_links_to_folders_are_followed_once(here: Path) -> None:
    make(here, "d/a.csv", "e/b.csv")
    (here / "d/e").symlink_to(here / "e", target_is_directory=True)
    (here / "d/again").symlink_to(here / "d", target_is_directory=True)
    assert names("d") == ["d/a.csv", "d/e/b.csv"]


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        (["triain.csv"], "triain.csv: no such file; did you mean train.csv?"),
        (["no/x.csv"], "no/x.csv: no such file"),
        (["x*.csv"], "x*.csv: no file matches this pattern"),
        (["train.csv", "./train.csv"], "train.csv: named twice"),
        (["train.csv", "*.csv"], "train.csv: named twice"),
        (["empty"], "empty: no table in this folder; it holds nothing"),
        (["other"], "other: no table in this folder; it holds a.md, b/c.png"),
    ],
)
def test_what_is_no_table_is_refused(here: Path, tables: Sequence[str], fault: str) -> None:
    make(here, "train.csv", "other/a.md", "other/b/c.png")
    (here / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        find_files(tuple(tables))
    assert str(caught.value).startswith(fault)
    assert "\n" not in str(caught.value)
    assert not tables_exist(tuple(tables))


def test_a_hash_is_that_of_the_contents_in_order(here: Path) -> None:
    (here / "a.csv").write_bytes(b"a")
    (here / "b.csv").write_bytes(b"b")
    assert hash_table("a.csv") == hashlib.sha256(b"a").hexdigest()
    assert hash_table(("b.csv", "a.csv")) == hashlib.sha256(b"ba").hexdigest()
    assert hash_table(str(here)) == hash_table("*.csv") == hashlib.sha256(b"ab").hexdigest()


@pytest.mark.parametrize("name", ["1.csv", "1.txt"])
def test_a_hash_changes_with_the_folders_that_are_labels(here: Path, name: str) -> None:
    make(here, f"d/label=a/{name}", f"d/label=b/2{name}")
    before = hash_table("d")
    (here / "d/label=a").rename(here / "d/label=c")
    assert hash_table("d") != before


def test_tables_are_shown_as_a_user_would_type_them(here: Path) -> None:
    assert display_tables(str(here / "a.csv")) == "a.csv"
    assert display_tables((str(here / "a.csv"), "b.csv", "c.csv")) == "a.csv and 2 more"
    assert display_tables("s3://key:secret@bucket/a.csv?region=x") == "s3://bucket/a.csv"


def test_files_have_uris_too(here: Path) -> None:
    make(here, "d/b c.csv", "d/e/a.csv")
    assert names((here / "d").as_uri()) == [
        f"file://{here}/d/b%20c.csv",
        f"file://{here}/d/e/a.csv",
    ]
    assert hash_table((here / "d").as_uri()) == hash_table("d")
    assert not tables_exist((here / "no.csv").as_uri())


@pytest.mark.usefixtures("here")
def test_a_windows_path_is_no_uri() -> None:
    for name in ("C:\\x.csv", "C:/x.csv"):
        with pytest.raises(DataError, match="no such file"):
            find_files(name)


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("foo://x/y.csv", "unknown type of URI; use s3://"),
        ("s3:///y.csv", "no bucket in the URI; write s3://bucket/key"),
        ("s3://b//y.csv", "two slashes in a row; remove one"),
        ("file://y.csv", "a local file needs three slashes"),
        ("https://example.com/y.csv", "web addresses cannot be read; download the file"),
        ("file:///no/such/y.csv", "no such file; check the bucket and the path"),
    ],
)
def test_a_uri_that_names_no_file_is_refused_with_a_way_out(uri: str, fault: str) -> None:
    with pytest.raises(DataError) as caught:
        find_files(uri)
    assert str(caught.value).startswith(f"{uri}: {fault}")


def test_a_missing_key_or_bucket_is_refused_at_once(store: ObjectStore) -> None:
    with pytest.raises(DataError, match=r"s3://tables/no\.csv: no such file"):
        find_files(store.uri("no.csv"))
    with pytest.raises(DataError, match="s3://other/: no such bucket"):
        find_files(store.uri("*.csv", bucket="other"))
    assert len(store.requests) < 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_a_file(here: Path) -> None:
    os.mkfifo(here / "pipe.csv")
    assert names("pipe.csv") == ["pipe.csv"]
