"""Predictions of a few texts as plain values: the rows of `Predictor`, without Arrow's columns.

A column takes some microseconds to make and to read, however short it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.inference.serialization import DECIMALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels
    from embedclf.inference.predictor import Predictor


def predict_few(predictor: Predictor, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return each text with the columns that a predictor adds, other than all probabilities.

    Args:
        predictor: Whose rows to return.
        texts: So few that their probabilities of all labels fit in memory.

    Raises:
        UnicodeEncodeError: A text contains a lone surrogate.
    """
    tokenizer, labels = predictor.classifier.tokenizer, predictor.classifier.labels
    encoding = tokenizer.encode(texts)
    probabilities = predictor.classifier.predict_proba_ids(encoding.ids)
    by_label = labels.label_probabilities(probabilities).astype(np.float64).round(DECIMALS)
    top = [labels.rank(probabilities)[:, : predictor.top_k].tolist()] if predictor.top_k else []
    columns = (
        texts,
        by_label.tolist(),
        labels.decide(probabilities).tolist(),
        *top,
        (encoding.lengths > tokenizer.sequence_length).tolist(),
        encoding.unknown_share.round(DECIMALS).tolist(),
        (~encoding.has_known_token).tolist(),
    )
    names = ("text", *predictor.added_columns)
    rows = []
    for text, by_index, decision, *ranked, truncated, share, no_known in zip(*columns, strict=True):
        cells = [text, *_predicted(labels, decision, by_index)]
        for index in ranked[0] if ranked else ():
            cells += [labels.names[index], by_index[index]]
        rows.append(dict(zip(names, [*cells, truncated, share, no_known], strict=True)))
    return rows


def _predicted(
    labels: Labels, decision: int | list[int], by_index: Sequence[float]
) -> tuple[Any, Any]:
    """Return the predicted label and its probability, or lists of both in a multilabel task."""
    if isinstance(decision, int):
        return labels.names[decision], by_index[decision]
    predicted = [index for index, is_predicted in enumerate(decision) if is_predicted]
    return [labels.names[index] for index in predicted], [by_index[index] for index in predicted]
