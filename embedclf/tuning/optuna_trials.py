"""Trials as Optuna stores them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from filelock import FileLock
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from embedclf.errors import TuningError
from embedclf.tuning.space import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from embedclf.tuning.space import Choices, Settings, Space

DATABASE, LOCK = "study.db", ".lock"

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "given up",
}


class RunningTrial:
    """A trial in progress; every method but `should_prune` ends it."""

    def __init__(
        self, directory: Path, study: optuna.Study, trial: optuna.Trial, settings: Settings
    ) -> None:
        self.settings = settings
        self.number = trial.number + 1
        self._directory, self._study, self._trial = directory, study, trial

    def should_prune(self, epoch: int, loss: float) -> bool:
        """Whether three of four other trials had a lower loss by then.

        Args:
            epoch: From 1.
            loss: The validation loss of the epoch.
        """
        # Optuna compares in the direction of the metric; of losses, the lower one is always better.
        lower_is_better = self._study.direction == optuna.study.StudyDirection.MINIMIZE
        with storage_errors(self._directory):
            self._trial.report(loss if lower_is_better else -loss, epoch)
            return self._trial.should_prune()

    def complete(self, score: float, **attributes: Any) -> Trial:
        """End the trial with its score."""
        return self._end(TrialState.COMPLETE, score, attributes)

    def prune(self, **attributes: Any) -> Trial:
        """End the trial early; with a `reason`, because it cannot be trained."""
        return self._end(TrialState.PRUNED, None, attributes)

    def repeat(self, earlier: Trial) -> Trial:
        """End the trial with the result of an earlier one that had the same settings."""
        # Not its seconds and epochs: the repetition has trained nothing.
        attributes = {"loss": earlier.loss, "scores": earlier.scores, "reason": earlier.reason}
        if earlier.score is None:
            return self.prune(**attributes)
        return self.complete(earlier.score, **attributes)

    def abandon(self) -> None:
        """End the trial without a result; its settings will be tried again."""
        with locked(self._directory):
            abandon_trial(self._study, self._trial.number, self._trial.params)

    def _end(self, state: TrialState, score: float | None, attributes: dict[str, Any]) -> Trial:
        with storage_errors(self._directory):
            for name, value in attributes.items():
                self._trial.set_user_attr(name, value)
            return to_trial(self._study.tell(self._trial, score, state))


def abandon_trial(study: optuna.Study, number: int, params: dict[str, Any]) -> None:
    """End a trial without a result, and put its settings first in the queue.

    A finished trial stays finished: Ctrl-C may arrive right after the end of a trial.

    Args:
        study: Where it is stored.
        number: Optuna's number of the trial, from 0.
        params: All of its parameters; empty if a process was killed while it drew them.
    """
    with quiet_optuna():
        ended = study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    if params and ended.state == TrialState.FAIL:
        study.enqueue_trial(params)


def to_trial(trial: FrozenTrial) -> Trial:
    """Convert a trial of Optuna."""
    attributes = trial.user_attrs
    reason = attributes.get("reason", "")
    # A trial that cannot be trained is pruned, with a reason: Optuna's FAIL means given up.
    state = "failed" if reason else _STATES[trial.state]
    known = {
        name: attributes[name]
        for name in ("loss", "seconds", "epochs", "scores")
        if name in attributes
    }
    return Trial(
        trial.number + 1,
        state,
        attributes.get("settings", {}),
        # Optuna takes the last reported loss of a pruned trial for its value.
        score=trial.value if state == "complete" else None,
        reason=reason,
        **known,
    )


def to_distribution(choices: Choices) -> BaseDistribution:
    """Convert choices to the distribution that Optuna samples from."""
    if isinstance(choices, list):
        return CategoricalDistribution([json.dumps(choice) for choice in choices])
    low, high, step, log = choices.low, choices.high, choices.step, choices.log
    if isinstance(low, int):
        return IntDistribution(low, int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def encode_settings(space: Space, settings: Settings) -> dict[str, Any]:
    """Convert settings to Optuna's parameters: it has no lists, so listed choices become JSON."""
    return {
        key: json.dumps(value) if isinstance(space[key], list) else value
        for key, value in settings.items()
    }


def decode_settings(space: Space, params: dict[str, Any]) -> Settings:
    """Convert Optuna's parameters back to settings."""
    return {
        key: json.loads(params[key]) if isinstance(space[key], list) else params[key]
        for key in space
    }


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a study; errors are those of `storage_errors`."""
    # In this order, because creating the lock file can fail, too.
    with storage_errors(directory), FileLock(directory / LOCK):
        yield


@contextmanager
def storage_errors(directory: Path) -> Iterator[None]:
    """Turn errors of a study's database or directory into one line.

    Raises:
        TuningError: The database or the directory cannot be used.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        # SQLAlchemy's own text adds the SQL and a link; `orig` is the error of the driver.
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        raise TuningError(
            f"{directory / DATABASE}: {' '.join(str(cause).split())}; free disk space, repair the "
            "file, or name another folder with -o"
        ) from error
    except OSError as error:
        place = error.filename or directory
        raise TuningError(f"{place}: {error.strerror}; name a writable folder with -o") from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log, and restore its level."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
