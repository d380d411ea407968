"""Sources: the texts to score, from a table, from lines or from the command line, in batches."""

from __future__ import annotations

import codecs
import io
import select
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from embedclf.columns import join_columns, text_column
from embedclf.errors import DataError
from embedclf.jsonlines import taken
from embedclf.tables import KINDS, Kind, Table, open_table, suffix_of, target_kind
from embedclf.textfiles import BATCH_ROWS, BLOCK_BYTES, lookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config import DataConfig

InputFormat = Literal["lines", "csv", "tsv", "jsonl", "parquet"]

_PATIENCE = 0.02
"""Seconds to wait for more lines before those that are there are scored."""


@dataclass(frozen=True)
class Form:
    """How rows are to be read, where that is not to be detected."""

    kind: InputFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Batch:
    """Rows to score."""

    texts: pa.Array
    """(n,) strings."""
    rows: pa.RecordBatch
    """(n,) what is kept of them."""
    share: float | None
    """How much of the source has been read by then, between 0 and 1, where that is known."""
    pause: bool = False
    """Whether nothing more can be read at the moment."""


@dataclass(frozen=True)
class Source:
    """What is to be scored."""

    columns: tuple[str, ...]
    """Names of what is kept of its rows."""
    target: Kind
    """The kind of table they go to."""
    batches: Iterator[Batch]
    form: str = ""
    """How a table is read, in words."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of rows."""

    output: Path | None
    """The file they go to; None is standard output."""
    held: bool
    """Whether they are kept in memory instead."""
    added: tuple[str, ...]
    """Columns that will be added to them, so that none may be there."""

    def target(self, source: Kind) -> Kind:
        """The kind of table that rows of a source go to."""
        return "jsonl" if self.held else target_kind(self.output, source)


def from_texts(texts: Sequence[str], wanted: Wanted) -> Source:
    """Texts themselves.

    Raises:
        DataError: One is not Unicode.
    """
    try:
        column = text_column(texts)
    except UnicodeEncodeError as error:
        raise DataError("a text is not UTF-8; pass it in a file and name its encoding") from error
    return Source(("text",), wanted.target("delimited"), iter([_of_lines(column)]))


@contextmanager
def open_source(path: Path, config: DataConfig, form: Form, wanted: Wanted) -> Iterator[Source]:
    """Open what is to be scored: a table, or lines; `-` is standard input.

    A table on standard input is first copied into a temporary file.

    Args:
        path: The file.
        config: Names the text columns, and how to read a table where `form` does not.
        form: How to read it; by its ending, and standard input as lines, when it does not tell.
        wanted: Of its rows.

    Raises:
        DataError: It cannot be read, lacks a text column, or has one that is to be added.
    """
    standard = str(path) == "-"
    name = "standard input" if standard else str(path)
    if form.kind == "lines" or (standard and form.kind is None):
        with _opened(path, standard=standard) as stream:
            lines = _line_batches(stream, name, form.encoding)
            yield Source(("text",), wanted.target("delimited"), lines)
        return
    if not standard and not path.exists():
        raise DataError(f"{path}: no such file; a text to classify goes behind -t")
    if form.kind is None and suffix_of(path) not in KINDS and not path.is_dir():
        raise DataError(
            f"{path}: its ending tells no kind of table, as {', '.join(KINDS)} do; "
            "name one by --input-format, lines perhaps"
        )
    with _stored(path, form, standard=standard) as file:
        yield _table_source(_open_table(file, name, config, form), config.text_columns, wanted)


def _open_table(file: Path, name: str, config: DataConfig, form: Form) -> Table:
    return open_table(
        file,
        config.text_columns,
        delimiter=form.delimiter or ("\t" if form.kind == "tsv" else config.delimiter),
        encoding=form.encoding or config.encoding,
        suffix=f".{form.kind}" if form.kind else None,
        name=name,
    )


def _table_source(table: Table, text: list[str], wanted: Wanted) -> Source:
    for column in wanted.added:
        if column in table.columns:
            raise DataError(f"{table.name}:1: {taken(column)}")

    target = wanted.target(table.kind)

    def batches() -> Iterator[Batch]:
        for part, share in table.whole_parts(text, target=target, reserved=wanted.added):
            names = part.schema.names[len(text) :]
            kept = pa.RecordBatch.from_arrays(part.columns[len(text) :], names)
            yield Batch(join_columns(part.columns[: len(text)]), kept, share)

    return Source(table.columns, target, batches(), f"{table.name}: read as {table.form}")


@contextmanager
def _stored(path: Path, form: Form, *, standard: bool) -> Iterator[Path]:
    """A file that can be read more than once; a pipe is copied into one."""
    if not standard and (path.is_file() or path.is_dir()):
        yield path
        return
    suffix = f".{form.kind}" if form.kind else "".join(path.suffixes)
    with (
        tempfile.NamedTemporaryFile(suffix=suffix) as file,
        _opened(path, standard=standard) as stream,
    ):
        shutil.copyfileobj(stream, file, BLOCK_BYTES)
        file.flush()
        yield Path(file.name)


@contextmanager
def _opened(path: Path, *, standard: bool) -> Iterator[Any]:
    if standard:
        if sys.stdin is None:
            raise DataError("standard input is closed; name a table, or a text with -t")
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with stream:
        yield stream


def _line_batches(stream: Any, name: str, encoding: str | None) -> Iterator[Batch]:
    """Texts ended by line feeds alone, as they come."""
    encoding = encoding or "utf-8"
    try:
        lookup(encoding)
    except LookupError as error:
        raise DataError(f"--encoding {encoding}: unknown; see Python's codecs") from error
    decoder = codecs.getincrementaldecoder(encoding)()
    rest, number = "", 1
    for chunk, pause in _chunks(stream):
        try:
            decoded = rest + decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, errors="replace")
            number += (rest + before).count("\n")
            raise DataError(f"{name}:{number}: not {encoding}; name its --encoding") from error
        except UnicodeError as error:
            raise DataError(f"{name}:{number}: not {encoding}: {error}") from error
        *lines, rest = decoded.split("\n")
        if not chunk and rest:
            lines.append(rest)
        if number == 1 and lines:
            lines[0] = lines[0].removeprefix("\ufeff")
        number += len(lines)
        for start in range(0, max(len(lines), pause), BATCH_ROWS):  # a pause is told in any case
            batch = [line.removesuffix("\r") for line in lines[start : start + BATCH_ROWS]]
            last = start + BATCH_ROWS >= len(lines)
            yield _of_lines(text_column(batch), pause=pause and last)


def _chunks(stream: Any) -> Iterator[tuple[bytes, bool]]:
    """Bytes of about `BLOCK_BYTES`, fewer where no more come for now; none at the end."""
    held: list[bytes] = []
    size = 0
    while chunk := stream.read1(BLOCK_BYTES):
        held.append(chunk)
        size += len(chunk)
        pause = not _more_comes(stream)
        if pause or size >= BLOCK_BYTES:
            yield b"".join(held), pause
            held, size = [], 0
    if held:
        yield b"".join(held), False
    yield b"", False


def _more_comes(stream: Any) -> bool:
    """Whether a read would not block; files and what has no number never do."""
    try:
        ready, _, _ = select.select([stream.fileno()], [], [], _PATIENCE)
    except (io.UnsupportedOperation, OSError, ValueError):
        return True
    return bool(ready)


def _of_lines(texts: pa.Array, *, pause: bool = False) -> Batch:
    return Batch(texts, pa.RecordBatch.from_arrays([texts], ["text"]), None, pause)
