"""Predict: rows in, rows with predictions out, in the same order."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.errors import DataError, RequestError
from embedclf.inference.inputs import OutputSpec, open_text_source, source_from_texts
from embedclf.inference.outputs import open_json_object, open_output
from embedclf.inference.predictor import Predictor
from embedclf.system.progress import activity
from embedclf.system.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from embedclf.config.fields import Tables
    from embedclf.inference.inputs import TextSource
    from embedclf.inference.outputs import Output
    from embedclf.inference.serialization import CsvStyle
    from embedclf.runs.run import Run
    from embedclf.system.arrow import Batch
    from embedclf.tables.files import TableFile


@dataclass(frozen=True)
class PredictionRequest:
    """What to predict, and where to write it."""

    reading: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `data` by which the table differs from the run's."""
    output: Path | None = None
    """Table to write; None is standard output."""
    as_json: bool = False
    """Whether to print one JSON object instead."""
    escape_formulas: bool = False
    """Whether to escape cells that a spreadsheet would run as formulas."""
    for_excel: bool = False
    """Whether to write CSV as Excel opens it, which includes escaping formulas."""
    prefix: str = ""
    """Before the name of each added column."""
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
    notes: tuple[str, ...] = ()
    """What people should know about how the table was read, a sentence each."""
    line_counts: tuple[str, ...] = ()
    """Files with fewer rows than lines, which is no fault: a sentence each."""


def predict(
    run: Run,
    source: Tables | TableFile | list[str],
    request: PredictionRequest,
    on_event: Callable[[TextSource], None] = lambda _source: None,
) -> PredictionSummary:
    """Predict the labels of a table, or of texts, and write the rows in order.

    Args:
        run: Whose classifier to use.
        source: A table, `-` for standard input, or a list of the texts themselves.
        request: How to read the rows, what to add to them, and where to write them.
        on_event: Called with the opened source.

    Raises:
        DataError: The rows cannot be read or written, or have a column that would be added.
        RequestError: `top_k` exceeds the number of labels, or the output format does not support
            a requested option.
    """
    predictor = Predictor.of_run(
        run,
        all_probabilities=request.all_probabilities,
        top_k=request.top_k,
        prefix=request.prefix,
    )
    spec = OutputSpec(
        request.output,
        request.as_json,
        predictor.added_columns,
        escape_formulas=request.escape_formulas,
        for_excel=request.for_excel,
    )
    with ExitStack() as stack:
        if isinstance(source, list):
            text_source = source_from_texts(source, spec)
        else:
            opened = open_text_source(source, run.config().data, request.reading, spec)
            text_source = stack.enter_context(opened)
        on_event(text_source)
        output = stack.enter_context(_open_output(run, request, text_source, predictor))
        counts = _write_predictions(predictor, text_source, output)
        return PredictionSummary(*counts, text_source.notes(), text_source.line_counts())


class _ScoredBatch(NamedTuple):
    """A batch on its way from the thread that scored it to the one that writes."""

    rendered: Any
    rows: int
    without_known_token: int
    fraction_read: float | None
    flush: bool


def _open_output(
    run: Run, request: PredictionRequest, source: TextSource, predictor: Predictor
) -> AbstractContextManager[Output]:
    _check_options(request, source)
    columns = (*source.columns, *predictor.added_columns)
    if request.as_json:
        return open_json_object("predictions", str(run.path), columns)
    if source.output_format == "delimited":
        _check_encoding(request.output, predictor.classifier.labels.names, source.style)
    return open_output(
        request.output,
        source.output_format,
        columns,
        # A run with one column per label has no separator
        list_separator=run.config().data.label_separator or "|",
        style=source.style,
    )


def _check_options(request: PredictionRequest, source: TextSource) -> None:
    """Check that options for text tables are not set for another format.

    Raises:
        RequestError: One is.
    """
    if source.output_format == "delimited":
        return
    if request.escape_formulas:
        raise RequestError("--safe-csv applies only to CSV and TSV; other formats run no formulas")
    if request.for_excel:
        raise RequestError("--excel applies only to CSV; for a workbook, write -o FILE.xlsx")


def _check_encoding(output: Path | None, names: Sequence[str], style: CsvStyle) -> None:
    """Check that predicted labels can be written, before a row is.

    Raises:
        DataError: The encoding lacks a character of a label.
    """
    for name in names:
        try:
            style.encode(memoryview(name.encode()), is_first=False)
        except DataError as error:
            raise DataError(f"{output}: label {name!r}: {error}") from error


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
    split = predictor.split(source.batches)
    batches = parallel_map(work, split, flush_after=lambda batch: batch.flush)
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
