"""The state of a training, for --resume."""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
import zlib
from contextlib import contextmanager
from dataclasses import astuple
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from embedclf.errors import TrainingError
from embedclf.runs.history import Epoch
from embedclf.runs.sealed_json import read_error
from embedclf.system.files import map_file
from embedclf.system.publishing.drafts import draft_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from embedclf.config.schema import Config

Arrays = list[npt.NDArray[Any]]

_MAX_FRACTION = 0.02
"""The largest fraction of the training time to spend on writing."""

_CHECKSUM_BYTES = 4
"""Of a CRC-32, which finds what a disk or a killed process does to a file."""

_BYTES_PER_SECOND = 5e8
"""Assumed before the first checkpoint is written."""


class Checkpoint:
    """The file that holds the state of a training.

    It is written at the end of an epoch if writing takes less than 2% of the time since the last
    write. A kill then costs one epoch, or some seconds if epochs are very short.
    """

    def __init__(
        self,
        directory: Path,
        training_id: Callable[[], str],
        *,
        resumes: bool,
        always: bool = False,
    ) -> None:
        """Begin without reading the file.

        Args:
            directory: Where the file is, or will be.
            training_id: Returns the id of the training. It is called as late as possible, since the
                hashes of large tables take a while.
            resumes: Whether the training resumes from the file.
            always: Whether to write it at the end of each epoch, however long that takes.
        """
        self.resumes, self._always = resumes, always
        self._directory, self._training_id = directory, training_id
        self._last_saved = time.perf_counter()
        self._speed = _BYTES_PER_SECOND
        self.seconds = 0.0
        """Time spent on writing."""
        self.damaged = False
        """Whether there is a file that is not as it was written."""
        self.seconds_before = 0.0
        """Training time of the epochs that were read from the file."""

    @cached_property
    def path(self) -> Path:
        """The file."""
        return self._directory / f".unfinished-{self._training_id()}"

    @cached_property
    def refit(self) -> Checkpoint:
        """The checkpoint of the refit on all rows that follows."""
        return Checkpoint(
            self._directory, lambda: f"{self._training_id()}-refit", resumes=self.resumes
        )

    def save(self, epochs: Sequence[Epoch], variables: Sequence[Any], best: Arrays) -> None:
        """Write the state of the training, unless that would take too long.

        Args:
            epochs: All finished epochs.
            variables: Of TensorFlow; they are not copied into memory as a whole.
            best: Weights of the best epoch.
        """
        from embedclf.model.variable_values import save_value

        size = sum(4 * math.prod(each.shape) for each in (*variables, *best))
        began = time.perf_counter()
        too_slow = size / self._speed > _MAX_FRACTION * (began - self._last_saved)
        if too_slow and not self._always:
            return
        header = {"epochs": [astuple(epoch) for epoch in epochs], "variables": len(variables)}
        self._directory.mkdir(parents=True, exist_ok=True)
        # Not flushed to the disk: a process that is killed loses nothing that it has written
        with draft_file(self.path, durable=False) as draft:
            file = _CheckedFile(draft)
            # JSON as an array of bytes, since np.load refuses pickled objects by default
            np.save(file, np.frombuffer(json.dumps(header).encode(), np.uint8))
            for variable in variables:
                save_value(file, variable)
            for array in best:
                np.save(file, array)
            file.end()
        self._last_saved = time.perf_counter()
        self._speed = size / (self._last_saved - began)
        self.seconds += self._last_saved - began

    def load(self) -> tuple[list[Epoch], Arrays, Arrays] | None:
        """Read epochs, variables and best weights; None without a file, or if it is `damaged`.

        Raises:
            RunError: The file cannot be read.
        """
        try:
            content, _ = map_file(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise read_error(self.path, error) from error
        size = len(content) - _CHECKSUM_BYTES
        self.damaged = size < 0 or content[size:] != _checksum(zlib.crc32(content[: max(size, 0)]))
        if self.damaged:
            return None
        file, arrays = io.BytesIO(content[:size]), []
        header = json.loads(np.load(file).tobytes())
        while file.tell() < size:
            arrays.append(np.load(file))
        variables = header["variables"]
        epochs = [Epoch(*values) for values in header["epochs"]]
        self.seconds_before = sum(epoch.seconds for epoch in epochs)
        return epochs, arrays[:variables], arrays[variables:]

    def remove(self) -> None:
        """Remove the file, and that of the refit, if they exist."""
        self.path.unlink(missing_ok=True)
        self.refit.path.unlink(missing_ok=True)


class _CheckedFile:
    """A file that ends with a checksum of its content."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._checksum = 0

    def write(self, content: bytes) -> None:
        """Write a part of the content."""
        self._checksum = zlib.crc32(content, self._checksum)
        self._file.write(content)

    def end(self) -> None:
        """Write the checksum."""
        self._file.write(_checksum(self._checksum))


def _checksum(value: int) -> bytes:
    return value.to_bytes(_CHECKSUM_BYTES, "little")


class Removable(Protocol):
    """Holds the state of a training."""

    def remove(self) -> None:
        """Remove it."""


@contextmanager
def removed_on_failure(state: Removable | None) -> Iterator[None]:
    """Remove the state of a training that would fail again if it were resumed."""
    try:
        yield
    except TrainingError:
        if state is not None:
            state.remove()
        raise


def training_id(config: Config, hashes: dict[str, str]) -> str:
    """Return a short name for a training: equal config, tables and versions give the same."""
    # Another version may compute other weights, and resuming would mix the two
    packages = [f"{name} {version(name)}" for name in ("embedclf", "keras", "numpy", "tensorflow")]
    # A training does not read the section `tune`
    content = json.dumps(
        [config.model_dump(mode="json", exclude={"tune"}), hashes, packages], sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()[:16]
