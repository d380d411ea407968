"""What `train` and `suspects` print while networks are fitted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from embedclf.data.dataset import Dataset
from embedclf.reports.audit import fold_text, folds_text
from embedclf.reports.training import (
    coverage_text,
    dataset_text,
    device_text,
    epoch_text,
    loss_text,
    refit_text,
    resumed_text,
)
from embedclf.runs.history import Epoch, RefitStarted, Resumed, Step
from embedclf.training.cross_fitting import Fold, FoldFitted, Folds
from embedclf.training.initialization import Coverage

if TYPE_CHECKING:
    from embedclf.cli.console import Display
    from embedclf.config.schema import Config
    from embedclf.training.cross_fitting import FoldEvent
    from embedclf.training.train import TrainEvent


class TrainProgress:
    """Shows the events of a training."""

    def __init__(self, config: Config, display: Display) -> None:
        self._config = config
        self._display = display
        self._score_name = "accuracy"
        self._max_epochs = config.training.epochs
        self._refit_rows = 0  # still to be trained on after the current fit
        self._val_score = ""

    def __call__(self, event: TrainEvent) -> None:
        """Show an event of `train`."""
        if isinstance(event, Dataset):
            self._show_dataset(event)
        elif isinstance(event, Coverage):
            self._display.info(coverage_text(event.facts()))
        elif isinstance(event, Step):
            self._show_step(event)
        elif isinstance(event, Resumed):
            self._display.info(resumed_text(event))
        elif isinstance(event, RefitStarted):
            # The refit is now the current fit, so no rows are left after it.
            self._max_epochs, self._refit_rows, self._val_score = event.epochs, 0, ""
            self._display.step(refit_text(event))
        elif isinstance(event, Epoch):
            self._show_epoch(event)
        else:
            # A Device; importing the class for `isinstance` would import TensorFlow.
            self._display.info(device_text(event))

    def _show_dataset(self, dataset: Dataset) -> None:
        self._score_name = dataset.labels.score_name
        if self._config.training.refit:
            # At most: the fit before it chooses the number of epochs.
            self._refit_rows = self._max_epochs * (len(dataset.train) + len(dataset.validation))
        self._display.info(dataset_text(dataset.facts, self._config))

    def _show_epoch(self, epoch: Epoch) -> None:
        if not math.isnan(epoch.val_score):
            self._val_score = f"  val_{self._score_name} {epoch.val_score:.4f}"
        self._display.step(epoch_text(epoch, self._max_epochs, self._score_name))

    def _show_step(self, step: Step) -> None:
        """Advance the bar, whose end is the last possible epoch, that of a refit included."""
        done = (step.epoch - 1) * step.total_rows + step.rows
        total = step.epochs * step.total_rows + self._refit_rows
        speed = step.rows / max(step.seconds, 1e-9)
        line = f"epoch {step.epoch}/{step.epochs}  {speed:,.0f} rows/s{loss_text(step)}"
        self._display.update(line + self._val_score, done, total)


class FoldProgress:
    """Shows the events of cross-fitting."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._fold: Fold | None = None

    def __call__(self, event: FoldEvent) -> None:
        """Show an event of `find_label_errors`."""
        if isinstance(event, Folds):
            self._display.info(folds_text(event))
        elif isinstance(event, Fold):
            self._fold = event
        elif isinstance(event, Step):
            self._show_step(event)
        elif isinstance(event, FoldFitted):
            self._display.step(fold_text(event))
        elif not isinstance(event, Resumed | Epoch):  # a Device; a fold's epochs are not listed
            self._display.info(device_text(event))

    def _show_step(self, step: Step) -> None:
        """Advance the bar, whose end is the last possible epoch of the last fold."""
        assert self._fold is not None  # noqa: S101 - a fold begins before its steps
        rows_per_fold = step.epochs * step.total_rows
        done = (step.epoch - 1) * step.total_rows + step.rows
        done += (self._fold.number - 1) * rows_per_fold
        fold = f"fold {self._fold.number}/{self._fold.count}"
        line = f"{fold}  epoch {step.epoch}{loss_text(step)}"
        self._display.update(line, done, self._fold.count * rows_per_fold)
