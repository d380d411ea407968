"""Names of files: train.csv and the test.csv next to it, shards, and what a run is called."""

from __future__ import annotations

import glob
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from embedclf.errors import DataError
from embedclf.system.formats import FORMATS, compression_suffix, table_suffix
from embedclf.system.storage import is_uri
from embedclf.system.terminal import join_shortened
from embedclf.tables.files import find_files

if TYPE_CHECKING:
    from collections.abc import Iterator

SPLIT_NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
"""Names of the tables of each split, in the order in which they are looked for."""

# Lookarounds instead of `\b`, for which the underscore in `reviews_train` is a letter.
_TRAIN = re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)

_OTHER_SPLIT = re.compile(r"(?<![a-z])(validation|valid|val|dev|test)(?![a-z])", re.IGNORECASE)

_SHARD = re.compile(r"-[\d*]+-of-([\d*]+)(?!\d)")
"""In the names of files that are parts of one table: `train-00000-of-00002.parquet`."""

_SUFFIX = re.compile(r"\.[a-z][a-z0-9]*$", re.IGNORECASE)

_WILDCARDS = re.compile(r"[*?\[].*")


def suggest_config_name(location: str) -> str:
    """Name a config after its table, or after the directory of a table called `train`."""
    if is_uri(location):
        uri = urlsplit(location)
        parts = PurePath(f"/{uri.netloc}{uri.path}").parts[1:]
    else:
        parts = PurePath(os.path.abspath(location)).parts[1:]
    *folders, file = parts or ("",)
    stem = file if os.path.isdir(location) else _stem(file)
    names = (_before_split(part) for part in (stem, *reversed(folders)))
    return next((name for name in names if name), stem)


def find_split(train: str, split: str) -> str | None:
    """Find the table of a split next to a training table: a file, a folder or a pattern.

    Its path is that of the training table with `test` instead of `train` in the name of the file,
    or of the folder around it. Shards can have other numbers.

    Args:
        train: Where the training table is; nothing is looked for in stores.
        split: validation or test.
    """
    if is_uri(train):
        return None
    path = Path(train)
    part = next((each for each in (path, path.parent) if _TRAIN.search(each.name)), None)
    if part is None or not part.parent.is_dir():
        return None
    found = (_find_named(part, name) for name in SPLIT_NAMES[split])
    below = path.relative_to(part)
    tables = (os.path.normpath(os.path.join(each, below)) for each in found if each)
    # A path that was found exists; a file in a folder that was found need not.
    return next((table for table in tables if not below.parts or glob.glob(table)), None)


def find_training_part(location: str) -> str:
    """Return the training table in a folder that has other splits, too; any other table as it is.

    A folder with one folder and no table in it, as archives often have, is entered.

    Raises:
        DataError: There are several training tables beside other splits; or splits are in a folder
            inside, and there are tables outside it.
    """
    folders = list(_split_folders(location))
    if not folders:
        return _find_inner_folder(location)
    paths = [path for folder in folders for path in _list_training_paths(folder)]
    tables = {find_shards(path) or path for path in paths}
    if len(tables) > 1:
        raise DataError(
            f"{location}: has several training tables, and tables of other splits; name one of "
            f"{join_shortened(paths)}"
        )
    if len(find_files(location)) > len(find_files(folders[0])):
        raise DataError(
            f"{location}: has splits in {folders[0]}, and other tables outside; name the training "
            f"table, such as {paths[0]}"
        )
    return tables.pop()


def has_other_splits(location: str) -> bool:
    """Whether a table is a folder that has other splits beside a training table, at any depth."""
    if is_uri(location) and not glob.has_magic(location):
        names = [file.location.removeprefix(location) for file in find_files(location)]
        return any(map(_TRAIN.search, names)) and any(map(_OTHER_SPLIT.search, names))
    return next(_split_folders(location), None) is not None


def find_shards(location: str) -> str | None:
    """Return the pattern of all shards of a table, if a file is one of several."""
    path = Path(location)
    if is_uri(location) or not path.is_file() or not _SHARD.search(path.name):
        return None
    shards = _match_names(path.parent, _SHARD.sub("-*-of-*", path.name))
    return _shard_pattern(path.parent, shards) if len(shards) > 1 else None


def _split_folders(location: str) -> Iterator[str]:
    """Yield the folders in a table that have other splits beside a training table."""
    # Nothing is below a file, a pattern or a URI.
    for folder, subfolders, _ in os.walk(location):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith((".", "_")))
        paths = _list_training_paths(folder)
        if any(find_split(path, split) for path in paths for split in SPLIT_NAMES):
            subfolders.clear()
            yield folder


def _find_inner_folder(location: str) -> str:
    """Return the innermost of folders that hold one folder and no table.

    Names of folders such as `year=2024` are columns, so that these are not entered.
    """
    if is_uri(location) or not os.path.isdir(location):
        return location
    paths = [Path(location, name) for name in _list_names(Path(location))]
    folders = [path for path in paths if path.is_dir()]
    has_tables = any(table_suffix(path) in FORMATS for path in paths if path not in folders)
    if has_tables or len(folders) != 1 or "=" in folders[0].name:
        return location
    return _find_inner_folder(str(folders[0]))


def _list_training_paths(folder: str) -> list[str]:
    names = _list_names(Path(folder))
    return [os.path.join(folder, name) for name in names if _TRAIN.search(name)]


def _stem(file: str) -> str:
    """Return the name of a file without its suffixes, including `.gz`."""
    return _SUFFIX.sub("", file.removesuffix(compression_suffix(file)))


def _before_split(name: str) -> str:
    """Return what precedes `train`, the number of a shard, and a wildcard."""
    for pattern in (_WILDCARDS, _SHARD, _TRAIN):
        if match := pattern.search(name):
            name = name[: match.start()]
    return name.rstrip(" ._-")


def _find_named(train: Path, split_name: str) -> str | None:
    """Find the file, folder or pattern that is named like a training part of a path."""
    name = _TRAIN.sub(split_name, train.name, count=1)
    is_pattern = glob.has_magic(name) and not train.exists()
    if is_pattern and not _SHARD.search(name):
        pattern = os.path.join(glob.escape(str(train.parent)), name)
        return pattern if glob.glob(pattern) else None
    is_shard = _SHARD.search(name) is not None
    matches = _match_names(train.parent, _SHARD.sub("-*-of-*", name), exact=not is_shard)
    if not matches and not is_shard and train.is_file() and _TRAIN.search(_stem(train.name)):
        stem = _stem(name).lower()
        others = [each for each in _list_names(train.parent) if table_suffix(each) in FORMATS]
        matches = [each for each in others if _stem(each).lower() == stem][:1]
    if train.exists():
        matches = [each for each in matches if (train.parent / each).is_dir() == train.is_dir()]
    if len(matches) > 1:
        return _shard_pattern(train.parent, matches)
    return str(train.parent / matches[0]) if matches else None


def _shard_pattern(folder: Path, names: list[str]) -> str:
    """Return the pattern of some shards, with their number if it is the same for all."""
    totals = {match[1] for match in map(_SHARD.search, names) if match}
    total = totals.pop() if len(totals) == 1 else "*"
    return os.path.join(glob.escape(str(folder)), _SHARD.sub(f"-*-of-{total}", names[0]))


def _list_names(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if not name.startswith((".", "_"))]


def _match_names(folder: Path, pattern: str, *, exact: bool = False) -> list[str]:
    # By lower case, as `Train.csv` goes with `test.csv` on every file system.
    names, pattern = _list_names(folder), pattern.lower()
    if exact:
        return [name for name in names if name.lower() == pattern]
    return [name for name in names if fnmatchcase(name.lower(), pattern)]
