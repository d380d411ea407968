"""Logits and probabilities of many rows for many outputs, computed block by block.

Rows times outputs can be far more numbers than the table and the weights together. They follow from
the inputs of the output layer, which take little memory, so each block is computed when it is
needed. `np.asarray` turns a block into an array.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.data.labels import Labels, Targets
    from embedclf.model.classifier import Calibration
    from embedclf.system.arrays import Doubles, Floats, Mask

_BLOCK_NUMBERS = 1 << 20
"""Numbers of a block: 4 MiB in float32."""

_DENSE_OUTPUTS = 256
"""Up to so many outputs, all numbers are computed at once: 1 KiB a row."""


@dataclass(frozen=True)
class LazyLogits:
    """Logits (n, outputs), kept as the inputs of the output layer and its weights."""

    features: Floats
    """(n, width)"""
    kernel: Floats
    """(width, outputs)"""
    bias: Floats
    """(outputs,)"""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and outputs."""
        return len(self.features), len(self.bias)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Any) -> LazyLogits:
        """Select rows, or rows and a range of outputs, as in an array."""
        rows, outputs = index if isinstance(index, tuple) else (index, slice(None))
        return LazyLogits(self.features[rows], self.kernel[:, outputs], self.bias[outputs])

    def __mul__(self, factors: Floats) -> LazyLogits:
        return LazyLogits(self.features, self.kernel * factors, self.bias * factors)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        logits: Floats = self.features @ self.kernel + self.bias
        return logits.astype(dtype or logits.dtype, copy=False)


@dataclass(frozen=True)
class LazyProbabilities:
    """Probabilities (n, outputs) of `LazyLogits`."""

    logits: LazyLogits
    largest: Floats | None = None
    """(n, 1) largest logit of each row; None after sigmoids."""
    totals: Floats | None = None
    """(n, 1) sum of the exponentials of each row, relative to the largest."""
    calibration: Calibration | None = None
    calibrated_totals: Doubles | None = None
    """(n, 1) sum of each row after the calibration, by which a softmax is normalized again."""

    @classmethod
    def from_logits(cls, logits: LazyLogits, *, exclusive: bool) -> LazyProbabilities:
        """Normalize logits by a softmax if labels are exclusive, else by a sigmoid for each."""
        if not exclusive:
            return cls(logits)
        largest = np.empty((len(logits), 1), np.float32)
        totals = np.empty((len(logits), 1), np.float32)
        for rows in row_blocks(logits.shape):
            block = np.asarray(logits[rows])
            largest[rows] = block.max(axis=1, keepdims=True)
            totals[rows] = np.exp(block - largest[rows]).sum(axis=1, keepdims=True)
        return cls(logits, largest, totals)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and outputs."""
        return self.logits.shape

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: Any) -> LazyProbabilities:
        """Select rows, or rows and a range of outputs, as in an array."""
        rows, outputs = index if isinstance(index, tuple) else (index, slice(None))
        return LazyProbabilities(
            self.logits[rows, outputs],
            None if self.largest is None else self.largest[rows],
            None if self.totals is None else self.totals[rows],
            None if self.calibration is None else self.calibration.take(outputs),
            None if self.calibrated_totals is None else self.calibrated_totals[rows],
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        logits = np.asarray(self.logits)
        probabilities: Floats
        if self.largest is None:
            probabilities = sigmoid(logits)
        else:
            probabilities = np.exp(logits - self.largest) / self.totals
        if self.calibration is not None:
            probabilities = self.calibration.apply(probabilities, exclusive=False)
        if self.calibrated_totals is not None:
            probabilities = (probabilities / self.calibrated_totals).astype(np.float32)
        return probabilities.astype(dtype or probabilities.dtype, copy=False)

    def calibrate(self, calibration: Calibration) -> LazyProbabilities:
        """Calibrate each block when it is computed."""
        calibrated = replace(self, calibration=calibration)
        if self.largest is None:
            return calibrated
        totals = np.empty((len(self), 1))
        for rows in row_blocks(self.shape):
            block = np.asarray(calibrated[rows])
            totals[rows] = block.sum(axis=1, keepdims=True, dtype=np.float64)
        return replace(calibrated, calibrated_totals=totals)


AnyLogits: TypeAlias = "Floats | LazyLogits"
"""(n, outputs)"""


class ProbabilityMatrix(Protocol):
    """Probabilities (n, outputs) that `np.asarray` computes, of a selection of them or of all."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and outputs."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> ProbabilityMatrix: ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats: ...


AnyProbabilities: TypeAlias = "Floats | ProbabilityMatrix"
"""(n, outputs)"""


def is_lazy(outputs: int, width: int) -> bool:
    """Return whether the inputs of the output layer are kept instead of all its outputs.

    Args:
        outputs: Of the network.
        width: Inputs of the output layer.
    """
    return outputs > max(_DENSE_OUTPUTS, width)


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield ranges of rows of a matrix, each small enough to hold all its columns."""
    rows, columns = shape
    step = max(1, _BLOCK_NUMBERS // max(1, columns))
    # At least one range, so that a matrix without rows has a block, too
    return (slice(start, start + step) for start in range(0, max(1, rows), step))


def column_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield ranges of columns of a matrix, each small enough to hold all its rows."""
    return row_blocks(shape[::-1])


def outcome_columns(
    labels: Labels, targets: Targets, numbers: AnyLogits | AnyProbabilities
) -> Iterator[tuple[Mask, Floats]]:
    """Yield for each output which rows (n,) have its label, and its logits or probabilities (n,).

    Args:
        labels: Of the classifier.
        targets: Of the rows.
        numbers: (n, outputs) of the same rows.
    """
    for outputs in column_blocks(numbers.shape):
        block = np.asarray(numbers[:, outputs])
        yield from zip(labels.binarize(targets, outputs).T, block.T, strict=True)


def concatenate(parts: Sequence[AnyProbabilities]) -> AnyProbabilities:
    """Join the probabilities of batches, which one classifier has computed."""
    lazy = [part for part in parts if isinstance(part, LazyProbabilities)]
    if not lazy:
        return np.concatenate([np.asarray(part) for part in parts])
    logits = replace(lazy[0].logits, features=np.concatenate([p.logits.features for p in lazy]))
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in lazy])
        for name in ("largest", "totals", "calibrated_totals")
        if getattr(lazy[0], name) is not None
    }
    return replace(lazy[0], logits=logits, **joined)


def sigmoid(logits: Floats) -> Floats:
    """Turn logits into independent probabilities."""
    # tanh does not overflow for logits far below 0, as exp(-logit) does
    probabilities: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probabilities
