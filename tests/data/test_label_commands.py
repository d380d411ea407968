"""Labels in several forms, from the training to the prediction, through the commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = range(1, 12)

CONFIG = """
data:
  {{train: {train}, validation: 0.2, test: test.csv, text: text, label: label,
   label_separator: null, skip_invalid: false, merge_label_forms: {merge}}}
text:
  {{unit: word, vocabulary_size: 100, sequence_length: 4, min_count: 1, ngrams: 1,
   ngram_vocabulary_size: 1000}}
model: {{embedding_dim: 8, initialization: random, pooling: average, dropout: 0.0}}
training:
  {{epochs: 1, batch_size: 16, learning_rate: 0.05, schedule: constant, refit: false,
   class_weight: none, calibration: none, threshold: 0.5, epochs_by: validation}}
"""


def write_tables(folder: Path) -> None:
    """Write tables with the same labels in different forms."""
    for name, form in (("a", "{}.0"), ("b", "{}.0"), ("c", "0{}"), ("test", "{}")):
        rows = [(f"{name} {n} word{n} {i}", form.format(n)) for n in NUMBERS for i in range(3)]
        write_csv(folder / f"{name}.csv", ["text", "label"], rows)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """Tables, and a run of several files whose forms are merged."""
    folder = tmp_path_factory.mktemp("labels")
    write_tables(folder)
    config = CONFIG.format(train="[a.csv, b.csv, c.csv]", merge="true")
    (folder / "merged.yaml").write_text(config)
    invoke("train", folder / "merged.yaml", "-q", "--no-baseline", "-o", folder / "merged")
    return folder


def test_numeric_labels_keep_their_order_in_the_outputs(directory: Path, invoke: Invoke) -> None:
    arguments = (directory / "test.csv", "--run", directory / "merged", "--all-probabilities")
    header = invoke("predict", *arguments).stdout.splitlines()[0].split(",")
    columns = [name for name in header if name.startswith("probability_")]
    assert columns == [f"probability_{number}.0" for number in NUMBERS]


def test_a_run_reads_all_forms_of_its_labels(directory: Path, invoke: Invoke) -> None:
    run = directory / "merged"
    for table in ("test", "c"):
        arguments = ("--data", directory / f"{table}.csv", "--no-baseline", "--json")
        evaluation = json.loads(invoke("evaluate", run, *arguments).stdout)
        assert evaluation["unknown_labels"] == {}
        assert [(label["label"], label["rows"]) for label in evaluation["labels"]] == [
            (f"{number}.0", 3) for number in NUMBERS
        ]
    explained = invoke("explain", "-t", "word3", "--run", run, "--label", "03", "--json").stdout
    assert json.loads(explained)["explanations"][0]["label"] == "3.0"


def test_a_score_of_0_because_of_other_forms_is_explained(directory: Path, invoke: Invoke) -> None:
    config = directory / "unmerged.yaml"
    config.write_text(CONFIG.format(train="a.csv", merge="false"))
    run = directory / "unmerged"
    trained = unwrapped(invoke("train", config, "-q", "--no-baseline", "-o", run).stdout)
    reason = "'1' is a form of '1.0', '2' is a form of '2.0'"
    fix = "train with data.merge_label_forms: true"
    evaluated = unwrapped(invoke("evaluate", run, "--no-baseline").stdout)
    for output in (trained, evaluated):
        assert reason in output
        assert fix in output
