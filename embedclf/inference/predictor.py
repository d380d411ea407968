"""Predictions as columns that are added to batches of rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.errors import RequestError
from embedclf.system.arrow import mask_column, number_column, text_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.data.labels import Labels, Probabilities
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrow import Batch

    LabelIndices = npt.NDArray[np.integer]  # (n,)

DECIMALS = 6
"""Of every probability and fraction that is written."""

_PROBABILITY_PREFIX = "probability_"

_MAX_PROBABILITIES = 1 << 20
"""Rows times labels of a batch: 4 MiB, or 8 as the numbers of columns."""


@dataclass(frozen=True)
class Predictor:
    """Adds predictions to batches of rows."""

    classifier: Classifier
    all_probabilities: bool = False
    """Whether to add the probability of each label."""
    top_k: int = 0
    """How many of the most probable labels to add, each with its probability."""
    prefix: str = ""
    """Before the name of each added column."""

    @classmethod
    def of_run(
        cls, run: Run, *, all_probabilities: bool = False, top_k: int = 0, prefix: str = ""
    ) -> Predictor:
        """Make the predictor of a run's classifier.

        Raises:
            RequestError: `top_k` exceeds the number of labels.
            RunError: The classifier is damaged.
        """
        classifier = run.classifier()
        label_count = len(classifier.labels.names)
        if top_k > label_count:
            raise RequestError(
                f"-k {top_k}: {run.path} has only {label_count} labels; ask for fewer"
            )
        return cls(classifier, all_probabilities, top_k, prefix)

    @property
    def added_columns(self) -> tuple[str, ...]:
        """The columns after those of the source."""
        labels = self.classifier.labels.names if self.all_probabilities else ()
        names = (
            "prediction",
            "probability",
            *(f"{_PROBABILITY_PREFIX}{name}" for name in labels),
            *(name for rank in range(1, self.top_k + 1) for name in _rank_columns(rank)),
            "truncated",
            "unknown_share",
            "no_known_token",
        )
        return tuple(f"{self.prefix}{name}" for name in names)

    def split(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Split batches so that the probabilities of each take little memory."""
        rows = max(1, _MAX_PROBABILITIES // self.classifier.labels.outputs)
        for batch in batches:
            size = len(batch.texts)
            for start in range(0, max(1, size), rows):
                yield batch if size <= rows else _slice(batch, start, rows)

    def predict(self, batch: Batch) -> pa.RecordBatch:
        """Return the rows of a batch with the added columns.

        In a multilabel task, `prediction` is a list of all labels whose probability reaches their
        threshold, and `probability` a list of their probabilities. Otherwise they are one label and
        a number.

        The prediction for a text with `no_known_token` says nothing about the text. An empty text
        has an `unknown_share` of 1.
        """
        tokenizer, labels = self.classifier.tokenizer, self.classifier.labels
        encoding = tokenizer.encode(batch.texts)
        probabilities = self.classifier.predict_proba_ids(encoding.ids)
        by_label = labels.label_probabilities(probabilities)  # (n, labels)
        columns = self._predicted(probabilities, by_label)
        if self.all_probabilities:
            columns += [_rounded(column) for column in by_label.T]
        if self.top_k:
            for indices in labels.rank(probabilities)[:, : self.top_k].T:  # (n,) of one rank
                columns += [_label_names(labels, indices), _rounded(_select(by_label, indices))]
        truncated = encoding.lengths > tokenizer.sequence_length
        columns += [
            mask_column(truncated),
            _rounded(encoding.unknown_share),
            mask_column(~encoding.has_known_token),
        ]
        fields = [
            pa.field(name, column.type)
            for name, column in zip(self.added_columns, columns, strict=True)
        ]
        kept = batch.rows.schema  # its metadata stays, for Parquet
        schema = pa.schema([*kept, *fields], kept.metadata)
        return pa.RecordBatch.from_arrays([*batch.rows.columns, *columns], schema=schema)

    def _predicted(self, probabilities: Probabilities, by_label: Probabilities) -> list[pa.Array]:
        """Return the columns of predicted labels and of their probabilities."""
        labels = self.classifier.labels
        decisions = labels.decide(probabilities)
        if labels.task != "multilabel":
            return [_label_names(labels, decisions), _rounded(_select(by_label, decisions))]
        rows, indices = np.nonzero(decisions)
        # `rows` ascends, as nonzero goes row by row; (n + 1,) where the labels of each row begin
        offsets = number_column(np.searchsorted(rows, np.arange(len(decisions) + 1)).astype("i4"))
        return [
            pa.ListArray.from_arrays(offsets, _label_names(labels, indices)),
            pa.ListArray.from_arrays(offsets, _rounded(by_label[rows, indices])),
        ]


def ranked_labels(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Return labels of a row with their probabilities: the top k if they were added, else all."""
    top = []
    for rank in itertools.count(1):
        name, probability = _rank_columns(rank)
        if name not in row:
            break
        top.append((row[name], row[probability]))
    columns = (name for name in row if name.startswith(_PROBABILITY_PREFIX))
    return top or [(name.removeprefix(_PROBABILITY_PREFIX), row[name]) for name in columns]


def _slice(batch: Batch, start: int, rows: int) -> Batch:
    """Return some rows of a batch; only its last rows end what is flushed at once."""
    return replace(
        batch,
        texts=batch.texts.slice(start, rows),
        rows=batch.rows.slice(start, rows),
        records=None if batch.records is None else batch.records.slice(start, rows),
        flush=batch.flush and start + rows >= len(batch.texts),
    )


def _rank_columns(rank: int) -> tuple[str, str]:
    return f"best_{rank}", f"best_{rank}_probability"


def _select(by_label: Probabilities, indices: LabelIndices) -> Probabilities:
    """Select the probability (n,) of one label per row."""
    selected: Probabilities = np.take_along_axis(by_label, indices[:, None], axis=1)[:, 0]
    return selected


def _label_names(labels: Labels, indices: LabelIndices) -> pa.Array:
    return text_column(labels.names).take(number_column(indices.astype(np.int32)))


def _rounded(numbers: npt.NDArray[np.floating]) -> pa.Array:
    """Make a float64 column: a float32 rounded to 6 decimals would be printed with more."""
    return number_column(numbers.astype(np.float64).round(DECIMALS))
