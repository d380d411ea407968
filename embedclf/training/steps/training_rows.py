"""The rows that a network learns: labeled ones, then texts that a teacher labeled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.text.encodings import TokenIds
from embedclf.training.steps.losses import (
    CellWeights,
    cell_weights,
    class_factors,
    count_label_rows,
    label_factors,
    loss_targets,
    loss_weights,
)

if TYPE_CHECKING:
    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Doubles, Floats, Mask, Rows
    from embedclf.training.steps.losses import LabelRows, LossTargets


_LARGE_STEP = 1 << 15
"""Numbers of the tokens of a step."""

_SAMPLED_ROWS = 10_000
"""Rows whose lengths are looked at."""


@dataclass(frozen=True)
class SoftTargets:
    """The targets of taught texts, with the class weights of the training loss."""

    ids: TokenIds
    targets: Floats
    """(n, outputs) the teacher's probabilities, shifted towards labels of large weight."""
    weights: Floats
    """(n, 1) or (n, outputs), as `CellWeights.block` returns them."""

    def __len__(self) -> int:
        return len(self.targets)

    def label_weights(self) -> tuple[Doubles, Doubles]:
        """Return the weight (outputs,) of each output's label, and of its absence."""
        present = (self.weights * self.targets).sum(axis=0, dtype=np.float64)
        absent = (self.weights * (1.0 - self.targets)).sum(axis=0, dtype=np.float64)
        return present, absent


@dataclass(frozen=True)
class TrainingRows:
    """Labeled rows, then taught texts; positions count through both."""

    labels: Labels
    labeled: Split
    cells: CellWeights
    """Of the labeled rows."""
    taught: SoftTargets | None = None

    @classmethod
    def of(cls, dataset: Dataset, label_rows: LabelRows | None = None) -> TrainingRows:
        """Return the training rows of a dataset, weighted as its config says.

        Args:
            dataset: The rows.
            label_rows: Of the whole table, if these are some of its rows; None counts them.
        """
        cells, taught = cell_weights(dataset, label_rows), soft_targets(dataset)
        return cls(dataset.labels, dataset.train, cells, taught)

    def __len__(self) -> int:
        return len(self.labeled) + (0 if self.taught is None else len(self.taught))

    def ids(self, rows: Rows) -> TokenIds:
        """Return the ids of some rows."""
        if self.taught is None:
            return self.labeled.ids[rows]
        mask, places = self._locate(rows)
        parts = [self.labeled.ids[places[mask]], self.taught.ids[places[~mask]]]
        order = np.empty(len(rows), np.int64)
        order[np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])] = np.arange(len(rows))
        return TokenIds.concatenate(parts)[order]

    def targets(self, rows: Rows) -> LossTargets:
        """Return the targets of some rows; with taught texts, always (rows, outputs)."""
        if self.taught is None:
            return loss_targets(self.labeled, self.labels, rows)
        mask, places = self._locate(rows)
        targets = self.taught.targets[np.where(mask, 0, places)]
        labeled = self.labeled.targets[places[mask]]
        targets[mask] = self.labels.binarize(labeled)
        return targets

    def weights(self, rows: Rows, targets: LossTargets) -> Floats:
        """Return the weights (rows, 1) or (rows, outputs) of some rows with these targets."""
        if self.taught is None:
            return self.cells.block(rows, targets)
        mask, places = self._locate(rows)
        weights = self.taught.weights[np.where(mask, 0, places)]
        weights[mask] = self.cells.block(places[mask], targets[mask])
        return weights

    def row_weights(self) -> Floats:
        """(n, 1) how many rows each row counts for, without the weight of its class."""
        weights = loss_weights(self.labeled)
        if self.taught is None:
            return weights
        return np.concatenate([weights, np.ones((len(self.taught), 1), np.float32)])

    def _locate(self, rows: Rows) -> tuple[Mask, Rows]:
        """Return which rows are labeled, and the place of each among those like it."""
        mask: Mask = rows < len(self.labeled)
        return mask, np.where(mask, rows, rows - len(self.labeled))


def has_large_steps(dataset: Dataset) -> bool:
    """Return whether steps are large enough for several threads.

    Threads share a large step, but wait for each other in a small one. With two threads, TREC's
    step of 19,000 numbers took no less time, and 84% more processor time. IMDB's of 60,000 numbers
    took 22% less time, and 34% more processor time.
    """
    config = dataset.config
    rows = min(len(dataset.train), config.training.batch_size)
    return rows * row_length(dataset) * config.model.embedding_dim > _LARGE_STEP


def row_length(dataset: Dataset) -> float:
    """Return about how many ids a training row has in a step, with its padding; at least 1."""
    config, parts = dataset.config, [dataset.train.ids]
    if config.model.pooling == "flatten":
        return dataset.tokenizer.input_length
    if dataset.taught is not None:
        parts.append(dataset.taught.ids)
    if config.model.pooling == "max":
        # Rows are padded to the longest of their step
        longest = 1.0 - 1.0 / config.training.batch_size
        lengths = np.concatenate([ids[:_SAMPLED_ROWS].lengths for ids in parts])
        return max(1.0, float(np.quantile(lengths, longest))) if len(lengths) else 1.0
    return max(1.0, sum(len(ids.values) for ids in parts) / max(1, sum(map(len, parts))))


def soft_targets(dataset: Dataset) -> SoftTargets | None:
    """Return the targets of the taught texts of a dataset; None if it has none.

    A class weight multiplies the loss of each label. For probabilities, that is the same as
    multiplying these, dividing them by their sum, and weighting the row by that sum.
    """
    taught, train, labels = dataset.taught, dataset.train, dataset.labels
    class_weight = dataset.config.training.class_weight
    if taught is None:
        return None
    y_prob = taught.probabilities
    if class_weight == "none":
        return SoftTargets(taught.ids, y_prob, np.ones((len(y_prob), 1), np.float32))
    label_rows = count_label_rows(train.targets, labels, train.weights)
    if labels.task == "multilabel":
        present, absent = label_factors(label_rows, labels, class_weight)
        scaled, weights = present * y_prob, present * y_prob + absent * (1.0 - y_prob)
        return SoftTargets(taught.ids, scaled / weights, weights)
    factors = class_factors(label_rows, labels, class_weight)
    scaled = labels.label_probabilities(y_prob) * factors  # (n, labels)
    weights = scaled.sum(axis=1, keepdims=True)
    return SoftTargets(taught.ids, (scaled / weights)[:, -labels.outputs :], weights)
