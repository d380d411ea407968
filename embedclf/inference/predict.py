"""Rows in, rows with predictions out, in order."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import RequestError
from embedclf.inference.inputs import OutputSpec, TableFormat, from_texts, open_source
from embedclf.inference.outputs import RowBuffer, open_object, open_output
from embedclf.inference.serialization import DECIMALS
from embedclf.system.arrow import decimal_column, mask_column, number_column, text_column
from embedclf.system.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from embedclf.data.labels import Labels, Probabilities
    from embedclf.inference.inputs import TextSource
    from embedclf.inference.outputs import Output
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrow import Batch

_PROBABILITY_OF = "probability_"


@dataclass(frozen=True)
class PredictionProgress:
    """How many rows have been scored, and what share of the source that is, where it is known."""

    rows: int
    share: float | None


@dataclass(frozen=True)
class Predictor:
    """Scores batches and names what it finds."""

    classifier: Classifier
    separator: str = "|"
    """Between several labels of a row."""
    all_probabilities: bool = False
    """Whether to add the probability of each label."""
    best: int = 0
    """How many of the likeliest labels to add, each with its probability."""

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that stand behind those of the source."""
        every = self.classifier.labels.names if self.all_probabilities else ()
        return (
            "prediction",
            "probability",
            *(f"{_PROBABILITY_OF}{name}" for name in every),
            *(name for rank in range(1, self.best + 1) for name in _rank_columns(rank)),
            "truncated",
            "unknown_share",
        )

    def score(self, batch: Batch) -> pa.RecordBatch:
        """The rows of a batch with what is added.

        The prediction is the likelier label, or of several labels those with a probability of 0.5
        or more, none of them the empty text. Its probability is a number, of several labels text.
        """
        tokenizer, labels = self.classifier.tokenizer, self.classifier.labels
        encoding = tokenizer.encode(batch.texts)
        probabilities = self.classifier.score(encoding.ids)
        every = labels.shares(probabilities)  # (n, labels)
        columns = self._decided(probabilities, every)
        if self.all_probabilities:
            columns += [_numbers(share) for share in every.T]
        if self.best:
            for ids in labels.ranked(probabilities)[:, : self.best].T:
                columns += [_names(labels, ids), _numbers(_of(every, ids))]
        truncated = encoding.lengths > tokenizer.sequence_length
        unknown = encoding.unknown / np.maximum(encoding.lengths, 1)
        columns += [mask_column(truncated), _numbers(unknown)]
        fields = [
            pa.field(name, column.type) for name, column in zip(self.added, columns, strict=True)
        ]
        kept = batch.rows.schema
        schema = pa.schema([*kept, *fields], kept.metadata)
        return pa.RecordBatch.from_arrays([*batch.rows.columns, *columns], schema=schema)

    def _decided(self, probabilities: Probabilities, every: Probabilities) -> list[pa.Array]:
        """Predicted labels, and their probabilities."""
        labels = self.classifier.labels
        decided = labels.decide(probabilities)
        if labels.task != "multilabel":
            return [_names(labels, decided), _numbers(_of(every, decided))]
        rows, columns = np.nonzero(decided)
        offsets = np.searchsorted(rows, np.arange(len(decided) + 1)).astype(np.int32)
        return [
            _joined(offsets, _names(labels, columns), self.separator),
            _joined(offsets, decimal_column(every[rows, columns], DECIMALS), self.separator),
        ]


@dataclass(frozen=True)
class PredictionRequest:
    """What is wanted of a prediction."""

    form: TableFormat = field(default_factory=TableFormat)
    """How to read the rows."""
    output: Path | None = None
    """Where they go: a table, or standard output."""
    as_objects: bool = False
    """Whether they are printed as one JSON object instead."""
    held: bool = False
    """Whether they are kept in memory instead."""
    safe: bool = False
    """Whether to neutralise what a spreadsheet would run as formulas."""
    all_probabilities: bool = False
    """Whether to add the probability of each label."""
    best: int = 0
    """How many of the likeliest labels to add."""


@dataclass(frozen=True)
class PredictionSummary:
    """How many rows have been scored, and those that were to be held."""

    count: int
    rows: list[dict[str, Any]]


def predict(
    run: Run,
    given: Path | Sequence[str],
    request: PredictionRequest,
    on_event: Callable[[TextSource | PredictionProgress], None] = lambda _told: None,
) -> PredictionSummary:
    """Score all rows of a table, or texts, in order, and pass them on.

    Args:
        run: Scores them.
        given: A table, `-` for standard input, or the texts themselves.
        request: How to read the rows, what to add to them, and where they go.
        on_event: Called with the opened source and after each batch that was written.

    Raises:
        DataError: The rows cannot be read or written, or have a column that is to be added.
        RequestError: More labels are wanted than there are, or what a kind of table has not.
    """
    predictor = _predictor(run, request)
    as_objects = request.as_objects or request.held
    wanted = OutputSpec(request.output, as_objects, predictor.added)
    held = RowBuffer()
    with ExitStack() as stack:
        if isinstance(given, Path):
            opened = open_source(given, run.config().data, request.form, wanted)
            source = stack.enter_context(opened)
        else:
            source = from_texts(given, wanted)
        on_event(source)
        if request.held:
            output: Output = held
        else:
            output = stack.enter_context(_open(run, request, source, predictor.added))
        return PredictionSummary(_pass_on(predictor, source, output, on_event), held.rows)


def ranked(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Labels of a row with their probabilities, the best if they were wanted, else every one."""
    best = []
    for rank in itertools.count(1):
        name, probability = _rank_columns(rank)
        if name not in row:
            break
        best.append((row[name], row[probability]))
    starts = (name for name in row if name.startswith(_PROBABILITY_OF))
    return best or [(name.removeprefix(_PROBABILITY_OF), row[name]) for name in starts]


def _open(
    run: Run, request: PredictionRequest, source: TextSource, added: tuple[str, ...]
) -> AbstractContextManager[Output]:
    if request.safe and source.target != "delimited":
        raise RequestError("--safe-csv goes with CSV and TSV; other tables run no formulas")
    columns = (*source.columns, *added)
    if request.as_objects:
        return open_object("predictions", str(run.path), columns)
    return open_output(request.output, source.target, columns, safe=request.safe)


def _predictor(run: Run, request: PredictionRequest) -> Predictor:
    classifier = run.classifier()
    labels = len(classifier.labels.names)
    if request.best > labels:
        raise RequestError(f"-k {request.best}: {run.path} knows {labels} labels; ask for fewer")
    several = classifier.labels.task == "multilabel"
    separator = (several and run.config().data.label_separator) or "|"
    return Predictor(classifier, separator, request.all_probabilities, request.best)


def _pass_on(
    predictor: Predictor,
    source: TextSource,
    output: Output,
    on_event: Callable[[PredictionProgress], None],
) -> int:
    """Score and render batches on all cores while others are read and written, in order."""

    def work(batch: Batch) -> tuple[Any, PredictionProgress, bool]:
        rows = predictor.score(batch)
        rendered = output.render(rows, batch.records)
        return rendered, PredictionProgress(rows.num_rows, batch.share), batch.pause

    count = 0
    with closing(in_order(work, source.batches, settles=lambda batch: batch.pause)) as scored:
        for rendered, done, pause in scored:
            output.write(rendered)
            count += done.rows
            on_event(PredictionProgress(count, done.share))
            if pause:
                output.flush()
    output.flush()
    return count


def _rank_columns(rank: int) -> tuple[str, str]:
    return f"best_{rank}", f"best_{rank}_probability"


def _of(every: Probabilities, ids: npt.NDArray[np.integer]) -> Probabilities:
    """(n,) the probabilities of one label a row."""
    shares: Probabilities = np.take_along_axis(every, ids[:, None], axis=1)[:, 0]
    return shares


def _names(labels: Labels, ids: npt.NDArray[np.integer]) -> pa.Array:
    return text_column(labels.names).take(number_column(ids.astype(np.int32)))


def _numbers(numbers: npt.NDArray[np.floating]) -> pa.Array:
    return number_column(numbers.astype(np.float64).round(DECIMALS))


def _joined(offsets: npt.NDArray[np.int32], texts: pa.Array, separator: str) -> pa.Array:
    lists = pa.ListArray.from_arrays(number_column(offsets), texts)
    return pc.binary_join(lists, text_column([separator])[0])
