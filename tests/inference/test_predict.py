"""Predicted labels, their probabilities, and the command that prints them."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from embedclf.data.labels import Labels
from embedclf.inference.predict import PredictionRequest, predict
from embedclf.inference.predictor import Predictor
from embedclf.model.classifier import Classifier
from embedclf.model.weights import Weights
from embedclf.system.arrow import Batch, text_column
from embedclf.system.progress import listening
from embedclf.tables.tables import open_table
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from embedclf.system.progress import Activity
    from tests.conftest import Invoke


def test_single_texts_are_printed_as_table_or_json(run: Run, invoke: Invoke) -> None:
    texts = ("-t", "great hotel, it was great", "-t", "awful film, it was awful")
    shown = invoke("predict", *texts, "--run", run.path).stdout
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["pos", "neg"]
    printed = json.loads(invoke("predict", *texts, "--run", run.path, "--json").stdout)
    assert printed["run"] == str(run.path)
    assert [row["prediction"] for row in printed["predictions"]] == ["pos", "neg"]
    assert [row["text"] for row in printed["predictions"]] == list(texts[1::2])


def test_several_labels_are_a_list_in_json(runs: dict[str, Run], invoke: Invoke) -> None:
    args = ("predict", "-t", "b c 3", "-t", "7", "--run", runs["multilabel"].path)
    for extra in ((), ("--best", "2"), ("--all-probabilities",)):
        several, none = json.loads(invoke(*args, "--json", *extra).stdout)["predictions"]
        assert several["prediction"] == ["b", "c"]
        assert [type(probability) for probability in several["probability"]] == [float, float]
        assert (none["prediction"], none["probability"]) == ([], [])
    lines = invoke(*args).stdout.splitlines()
    assert lines[2].startswith("b, c ")
    assert lines[3].startswith("– ")


def test_control_characters_are_escaped_on_a_terminal(run: Run, invoke: Invoke) -> None:
    stdout = invoke("predict", "-t", "a\x1b[31m\x9b\nb", "--run", run.path).stdout
    assert stdout.splitlines()[-1].endswith("a\u241b[31m\ufffd\u240ab")


def test_top_k_cannot_exceed_the_number_of_labels(run: Run, invoke: Invoke) -> None:
    stderr = invoke("predict", "-t", "x", "-k", "3", "--run", run.path, status=2).stderr
    assert "-k 3: " in stderr
    assert "has only 2 labels; ask for fewer" in stderr


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        ([], "pass a file, - for standard input, or -t TEXT;"),
        (["-", "-t", "x"], "-t is a text to classify; a column is named with "),
        (["-t", "x", "--json", "-o", "x.csv"], "pass -o or --json, not both;"),
    ],
)
def test_texts_or_tables_and_one_output_are_accepted(
    run: Run, invoke: Invoke, args: list[str], fault: str
) -> None:
    stderr = invoke("predict", *args, "--run", run.path, status=2).stderr
    assert stderr.startswith(f"embedclf: {fault}")
    assert stderr.count("\n") == 1


def make_predictor(task: Any, logits: list[list[float]], **options: Any) -> Predictor:
    """A predictor that gives the n-th word of its vocabulary the n-th logits."""
    labels = Labels(task, ("a", "b", "c")[: 2 if task == "binary" else 3], (1, 1, 1))
    embedding = np.array([[0.0] * len(logits[0])] * 2 + logits, np.float32)
    kernel = np.eye(len(logits[0]), dtype=np.float32)
    dense = ((kernel, np.zeros(len(kernel), np.float32)),)
    words = tuple(f"w{number}" for number in range(len(logits)))
    classifier = Classifier(
        Tokenizer(TokenRules(), 2, words), labels, Weights("average", embedding, dense, None)
    )
    return Predictor(classifier, **options)


def predict_rows(predictor: Predictor, *texts: str) -> list[dict[str, Any]]:
    column = text_column(texts)
    batch = Batch(column, pa.RecordBatch.from_arrays([column], ["text"]))
    rows: list[dict[str, Any]] = predictor.predict(batch).to_pylist()
    return rows


def logit(*probabilities: float) -> list[float]:
    return [math.log(p / (1 - p)) for p in probabilities]


def test_the_probability_is_that_of_the_predicted_labels() -> None:
    def predict_one(task: Any, logits: list[float]) -> tuple[Any, Any]:
        (row,) = predict_rows(make_predictor(task, [logits]), "w0")
        return row["prediction"], row["probability"]

    assert predict_one("binary", logit(0.25)) == ("a", 0.75)
    assert predict_one("binary", logit(0.75)) == ("b", 0.75)
    assert predict_one("multiclass", [math.log(p) for p in (0.2, 0.5, 0.3)]) == ("b", 0.5)
    assert predict_one("multilabel", logit(0.6, 0.1, 0.9)) == (["a", "c"], [0.6, 0.9])
    assert predict_one("multilabel", logit(0.1, 0.1, 0.1)) == ([], [])


def test_rows_of_a_batch_keep_their_own_labels() -> None:
    predictor = make_predictor(
        "multilabel", [logit(0.9, 0.1, 0.9), logit(0.1, 0.1, 0.1), logit(0.1, 0.9, 0.1)]
    )
    rows = predict_rows(predictor, "w1", "w0", "w1", "w2", "w0", "w1")
    assert [row["prediction"] for row in rows] == [[], ["a", "c"], [], ["b"], ["a", "c"], []]


def test_all_probabilities_and_the_top_labels_are_added_if_asked_for() -> None:
    predictor = make_predictor(
        "multiclass", [[math.log(p) for p in (0.2, 0.5, 0.3)]], all_probabilities=True
    )
    (row,) = predict_rows(predictor, "w0")
    assert [row[f"probability_{name}"] for name in "abc"] == [0.2, 0.5, 0.3]
    predictor = make_predictor("binary", [logit(0.25)], all_probabilities=True, top_k=2)
    (row,) = predict_rows(predictor, "w0")
    assert list(row)[3:] == [
        "probability_a",
        "probability_b",
        "best_1",
        "best_1_probability",
        "best_2",
        "best_2_probability",
        "truncated",
        "unknown_share",
        "no_known_token",
    ]
    assert list(row.values())[3:9] == [0.75, 0.25, "a", 0.75, "b", 0.25]


def test_the_top_label_of_a_tie_is_the_predicted_one() -> None:
    (row,) = predict_rows(make_predictor("binary", [[0.0]], top_k=2), "w0")
    assert (row["prediction"], row["best_1"], row["best_2"]) == ("b", "b", "a")


def test_truncated_texts_and_unknown_tokens_are_marked() -> None:
    texts = ("w0", "w0 x", "x y z", "", "x y w0")
    rows = predict_rows(make_predictor("binary", [logit(0.9)]), *texts)
    assert [row["truncated"] for row in rows] == [False, False, True, False, True]
    assert [row["unknown_share"] for row in rows] == [0.0, 0.5, 1.0, 1.0, 0.666667]
    # The network reads two tokens, so it does not see the known one of the last text
    assert [row["no_known_token"] for row in rows] == [False, False, True, True, True]


def test_texts_without_a_known_token_are_marked_on_a_terminal(run: Run, invoke: Invoke) -> None:
    texts = ("-t", "great", "-t", "qwx zzv", "-t", "", "-t", "qwx " * 9)
    done = invoke("predict", *texts, "--run", run.path)
    header, _, *rows = map(str.split, done.stdout.splitlines())
    assert header[2:] == ["OOV", "note", "text"]
    assert [" ".join(row[2:]) for row in rows] == [
        "0.0% great",
        "100.0% no known token qwx zzv",
        "100.0% no known token",
        f"100.0% truncated, no known token {' '.join(['qwx'] * 9)}",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
def test_texts_without_a_known_token_are_marked_in_files(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, name: str
) -> None:
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    assert done.stderr.splitlines()[1:] == [
        f"{tmp_path / name}: 5 rows written",
        f"{table}: 6 lines, 5 rows: quoted cells span lines, or lines are blank",
        "3 rows have no known token: their prediction is the model's default",
    ]
    rows = open_table(str(tmp_path / name), ["no_known_token"]).read(["no_known_token"])
    marked = rows.column("no_known_token").to_pylist()
    assert marked == ["false", "true", "false", "true", "true"]
    stderr = invoke("predict", table, "--run", run.path, "-o", tmp_path / name, "-q").stderr
    assert stderr == ""


def test_texts_without_a_known_token_are_marked_on_standard_output(
    run: Run, invoke: Invoke
) -> None:
    args = ("predict", "-", "--run", run.path, "-q")
    lines = invoke(*args, text="great\nqwx\n").stdout.splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["no_known_token", "false", "true"]
    printed = json.loads(invoke(*args, "--json", text="great\nqwx\n").stdout)["predictions"]
    assert [row["no_known_token"] for row in printed] == [False, True]
    stderr = invoke(*args[:-1], text="qwx\n").stderr
    assert stderr == "1 row has no known token: its prediction is the model's default\n"


def test_progress_counts_the_rows_and_knows_the_fraction_of_the_table(
    run: Run, table: Path, tmp_path: Path
) -> None:
    activities: list[Activity | None] = []
    with listening(activities.append):
        summary = predict(run, str(table), PredictionRequest(output=tmp_path / "o.csv"))
    (predicting,) = (each for each in activities if each is not None and each.unit == "rows")
    assert (predicting.name, predicting.done) == ("predicting", summary.row_count)
    assert predicting.fraction == 1.0


def test_a_short_prediction_shows_no_rate(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / "o.csv", "--progress=plain")
    assert "predicting" in done.stderr
    assert "rows/s" not in done.stderr


def test_prediction_needs_no_tensorflow(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    code = (
        "import sys, embedclf; embedclf.load('run').predict_proba(['great']); "
        "assert not {'tensorflow', 'keras', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("arguments", [["-t", "good"], ["in.csv"], ["in.csv", "-o", "out.jsonl"]])
def test_the_command_imports_no_heavy_module(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(table.parent)
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", "predict", *arguments]
    done = subprocess.run(
        [*command, "--run", str(run.path)], capture_output=True, text=True, check=True
    )
    for module in ("tensorflow", "keras", "pandas", "sklearn"):
        assert not re.search(rf"\| +{module}\b", done.stderr), module
