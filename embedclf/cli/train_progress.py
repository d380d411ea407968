"""What `train` and `suspects` show while networks are fitted."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedclf.cli.console import echo_notes
from embedclf.cli.display import Status
from embedclf.data.dataset import Dataset
from embedclf.reports.training import (
    coverage_text,
    dataset_text,
    device_text,
    epoch_text,
    loss_text,
    refit_text,
    resumed_text,
)
from embedclf.runs.history import Epoch, History, RefitStarted, Resumed, Step
from embedclf.system.terminal import format_count, format_duration
from embedclf.training.token_vectors import Coverage

if TYPE_CHECKING:
    from embedclf.cli.display import Display
    from embedclf.config.schema import Config
    from embedclf.training.folds.cross_fitting import Fold, FoldEvent
    from embedclf.training.folds.cross_validation import CrossValidationEvent
    from embedclf.training.folds.learning_curve import CurveEvent, SubsetTraining
    from embedclf.training.train import TrainEvent

_FEW = 10
"""Up to this many epochs or folds are all logged; beyond it, only some."""


@dataclass
class Countdown:
    """An upper bound for the remaining time of some work, estimated from the work done so far."""

    _began: tuple[float, float] | None = field(default=None, init=False)
    """When it was asked first, and what was done by then."""

    def remaining(self, done: float, total: float) -> str:
        """Return `at most 12s left`, or nothing while there is too little to judge by."""
        now = time.perf_counter()
        if self._began is None:
            self._began = now, done
        seconds, progress = now - self._began[0], done - self._began[1]
        if not progress:
            return ""
        return f"at most {format_duration(seconds * (total - done) / progress)} left"


class TrainProgress:
    """Shows the events of a training."""

    def __init__(self, config: Config, display: Display) -> None:
        self._config = config
        self._display = display
        self._countdown = Countdown()
        self._score_name = "accuracy"
        self._max_epochs = config.training.epochs
        self._refit_rows = 0  # still to be trained on after the current fit
        self._fit = "epoch"
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
            self._show_refit(event)
        elif isinstance(event, Epoch):
            self._show_epoch(event)
        elif isinstance(event, History):
            self._show_history(event)
        else:
            # A Device; importing the class for `isinstance` would import TensorFlow.
            self._display.info(device_text(event))

    def _show_dataset(self, dataset: Dataset) -> None:
        self._score_name = dataset.labels.score_name
        if self._config.training.refit:
            # At most: the fit before it chooses the number of epochs.
            self._refit_rows = self._max_epochs * (
                len(dataset.train) + len(dataset.validation) + len(dataset.taught or ())
            )
        self._display.info(dataset_text(dataset.facts, self._config))
        echo_notes(split.rows.table for split in dataset.splits.values())

    def _show_refit(self, event: RefitStarted) -> None:
        # The refit is now the current fit, so no rows are left after it.
        self._max_epochs, self._refit_rows, self._val_score = event.epochs, 0, ""
        self._countdown, self._fit = Countdown(), "refit, epoch"
        if self._display.plain:
            self._display.info(refit_text(event))

    def _show_epoch(self, epoch: Epoch) -> None:
        if not math.isnan(epoch.val_score):
            self._val_score = f"val_{self._score_name} {epoch.val_score:.4f}"
        if _is_logged(epoch.epoch, self._max_epochs):
            self._log_epoch(epoch)

    def _show_history(self, history: History) -> None:
        """Log the best and the last epoch, which say how a training ended."""
        for number in sorted({history.best_epoch, len(history.epochs)}):
            if not _is_logged(number, self._max_epochs):
                self._log_epoch(history.epochs[number - 1])

    def _log_epoch(self, epoch: Epoch) -> None:
        # At a terminal, the line that is redrawn has the same numbers.
        if self._display.plain:
            self._display.info(epoch_text(epoch, self._max_epochs, self._score_name))

    def _show_step(self, step: Step) -> None:
        """Show how far the training is; its end is the last possible epoch, a refit included."""
        self._max_epochs = step.epochs  # fewer than the config's if cross-validation chose them
        done = (step.epoch - 1) * step.total_rows + step.rows
        total = step.epochs * step.total_rows + self._refit_rows
        speed = step.rows / max(step.seconds, 1e-9)
        self._display.update(
            Status(
                f"{self._fit} {step.epoch}/{step.epochs}",
                (loss_text(step), self._val_score),
                done / total,
                f"{speed:,.0f} rows/s",
                self._countdown.remaining(done, total),
            )
        )


class FoldProgress:
    """Shows the events of cross-fitting."""

    def __init__(self, display: Display, *, fits: int = 1) -> None:
        """Show nothing yet; `fits` is how often each fold fits a network."""
        self._display = display
        self._countdown = Countdown()
        self._fits, self._fits_before = fits, 0  # in all, and before the current fit
        self._fold: Fold | None = None

    def __call__(self, event: FoldEvent | CrossValidationEvent) -> None:
        """Show an event of `find_label_errors` or `cross_validate`."""
        # Not at the top: `train` alone needs none of them.
        from embedclf.evaluation.fold_scores import FoldScores
        from embedclf.reports.audit import fold_text, folds_text
        from embedclf.reports.cross_validation import fold_scores_text
        from embedclf.training.folds.cross_fitting import Fold, FoldFitted, Folds

        if isinstance(event, Folds):
            self._display.info(folds_text(event))
            echo_notes([event.tokenized.rows.table])
        elif isinstance(event, Fold):
            self._fold, self._fits_before = event, (event.number - 1) * self._fits
        elif isinstance(event, Step):
            self._show_step(event)
        elif isinstance(event, FoldFitted):
            self._log(event.fold.number, fold_text(event))
        elif isinstance(event, FoldScores):
            self._log(event.fold, fold_scores_text(event))
        elif isinstance(event, RefitStarted):
            self._fits_before += 1
        elif not isinstance(event, Resumed | Epoch):  # a Device; a fold's epochs are not listed
            self._display.info(device_text(event))

    def _show_step(self, step: Step) -> None:
        """Show how far cross-fitting is; its end is the last possible epoch of the last fold."""
        assert self._fold is not None  # noqa: S101 - a fold begins before its steps
        epochs = step.epoch - 1 + step.rows / step.total_rows
        done, total = self._fits_before + epochs / step.epochs, self._fold.count * self._fits
        refit = "refit, " if self._fits_before % self._fits else ""
        self._display.update(
            Status(
                f"fold {self._fold.number}/{self._fold.count}, {refit}epoch {step.epoch}",
                (loss_text(step),),
                done / total,
                remaining=self._countdown.remaining(done, total),
            )
        )

    def _log(self, number: int, line: str) -> None:
        """Log the end of a fold, if few folds are logged or all are."""
        assert self._fold is not None  # noqa: S101 - a fold begins before it ends
        if _is_logged(number, self._fold.count):
            self._display.step(f"fold {number}/{self._fold.count}  {line}")


class CurveProgress:
    """Shows the trainings of a learning curve."""

    def __init__(self, display: Display, *, fits: int) -> None:
        """Show nothing yet; `fits` is how often each training fits a network."""
        self._display = display
        self._countdown = Countdown()
        self._fits, self._fits_before = fits, 0  # of a training, and before the current fit
        self._training: SubsetTraining | None = None

    def __call__(self, event: CurveEvent) -> None:
        """Show an event of `measure_learning_curve`."""
        from embedclf.reports.learning_curve import subset_score_text
        from embedclf.training.folds.learning_curve import SubsetScore, SubsetTraining

        if isinstance(event, SubsetTraining):
            self._training, self._fits_before = event, 0
        elif isinstance(event, RefitStarted):
            self._fits_before += 1
        elif isinstance(event, Step):
            self._show_step(event)
        elif isinstance(event, SubsetScore):
            training = event.training
            line = f"training {training.number}/{training.count}  {subset_score_text(event)}"
            self._display.step(line)

    def _show_step(self, step: Step) -> None:
        """Show how far the trainings are; their end is the last possible epoch of the last one."""
        training = self._training
        assert training is not None  # noqa: S101 - a training begins before its steps
        epochs = (step.epoch - 1 + step.rows / step.total_rows) / step.epochs
        done = training.done + training.part * (self._fits_before + epochs) / self._fits
        rows = format_count(training.rows, "row")
        self._display.update(
            Status(
                f"training {training.number}/{training.count}, {rows}, epoch {step.epoch}",
                (loss_text(step),),
                done,
                remaining=self._countdown.remaining(done, 1.0),
            )
        )


def _is_logged(number: int, count: int) -> bool:
    """Whether a log lists an epoch or fold; it lists a few, however many there are.

    These are the first and the last, and between them 2, 5, 10, 20, 50, 100 and so on.
    """
    if count <= _FEW or number == count:
        return True
    leading = number // 10 ** (len(str(number)) - 1)
    return leading in {1, 2, 5} and number == int(f"{leading:0<{len(str(number))}}")
