"""What a training says while it runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from embedclf.data.dataset import Dataset
from embedclf.reports import audit as audit_report
from embedclf.reports import training as training_report
from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step
from embedclf.training.cross_fitting import Fold, FoldFitted, Folds
from embedclf.training.initialization import Coverage

if TYPE_CHECKING:
    from embedclf.cli.console import Display
    from embedclf.config.schema import Config
    from embedclf.training import cross_fitting
    from embedclf.training.train import Told


class TrainProgress:
    """Tells a training's facts and its progress."""

    def __init__(self, config: Config, display: Display) -> None:
        """Begin to talk.

        Args:
            config: What is trained.
            display: Where to tell.
        """
        self._config = config
        self._display = display
        self._score_name = "accuracy"
        self._most = config.training.epochs
        self._later = 0
        self._last = ""

    def __call__(self, told: Told) -> None:
        """Tell one thing."""
        if isinstance(told, Dataset):
            self._prepared(told)
        elif isinstance(told, Coverage):
            self._display.say(training_report.covered(told.facts()))
        elif isinstance(told, Step):
            self._step(told)
        elif isinstance(told, Resumed):
            self._display.say(training_report.resumed(told))
        elif isinstance(told, RefitStarted):
            self._most, self._later, self._last = told.epochs, 0, ""
            self._display.step(training_report.refitting(told))
        elif isinstance(told, Epoch):
            self._epoch(told)
        else:
            self._display.say(training_report.device(told))

    def _prepared(self, told: Dataset) -> None:
        self._score_name = told.labels.score_name
        if self._config.training.refit:
            self._later = self._most * (len(told.train) + len(told.validation))
        self._display.say(training_report.dataset(told.facts, self._config))

    def _epoch(self, told: Epoch) -> None:
        if not math.isnan(told.val_score):
            self._last = f"  val_{self._score_name} {told.val_score:.4f}"
        self._display.step(training_report.epoch(told, self._most, self._score_name))

    def _step(self, told: Step) -> None:
        """Move the bar: over all epochs that there can be, those of a refit included."""
        done = (told.epoch - 1) * told.of_rows + told.rows
        speed = told.rows / max(told.seconds, 1e-9)
        line = f"epoch {told.epoch}/{told.epochs}  {speed:,.0f} rows/s{training_report.loss(told)}"
        self._display.move(line + self._last, done, told.epochs * told.of_rows + self._later)


class FoldProgress:
    """Tells what is parted into folds, and how the training of each goes."""

    def __init__(self, display: Display) -> None:
        """Begin to talk.

        Args:
            display: Where to tell.
        """
        self._display = display
        self._fold: Fold | None = None

    def __call__(self, told: cross_fitting.Told) -> None:
        """Tell one thing."""
        if isinstance(told, Folds):
            self._display.say(audit_report.folds(told))
        elif isinstance(told, Fold):
            self._fold = told
        elif isinstance(told, Step):
            self._step(told)
        elif isinstance(told, FoldFitted):
            self._display.step(audit_report.fitted(told))
        elif not isinstance(told, Resumed | Epoch):
            self._display.say(training_report.device(told))

    def _step(self, told: Step) -> None:
        """Move the bar: over all folds, each as long as it can take."""
        assert self._fold is not None  # noqa: S101 - a fold begins before its steps
        before = (self._fold.number - 1) * told.epochs * told.of_rows
        done = before + (told.epoch - 1) * told.of_rows + told.rows
        fold = f"fold {self._fold.number}/{self._fold.of}"
        line = f"{fold}  epoch {told.epoch}{training_report.loss(told)}"
        self._display.move(line, done, self._fold.of * told.epochs * told.of_rows)
