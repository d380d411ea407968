"""JSON files with their own checksum, as they may change after training."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.system.files import draft_file

if TYPE_CHECKING:
    from pathlib import Path


def read_sealed(file: Path) -> dict[str, Any]:
    """Read the values of a file.

    Raises:
        RunError: The file is missing, or differs from what was written.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        checksum = content.pop("checksum", None)
    except OSError as error:
        raise read_error(file, error) from error
    except (ValueError, AttributeError, TypeError) as error:  # not JSON, or not an object
        raise RunError(f"{file}: damaged; restore it or train again") from error
    if checksum != compute_checksum(content):
        raise RunError(f"{file}: damaged: wrong checksum; restore it or train again")
    return content


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


def seal_json(values: dict[str, Any]) -> str:
    """Return values as JSON with their checksum."""
    plain = json.loads(json.dumps(values))  # as readers see them: tuples become lists
    sealed = {**plain, "checksum": compute_checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"


def compute_checksum(values: dict[str, Any]) -> str:
    """Compute the SHA-256 of values, independent of the layout of their file."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_error(file: Path, error: OSError) -> RunError:
    """Return the error for a file of a run that cannot be read."""
    return RunError(f"{file}: {error.strerror}; restore it or train again")
