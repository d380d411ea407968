"""suspects: rows that are probably mislabeled."""

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
from embedclf.inference.serialization import DECIMALS
from embedclf.system.arrow import BATCH_ROWS, number_column, text_column
from embedclf.system.formats import format_of
from embedclf.training.cross_fitting import predict_out_of_fold, read_folds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.audit.confident_learning import LabelProbabilities, RankedSuspects
    from embedclf.config.schema import Config
    from embedclf.data.labels import Targets
    from embedclf.inference.outputs import Output
    from embedclf.training.cross_fitting import FoldEvent, Folds

COLUMNS = ("line", "given", "likely", "probability_given", "probability_likely", "text")


@dataclass(frozen=True)
class LabelNoise:
    """How many rows with one label are estimated to belong to another."""

    label: str
    predicted: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The pair as plain values, by its published keys."""
        return {"given": self.label, "likely": self.predicted, "rows": self.rows}


@dataclass(frozen=True)
class LabelErrors:
    """Rows of a table that are probably mislabeled, and estimates of how many there are."""

    path: str
    rows: int
    """Valid rows; all of them are examined."""
    task: str
    folds: int
    suspects: int
    """Rows for which another label is more probable than their own."""
    mislabeled: int
    """Estimated from the confident joint; multilabel: labels, not rows."""
    noise: tuple[LabelNoise, ...]
    """The same by pair of labels, most rows first."""
    first: list[dict[str, Any]]
    """The most suspect rows, keyed by `COLUMNS`."""

    def to_json(self) -> dict[str, Any]:
        """The label errors as plain values, by their published keys."""
        return {
            "path": self.path,
            "rows": self.rows,
            "task": self.task,
            "folds": self.folds,
            "suspects": self.suspects,
            "mislabelled": self.mislabeled,
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

    All valid rows are examined, including those that training would validate on. Each gets the
    probabilities of a network trained without it. If its text occurs more than once, the labels of
    the other rows count too.

    Args:
        config: What to train on and how; the test table is not read.
        folds: How many networks to train, each without its fold of the rows.
        max_rows: How many of the most suspect rows to return.
        output: Table for all suspects; it appears only when it is complete.
        on_event: Called with each event of the training.

    Raises:
        DataError: The table cannot be used or has changed since it was read, or the output cannot
            be written.
        ConfigError: A file does not exist.
        RequestError: The output is the training table.
        TrainingError: The device does not exist, or the loss became NaN or infinite.
        KeyboardInterrupt: Ctrl-C; no file is left.
    """
    with ExitStack() as stack:
        writer = None
        if output is not None:
            # Before the training, so that it does not run in vain.
            _check_output(output, config)
            writer = stack.enter_context(open_output(output, format_of(output), COLUMNS))
        table = stack.enter_context(read_folds(config, folds))
        probabilities = _predict(table, on_event)
        is_multilabel = table.labels.task == "multilabel"
        rank = rank_multilabel_suspects if is_multilabel else rank_suspects
        ranked = rank(table.targets, probabilities)
        kept = len(ranked) if writer else min(max_rows, len(ranked))
        texts = TextsFile(stack.enter_context(TemporaryFile()))
        rows = _SuspectRows(table, ranked, kept, texts)
        if writer is not None:
            rows.write(writer)
        first = rows.batch(0, min(max_rows, kept)).to_pylist()
        return _summarize(table, probabilities, ranked, first)


def _check_output(output: Path, config: Config) -> None:
    """Refuse to replace the training table: unlike predictions, suspects are not all its rows."""
    if output.resolve() == config.data.train.resolve():
        raise RequestError(f"-o {output}: is the training table itself; name another")


def _predict(table: Folds, on_event: Callable[[FoldEvent], None]) -> LabelProbabilities:
    """Predict the labels of all rows out of fold; raises DataError if the table changes."""
    path = table.config.data.train
    before = _size_and_time(path)
    probabilities = predict_out_of_fold(table, on_event)
    # The suspects' texts are read again by position, which must mean the same rows.
    if _size_and_time(path) != before:
        raise DataError(f"{path}: has changed meanwhile; run the command again")
    label_probabilities = table.labels.label_probabilities(probabilities)
    return adjust_for_duplicates(label_probabilities, table.targets, table.tokenized.fingerprints)


def _size_and_time(path: Path) -> tuple[int, int]:
    """Return what differs once a file has changed."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


class _SuspectRows:
    """The first `kept` suspects with their texts and lines, read from the table once."""

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
        lines = table.tokenized.rows.table.line_numbers(reread.positions.tolist())
        self._lines = np.array(lines, np.int64)

    def write(self, output: Output) -> None:
        """Write all rows, the most suspect first."""
        # At least one batch, even an empty one: Parquet takes its schema from the first.
        for start in range(0, max(1, len(self._indices)), BATCH_ROWS):
            output.write(output.render(self.batch(start, start + BATCH_ROWS), None))

    def batch(self, start: int, end: int) -> pa.RecordBatch:
        """Return the rows of some ranks, with the columns `COLUMNS`."""
        indices = self._indices[start:end]
        ranks = slice(start, start + len(indices))
        labels, predicted = self._format_labels(ranks)
        label_probability = self._ranked.label_probability[ranks]
        predicted_probability = self._ranked.predicted_probability[ranks]
        columns = [
            number_column(self._lines[indices]),
            text_column(labels),
            text_column(predicted),
            number_column(np.round(label_probability, DECIMALS)),
            number_column(np.round(predicted_probability, DECIMALS)),
            self._texts(indices),
        ]
        return pa.RecordBatch.from_arrays(columns, COLUMNS)

    def _format_labels(self, ranks: slice) -> tuple[list[str], list[str]]:
        """Name the labels and the predicted labels; several are joined as in predictions."""
        names, ranked = self._table.labels.names, self._ranked
        labels, predicted = ranked.label[ranks], ranked.predicted[ranks]
        if ranked.column is None:
            return [names[label] for label in labels], [names[label] for label in predicted]
        flags = self._table.targets[ranked.rows[ranks]]
        corrected = flags.copy()
        corrected[np.arange(len(flags)), ranked.column[ranks]] = predicted  # one flag flipped
        return self._join_labels(flags), self._join_labels(corrected)

    def _join_labels(self, flags: Targets) -> list[str]:
        names = self._table.labels.names
        separator = self._table.config.data.label_separator or "|"  # none for columns of flags
        return [separator.join(names[label] for label in np.flatnonzero(row)) for row in flags]


def _summarize(
    table: Folds,
    probabilities: LabelProbabilities,
    ranked: RankedSuspects,
    first: list[dict[str, Any]],
) -> LabelErrors:
    noise = sorted(_estimate_noise(table, probabilities), key=lambda pair: -pair[2])
    return LabelErrors(
        path=str(table.config.data.train),
        rows=len(table),
        task=table.labels.task,
        folds=table.count,
        suspects=len(ranked),
        # Summed before rounding: many pairs of less than half a row still add up.
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
    """Estimate the rows of each pair of labels; multilabel: of each label and its absence."""
    names, targets = table.labels.names, table.targets
    if table.labels.task != "multilabel":
        joint = compute_confident_joint(targets, probabilities)
        pairs = np.argwhere(joint * (1 - np.eye(len(names))) > 0).tolist()  # off the diagonal
        return [(names[label], names[other], float(joint[label, other])) for label, other in pairs]
    noise = []
    for label, name in enumerate(names):
        present = probabilities[:, label]
        # A binary task per label; the columns are absent and present.
        joint = compute_confident_joint(targets[:, label], np.stack([1 - present, present], axis=1))
        noise += [
            (f"no {name}", name, float(joint[0, 1])),
            (name, f"no {name}", float(joint[1, 0])),
        ]
    return noise
