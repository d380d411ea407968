"""Record batches in, record batches with predictions out: for engines that pass Arrow data.

    import embedclf.arrow

    scored = embedclf.arrow.score(batch, "runs/reviews-1")

Spark calls such a function in `mapInArrow`, Ray Data in `map_batches`, and Dask in a task.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.inference.predictor import Predictor
from embedclf.runs.locations import RECORD_FILE
from embedclf.runs.run import Run
from embedclf.runs.selection import locate_run
from embedclf.system.arrow import Batch
from embedclf.tables.parquet import cells_to_text
from embedclf.tables.parts import suggest_columns

if TYPE_CHECKING:
    from embedclf.model.classifier import Classifier
    from embedclf.system.fields import TextColumns

_LOADED_RUNS = 8
"""Runs that a process keeps in memory."""

_LOCK = Lock()


def score(
    batch: pa.RecordBatch,
    run: str | Path,
    *,
    top_k: int = 0,
    all_probabilities: bool = False,
    prefix: str = "",
) -> pa.RecordBatch:
    """Return the rows of a batch with the columns that `embedclf predict` adds.

    A process loads a run once, and again when its files have changed. Threads can share it.

    Args:
        batch: (n,) rows with the text columns and the fields of the run. Null is an empty text.
        run: The run: its path, or its name in `./runs`.
        top_k: How many of the most probable labels to add, each with its probability.
        all_probabilities: Whether to add the probability of each label.
        prefix: Before the name of each added column.

    Returns:
        (n,) the columns of the batch, then `prediction`, `probability`, those that are asked for,
        `truncated`, `unknown_share` and `no_known_token`. Without rows, the columns are the same.

    Raises:
        RunError: There is no run, or it is damaged, or of a newer format.
        DataError: The batch lacks a column of the run, or has one that would be added.
    """
    loaded = _load(run)
    predictor = Predictor(loaded.classifier, all_probabilities, top_k, prefix)
    if taken := set(predictor.added_columns).intersection(batch.schema.names):
        raise DataError(f"the batch has a column {min(taken)!r}; set a prefix, or rename it")
    cells = [_read_texts(batch, name) for name in loaded.columns.names]
    whole = Batch(loaded.columns.join(cells), batch)
    scored = [predictor.predict(part) for part in predictor.split([whole])]
    return pa.concat_batches(scored)


@dataclass(frozen=True)
class _LoadedRun:
    classifier: Classifier
    columns: TextColumns


def _load(name: str | Path) -> _LoadedRun:
    path = locate_run(Path(name)).absolute()
    record = path / RECORD_FILE
    written = record.stat().st_mtime_ns if record.is_file() else 0
    with _LOCK:  # of several threads, one loads
        return _load_once(path, written)


@lru_cache(_LOADED_RUNS)
def _load_once(path: Path, _written: int) -> _LoadedRun:
    run = Run.open(path)
    return _LoadedRun(run.classifier(), run.config().data.input_columns)


def _read_texts(batch: pa.RecordBatch, name: str) -> pa.Array:
    names = batch.schema.names
    if names.count(name) != 1:
        raise DataError(f"the batch has no column {name!r}; {suggest_columns(name, names)}")
    try:
        return cells_to_text(batch.column(name))
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"column {name!r} cannot be text ({batch.schema.field(name).type})"
        ) from error
