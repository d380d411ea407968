"""Predictions of a few texts as plain values: the rows of `Predictor`, without Arrow's columns.

A column takes some microseconds to make and to read, however short it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import DataError
from embedclf.inference.predictor import DECIMALS, Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels
    from embedclf.runs.run import Run

NOT_UNICODE = "a text is not UTF-8; pass it in a file, with --encoding"
"""Fault of a text of the command line."""

FEW_TEXTS = 16
"""Texts up to which plain values are faster than columns."""


def predict_texts(
    run: Run, texts: Sequence[str], *, all_probabilities: bool = False, top_k: int = 0
) -> list[dict[str, Any]]:
    """Return each text with the columns that `embedclf predict` adds.

    Args:
        run: Whose classifier to use.
        texts: Of a command line, so they fit in memory.
        all_probabilities: Whether to add the probability of each label.
        top_k: How many of the most probable labels to add.

    Raises:
        DataError: A text is not Unicode.
        RequestError: `top_k` exceeds the number of labels.
    """
    predictor = Predictor.of_run(run, all_probabilities=all_probabilities, top_k=top_k)
    starts = range(0, len(texts), FEW_TEXTS)
    try:
        parts = [predict_few(predictor, texts[start : start + FEW_TEXTS]) for start in starts]
    except UnicodeEncodeError as error:
        raise DataError(NOT_UNICODE) from error
    return [row for part in parts for row in part]


def predict_few(predictor: Predictor, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return each text with the columns that a predictor adds.

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
        if predictor.all_probabilities:
            cells += by_index
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
