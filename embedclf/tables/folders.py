"""The files in a folder: which are tables or texts, and what the names of folders say."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from embedclf.errors import DataError
from embedclf.system.formats import FORMATS, table_suffix
from embedclf.system.storage import is_uri, list_folder
from embedclf.system.terminal import join_shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

_HIVE_EMPTY = "__HIVE_DEFAULT_PARTITION__"

_DATASET_NOTES = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
"""Files about a data set that Hugging Face writes beside its tables."""

_MAX_NAMES = 120
"""Characters of a list of file names in a message."""

# Spark and Hadoop write files of this name, without an extension for text.
_SPARK_PART = re.compile(r"part-(r-|m-)?\d+")


class FolderFile(NamedTuple):
    """A file in a folder."""

    path: str
    """Below the folder, with slashes."""
    location: str
    size: int | None
    """In bytes; None is unknown."""


def list_folder_files(folder: str) -> list[FolderFile]:
    """List the visible files in a folder, local or in a store, at any depth, sorted by path."""
    if is_uri(folder):
        listed = [FolderFile(path, uri, size) for uri, path, size in list_folder(folder)]
        return [each for each in listed if not any(map(_is_hidden, each.path.split("/")))]
    return [FolderFile(path, os.path.join(folder, path), None) for path in _walk(folder)]


def choose_tables(paths: Sequence[str], folder: str) -> list[str] | None:
    """Choose the tables among the files in a folder; None if its text files are the texts.

    Raises:
        DataError: There are none.
    """
    # Most files of a folder of texts end in .txt, and there can be very many.
    others = [path for path in paths if not path.endswith(".txt")]
    named = [path for path in others if table_suffix(path) in FORMATS]
    tables = [path for path in named if PurePosixPath(path).name not in _DATASET_NOTES]
    if not tables:
        tables = [path for path in others if _SPARK_PART.fullmatch(PurePosixPath(path).name)]
    if not tables and choose_texts(paths):
        return None
    if not tables:
        _refuse_saved_dataset(paths, folder)
        names = join_shortened([*dict.fromkeys(paths)], _MAX_NAMES) if paths else "nothing"
        raise DataError(
            f"{folder}: no table in this folder; it holds {names}; tables end in .csv, .tsv, "
            ".jsonl, .parquet, ..."
        )
    return sorted(tables)


def choose_texts(paths: Sequence[str]) -> list[str]:
    """Choose the texts among the files of a folder without tables, in the order of their paths.

    Texts end in .txt, or have no extension, as in the 20 newsgroups. Files next to folders of
    texts are ignored, since they are lists and notes.

    Args:
        paths: Relative to the folder, with slashes.
    """
    texts = [path for path in paths if path.lower().endswith(".txt")]
    if not texts:
        texts = [path for path in paths if "/" in path and not PurePosixPath(path).suffix]
    return sorted(path for path in texts if "/" in path) or sorted(texts)


def find_partition(path: str) -> tuple[tuple[str, str], ...]:
    """Return the columns in the folder names of a relative path: `label=pos/part-0.csv`."""
    pairs = (part.partition("=") for part in PurePosixPath(Path(path).as_posix()).parts[:-1])
    return tuple(
        (unquote(key), "" if value == _HIVE_EMPTY else unquote(value))
        for key, equals, value in pairs
        if key and equals
    )


def _refuse_saved_dataset(paths: Sequence[str], folder: str) -> None:
    """Refuse a folder that `save_to_disk` of Hugging Face datasets wrote.

    Raises:
        DataError: It is one.
    """
    saved = sorted(PurePosixPath(path).parent for path in paths if path.endswith(".arrow"))
    if saved:
        # A training split, if there is one.
        chosen = next((each for each in saved if each.name == "train"), saved[0])
        raise DataError(
            f"{folder}: this folder holds Arrow files of Hugging Face datasets; save them as "
            f"Parquet: load_from_disk('{PurePosixPath(folder) / chosen}').to_parquet('t.parquet')"
        )


def _walk(folder: str) -> list[str]:
    """Return the paths of all visible files below a folder, relative to it and sorted.

    Raises:
        DataError: A folder cannot be read.
    """
    paths, visited = list[str](), set[str]()
    for directory, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        # A link can lead back to a folder that contains it.
        if (real := os.path.realpath(directory)) in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [name for name in folders if not _is_hidden(name)]
        below = Path(directory).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        paths += [f"{prefix}{name}" for name in names if not _is_hidden(name)]
    return sorted(paths)


def _refuse(error: OSError) -> None:
    # By default, `os.walk` leaves out what it cannot read.
    raise DataError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error


def _is_hidden(name: str) -> bool:
    """Whether a file is hidden, or a note of the program that wrote the folder: `_SUCCESS`."""
    # Excel writes `~$a.xlsx` next to a workbook that is open. `_` begins a folder of a hive
    # partition only if its column begins with it.
    return name.startswith((".", "~$")) or (name.startswith("_") and "=" not in name)
