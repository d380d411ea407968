"""Folders, shards and patterns: what is trained on and held out, and what the run is called."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.autoconfig.split_files import find_split, suggest_config_name
from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from tests.conftest import Invoke


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("sets/imdb/train.csv", "imdb"),
        ("sets/imdb/train-00000-of-00001.parquet", "imdb"),
        ("sets/imdb/train-*.parquet", "imdb"),
        ("sets/imdb/train/*.csv", "imdb"),
        ("sets/imdb/train/", "imdb"),
        ("sets/imdb/**/*.csv", "imdb"),
        ("imdb_train.csv.gz", "imdb"),
        ("imdb_train.jsonl.zst", "imdb"),
        ("Imdb-Training.tsv", "Imdb"),
        ("imdb-00000-of-00002.parquet", "imdb"),
        ("imdb.train", "imdb"),
        ("reviews.csv", "reviews"),
        ("SMSSpamCollection", "SMSSpamCollection"),
        ("trains.csv", "trains"),
        ("strain.jsonl", "strain"),
        ("/train.csv", "train"),
        ("s3://bucket/imdb/train.parquet", "imdb"),
        ("s3://imdb/train.csv?region=eu-central-1", "imdb"),
        ("file:///data/reviews.csv.gz", "reviews"),
    ],
)
def test_a_config_is_named_after_its_table_or_directory(table: str, name: str) -> None:
    assert suggest_config_name(table) == name


def test_a_folder_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "reviews.v2").mkdir()
    assert suggest_config_name(str(tmp_path / "reviews.v2")) == "reviews.v2"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_every_location_has_a_name_of_one_part(location: str) -> None:
    assert "/" not in suggest_config_name(location)


def settings_of(invoke: Invoke, *args: object) -> dict[str, Any]:
    output = invoke("init", *args, "-o", "-", "-q", "--json").stdout
    settings: dict[str, Any] = json.loads(output)["settings"]
    return settings


def tables_of(invoke: Invoke, *args: object) -> list[Any]:
    settings = settings_of(invoke, *args)
    return [settings[f"data.{split}"]["value"] for split in ("train", "validation", "test")]


def write(path: Path) -> None:
    """Write a small table in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = reviews(60)
    if path.suffix == ".parquet":
        texts, labels = zip(*rows, strict=True)
        parquet.write_table(pa.table({"text": texts, "label": labels}), path)
        return
    if ".jsonl" in path.name:
        lines = "".join(f"{json.dumps({'text': t, 'label': y})}\n" for t, y in rows).encode()
    else:
        lines = write_csv(path, ["text", "label"], rows).read_bytes()
    compress = {".gz": gzip.compress, ".zst": lambda data: pa.compress(data, "zstd", asbytes=True)}
    path.write_bytes(compress.get(path.suffix, bytes)(lines))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.jsonl", "test.jsonl"),
        ("train.jsonl.zst", "test.jsonl.zst"),
        ("train.csv.gz", "test.csv.gz"),
        ("Train.parquet", "TEST.parquet"),
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("films.train", "films.test"),
        ("train/films.csv", "test/films.csv"),
        ("train.csv", "test.jsonl"),
        ("films-train.jsonl.zst", "films-test.parquet"),
    ],
)
def test_a_test_table_of_any_format_is_found(
    workplace: Path, invoke: Invoke, train: str, test: str
) -> None:
    write(workplace / train)
    write(workplace / test)
    assert tables_of(invoke, train) == [train, 0.2, test]


def test_shards_are_named_by_a_pattern(workplace: Path, invoke: Invoke) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "dev-00000-of-00001"):
        write(workplace / f"{name}.parquet")
    for number in range(3):
        write(workplace / f"test-0000{number}-of-00003.parquet")
    assert tables_of(invoke, "train-*.parquet") == [
        "train-*.parquet",
        "dev-*.parquet",
        "test-*.parquet",
    ]
    first, *others = tables_of(invoke, "train-00000-of-00002.parquet")
    assert first == "train-00000-of-00002.parquet"
    assert others == ["dev-00000-of-00001.parquet", "test-*-of-00003.parquet"]
    reason = settings_of(invoke, first)["data.train"]["reason"]
    assert "for all of them, name train-*-of-00002.parquet" in reason
    assert "60 rows" in reason
    done = invoke("check", "train-00000-of-00002.parquet")
    assert "this is one of several files" in unwrapped(done.stderr)


def test_a_folder_of_all_splits_is_not_trained_on_as_a_whole(
    workplace: Path, invoke: Invoke
) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        write(workplace / "data" / f"{name}.parquet")
    parts = ["data/train-*-of-00002.parquet", 0.2, "data/test-00000-of-00001.parquet"]
    assert tables_of(invoke, "data") == parts
    write(workplace / "sets" / "train.csv")
    write(workplace / "sets" / "dev.csv")
    assert tables_of(invoke, "sets") == ["sets/train.csv", "sets/dev.csv", None]
    write(workplace / "sets" / "train.jsonl")
    error = invoke("init", "sets", status=1).stderr
    assert "sets: has several training tables, and tables of other splits" in error
    assert "name one of sets/train.csv, sets/train.jsonl" in error


def test_splits_in_a_folder_inside_are_found(workplace: Path, invoke: Invoke) -> None:
    for name in ("train", "test"):
        write(workplace / "films" / "data" / f"{name}.csv")
    (workplace / "films" / "README.md").write_text("Films")
    assert tables_of(invoke, "films") == ["films/data/train.csv", 0.2, "films/data/test.csv"]
    write(workplace / "films" / "more.csv")
    error = invoke("init", "films", status=1).stderr
    assert error == (
        "embedclf: films: has splits in films/data, and other tables outside; name the training "
        "table, such as films/data/train.csv\n"
    )


def test_a_config_can_train_on_all_splits(workplace: Path, invoke: Invoke) -> None:
    for name in ("train", "test"):
        write(workplace / "sets" / f"{name}.csv")
    (workplace / "c.yaml").write_text("data: {train: sets}\ntraining: {epochs: 1}")
    done = invoke("check", "c.yaml")
    assert "120" in done.stdout
    assert "this folder has other splits, which are trained on, too" in unwrapped(done.stderr)


def test_a_folder_of_one_split_is_a_table(workplace: Path, invoke: Invoke) -> None:
    for name in ("train/a.csv", "train/b.csv", "test/c.csv"):
        write(workplace / "films" / name)
    settings = settings_of(invoke, "films/train")
    assert settings["data.train"]["value"] == "films/train"
    assert "120 rows" in settings["data.train"]["reason"]
    assert settings["data.test"]["value"] == "films/test"
    assert tables_of(invoke, "films") == ["films/train", 0.2, "films/test"]
    assert tables_of(invoke, "films/train/*.csv") == ["films/train/*.csv", 0.2, "films/test/*.csv"]


def test_folders_of_texts_are_siblings(workplace: Path, invoke: Invoke) -> None:
    for split in ("train", "test"):
        for number, (text, label) in enumerate(reviews(60)):
            path = workplace / "films" / split / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    assert tables_of(invoke, "films") == ["films/train", 0.2, "films/test"]


def test_a_folder_around_the_folder_of_texts_is_no_label(workplace: Path, invoke: Invoke) -> None:
    for number, (text, label) in enumerate(reviews(60)):
        path = workplace / "download" / "films" / "v1" / label / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (workplace / "download" / "films.README").write_text("About the films")
    settings = settings_of(invoke, "download")
    assert settings["data.train"]["value"] == "download/films/v1"
    assert "'neg' 30, 'pos' 30" in settings["data.label"]["reason"]


def test_a_folder_that_is_a_column_is_kept(workplace: Path, invoke: Invoke) -> None:
    write(workplace / "films" / "year=2024" / "a.csv")
    assert tables_of(invoke, "films")[0] == "films"


@pytest.mark.parametrize("name", ["trains.csv", "restrain.csv", "reviews.csv"])
def test_other_names_have_no_splits(tmp_path: Path, name: str) -> None:
    for other in (name, "test.csv", name.replace("train", "test")):
        write(tmp_path / other)
    assert find_split(str(tmp_path / name), "test") is None


def test_nothing_is_looked_for_in_stores() -> None:
    assert find_split("s3://bucket/train.csv", "test") is None


def test_a_folder_of_all_splits_in_a_store_is_noted(workplace: Path, invoke: Invoke) -> None:
    for name in ("train-0", "train-1", "dev-0"):
        write(workplace / "films" / f"{name}.csv")
    note = "this folder has other splits, which are trained on, too"
    assert note in unwrapped(invoke("check", (workplace / "films").as_uri()).stderr)
    assert note not in unwrapped(invoke("check", f"{workplace.as_uri()}/films/train-*").stderr)


def test_the_parts_of_a_written_config_are_found_again(workplace: Path, invoke: Invoke) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        write(workplace / "data" / f"{name}.parquet")
    invoke("init", "data", "-o", "configs.yaml")
    rows = json.loads(invoke("check", "configs.yaml", "--json").stdout)["data"]
    assert rows["train"]["rows"] + rows["validation"]["rows"] == 120
    assert rows["test"]["rows"] == 60
    assert Path("configs.yaml").read_text().count("data/train-*-of-00002.parquet") == 1
