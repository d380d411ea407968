"""Confident learning (Northcutt et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from embedclf.system.arrays import Rows
    from embedclf.text.fingerprints import Fingerprints

Shares = npt.NDArray[np.float32]
"""(n, labels) probability of each label; of several labels a row, that each is present."""

LabelIds = npt.NDArray[np.int32]
"""(n,) label ids."""

Flags = npt.NDArray[np.int32]
"""(n, labels) of 0 and 1: which labels a row carries."""

Joint = npt.NDArray[np.float64]
"""(labels given, labels meant) estimated rows; they sum up to all."""


@dataclass(frozen=True)
class RankedSuspects:
    """Rows whose label is probably wrong, the most suspect first."""

    rows: Rows
    """(suspects,) their positions."""
    given: npt.NDArray[np.int64]
    """(suspects,) ids of the labels that they carry; of several labels, whether the one in question
    is among them."""
    likely: npt.NDArray[np.int64]
    """(suspects,) ids of the likeliest other labels; of several labels, the opposite of `given`."""
    probability_given: npt.NDArray[np.float64]
    probability_likely: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64] | None = None
    """(suspects,) of several labels a row, the id of the one in question."""

    def __len__(self) -> int:
        return len(self.rows)


def rank(given: LabelIds, shares: Shares) -> RankedSuspects:
    """Rank rows for which another label is likelier than the one they carry.

    The lower the probability of the given label (its self-confidence), the more suspect is a row:
    of the scores in Northcutt, Jiang and Chuang (Confident Learning, JAIR 2021, section 3.2) and
    in Kuan and Mueller (Model-agnostic label quality scoring to detect real-world label errors,
    2022), the one that finds most random flips here. Equal ones keep the order of the table.

    Args:
        given: The labels that the rows carry.
        shares: Probabilities of the labels from a network that was not trained on the row.
    """
    every = np.arange(len(given))
    own = shares[every, given]
    others = shares.copy()
    others[every, given] = -1.0
    likely = others.argmax(axis=1)
    best = others[every, likely]
    return _ranked(given, likely, own, best)


def rank_several(flags: Flags, shares: Shares) -> RankedSuspects:
    """Rank rows of several labels each, by their most suspect label.

    Args:
        flags: Which labels the rows carry.
        shares: As for `rank`.
    """
    every = np.arange(len(flags))
    own = np.where(flags == 1, shares, 1 - shares)
    label = own.argmin(axis=1)
    present, least = flags[every, label], own[every, label]
    suspects = _ranked(present, 1 - present, least, 1 - least)
    return RankedSuspects(
        suspects.rows,
        suspects.given,
        suspects.likely,
        suspects.probability_given,
        suspects.probability_likely,
        label[suspects.rows],
    )


def confident_joint(given: LabelIds, shares: Shares) -> Joint:
    """Estimate how many rows of each given label were meant to have which label.

    A row counts for a label when its probability reaches the mean of that label's over the rows
    that carry it; of several such labels, for the likeliest. Each given label's counts are then
    scaled to its rows (Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021, section 3.1,
    equations 1 to 3). For a label that no row carries, none counts.

    Args:
        given: The labels that the rows carry.
        shares: As for `rank`.
    """
    labels = shares.shape[1]
    rows = np.bincount(given, minlength=labels)
    own = shares[np.arange(len(given)), given].astype(np.float64)
    thresholds = np.full(labels, np.inf)
    np.divide(np.bincount(given, own, labels), rows, out=thresholds, where=rows > 0)
    reaching = np.where(shares >= thresholds.astype(shares.dtype), shares, -1.0)
    meant = reaching.argmax(axis=1)
    counts = reaching.max(axis=1) >= 0
    pairs = given[counts].astype(np.int64) * labels + meant[counts]
    joint = np.bincount(pairs, minlength=labels * labels).reshape(labels, labels)
    scaled: Joint = joint * (rows / np.maximum(joint.sum(axis=1), 1))[:, None]
    return scaled


def with_equal_texts(shares: Shares, targets: LabelIds | Flags, keys: Fingerprints) -> Shares:
    """Let the labels of rows of equal text speak for a row, each as much as the network.

    Where a text is there several times, the network saw none of them. The others' labels are then
    observations, and its probability is a prior that weighs as one: the mean of a Dirichlet (of
    several labels, Beta) posterior is (probability + how many others carry the label) / rows of the
    text (Gelman et al., Bayesian Data Analysis, third edition, section 3.4).

    Args:
        shares: As for `rank`.
        targets: The labels that the rows carry.
        keys: (n,) equal for equal texts.

    Returns:
        (n, labels) the probabilities; those of texts that are there once are as they were.
    """
    _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[groups] > 1)
    _, of = np.unique(groups[rows], return_inverse=True)
    flags = targets[rows]
    if flags.ndim == 1:
        flags = np.eye(shares.shape[1], dtype=np.int32)[flags]
    carried = np.zeros((of.max(initial=-1) + 1, shares.shape[1]), np.int32)
    np.add.at(carried, of, flags)
    made = shares.copy()
    made[rows] = (shares[rows] + carried[of] - flags) / sizes[groups[rows], None]
    return made


def _ranked(
    given: npt.NDArray[np.integer],
    likely: npt.NDArray[np.integer],
    own: npt.NDArray[np.floating],
    best: npt.NDArray[np.floating],
) -> RankedSuspects:
    suspects = np.flatnonzero(best > own)
    rows = suspects[np.argsort(own[suspects], kind="stable")]
    return RankedSuspects(
        rows,
        given[rows].astype(np.int64),
        likely[rows].astype(np.int64),
        own[rows].astype(np.float64),
        best[rows].astype(np.float64),
    )
