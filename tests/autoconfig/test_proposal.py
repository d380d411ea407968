"""Configs that `init` writes."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

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
    assert load_config(Path("sets/x.yaml")).data.train == str(workplace / "sets/films/train.csv")


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
        assert loaded.data.train == os.path.abspath(table)
        assert (loaded.data.text, loaded.data.label) == tuple(columns)
        assert set(prepare_dataset(loaded).labels.names) == set(labels)


def plain(rows: list[tuple[str, str]], mark: str = "\t") -> str:
    return "".join(f"{text}{mark}{label}\n" for text, label in rows)


DIALECTS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "quotes are letters": (
        f"text\tlabel\n{plain([(f'it is {chr(34)}so{chr(34)} {t}', y) for t, y in ROWS])}".encode()
        + b'"open \tpos\n' * 3,
        {"quote": "none"},
    ),
    "escapes": (
        b"text,label\n" + "".join(f'"it is \\"so\\", {t}",{y}\n' for t, y in ROWS).encode(),
        {"escape": "\\"},
    ),
    "no header": (plain(ROWS).encode(), {"header": False}),
    "title": (
        f"All reviews of the year\n\ntext\tlabel\n{plain(ROWS)}".encode(),
        {"skip_lines": 2},
    ),
    "footer": (
        f"# made by hand\ntext\tlabel\n{plain(ROWS)}\n(60 rows affected)\n".encode(),
        {"skip_lines": 1},
    ),
    "cp1252": (
        f"text\tlabel\n{plain([(f'Für Größe und Café: {t}', y) for t, y in ROWS])}".encode(
            "cp1252"
        ),
        {"encoding": "cp1252"},
    ),
    "plain": (f"text\tlabel\n{plain(ROWS)}".encode(), {}),
}
READING = ("format", "delimiter", "encoding", "quote", "escape", "header", "columns", "skip_lines")


@pytest.mark.parametrize("name", DIALECTS)
def test_what_reading_detects_is_written_to_the_config(
    tmp_path: Path, invoke: Invoke, name: str
) -> None:
    content, expected = DIALECTS[name]
    path, config = tmp_path / "t.tsv", tmp_path / "x.yaml"
    path.write_bytes(content)
    summary = invoke("init", path, "-o", config).stderr
    written = {
        key: value
        for key in READING
        if (value := getattr(load_config(config).data, key)) is not None
    }
    assert written == expected
    assert all(f"{key} " in summary for key in expected)
    # Read with these settings, the table is the same; nothing is assumed any more.
    table, again = (json.loads(invoke("check", each, "--json").stdout) for each in (path, config))
    assumed = [each for each in table["findings"] if each["kind"] == "encoding-assumed"]
    assert len(assumed) == ("encoding" in expected)
    table["findings"] = [each for each in table["findings"] if each not in assumed]
    assert table == again
    assert table["labels"] == ["neg", "pos"]


def test_what_differs_between_the_tables_is_not_written(workplace: Path, invoke: Invoke) -> None:
    (workplace / "train.tsv").write_bytes(DIALECTS["title"][0])
    (workplace / "test.tsv").write_bytes(DIALECTS["plain"][0])
    config = workplace / "x.yaml"
    invoke("init", "train.tsv", "-o", config)
    assert load_config(config).data.skip_lines is None
    rows = json.loads(invoke("check", config, "--json").stdout)["data"]
    assert rows["train"]["rows"] + rows["validation"]["rows"] == rows["test"]["rows"] == 60


def test_a_test_table_of_another_format_is_read(workplace: Path, invoke: Invoke) -> None:
    (workplace / "rows").write_bytes(DIALECTS["plain"][0])
    texts, labels = zip(*ROWS, strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels}), workplace / "t.parquet")
    config = workplace / "x.yaml"
    invoke("init", "rows", "--test", "t.parquet", "-o", config)
    assert load_config(config).data.format is None
    assert json.loads(invoke("check", config, "--json").stdout)["data"]["test"]["rows"] == 60


@pytest.mark.parametrize("name", DIALECTS)
def test_the_settings_of_a_table_are_three_short_lines(
    tmp_path: Path, invoke: Invoke, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    Path("t.tsv").write_bytes(DIALECTS[name][0])
    without_note = ("-s", "model.vectors=none")
    *settings, ready = invoke("check", "t.tsv", *without_note).stderr.splitlines()
    assert ready == "t.tsv: ready to train"
    assert [line.split()[0] for line in settings[:3]] == ["columns", "text", "network"]
    assert [line.split()[0] for line in settings[3:]] == ["note"] * (name == "cp1252")
    assert max(map(len, settings)) <= 80


def test_what_reading_ignores_is_mentioned(tmp_path: Path, invoke: Invoke) -> None:
    def reason(*lines: str) -> str:
        path = tmp_path / "t.tsv"
        path.write_text("\n".join(["text\tlabel", *lines, ""]), encoding="utf-8")
        done = invoke("init", path, "-o", "-", "-q", "--json")
        found: str = json.loads(done.stdout)["settings"]["data.train"]["reason"]
        return found

    rows = [f"{text}\t{label}" for text, label in ROWS]
    assert "t.tsv" not in reason(*rows)
    footer = reason(*rows, "Total: 60 rows")
    assert "t.tsv:62: ignored below the last row: 'Total: 60 rows'" in footer
    assert footer.startswith("60 rows")
    rows[20], rows[40] = f'"{rows[20]}', f'{ROWS[40][0]}"\tpos'
    assert "t.tsv:22-42: 1 quoted cell with lines that look like rows" in reason(*rows)
