"""The parts of a table: a task reads one, and writes one file."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from typing import TYPE_CHECKING

from embedclf.errors import DataError
from embedclf.system.formats import compression_suffix, output_format, table_suffix
from embedclf.system.storage import file_size, is_uri, open_file
from embedclf.tables.files import find_files, is_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.fields import Tables
    from embedclf.tables.files import TableFile

_PART_BYTES = 1 << 26
"""Bytes of row groups of a Parquet file in a part."""

_DEFAULT_SUFFIX = ".csv"
"""Of parts whose own format cannot be written."""


@dataclass(frozen=True)
class Part:
    """Some rows of a table, which are read together."""

    file: TableFile
    size: int
    """Bytes, of the file or of its row groups."""
    name: str
    """Path of its output, relative to the folder of all outputs."""


def find_parts(tables: Tables) -> list[Part]:
    """Find the parts of a table: its files, and the row groups of large Parquet files.

    The same files always have the same parts.

    Raises:
        DataError: A file does not exist, or two outputs would have the same name.
    """
    files = find_files(tables)
    parts = [
        part
        for file, name in zip(files, _relative_names(files), strict=True)
        for part in _split(file, name)
    ]
    names = Counter(part.name.casefold() for part in parts)  # some file systems ignore case
    repeated = next((part for part in parts if names[part.name.casefold()] > 1), None)
    if repeated is not None:
        raise DataError(
            f"{repeated.file.name}: another part would also be written to {repeated.name}; rename "
            "one, or predict them into two folders"
        )
    return parts


def _relative_names(files: Sequence[TableFile]) -> list[str]:
    """Return the path of each file below the folder that all are in."""
    places = [_path(file.location) for file in files]
    common = os.path.commonpath([str(place.parent) for place in places])
    return [place.relative_to(common).as_posix() for place in places]


def _path(location: str) -> PurePath:
    if is_uri(location):
        return PurePosixPath(location.partition("?")[0])
    return PurePath(os.path.abspath(location))


def _split(file: TableFile, name: str) -> Iterator[Part]:
    """Yield the parts of a file; small and other files than Parquet are one."""
    size = _size(file)
    output = _output_name(name)
    groups = list(_group_rows(file)) if table_suffix(file.location) in {".parquet", ".pq"} else []
    if len(groups) < 2:
        yield Part(file, size, output)
        return
    stem = output.removesuffix(".parquet")
    for number, (first, end, bytes_of_groups) in enumerate(groups):
        yield Part(
            replace(file, row_groups=(first, end)),
            bytes_of_groups,
            f"{stem}-{number:05}-of-{len(groups):05}.parquet",
        )


def _group_rows(file: TableFile) -> Iterator[tuple[int, int, int]]:
    """Yield consecutive row groups of a Parquet file: the first, where they end, their bytes."""
    from pyarrow import ArrowException, parquet

    try:
        with open_file(file.location) as stored:
            metadata = parquet.read_metadata(stored)
    except (ArrowException, OSError):
        return  # reported by the task that reads it
    first = size = 0
    for group in range(metadata.num_row_groups):
        size += metadata.row_group(group).total_byte_size
        if size >= _PART_BYTES or group + 1 == metadata.num_row_groups:
            yield first, group + 1, size
            first, size = group + 1, 0


def _size(file: TableFile) -> int:
    if file.size is not None:
        return file.size
    try:
        return 1 if is_folder(file.location) else file_size(file.location)
    except OSError:
        return 1  # reported by the task that reads it


def _output_name(name: str) -> str:
    """Return the name of an output: that of the input, where it can be written in its format."""
    try:
        output_format(PurePath(name), "delimited")
    except DataError:
        kept = name.removesuffix(compression_suffix(name))
        suffix = ".parquet" if table_suffix(name) in {".pq"} else _DEFAULT_SUFFIX
        suffix = ".jsonl" if table_suffix(name) in {".json", ".jsonlines"} else suffix
        return kept + suffix
    return name
