"""Columns beside the text, from the training to the explanation of a prediction."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

import embedclf
from tests.conftest import THINGS, write_csv
from tests.inference.conftest import read_csv

if TYPE_CHECKING:
    from tests.conftest import Invoke

CONFIG = """
data:
  {train: train.csv, validation: test.csv, test: test.csv, text: text, label: label,
   label_separator: null, fields: [channel, minutes], skip_invalid: false}
text:
  {unit: word, vocabulary_size: 10000, sequence_length: 8, min_count: 1, ngrams: 2,
   ngram_vocabulary_size: 200000, token_pattern: words, html: false}
model: {embedding_dim: 8, initialization: naive_bayes, pooling: sqrt, dropout: 0.0}
training:
  {epochs: 20, batch_size: 16, learning_rate: 0.1, schedule: constant, refit: false,
   class_weight: none, calibration: none, threshold: 0.5}
"""

HEADER = ["text", "channel", "minutes", "label"]


def calls(rows: int) -> list[tuple[str, str, str, str]]:
    """Texts that say nothing; labels that fields decide."""
    made = []
    for n in range(rows):
        channel, minutes = ("web", "Phone call", "")[n % 3], n * 7 % 60 + 1
        label = "long" if minutes > 30 else {"": "none"}.get(channel, channel)
        text = f"{THINGS[n % 10]} and {THINGS[n * 3 % 7]}"
        made.append((text, channel, str(minutes), label))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """A folder with tables, and a run whose labels are decided by fields; for reading only."""
    folder, before = tmp_path_factory.mktemp("fields"), Path.cwd()
    write_csv(folder / "train.csv", HEADER, calls(240))
    write_csv(folder / "test.csv", HEADER, calls(300)[240:])
    (folder / "fields.yaml").write_text(CONFIG, encoding="utf-8")
    os.chdir(folder)
    try:
        invoke("train", "fields.yaml", "-q", "-o", "run")
    finally:
        os.chdir(before)
    return folder


def test_labels_that_fields_decide_are_learned(folder: Path, invoke: Invoke) -> None:
    evaluation = json.loads(invoke("evaluate", folder / "run", "--json").stdout)
    assert evaluation["scores"]["accuracy"] > 0.95
    tfidf = evaluation["baselines"]["tf-idf"]["scores"]
    assert tfidf["accuracy"] > 0.9  # it reads the same tokens


def test_a_table_is_predicted_with_its_fields_and_stays_as_it_is(
    folder: Path, tmp_path: Path, invoke: Invoke
) -> None:
    invoke("predict", folder / "test.csv", "--run", folder / "run", "-o", tmp_path / "out.csv")
    header, *rows = read_csv(tmp_path / "out.csv")
    assert header[:5] == [*HEADER, "prediction"]
    assert [tuple(row[:4]) for row in rows] == calls(300)[240:]
    assert sum(row[4] == row[3] for row in rows) > 0.95 * len(rows)


def test_all_formats_of_tables_have_fields(folder: Path, tmp_path: Path, invoke: Invoke) -> None:
    run = folder / "run"
    table = pa.table({"text": ["park"] * 3, "channel": ["web"] * 3, "minutes": [3.5, 50.0, None]})
    parquet.write_table(table, tmp_path / "in.parquet")
    lines = [json.dumps(row) for row in table.to_pylist()]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for cell in ("web", "app"):
        part = tmp_path / "parts" / f"channel={cell}"
        part.mkdir(parents=True)
        write_csv(part / "in.csv", ["minutes", "text"], [("3.5", "park"), ("50", "park")])
    texts = [f"channel=web minutes={cell} park" for cell in ("3.5", "50.0", "")]
    expected = json.loads(invoke("predict", "--run", run, "--json", *texts_of(texts)).stdout)
    wanted = [(row["prediction"], row["probability"]) for row in expected["predictions"]]
    assert [label for label, _ in wanted[:2]] == ["web", "long"]
    for name in ("in.parquet", "in.jsonl"):
        done = invoke("predict", tmp_path / name, "--run", run, "--json")
        rows = json.loads(done.stdout)["predictions"]
        assert [(row["prediction"], row["probability"]) for row in rows] == wanted
    done = invoke("predict", tmp_path / "parts", "--run", run, "--json")
    rows = json.loads(done.stdout)["predictions"]
    assert [row["prediction"] for row in rows][2:] == ["web", "long"]


def texts_of(texts: list[str]) -> list[str]:
    return [argument for text in texts for argument in ("-t", text)]


def test_texts_can_have_all_some_or_none_of_the_fields(folder: Path) -> None:
    classifier = embedclf.load(folder / "run")
    texts = ["channel=web minutes=3 park", "minutes=59 park", "channel=WEB minutes=1", "park", ""]
    probabilities = classifier.predict_proba(texts)
    assert probabilities.shape == (5, 4)
    names = [classifier.labels.names[index] for index in probabilities[:3].argmax(axis=1)]
    assert names == ["web", "long", "web"]


def test_an_explanation_names_bins_and_shows_the_numbers(folder: Path, invoke: Invoke) -> None:
    text = "channel=Phone_call minutes=7.5 Park and game"
    done = invoke("explain", "--run", folder / "run", "-t", text, "--json")
    (explanation,) = json.loads(done.stdout)["explanations"]
    tokens = explanation["tokens"]
    names = [token["token"] for token in tokens]
    assert names == ["channel=phone call".replace(" ", "_"), "minutes=q1", "park", "and", "game"]
    assert [text[slice(*token["span"])] for token in tokens] == text.split()
    assert abs(explanation["error"]) < 1e-5
    assert explanation["prediction"] == "Phone call"
    ngrams = [(each["ngram"], each["start"], each["tokens"]) for each in explanation["ngrams"]]
    assert ("<s> park", 2, 1) in ngrams
    assert not any("=" in name for name, _, _ in ngrams)
    stdout = invoke("explain", "--run", folder / "run", "-t", text).stdout
    assert "\nminutes=q1 " in stdout
    assert text in stdout


def test_the_vector_of_a_number_is_that_of_its_bin(folder: Path, invoke: Invoke) -> None:
    run = folder / "run"
    by_number = invoke("embeddings", "neighbors", "--run", run, "minutes=59.5").stdout
    assert by_number == invoke("embeddings", "neighbors", "--run", run, "minutes=q4").stdout


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (["text", "Channel", "minutes"], "did you mean 'Channel'? rename that column"),
        (
            ["text", "minutes", "n"],
            "columns: 'text', 'minutes', 'n'; add it, its cells can be empty",
        ),
    ],
)
def test_a_new_table_without_a_field_is_one_error(
    folder: Path, tmp_path: Path, invoke: Invoke, header: list[str], hint: str
) -> None:
    path = write_csv(tmp_path / "in.csv", header, [("park", "web", "3")])
    stderr = invoke("predict", path, "--run", folder / "run", status=1).stderr
    fault = "in.csv:1: no column 'channel', which the run reads as a field"
    assert stderr.endswith(f"{fault}; {hint}\n")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("[text]", "data.fields: column text is data.text; name a column beside it"),
        ("[label]", "data.fields: column label is data.label; name a column beside it"),
        ("[channel, channel]", "data.fields: column channel is named twice; name it once"),
        ("['a b', a_b]", "columns a b and a_b have the same tokens; rename one of them"),
        ("channel", "data.fields: must be a list of columns, such as [channel, minutes]"),
        ("[a, b, c, d, e, f, g, h]", "text.sequence_length: must be above 8, because the tokens"),
    ],
)
def test_wrong_fields_are_errors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke, fields: str, fault: str
) -> None:
    monkeypatch.chdir(folder)
    assert fault in invoke("check", "fields.yaml", "-s", f"data.fields={fields}", status=2).stderr


def test_a_missing_field_of_a_training_table_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    monkeypatch.chdir(folder)
    done = invoke("train", "fields.yaml", "-s", "data.fields=[chanel]", status=1)
    assert (
        "train.csv:1: no column 'chanel' (data.fields); did you mean 'channel'? columns: 'text', "
        "'channel', 'minutes', 'label'\n" in done.stderr
    )


def test_check_looks_at_texts_without_their_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    rows = [
        ("NaN" if n < 4 else "" if n < 8 else f"{THINGS[n % 10]} and {THINGS[n // 10]}", "x", copy)
        for n in range(80)
        for copy in "ab"
    ]
    table = [(text, kind, copy.upper(), copy) for text, kind, copy in rows]
    write_csv(tmp_path / "train.csv", ["text", "channel", "minutes", "label"], table)
    (tmp_path / "fields.yaml").write_text(CONFIG.replace("test.csv", "train.csv"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = ("check", "fields.yaml", "-s", "data.validation=0.2", "-s", "data.test=null")
    audit = json.loads(invoke(*arguments, "--json").stdout)
    findings = {finding["kind"]: finding for finding in audit["findings"]}
    assert findings["text-blank"]["count"] == 8
    assert findings["text-null-like"]["count"] == 8
    assert findings["leakage-column"]["settings"] == {"data.fields": ["channel"]}
    assert "leakage-token" not in findings
    assert "label-conflict" not in findings


def test_fields_are_not_chosen_for_the_label_and_count_in_the_vocabulary(
    tmp_path: Path, invoke: Invoke
) -> None:
    rows = [(f"{THINGS[n % 10]} day", "ab"[n % 2], f"{n}.5", "xyz"[n % 3]) for n in range(60)]
    path = write_csv(tmp_path / "in.csv", ["message", "category", "minutes", "kind"], rows)
    done = invoke("check", path, "-s", "data.fields=[category, minutes]")
    assert "text: message · fields: category, minutes · label: kind" in done.stderr
    # 11 words, 2 categories, 4 quarters
    assert "17 words" in done.stderr
    assert "OOV             train 0.0%" in done.stdout
