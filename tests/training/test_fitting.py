"""What is learned, how rows are weighted, and what ends a training."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.data.labels import Labels
from embedclf.errors import TrainingError
from embedclf.model import backend, network
from embedclf.model.classifier import inverse_temperature
from embedclf.model.optimizers import RULES
from embedclf.reports import training as training_report
from embedclf.runs.history import Epoch, Resumed, Step
from embedclf.training import fitting, loop
from embedclf.training.initialization import initialize
from embedclf.training.losses import cell_weights, sample_weights
from embedclf.training.train_step import TrainSteps

if TYPE_CHECKING:
    from pathlib import Path


def dataset(project: Path, task: str, *overrides: str) -> Dataset:
    given = [override.replace("PROJECT", str(project)) for override in overrides]
    return prepare_dataset(load_config(project / f"{task}.yaml", given))


def build(ready: Dataset) -> Any:
    backend.start("cpu", ready.config.seed)
    return fitting.begin(ready, initialize(ready))


def losses(net: Any, ready: Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Cross-entropy of each training cell, by hand, and the weights of the cells."""
    probabilities = np.asarray(net(ready.train.ids), np.float64)
    targets = ready.train.targets
    if ready.labels.task == "multiclass":
        cells = -np.log(probabilities[np.arange(len(targets)), targets])
    else:
        targets = targets.reshape(probabilities.shape)
        cells = -np.log(np.where(targets == 1, probabilities, 1 - probabilities))
    weights = sample_weights(ready.train.targets, ready.labels, ready.config.training.class_weight)
    assert weights is not None
    return cells, weights.reshape(cells.shape)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("given_weights", ["balanced", "one"])
def test_the_training_loss_is_the_weighted_mean_over_cells(
    project: Path, task: str, given_weights: str
) -> None:
    label = {"binary": "pos", "multiclass": "wind", "multilabel": "b"}[task]
    weight = "balanced" if given_weights == "balanced" else f"{{{label}: 5}}"
    ready = dataset(
        project,
        task,
        f"training.class_weight={weight}",
        "training.epochs=1",
        "training.batch_size=1000",
        "training.learning_rate=1e-9",
        "training.optimizer=sgd",
        "model.dropout=0",
    )
    net = build(ready)
    cells, weights = losses(net, ready)
    history = fitting.fit(net, ready, on_event=lambda _: None)
    assert history.epochs[0].loss == pytest.approx((cells * weights).mean(), rel=1e-4)


COUNTS = st.lists(st.integers(1, 40), min_size=2, max_size=6)


@given(COUNTS)
def test_balanced_weights_give_every_class_the_same_total(counts: list[int]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    task: Any = "binary" if len(counts) == 2 else "multiclass"
    labels = Labels(task, tuple(map(str, range(len(counts)))), tuple(counts))
    weights = sample_weights(targets, labels, "balanced")
    assert weights is not None
    totals = np.bincount(targets, weights)
    assert totals == pytest.approx(np.full(len(counts), len(targets) / len(counts)), rel=1e-5)


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=50))
def test_balanced_weights_of_several_labels_balance_both_sides_of_each(
    rows: list[tuple[int, ...]],
) -> None:
    targets = np.array(rows, np.int32)
    labels = Labels("multilabel", ("a", "b", "c"), tuple(targets.sum(axis=0).tolist()))
    weights = sample_weights(targets, labels, "balanced")
    assert weights is not None
    assert weights.shape == targets.shape
    for column in range(3):
        present = targets[:, column] == 1
        for side in (present, ~present):
            if side.any():
                total = weights[side, column].sum()
                assert total == pytest.approx(len(rows) / 2, rel=1e-5)


def test_given_weights_of_several_labels_count_where_the_label_is_present() -> None:
    labels = Labels("multilabel", ("a", "b"), (1, 1))
    weights = sample_weights(np.array([[1, 0], [0, 1]], np.int32), labels, {"b": 3.0})
    assert weights is not None
    assert weights.tolist() == [[1, 1], [1, 3]]
    assert sample_weights(np.zeros((2, 2), np.int32), labels, "none") is None


def test_an_epoch_is_judged_at_the_temperature_that_its_network_would_be_given(
    project: Path,
) -> None:
    flags = ("training.epochs=6", "training.learning_rate=0.2", "training.early_stopping=null")
    plain, warm = (
        dataset(project, "multiclass", *flags, f"training.calibration={kind}")
        for kind in ("none", "temperature")
    )
    net = build(warm)
    history = fitting.fit(net, warm, on_event=lambda _: None)
    others = fitting.fit(build(plain), plain, on_event=lambda _: None)
    assert [epoch.val_score for epoch in history.epochs] == [
        epoch.val_score for epoch in others.epochs
    ]
    assert [epoch.val_loss for epoch in history.epochs] != [
        epoch.val_loss for epoch in others.epochs
    ]
    targets = warm.validation.targets
    logits = network.weights_of(net, warm.config.model.pooling).logits(warm.validation.ids)
    logits = logits * inverse_temperature(warm.labels, targets, logits)
    likely = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    loss = -np.log(likely[np.arange(len(targets)), targets]).mean()
    assert min(epoch.val_loss for epoch in history.epochs) == pytest.approx(loss, rel=1e-4)


def test_the_best_epoch_is_kept_and_patience_ends_the_training(project: Path) -> None:
    ready = dataset(
        project,
        "binary",
        "training.epochs=60",
        "training.early_stopping=2",
        "training.learning_rate=0.5",
    )
    net = build(ready)
    told: list[Any] = []
    history = fitting.fit(net, ready, on_event=told.append)
    assert history.ended == "early_stopping"
    assert len(history.epochs) == history.best_epoch + 2
    best = min(epoch.val_loss for epoch in history.epochs)
    assert history.epochs[history.best_epoch - 1].val_loss == best
    probabilities = np.asarray(net(ready.validation.ids), np.float64)[:, 0]
    targets = ready.validation.targets
    loss = -np.log(np.clip(np.where(targets == 1, probabilities, 1 - probabilities), 1e-7, 1))
    assert loss.mean() == pytest.approx(best, rel=1e-3, abs=1e-6)
    epochs = [one for one in told if isinstance(one, Epoch)]
    assert tuple(epochs) == history.epochs
    steps = [one for one in told if isinstance(one, Step) and one.epoch == 1]
    assert steps[-1].rows == steps[-1].of_rows == len(ready.train)


def test_null_patience_never_stops_early_but_keeps_the_best(project: Path) -> None:
    ready = dataset(
        project,
        "binary",
        "training.epochs=12",
        "training.early_stopping=null",
        "training.learning_rate=0.5",
    )
    history = fitting.fit(build(ready), ready, on_event=lambda _: None)
    assert history.ended == "all_epochs"
    assert len(history.epochs) == 12
    header, *rows = history.to_csv().splitlines()
    assert header.split(",") == [*history.frame().columns]
    assert len(rows) == len(history.frame()) == 12
    best = min(epoch.val_loss for epoch in history.epochs)
    assert history.epochs[history.best_epoch - 1].val_loss == best


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd", "rmsprop"])
def test_every_optimizer_learns(project: Path, optimizer: str) -> None:
    rate = {"sgd": 2.0, "adagrad": 0.2}.get(optimizer, 0.02)
    ready = dataset(
        project,
        "binary",
        f"training.optimizer={optimizer}",
        f"training.learning_rate={rate}",
        "training.epochs=30",
    )
    history = fitting.fit(build(ready), ready, on_event=lambda _: None)
    assert history.epochs[history.best_epoch - 1].val_score > 0.9


@pytest.mark.parametrize("task", ["multiclass", "binary"])
@pytest.mark.parametrize("calibration", ["none", "temperature"])
def test_a_loss_that_is_no_number_is_an_error(project: Path, task: str, calibration: str) -> None:
    flags = ("training.optimizer=sgd", "training.learning_rate=1e30")
    ready = dataset(project, task, *flags, f"training.calibration={calibration}")
    net = build(ready)
    with pytest.raises(TrainingError, match=r"epoch \d+: the loss is no longer a number"):
        fitting.fit(net, ready, on_event=lambda _: None)


def interrupt_in(epoch: int) -> Any:
    def on_event(told: Step | Epoch) -> None:
        if isinstance(told, Step) and told.epoch == epoch:
            raise KeyboardInterrupt

    return on_event


def test_ctrl_c_keeps_the_best_epoch_so_far(project: Path) -> None:
    ready = dataset(project, "binary", "training.epochs=9")
    history = fitting.fit(build(ready), ready, on_event=interrupt_in(4))
    assert history.interrupted
    assert len(history.epochs) == 3
    whole = fitting.fit(build(ready), ready, on_event=lambda _: None)
    assert [epoch.val_loss for epoch in history.epochs] == pytest.approx(
        [epoch.val_loss for epoch in whole.epochs[:3]]
    )


def test_the_loss_within_an_epoch_is_told_when_it_is_known(project: Path) -> None:
    told: list[Any] = []
    ready = dataset(project, "binary", "training.epochs=2")
    history = fitting.fit(build(ready), ready, on_event=told.append)
    first, second = (one for one in told if isinstance(one, Step))  # each epoch is one block
    assert np.isnan(first.loss)
    assert training_report.loss(first) == ""
    assert second.loss == history.epochs[0].loss
    assert training_report.loss(second) == f"  loss {second.loss:.4f}"


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_by_signal_waits_for_the_steps_under_way(project: Path) -> None:
    ready = dataset(project, "binary", "training.epochs=9")
    told: list[Resumed | Step | Epoch] = []

    def on_event(what: Resumed | Step | Epoch) -> None:
        told.append(what)
        if isinstance(what, Epoch) and what.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    history = fitting.fit(build(ready), ready, on_event=on_event)
    assert history.interrupted
    assert len(history.epochs) == 2
    assert isinstance(told[-1], Step)
    assert told[-1].epoch == 3


def test_ctrl_c_in_the_first_epoch_leaves_nothing_to_keep(project: Path) -> None:
    ready = dataset(project, "binary")
    net = build(ready)
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(net, ready, on_event=interrupt_in(1))


VECTORS = ["model.initialization=PROJECT/vectors.txt"]
FROZEN = [*VECTORS, "model.trainable_embedding=false"]
WAYS = {
    "flatten, projected": ("binary", []),
    "flatten, gathered": ("binary", ["model.embedding_dim=4", "model.hidden_units=[5]"]),
    "flatten, wide": ("multiclass", ["model.pooling=flatten", "model.hidden_units=[]"]),
    "average, projected": ("multiclass", ["model.hidden_units=[]"]),
    "average, gathered": ("multiclass", ["model.embedding_dim=2", "model.hidden_units=[]"]),
    "average, hidden": ("multiclass", []),
    "max": ("multilabel", []),
    "max, hidden": ("multilabel", ["model.hidden_units=[7, 3]"]),
    "weights": ("multilabel", ["training.class_weight=balanced"]),
    "word vectors": ("binary", VECTORS),
    "frozen, flatten, projected": ("binary", FROZEN),
    "frozen, flatten, hidden": ("binary", [*FROZEN, "model.hidden_units=[5]"]),
    "frozen, average, projected": ("multiclass", [*FROZEN, "model.hidden_units=[]"]),
    "sqrt, projected": ("multiclass", ["model.pooling=sqrt", "model.hidden_units=[]"]),
    "sqrt, hidden, pairs": ("multiclass", ["model.pooling=sqrt", "text.ngrams=2"]),
    "max, pairs": ("multilabel", ["text.ngrams=2"]),
    "frozen, average, hidden": ("multiclass", FROZEN),
    "frozen, max": ("multilabel", FROZEN),
}


def summed(kind: Any) -> Any:
    """Keras's optimizer on the gradient of a row as defined: the sum over the row's occurrences.

    Left alone, Keras squares the gradient of each occurrence and adds the squares.
    """

    class Summed(kind):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            tf = backend.tf
            if isinstance(gradient, tf.IndexedSlices):
                gradient = tf.math.unsorted_segment_sum(
                    gradient.values, gradient.indices, variable.shape[0]
                )
            super().update_step(gradient, variable, learning_rate)

    return Summed


def fitted_by_keras(net: Any, ready: Dataset, steps: int) -> list[np.ndarray[Any, Any]]:
    """The weights after as many steps of Keras's own `fit` over the first rows."""
    keras = backend.keras
    config = ready.config.training
    twin = keras.models.clone_model(net)
    twin.set_weights(net.get_weights())
    loss = {
        "multiclass": keras.losses.sparse_categorical_crossentropy,
    }.get(ready.labels.task, keras.ops.binary_crossentropy)
    kind = type(keras.optimizers.get(config.optimizer))
    twin.compile(summed(kind)(config.learning_rate), loss, jit_compile=False)
    rows = slice(0, steps * config.batch_size)
    weights = sample_weights(ready.train.targets, ready.labels, config.class_weight)
    goals = loop.loss_targets(ready.train, ready.labels)[rows]
    twin.fit(
        ready.train.ids[rows],
        goals,
        sample_weight=None if weights is None else weights[rows].reshape(goals.shape),
        batch_size=config.batch_size,
        shuffle=False,
        verbose=0,
    )
    return list(twin.get_weights())


def fitted_here(net: Any, ready: Dataset, steps: int) -> list[np.ndarray[Any, Any]]:
    """The weights after as many of our steps."""
    config = ready.config.training
    rows = slice(0, steps * config.batch_size)
    goals = loop.loss_targets(ready.train, ready.labels)[rows]
    weights = cell_weights(ready)[rows]
    rates = config.learning_rate * RULES[config.optimizer].factor(np.arange(1.0, steps + 1))
    own = TrainSteps(net, ready.config)
    own(own.block(ready.train.ids[rows], goals, weights, rates.astype(np.float32)))
    return list(net.get_weights())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("optimizer", "steps"), [("sgd", 5), ("adagrad", 5), ("adam", 1), ("rmsprop", 1)]
)
def test_steps_are_those_of_keras(project: Path, way: str, optimizer: str, steps: int) -> None:
    """Adam and RMSprop are lazy from the second step on: rows not in a batch stand still."""
    task, overrides = WAYS[way]
    ready = dataset(
        project,
        task,
        "model.dropout=0",
        f"training.learning_rate={0.5 if steps > 1 else 0.01}",
        f"training.optimizer={optimizer}",
        *overrides,
    )
    net = build(ready)
    before = net.get_weights()
    expected = fitted_by_keras(net, ready, steps=steps)
    given = fitted_here(net, ready, steps=steps)
    assert max(np.abs(a - b).max() for a, b in zip(before, given, strict=True)) > 1e-3
    for one, other in zip(given, expected, strict=True):
        assert np.abs(one - other).max() <= 1e-5


def test_an_embedding_that_is_not_trained_has_no_sums_and_does_not_move(project: Path) -> None:
    ready = dataset(project, "multiclass", *FROZEN)
    net = build(ready)
    rows = net.get_layer("embedding").get_weights()[0]
    dense = sum(one.size for one in net.get_weights()) - rows.size
    assert [one.shape for one in TrainSteps(net, ready.config).state] == [(dense,)] * 2
    fitted_here(net, ready, steps=3)
    assert (net.get_layer("embedding").get_weights()[0] == rows).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam"])
def test_rows_that_no_batch_uses_stand_still(project: Path, optimizer: str) -> None:
    plain = ("model.hidden_units=[]", "model.dropout=0.0")  # a unit at rest moves nothing
    ready = dataset(project, "multiclass", f"training.optimizer={optimizer}", *plain)
    net = build(ready)
    before = net.get_layer("embedding").get_weights()[0]
    rows = slice(0, 4 * ready.config.training.batch_size)
    fitted_here(net, ready, steps=4)
    moved = (net.get_layer("embedding").get_weights()[0] != before).any(axis=1)
    used = np.unique(ready.train.ids[rows])
    unused = np.setdiff1d(np.arange(len(before)), used)
    assert len(unused) > 10
    assert not moved[unused].any()
    assert moved[used[used > 0]].all()


def test_adam_is_lazy_by_its_formula(project: Path) -> None:
    ready = dataset(project, "binary", "training.batch_size=1", "training.learning_rate=0.01")
    net = build(ready)
    kernel = net.get_layer("output").get_weights()[0].reshape(6, 8)
    rows = net.get_layer("embedding").get_weights()[0]
    token = int(ready.train.ids[0, 0])
    fitted_here(net, ready, steps=1)
    after = net.get_layer("embedding").get_weights()[0]
    places = np.flatnonzero(ready.train.ids[0] == token)
    direction = np.sign(kernel[places].sum(axis=0)) * (1 if ready.train.targets[0] else -1)
    assert after[token] - rows[token] == pytest.approx(0.01 * direction, rel=1e-3)


def test_a_step_is_a_function_that_a_strategy_runs(project: Path) -> None:
    tf = backend.tf
    ready = dataset(project, "binary")
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        net = build(ready)
        own = TrainSteps(net, ready.config)
    twin = build(ready)
    twin.set_weights(net.get_weights())
    size = ready.config.training.batch_size
    goals, weights = (
        loop.loss_targets(ready.train, ready.labels)[:size],
        np.ones((size, 1), np.float32),
    )
    block = own.block(ready.train.ids[:size], goals, weights, np.full(1, 0.001, np.float32))
    arguments = [tf.constant(one) for one in (block.tokens, block.segments)]
    arguments += [tf.constant(block.targets), tf.constant(block.weights), tf.constant(0.001)]
    tf.function(lambda: strategy.run(own.step, arguments))()
    TrainSteps(twin, ready.config)(block)
    for one, other in zip(net.get_weights(), twin.get_weights(), strict=True):
        assert np.abs(one - other).max() <= 1e-6


EPOCH = Epoch(1, 1.0, 100.0, 0.5, 0.8, 0.5, 0.8)


def test_a_linear_schedule_falls_to_nothing(project: Path) -> None:
    flags = ["training.epochs=3", "training.learning_rate=0.5", "training.schedule=linear"]
    ready = dataset(project, "binary", *flags, "training.optimizer=sgd")
    fit_under_way = loop.TrainingLoop(build(ready), ready, None, lambda _: None, None)
    steps = -(-len(ready.train) // ready.config.training.batch_size)
    rates = fit_under_way._rates(0, len(ready.train))
    assert len(rates) == steps
    assert rates == pytest.approx(0.5 * (1 - np.arange(steps) / (3 * steps)))
    fit_under_way.finished = [EPOCH, EPOCH]
    last = fit_under_way._rates(0, len(ready.train))
    assert last[-1] == pytest.approx(0.5 / (3 * steps))
