"""What `tune` shows while it searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.cli.console import echo_notes
from embedclf.cli.display import Status
from embedclf.cli.train_progress import Countdown
from embedclf.data.dataset import Dataset
from embedclf.reports.training import dataset_text, device_text, loss_text
from embedclf.reports.tuning import study_text, trial_header, trial_text
from embedclf.runs.history import Epoch, Resumed, Step
from embedclf.tuning.search import SearchProgress, StudyInterrupted, StudyOpened
from embedclf.tuning.space import Trial

if TYPE_CHECKING:
    from embedclf.cli.display import Display
    from embedclf.config.schema import Config


class TuneProgress:
    """Shows the events of a search, with a line for each trial."""

    def __init__(self, config: Config, max_trials: int | None, display: Display) -> None:
        """Wait for the first event.

        Args:
            config: The config whose settings are searched.
            max_trials: Of the study; None for no limit.
            display: Where to show it.
        """
        self._config, self._max_trials, self._display = config, max_trials, display
        self._countdown = Countdown()
        self._progress: SearchProgress | None = None
        self._study_opened = False
        self._header_shown = False

    def __call__(self, event: Any) -> None:
        """Show an event of `tune`."""
        if isinstance(event, Step):
            self._show_step(event)
        elif isinstance(event, SearchProgress):
            self._show_trial(event)
        elif isinstance(event, StudyOpened):
            self._study_opened = True
            self._display.info(study_text(event, self._max_trials))
        elif isinstance(event, StudyInterrupted):
            self._display.info(str(event))
        # Rows and device; the run at the end reports the same ones again.
        elif isinstance(event, Dataset) and not self._study_opened:
            self._display.info(dataset_text(event.facts, self._config))
            echo_notes(split.rows.table for split in event.splits.values())
        elif not (self._study_opened or isinstance(event, Resumed | Epoch)):
            self._display.info(device_text(event))

    def _show_trial(self, progress: SearchProgress) -> None:
        self._progress = progress
        if not isinstance(progress.trial, Trial):  # it has only begun
            return
        if not self._header_shown:
            self._header_shown = True
            self._display.step(trial_header(progress.metric))
        self._display.step(trial_text(progress, progress.trial))

    def _show_step(self, step: Step) -> None:
        progress = self._progress
        # In trials; those that other processes finished count, too.
        done = (step.epoch - 1 + step.rows / step.total_rows) / step.epochs
        if progress is None or isinstance(progress.trial, Trial):
            # Steps outside a trial belong to the run of the best config, after the search.
            self._show_status("training the best config", step, done, 1)
            return
        limit = "" if self._max_trials is None else f"/{self._max_trials}"
        name = f"trial {progress.trial.number}{limit}"
        self._show_status(name, step, done + progress.finished_trials, self._max_trials)

    def _show_status(self, name: str, step: Step, done: float, total: int | None) -> None:
        best = self._progress and self._progress.best
        self._display.update(
            Status(
                f"{name}, epoch {step.epoch}",
                (loss_text(step), f"best {best.score:.4f}" if best else ""),
                None if total is None else done / total,
                remaining="" if total is None else self._countdown.remaining(done, total),
            )
        )
