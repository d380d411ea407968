"""JSON files with their own checksum, as they may change after training."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from embedclf.errors import RunError
from embedclf.runs.contents.values import convert, damaged
from embedclf.system.files import map_file
from embedclf.system.publishing.drafts import draft_file

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")


def read_sealed(file: Path, kind: type[T]) -> T:
    """Read the values of a file, as a type of `embedclf.runs.contents`.

    Raises:
        RunError: The file is missing, differs from what was written, or holds other values.
    """
    content = read_object(file)
    unseal(content, file)
    return convert(content, kind, file)


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: The file is missing, or holds something else.
    """
    try:
        content, _ = map_file(file)
    except OSError as error:
        raise read_error(file, error) from error
    return parse_object(content, file)


def parse_object(content: memoryview, file: Path) -> dict[str, Any]:
    """Read a JSON object from the content of a file.

    Raises:
        RunError: It is something else.
    """
    values = parse_json(content, file)
    if not isinstance(values, dict):
        raise damaged(file)
    return values


def parse_json(content: memoryview, file: Path | str) -> Any:
    """Read JSON; unlike Python's reader, refuse lone surrogates and numbers that JSON lacks.

    Raises:
        RunError: It is not JSON.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise damaged(file) from error


def unseal(content: dict[str, Any], file: Path) -> None:
    """Remove the checksum from the values of a file, after comparing it.

    Raises:
        RunError: It is that of other values.
    """
    checksum = content.pop("checksum", None)
    try:
        fits = checksum == compute_checksum(content)
    except RecursionError:
        fits = False
    if not fits:
        raise RunError(f"{file}: damaged: wrong checksum; restore it or train again")


def write_sealed(file: Path, values: dict[str, Any]) -> None:
    """Replace a file by a rename, so that readers see all old or all new values.

    Raises:
        RunError: Its directory cannot be written to.
    """
    try:
        with draft_file(file, "w", encoding="utf-8", newline="\n") as draft:
            draft.write(seal_json(values))
    except OSError as error:
        raise RunError(f"{file.parent}: cannot be written: {error.strerror}") from error


def seal_json(values: dict[str, Any], indent: int | None = 1) -> str:
    """Return values as JSON with their checksum; without an indent, it is shorter."""
    plain = json.loads(json.dumps(values))  # as readers see them: tuples become lists
    sealed = {**plain, "checksum": compute_checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=indent) + "\n"


def compute_checksum(values: dict[str, Any]) -> str:
    """Compute the SHA-256 of values, independent of the layout of their file."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_error(file: Path, error: OSError) -> RunError:
    """Return the error for a file of a run that cannot be read."""
    return RunError(f"{file}: {error.strerror}; restore it or train again")
