"""From a config to a run: what is kept, what is the same twice, what is never kept."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tracemalloc
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
from embedclf.training import train
from embedclf.training.checkpoints import training_id
from tests.conftest import BAD, GOOD, THINGS, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.training.train import TrainEvent


def weights_of(run: Run) -> bytes:
    with zipfile.ZipFile(run.path / "model.keras") as archive:
        return archive.read("model.weights.h5")


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_run_has_all_its_files_and_beats_the_majority_baseline(
    task: str, runs: dict[str, Run]
) -> None:
    run = runs[task]
    names = {
        "config.yaml",
        "model.keras",
        "weights.json",
        "text.json",
        "tokens.arrow",
        "labels.json",
        "history.csv",
        "metrics.json",
        "run.json",
        "rows.arrow",
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
    ids = classifier.tokenizer.encode(texts).ids.pad(classifier.tokenizer.input_length)
    difference = np.abs(np.asarray(model(ids)) - classifier.predict_proba(texts))
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


def test_the_config_of_a_run_reproduces_its_weights(runs: dict[str, Run], workplace: Path) -> None:
    run = runs["binary"]
    again = train.train(run.config(), name="again")
    assert again.path.resolve() == workplace / "runs" / "again-1"
    assert weights_of(again) == weights_of(run)
    assert again.config() == run.config()


def test_equal_seeds_give_identical_weights_and_other_seeds_do_not(workplace: Path) -> None:
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


def test_a_sequence_length_that_no_text_reaches_costs_nothing(workplace: Path) -> None:
    """Neither memory, nor bytes of a run; padded ids would take 400 kB for each row."""
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(400))
    settings = ["model.pooling=sqrt", "text.ngrams=2", "training.epochs=2", "training.refit=true"]
    weights, sizes = list[bytes](), list[dict[str, int]]()
    for length in (100, 100_000):
        overrides = [*settings, f"text.sequence_length={length}"]
        config = load_config(workplace / "binary.yaml", overrides)
        tracemalloc.start()
        run = train.train(config, name=f"of-{length}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50e6
        weights.append(weights_of(run))
        sizes.append({file.name: file.stat().st_size for file in run.path.glob("*.arrow")})
    assert weights[0] == weights[1]
    assert sizes[0] == sizes[1]


def test_a_test_table_does_not_influence_the_weights(runs: dict[str, Run], workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["data.test=null"])
    run = train.train(config, name="untested")
    assert weights_of(run) == weights_of(runs["binary"])
    assert set(run.metrics()) == {"validation"}


def test_the_vocabulary_is_learned_from_training_rows_alone(workplace: Path) -> None:
    rows = [*reviews(20), ("onlyhere great", "pos")]
    write_csv(workplace / "valid.csv", ["text", "label"], rows)
    config = load_config(workplace / "binary.yaml", ["data.validation=valid.csv"])
    dataset = prepare_dataset(config)
    assert "onlyhere" not in dataset.tokenizer.tokens
    assert len(dataset.train) == 160
    assert len(dataset.validation) == 21


def test_validation_labels_without_training_rows_are_refused(workplace: Path) -> None:
    write_csv(workplace / "valid.csv", ["text", "label"], [("a", "posi"), ("b", "neg")])
    config = load_config(workplace / "binary.yaml", ["data.validation=valid.csv"])
    with pytest.raises(
        DataError, match=r"no training row has label 'posi' \(1 row here.*did you mean 'pos'\?"
    ):
        prepare_dataset(config)


def test_too_few_rows_to_validate_on_are_refused(workplace: Path) -> None:
    write_csv(workplace / "few.csv", ["text", "label"], [("a", "x"), ("b", "y")])
    config = load_config(workplace / "binary.yaml", ["data.train=few.csv", "data.test=null"])
    with pytest.raises(
        DataError, match=r"too few texts to hold out validation rows .of 2 different texts"
    ):
        prepare_dataset(config)


def test_texts_without_a_token_are_refused(workplace: Path) -> None:
    rows = [("!" * n, "xy"[n % 2]) for n in range(40)]
    write_csv(workplace / "blank.csv", ["text", "label"], rows)
    config = load_config(workplace / "binary.yaml", ["data.train=blank.csv", "data.test=null"])
    with pytest.raises(DataError, match="no text has a token"):
        prepare_dataset(config)


def test_a_class_weight_for_an_unknown_label_is_refused(workplace: Path) -> None:
    for given, hint in (("psi", "did you mean 'pos'?"), ("zz", "labels: neg, pos")):
        config = load_config(workplace / "binary.yaml", [f"training.class_weight={{{given}: 2}}"])
        with pytest.raises(ConfigError, match="no training row has label") as caught:
            prepare_dataset(config)
        assert hint in str(caught.value)


def test_a_run_whose_numpy_scores_differ_from_keras_is_not_kept(workplace: Path) -> None:
    """Enormous vectors cancel; what float32 leaves of them depends on the order of the sum."""
    rng = np.random.default_rng(5)
    vectors = {word: rng.normal(0, 1e6, 8) for word in GOOD}
    vectors |= {bad: -vectors[good] for good, bad in zip(GOOD, BAD, strict=True)}
    vectors |= {thing: rng.normal(0, 1, 8) for thing in THINGS}
    lines = [" ".join([word, *(f"{x:.4f}" for x in vector)]) for word, vector in vectors.items()]
    (workplace / "enormous.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    texts = [f"{g} {thing} {b}" for thing in THINGS for g, b in zip(GOOD, BAD, strict=True)]
    rows = [(text, ("pos", "neg")[n % 2]) for n, text in enumerate(texts)]
    write_csv(workplace / "binary.csv", ["text", "label"], rows)
    flags = [
        "data.test=null",
        "model.initialization=enormous.txt",
        "model.trainable_embedding=false",
        "model.pooling=average",
        "training.epochs=1",
    ]
    with pytest.raises(TrainingError, match="NumPy and Keras differ by"):
        train.train(load_config(workplace / "binary.yaml", flags), name="x")
    assert not (workplace / "runs").exists()


def test_a_refused_training_leaves_no_empty_folders(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["data.train=no.csv"])
    with pytest.raises(ConfigError, match=r"data\.train: no\.csv: no such file"):
        train.train(config, name="x", output=workplace / "deep" / "er" / "run")
    assert not (workplace / "deep").exists()


INTERRUPTED_WRITING = """
import os, signal, sys
def interrupt(event, args):
    if event != "open" or not args[2] & (os.O_WRONLY | os.O_RDWR):
        return
    if str(args[0]).endswith(("config.yaml", "history.csv")):
        os.write(1, b"Ctrl-C ")
        signal.raise_signal(signal.SIGINT)
from embedclf.__main__ import run
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(interrupt)
sys.argv[1:] = ["train", "binary.yaml", "-s", "training.epochs=1"]
run()
"""
"""Presses Ctrl-C when files of the run are opened for writing."""


def test_ctrl_c_does_not_interrupt_the_writing_of_a_run(workplace: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED_WRITING]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Ctrl-C Ctrl-C ")
    assert Run.open(workplace / "runs" / "binary-1").record["ended"] == "all_epochs"


def test_equal_texts_in_different_unicode_forms_go_to_the_same_split(workplace: Path) -> None:
    rows = [(f"café {n} don't", "xy"[n % 2]) for n in range(100)]
    twins = [(unicodedata.normalize("NFD", t).replace("'", "’").upper(), y) for t, y in rows]
    write_csv(workplace / "twins.csv", ["text", "label"], [*rows, *twins])
    flags = ["data.train=twins.csv", "data.test=null", "data.validation=0.3"]
    dataset = prepare_dataset(load_config(workplace / "binary.yaml", flags))
    first, second = (
        {row % 100 for row in split.rows.positions.tolist()}
        for split in (dataset.train, dataset.validation)
    )
    assert not first & second


def test_an_interrupted_training_leaves_a_run_marked_as_interrupted(workplace: Path) -> None:
    def on_event(event: TrainEvent) -> None:
        if isinstance(event, Step) and event.epoch == 3:
            raise KeyboardInterrupt

    run = train.train(load_config(workplace / "binary.yaml"), name="x", on_event=on_event)
    assert Run.open(run.path).record["ended"] == "interrupted"
    assert run.record["epochs"] == 2


def test_an_interrupt_in_the_first_epoch_leaves_nothing(workplace: Path) -> None:
    def on_event(event: TrainEvent) -> None:
        if isinstance(event, Step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(load_config(workplace / "binary.yaml"), name="x", on_event=on_event)
    assert not (workplace / "runs").exists()


def test_a_run_never_overwrites_another(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["training.epochs=1"])
    run = train.train(config, name="x", output=workplace / "deep" / "mine")
    assert run.path == workplace / "deep" / "mine"
    assert run.config() == config
    with pytest.raises(RunError, match="already exists; choose another path with -o"):
        train.train(config, name="x", output=workplace / "deep" / "mine")


def test_an_unwritable_output_is_refused_before_training(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    with pytest.raises(RunError, match="cannot be written"):
        train.train(config, name="x", output=workplace / "binary.csv" / "run")


def test_a_tensorboard_log_has_train_and_validation_events(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml", ["training.epochs=2"])
    train.train(config, name="x", tensorboard=workplace / "log")
    events = [file for file in (workplace / "log").rglob("events.*") if file.stat().st_size > 100]
    assert {file.parent.name for file in events} == {"train", "validation"}


def test_an_unwritable_tensorboard_log_is_refused_before_training(workplace: Path) -> None:
    config = load_config(workplace / "binary.yaml")
    with pytest.raises(TrainingError, match=r"--tensorboard .*binary\.csv/log: Not a directory"):
        train.train(config, name="x", tensorboard=workplace / "binary.csv" / "log")


def test_a_missing_gpu_is_refused(workplace: Path) -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    flags = ["training.device=gpu", "model.initialization=vectors.txt"]
    config = load_config(workplace / "binary.yaml", flags)
    identifier = training_id(config, prepare_dataset(config).hashes())
    checkpoint = workplace / "runs" / f".unfinished-{identifier}"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    events: list[TrainEvent] = []
    with pytest.raises(TrainingError, match="TensorFlow finds no GPU"):
        train.train(config, name="x", on_event=events.append, resume=True)
    assert [type(event).__name__ for event in events] == ["Dataset", "Coverage"]
    assert checkpoint.exists()  # it can be resumed where there is a GPU


def test_labels_json_is_utf8(runs: dict[str, Run]) -> None:
    labels = json.loads((runs["multilabel"].path / "labels.json").read_text(encoding="utf-8"))
    assert labels["names"] == ["a", "b", "c"]
