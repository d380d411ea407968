"""Where a training stands, for --resume."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import astuple
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.errors import RunError
from embedclf.runs.history import Epoch
from embedclf.system.files import draft_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from embedclf.config.schema import Config

Arrays = list[npt.NDArray[Any]]

_SHARE = 0.02
"""Most of the time that writing may take."""

_BYTES_PER_SECOND = 5e8
"""Taken for granted before the first one is written."""


class Checkpoint:
    """The file that a training is kept in from epoch to epoch.

    It is written whenever an epoch is finished and the writing takes less than 2 % of the time
    since the last one, so that a kill costs an epoch, or, where epochs are very short, some
    seconds.
    """

    def __init__(self, folder: Path, identity: Callable[[], str], *, resumes: bool) -> None:
        """Begin without looking at the file.

        Args:
            folder: Where it is, or will be.
            identity: Tells what is trained; asked for when it is needed first.
            resumes: Whether the training is to go on from it.
        """
        self.resumes = resumes
        self._folder, self._identity = folder, identity
        self._last = time.perf_counter()
        self._speed = _BYTES_PER_SECOND
        self.seconds = 0.0
        """Spent on writing."""
        self.before = 0.0
        """Seconds of the epochs that were read."""

    @cached_property
    def path(self) -> Path:
        """The file."""
        return self._folder / f".unfinished-{self._identity()}"

    @cached_property
    def refit(self) -> Checkpoint:
        """That of the training anew on all rows, which follows."""
        return Checkpoint(self._folder, lambda: f"{self._identity()}-refit", resumes=self.resumes)

    def save(self, epochs: Sequence[Epoch], variables: Sequence[Any], best: Arrays) -> None:
        """Write where the training stands, unless that would take too long.

        Args:
            epochs: That are finished.
            variables: TensorFlow's or Keras's; one at a time is copied.
            best: Weights of the best epoch.
        """
        size = sum(4 * math.prod(one.shape) for one in (*variables, *best))
        began = time.perf_counter()
        if size / self._speed > _SHARE * (began - self._last):
            return
        header = {"epochs": [astuple(epoch) for epoch in epochs], "variables": len(variables)}
        self._folder.mkdir(parents=True, exist_ok=True)
        with draft_file(self.path, durable=False) as file:
            np.save(file, np.frombuffer(json.dumps(header).encode(), np.uint8))
            for one in variables:
                np.save(file, one.numpy())
            for array in best:
                np.save(file, array)
        self._last = time.perf_counter()
        self._speed = size / (self._last - began)
        self.seconds += self._last - began

    def load(self) -> tuple[list[Epoch], Arrays, Arrays] | None:
        """Read epochs, variables and best weights; None where there is no file.

        Raises:
            RunError: It is damaged.
        """
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size
                header = json.loads(np.load(file).tobytes())
                arrays = []
                while file.tell() < size:
                    arrays.append(np.load(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            raise RunError(f"{self.path}: damaged; delete it and train anew") from error
        variables = header["variables"]
        epochs = [Epoch(*values) for values in header["epochs"]]
        self.before = sum(epoch.seconds for epoch in epochs)
        return epochs, arrays[:variables], arrays[variables:]

    def remove(self) -> None:
        """Remove the file, and that of a refit, if they are there."""
        self.path.unlink(missing_ok=True)
        self.refit.path.unlink(missing_ok=True)


def identity(config: Config, hashes: dict[str, str]) -> str:
    """What is trained, as a short name: config, tables and versions, all of them to the letter."""
    packages = [f"{name} {version(name)}" for name in ("embedclf", "keras", "numpy", "tensorflow")]
    whole = json.dumps(
        [config.model_dump(mode="json", exclude={"tune"}), hashes, packages], sort_keys=True
    )
    return hashlib.sha256(whole.encode()).hexdigest()[:16]
