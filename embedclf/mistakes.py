"""Mistakes: the rows that a classifier is most wrong about, and why it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.explanation import explain

if TYPE_CHECKING:
    from embedclf.explanation import Explanation
    from embedclf.measures import Predicted
    from embedclf.scoring import ScoredRows


@dataclass(frozen=True)
class Mistake:
    """A row whose decision is wrong."""

    place: str
    """`file:line`"""
    true: tuple[str, ...]
    given: tuple[str, ...]
    explanation: Explanation
    """Of the label that is wrongly given; of several labels the most wrong one, which may also be
    one that is wrongly not given."""


def worst(scored: ScoredRows, predicted: Predicted, most: int) -> list[Mistake]:
    """Find the mistakes that were made with most confidence, the worst first.

    That is where the true label has the lowest probability; of several labels in a row, where one
    that is true has the lowest or one that is not the highest. Rows of unknown labels are left out.

    Args:
        scored: The rows.
        predicted: The same, with what was decided.
        most: How many to find.
    """
    rows, labels = _ranked(predicted, most)
    ascending = np.sort(rows)
    shown = dict(zip(ascending.tolist(), scored.shown(ascending), strict=True))
    return [
        _mistake(scored, predicted, row, label, *shown[row])
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True)
    ]


def _ranked(predicted: Predicted, most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(k,) the rows of the worst mistakes, and the label that each is about."""
    labels = predicted.labels
    shares = labels.shares(predicted.probabilities)  # (n, labels)
    if labels.task == "multilabel":
        names = len(labels.names)
        true = predicted.targets[:, :names] == 1
        wrong = true != (predicted.decided[:, :names] == 1)
        error = np.where(wrong, np.where(true, 1.0 - shares, shares), -1.0)
        about, worst = error.argmax(axis=1), error.max(axis=1)
    else:
        wrong = predicted.known & (predicted.targets != predicted.decided)
        of_true = np.take_along_axis(shares, np.maximum(predicted.targets, 0)[:, None], axis=1)
        about, worst = predicted.decided, np.where(wrong, 1.0 - of_true[:, 0], -1.0)
    rows = np.argsort(-worst, kind="stable")[:most]
    rows = rows[worst[rows] >= 0.0]
    return rows, about[rows].astype(np.int64)


def _mistake(
    scored: ScoredRows, predicted: Predicted, row: int, label: int, place: str, text: str
) -> Mistake:
    labels = predicted.labels
    name = labels.names[label]
    (explanation,) = explain(scored.classifier, [text], name)
    true, given = labels.named(predicted.targets[row]), labels.named(predicted.decided[row])
    return Mistake(place, true, given, explanation)
