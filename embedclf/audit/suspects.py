"""suspects: likely label errors."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.audit.confident_learning import (
    adjust_for_duplicates,
    compute_confident_joint,
    rank_multilabel_suspects,
    rank_suspects,
)
from embedclf.data.labeled import read_labeled
from embedclf.data.scratch import TextsFile
from embedclf.errors import DataError, RequestError
from embedclf.inference.outputs import open_output
from embedclf.inference.predictor import DECIMALS
from embedclf.model.probabilities import outcome_columns
from embedclf.system.arrow import BATCH_ROWS, number_column, text_column
from embedclf.system.formats import output_format
from embedclf.system.progress import activity
from embedclf.system.storage import size_and_time
from embedclf.tables.files import find_files, has_file_names, is_folder, is_one_of
from embedclf.tables.folders import list_folder_files
from embedclf.training.folds.cross_fitting import predict_out_of_fold, read_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.audit.confident_learning import LabelProbabilities, RankedSuspects
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labels import Targets
    from embedclf.inference.outputs import Output
    from embedclf.tables.files import TableFile
    from embedclf.training.folds.cross_fitting import FoldEvent, Folds

COLUMNS = ("line", "given", "likely", "probability_given", "probability_likely", "text")
"""Columns of the output; of a table in several files, `file` comes first."""


@dataclass(frozen=True)
class LabelNoise:
    """The estimated number of rows with one label that belong to another."""

    label: str
    predicted: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The pair as plain values, by its published keys."""
        return {"given": self.label, "likely": self.predicted, "rows": self.rows}


@dataclass(frozen=True)
class LabelErrors:
    """Rows of a table whose label is probably wrong, and an estimate of how many there are."""

    path: Tables
    rows: int
    """Valid rows; all are examined."""
    task: str
    folds: int
    suspects: int
    """Rows with another label that is more probable than their own."""
    mislabeled: int
    """Estimated from the confident joint; in a multi-label task, it counts labels, not rows."""
    noise: tuple[LabelNoise, ...]
    """The estimate by pair of labels, most rows first."""
    first: list[dict[str, Any]]
    """The most probable errors, keyed by `COLUMNS`."""

    def to_json(self) -> dict[str, Any]:
        """The label errors as plain values, by their published keys."""
        return {
            "path": self.path,
            "rows": self.rows,
            "task": self.task,
            "folds": self.folds,
            "suspects": self.suspects,
            "mislabeled": self.mislabeled,
            "noise": [pair.to_json() for pair in self.noise],
            "first": self.first,
        }


def find_label_errors(
    config: Config,
    *,
    folds: int,
    max_rows: int,
    output: Path | None = None,
    on_event: Callable[[FoldEvent], None] = lambda _event: None,
) -> LabelErrors:
    """Find the rows of the training table whose label is probably wrong.

    All valid rows are examined, including those that training would hold out. Each is scored by a
    network trained without it. If its text occurs more than once, the labels of the other rows
    count too.

    Args:
        config: The training table and settings; the test table is not read.
        folds: Number of networks to train, each without one fold of the rows.
        max_rows: Number of rows to return, the most probable errors first.
        output: File for all likely label errors; it appears only when it is complete.
        on_event: Called with each training event.

    Raises:
        DataError: The table cannot be used or has changed since it was read, or the output cannot
            be written.
        ConfigError: A file does not exist.
        RequestError: The output is the training table.
        TrainingError: The device does not exist, or the loss became NaN or infinite.
        KeyboardInterrupt: Ctrl-C; no incomplete file is left.
    """
    with ExitStack() as stack:
        writer = None
        if output is not None:
            # Before training, which would otherwise be wasted.
            _check_output(output, config)
            separator = config.data.label_separator or "|"  # none for one column per label
            columns = _output_columns(find_files(config.data.train))
            target = output_format(output, "delimited")
            opened = open_output(output, target, columns, list_separator=separator)
            writer = stack.enter_context(opened)
        table = stack.enter_context(read_folds(config, folds))
        probabilities = _predict(table, on_event)
        is_multilabel = table.labels.task == "multilabel"
        rank = rank_multilabel_suspects if is_multilabel else rank_suspects
        with activity("ranking rows"):
            ranked = rank(table.targets, probabilities)
        kept = len(ranked) if writer else min(max_rows, len(ranked))
        texts = TextsFile(stack.enter_context(TemporaryFile()))
        with activity("reading the texts of likely label errors"):
            rows = _SuspectRows(table, ranked, kept, texts)
        if writer is not None:
            rows.write(writer)
        first = rows.batch(0, min(max_rows, kept)).to_pylist()
        return _summarize(table, probabilities, ranked, first)


def _check_output(output: Path, config: Config) -> None:
    """Refuse to replace the training table, as the output lacks most of its rows."""
    if is_one_of(output, find_files(config.data.train)):
        raise RequestError(f"-o {output}: this is the training table; choose another file")


def _predict(table: Folds, on_event: Callable[[FoldEvent], None]) -> LabelProbabilities:
    """Predict the labels of all rows out of fold; raises DataError if the table changes."""
    files = table.tokenized.rows.table.files
    before = _sizes_and_times(files)
    probabilities = predict_out_of_fold(table, on_event)
    # Texts are read again by position, so the rows must be the same.
    for file, old, new in zip(files, before, _sizes_and_times(files), strict=True):
        if new != old:
            raise DataError(f"{file.name}: the file changed during the run; run the command again")
    label_probabilities = table.labels.label_probabilities(probabilities)
    return adjust_for_duplicates(label_probabilities, table.targets, table.tokenized.fingerprints)


def _output_columns(files: Sequence[TableFile]) -> tuple[str, ...]:
    return ("file", *COLUMNS) if has_file_names(files) else COLUMNS


def _sizes_and_times(files: Sequence[TableFile]) -> list[tuple[int, Any]]:
    """Return the size and the time of each file, or the number of texts, to notice changes."""
    return [
        (len(list_folder_files(file.location)), None)
        if is_folder(file.location)
        else size_and_time(file.location)
        for file in files
    ]


class _SuspectRows:
    """The first `kept` rows with their texts and line numbers, read in one pass."""

    def __init__(
        self, table: Folds, ranked: RankedSuspects, kept: int, texts_file: TextsFile
    ) -> None:
        self._table, self._ranked = table, ranked
        config = table.config.data
        rows = ranked.rows[:kept]
        mask = np.zeros(len(table), np.bool_)
        mask[rows] = True
        reread = read_labeled(
            config.train, config, lambda texts: texts, texts_file.append, only=mask
        )
        self._texts = texts_file.reader()
        self._indices = np.searchsorted(np.sort(rows), rows)  # (kept,) position among those read
        source, positions = table.tokenized.rows.table, reread.positions.tolist()
        self._columns = _output_columns(source.files)
        self._lines = np.array(source.line_numbers(positions), np.int64)
        self._files = source.file_names(positions) if "file" in self._columns else []

    def write(self, output: Output) -> None:
        """Write all rows, the most probable errors first."""
        # At least one batch, even if empty: Parquet takes its schema from the first.
        for start in range(0, max(1, len(self._indices)), BATCH_ROWS):
            output.write(output.render(self.batch(start, start + BATCH_ROWS), None))

    def batch(self, start: int, end: int) -> pa.RecordBatch:
        """Return the rows of a range of ranks, with the columns of the output."""
        indices = self._indices[start:end]
        ranks = slice(start, start + len(indices))
        labels, predicted = self._format_labels(ranks)
        label_probability = self._ranked.label_probability[ranks]
        predicted_probability = self._ranked.predicted_probability[ranks]
        columns = [
            number_column(self._lines[indices]),
            labels,
            predicted,
            number_column(np.round(label_probability, DECIMALS)),
            number_column(np.round(predicted_probability, DECIMALS)),
            self._texts(indices),
        ]
        if "file" in self._columns:
            columns.insert(0, text_column([self._files[index] for index in indices]))
        return pa.RecordBatch.from_arrays(columns, self._columns)

    def _format_labels(self, ranks: slice) -> tuple[pa.Array, pa.Array]:
        """Return the labels and the predicted labels of rows; lists in a multilabel task."""
        names, ranked = self._table.labels.names, self._ranked
        labels, predicted = ranked.label[ranks], ranked.predicted[ranks]
        if ranked.column is None:
            return (
                text_column([names[label] for label in labels]),
                text_column([names[label] for label in predicted]),
            )
        flags = self._table.targets[ranked.rows[ranks]].toarray()
        corrected = flags.copy()
        corrected[np.arange(len(flags)), ranked.column[ranks]] = predicted  # one flag flipped
        return self._list_labels(flags), self._list_labels(corrected)

    def _list_labels(self, flags: Targets) -> pa.ListArray:
        rows, labels = np.nonzero(flags)  # row by row
        offsets = np.searchsorted(rows, np.arange(len(flags) + 1)).astype(np.int32)
        names = text_column([self._table.labels.names[label] for label in labels])
        return pa.ListArray.from_arrays(number_column(offsets), names)


def _summarize(
    table: Folds,
    probabilities: LabelProbabilities,
    ranked: RankedSuspects,
    first: list[dict[str, Any]],
) -> LabelErrors:
    noise = sorted(_estimate_noise(table, probabilities), key=lambda pair: -pair[2])
    return LabelErrors(
        path=table.config.data.train,
        rows=len(table),
        task=table.labels.task,
        folds=table.count,
        suspects=len(ranked),
        # Summed before rounding: many pairs below half a row still add up.
        mislabeled=round(sum(rows for *_, rows in noise)),
        noise=tuple(
            LabelNoise(label, predicted, round(rows))
            for label, predicted, rows in noise
            if rows >= 0.5
        ),
        first=first,
    )


def _estimate_noise(
    table: Folds, probabilities: LabelProbabilities
) -> list[tuple[str, str, float]]:
    """Estimate the rows of each pair of labels; multi-label: of each label and its absence."""
    names, targets = table.labels.names, table.targets
    if table.labels.task != "multilabel":
        joint = compute_confident_joint(targets, probabilities).tocoo()
        cells = zip(joint.row.tolist(), joint.col.tolist(), joint.data.tolist(), strict=True)
        return [(names[own], names[other], rows) for own, other, rows in cells if own != other]
    noise = []
    columns = outcome_columns(table.labels, targets, probabilities)
    for name, (has_label, present) in zip(names, columns, strict=True):
        # A binary task for each label, with columns for absent and present.
        both = np.stack([1 - present, present], axis=1)
        joint = compute_confident_joint(has_label.astype(np.int32), both)
        noise += [
            (f"no {name}", name, float(joint[0, 1])),
            (name, f"no {name}", float(joint[1, 0])),
        ]
    return noise
