"""Files on this machine and in stores: a location is a path, or a URI such as `s3://bucket/key`."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from embedclf.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyarrow import fs

# Two letters or more, because `C:/data` begins with a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

_GCS_RETRY_SECONDS = 10

_MAX_FAULT = 160
"""Characters of an error that a store reports."""


def is_uri(location: str) -> bool:
    """Whether a location is a URI, not a path."""
    return _SCHEME.match(location) is not None


def name_fault(location: str) -> str | None:
    """Return why a path or URI cannot name a file, and what to do; None if it can."""
    if "\0" in location:
        return "a path cannot contain the character U+0000; correct it"
    # Python reads bytes of a name that are not UTF-8 as lone surrogates; Arrow and JSON refuse them
    if any("\ud800" <= character <= "\udfff" for character in location):
        return "the name is not UTF-8; rename the file or its folder"
    return None


def without_credentials(uri: str) -> str:
    """Return a URI as messages show it: without a password and without its query."""
    parts = urlsplit(uri)
    # Not `geturl`, which drops the slashes of an empty host.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_file(location: str) -> pa.NativeFile:
    """Open a file for reading at any position.

    Raises:
        OSError: It does not exist or cannot be read.
        DataError: The URI names no store that can be read.
    """
    import pyarrow as pa  # here, because configs need only `is_uri`

    filesystem, path = _resolve_uri(location) if is_uri(location) else (None, location)
    try:
        return pa.OSFile(path) if filesystem is None else filesystem.open_input_file(path)
    except OSError as error:
        if error.errno is None:
            raise
        # Arrow's own text repeats the path, and appends the number of the error.
        raise OSError(error.errno, os.strerror(error.errno), location) from error


def file_size(location: str) -> int:
    """Return the size of a file in bytes, or 0 for a folder; raises as `open_file` does."""
    if is_uri(location):
        return file_info(location).size or 0
    return 0 if os.path.isdir(location) else os.stat(location).st_size


def size_and_time(location: str) -> tuple[int, Any]:
    """Return the size of a file and when it was written, to notice changes."""
    if is_uri(location):
        info = file_info(location)
        return info.size or 0, info.mtime
    status = os.stat(location)
    return status.st_size, status.st_mtime_ns


def file_exists(location: str) -> bool:
    """Whether there is a file, not a folder; raises DataError if a store cannot be asked."""
    if not is_uri(location):
        return os.path.isfile(location)
    return bool(file_info(location).is_file)


def file_info(uri: str) -> fs.FileInfo:
    """Return what a store knows about a location: its type and size.

    Raises:
        DataError: The store cannot be asked.
    """
    filesystem, path = _resolve_uri(uri)
    with _described_errors(uri):
        return filesystem.get_file_info(path)


def list_folder(uri: str) -> list[tuple[str, str, int]]:
    """List all files in a folder of a store, at any depth.

    Returns:
        The URI, the path below the folder, and the size of each, sorted by path.

    Raises:
        DataError: The store cannot be asked.
    """
    from pyarrow import fs

    filesystem, root = _resolve_uri(uri)
    with _described_errors(uri):
        found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    below = {
        info.path.removeprefix(root).lstrip("/"): info.size or 0 for info in found if info.is_file
    }
    return [(join_uri(uri, path), path, size) for path, size in sorted(below.items())]


def join_uri(folder: str, path: str) -> str:
    """Return the URI of a path below a folder; a query stays at the end."""
    parts = urlsplit(folder)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{quote(path, safe='/=')}").geturl()


def system_fault(error: Exception) -> str:
    """Return what an error of a file says, in one line: `Permission denied`."""
    # Arrow's own words repeat the path.
    errno = error.errno if isinstance(error, OSError) else None
    return os.strerror(errno) if errno else one_line(error)


def one_line(error: Exception) -> str:
    """Return an error's message on one line."""
    return " ".join(str(error).split())


def _resolve_uri(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a URI, and the path in it.

    Raises:
        DataError: The URI is malformed, or names no store that can be read.
    """
    name, parts = without_credentials(uri), urlsplit(uri)
    if "//" in parts.path:
        raise DataError(f"{name}: two slashes in a row; remove one")
    if not parts.netloc and parts.scheme in {"s3", "gs", "gcs"}:
        raise DataError(f"{name}: no bucket in the URI; write {parts.scheme}://bucket/key")
    if parts.scheme in {"http", "https"}:
        raise DataError(f"{name}: web addresses cannot be read; download the file, and name it")
    query = parts.query
    if parts.scheme in {"gs", "gcs"} and "retry_limit_seconds" not in query:
        # By default, an error is reported after 15 minutes of retries.
        query = "&".join(filter(None, [query, f"retry_limit_seconds={_GCS_RETRY_SECONDS}"]))
    root = parts._replace(path="/" if parts.scheme == "file" else "", query=query).geturl()
    with _described_errors(uri):
        filesystem, top = _open_store(root)
    path = unquote(parts.path).strip("/")
    return filesystem, f"{top.rstrip('/')}/{path}".rstrip("/")


@contextmanager
def _described_errors(uri: str) -> Iterator[None]:
    """Turn the errors of a store into a DataError of one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, NotImplementedError, ImportError) as error:
        raise DataError(f"{without_credentials(uri)}: {_describe_fault(error)}") from error


def _describe_fault(error: Exception) -> str:
    fault = one_line(error)
    for pattern, description in _STORE_FAULTS.items():
        if re.search(pattern, fault):
            return description
    # Arrow can list every path that it has tried.
    return f"cannot be read: {fault[:_MAX_FAULT]}"


_STORE_FAULTS = {
    "Unrecognized filesystem type": "unknown type of URI; use s3://, gs://, hdfs:// or file://",
    "libjvm|libhdfs": "HDFS needs Java and Hadoop; set JAVA_HOME and HADOOP_HOME",
    "NO_SUCH_BUCKET|Bucket '.*' not found|NoSuchBucket": "no such bucket; check its name",
    "Unsupported hostname": "a local file needs three slashes: file:///folder/file.csv",
    "OAuth2|get token": (
        "no credentials; sign in to the store, or, for public files, write gs://anonymous@bucket/key"
    ),
    "ACCESS_DENIED|HTTP status 403|INVALID_ACCESS_KEY|SIGNATURE|InvalidAccessKey|forbidden": (
        "access denied; check your credentials, such as AWS_ACCESS_KEY_ID"
    ),
    "NETWORK_CONNECTION|Couldn't connect|curlCode|Could not connect|Couldn't resolve": (
        "the store cannot be reached; check the URI and the network"
    ),
}
"""What stores report, by what their messages contain."""


@lru_cache(maxsize=8)
def _open_store(root: str) -> tuple[Any, str]:
    """Open a store once: connecting takes longer than reading a small file."""
    # Only here, because importing it takes longer than opening a local table.
    from pyarrow import fs

    filesystem, top = fs.FileSystem.from_uri(root)
    return filesystem, top
