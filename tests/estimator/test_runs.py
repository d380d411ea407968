from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

import embedclf
from embedclf.errors import ConfigError, DataError, RunError
from embedclf.estimator.run_files import opened, read_run, write_run
from tests.conftest import write_csv
from tests.estimator.conftest import LABELS, TEXTS

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS})

CONFIG = """
data: {train: t.csv, text: text, label: label}
training: {epochs: 4, epochs_by: validation, refit: false, learning_rate: 0.05}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    write_csv(made / "t.csv", ["text", "label"], zip(TEXTS, LABELS, strict=True))
    (made / "c.yaml").write_text(CONFIG, encoding="utf-8")
    embedclf.train(made / "c.yaml", output=made / "run")
    return made


def test_a_config_is_trained_and_the_run_is_loaded(folder: Path) -> None:
    run = embedclf.Run.open(folder / "run")
    assert run.path == folder / "run"
    assert run.record["task"] == "binary"
    assert run.metrics["validation"]["accuracy"] == 1.0
    assert repr(run) == f"Run('{folder / 'run'}', accuracy 1.0000)"
    expected = embedclf.load(folder / "run").predict_proba(TEXTS)
    assert (run.classifier().predict_proba(TEXTS) == expected).all()


def test_a_table_is_trained_into_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run = embedclf.train("t.csv")
    assert str(run.path) == "runs/t-1"
    assert (run.path / "run.json").exists()


def test_a_run_is_evaluated_on_a_data_frame(folder: Path) -> None:
    run = embedclf.Run.open(folder / "run")
    wrong = FRAME.head(10).assign(label=["pos", "pos", *LABELS[2:10]])
    evaluation = run.evaluate(wrong)
    assert evaluation.scores.metrics["accuracy"] == 0.9
    assert len(evaluation.mistakes) == 1
    assert evaluation.mistakes[0].actual == ("pos",)
    with pytest.raises(DataError, match=r"^X has no column 'label'; its columns: text$"):
        run.evaluate(FRAME[["text"]])
    with pytest.raises(DataError, match=r"^rows must be a data frame, not a list$"):
        run.evaluate(TEXTS)
    arrow = run.evaluate(pa.Table.from_pandas(wrong))
    assert arrow.scores.metrics == evaluation.scores.metrics


def test_labels_of_a_data_frame_can_be_lists(folder: Path) -> None:
    labels = [f"{label}|new" if n % 4 < 2 else label for n, label in enumerate(LABELS)]
    write_csv(folder / "several.csv", ["text", "label"], zip(TEXTS, labels, strict=True))
    config = CONFIG.replace("t.csv", "several.csv").replace("label: label", "label_separator: '|'")
    (folder / "several.yaml").write_text(config, encoding="utf-8")
    run = embedclf.train(folder / "several.yaml", output=folder / "several")
    of_texts = run.evaluate(FRAME.assign(label=labels))
    of_lists = run.evaluate(FRAME.assign(label=pd.Series(labels).str.split("|")))
    assert of_lists.scores.metrics == of_texts.scores.metrics


def test_what_cannot_be_trained_is_reported(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        embedclf.train(tmp_path / "no.csv")
    rows = zip(TEXTS, TEXTS, LABELS, strict=True)
    table = write_csv(tmp_path / "two.csv", ["a", "b", "label"], rows)
    with pytest.raises(DataError, match=r"could be the text; name it: data.text in a config\ncol"):
        embedclf.train(table)
    with pytest.raises(ConfigError, match="No such file"):
        embedclf.train(tmp_path / "no.yaml")
    with pytest.raises(RunError, match="already exists"):
        embedclf.train(folder / "c.yaml", output=folder / "run")


def test_objects_have_short_names(folder: Path) -> None:
    assert repr(embedclf.load(folder / "run")).startswith("Classifier(binary, 2 labels, ")
    with opened(read_run(folder / "run")) as run:
        assert len(repr(run)) < 200


def test_files_of_a_run_are_written_as_they_were(folder: Path, tmp_path: Path) -> None:
    files = read_run(folder / "run")
    write_run(files, tmp_path / "new" / "copy")
    assert read_run(tmp_path / "new" / "copy") == files


@pytest.mark.parametrize("name", ["../escaped", "/etc/escaped", "run.json.bak"])
def test_only_files_of_runs_are_written(folder: Path, tmp_path: Path, name: str) -> None:
    files = read_run(folder / "run") | {name: b"x"}
    with pytest.raises(RunError, match=r"not a file of a run; train again$"):
        write_run(files, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_not_saved(folder: Path, tmp_path: Path) -> None:
    files = read_run(folder / "run") | {"labels.json": b"{}"}
    with pytest.raises(RunError, match="damaged: wrong SHA-256"):
        write_run(files, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_of_the_package_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'embedclf' has no attribute 'Classifer'"):
        embedclf.Classifer  # noqa: B018
    assert {"TextClassifier", "train", "load", "Run"} <= set(dir(embedclf))
