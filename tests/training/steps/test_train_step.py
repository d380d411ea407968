"""Training steps: equal to those of Keras, and on the rows of a batch alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embedclf.data.dataset import prepare_refit
from embedclf.model import backend
from embedclf.model.optimizers import OPTIMIZERS
from embedclf.model.step_function import StepFunctions
from embedclf.training.fitting import fit_network
from embedclf.training.steps.losses import cell_weights, loss_targets
from embedclf.training.steps.train_step import TrainSteps
from tests.training.test_loop import build, fit, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.data.dataset import Dataset


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
    "average, one output": ("binary", ["model.pooling=average"]),
    "sqrt, one output, pairs": ("binary", ["model.pooling=sqrt", "text.ngrams=2"]),
    "sqrt, projected": ("multiclass", ["model.pooling=sqrt", "model.hidden_units=[]"]),
    "sqrt, hidden, pairs": ("multiclass", ["model.pooling=sqrt", "text.ngrams=2"]),
    "max, pairs": ("multilabel", ["text.ngrams=2"]),
    "frozen, average, hidden": ("multiclass", FROZEN),
    "frozen, max": ("multilabel", FROZEN),
}

KEPT = ["model.vectors=PROJECT/vectors.txt"]

WAYS_WITH_KEPT_VECTORS = {
    "flatten, projected": ("binary", KEPT),
    "flatten, gathered": ("binary", [*KEPT, "model.hidden_units=[5]"]),
    "sqrt, projected, pairs": (
        "multiclass",
        [*KEPT, "model.pooling=sqrt", "model.hidden_units=[]", "text.ngrams=2"],
    ),
    "average, hidden, pairs": ("multiclass", [*KEPT, "text.ngrams=2"]),
    "max, pairs": ("multilabel", [*KEPT, "text.unit=word", "text.ngrams=2"]),
    "frozen": ("multiclass", [*KEPT, *FROZEN]),
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


def fitted_by_keras(net: Any, dataset: Dataset, steps: int) -> list[np.ndarray[Any, Any]]:
    """The weights after as many of Keras's own steps over the first rows."""
    keras = backend.keras
    config = dataset.config.training
    twin = keras.models.clone_model(net)
    twin.set_weights(net.get_weights())
    loss = {
        "multiclass": keras.losses.sparse_categorical_crossentropy,
    }.get(dataset.labels.task, keras.ops.binary_crossentropy)
    kind = type(keras.optimizers.get(config.optimizer))
    # A step at a time, since compiling `fit` takes longer than its few steps
    twin.compile(summed(kind)(config.learning_rate), loss, run_eagerly=True, jit_compile=False)
    rows = slice(0, steps * config.batch_size)
    goals = loss_targets(dataset.train, dataset.labels)[rows]
    weights = cell_weights(dataset).block(rows, goals)
    ids = dataset.train.ids[rows].pad(dataset.tokenizer.input_length)
    factors = (weights * np.ones_like(goals.reshape(len(goals), -1))).reshape(goals.shape)
    for start in range(0, rows.stop, config.batch_size):
        batch = slice(start, start + config.batch_size)
        twin.train_on_batch(ids[batch], goals[batch], factors[batch])
    return list(twin.get_weights())


def fitted_here(net: Any, dataset: Dataset, steps: int) -> list[np.ndarray[Any, Any]]:
    """The weights after as many of our steps."""
    config = dataset.config.training
    rows = slice(0, steps * config.batch_size)
    goals = loss_targets(dataset.train, dataset.labels)[rows]
    weights = cell_weights(dataset).block(rows, goals)
    rates = config.learning_rate * OPTIMIZERS[config.optimizer].rate_factors(
        np.arange(1.0, steps + 1)
    )
    own = TrainSteps(net, dataset.config)
    own(own.block(dataset.train.ids[rows], goals, weights, rates.astype(np.float32)))
    return list(net.get_weights())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("optimizer", "steps"), [("sgd", 5), ("adagrad", 5), ("adam", 1), ("rmsprop", 1)]
)
def test_training_steps_match_those_of_keras(
    project: Path, way: str, optimizer: str, steps: int
) -> None:
    """Adam and RMSprop are lazy from the second step on: rows not in a batch stand still."""
    compare_with_keras(project, *WAYS[way], optimizer=optimizer, steps=steps)


@pytest.mark.parametrize("way", WAYS_WITH_KEPT_VECTORS)
def test_training_steps_with_kept_vectors_match_those_of_keras(project: Path, way: str) -> None:
    task, overrides = WAYS_WITH_KEPT_VECTORS[way]
    net = compare_with_keras(project, task, overrides, optimizer="adagrad", steps=5)
    assert net.get_layer("vectors").get_weights()[0].any()


def compare_with_keras(
    project: Path, task: str, overrides: list[str], *, optimizer: str, steps: int
) -> Any:
    """Train a network here and with Keras; return it with the weights of here."""
    dataset = prepare(
        project,
        task,
        "model.dropout=0",
        f"training.learning_rate={0.5 if steps > 1 else 0.01}",
        f"training.optimizer={optimizer}",
        *overrides,
    )
    net = build(dataset)
    before = net.get_weights()
    expected = fitted_by_keras(net, dataset, steps=steps)
    given = fitted_here(net, dataset, steps=steps)
    assert max(np.abs(a - b).max() for a, b in zip(before, given, strict=True)) > 1e-3
    for one, other in zip(given, expected, strict=True):
        assert np.abs(one - other).max() <= 1e-5
    return net


def test_a_frozen_embedding_has_no_optimizer_state_and_does_not_change(project: Path) -> None:
    dataset = prepare(project, "multiclass", *FROZEN)
    net = build(dataset)
    rows = net.get_layer("embedding").get_weights()[0]
    dense = sum(one.size for one in net.get_weights()) - rows.size
    assert [one.shape for one in TrainSteps(net, dataset.config).state] == [(dense,)] * 2
    fitted_here(net, dataset, steps=3)
    assert (net.get_layer("embedding").get_weights()[0] == rows).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam"])
def test_embedding_rows_outside_the_batches_do_not_change(project: Path, optimizer: str) -> None:
    plain = ("model.hidden_units=[]", "model.dropout=0.0")  # a unit at rest moves nothing
    dataset = prepare(project, "multiclass", f"training.optimizer={optimizer}", *plain)
    net = build(dataset)
    before = net.get_layer("embedding").get_weights()[0]
    rows = slice(0, 4 * dataset.config.training.batch_size)
    fitted_here(net, dataset, steps=4)
    moved = (net.get_layer("embedding").get_weights()[0] != before).any(axis=1)
    used = np.unique(dataset.train.ids[rows].values)
    unused = np.setdiff1d(np.arange(len(before)), used)
    assert len(unused) > 10
    assert not moved[unused].any()
    assert moved[used[used > 0]].all()


def test_the_first_adam_step_has_the_size_of_the_learning_rate(project: Path) -> None:
    dataset = prepare(project, "binary", "training.batch_size=1", "training.learning_rate=0.01")
    net = build(dataset)
    kernel = net.get_layer("output").get_weights()[0].reshape(6, 8)
    rows = net.get_layer("embedding").get_weights()[0]
    ids = dataset.train.ids[0:1].values
    token = int(ids[0])
    fitted_here(net, dataset, steps=1)
    after = net.get_layer("embedding").get_weights()[0]
    places = np.flatnonzero(ids == token)
    direction = np.sign(kernel[places].sum(axis=0)) * (1 if dataset.train.targets[0] else -1)
    assert after[token] - rows[token] == pytest.approx(0.01 * direction, rel=1e-3)


def test_networks_of_the_same_shapes_share_a_compiled_function(project: Path) -> None:
    """With different vocabularies, and random states of dropout of their own."""
    options = ("text.unit=word", "model.pooling=sqrt", "model.dropout=0.5")
    functions, weights = StepFunctions(), list[list[np.ndarray[Any, Any]]]()
    for size in (30, 1000):
        dataset = prepare(project, "multiclass", *options, f"text.vocabulary_size={size}")
        for shared in (functions, StepFunctions()):
            net = build(dataset)
            fit(TrainSteps.of(net, dataset, functions=shared), dataset, epochs=2)
            weights.append(net.get_weights())
    assert len(weights[0][0]) < len(weights[2][0])
    for pair in (weights[:2], weights[2:]):
        for one, other in zip(*pair, strict=True):
            assert (one == other).all()


@pytest.mark.parametrize("epochs_by", ["validation", "cross_validation"])
def test_a_refit_and_folds_use_steps_that_were_compiled_once(project: Path, epochs_by: str) -> None:
    options = ("model.pooling=average", "training.epochs=2", "training.early_stopping=2")
    dataset = prepare(project, "binary", *options, f"training.epochs_by={epochs_by}")
    fitted = fit_network(dataset, on_event=lambda _: None)
    everything = prepare_refit(dataset)
    assert len(everything.tokenizer.tokens) > len(dataset.tokenizer.tokens)
    refitted = fit_network(everything, refit_of=fitted, on_event=lambda _: None)
    function = fitted.functions._last
    assert function is not None
    assert refitted.functions._last is function
    assert function._compiled.experimental_get_tracing_count() == 1


THREADS = """
import hashlib, sys
from pathlib import Path
from embedclf.model.tensorflow_import import light_imports
with light_imports():
    from embedclf.model import backend
backend.tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[2]))
backend.tf.constant(0)  # TensorFlow runs, so that its threads stay
from embedclf.config.loading import load_config
from embedclf.data.dataset import prepare_dataset
from embedclf.training.fitting import fit_network
large = ["model.embedding_dim=1024", "training.batch_size=256", "training.epochs=2"]
dataset = prepare_dataset(load_config(Path(sys.argv[1]), large))
fitted = fit_network(dataset, on_event=lambda _: None)
weights = b"".join(array.tobytes() for array in fitted.network.get_weights())
print(len(dataset.train), hashlib.sha256(weights).hexdigest())
"""


def test_the_number_of_threads_does_not_change_the_weights(project: Path) -> None:
    command = [sys.executable, "-c", THREADS, str(project / "multiclass.yaml")]
    printed = []
    for threads in (1, 2, 4):
        done = subprocess.run(
            [*command, str(threads)], capture_output=True, text=True, check=True, timeout=120
        )
        printed.append(done.stdout)
    assert len(set(printed)) == 1


def test_a_training_step_runs_under_a_distribution_strategy(project: Path) -> None:
    tf = backend.tf
    dataset = prepare(project, "binary")
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        net = build(dataset)
        own = TrainSteps(net, dataset.config)
    twin = build(dataset)
    twin.set_weights(net.get_weights())
    size = dataset.config.training.batch_size
    goals, weights = (
        loss_targets(dataset.train, dataset.labels)[:size],
        np.ones((size, 1), np.float32),
    )
    block = own.block(dataset.train.ids[:size], goals, weights, np.full(1, 0.001, np.float32))
    tf.function(lambda: strategy.run(own.take, [block]))()
    TrainSteps(twin, dataset.config)(block)
    for one, other in zip(net.get_weights(), twin.get_weights(), strict=True):
        assert np.abs(one - other).max() <= 1e-6
