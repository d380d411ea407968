"""The files of a table: lists, folders, patterns and URIs."""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from embedclf.config.messages import closest_match
from embedclf.errors import DataError
from embedclf.system.files import update_digest
from embedclf.system.formats import FORMATS, table_suffix
from embedclf.system.progress import activity
from embedclf.system.storage import (
    file_exists,
    file_info,
    file_size,
    is_uri,
    name_fault,
    without_credentials,
)
from embedclf.system.terminal import display_path
from embedclf.tables.folders import FolderFile, choose_tables, find_partition, list_folder_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.config.fields import Tables


@dataclass(frozen=True)
class TableFile:
    """A file of a table."""

    location: str
    """A path, or a URI. A folder if its files are the texts, one each."""
    name: str
    """Name in messages."""
    partition: tuple[tuple[str, str], ...] = ()
    """Columns that folder names such as `label=pos` give to all of its rows, with their cell."""
    size: int | None = None
    """In bytes, if a listing has it; None is unknown."""
    row_groups: tuple[int, int] | None = None
    """The first row group of a Parquet file to read, and the one to stop at; None is all."""


def find_files(tables: Tables | TableFile) -> tuple[TableFile, ...]:
    """Find the files of a table, in the order of their rows; one that was found before is kept.

    A pattern (`*`, `?`, `[...]`, and `**` for any depth) matches files in alphabetical order,
    unless a file has literally that name. A folder stands for all tables in it, at any depth;
    hidden files and those of unknown formats are ignored. If it has none but text files, it is a
    single table with a text per file.

    Raises:
        DataError: A file does not exist, a folder or a pattern has no tables, or a file is named
            twice.
    """
    if isinstance(tables, TableFile):
        return (tables,)
    files = [file for each in list_tables(tables) for file in _drop_empty(_find(each))]
    seen = set[str]()
    for file in files:
        if fault := name_fault(file.location):
            raise DataError(f"{file.name}: {fault}")
        identity = file.location if is_uri(file.location) else os.path.realpath(file.location)
        if identity in seen:
            raise DataError(f"{file.name}: named twice as part of the same table; name it once")
        seen.add(identity)
    return tuple(files)


def list_tables(tables: Tables) -> tuple[str, ...]:
    """Return what a table is made of, as a tuple even if it is one file."""
    return (tables,) if isinstance(tables, str) else tables


def tables_exist(tables: Tables) -> bool:
    """Whether all files of a table exist."""
    try:
        return bool(find_files(tables))
    except DataError:
        return False


def hash_table(tables: Tables) -> str:
    """Return the SHA-256 of a table: of its file, or of the contents of several in order.

    Names of folders that are columns count, too.

    Raises:
        DataError: A file does not exist.
    """
    return hash_files(find_files(tables))


def hash_files(files: Iterable[TableFile]) -> str:
    """Return the SHA-256 of the files of a table, as `hash_table` does."""
    digest = hashlib.sha256()
    for file in files:
        with activity(f"hashing {file.name.rpartition('/')[2]}"):
            for name, cell in file.partition:
                digest.update(f"{name}={cell}\n".encode())
            if is_folder(file.location):
                _hash_folder(digest, file.location)
            else:
                update_digest(digest, file.location)
    return digest.hexdigest()


def display_tables(tables: Tables | TableFile) -> str:
    """Return a table as a user would type it: `reviews.csv`, `a.csv and 2 more`."""
    if isinstance(tables, TableFile):
        return tables.name
    first, *others = map(display_location, list_tables(tables))
    return f"{first} and {len(others)} more" if others else first


def display_location(location: str) -> str:
    """Return a path or URI as a user would type it."""
    if is_uri(location):
        return without_credentials(location)
    return str(display_path(Path(location)))


def has_file_names(files: Sequence[TableFile]) -> bool:
    """Whether a line number does not locate a row: there are several files, or a text per file."""
    return len(files) > 1 or is_folder(files[0].location)


def is_folder(location: str) -> bool:
    """Whether a location is a folder, local or in a store."""
    return not file_exists(location) if is_uri(location) else os.path.isdir(location)


def is_one_of(path: Path, files: Iterable[TableFile]) -> bool:
    """Whether a path, such as an output, is a local file of a table; links are followed."""
    locations = (file.location for file in files if os.path.exists(file.location))
    return path.exists() and any(os.path.samefile(path, location) for location in locations)


def _hash_folder(digest: Any, folder: str) -> None:
    """Add the names and contents of all files; names count because folders are labels."""
    for file in list_folder_files(folder):
        digest.update(f"{file.path}\n".encode())
        update_digest(digest, file.location)


def _drop_empty(files: Sequence[TableFile]) -> Sequence[TableFile]:
    """Leave out empty files among several: Spark writes them for partitions without rows."""
    if len(files) == 1:
        return files
    return [file for file in files if not _is_empty(file)] or files


def _is_empty(file: TableFile) -> bool:
    try:
        size = file_size(file.location) if file.size is None else file.size
    except OSError:  # such as a link to nothing, which is reported when it is opened
        return False
    return size == 0 and not is_folder(file.location)


def _find(location: str) -> Sequence[TableFile]:
    """Find the files of one entry: a file, a folder or a pattern."""
    if is_uri(location):
        return _find_in_store(location)
    if os.path.isdir(location):
        return _find_in_folder(location)
    if os.path.lexists(location) or not glob.has_magic(location):
        return [_local_file(location)]
    found = _match_local(location)
    if not found:
        raise DataError(f"{display_location(location)}: no file matches this pattern")
    return found


def _local_file(location: str) -> TableFile:
    path, name = Path(location), display_location(location)
    if not path.exists():
        if path.is_symlink():
            raise DataError(f"{name}: a link to nothing; correct it, or name another file")
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        close = closest_match(path.name, siblings)
        raise DataError(f"{name}: no such file" + (f"; did you mean {close}?" if close else ""))
    return TableFile(location, name)


def _match_local(pattern: str) -> list[TableFile]:
    files = list[TableFile]()
    base = _literal_folder(pattern)
    for match in sorted(glob.glob(pattern, recursive=True)):
        partition = find_partition(os.path.relpath(match, base))
        if os.path.isdir(match):
            # `**` matches a folder as well as the files in it.
            inside = [] if "**" in pattern else _find_in_folder(match)
            files += [replace(file, partition=partition + file.partition) for file in inside]
        else:
            files.append(TableFile(match, display_location(match), partition))
    return files


def _literal_folder(pattern: str) -> str:
    """Return the folder above the first part of a pattern that has a wildcard."""
    parts = PurePosixPath(Path(pattern).as_posix()).parts
    index = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return str(PurePosixPath(*parts[:index])) if index else "."


def _find_in_folder(folder: str) -> list[TableFile]:
    listed = {file.path: file for file in list_folder_files(folder)}
    kept = choose_tables(list(listed), display_location(folder))
    if kept is None:
        return [TableFile(folder, display_location(folder))]
    return [_listed_file(listed[path]) for path in kept]


def _listed_file(file: FolderFile) -> TableFile:
    name = display_location(file.location)
    return TableFile(file.location, name, find_partition(file.path), file.size)


def _find_in_store(uri: str) -> Sequence[TableFile]:
    from pyarrow.fs import FileType

    name, info = without_credentials(uri), file_info(uri)
    if info.type == FileType.File:
        return [TableFile(uri, name)]
    if info.type == FileType.Directory:
        return _find_in_folder(uri)
    if not glob.has_magic(urlsplit(uri).path):
        raise DataError(f"{name}: no such file; check the bucket and the path")
    found = list(_match_in_store(uri))
    if not found:
        raise DataError(f"{name}: no file matches this pattern")
    return found


def _match_in_store(uri: str) -> Iterator[TableFile]:
    parts = urlsplit(uri)
    names = parts.path.strip("/").split("/")
    index = next(index for index, name in enumerate(names) if glob.has_magic(name))
    folder = parts._replace(path="/" + "/".join(names[:index])).geturl()
    for file in list_folder_files(folder):
        if _is_match(file.path.split("/"), names[index:]):
            yield _listed_file(file)


def _is_match(path: list[str], pattern: list[str]) -> bool:
    """Whether a pattern matches a file, or a folder that has the table in it."""
    if _matches(path, pattern):
        return True
    folders = (path[:depth] for depth in range(1, len(path)))
    return table_suffix(path[-1]) in FORMATS and any(_matches(each, pattern) for each in folders)


def _matches(path: list[str], pattern: list[str]) -> bool:
    """Whether the parts of a path match those of a pattern, as `glob` matches local files."""
    if not pattern:
        return not path
    first, *rest = pattern
    if first == "**":
        return _matches(path, rest) or (bool(path) and _matches(path[1:], pattern))
    return bool(path) and fnmatchcase(path[0], first) and _matches(path[1:], rest)
