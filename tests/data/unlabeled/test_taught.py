"""Taught texts: with certain probabilities, they are learned as labeled rows are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.data.unlabeled.taught import TaughtTexts
from embedclf.training import loop
from embedclf.training.divergence import label_divergence
from embedclf.training.initialization import initialize
from embedclf.training.steps.step_trainer import StepTrainer
from embedclf.training.steps.train_step import TrainSteps
from embedclf.training.steps.training_rows import TrainingRows
from tests.training.test_loop import build, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.data.dataset import Dataset

WEIGHTS = {"binary": "{pos: 3}", "multiclass": "{wind: 3}", "multilabel": "{b: 3}"}

TASKS = pytest.mark.parametrize("task", WEIGHTS)


def taught(dataset: Dataset, every: int = 2) -> Dataset:
    """Make every second training row a text that a teacher has labeled as it is labeled."""
    train = dataset.train
    mask = np.arange(len(train)) % every == 0
    labeled = replace(
        train, rows=train.rows.filter(mask), ids=train.ids[mask], targets=train.targets[mask]
    )
    y_prob = dataset.labels.binarize(train.targets[~mask]).astype(np.float32)
    return replace(dataset, train=labeled, taught=TaughtTexts(train.ids[~mask], y_prob, {}))


def reordered(dataset: Dataset, every: int = 2) -> Dataset:
    """Put the rows of a dataset in the order of `taught`."""
    train = dataset.train
    order = np.argsort(np.arange(len(train)) % every != 0, kind="stable")
    return replace(
        dataset, train=replace(train, ids=train.ids[order], targets=train.targets[order])
    )


@TASKS
def test_certain_texts_say_as_much_about_labels_as_labeled_rows(project: Path, task: str) -> None:
    dataset = prepare(project, task)
    found, expected = label_divergence(taught(dataset)), label_divergence(dataset)
    assert found == pytest.approx(expected, abs=1e-5)
    assert expected.max() > 0.1
    assert (taught(dataset).counts == dataset.counts).all()


@TASKS
@pytest.mark.parametrize("weighted", [False, True])
def test_certain_texts_count_in_the_biases(project: Path, task: str, weighted: bool) -> None:
    dataset = prepare(project, task, class_weight(task, weighted=weighted))
    expected = initialize(dataset).biases
    assert initialize(taught(dataset)).biases == pytest.approx(expected, abs=1e-5)


@TASKS
@pytest.mark.parametrize("weighted", [False, True])
def test_certain_texts_train_a_network_like_labeled_rows(
    project: Path, task: str, weighted: bool
) -> None:
    flags = ("training.epochs=2", "model.dropout=0", "training.learning_rate=0.01")
    dataset = prepare(project, task, *flags, class_weight(task, weighted=weighted))
    weights, losses = zip(*map(fitted, (reordered(dataset), taught(dataset))), strict=True)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for one, other in zip(*weights, strict=True):
        assert np.abs(one - other).max() < 1e-4


@TASKS
def test_uncertain_texts_pull_the_network_towards_their_probabilities(
    project: Path, task: str
) -> None:
    flags = ("training.epochs=12", "model.dropout=0", "training.class_weight=none")
    dataset = prepare(project, task, *flags)
    certain = taught(dataset, every=8)
    assert certain.taught is not None
    outputs = dataset.labels.outputs
    blurred = 0.5 if outputs == 1 else 1 / outputs
    y_prob = np.full_like(certain.taught.probabilities, blurred)
    uncertain = replace(certain, taught=replace(certain.taught, probabilities=y_prob))
    ids = dataset.train.ids.pad(dataset.tokenizer.input_length)
    distances = []
    for each in (certain, uncertain):
        net = build(each)
        loop.fit(
            StepTrainer(TrainSteps.of(net, each), each), each, epochs=12, on_event=lambda _: None
        )
        distances.append(float(np.abs(np.asarray(net(ids)) - blurred).mean()))
    assert distances[1] < 0.5 * distances[0]


def test_positions_count_through_labeled_rows_and_taught_texts(project: Path) -> None:
    dataset = taught(prepare(project, "binary"))
    rows = TrainingRows.of(dataset)
    assert dataset.taught is not None
    last = np.array([len(rows) - 1, 0])
    assert len(rows) == len(dataset.train) + len(dataset.taught)
    texts = [*rows.ids(last)]
    assert np.array_equal(texts[0], [*dataset.taught.ids][-1])
    assert np.array_equal(texts[1], next(iter(dataset.train.ids)))
    assert rows.targets(last)[0] == dataset.taught.probabilities[-1]
    assert rows.targets(last)[1] == dataset.train.targets[0]


def class_weight(task: str, *, weighted: bool) -> str:
    return f"training.class_weight={WEIGHTS[task] if weighted else 'none'}"


def fitted(dataset: Dataset) -> tuple[list[np.ndarray[Any, Any]], list[float]]:
    """Return the weights and the losses of a training."""
    net = build(dataset)
    history = loop.fit(
        StepTrainer(TrainSteps.of(net, dataset), dataset),
        dataset,
        epochs=2,
        on_event=lambda _: None,
    )
    return list(net.get_weights()), [epoch.loss for epoch in history.epochs]
