"""The training steps of a network: its variables, and the layout of its rows."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.model.backend import keras
from embedclf.model.forward_pass import ForwardPass
from embedclf.model.network import find_vectors_layer
from embedclf.model.optimizers import OPTIMIZERS, initial_row_state, initial_state
from embedclf.model.step_function import StepFunction, StepFunctions, StepRows, StepSizes
from embedclf.model.weights import AVERAGING_POOLINGS
from embedclf.training.warm_start import dense_learning_rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts, Floats, Int32s
    from embedclf.text.encodings import TokenIds
    from embedclf.training.steps.losses import LossTargets


class StepBlock(NamedTuple):
    """The rows of several steps, one step after the other, as arrays."""

    rows: StepRows
    sizes: StepSizes
    rates: Floats
    """(steps,) learning rate of each step."""


class TrainSteps:
    """Trains a network in place; the first call compiles."""

    def __init__(
        self,
        network: Any,
        config: Config,
        row_learning_rates: Floats | None = None,
        dense_learning_rates: Sequence[Floats] | None = None,
        *,
        soft_targets: bool = False,
        functions: StepFunctions | None = None,
    ) -> None:
        """Create the state of the optimizer.

        Args:
            network: As `network.build` makes it.
            config: For its pooling, optimizer and batch size.
            row_learning_rates: (vocabulary_rows,) factors for the steps of the embedding's rows.
            dense_learning_rates: Factors for the steps of the kernels and biases, in their order.
            soft_targets: Whether targets are probabilities (rows, outputs), even of a softmax.
            functions: May have the compiled function of another network with the same shapes.
        """
        self.network = network
        self._batch_size, pooling = config.training.batch_size, config.model.pooling
        embedding, output = network.get_layer("embedding"), network.get_layer("output")
        self._length, self._outputs, self._pooling = network.input_shape[1], output.units, pooling
        self._positions: Int32s = np.empty(embedding.input_dim, np.int32)
        self._row_factors = row_learning_rates
        self._variables = _variables(network, config.training.optimizer)
        self._dense_factors = _flatten(dense_learning_rates, self._variables["dense"])
        softmax = output.activation.__name__ == "softmax"
        function = StepFunction(
            ForwardPass.of(network, pooling),
            config.training.optimizer,
            _shapes(self._variables),
            softmax=softmax,
            class_ids=softmax and not soft_targets,
            padded=pooling not in AVERAGING_POOLINGS,
            frozen=not embedding.trainable,
            scales_rows=row_learning_rates is not None,
            scales_dense=dense_learning_rates is not None,
        )
        self._function = (functions or StepFunctions()).reuse(function)

    @classmethod
    def of(
        cls,
        network: Any,
        dataset: Dataset,
        row_learning_rates: Floats | None = None,
        functions: StepFunctions | None = None,
    ) -> TrainSteps:
        """Create the steps of a network on the rows of a dataset, as its config says."""
        return cls(
            network,
            dataset.config,
            row_learning_rates,
            dense_learning_rates(dataset),
            soft_targets=dataset.taught is not None,
            functions=functions,
        )

    def with_row_learning_rates(self, row_learning_rates: Floats | None) -> TrainSteps:
        """Return steps of the same network and optimizer state, with other factors or the same."""
        steps = copy(self)
        # Each training prepares its blocks in a thread of its own
        steps._positions = np.empty_like(self._positions)
        steps._row_factors = row_learning_rates
        return steps

    @property
    def groups(self) -> dict[str, list[Any]]:
        """The variables by group, as `Variables` in `step_function`."""
        return self._variables

    @property
    def state(self) -> list[Any]:
        """The variables of the optimizer."""
        return [*self._variables["row_state"], *self._variables["dense_state"]]

    @property
    def variables(self) -> list[Any]:
        """All variables that steps change: weights, optimizer state, random state of dropout."""
        groups = self._variables.items()
        return [each for group, of_group in groups if group != "kept" for each in of_group]

    def block(
        self, ids: TokenIds, targets: LossTargets, weights: Floats, rates: Floats
    ) -> StepBlock:
        """Prepare rows for the steps that take them; no two threads at once.

        Args:
            ids: Of the rows.
            targets: (rows,) class ids, or (rows, outputs) from 0 to 1.
            weights: (rows, 1) or (rows, outputs) of the loss.
            rates: (steps,) learning rate of each step.
        """
        starts = np.arange(len(rates)) * self._batch_size
        rows = np.diff(starts, append=len(ids))  # (steps,)
        # (rows,) Keras's loss is a mean over rows and, after sigmoids, over outputs, too
        cells = np.repeat(rows, rows) * (1 if self._function.softmax else self._outputs)
        mean_weights = (weights / cells[:, None]).astype(np.float32)
        tokens, lengths = self._lay_out(ids, starts)
        # Every step has a row, so no range is empty, which reduceat would not sum to 0
        sizes = np.add.reduceat(lengths, starts)
        used, places, used_sizes = self._find_used(tokens, sizes)
        segments = np.zeros(0, np.int32)
        if not self._function.padded:
            row_of_step = np.arange(len(ids), dtype=np.int32) % self._batch_size
            segments = np.repeat(row_of_step, lengths)
        factors = np.zeros(0, np.float32)
        if self._row_factors is not None:
            factors = self._row_factors.take(used)
        return StepBlock(
            StepRows(used, factors, places, segments, targets, mean_weights),
            StepSizes(*(each.astype(np.int32) for each in (used_sizes, sizes, rows))),
            rates,
        )

    def __call__(self, block: StepBlock) -> Floats:
        """Take the steps of a block.

        Returns:
            (rows, outputs) logits, each row's before its own step.
        """
        logits: Floats = self.take(block).numpy()
        return logits

    def take(self, block: StepBlock) -> Any:
        """Take the steps of a block; return the logits as a tensor, also in a `tf.function`."""
        return self._function(self._variables, *block, self._dense_factors)

    def _lay_out(self, ids: TokenIds, starts: Counts) -> tuple[Any, Counts]:
        """Return the ids (tokens,) of all rows, padded if need be, and the length of each row."""
        if not self._function.padded:
            return ids.values, ids.lengths
        if self._pooling == "flatten":
            return ids.pad(self._length).ravel(), np.full(len(ids), self._length)
        # To the longest row of each step, at least one id
        widths = np.maximum(np.maximum.reduceat(ids.lengths, starts), 1)
        steps = zip(starts, widths.tolist(), strict=True)
        padded = [ids[first : first + self._batch_size].pad(width) for first, width in steps]
        lengths = np.repeat(widths, [len(rows) for rows in padded])
        return np.concatenate([rows.ravel() for rows in padded]), lengths

    def _find_used(self, tokens: Any, sizes: Counts) -> tuple[Int32s, Int32s, Counts]:
        """Find the distinct ids of each step, in the order of their first occurrence.

        The helper thread does this beside TensorFlow; `tf.unique` took 0.3 of 2.8 ms of a step
        with 17,000 tokens.

        Returns:
            The ids of all steps, the place (tokens,) of each token among those of its step, and how
            many ids each step has.
        """
        used, places, table = [], np.empty(len(tokens), np.int32), self._positions
        upwards = np.arange(sizes.max(), dtype=np.int32)
        downwards = upwards[::-1].copy()
        ends = np.cumsum(sizes)
        for start, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True):
            # Contiguous, of NumPy's own index type, and `compress`: half the time on IMDB
            ids, found = tokens[start:end].astype(np.intp), places[start:end]
            numbers = upwards[: len(ids)]
            # Backwards, since of equal ids the last assignment stays
            table[ids[::-1].copy()] = downwards[len(upwards) - len(ids) :]
            table.take(ids, out=found, mode="clip")  # "raise" would copy
            first = ids.compress(found == numbers)
            table[first] = numbers[: len(first)]
            table.take(ids, out=found, mode="clip")
            used.append(first)
        return np.concatenate(used).astype(np.int32), places, np.array([len(ids) for ids in used])


def weight_variables(network: Any) -> dict[str, list[Any]]:
    """Return TensorFlow's variables that steps train in a network, by group."""
    table = network.get_layer("embedding").embeddings.value
    trainable = [variable.value for variable in network.trainable_variables]
    dense = [variable for variable in trainable if variable is not table]
    return {"embedding": [table], "dense": dense}


def _variables(network: Any, optimizer: str) -> dict[str, list[Any]]:
    """Return TensorFlow's variables of a network and its optimizer, by group."""
    embedding, vectors = network.get_layer("embedding"), find_vectors_layer(network)
    rule, weights = OPTIMIZERS[optimizer], weight_variables(network)
    shape = weights["embedding"][0].shape
    size = sum(math.prod(variable.shape) for variable in weights["dense"])
    dropouts = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    return {
        **weights,
        "kept": [] if vectors is None else [vectors.embeddings.value],
        "row_state": initial_row_state(rule, shape) if embedding.trainable else [],
        "dense_state": initial_state(rule, [size]),
        "seeds": [layer.seed_generator.state.value for layer in dropouts],
    }


def _shapes(variables: dict[str, list[Any]]) -> Any:
    """Return the shapes by group; the rows of the vocabulary are left open."""
    by_vocabulary = ("embedding", "kept", "row_state")
    return tuple(
        (
            group,
            tuple(
                (None, each.shape[1]) if group in by_vocabulary else tuple(each.shape)
                for each in of_group
            ),
        )
        for group, of_group in variables.items()
    )


def _flatten(rates: Sequence[Floats] | None, dense: Sequence[Any]) -> Floats:
    """Return factors (numbers,) for all kernels and biases; (0,) if all are 1."""
    if rates is None:
        return np.zeros(0, np.float32)
    pairs = zip(rates, dense, strict=True)
    factors = [np.broadcast_to(each, weight.shape).ravel() for each, weight in pairs]
    return np.concatenate(factors).astype(np.float32)
