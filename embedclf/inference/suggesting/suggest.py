"""Suggest: rows without a label in, those to label next out, with an empty label column."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.errors import RequestError
from embedclf.inference.inputs import OutputSpec, open_text_source
from embedclf.inference.outputs import open_output
from embedclf.inference.predictor import DECIMALS, Predictor
from embedclf.inference.suggesting.label_columns import LabelColumns
from embedclf.inference.suggesting.labeled_texts import read_labeled_texts
from embedclf.inference.suggesting.search import RowSearch
from embedclf.system.arrow import number_column, split_batches, text_column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from embedclf.config.fields import Tables
    from embedclf.inference.inputs import TextSource
    from embedclf.inference.outputs import Output
    from embedclf.inference.suggesting.search import ChosenRows, RowCounts
    from embedclf.inference.suggesting.selection import Measure
    from embedclf.runs.run import Run

COLUMNS = ("prediction", "probability", "uncertainty", "no_known_token")
"""Columns that suggested rows gain after those of the label."""


@dataclass(frozen=True)
class SuggestionRequest:
    """How many rows to suggest, and where to write them."""

    count: int
    measure: Measure = "margin"
    """Of the uncertainty."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `data` by which the table differs from the run's."""
    output: Path | None = None
    """Table to write; None is standard output."""
    prefix: str = ""
    """Before the name of each added column, except those of the label."""

    @property
    def added_columns(self) -> tuple[str, ...]:
        """The columns after those of the label."""
        return tuple(f"{self.prefix}{name}" for name in COLUMNS)


@dataclass(frozen=True)
class Suggestions:
    """What was suggested."""

    counts: RowCounts
    notes: tuple[str, ...]
    """What people should know about how tables were read, a sentence each."""


def suggest(
    run: Run,
    tables: Tables,
    request: SuggestionRequest,
    on_event: Callable[[TextSource], None] = lambda _source: None,
) -> Suggestions:
    """Choose the rows of a table whose labels a run would learn most from, and write them.

    Rows that have a label are not chosen, and neither are texts in the tables of the run. The table
    is read once, and only a sample of its rows is held.

    Args:
        run: Whose classifier judges the rows.
        tables: Where the rows are, or `-` for standard input.
        request: How many rows to suggest, and where to write them.
        on_event: Called with the opened source.

    Raises:
        DataError: The rows cannot be read or written, or have a column that would be added.
        RequestError: The output exists.
    """
    if request.output is not None and request.output.exists():
        raise RequestError(
            f"{request.output}: already exists, and may hold your labels; choose another file"
        )
    config, classifier = run.config(), run.classifier()
    data = config.data.model_copy(update=dict(request.reading))
    labels = LabelColumns.from_config(data)
    learned, notes = read_labeled_texts(run, classifier.tokenizer)
    spec = OutputSpec(request.output, as_json=False, added_columns=request.added_columns)
    reading = {key: value for key, value in request.reading.items() if key != "label"}
    search = RowSearch(classifier, labels, request.count, request.measure)
    with ExitStack() as stack:
        source = stack.enter_context(open_text_source(tables, config.data, reading, spec))
        on_event(source)
        search.read(source.batches, learned)
        writer = _Writer(Predictor(classifier, prefix=request.prefix), labels, request)
        chosen = search.choose(seed=config.seed)
        separator = data.label_separator or "|"
        output = stack.enter_context(writer.open(source, separator))
        for rows in chosen:
            writer.write(output, rows)
        return Suggestions(search.counts, (*notes, *source.notes()))


@dataclass(frozen=True)
class _Writer:
    """Writes chosen rows with their new columns."""

    predictor: Predictor
    labels: LabelColumns
    request: SuggestionRequest

    def open(self, source: TextSource, list_separator: str) -> AbstractContextManager[Output]:
        columns = self.request.added_columns
        if source.columns:  # JSON records have their own
            columns = (*source.columns, *self.labels.missing(source.columns), *columns)
        return open_output(
            self.request.output,
            source.output_format,
            columns,
            list_separator=list_separator,
            style=source.style,
        )

    def write(self, output: Output, chosen: ChosenRows) -> None:
        batch, added = chosen.rows, self._added_columns(chosen)
        if batch.records is None:
            missing = self.labels.missing(batch.rows.schema.names)
            rows = _with_columns(batch.rows, missing, added)
            # A table without rows needs a batch, too, for its columns
            for part in split_batches(rows) or [rows]:
                output.write(output.render(part, None))
            return
        for index, record in enumerate(batch.records.to_pylist()):
            missing = self.labels.missing_in_record(record)
            rows = _with_columns(batch.rows.slice(index, 1), missing, added.slice(index, 1))
            output.write(output.render(rows, batch.records.slice(index, 1)))

    def _added_columns(self, chosen: ChosenRows) -> pa.RecordBatch:
        """Return the columns (n,) after those of the label."""
        predicted = self.predictor.predict(chosen.rows)
        names = self.predictor.added_columns
        columns = dict(zip(names, predicted.columns[-len(names) :], strict=True))
        uncertainty = number_column(np.round(chosen.uncertainty, DECIMALS))
        columns[f"{self.request.prefix}uncertainty"] = uncertainty
        wanted = self.request.added_columns
        return pa.RecordBatch.from_arrays([columns[name] for name in wanted], [*wanted])


def _with_columns(
    rows: pa.RecordBatch, labels: Sequence[str], added: pa.RecordBatch
) -> pa.RecordBatch:
    """Append empty label columns and others."""
    empty = text_column([""] * len(added))
    fields = [*rows.schema, *(pa.field(name, pa.string()) for name in labels), *added.schema]
    columns = [*rows.columns, *(empty for _ in labels), *added.columns]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, rows.schema.metadata))
