"""What every network starts from: its first rows and biases, and how far known vectors go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf import naive_bayes, vectorrows
from embedclf.chance import chance
from embedclf.losses import cell_weights
from embedclf.vectorsources import open_source

if TYPE_CHECKING:
    from embedclf.preparation import Prepared
    from embedclf.vectorrows import Coverage
    from embedclf.weights import Floats


@dataclass(frozen=True)
class Initial:
    """What a network starts from; Keras draws the kernels of its dense layers."""

    biases: Floats
    """(outputs,) of the output."""
    rows: Floats
    """(rows, embedding_dim) of the embedding."""
    paces: Floats | None = None
    """(rows,) what the steps of each row are multiplied by; None is 1 for all."""
    coverage: Coverage | None = None
    """None where no source of vectors is named."""


def initialize(prepared: Prepared) -> Initial:
    """Give the rows that `model.initialization` names, and biases that know the labels' shares.

    Raises:
        ConfigError: The source does not fit the config.
        DataError: It cannot be read.
    """
    biases = _biases(prepared)
    if prepared.config.model.initialization == "naive_bayes":
        return Initial(biases, *naive_bayes.first_rows(prepared))
    source = open_source(prepared.config.model)
    if source is None:
        shape = (prepared.tokenizer.rows, prepared.config.model.embedding_dim)
        return Initial(biases, chance(shape, prepared.config.seed))
    rows, covered = vectorrows.first_rows(prepared, source)
    return Initial(biases, rows, coverage=covered)


def coverage(prepared: Prepared) -> Coverage | None:
    """How far known vectors go, if some are named; raises as `initialize`."""
    source = open_source(prepared.config.model)
    return None if source is None else vectorrows.first_rows(prepared, source)[1]


def _biases(prepared: Prepared) -> Floats:
    """The logits of how often labels are true in training, as its loss weighs them.

    Steps are not spent on learning them (Lin et al., Focal Loss for Dense Object Detection, 2017,
    section 3.3): rare labels begin rare.

    Returns:
        (outputs,).
    """
    weights, targets = cell_weights(prepared), prepared.train.targets
    total = weights.sum(axis=0, dtype=np.float64)
    if prepared.labels.task == "multiclass":
        inside = np.bincount(targets, weights[:, 0], prepared.labels.outputs)
        outside = total
    else:
        present = prepared.labels.present(targets)
        inside = (weights * present).sum(axis=0, dtype=np.float64)
        outside = total - inside
    biases: Floats = (np.log(inside + 1.0) - np.log(outside + 1.0)).astype(np.float32)
    return biases
