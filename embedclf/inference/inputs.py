"""Texts to score: a table, lines, the command line."""

from __future__ import annotations

import codecs
import gzip
import io
import select
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.data.jsonlines import taken
from embedclf.data.tables import Table, open_table
from embedclf.errors import DataError, RequestError
from embedclf.system.arrow import BATCH_ROWS, BLOCK_BYTES, Batch, text_column
from embedclf.system.formats import KINDS, InputFormat, Kind, is_packed, suffix_of, target_kind
from embedclf.system.text_files import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.schema import DataConfig

_PATIENCE, _MOST_PATIENCE = 0.02, 0.2
"""Seconds of silence, or since the oldest of them came, after which lines are scored."""


@dataclass(frozen=True)
class TableFormat:
    """How rows are to be read, where that is not to be detected."""

    kind: InputFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class OutputSpec:
    """What is wanted of rows beside their texts."""

    output: Path | None
    """The file they go to; None is standard output."""
    as_objects: bool
    """Whether they become JSON objects, whatever the output."""
    added: tuple[str, ...]
    """Columns that will be added to them, so that none may be there."""

    def target(self, source: Kind) -> Kind:
        """The kind of table that rows of a source go to."""
        return "jsonl" if self.as_objects else target_kind(self.output, source)


@dataclass(frozen=True)
class TextSource:
    """What is to be scored."""

    columns: tuple[str, ...]
    """Names of what is kept of its rows."""
    target: Kind
    """The kind of table they go to."""
    batches: Iterator[Batch]
    form: str = ""
    """How a table is read, in words."""


def from_texts(texts: Sequence[str], wanted: OutputSpec) -> TextSource:
    """Texts themselves.

    Raises:
        DataError: One is not Unicode.
    """
    try:
        column = text_column(texts)
    except UnicodeEncodeError as error:
        raise DataError("a text is not UTF-8; pass it in a file and name its encoding") from error
    return TextSource(("text",), wanted.target("delimited"), iter([_of_lines(column)]))


@contextmanager
def open_source(
    path: Path, config: DataConfig, form: TableFormat, wanted: OutputSpec | None
) -> Iterator[TextSource]:
    """Open what is to be scored: a table, or lines; `-` is standard input.

    A table in a pipe is first copied into a temporary file.

    Args:
        path: The file.
        config: Names the text columns, and how to read a table where `form` does not.
        form: How to read it; by its ending, and standard input as lines, when it does not tell.
        wanted: Of its rows; None wants their texts alone.

    Raises:
        DataError: It cannot be read, lacks a text column, or has one that is to be added.
    """
    standard = str(path) == "-"
    name = "standard input" if standard else str(path)
    if form.kind == "lines" or (standard and form.kind is None):
        if form.delimiter is not None:
            raise RequestError("lines have no --delimiter; name a table by --input-format")
        with _opened(path, standard=standard) as stream:
            target = wanted.target("delimited") if wanted else "delimited"
            yield TextSource(("text",), target, _line_batches(stream, name, form.encoding))
        return
    if not standard and not path.exists():
        hint = "a text to classify goes behind -t" if wanted else "name a table"
        raise DataError(f"{path}: no such file; {hint}")
    if form.kind is None and suffix_of(path) not in KINDS and not path.is_dir():
        raise RequestError(
            f"{path}: its ending tells no kind of table, as {', '.join(KINDS)} do; "
            "name one by --input-format, lines perhaps"
        )
    with _stored(path, name, form, standard=standard) as file:
        table = _open_table(file, name, config, form)
        yield _of_table(table, config.text_columns, wanted)


def _open_table(file: Path, name: str, config: DataConfig, form: TableFormat) -> Table:
    delimiter = "\t" if form.delimiter is None and form.kind == "tsv" else form.delimiter
    return open_table(
        file,
        config.text_columns,
        delimiter=config.delimiter if delimiter is None else delimiter,
        encoding=config.encoding if form.encoding is None else form.encoding,
        suffix=f".{form.kind}" if form.kind else None,
        name=name,
    )


def _of_table(table: Table, text: list[str], wanted: OutputSpec | None) -> TextSource:
    form = f"{table.name}: read as {table.form}"
    if wanted is None:
        return TextSource((), "jsonl", table.batches(text, target="jsonl", reserved=()), form)
    for column in wanted.added:
        if column in table.columns:
            raise DataError(f"{table.name}:1: {taken(column)}")
    target = wanted.target(table.kind)
    rows = table.batches(text, target=target, reserved=wanted.added)
    return TextSource(table.columns, target, rows, form)


@contextmanager
def _stored(path: Path, name: str, form: TableFormat, *, standard: bool) -> Iterator[Path]:
    """A file that can be read more than once; a pipe is copied into one."""
    if not standard and (path.is_file() or path.is_dir()):
        yield path
        return
    suffix = f".{form.kind}" if form.kind else suffix_of(path)
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        with _opened(path, standard=standard) as stream:
            while chunk := _read(stream, name):
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:
                    raise DataError(
                        f"{tempfile.gettempdir()}: cannot hold a copy of {name}: "
                        f"{error.strerror}; name another folder in TMPDIR"
                    ) from error
        yield Path(file.name)


@contextmanager
def _opened(path: Path, *, standard: bool) -> Iterator[Any]:
    if standard:
        if sys.stdin is None:
            raise DataError("standard input is closed; name a table, or a text with -t")
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield gzip.GzipFile(fileobj=file) if is_packed(path) else file


def _read(stream: Any, name: str) -> bytes:
    """What is there of a stream, `BLOCK_BYTES` at most."""
    try:
        chunk: bytes = stream.read1(BLOCK_BYTES)
    except (OSError, EOFError) as error:
        raise DataError(f"{name}: cannot be read: {error}") from error
    return chunk


def _line_batches(stream: Any, name: str, encoding: str | None) -> Iterator[Batch]:
    """Texts ended by line feeds alone, as they come; the last batch is empty."""
    encoding = encoding or "utf-8"
    try:
        lookup(encoding)
    except LookupError as error:
        raise RequestError(f"--encoding {encoding}: unknown; see Python's codecs") from error
    decoder = codecs.getincrementaldecoder(encoding)()
    number, begun = 1, [""]
    for chunk, pause in _chunks(stream, name):
        try:
            first, *others = decoder.decode(chunk, final=not chunk).split("\n")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, errors="replace")
            number += before.count("\n")
            raise DataError(f"{name}:{number}: not {encoding}; name its --encoding") from error
        except UnicodeError as error:
            raise DataError(f"{name}:{number}: not {encoding}: {error}") from error
        begun.append(first)
        lines = []
        if others or not chunk:
            *lines, last = ["".join(begun), *others]
            begun = [last]
            if not chunk and last:
                lines.append(last)
        try:
            yield from _of_many_lines(lines, first=number == 1, pause=pause)
        except UnicodeEncodeError as error:
            raise DataError(f"{name}:{number}: half of a surrogate pair; see --encoding") from error
        number += len(lines)


def _of_many_lines(lines: list[str], *, first: bool, pause: bool) -> Iterator[Batch]:
    """Batches of lines; a pause is told in any case."""
    if first and lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    for start in range(0, max(len(lines), pause), BATCH_ROWS):
        batch = [line.removesuffix("\r") for line in lines[start : start + BATCH_ROWS]]
        last = start + BATCH_ROWS >= len(lines)
        yield _of_lines(text_column(batch), pause=pause and last)


def _chunks(stream: Any, name: str) -> Iterator[tuple[bytes, bool]]:
    """Bytes of about `BLOCK_BYTES`, and whether they have to wait no longer; none at the end."""
    held: list[bytes] = []
    size, oldest = 0, 0.0
    while chunk := _read(stream, name):
        oldest = oldest if held else time.monotonic()
        held.append(chunk)
        size += len(chunk)
        pause = not _more_comes(stream) or time.monotonic() - oldest > _MOST_PATIENCE
        if pause or size >= BLOCK_BYTES:
            yield b"".join(held), pause
            held, size = [], 0
    if held:
        yield b"".join(held), False
    yield b"", True


def _more_comes(stream: Any) -> bool:
    """Whether a read would not block; files and what has no number never do."""
    try:
        ready, _, _ = select.select([stream.fileno()], [], [], _PATIENCE)
    except (io.UnsupportedOperation, OSError, ValueError):
        return True
    return bool(ready)


def _of_lines(texts: pa.Array, *, pause: bool = False) -> Batch:
    return Batch(texts, pa.RecordBatch.from_arrays([texts], ["text"]), pause=pause)
