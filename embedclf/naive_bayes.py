"""How much each token tells of a label, counted before anything is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.chance import chance
from embedclf.vocabularies import RESERVED

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedclf.parts import Counts
    from embedclf.preparation import Prepared
    from embedclf.weights import Floats

_SMOOTHING = 1.0
"""Added to every count, so that what a label never had is not ruled out."""
_LEAST = 1e-6
"""Of a mean ratio: tokens that all tell nothing move alike."""


def first_rows(prepared: Prepared) -> tuple[Floats, Floats]:
    """Give rows by chance, each in the measure of what it tells of a label.

    Wang and Manning (Baselines and Bigrams, 2012, section 2.1) multiply the features of a linear
    classifier by their log-count ratios, so that those which tell much need small weights and those
    which tell nothing are left alone. A linear network whose rows begin and move in proportion to
    the ratios is the same classifier, its factors already multiplied out.

    Args:
        prepared: The training rows are counted.

    Returns:
        (rows, embedding_dim) of the embedding, and (rows,) what each row's steps are multiplied
        by: the mean over tokens and n-grams is 1.
    """
    told = log_count_ratio(prepared)
    known = told[len(RESERVED) :]
    paces = told / max(float(known.mean()), _LEAST)
    paces[: len(RESERVED)] = 1.0
    width = prepared.config.model.embedding_dim
    return chance((len(paces), width), prepared.config.seed) * paces[:, None], paces


def log_count_ratio(prepared: Prepared) -> Floats:
    """How much oftener each id is in texts of a label than in all others, or how much more rarely.

    Returns:
        (rows,) the logarithm of the ratio of its shares among all tokens, without a sign, of the
        label for which it is largest.
    """
    part, rows = prepared.train, prepared.tokenizer.rows
    total = prepared.counts
    largest = np.zeros(rows, np.float32)
    for of_label in prepared.labels.present(part.targets).T:
        inside = part.occurrences(rows, of_label)
        ratio = _log_shares(inside) - _log_shares(total - inside)
        largest = np.maximum(largest, np.abs(ratio).astype(np.float32))
    return largest


def _log_shares(counts: Counts) -> npt.NDArray[np.float64]:
    smooth = counts + _SMOOTHING
    shares: npt.NDArray[np.float64] = np.log(smooth / smooth.sum())
    return shares
