"""How much each token tells of a label, counted before anything is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.chance import chance
from embedclf.vocabularies import RESERVED

if TYPE_CHECKING:
    from embedclf.measures import Doubles
    from embedclf.preparation import Prepared
    from embedclf.weights import Floats

_SMOOTHING = 0.5
"""Occurrences that every token is given beside its own, shared by labels as all tokens are, so that
those seen once tell little."""
_LEAST = 1e-6
"""Of the mean: tokens that all tell nothing move alike."""
_TINY = float(np.finfo(np.float64).tiny)


def first_rows(prepared: Prepared) -> tuple[Floats, Floats]:
    """Give rows by chance, each in the measure of what it tells of a label.

    Wang and Manning (Baselines and Bigrams, 2012, section 2.1) multiply the features of a linear
    classifier by how much oftener a label has them, so that those which tell much need small
    weights and those which tell nothing are left alone. A linear network whose rows begin and move
    in that measure is the same classifier, its factors already multiplied out.

    Args:
        prepared: The training rows are counted.

    Returns:
        (rows, embedding_dim) of the embedding, and (rows,) what each row's steps are multiplied
        by: the mean over tokens and n-grams is 1.
    """
    told = information(prepared)
    known = told[len(RESERVED) :]
    paces = told / max(float(known.mean()), _LEAST)
    paces[: len(RESERVED)] = 1.0
    width = prepared.config.model.embedding_dim
    return chance((len(paces), width), prepared.config.seed) * paces[:, None], paces


def information(prepared: Prepared) -> Floats:
    """How far the labels of the texts that hold each id are from those of all texts.

    It is the root of the divergence (Kullback and Leibler, On Information and Sufficiency, 1951)
    between the share of an id's occurrences that a label has and its share of all, summed over
    labels. Where shares differ little the root grows as the logarithm of their ratio does, which is
    Wang and Manning's measure for two labels; of many labels that takes the largest of many
    ratios, which rare tokens have by chance.

    Returns:
        (rows,) from 0, which tells nothing.
    """
    part, counts = prepared.train, prepared.counts
    told, total = np.zeros(len(counts)), max(1, counts.sum())
    for of_label in prepared.labels.present(part.targets).T:
        inside = part.occurrences(len(counts), of_label)
        usual = inside.sum() / total
        share = (inside + _SMOOTHING * usual) / (counts + _SMOOTHING)
        told += _summand(share, usual) + _summand(1.0 - share, 1.0 - usual)
    return np.sqrt(np.maximum(told, 0.0)).astype(np.float32)


def _summand(share: Doubles, usual: float) -> Doubles:
    """Of a divergence: share · log(share / usual), 0 where the share is 0.

    SciPy has it, but 0.2 s of a training that takes 4 s went to importing that.
    """
    summand: Doubles = share * np.log(np.maximum(share, _TINY) / max(usual, _TINY))
    return summand
