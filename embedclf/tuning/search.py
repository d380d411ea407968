"""Trials one after the other until the budget is spent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import ConfigError, DataError, RequestError, TrainingError
from embedclf.evaluation.metrics import DEFAULT_METRICS
from embedclf.runs.history import Epoch
from embedclf.system import interrupts
from embedclf.system.terminal import format_count
from embedclf.tuning.objective import score_trial
from embedclf.tuning.space import apply_settings, baseline_settings, round_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.history import Resumed, Step
    from embedclf.tuning.objective import DatasetCache
    from embedclf.tuning.optuna_trials import RunningTrial
    from embedclf.tuning.space import Settings, Trial
    from embedclf.tuning.study import Study

_CALIBRATION = "training.calibration"
"""If this is searched, nothing is pruned. With temperature scaling, the loss of an epoch is the one
at the best temperature, which is lower, so trials would not be comparable."""


@dataclass(frozen=True)
class StudyOpened:
    """Event: a study was opened."""

    directory: Path
    finished_trials: int


@dataclass(frozen=True)
class SearchProgress:
    """Event: a trial has started or ended."""

    metric: str
    max_trials: int | None
    finished_trials: int
    """In all processes."""
    best: Trial | None
    trial: Trial | RunningTrial
    baseline: Settings


@dataclass(frozen=True)
class StudyInterrupted:
    """Event: a signal ended the search."""

    directory: Path
    finished_trials: int

    def __str__(self) -> str:
        trials = format_count(self.finished_trials, "trial")
        return f"{trials} saved in {self.directory}; run the same command to resume"


class Search:
    """A search that this process works on."""

    def __init__(self, config: Config, datasets: DatasetCache, study: Study) -> None:
        """Prepare a search without starting a trial.

        Args:
            config: The baseline: its own settings are the first trial.
            datasets: Its rows.
            study: Where trials are stored.
        """
        self._config, self._datasets, self._study = config, datasets, study
        self._baseline = baseline_settings(config, study.space)

    def run(self, max_trials: int | None, deadline: float, on_event: Callable[[Any], None]) -> None:
        """Run trials until there are enough or the time is up.

        Args:
            max_trials: Trials of the study; None for no limit.
            deadline: When the time is up, in seconds of `time.monotonic`.
            on_event: Called with `SearchProgress` and the events of each training.

        Raises:
            RequestError: The metric is undefined on the validation rows.
        """
        while time.monotonic() < deadline:
            running = self._study.start_trial(self._baseline, self._round, max_trials)
            if running is None:
                return
            on_event(self._progress(running, max_trials))
            try:
                ended = self._run_trial(running, deadline, on_event)
            # Ctrl-C and SystemExit, too: the settings go back to the queue before the process ends.
            except BaseException as error:
                with interrupts.ignored():
                    running.abandon()
                if isinstance(error, _TimeUp):
                    return
                raise
            on_event(self._progress(ended, max_trials))

    def _round(self, settings: Settings) -> Settings:
        return round_settings(self._config, settings)

    def _run_trial(
        self, running: RunningTrial, deadline: float, on_event: Callable[[Any], None]
    ) -> Trial:
        """Train a trial, unless its result is known, and store how it ended."""
        earlier = self._find_repeated(running)
        if earlier is not None:
            return running.repeat(earlier)
        is_baseline = running.settings == self._baseline
        # The baseline trains in full, because other trials are compared with its score.
        prunes = not is_baseline and _CALIBRATION not in self._study.space
        monitor = _TrialMonitor(running, deadline, on_event, prunes=prunes)
        try:
            dataset = self._datasets.dataset(apply_settings(self._config, running.settings))
            # Without repeats: the study's metric may be one of the defaults.
            metrics = dict.fromkeys([self._study.metric, *DEFAULT_METRICS[dataset.labels.task]])
            scores, history = score_trial(dataset, list(metrics), monitor)
        except _Pruned:
            return running.prune(**monitor.attributes())
        except (ConfigError, DataError, TrainingError, MemoryError) as error:
            if is_baseline and isinstance(error, ConfigError | DataError):
                raise  # the user's config is at fault, not a sampled setting
            reason = str(error) or "not enough memory"
            return running.prune(reason=reason, **monitor.attributes())
        loss = history.epochs[history.best_epoch - 1].val_loss
        # The loss of the epoch that the scores belong to replaces the monitor's lowest one.
        attributes = monitor.attributes() | {"loss": loss, "scores": scores.metrics}
        return running.complete(self._score(scores), **attributes)

    def _score(self, scores: Scores) -> float:
        metric = self._study.metric
        score = scores.metrics[metric]
        if score is None:
            raise RequestError(
                f"--metric {metric}: undefined on the validation rows; choose another"
            )
        return score

    def _find_repeated(self, running: RunningTrial) -> Trial | None:
        """Find a finished trial of the same settings."""
        # Samplers repeat settings. `is_finished` excludes the trial itself, which is running.
        same = (trial for trial in self._study.trials() if trial.settings == running.settings)
        return next((trial for trial in same if trial.is_finished), None)

    def _progress(self, trial: Trial | RunningTrial, max_trials: int | None) -> SearchProgress:
        study = self._study
        return SearchProgress(
            study.metric, max_trials, study.finished_trials, study.best(), trial, self._baseline
        )


class _TimeUp(Exception):  # noqa: N818 - not an error
    """The time for the search is up."""


class _Pruned(Exception):  # noqa: N818 - not an error
    """The trial is not promising."""


class _TrialMonitor:
    """Forwards the events of a trial, and ends it if it is not promising or the time is up."""

    def __init__(
        self,
        running: RunningTrial,
        deadline: float,
        on_event: Callable[[Any], None],
        *,
        prunes: bool,
    ) -> None:
        self._running, self._deadline = running, deadline
        self._on_event, self._prunes = on_event, prunes
        self._losses: list[float] = []
        self._started = time.perf_counter()

    def __call__(self, event: Resumed | Step | Epoch) -> None:
        self._on_event(event)
        if not isinstance(event, Epoch):
            return
        self._losses.append(event.val_loss)
        if time.monotonic() >= self._deadline:
            raise _TimeUp
        if self._prunes and self._running.should_prune(event.epoch, event.val_loss):
            raise _Pruned

    def attributes(self) -> dict[str, Any]:
        """Return the trial's results so far, to be stored."""
        return {
            "seconds": round(time.perf_counter() - self._started, 3),
            "epochs": len(self._losses),
            "loss": min(self._losses, default=None),
        }
