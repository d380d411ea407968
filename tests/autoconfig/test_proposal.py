"""Configs that `init` writes."""

from __future__ import annotations

import csv
import gzip
import json
import os
from itertools import product
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
def test_a_config_tells_the_reason_of_each_setting(
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
def test_what_is_proposed_trains(invoke: Invoke) -> None:
    invoke("init", "binary.csv", "-q", "-o", "mine.yaml")
    told = json.loads(invoke("train", "mine.yaml", "-q", "--json").stdout)
    assert told["metrics"]["validation"]["scores"]["accuracy"] > 0.9
    assert invoke("evaluate", "--data", "binary-test.csv").stdout


def test_the_bundled_tables_need_no_hand(tmp_path: Path, invoke: Invoke) -> None:
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


def test_nothing_is_written_over(workplace: Path, invoke: Invoke) -> None:
    before = (workplace / "binary.yaml").read_bytes()
    told = invoke("init", "binary.csv", status=1).stderr
    assert told == "embedclf: binary.yaml: is there already; name another file, or move it\n"
    assert (workplace / "binary.yaml").read_bytes() == before
    told = invoke("init", "binary.csv", "-o", "nowhere/x.yaml", status=1).stderr
    assert told == "embedclf: nowhere/x.yaml: cannot be written: No such file or directory\n"


def test_programs_are_told_each_setting_and_its_reason(workplace: Path, invoke: Invoke) -> None:
    told = json.loads(invoke("init", "multilabel.csv", "-o", "x.yaml", "-q", "--json").stdout)
    assert told["config"] == "x.yaml"
    assert told["settings"]["data.label_separator"] == {
        "value": "|",
        "reason": "3 labels make up all 6 different cells",
    }
    config = load_config(workplace / "x.yaml")
    assert told["settings"]["text.sequence_length"]["value"] == config.text.sequence_length
    told = json.loads(invoke("init", "multilabel.csv", "-o", "-", "-q", "--json").stdout)
    assert told["config"] is None


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
def test_every_kind_of_table_is_looked_at(tmp_path: Path, invoke: Invoke, name: str) -> None:
    FORMS[name](tmp_path / name)
    invoke("init", tmp_path / name, "-o", tmp_path / "x.yaml", "-q")
    config = load_config(tmp_path / "x.yaml")
    assert (config.data.text, config.data.label) == ("body", "topic")
    assert prepare_dataset(config).labels.counts == (24, 24)


def test_how_a_table_is_read_goes_into_the_config(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        cells([(f"{text} é", label) for text, label in ROWS])
        .replace(b";", b"~")
        .decode()
        .encode("latin-1")
    )
    told = invoke("init", path, status=1).stderr
    assert "t.csv:2: byte 0xe9 is not utf-8; name its encoding" in told
    args = ("init", path, "-o", tmp_path / "x.yaml", "-q")
    invoke(*args, "--encoding", "latin-1", "--delimiter", "~")
    config = load_config(tmp_path / "x.yaml")
    assert (config.data.delimiter, config.data.encoding) == ("~", "latin-1")
    assert invoke("check", tmp_path / "x.yaml").stdout


def test_words_that_are_too_many_are_cut_into_characters(tmp_path: Path, invoke: Invoke) -> None:
    words = [*map("".join, product("aeiouklst", repeat=5))][:20_000]
    rows = [(" ".join(words[at : at + 20]), "ab"[at % 40 // 20]) for at in range(0, 20_000, 20)]
    write_csv(tmp_path / "rich.csv", ["text", "label"], rows)
    write_csv(tmp_path / "long.csv", ["text", "label"], [(text * 11, of) for text, of in rows])
    units = {}
    for name in ("rich", "long"):
        invoke("init", tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}.yaml", "-q")
        text = load_config(tmp_path / f"{name}.yaml").text
        units[name] = (text.unit, text.ngrams)
    assert units == {"rich": ("character", 4), "long": ("word", 3)}


def test_a_script_without_blanks_is_cut_into_characters(tmp_path: Path, invoke: Invoke) -> None:
    texts = {
        "chinese": "味道很好，送餐也很快。",
        "parted": "味道 很 好 ， 送餐 也 很 快 。",
        "korean": "정말 재미있는 영화였어요",
        "thai": "อาหารอร่อยมากและส่งเร็ว",
        "english": "It was lovely",
    }
    for name, text in texts.items():
        rows = [(f"{text} {n}", "ab"[n % 2]) for n in range(40)]
        path = write_csv(tmp_path / f"{name}.csv", ["text", "label"], rows)
        unit = "character" if name in {"chinese", "thai"} else "word"
        assert f"unit: {unit}\n" in invoke("init", path, "-o", "-", "-q").stdout, name


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
def test_what_is_written_loads_and_prepares_whatever_names_there_are(
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
