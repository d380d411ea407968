"""Confident learning (Northcutt et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.data.label_sets import label_sets
from embedclf.model.probabilities import row_blocks
from embedclf.system.arrays import Floats

if TYPE_CHECKING:
    from embedclf.data.labels import Targets
    from embedclf.system.arrays import Doubles, Int64s, Rows
    from embedclf.text.fingerprints import Fingerprints

LabelProbabilities = Floats
"""(n, labels) probability of each label, from networks that were not trained on the row; a binary
task also has a column per label."""


ConfidentJoint = Any
"""A SciPy CSR array (own labels, actual labels) of estimated rows."""


@dataclass(frozen=True)
class RankedSuspects:
    """Rows whose label is probably wrong, the most probable errors first."""

    rows: Rows
    """(k,) positions of the rows."""
    label: Int64s
    """(k,) the id of the row's own label; multi-label: 1 if the row has the label in
    `column`, else 0."""
    predicted: Int64s
    """(k,) the id of the most probable other label; multi-label: 1 - `label`."""
    label_probability: Doubles
    predicted_probability: Doubles
    column: Int64s | None = None
    """(k,) multi-label: the id of the label that is most probably wrong."""

    def __len__(self) -> int:
        return len(self.rows)


def rank_suspects(labels: Targets, probabilities: LabelProbabilities) -> RankedSuspects:
    """Rank the rows with another label that is more probable than their own.

    Rows are ranked by the probability of their own label (self-confidence), the lowest first. Ties
    keep the order of the table. Of the scores in Northcutt, Jiang and Chuang (Confident Learning,
    JAIR 2021, section 3.2) and in Kuan and Mueller (Model-agnostic label quality scoring to detect
    real-world label errors, 2022), this one found the most randomly flipped labels.

    Args:
        labels: (n,) the ids of the rows' own labels.
        probabilities: (n, labels).
    """
    rows = np.arange(len(labels))
    predicted = np.zeros(len(labels), np.int64)
    for block in row_blocks(probabilities.shape):
        others = probabilities[block].copy()
        others[rows[: len(others)], labels[block]] = -1.0  # argmax never selects a row's own label
        predicted[block] = others.argmax(axis=1)
    return _rank(labels, predicted, probabilities[rows, labels], probabilities[rows, predicted])


def rank_multilabel_suspects(targets: Targets, probabilities: LabelProbabilities) -> RankedSuspects:
    """Rank rows that can have several labels, by the label that is most probably wrong.

    Args:
        targets: Sparse (n, labels).
        probabilities: (n, labels).
    """
    size = targets.shape[0]
    column, label = np.zeros(size, np.int64), np.zeros(size, np.int64)
    lowest = np.zeros(size, np.float32)
    for block in row_blocks(probabilities.shape):
        flags, present = targets[block].toarray(), probabilities[block]
        own = np.where(flags == 1, present, 1 - present)  # (block, labels)
        column[block] = own.argmin(axis=1)
        places = np.arange(len(own)), column[block]
        label[block], lowest[block] = flags[places], own[places]
    suspects = _rank(label, 1 - label, lowest, 1 - lowest)
    return replace(suspects, column=column[suspects.rows])


def compute_confident_joint(labels: Targets, probabilities: LabelProbabilities) -> ConfidentJoint:
    """Estimate how many rows with each label actually belong to each label.

    A row counts for a label if its probability reaches the mean probability of that label over the
    rows that have it. If it reaches several, it counts for the most probable. The counts of each
    label's rows are then scaled to their number (Northcutt, Jiang and Chuang, Confident Learning,
    JAIR 2021, section 3.1, equations 1 to 3). No row counts for a label without rows.

    Args:
        labels: (n,) the ids of the rows' own labels.
        probabilities: (n, labels).

    Returns:
        Sparse (own labels, actual labels): estimated rows, n in total.
    """
    from scipy.sparse import csr_array

    size = probabilities.shape[1]
    rows = np.bincount(labels, minlength=size)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    thresholds = np.full(size, np.inf)
    # A label without rows keeps its infinite threshold.
    np.divide(np.bincount(labels, own, size), rows, out=thresholds, where=rows > 0)
    # Rounded, because the last digits of the float64 means depend on the order of rows.
    rounded = thresholds.astype(probabilities.dtype)
    actual = np.full(len(labels), -1)  # -1: the row reaches no threshold
    for block in row_blocks(probabilities.shape):
        reached = probabilities[block] >= rounded
        best = np.where(reached, probabilities[block], -1.0).argmax(axis=1)
        actual[block] = np.where(reached.any(axis=1), best, -1)
    counted = actual >= 0
    ones = np.ones(np.count_nonzero(counted))
    counts = csr_array((ones, (labels[counted], actual[counted])), shape=(size, size))
    scale = rows / np.maximum(counts.sum(axis=1), 1)
    return counts.multiply(scale[:, None]).tocsr()


def adjust_for_duplicates(
    probabilities: LabelProbabilities, targets: Targets, text_keys: Fingerprints
) -> LabelProbabilities:
    """Average a row's probabilities with the labels of other rows that have the same text.

    The network saw none of the rows of a repeated text. Its probability is a prior that weighs as
    much as one row, and the labels of the other rows are observations. The mean of the Dirichlet
    (multi-label: Beta) posterior is (probability + other rows with the label) / rows of the text
    (Gelman et al., Bayesian Data Analysis, third edition, section 3.4).

    Args:
        probabilities: (n, labels).
        targets: (n,) label ids, or sparse (n, labels).
        text_keys: (n,) equal for equal texts.

    Returns:
        (n, labels); rows whose text occurs once are unchanged.
    """
    _, texts, counts = np.unique(text_keys, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[texts] > 1)
    # Renumbered: `group_counts` needs no rows for texts that occur once.
    _, groups = np.unique(texts[repeated], return_inverse=True)
    if not len(repeated):
        return probabilities
    shape = (len(repeated), probabilities.shape[1])
    flags = targets[repeated]
    if flags.ndim == 1:
        flags = label_sets(np.arange(len(flags)), flags, shape)
    members = label_sets(groups, np.arange(len(groups)), (groups.max() + 1, len(groups)))
    # Without the row's own label, which is the one in question.
    of_others = (members @ flags)[groups] - flags
    adjusted = probabilities.copy()
    for block in row_blocks(shape):
        rows = repeated[block]
        sums = probabilities[rows] + of_others[block].toarray()
        adjusted[rows] = sums / counts[texts[rows], None]
    return adjusted


def _rank(
    label: npt.NDArray[np.integer],
    predicted: npt.NDArray[np.integer],
    label_probability: npt.NDArray[np.floating],
    predicted_probability: npt.NDArray[np.floating],
) -> RankedSuspects:
    suspects = np.flatnonzero(predicted_probability > label_probability)
    rows = suspects[np.argsort(label_probability[suspects], kind="stable")]
    return RankedSuspects(
        rows,
        label[rows].astype(np.int64),
        predicted[rows].astype(np.int64),
        label_probability[rows].astype(np.float64),
        predicted_probability[rows].astype(np.float64),
    )
