"""Configs that `init` writes."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from tests.conftest import ROOT, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Invoke


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_config_has_the_reason_of_each_setting(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None], task: str
) -> None:
    text = ["--text", "title", "--text", "body"] if task == "multiclass" else []
    done = invoke("init", f"{task}.csv", "-o", "out.yaml", *text)
    golden(f"init-{task}.txt", f"{done.stdout}{done.stderr}")
    config = (workplace / "out.yaml").read_text(encoding="utf-8")
    golden(f"init-{task}.yaml", config)
    assert max(map(len, config.splitlines())) <= 100
    assert invoke("check", "out.yaml").stdout


@pytest.mark.usefixtures("workplace")
def test_the_proposed_config_trains(invoke: Invoke) -> None:
    invoke("init", "binary.csv", "-q", "-o", "mine.yaml")
    run = json.loads(invoke("train", "mine.yaml", "-q", "--json").stdout)
    assert run["metrics"]["validation"]["scores"]["accuracy"] > 0.9
    assert invoke("evaluate", "--data", "binary-test.csv").stdout


def test_the_bundled_tables_need_no_edit(tmp_path: Path, invoke: Invoke) -> None:
    for name in ("reviews", "tickets"):
        config = tmp_path / f"{name}.yaml"
        assert invoke("init", ROOT / "data" / f"{name}.csv", "-o", config, "-q").stderr == ""
        assert invoke("check", config).stdout


def test_a_config_is_named_after_its_table(workplace: Path, invoke: Invoke) -> None:
    (workplace / "sets" / "films").mkdir(parents=True)
    write_csv(workplace / "sets" / "films" / "train.csv", ["text", "label"], reviews(60))
    done = invoke("init", "sets/films/train.csv")
    assert done.stdout == "config: films.yaml\n"
    assert done.stderr.endswith("embedclf check films.yaml && embedclf train films.yaml\n")
    assert 'train: "sets/films/train.csv"' in (workplace / "films.yaml").read_text()
    invoke("init", "sets/films/train.csv", "-o", "sets/x.yaml")
    assert 'train: "films/train.csv"' in (workplace / "sets" / "x.yaml").read_text()
    assert load_config(Path("sets/x.yaml")).data.train == workplace / "sets/films/train.csv"


def test_existing_files_are_not_overwritten(workplace: Path, invoke: Invoke) -> None:
    before = (workplace / "binary.yaml").read_bytes()
    error = invoke("init", "binary.csv", status=1).stderr
    assert error == "embedclf: binary.yaml: already exists; name another file, or move it\n"
    assert (workplace / "binary.yaml").read_bytes() == before
    error = invoke("init", "binary.csv", "-o", "nowhere/x.yaml", status=1).stderr
    assert error == "embedclf: nowhere/x.yaml: cannot be written: No such file or directory\n"


def test_json_output_has_each_setting_and_its_reason(workplace: Path, invoke: Invoke) -> None:
    proposal = json.loads(invoke("init", "multilabel.csv", "-o", "x.yaml", "-q", "--json").stdout)
    assert proposal["config"] == "x.yaml"
    assert proposal["settings"]["data.label_separator"] == {
        "value": "|",
        "reason": "separates several labels in a cell: 6 distinct cells, 3 labels",
    }
    config = load_config(workplace / "x.yaml")
    assert proposal["settings"]["text.sequence_length"]["value"] == config.text.sequence_length
    proposal = json.loads(invoke("init", "multilabel.csv", "-o", "-", "-q", "--json").stdout)
    assert proposal["config"] is None


def cells(rows: list[tuple[str, str]]) -> bytes:
    return "".join(f"{text};{label}\n" for text, label in [("body", "topic"), *rows]).encode()


ROWS = [(text.replace(",", ""), label) for text, label in reviews(60)]
FORMS: dict[str, Callable[[Path], object]] = {
    "t.csv": lambda path: write_csv(path, ["body", "topic"], ROWS),
    "semicolons.csv": lambda path: path.write_bytes(cells(ROWS)),
    "t.tsv": lambda path: path.write_bytes(cells(ROWS).replace(b";", b"\t")),
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(cells(ROWS))),
    "utf16.csv": lambda path: path.write_bytes(cells(ROWS).decode().encode("utf-16")),
    "t.jsonl": lambda path: path.write_text(
        "".join(f"{json.dumps({'meta': [1], 'body': b, 'topic': t})}\n" for b, t in ROWS)
    ),
    "t.parquet": lambda path: parquet.write_table(
        pa.table(
            {
                "meta": [[1]] * len(ROWS),
                "body": [body for body, _ in ROWS],
                "topic": [topic == "pos" for _, topic in ROWS],
            }
        ),
        path,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_format_is_read(tmp_path: Path, invoke: Invoke, name: str) -> None:
    FORMS[name](tmp_path / name)
    invoke("init", tmp_path / name, "-o", tmp_path / "x.yaml", "-q")
    config = load_config(tmp_path / "x.yaml")
    assert (config.data.text, config.data.label) == ("body", "topic")
    assert prepare_dataset(config).labels.counts == (24, 24)


def test_encoding_and_delimiter_are_written_to_the_config(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        cells([(f"{text} é", label) for text, label in ROWS])
        .replace(b";", b"~")
        .decode()
        .encode("latin-1")
    )
    error = invoke("init", path, status=1).stderr
    assert "t.csv:2: byte 0xe9 is not utf-8; name the encoding: --encoding cp1252" in error
    args = ("init", path, "-o", tmp_path / "x.yaml", "-q")
    invoke(*args, "--encoding", "latin-1", "--delimiter", "~")
    config = load_config(tmp_path / "x.yaml")
    assert (config.data.delimiter, config.data.encoding) == ("~", "latin-1")
    assert invoke("check", tmp_path / "x.yaml").stdout


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), min_size=1, max_size=12
)
LABELS = NAMES.filter(lambda label: label.strip() != "")


@settings(max_examples=60)
@given(
    columns=st.lists(NAMES, min_size=2, max_size=2, unique=True),
    labels=st.lists(LABELS, min_size=2, max_size=4, unique=True),
    file=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), max_size=20),
)
def test_configs_load_whatever_the_names_are(
    invoke: Invoke, columns: list[str], labels: list[str], file: str
) -> None:
    with TemporaryDirectory() as place:
        table = Path(place) / f"t{file}.csv"
        with table.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            writer.writerows([f"text {n} it is", labels[n % len(labels)]] for n in range(24))
        config = Path(place) / "x.yaml"
        named = (f"--text={columns[0]}", f"--label={columns[1]}")
        invoke("init", table, "-o", config, *named, "-q")
        loaded = load_config(config)
        assert loaded.data.train == Path(os.path.abspath(table))
        assert (loaded.data.text, loaded.data.label) == tuple(columns)
        assert set(prepare_dataset(loaded).labels.names) == set(labels)
