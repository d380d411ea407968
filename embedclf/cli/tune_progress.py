"""What a search says while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.data.dataset import Dataset
from embedclf.reports import training as training_report
from embedclf.reports import tuning as tuning_report
from embedclf.runs.history import Epoch, Resumed, Step
from embedclf.tuning.search import SearchProgress
from embedclf.tuning.space import Trial
from embedclf.tuning.tune import StudyInterrupted, StudyOpened

if TYPE_CHECKING:
    from embedclf.cli.console import Display
    from embedclf.config.schema import Config


class TuneProgress:
    """Tells what is searched, a line a trial, and how the one under way goes."""

    def __init__(self, config: Config, most: int | None, display: Display) -> None:
        """Begin to talk.

        Args:
            config: What is searched around.
            most: Trials of the study; None for no bound.
            display: Where to tell.
        """
        self._config, self._most, self._display = config, most, display
        self._stood: SearchProgress | None = None
        self._begun = False
        self._rows = 0

    def __call__(self, told: Any) -> None:
        """Tell one thing."""
        if isinstance(told, Step):
            self._step(told)
        elif isinstance(told, SearchProgress):
            self._progress(told)
        elif isinstance(told, StudyOpened):
            self._begun = True
            self._display.say(tuning_report.begun(told, self._most))
        elif isinstance(told, StudyInterrupted):
            self._display.say(str(told))
        elif not (self._begun or isinstance(told, Resumed | Epoch)):
            self._circumstances(told)

    def _circumstances(self, told: Any) -> None:
        """Tell rows and device; the run at the end has the same."""
        dataset = isinstance(told, Dataset)
        self._display.say(
            training_report.dataset(told.facts, self._config)
            if dataset
            else training_report.device(told)
        )

    def _progress(self, told: SearchProgress) -> None:
        self._stood = told
        if not isinstance(told.trial, Trial):
            return
        if not self._rows:
            self._display.step(tuning_report.columns(told.metric))
        self._rows += 1
        self._display.step(tuning_report.trial(told, told.trial))

    def _step(self, told: Step) -> None:
        """Move the bar: over all trials, each as long as it can take."""
        stood, most = self._stood, self._most
        if stood is None or isinstance(stood.trial, Trial):
            line, before, most = "the best config", 0, 1
        else:
            line, before = f"trial {stood.trial.number}", stood.finished
        done = before + (told.epoch - 1 + told.rows / told.of_rows) / told.epochs
        best = f"  best {stood.best.score:.4f}" if stood is not None and stood.best else ""
        line = f"{line}  epoch {told.epoch}{training_report.loss(told)}{best}"
        self._display.move(line, done, most)
