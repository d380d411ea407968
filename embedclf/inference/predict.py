"""Predict: rows in, rows with predictions out, in the same order."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.errors import RequestError
from embedclf.inference.inputs import (
    OutputSpec,
    TableFormat,
    open_text_source,
    source_from_texts,
)
from embedclf.inference.outputs import RowBuffer, open_json_object, open_output
from embedclf.inference.serialization import DECIMALS
from embedclf.system.arrow import mask_column, number_column, text_column
from embedclf.system.progress import activity
from embedclf.system.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from embedclf.data.labels import Labels, Probabilities
    from embedclf.inference.inputs import TextSource
    from embedclf.inference.outputs import Output
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrow import Batch

    LabelIndices = npt.NDArray[np.integer]  # (n,)

_PROBABILITY_PREFIX = "probability_"


@dataclass(frozen=True)
class PredictionRequest:
    """What to predict, and where to write it."""

    table_format: TableFormat = field(default_factory=TableFormat)
    """How to read the rows."""
    output: Path | None = None
    """Table to write; None is standard output."""
    as_json: bool = False
    """Whether to print one JSON object instead."""
    in_memory: bool = False
    """Whether to return the rows instead."""
    escape_formulas: bool = False
    """Whether to escape cells that a spreadsheet would run as formulas."""
    all_probabilities: bool = False
    """Whether to add the probability of each label."""
    top_k: int = 0
    """How many of the most probable labels to add."""


@dataclass(frozen=True)
class PredictionSummary:
    """What a prediction wrote."""

    row_count: int
    without_known_token: int
    """Rows of whose texts the network read no known token."""
    rows: list[dict[str, Any]]
    """The rows themselves if they were kept in memory, else none."""


def predict(
    run: Run,
    source: Path | Sequence[str],
    request: PredictionRequest,
    on_event: Callable[[TextSource], None] = lambda _source: None,
) -> PredictionSummary:
    """Predict the labels of a table, or of texts, and write the rows in order.

    Args:
        run: Whose classifier to use.
        source: A table, `-` for standard input, or the texts themselves.
        request: How to read the rows, what to add to them, and where to write them.
        on_event: Called with the opened source.

    Raises:
        DataError: The rows cannot be read or written, or have a column that would be added.
        RequestError: `top_k` exceeds the number of labels, or the output format does not support
            a requested option.
    """
    predictor = _make_predictor(run, request)
    as_json = request.as_json or request.in_memory
    spec = OutputSpec(request.output, as_json, predictor.added_columns)
    buffer = RowBuffer()
    with ExitStack() as stack:
        if isinstance(source, Path):
            opened = open_text_source(source, run.config().data, request.table_format, spec)
            text_source = stack.enter_context(opened)
        else:
            text_source = source_from_texts(source, spec)
        on_event(text_source)
        if request.in_memory:
            output: Output = buffer
        else:
            output = stack.enter_context(
                _open_output(run, request, text_source, predictor.added_columns)
            )
        counts = _write_predictions(predictor, text_source, output)
        return PredictionSummary(*counts, buffer.rows)


@dataclass(frozen=True)
class Predictor:
    """Adds predictions to batches of rows."""

    classifier: Classifier
    all_probabilities: bool = False
    """Whether to add the probability of each label."""
    top_k: int = 0
    """How many of the most probable labels to add, each with its probability."""

    @property
    def added_columns(self) -> tuple[str, ...]:
        """The columns after those of the source."""
        names = self.classifier.labels.names if self.all_probabilities else ()
        return (
            "prediction",
            "probability",
            *(f"{_PROBABILITY_PREFIX}{name}" for name in names),
            *(name for rank in range(1, self.top_k + 1) for name in _rank_columns(rank)),
            "truncated",
            "unknown_share",
            "no_known_token",
        )

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
        unknown = np.where(
            encoding.lengths == 0, 1.0, encoding.unknown / np.maximum(encoding.lengths, 1)
        )
        columns += [
            mask_column(truncated),
            _rounded(unknown),
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


class _ScoredBatch(NamedTuple):
    """A batch on its way from the thread that scored it to the one that writes."""

    rendered: Any
    rows: int
    without_known_token: int
    fraction_read: float | None
    flush: bool


def _make_predictor(run: Run, request: PredictionRequest) -> Predictor:
    classifier = run.classifier()
    label_count = len(classifier.labels.names)
    if request.top_k > label_count:
        raise RequestError(
            f"-k {request.top_k}: {run.path} has only {label_count} labels; ask for fewer"
        )
    return Predictor(classifier, request.all_probabilities, request.top_k)


def _open_output(
    run: Run, request: PredictionRequest, source: TextSource, added_columns: tuple[str, ...]
) -> AbstractContextManager[Output]:
    if request.escape_formulas and source.output_format != "delimited":
        raise RequestError("--safe-csv applies only to CSV and TSV; other formats run no formulas")
    columns = (*source.columns, *added_columns)
    if request.as_json:
        return open_json_object("predictions", str(run.path), columns)
    return open_output(
        request.output,
        source.output_format,
        columns,
        # A run with one column per label has no separator
        list_separator=run.config().data.label_separator or "|",
        escape_formulas=request.escape_formulas,
    )


def _write_predictions(predictor: Predictor, source: TextSource, output: Output) -> tuple[int, int]:
    """Score and render batches on all cores while others are read and written.

    Returns:
        The number of rows, and of those without a known token.
    """

    def work(batch: Batch) -> _ScoredBatch:
        rows = predictor.predict(batch)
        no_known_token = rows.column(rows.num_columns - 1)
        return _ScoredBatch(
            output.render(rows, batch.records),
            rows.num_rows,
            no_known_token.true_count,
            batch.fraction_read,
            batch.flush,
        )

    row_count = without_known_token = 0
    batches = parallel_map(work, source.batches, flush_after=lambda batch: batch.flush)
    # Closing ends the worker threads, also if writing fails
    with closing(batches) as results, activity("predicting", unit="rows") as predicting:
        for scored in results:
            output.write(scored.rendered)
            row_count += scored.rows
            without_known_token += scored.without_known_token
            predicting.advance(scored.rows)
            predicting.fraction = scored.fraction_read
            if scored.flush:
                output.flush()
    output.flush()
    return row_count, without_known_token


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
