"""Trials one after the other until the budget is spent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import ConfigError, DataError, RequestError, TrainingError
from embedclf.evaluation.metrics import BRIEF
from embedclf.runs.history import Epoch
from embedclf.system import interrupts
from embedclf.tuning.objective import score_trial
from embedclf.tuning.space import applied, own_settings, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.history import Resumed, Step
    from embedclf.tuning.objective import DatasetCache
    from embedclf.tuning.optuna_trials import RunningTrial
    from embedclf.tuning.space import Settings, Trial
    from embedclf.tuning.study import Study

_CALIBRATION = "training.calibration"
"""Where this is tried, nothing is pruned: a loss at the best temperature, which tells how good an
epoch is for some trials, is lower than the loss as it is, which tells that for others."""


@dataclass(frozen=True)
class SearchProgress:
    """A study, as it stands when a trial begins or has ended."""

    metric: str
    most: int | None
    finished: int
    """Trials, in all processes."""
    best: Trial | None
    trial: Trial | RunningTrial
    own: Settings


class Search:
    """A search under way in this process."""

    def __init__(self, config: Config, encodings: DatasetCache, study: Study) -> None:
        """Begin with nothing tried.

        Args:
            config: What is searched around; its own settings are the first trial.
            encodings: Its tables.
            study: Where trials are kept.
        """
        self._config, self._encodings, self._study = config, encodings, study
        self._own = own_settings(config, study.space)

    def run(self, most: int | None, ends: float, on_event: Callable[[Any], None]) -> None:
        """Make trials until there are enough or the time is up.

        Args:
            most: Trials of the study; None for no bound.
            ends: When the time is up, in seconds of `time.monotonic`.
            on_event: Called with what there is to say on the way.

        Raises:
            RequestError: The metric is not defined on the validation rows.
        """
        while time.monotonic() < ends:
            running = self._study.begin(self._own, lambda drawn: rounded(self._config, drawn), most)
            if running is None:
                return
            on_event(self._progress(running, most))
            try:
                ended = self._tried(running, ends, on_event)
            except BaseException as end:
                with interrupts.ignored():
                    running.give_up()
                if isinstance(end, _TimeUp):
                    return
                raise
            on_event(self._progress(ended, most))

    def _tried(self, running: RunningTrial, ends: float, on_event: Callable[[Any], None]) -> Trial:
        """Finish a trial, one way or another."""
        earlier = self._same(running)
        if earlier is not None:
            return running.repeat(earlier)
        own = running.settings == self._own
        prunes = not own and _CALIBRATION not in self._study.space
        watch, began = _Watch(running, ends, on_event, prunes=prunes), time.perf_counter()
        try:
            dataset = self._encodings.dataset(applied(self._config, running.settings))
            names = dict.fromkeys([self._study.metric, *BRIEF[dataset.labels.task]])
            judged, history = score_trial(dataset, list(names), watch)
        except _Pruned:
            return running.prune(**watch.facts(began))
        except (ConfigError, DataError, TrainingError, MemoryError) as error:
            if own and isinstance(error, ConfigError | DataError):
                raise
            return running.prune(reason=str(error) or "not enough memory", **watch.facts(began))
        best = history.epochs[history.best_epoch - 1].val_loss
        facts = watch.facts(began) | {"loss": best, "scores": judged.scores}
        return running.complete(self._score(judged), **facts)

    def _score(self, judged: Scores) -> float:
        metric = self._study.metric
        score = judged.scores[metric]
        if score is None:
            raise RequestError(
                f"--metric {metric}: the validation rows do not define it; name another"
            )
        return score

    def _same(self, running: RunningTrial) -> Trial | None:
        """A finished trial of the same settings."""
        trials = self._study.trials()
        return next(
            (one for one in trials if one.counts and one.settings == running.settings), None
        )

    def _progress(self, trial: Trial | RunningTrial, most: int | None) -> SearchProgress:
        study = self._study
        return SearchProgress(study.metric, most, study.finished, study.best(), trial, self._own)


class _TimeUp(Exception):  # noqa: N818 - it is no error
    """The time for the search is up."""


class _Pruned(Exception):  # noqa: N818 - it is no error
    """A trial goes badly."""


class _Watch:
    """Passes on how a trial goes, and ends it when it goes badly or the time is up."""

    def __init__(
        self, running: RunningTrial, ends: float, on_event: Callable[[Any], None], *, prunes: bool
    ) -> None:
        self._running, self._ends, self._tell, self._prunes = running, ends, on_event, prunes
        self._losses: list[float] = []

    def __call__(self, told: Resumed | Step | Epoch) -> None:
        self._tell(told)
        if not isinstance(told, Epoch):
            return
        self._losses.append(told.val_loss)
        if time.monotonic() >= self._ends:
            raise _TimeUp
        if self._prunes and self._running.goes_badly(told.epoch, told.val_loss):
            raise _Pruned

    def facts(self, began: float) -> dict[str, Any]:
        """How far the trial came."""
        return {
            "seconds": round(time.perf_counter() - began, 3),
            "epochs": len(self._losses),
            "loss": min(self._losses, default=None),
        }
