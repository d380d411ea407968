"""The folder of outputs, a file for each part: those that exist stay, the others are added."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError, RequestError
from embedclf.system.publishing.drafts import create_text
from embedclf.system.storage import file_info, is_uri

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.cluster.parts import Part
    from embedclf.cluster.tasks import RunOnDisk
    from embedclf.inference.predict import PredictionRequest
    from embedclf.tables.files import TableFile

_DESCRIPTION = ".embedclf.json"
"""Says what the outputs hold. Programs that read folders of tables ignore hidden files."""


def prepare_folder(folder: Path, run: RunOnDisk, request: PredictionRequest) -> None:
    """Create the folder of outputs, or check that it holds those of the same request.

    Raises:
        RequestError: It holds something else.
        DataError: It cannot be written.
    """
    described: dict[str, Any] = {"run": run.sha256, **asdict(request)}
    text = json.dumps(described, sort_keys=True, default=str)
    file = folder / _DESCRIPTION
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            if any(folder.iterdir()):
                raise RequestError(f"{folder}: has other files in it; name a new folder")
            create_text(file, text)
        elif file.read_text(encoding="utf-8") != text:
            raise RequestError(
                f"{folder}: holds predictions of another run, or with other options; name a new "
                "folder"
            )
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from error


def is_finished(part: Part, folder: Path) -> bool:
    """Whether the output of a part exists, and is not older than the part."""
    output = folder / part.name
    try:
        return output.stat().st_mtime >= _modified(part.file)
    except OSError:
        return False


def _modified(file: TableFile) -> float:
    """Return when a file was last written, in seconds; 0 if nobody knows."""
    if is_uri(file.location):
        info = file_info(file.location)
        return 0.0 if info.mtime_ns is None else info.mtime_ns / 1e9
    return os.stat(file.location).st_mtime
