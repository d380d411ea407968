"""Folders of texts: a text per file, with the name of its folder as the label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    ReadBatch,
    empty_batch,
    text_column,
    with_texts,
)
from embedclf.system.encodings.names import (
    codec_name,
    encoding_hint,
    is_utf8,
    marked_encoding,
    unknown_encoding,
)
from embedclf.system.storage import is_uri, join_uri, name_fault, open_file
from embedclf.system.terminal import format_count, join_shortened
from embedclf.tables.folders import choose_texts, list_folder_files
from embedclf.tables.line_records import name_columns
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrow import Batch
    from embedclf.system.encodings.detection import LikelyEncodings
    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.tables.files import TableFile
    from embedclf.tables.read_options import ReadOptions

_UNLABELED = re.compile(r"unsup(ervised)?|unlabell?ed", re.IGNORECASE)
"""Folders whose texts have no label, as in the IMDB reviews."""

_SPLITS = {"train", "training", "test", "testing", "dev", "val", "valid", "validation"}

_STORE_THREADS = 16
"""Files to read from a store at once, since each takes many milliseconds."""

_MAX_LABEL_LIST = 60
"""Characters of a list of labels in a description."""


@dataclass(frozen=True)
class TextFolderReader:
    """Reads a folder of texts: a row per file, in the order of their paths."""

    folder: TableFile
    paths: tuple[str, ...]
    """Paths of the texts below the folder."""
    columns: tuple[str, ...]
    """Names of the text, the label and the file, or without the label."""
    notes: ReadNotes
    encoding: str | None = None
    """None: UTF-8, or the encoding of a byte-order mark."""

    file_format: ClassVar[FileFormat] = "folder"
    counts_rows: ClassVar[bool] = True
    names: ClassVar[None] = None

    @property
    def description(self) -> str:
        """Number of files, and where the labels come from."""
        files = f"a text per file, {format_count(len(self.paths), 'file')}"
        labels = sorted({label for path in self.paths if (label := _label_of(path))})
        return f"{files} in {join_shortened(labels, _MAX_LABEL_LIST)}" if labels else files

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns.

        Raises:
            DataError: A file cannot be read or decoded; the message names it.
        """
        del as_json  # all cells are text
        indices = [self.columns.index(column) for column in columns]
        yield empty_batch(pa.schema([(column, pa.string()) for column in columns])), 0.0
        position = 0
        for texts in self._iter_texts():
            paths = self.paths[position : position + len(texts)]
            cells = [texts, *([[*map(_label_of, paths)]] if len(self.columns) > 2 else []), paths]
            arrays = [text_column(cells[index]) for index in indices]
            position += len(texts)
            rows = pa.RecordBatch.from_arrays(arrays, [*columns])
            yield rows, position / len(self.paths)

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns; raises as `iter_batches`."""
        del target, reserved  # cells are text in all target formats
        return with_texts(self.iter_batches(self.columns), text)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the number of each file, from 1."""
        yield from range(1, len(self.paths) + 1)

    def place(self, number: int) -> str:
        """Return the path of the file with a number."""
        return f"{self.folder.name.rstrip('/')}/{self.paths[number - 1]}"

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield the number and the fault of each file that cannot be decoded."""
        del columns, as_json
        for number, content in enumerate(self._read_files(), 1):
            try:
                content.decode(self.encoding or marked_encoding(content) or "utf-8")
            except UnicodeError as error:
                yield number, str(error)

    def _iter_texts(self) -> Iterator[list[str]]:
        texts, size = list[str](), 0
        for number, content in enumerate(self._read_files(), 1):
            texts.append(self._decode(number, content))
            size += len(content)
            if len(texts) == BATCH_ROWS or size >= BLOCK_BYTES:
                yield texts
                texts, size = [], 0
        if texts:
            yield texts

    def _read_files(self) -> Iterator[bytes]:
        if not is_uri(self.folder.location):
            yield from map(self._read_file, self.paths)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_STORE_THREADS) as pool:
            # In steps, because `map` would otherwise hold all files in memory.
            for start in range(0, len(self.paths), BATCH_ROWS):
                yield from pool.map(self._read_file, self.paths[start : start + BATCH_ROWS])

    def _read_file(self, path: str) -> bytes:
        location = self.folder.location
        try:
            if not is_uri(location):
                with open(f"{location}/{path}", "rb", buffering=0) as file:
                    return file.read()
            with open_file(join_uri(location, path)) as stored:
                content: bytes = stored.read()
                return content
        except OSError as error:
            place = f"{self.folder.name.rstrip('/')}/{path}"
            raise DataError(f"{place}: cannot be read: {error.strerror or error}") from error

    def _decode(self, number: int, content: bytes) -> str:
        """Decode a text, without its byte-order mark and the line end of its last line."""
        marked = marked_encoding(content)
        try:
            text = content.decode(self.encoding or marked or "utf-8")
        except UnicodeError as error:
            text = self._decode_assumed(number, content, error)
        return text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")

    def _decode_assumed(self, number: int, content: bytes, error: UnicodeError) -> str:
        """Decode a text that is not UTF-8, if its encoding is certain.

        Raises:
            DataError: It is not.
        """
        place = self.place(number)
        if self.encoding is not None:
            raise DataError(f"{place}: not {self.encoding}; see data.encoding") from error
        likely = self._likely_encodings
        if likely.only is None:
            hint = encoding_hint(likely.names)
            raise DataError(
                f"{place}: not UTF-8; save it as UTF-8, or name the encoding of all files: {hint}"
            ) from error
        self.notes.assumed_encoding = likely.only
        return content.decode(likely.only)

    @cached_property
    def _likely_encodings(self) -> LikelyEncodings:
        """The encodings that the files which are not UTF-8 are likely to be in."""
        from embedclf.system.encodings.detection import likely_encodings

        # With a line feed, half a character at the end does not pass for UTF-8.
        contents = (content + b"\n" for content in self._read_files())
        return likely_encodings(content for content in contents if not is_utf8(content))


def open_text_folder(
    folder: TableFile, required: Sequence[str], options: ReadOptions
) -> TextFolderReader:
    """Open a folder of texts.

    Its columns are `text`, `label` and `file`. The label is the name of the folder, in the first
    level, that a file is in. If other columns are required, the first is the text, and the second
    the label.

    Raises:
        DataError: It has folders of splits instead of labels, the encoding is unknown, or a format
            is named.
    """
    if options.format is not None:
        raise DataError(
            f"{folder.name}: is a folder of texts, not {options.format} (data.format); "
            f"name its files: '{folder.name.rstrip('/')}/**'"
        )
    if options.encoding is not None:
        try:
            codec_name(options.encoding)
        except LookupError as error:
            raise DataError(f"{folder.name}: {unknown_encoding(options.encoding)}") from error
    paths = choose_texts([file.path for file in list_folder_files(folder.location)])
    for path in paths:
        if fault := name_fault(path):
            raise DataError(f"{folder.name}/{path}: {fault}")
    levels = sorted({path.partition("/")[0] for path in paths if "/" in path})
    if levels and _SPLITS.issuperset(map(str.lower, levels)):
        raise DataError(
            f"{folder.name}: the folders in it are splits, not labels ({', '.join(levels)}); name "
            f"one of them, such as {folder.name.rstrip('/')}/{levels[-1]}"
        )
    label, text = name_columns(required, options, folder.name)
    columns = (text, label, "file") if levels else (text, "file")
    return TextFolderReader(folder, tuple(paths), columns, ReadNotes(folder.name), options.encoding)


def _label_of(path: str) -> str:
    """Return the label of a text: its folder, or "" without a folder."""
    folder, slash, _ = path.partition("/")
    return folder if slash and not _UNLABELED.fullmatch(folder) else ""
