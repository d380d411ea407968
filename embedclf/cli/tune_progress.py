"""What `tune` prints while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.data.dataset import Dataset
from embedclf.reports.training import dataset_text, device_text, loss_text
from embedclf.reports.tuning import study_text, trial_header, trial_text
from embedclf.runs.history import Epoch, Resumed, Step
from embedclf.tuning.search import SearchProgress, StudyInterrupted, StudyOpened
from embedclf.tuning.space import Trial

if TYPE_CHECKING:
    from embedclf.cli.console import Display
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
        elif not (self._study_opened or isinstance(event, Resumed | Epoch)):
            # Rows and device; the run at the end reports the same ones again.
            is_dataset = isinstance(event, Dataset)
            self._display.info(
                dataset_text(event.facts, self._config) if is_dataset else device_text(event)
            )

    def _show_trial(self, progress: SearchProgress) -> None:
        self._progress = progress
        if not isinstance(progress.trial, Trial):  # it has only begun
            return
        if not self._header_shown:
            self._header_shown = True
            self._display.step(trial_header(progress.metric))
        self._display.step(trial_text(progress, progress.trial))

    def _show_step(self, step: Step) -> None:
        """Advance the bar, whose end is the last possible epoch of the last trial."""
        progress, total = self._progress, self._max_trials
        if progress is None or isinstance(progress.trial, Trial):
            # Steps outside a trial belong to the run of the best config, after the search.
            label, finished, total = "the best config", 0, 1
        else:
            label, finished = f"trial {progress.trial.number}", progress.finished_trials
        # In trials; those that other processes finished count, too.
        done = finished + (step.epoch - 1 + step.rows / step.total_rows) / step.epochs
        best = f"  best {progress.best.score:.4f}" if progress and progress.best else ""
        self._display.update(f"{label}  epoch {step.epoch}{loss_text(step)}{best}", done, total)
