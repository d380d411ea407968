"""From a config to a run: what is kept, what is the same twice, what is never kept."""

from __future__ import annotations

import csv
import json
import signal
import unicodedata
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf import __version__
from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.errors import ConfigError, DataError, RunError, TrainingError
from embedclf.model.backend import keras
from embedclf.runs.history import Step
from embedclf.runs.run import Run
from embedclf.runs.writer import RunDraft
from embedclf.training import finishing, train
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.training.train import Told


def weights_of(run: Run) -> bytes:
    with zipfile.ZipFile(run.path / "model.keras") as archive:
        return archive.read("model.weights.h5")


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_run_holds_all_it_should_and_learned_something(task: str, runs: dict[str, Run]) -> None:
    run = runs[task]
    names = {
        "config.yaml",
        "model.keras",
        "text.json",
        "labels.json",
        "history.csv",
        "metrics.json",
        "run.json",
        "rows.npz",
    }
    assert {file.name for file in run.path.iterdir()} == names
    record = run.record
    assert record["task"] == task
    assert record["device"]["kind"] in {"cpu", "gpu"}
    assert record["packages"]["embedclf"] == __version__
    assert record["seed"] == 42
    assert record["parity"] <= 1e-5
    assert record["ended"] in {"all_epochs", "early_stopping"}
    assert set(record["files"]) == names - {"run.json", "metrics.json"}
    with (run.path / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    score = "micro_f1" if task == "multilabel" else "accuracy"
    assert list(history[0]) == [
        "epoch",
        "seconds",
        "rows_per_second",
        "loss",
        score,
        "val_loss",
        f"val_{score}",
    ]
    assert len(history) == record["epochs"]
    validation = run.metrics()["validation"]
    assert validation["scores"][score] > validation["majority"][score]
    kept = history[record["best_epoch"] - 1]
    assert validation["scores"][score] == pytest.approx(float(kept[f"val_{score}"]), abs=1e-5)


def test_keras_loads_the_model_without_embedclf(runs: dict[str, Run]) -> None:
    run = runs["multiclass"]
    model = keras.models.load_model(run.path / "model.keras")
    classifier = run.classifier()
    texts = ["about heat heat and great 3", "", "wind"]
    ids = classifier.tokenizer.encode(texts).ids
    difference = np.abs(model.predict(ids, verbose=0) - classifier.predict_proba(texts))
    assert difference.max() <= 1e-5
    assert [layer.name for layer in model.layers] == [
        "token_ids",
        "embedding",
        "average",
        "dropout_pooling",
        "hidden_1",
        "dropout_hidden_1",
        "output",
    ]


def test_the_run_s_config_trains_the_same_again(runs: dict[str, Run], workplace: Path) -> None:
    run = runs["binary"]
    again = train.train(run.config(), name="again")
    assert again.path.resolve() == workplace / "runs" / "again-1"
    assert weights_of(again) == weights_of(run)
    assert again.config() == run.config()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(workplace: Path) -> None:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(1500))
    overrides = [
        f"data.train={workplace}/many.csv",
        "model.embedding_dim=64",
        "model.dropout=0.2",
        "text.sequence_length=40",
        "training.epochs=2",
        "training.batch_size=256",
    ]
    first, second, other = (
        train.train(load_config(workplace / "binary.yaml", [*overrides, seed]), name="x")
        for seed in ("seed=1", "seed=1", "seed=2")
    )
    assert weights_of(first) == weights_of(second)
    assert weights_of(first) != weights_of(other)
    assert [run.path.name for run in (first, second, other)] == ["x-1", "x-2", "x-3"]


def test_a_test_table_changes_nothing_that_is_learned(
    runs: dict[str, Run], workplace: Path
) -> None:
    config = load_config(workplace / "binary.yaml", ["data.test=null"])
    run = train.train(config, name="untested")
    assert weights_of(run) == weights_of(runs["binary"])
    assert set(run.metrics()) == {"validation"}


def test_the_vocabulary_and_labels_come_from_training_rows_alone(workplace: Path) -> None:
    rows = [*reviews(20), ("onlyhere great", "pos")]
    write_csv(workplace / "valid.csv", ["text", "label"], rows)
    config = load_config(workplace / "binary.yaml", ["data.validation=valid.csv"])
    ready = prepare_dataset(config)
    assert "onlyhere" not in ready.tokenizer.tokens
    assert len(ready.train) == 160
    assert len(ready.validation) == 21


def test_validation_labels_without_training_rows_are_refused(workplace: Path) -> None:
    write_csv(workplace / "valid.csv", ["text", "label"], [("a", "posi"), ("b", "neg")])
    config = load_config(workplace / "binary.yaml", ["data.validation=valid.csv"])
    with pytest.raises(
        DataError, match=r"no training row has label 'posi' \(rows here: 1; .*did you mean 'pos'\?"
    ):
        prepare_dataset(config)


def test_too_few_rows_to_validate_on_are_refused(workplace: Path) -> None:
    write_csv(workplace / "few.csv", ["text", "label"], [("a", "x"), ("b", "y")])
    config = load_config(workplace / "binary.yaml", ["data.train=few.csv", "data.test=null"])
    with pytest.raises(DataError, match=r"2 rows of 2 different texts leave none to validate on"):
        prepare_dataset(config)


def test_texts_without_a_token_are_refused(workplace: Path) -> None:
    rows = [("!" * n, "xy"[n % 2]) for n in range(40)]
    write_csv(workplace / "blank.csv", ["text", "label"], rows)
    config = load_config(workplace / "binary.yaml", ["data.train=blank.csv", "data.test=null"])
    with pytest.raises(DataError, match="no text holds a token"):
        prepare_dataset(config)


def test_a_weight_for_an_unknown_label_is_refused(workplace: Path) -> None:
    for given, hint in (("psi", "did you mean 'pos'?"), ("zz", "there are neg, pos")):
        config = load_config(workplace / "binary.yaml", [f"training.class_weight={{{given}: 2}}"])
        with pytest.raises(ConfigError, match="no training row has label") as caught:
            prepare_dataset(config)
        assert hint in str(caught.value)


def test_nothing_is_left_when_numpy_and_keras_disagree(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "PARITY", -1.0)
    config = load_config(workplace / "binary.yaml", ["training.epochs=1"])
    with pytest.raises(TrainingError, match="NumPy and Keras differ by"):
        train.train(config, name="x")
    assert not (workplace / "runs").exists()


def test_a_refused_training_leaves_no_empty_folders(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["data.train=no.csv"])
    with pytest.raises(ConfigError, match=r"data\.train: no\.csv: no such file"):
        train.train(config, name="x", output=workplace / "deep" / "er" / "run")
    assert not (workplace / "deep").exists()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_the_run_is_written_waits(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunDraft.write

    def press(draft: RunDraft, name: str, content: str) -> None:
        signal.raise_signal(signal.SIGINT)
        write(draft, name, content)

    monkeypatch.setattr(RunDraft, "write", press)
    run = train.train(load_config(workplace / "binary.yaml", ["training.epochs=1"]), name="x")
    assert Run.open(run.path).record["ended"] == "all_epochs"


def test_twins_of_another_unicode_form_stay_on_one_side(workplace: Path) -> None:
    rows = [(f"café {n} don't", "xy"[n % 2]) for n in range(100)]
    twins = [(unicodedata.normalize("NFD", t).replace("'", "’").upper(), y) for t, y in rows]
    write_csv(workplace / "twins.csv", ["text", "label"], [*rows, *twins])
    flags = ["data.train=twins.csv", "data.test=null", "data.validation=0.3"]
    ready = prepare_dataset(load_config(workplace / "binary.yaml", flags))
    first, second = (
        {row % 100 for row in part.rows.rows.tolist()} for part in (ready.train, ready.validation)
    )
    assert not first & second


def test_an_interrupted_training_leaves_a_run_that_says_so(workplace: Path) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, Step) and told.epoch == 3:
            raise KeyboardInterrupt

    run = train.train(load_config(workplace / "binary.yaml"), name="x", on_event=on_event)
    assert Run.open(run.path).record["ended"] == "interrupted"
    assert run.record["epochs"] == 2


def test_an_early_interrupt_leaves_nothing(workplace: Path) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, Step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(load_config(workplace / "binary.yaml"), name="x", on_event=on_event)
    assert not (workplace / "runs").exists()


def test_a_run_never_overwrites(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["training.epochs=1"])
    run = train.train(config, name="x", output=workplace / "deep" / "mine")
    assert run.path == workplace / "deep" / "mine"
    assert run.config() == config
    with pytest.raises(RunError, match="exists; a run never overwrites"):
        train.train(config, name="x", output=workplace / "deep" / "mine")


def test_a_place_that_cannot_hold_a_run_is_refused_before_the_work(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    with pytest.raises(RunError, match="cannot be written"):
        train.train(config, name="x", output=workplace / "binary.csv" / "run")


def test_tensorboard_gets_a_log(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["training.epochs=2"])
    train.train(config, name="x", tensorboard=workplace / "log")
    events = [file for file in (workplace / "log").rglob("events.*") if file.stat().st_size > 100]
    assert {file.parent.name for file in events} == {"train", "validation"}


def test_a_log_that_cannot_be_kept_is_refused_before_the_work(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    with pytest.raises(TrainingError, match=r"binary\.csv/log: cannot hold a log"):
        train.train(config, name="x", tensorboard=workplace / "binary.csv" / "log")


def test_a_gpu_that_is_not_there_is_refused(workplace: Path) -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    config = load_config(workplace / "binary.yaml", ["training.device=gpu"])
    with pytest.raises(TrainingError, match="TensorFlow sees none"):
        train.train(config, name="x")


def test_labels_json_is_utf8_as_written(runs: dict[str, Run]) -> None:
    labels = json.loads((runs["multilabel"].path / "labels.json").read_text(encoding="utf-8"))
    assert labels["names"] == ["a", "b", "c"]
