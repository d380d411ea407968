"""Texts → rows with predictions: every column kept, one row out for one row in."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from embedclf.atomic import draft_file
from embedclf.config import as_list
from embedclf.data import join_columns
from embedclf.errors import DataError
from embedclf.tables import BATCH_ROWS, kind_of, open_table, suffix_of
from embedclf.textfiles import lookup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from embedclf.config import DataConfig
    from embedclf.labels import Labels, Probabilities
    from embedclf.run import Run

ADDED = ("prediction", "probability")
"""The columns that prediction adds, behind those of the table."""


@dataclass(frozen=True)
class Form:
    """How a table is to be read, where it is not to be detected."""

    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Source:
    """Rows to score: batches of text columns, and which of these hold the text."""

    columns: tuple[str, ...]
    text: list[str]
    batches: Iterator[pa.RecordBatch]
    form: str = ""
    """How a table is read, in words."""


class Rows(Protocol):
    """Where scored rows go, batch by batch."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Take rows, all text but for the probability of one label."""


def open_source(path: Path | None, texts: Sequence[str], config: DataConfig, form: Form) -> Source:
    """Open what is to be scored.

    Args:
        path: A table, or `-` for the lines of standard input.
        texts: The texts themselves, where there is no path.
        config: Names the text columns, and how to read the table where `form` does not.
        form: How to read the table.

    Raises:
        DataError: The table cannot be read, lacks a text column, or has a column named as one
            that is to be added.
    """
    if path is None:
        return _line_source(texts)
    if str(path) == "-":
        return _line_source(_standard_input(form.encoding or "utf-8"))
    if not path.exists():
        raise DataError(f"{path}: no such file; a text to classify goes behind -t")
    text = as_list(config.text)
    table = open_table(
        path,
        text,
        delimiter=form.delimiter or config.delimiter,
        encoding=form.encoding or config.encoding,
    )
    for column in table.columns:
        if column in ADDED:
            raise DataError(f"{path}:1: column {column!r} is there already; rename it")
        if table.columns.count(column) > 1:
            raise DataError(f"{path}:1: two columns are named {column!r}; rename one")
    return Source(table.columns, text, table.batches(), table.form)


@contextmanager
def destination(path: Path | None, columns: tuple[str, ...], *, held: bool) -> Iterator[Any]:
    """Open where scored rows go: a table, memory, or standard output as CSV.

    Args:
        path: The table; its ending tells the kind. It is there, whole, when the block ends well.
        columns: Those of the source.
        held: Whether to keep the rows in memory, where there is no path.

    Raises:
        DataError: The ending is unknown, or the folder cannot be written to.
    """
    if path is not None:
        with _table_file(path, columns) as rows:
            yield rows
    elif held:
        yield HeldRows([])
    else:
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield _CsvRows(stream, columns)
            stream.flush()
        finally:
            stream.detach()


def predict(run: Run, source: Source, rows: Rows) -> int:
    """Score all rows of a source, in order, and pass them on.

    The source's columns are kept, `ADDED` stands behind them. The probability is that of the
    prediction; of several labels each, joined as they are: by the config's separator, or `|`.

    Returns:
        The number of rows.
    """
    classifier = run.classifier()
    separator = run.config().data.label_separator or "|"
    count = 0
    for batch in source.batches:
        texts = join_columns([batch.column(column) for column in source.text])
        probabilities = classifier.predict_proba(texts)
        names, shares = name_predictions(classifier.labels, probabilities, separator)
        several = classifier.labels.task == "multilabel"
        kind = pa.string() if several else pa.float64()
        arrays = [*batch.columns, pa.array(names, pa.string()), pa.array(shares, kind)]
        rows.write(pa.RecordBatch.from_arrays(arrays, [*batch.schema.names, *ADDED]))
        count += batch.num_rows
    return count


def name_predictions(
    labels: Labels, probabilities: Probabilities, separator: str
) -> tuple[list[str], list[float] | list[str]]:
    """Predicted labels and their probabilities: numbers, or of several labels text."""
    decided = labels.decide(probabilities)
    if labels.task == "multilabel":
        present = [np.flatnonzero(row) for row in decided]
        names = [separator.join(labels.names[i] for i in row) for row in present]
        shares = [
            separator.join(f"{probability[i]:.4f}" for i in row)
            for row, probability in zip(present, probabilities, strict=True)
        ]
        return names, shares
    if labels.task == "binary":
        second = probabilities[:, 0]
        likely = np.where(decided == 1, second, 1 - second)
    else:
        likely = probabilities.max(axis=1)
    return [labels.names[i] for i in decided], likely.astype(np.float64).round(6).tolist()


def _line_source(texts: Iterable[str]) -> Source:
    def batches() -> Iterator[pa.RecordBatch]:
        remaining = iter(texts)
        while held := list(itertools.islice(remaining, BATCH_ROWS)):
            yield pa.RecordBatch.from_arrays([_as_array(held)], ["text"])

    return Source(("text",), ["text"], batches())


def _as_array(texts: list[str]) -> pa.Array:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError as error:
        raise DataError("a text is not UTF-8; pass it in a file and name its encoding") from error


def _standard_input(encoding: str) -> Iterator[str]:
    """The lines of standard input, ended by line feeds alone."""
    if sys.stdin is None:
        raise DataError("standard input is closed; name a table, or a text with -t")
    try:
        lookup(encoding)
    except LookupError as error:
        raise DataError(f"--encoding {encoding}: unknown; see Python's codecs") from error
    number = 0
    stream = io.TextIOWrapper(
        sys.stdin.buffer, encoding=encoding, errors="surrogateescape", newline="\n"
    )
    try:
        for number, line in enumerate(stream, start=1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            text.encode()
            yield text.removesuffix("\n").removesuffix("\r")
        stream.detach()
    except UnicodeError as error:
        raise DataError(
            f"standard input:{max(number, 1)}: not {encoding}; name its --encoding"
        ) from error


@contextmanager
def _table_file(path: Path, columns: tuple[str, ...]) -> Iterator[Rows]:
    kind = kind_of(path)
    try:
        with draft_file(path) as file:
            if kind == "parquet":
                with _ParquetRows(file, columns) as rows:
                    yield rows
                return
            packed = path.suffix.lower() == ".gz"
            with (
                gzip.GzipFile("", "wb", fileobj=file, mtime=0)
                if packed
                else nullcontext(file) as plain
            ):
                text = io.TextIOWrapper(plain, encoding="utf-8", newline="")
                delimiter = "\t" if suffix_of(path) == ".tsv" else ","
                yield _JsonRows(text) if kind == "jsonl" else _CsvRows(text, columns, delimiter)
                text.detach()
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class HeldRows:
    """Rows kept in memory."""

    held: list[dict[str, Any]]

    def write(self, rows: pa.RecordBatch) -> None:
        """Take rows, all text but for the probability of one label."""
        self.held.extend(rows.to_pylist())


class _CsvRows:
    def __init__(self, stream: IO[str], columns: tuple[str, ...], delimiter: str = ",") -> None:
        self._writer, self._quoting = (
            csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        self._writer.writerow([*columns, *ADDED])

    def write(self, rows: pa.RecordBatch) -> None:
        *columns, shares = (column.to_pylist() for column in rows.columns)
        shown = [f"{share:.4f}" if isinstance(share, float) else share for share in shares]
        for row in zip(*columns, shown, strict=True):
            # csv leaves a lone carriage return unquoted, which readers take for the row's end
            returns = any("\r" in cell for cell in row)
            (self._quoting if returns else self._writer).writerow(row)


class _JsonRows:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, rows: pa.RecordBatch) -> None:
        for row in rows.to_pylist():
            self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")


class _ParquetRows:
    def __init__(self, file: Any, columns: tuple[str, ...]) -> None:
        self._file = file
        self._schema = pa.schema([(column, pa.string()) for column in (*columns, *ADDED)])
        self._writer: Any = None

    def __enter__(self) -> _ParquetRows:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open(self._schema).close()

    def write(self, rows: pa.RecordBatch) -> None:
        self._open(rows.schema).write_batch(rows)

    def _open(self, schema: pa.Schema) -> Any:
        """The writer; its columns are those of the first rows."""
        from pyarrow import parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, schema)
        return self._writer
