"""What is learned, and what ends a training."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.errors import TrainingError
from embedclf.model import backend, network
from embedclf.model.classifier import fit_inverse_temperature
from embedclf.reports.training import loss_text
from embedclf.runs.history import Epoch, History, Resumed, Step
from embedclf.system import interrupts
from embedclf.training import fitting, loop
from embedclf.training.initialization import initialize
from embedclf.training.steps.losses import cell_weights, loss_targets
from embedclf.training.steps.step_trainer import StepTrainer, learning_rates
from embedclf.training.steps.train_step import TrainSteps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def prepare(project: Path, task: str, *overrides: str) -> Dataset:
    overrides_here = [override.replace("PROJECT", str(project)) for override in overrides]
    return prepare_dataset(load_config(project / f"{task}.yaml", overrides_here))


def build(dataset: Dataset) -> Any:
    backend.start("cpu")
    return fitting.build_network(dataset, initialize(dataset))


def fit(
    steps: TrainSteps,
    dataset: Dataset,
    on_event: Callable[[Any], None] = lambda _event: None,
    epochs: int | None = None,
) -> History:
    trainer = StepTrainer(steps, dataset, on_event, epochs)
    return loop.fit(trainer, dataset, epochs=epochs, on_event=on_event)


def losses(net: Any, dataset: Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Cross-entropy of each training cell, by hand, and the weights of the cells."""
    probabilities = np.asarray(
        net(dataset.train.ids.pad(dataset.tokenizer.input_length)), np.float64
    )
    targets = loss_targets(dataset.train, dataset.labels)
    if dataset.labels.task == "multiclass":
        cells = -np.log(probabilities[np.arange(len(targets)), targets])
    else:
        cells = -np.log(np.where(targets == 1, probabilities, 1 - probabilities))
    weights = cell_weights(dataset).block(np.arange(len(targets)), targets)
    return cells, weights.reshape(cells.shape)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("given_weights", ["balanced", "one"])
def test_the_training_loss_is_the_weighted_mean_over_cells(
    project: Path, task: str, given_weights: str
) -> None:
    label = {"binary": "pos", "multiclass": "wind", "multilabel": "b"}[task]
    weight = "balanced" if given_weights == "balanced" else f"{{{label}: 5}}"
    dataset = prepare(
        project,
        task,
        f"training.class_weight={weight}",
        "training.epochs=1",
        "training.batch_size=1000",
        "training.learning_rate=1e-9",
        "training.optimizer=sgd",
        "model.dropout=0",
    )
    net = build(dataset)
    cells, weights = losses(net, dataset)
    history = fit(TrainSteps.of(net, dataset), dataset)
    assert history.epochs[0].loss == pytest.approx((cells * weights).mean(), rel=1e-4)


def test_the_validation_loss_of_an_epoch_is_measured_after_temperature_scaling(
    project: Path,
) -> None:
    flags = ("training.epochs=6", "training.learning_rate=0.2", "training.early_stopping=null")
    plain, warm = (
        prepare(project, "multiclass", *flags, f"training.calibration={kind}")
        for kind in ("none", "temperature")
    )
    net = build(warm)
    history = fit(TrainSteps.of(net, warm), warm)
    others = fit(TrainSteps.of(build(plain), plain), plain)
    assert [epoch.val_score for epoch in history.epochs] == [
        epoch.val_score for epoch in others.epochs
    ]
    assert [epoch.val_loss for epoch in history.epochs] != [
        epoch.val_loss for epoch in others.epochs
    ]
    targets = warm.validation.targets
    logits = network.extract_weights(net, warm.config.model.pooling).logits(warm.validation.ids)
    logits = logits * fit_inverse_temperature(warm.labels, targets, logits)
    y_prob = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    loss = -np.log(y_prob[np.arange(len(targets)), targets]).mean()
    assert min(epoch.val_loss for epoch in history.epochs) == pytest.approx(loss, rel=1e-4)


def test_early_stopping_ends_the_training_and_restores_the_best_epoch(project: Path) -> None:
    dataset = prepare(
        project,
        "binary",
        "training.epochs=60",
        "training.early_stopping=2",
        "training.learning_rate=0.5",
    )
    net = build(dataset)
    events: list[Any] = []
    history = fit(TrainSteps.of(net, dataset), dataset, events.append)
    assert history.stop_reason == "early_stopping"
    assert len(history.epochs) == history.best_epoch + 2
    best = min(epoch.val_loss for epoch in history.epochs)
    assert history.epochs[history.best_epoch - 1].val_loss == best
    probabilities = np.asarray(
        net(dataset.validation.ids.pad(dataset.tokenizer.input_length)), np.float64
    )[:, 0]
    targets = dataset.validation.targets
    loss = -np.log(np.clip(np.where(targets == 1, probabilities, 1 - probabilities), 1e-7, 1))
    assert loss.mean() == pytest.approx(best, rel=1e-3, abs=1e-6)
    epochs = [one for one in events if isinstance(one, Epoch)]
    assert tuple(epochs) == history.epochs
    steps = [one for one in events if isinstance(one, Step) and one.epoch == 1]
    assert steps[-1].rows == steps[-1].total_rows == len(dataset.train)


def test_without_early_stopping_all_epochs_run_and_the_best_is_kept(project: Path) -> None:
    dataset = prepare(
        project,
        "binary",
        "training.epochs=12",
        "training.early_stopping=null",
        "training.learning_rate=0.5",
    )
    history = fit(TrainSteps.of(build(dataset), dataset), dataset)
    assert history.stop_reason == "all_epochs"
    assert len(history.epochs) == 12
    header, *rows = history.to_csv().splitlines()
    assert header.split(",") == [*history.to_frame().columns]
    assert len(rows) == len(history.to_frame()) == 12
    best = min(epoch.val_loss for epoch in history.epochs)
    assert history.epochs[history.best_epoch - 1].val_loss == best


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd", "rmsprop"])
def test_every_optimizer_learns(project: Path, optimizer: str) -> None:
    rate = {"sgd": 2.0, "adagrad": 0.2}.get(optimizer, 0.02)
    dataset = prepare(
        project,
        "binary",
        f"training.optimizer={optimizer}",
        f"training.learning_rate={rate}",
        "training.epochs=30",
    )
    history = fit(TrainSteps.of(build(dataset), dataset), dataset)
    assert history.epochs[history.best_epoch - 1].val_score > 0.9


@pytest.mark.parametrize("task", ["multiclass", "binary"])
@pytest.mark.parametrize("calibration", ["none", "temperature"])
def test_a_loss_of_nan_is_an_error(project: Path, task: str, calibration: str) -> None:
    flags = ("training.optimizer=sgd", "training.learning_rate=1e30")
    dataset = prepare(project, task, *flags, f"training.calibration={calibration}")
    net = build(dataset)
    with pytest.raises(TrainingError, match=r"epoch \d+: the loss is not finite"):
        fit(TrainSteps.of(net, dataset), dataset)


def interrupt_in(epoch: int) -> Any:
    def on_event(event: Step | Epoch) -> None:
        if isinstance(event, Step) and event.epoch == epoch:
            raise KeyboardInterrupt

    return on_event


def test_ctrl_c_keeps_the_best_finished_epoch(project: Path) -> None:
    dataset = prepare(project, "binary", "training.epochs=9")
    history = fit(TrainSteps.of(build(dataset), dataset), dataset, interrupt_in(4))
    assert history.interrupted
    assert len(history.epochs) == 3
    whole = fit(TrainSteps.of(build(dataset), dataset), dataset)
    assert [epoch.val_loss for epoch in history.epochs] == pytest.approx(
        [epoch.val_loss for epoch in whole.epochs[:3]]
    )


def test_steps_report_the_running_loss_once_there_is_one(project: Path) -> None:
    events: list[Any] = []
    dataset = prepare(project, "binary", "training.epochs=2")
    history = fit(TrainSteps.of(build(dataset), dataset), dataset, events.append)
    first, second = (one for one in events if isinstance(one, Step))  # each epoch is one block
    assert np.isnan(first.loss)
    assert loss_text(first) == ""
    assert second.loss == history.epochs[0].loss
    assert loss_text(second) == f"loss {second.loss:.4f}"


@pytest.mark.usefixtures("interruptible")
def test_a_sigint_waits_for_the_running_steps(project: Path) -> None:
    dataset = prepare(project, "binary", "training.epochs=9")
    events: list[Resumed | Step | Epoch] = []

    def on_event(what: Resumed | Step | Epoch) -> None:
        events.append(what)
        if isinstance(what, Epoch) and what.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    with interrupts.handled():
        history = fit(TrainSteps.of(build(dataset), dataset), dataset, on_event)
    assert history.interrupted
    assert len(history.epochs) == 2
    assert isinstance(events[-1], Step)
    assert events[-1].epoch == 3


def test_ctrl_c_in_the_first_epoch_is_raised(project: Path) -> None:
    dataset = prepare(project, "binary")
    net = build(dataset)
    with pytest.raises(KeyboardInterrupt):
        fit(TrainSteps.of(net, dataset), dataset, interrupt_in(1))


def test_a_linear_schedule_decays_to_zero(project: Path) -> None:
    flags = ["training.epochs=3", "training.learning_rate=0.5", "training.schedule=linear"]
    dataset = prepare(project, "binary", *flags, "training.optimizer=sgd")
    steps = -(-len(dataset.train) // dataset.config.training.batch_size)
    rates = learning_rates(dataset.config, np.arange(steps), steps)
    assert len(rates) == steps
    assert rates == pytest.approx(0.5 * (1 - np.arange(steps) / (3 * steps)))
    last = learning_rates(dataset.config, np.arange(2 * steps, 3 * steps), steps)
    assert last[-1] == pytest.approx(0.5 / (3 * steps))
