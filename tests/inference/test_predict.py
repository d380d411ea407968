"""Predicted labels, their probabilities, and the command that prints them."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pyarrow as pa
import pytest

from embedclf.cli.console import Display
from embedclf.cli.predict_progress import PredictProgress
from embedclf.data.labels import Labels
from embedclf.inference.predict import PredictionProgress, Predictor
from embedclf.model.classifier import Classifier
from embedclf.model.weights import Weights
from embedclf.system.arrow import Batch, text_column
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


def test_single_texts_are_printed_as_table_or_json(run: Run, invoke: Invoke) -> None:
    texts = ("-t", "great hotel, it was great", "-t", "awful film, it was awful")
    shown = invoke("predict", *texts, "--run", run.path).stdout
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["pos", "neg"]
    printed = json.loads(invoke("predict", *texts, "--run", run.path, "--json").stdout)
    assert printed["run"] == str(run.path)
    assert [row["prediction"] for row in printed["predictions"]] == ["pos", "neg"]
    assert [row["text"] for row in printed["predictions"]] == list(texts[1::2])


def test_several_labels_are_joined_by_a_separator(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["multilabel"].path
    printed = json.loads(invoke("predict", "-t", "b c 3", "--run", run, "--json").stdout)
    (row,) = printed["predictions"]
    assert row["prediction"] == "b|c"
    assert len(row["probability"].split("|")) == 2


def test_control_characters_are_escaped_on_a_terminal(run: Run, invoke: Invoke) -> None:
    stdout = invoke("predict", "-t", "a\x1b[31m\x9b\nb", "--run", run.path).stdout
    assert stdout.splitlines()[-1].endswith("a\u241b[31m\ufffd\u240ab")


def test_top_k_cannot_exceed_the_number_of_labels(run: Run, invoke: Invoke) -> None:
    stderr = invoke("predict", "-t", "x", "-k", "3", "--run", run.path, status=2).stderr
    assert "-k 3: " in stderr
    assert "knows 2 labels; ask for fewer" in stderr


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        ([], "Give one of INPUT, - for standard input, and -t TEXT;"),
        (["-", "-t", "x"], "Give one of INPUT, - for standard input, and -t TEXT;"),
        (["-t", "x", "--json", "-o", "x.csv"], "Give -o or --json, not both;"),
    ],
)
def test_exactly_one_input_and_one_output_are_accepted(
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
        Tokenizer("word", True, 2, words), labels, Weights("average", embedding, dense, None)
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
    def predict_one(task: Any, logits: list[float]) -> tuple[str, float | str]:
        (row,) = predict_rows(make_predictor(task, [logits]), "w0")
        return row["prediction"], row["probability"]

    assert predict_one("binary", logit(0.25)) == ("a", 0.75)
    assert predict_one("binary", logit(0.75)) == ("b", 0.75)
    assert predict_one("multiclass", [math.log(p) for p in (0.2, 0.5, 0.3)]) == ("b", 0.5)
    assert predict_one("multilabel", logit(0.6, 0.1, 0.9)) == ("a|c", "0.600000|0.900000")
    assert predict_one("multilabel", logit(0.1, 0.1, 0.1)) == ("", "")


def test_rows_of_a_batch_keep_their_own_labels() -> None:
    predictor = make_predictor(
        "multilabel", [logit(0.9, 0.1, 0.9), logit(0.1, 0.1, 0.1), logit(0.1, 0.9, 0.1)]
    )
    rows = predict_rows(predictor, "w1", "w0", "w1", "w2", "w0", "w1")
    assert [row["prediction"] for row in rows] == ["", "a|c", "", "b", "a|c", ""]


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
    ]
    assert list(row.values())[3:9] == [0.75, 0.25, "a", 0.75, "b", 0.25]


def test_the_top_label_of_a_tie_is_the_predicted_one() -> None:
    (row,) = predict_rows(make_predictor("binary", [[0.0]], top_k=2), "w0")
    assert (row["prediction"], row["best_1"], row["best_2"]) == ("b", "b", "a")


def test_truncated_texts_and_unknown_tokens_are_marked() -> None:
    rows = predict_rows(make_predictor("binary", [logit(0.9)]), "w0", "w0 x", "x y z", "")
    assert [row["truncated"] for row in rows] == [False, False, True, False]
    assert [row["unknown_share"] for row in rows] == [0.0, 0.5, 1.0, 0.0]


def test_plain_progress_is_a_line_with_rows_and_the_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with click.Context(click.Command("predict")):
        show = PredictProgress(Display("plain"), plain_seconds=0.0)
    show(PredictionProgress(rows=1_200, fraction_read=0.5))
    show(PredictionProgress(rows=2_400, fraction_read=1.0))
    first, last = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"1,200 rows  [\d,]+ rows/s  0 s left", first)
    assert re.fullmatch(r"2,400 rows  [\d,]+ rows/s  0 s left", last)


def test_a_short_prediction_shows_no_plain_line(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / "o.csv", "--progress=plain")
    assert "rows/s" not in done.stderr


def test_a_bar_is_shown_on_a_terminal(run: Run, table: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "embedclf", "predict", str(table), "--run", str(run.path)]
    subprocess.run(
        [*command, "-o", str(table.parent / "o.csv")],
        stderr=follower,
        check=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert re.search(r"5 rows {2}[\d,]+ rows/s", shown)
    assert shown.splitlines()[-1].endswith("o.csv: 5 rows written")


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
