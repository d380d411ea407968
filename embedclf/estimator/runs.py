"""Training from Python: a table or a config -> a run, and its scores on other rows."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.autoconfig.columns.roles import UnclearColumnError
from embedclf.autoconfig.resolve import Source
from embedclf.errors import ColumnError, DataError
from embedclf.estimator.rows import column_names, is_frame, read_columns
from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.evaluation.scores import read_scores
from embedclf.runs import run as stored
from embedclf.runs.selection import locate_run
from embedclf.system.terminal import format_score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedclf.config.schema import Config
    from embedclf.estimator.rows import Column
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.model.classifier import Classifier

# Keras draws the seeds of its layers from Python's generator, which all threads share.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: its scores, its classifier, and its evaluation on other rows."""

    _stored: stored.Run

    @classmethod
    def open(cls, run: str | Path) -> Run:
        """Open a run.

        Args:
            run: Its path, or its name in `./runs`.

        Raises:
            RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
        """
        return cls(stored.Run.open(locate_run(Path(run))))

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._stored.path

    @property
    def record(self) -> dict[str, Any]:
        """Facts about the training: the content of `run.json`."""
        return self._stored.record

    @property
    def metrics(self) -> dict[str, MetricValues]:
        """The scores of its validation rows and, if there was a test table, of its test rows."""
        return {split: scores.metrics for split, scores in read_scores(self._stored).items()}

    def classifier(self) -> Classifier:
        """Load the classifier, without TensorFlow."""
        return self._stored.classifier()

    def evaluate(self, rows: Any) -> RunEvaluation:
        """Evaluate the run on labeled rows: scores, intervals, and the worst mistakes.

        The only baseline is the most frequent label.

        Args:
            rows: A data frame with the text, label and other columns of the run's config. It can
                lack the columns of groups and weights.

        Raises:
            DataError: It lacks a column, or a row has no label.
        """
        if not is_frame(rows):
            raise DataError(f"rows must be a data frame, not a {type(rows).__name__}")
        data, known = self._stored.config().data, column_names(rows)
        optional = [each for each in (data.group, data.weight) if each in known]
        names = [*data.input_columns.names, *data.label_columns, *optional]
        try:
            columns = read_columns(rows, dict.fromkeys(filter(None, names)), with_lists=True)
        except ValueError as error:
            raise DataError(str(error)) from error
        with written_table(columns) as table:
            request = EvaluationRequest(table=str(table), baseline=False)
            return evaluate_run(self._stored, request)

    def __repr__(self) -> str:
        scores = next(iter(self.metrics.values()))
        name, score = next(iter(scores.items()))
        return f"Run({str(self.path)!r}, {name} {format_score(score)})"


def train(source: str | Path, *, output: str | Path | None = None) -> Run:
    """Train a classifier as `embedclf train` does: `embedclf.train("reviews.csv")`.

    Args:
        source: A table or a config. What it leaves open is chosen from the data.
        output: Folder of the run; it must not exist. None: `./runs/<name>-<number>`.

    Raises:
        ConfigError: The config is invalid, or names a file that is missing.
        DataError: A table cannot be used, or it is unclear which columns hold text and label.
        RunError: The run cannot be written.
        TrainingError: The training cannot start, or its loss is not finite.
    """
    try:
        proposal = Source(source).resolve()
    except UnclearColumnError as error:
        option, key = f"--{error.key} COLUMN", f"data.{error.key} in a config"
        lines = [str(error).replace(option, key), error.candidate_table()]
        raise ColumnError("\n".join(lines)) from error
    folder = None if output is None else Path(output)
    return Run(train_config(proposal.config, name=proposal.name, output=folder))


def train_config(config: Config, *, name: str, output: Path | None) -> stored.Run:
    """Train a classifier, when no other thread of this process is training one.

    Arguments and errors are those of `embedclf.training.train.train`.
    """
    from embedclf.training import train as training

    with _ONE_AT_A_TIME, _without_warnings():
        return training.train(config, name=name, output=output)


@contextmanager
def written_table(columns: Mapping[str, Column]) -> Iterator[Path]:
    """Write columns of texts to a table in a temporary folder of its own."""
    from pyarrow import parquet

    # Windows cannot remove mapped files
    with TemporaryDirectory(prefix="embedclf-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "rows.parquet"
        parquet.write_table(pa.table(dict(columns)), file)
        yield file


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hide TensorFlow's warnings: a program that trains often gets one about its traced graphs."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
