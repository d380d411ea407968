"""Trials as Optuna keeps them."""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from embedclf.errors import TuningError
from embedclf.system.locks import held
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
    """A trial under way; one of its methods but `goes_badly` ends it."""

    def __init__(
        self, folder: Path, study: optuna.Study, trial: optuna.Trial, settings: Settings
    ) -> None:
        self.settings = settings
        self.number = trial.number + 1
        self._folder, self._study, self._trial = folder, study, trial

    def goes_badly(self, epoch: int, loss: float) -> bool:
        """Whether three of four others had come to a lower loss by then.

        Args:
            epoch: From 1.
            loss: The validation loss of the epoch.
        """
        lower = self._study.direction == optuna.study.StudyDirection.MINIMIZE
        with told_plainly(self._folder):
            self._trial.report(loss if lower else -loss, epoch)
            return self._trial.should_prune()

    def complete(self, score: float, **facts: Any) -> Trial:
        """Finish it with its score."""
        return self._end(TrialState.COMPLETE, score, facts)

    def prune(self, **facts: Any) -> Trial:
        """Finish it before its end; with a `reason`, since it cannot be trained."""
        return self._end(TrialState.PRUNED, None, facts)

    def repeat(self, earlier: Trial) -> Trial:
        """Finish it as an earlier trial of the same settings ended."""
        facts = {"loss": earlier.loss, "scores": earlier.scores, "reason": earlier.reason}
        if earlier.score is None:
            return self.prune(**facts)
        return self.complete(earlier.score, **facts)

    def give_up(self) -> None:
        """End it as if it had not been; it will be tried again."""
        with held(self._folder / LOCK), told_plainly(self._folder):
            give_up(self._study, self._trial.number, self._trial.params)

    def _end(self, state: TrialState, score: float | None, facts: dict[str, Any]) -> Trial:
        with told_plainly(self._folder):
            for name, value in facts.items():
                self._trial.set_user_attr(name, value)
            return read(self._study.tell(self._trial, score, state))


def give_up(study: optuna.Study, number: int, params: dict[str, Any]) -> None:
    """End a trial without a result, and let its settings come again before others.

    One that has just been finished stays so: Ctrl-C may come at that very moment.
    """
    ended = study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    if params and ended.state == TrialState.FAIL:
        study.enqueue_trial(params)


def read(trial: FrozenTrial) -> Trial:
    """A trial out of Optuna's."""
    attributes = trial.user_attrs
    reason = attributes.get("reason", "")
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
        score=trial.value if state == "complete" else None,
        reason=reason,
        **known,
    )


def distribution(choices: Choices) -> BaseDistribution:
    """Choices as Optuna draws from them."""
    if isinstance(choices, list):
        return CategoricalDistribution([json.dumps(choice) for choice in choices])
    low, high, step, log = choices.low, choices.high, choices.step, choices.log
    if isinstance(low, int):
        return IntDistribution(low, int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def encoded(space: Space, settings: Settings) -> dict[str, Any]:
    """Settings as Optuna keeps them: what is listed as JSON, so that lists and null can be."""
    return {
        key: json.dumps(value) if isinstance(space[key], list) else value
        for key, value in settings.items()
    }


def decoded(space: Space, params: dict[str, Any]) -> Settings:
    """Settings out of what Optuna keeps."""
    return {
        key: json.loads(params[key]) if isinstance(space[key], list) else params[key]
        for key in space
    }


@contextmanager
def told_plainly(folder: Path) -> Iterator[None]:
    """Keep Optuna's remarks to itself, and tell what the file's database says in a line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        raise TuningError(
            f"{folder / DATABASE}: {' '.join(str(cause).split())}; free the disk, mend the file, "
            "or name another folder with -o"
        ) from error
    except OSError as error:
        place = error.filename or folder
        raise TuningError(
            f"{place}: {error.strerror}; name a folder that can be written to with -o"
        ) from error
