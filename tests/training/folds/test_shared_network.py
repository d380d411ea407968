"""One network for several trainings, which use it in turn."""

from __future__ import annotations

import gc
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.model import backend, network
from embedclf.runs.history import Epoch
from embedclf.training import fitting, loop
from embedclf.training.folds.epochs import choose_epochs
from embedclf.training.folds.shared_network import SharedNetwork
from embedclf.training.initialization import initialize
from embedclf.training.steps.step_trainer import StepTrainer
from embedclf.training.steps.train_step import TrainSteps
from embedclf.training.warm_start import row_learning_rates
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

OPTIONS = ("training.epochs=4", "training.early_stopping=null", "model.dropout=0.3")


def prepare(project: Path, *overrides: str) -> Dataset:
    return prepare_dataset(load_config(project / "binary.yaml", [*OPTIONS, *overrides]))


def halves(dataset: Dataset) -> list[Dataset]:
    """The dataset with each half of its training rows."""
    is_even = np.arange(len(dataset.train)) % 2 == 0
    return [replace(dataset, train=dataset.train.filter(mask)) for mask in (is_even, ~is_even)]


def begin(dataset: Dataset, steps: TrainSteps | None) -> TrainSteps:
    initial = initialize(dataset)
    if steps is None:
        backend.start("cpu")
        built = fitting.build_network(dataset, initial)
        return TrainSteps.of(built, dataset, row_learning_rates(initial, dataset))
    steps.network.get_layer("embedding").set_weights([initial.rows])
    network.set_output_biases(steps.network, initial.biases)
    return steps.with_row_learning_rates(row_learning_rates(initial, dataset))


def to_losses(epochs: list[Epoch]) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.val_loss) for epoch in epochs]


@pytest.mark.parametrize("turns", ["0101 0101", "0011 1100", "0000 1111", "0111 1000"])
@pytest.mark.parametrize(
    "options",
    [("training.optimizer=adam",), ("model.initialization=naive_bayes", "training.optimizer=sgd")],
)
def test_trainings_in_turn_are_those_side_by_side(
    project: Path, options: tuple[str, ...], turns: str
) -> None:
    datasets = halves(prepare(project, *options))
    alone = [
        to_losses(
            [*loop.TrainingLoop(StepTrainer(begin(each, None), each), each).epochs(lambda: None)]
        )
        for each in datasets
    ]
    in_turn: list[list[Epoch]] = [[], []]
    with closing(SharedNetwork(begin, lambda: None)) as shared:
        trainings = [shared.train(each) for each in datasets]
        for number in map(int, turns.replace(" ", "")):
            in_turn[number].append(next(trainings[number]))
        assert [next(training, None) for training in trainings] == [None, None]
    assert [*map(to_losses, in_turn)] == alone
    assert alone[0] != alone[1]


def test_five_folds_hold_one_network(project: Path) -> None:
    dataset, seen = prepare(project, "training.epochs=2", "model.embedding_dim=7"), list[int]()

    def count() -> None:
        seen.append(sum(is_embedding(each, dataset) for each in gc.get_objects()))

    with closing(SharedNetwork(begin, count)) as shared:
        choice = choose_epochs(dataset, shared.train, None)
    assert choice is not None
    assert choice.folds == 5
    assert len(seen) >= 5 * 2
    assert {*seen} == {1}


def is_embedding(each: Any, dataset: Dataset) -> bool:
    if not isinstance(each, backend.tf.Variable):
        return False
    return tuple(each.shape) == (dataset.tokenizer.vocabulary_rows, 7)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_no_training_advances_further_than_the_mean_loss_needs(
    tmp_path: Path, patience: int
) -> None:
    table = write_csv(tmp_path / "rows.csv", ["text", "label"], reviews(60))
    path = tmp_path / "rows.yaml"
    path.write_text(f"data: {{train: {table}, text: text, label: label}}\n", encoding="utf-8")
    dataset, curve, taken = (
        prepare_dataset(load_config(path)),
        [5.0, 3, 4, 2, 9, 9, 9, 9, 9, 9],
        [0],
    )

    def train(_fold: Dataset) -> Generator[Epoch]:
        for number, loss in enumerate(curve, start=1):
            taken[0] += 1
            yield Epoch(number, 0.0, 0.0, 0.0, 0.0, val_loss=loss, val_score=0.0)

    choice = choose_epochs(dataset, train, patience)
    assert choice is not None
    assert choice.epochs == (2 if patience == 1 else 4)
    assert len(choice.losses) == choice.epochs + patience
    assert taken[0] == choice.folds * len(choice.losses)
