"""Naive Bayes initialization: how informative tokens are, and the rows and rates they get."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.training.divergence import label_divergence
from embedclf.training.initialization import initialize, naive_bayes_rows
from embedclf.training.steps.losses import loss_targets
from embedclf.training.steps.train_step import TrainSteps
from tests.conftest import write_csv
from tests.training.test_loop import build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

START = "model.initialization=naive_bayes"
ROWS = [("good film", "pos"), ("good good day", "pos"), ("bad film", "neg"), ("bad day", "neg")] * 9


def first_rows(dataset: Dataset) -> tuple[Any, Any]:
    return naive_bayes_rows(dataset, label_divergence(dataset))


def prepare(folder: Path, *overrides: str, rows: list[tuple[str, str]] = ROWS) -> Dataset:
    write_csv(folder / "rows.csv", ["text", "label"], rows)
    write_csv(folder / "held.csv", ["text", "label"], rows[:4])
    (folder / "config.yaml").write_text(
        "data: {train: rows.csv, validation: held.csv}\n"
        "text: {sequence_length: 3}\n"
        "model: {embedding_dim: 4, initialization: naive_bayes}\n"
    )
    return prepare_dataset(load_config(folder / "config.yaml", overrides))


def by_token(dataset: Dataset, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    ids = np.arange(dataset.tokenizer.vocabulary_rows, dtype=np.int32)
    return dict(zip(dataset.tokenizer.decode(ids), values.tolist(), strict=True))


@pytest.mark.parametrize("words_count", [8, 400])
@pytest.mark.parametrize("labels", [("pos", "neg"), ("a", "b", "c"), tuple("abcdefghijkl")])
def test_informativeness_is_the_divergence_from_the_label_prior(
    tmp_path: Path, labels: tuple[str, ...], words_count: int
) -> None:
    rng = np.random.default_rng(3)
    words = [f"w{number}" for number in range(words_count)]
    rows = [
        (" ".join(rng.choice(words[place % 3 :], 3)), labels[place % len(labels)])
        for place in range(60)
    ]
    dataset = prepare(tmp_path, rows=rows)
    counts = {name: Counter[str]() for name in labels}
    for text, label in rows:
        counts[label].update(text.split())
    every = sum(counts.values(), Counter[str]())
    independent = labels[1:] if len(labels) == 2 else labels  # of two labels one implies the other
    words = [word for word in words if every[word]]
    expected = dict.fromkeys(words, 0.0)
    for word in words:
        for label in independent:
            prior = counts[label].total() / every.total()
            posterior = (counts[label][word] + 0.5 * prior) / (every[word] + 0.5)
            expected[word] += sum(
                p * math.log(p / q)
                for p, q in ((posterior, prior), (1 - posterior, 1 - prior))
                if p > 0
            )
    found = by_token(dataset, label_divergence(dataset))
    roots = {word: math.sqrt(value) for word, value in expected.items()}
    assert {word: found[word] for word in words} == pytest.approx(roots, abs=1e-5)


def test_rare_tokens_are_less_informative_than_frequent_ones(tmp_path: Path) -> None:
    rows = [*ROWS, ("seldom film", "pos"), ("film", "neg")]
    dataset = prepare(tmp_path, rows=rows)
    divergence = by_token(dataset, label_divergence(dataset))
    assert divergence["film"] < divergence["seldom"] < divergence["good"]


def test_informative_tokens_start_larger_and_learn_faster(tmp_path: Path) -> None:
    dataset = prepare(tmp_path, "model.embedding_dim=64")
    rows, row_learning_rates = first_rows(dataset)
    rates = by_token(dataset, row_learning_rates)
    assert min(rates["good"], rates["bad"]) > 1.5
    assert max(rates["film"], rates["day"]) < 0.5
    assert (rates[""], rates[" "]) == (1.0, 1.0)
    assert np.mean([rates[word] for word in ("good", "bad", "film", "day")]) == pytest.approx(1.0)
    spreads = by_token(dataset, np.abs(rows).max(axis=1))
    for word, spread in spreads.items():
        assert 0.8 * 0.05 * rates[word] < spread <= 0.05 * rates[word] * 1.0001


def test_uninformative_tokens_have_a_learning_rate_of_zero(tmp_path: Path) -> None:
    dataset = prepare(tmp_path, rows=[("same", "pos"), ("same", "neg")] * 9)
    rows, row_learning_rates = first_rows(dataset)
    assert np.isfinite(rows).all()
    assert by_token(dataset, row_learning_rates)["same"] == 0.0


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_row_moves_by_its_learning_rate_times_the_step(tmp_path: Path, optimizer: str) -> None:
    dataset = prepare(tmp_path, f"training.optimizer={optimizer}", "model.pooling=sqrt")
    goals = loss_targets(dataset.train, dataset.labels)
    moves = []
    _, row_learning_rates = first_rows(dataset)
    for given in (None, row_learning_rates):
        net = build(dataset)
        before = net.get_layer("embedding").get_weights()[0]
        own = TrainSteps(net, dataset.config, given)
        ones = np.ones((len(goals), 1), np.float32)
        rate = np.full(2, 0.01, np.float32)
        own(own.block(dataset.train.ids, goals, ones, rate))
        moves.append(net.get_layer("embedding").get_weights()[0] - before)
    assert np.abs(moves[0][2:]).max() > 1e-4
    if optimizer == "sgd":  # the second step's slopes differ by what the first one moved
        assert moves[1] == pytest.approx(moves[0] * row_learning_rates[:, None], rel=0.05, abs=1e-5)
    assert (np.abs(moves[1]) > np.abs(moves[0])).all(axis=1)[2:].tolist() == (
        (row_learning_rates > 1)[2:].tolist()
    )


def test_naive_bayes_rows_depend_on_training_rows_alone(tmp_path: Path) -> None:
    first = initialize(prepare(tmp_path))
    write_csv(tmp_path / "held.csv", ["text", "label"], [("good film", "neg"), ("bad film", "pos")])
    again = initialize(prepare_dataset(load_config(tmp_path / "config.yaml")))
    assert first.rows is not None
    assert again.rows is not None
    assert (first.rows == again.rows).all()


@pytest.mark.parametrize("pooling", ["flatten", "average", "sqrt", "max"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_every_network_can_start_from_naive_bayes(
    workplace: Path, invoke: Invoke, task: str, pooling: str
) -> None:
    flags = [START, f"model.pooling={pooling}", "training.epochs=2"]
    flags += [f"text.ngrams={1 if pooling == 'flatten' else 2}"]
    given = [part for flag in flags for part in ("-s", flag)]
    invoke("train", workplace / f"{task}.yaml", "-q", *given)
    invoke("train", workplace / f"{task}.yaml", "-q", *given)
    first, again = ((workplace / f"runs/{task}-{n}/history.csv").read_text() for n in (1, 2))
    stdout = invoke("summary", workplace / f"runs/{task}-1").stdout
    assert "Tokens that indicate a label more strongly start further" in " ".join(stdout.split())
    assert f"\n{pooling} " in stdout
    losses = [[row.split(",")[3] for row in text.splitlines()] for text in (first, again)]
    assert losses[0] == losses[1]


def test_flatten_with_ngrams_is_refused(workplace: Path, invoke: Invoke) -> None:
    stderr = invoke("check", workplace / "binary.yaml", "-s", "text.ngrams=2", status=2).stderr
    assert "text.ngrams: above 1 needs model.pooling: sqrt, average or max" in stderr
    assert len(stderr.splitlines()) == 1
