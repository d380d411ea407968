"""The study that processes share.

Optuna's storage keeps the trials and its sampler draws them; who works on which, and whether he is
still alive, is settled here.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from embedclf.errors import TuningError
from embedclf.system.locks import held, is_held, remove
from embedclf.tuning.optuna_trials import (
    DATABASE,
    LOCK,
    RunningTrial,
    decoded,
    distribution,
    encoded,
    give_up,
    read,
    told_plainly,
)
from embedclf.tuning.space import combinations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.tuning.space import Settings, Space, Trial

_LAST = ".finish"

_ALIVE = ".process-"
"""How the name begins of the lock that each process holds while it works."""

_NAME = "tune"

_WAIT = 60.0
"""Seconds that a write waits for another's."""

_STARTUP_TRIALS, _FIRST_PRUNED = 5, 2
"""Trials that are trained to their end before others are measured by them, and the first epoch that
may end one."""

_KEPT = 75.0
"""Per cent of the complete trials: one with a higher loss than theirs is ended. In thirty trials on
each of three tables this found what trials without pruning found, in 29 to 62 % of the time; the
median did so on one of them, since it ends small steps that come to more in the end."""

_IMPORTANCE_TRIALS = 10
"""Finished ones below which the importance of settings would be noise."""

optuna.logging.set_verbosity(optuna.logging.CRITICAL)


class Study:
    """A study that is open; this process is counted among those at work until it is closed."""

    def __init__(self, folder: Path, study: optuna.Study, *, space: Space, seed: int) -> None:
        self._folder, self._study = folder, study
        self.space, self._seed = space, seed
        self._distributions = {key: distribution(choices) for key, choices in space.items()}
        self._process = os.urandom(4).hex()
        self._stack = ExitStack()
        self._stack.enter_context(held(self._place(self._process)))

    @property
    def metric(self) -> str:
        """What trials are judged by."""
        return str(self._study.user_attrs["of"]["metric"])

    @property
    def lower_is_better(self) -> bool:
        """Whether the lowest score is the best."""
        return self._study.direction == optuna.study.StudyDirection.MINIMIZE

    def trials(self) -> list[Trial]:
        """All trials that have begun, in order."""
        with told_plainly(self._folder):
            found = self._study.get_trials(deepcopy=False)
        return [read(trial) for trial in found if trial.state != TrialState.WAITING]

    @property
    def finished(self) -> int:
        """How many trials are finished, one way or another."""
        return sum(trial.counts for trial in self.trials())

    def best(self) -> Trial | None:
        """The complete trial of best score; of equal ones that of lowest loss, then the first."""
        sign = 1.0 if self.lower_is_better else -1.0
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return min(
            complete,
            key=lambda one: (sign * (one.score or 0.0), one.loss, one.number),
            default=None,
        )

    def begin(self, own: Settings, settle: Callable[[Settings], Settings], most: int | None) -> Any:
        """Begin a trial, drawn by what is known so far.

        Trials of processes that have died are given up first, and tried again before others.

        Args:
            own: Settings of the first trial.
            settle: Makes of what was drawn what is tried.
            most: Trials of the study, those under way included; None for no bound.

        Returns:
            The trial under way, or None where there are enough, or no other can be made.
        """
        with held(self._folder / LOCK), told_plainly(self._folder):
            self._give_up_dead()
            begun = [trial for trial in self.trials() if trial.state != "given up"]
            if most is not None and len(begun) >= most:
                return None
            if len({json.dumps(one.settings) for one in begun}) == combinations(self.space):
                return None
            drawn = self._study.get_trials(deepcopy=False)
            if not drawn:
                self._study.enqueue_trial(encoded(self.space, own))
            # A sampler for each trial, seeded by its number: one that goes on after a kill draws
            # what an unbroken one would have drawn, and no two processes draw the same.
            chance = np.random.SeedSequence([self._seed, len(drawn)])
            self._study.sampler = optuna.samplers.TPESampler(seed=int(chance.generate_state(1)[0]))
            trial = self._study.ask(self._distributions)
            settings = settle(decoded(self.space, trial.params))
            trial.set_user_attr("settings", settings)
            trial.set_user_attr("process", self._process)
            return RunningTrial(self._folder, self._study, trial, settings)

    def importance(self) -> dict[str, float] | None:
        """What share of the scores' variance each setting explains, by fANOVA; the first most.

        Functional analysis of variance over a random forest (Hutter, Hoos and Leyton-Brown, An
        Efficient Approach for Assessing Hyperparameter Importance, 2014); pruned trials have no
        score and no part in it.

        Returns:
            Shares that add up to 1, or None where too few trials are complete, or all scored alike.
        """
        scores = [trial.score for trial in self.trials() if trial.state == "complete"]
        if len(scores) < _IMPORTANCE_TRIALS or len(set(scores)) == 1:
            return None
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        with told_plainly(self._folder):
            return optuna.importance.get_param_importances(self._study, evaluator=evaluator)

    def note(self, name: str, value: Any) -> None:
        """Keep a plain value in the study."""
        with told_plainly(self._folder):
            self._study.set_user_attr(name, value)

    def noted(self, name: str) -> Any:
        """What was kept under a name, or None."""
        with told_plainly(self._folder):
            return self._study.user_attrs.get(name)

    def resign(self) -> bool:
        """Be no longer among those at work; tells whether nobody is left."""
        with held(self._folder / LOCK):
            self.close()
            return not any(is_held(file) for file in self._folder.glob(f"{_ALIVE}*{LOCK}"))

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Be the only one that finishes the study."""
        with held(self._folder / _LAST):
            yield

    def close(self) -> None:
        """Be no longer among those at work."""
        self._stack.close()
        remove(self._place(self._process))

    def _place(self, process: str) -> Path:
        return self._folder / f"{_ALIVE}{process}{LOCK}"

    def _give_up_dead(self) -> None:
        for place in self._folder.glob(f"{_ALIVE}*{LOCK}"):
            if not is_held(place):
                remove(place)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self._place(trial.user_attrs.get("process", "")).exists():
                give_up(self._study, trial.number, trial.params)


@contextmanager
def opened(
    folder: Path, of: dict[str, Any], *, space: Space, lower: bool, seed: int
) -> Iterator[Study]:
    """Open the study in a folder, or begin one.

    Args:
        folder: It is made.
        of: What is searched: plain values, of which none may differ from those of the study.
        space: What is tried.
        lower: Whether the lowest score is the best.
        seed: Of all that is drawn.

    Raises:
        TuningError: The folder cannot be used, or holds the study of something else.
    """
    with told_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / LOCK):
            found = _loaded(folder, lower)
            kept = found.user_attrs.get("of")
            if kept is None:
                found.set_user_attr("of", of)
            differs = [name for name in of if kept is not None and kept.get(name) != of[name]]
            if differs:
                raise TuningError(
                    f"{folder}: holds a study of another {' and '.join(differs)}; name another "
                    "folder with -o, or remove this one"
                )
            study = Study(folder, found, space=space, seed=seed)
    try:
        yield study
    finally:
        study.close()


def metric_of(folder: Path) -> str | None:
    """What the study in a folder judges by, if there is one."""
    if not (folder / DATABASE).is_file():
        return None
    with told_plainly(folder), held(folder / LOCK):
        of = _loaded(folder, lower=False).user_attrs.get("of", {})
    metric: str | None = of.get("metric")
    return metric


def _loaded(folder: Path, lower: bool) -> optuna.Study:
    file = folder / DATABASE
    storage = optuna.storages.RDBStorage(
        "sqlite://",  # with the path itself, whatever signs are in it
        engine_kwargs={
            "creator": lambda: sqlite3.connect(file, timeout=_WAIT),
            "poolclass": NullPool,
        },
    )
    return optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction="minimize" if lower else "maximize",
        load_if_exists=True,
        # A trial is compared with all others at the same epoch: successive halving would want to
        # know how many epochs there will be, which early stopping leaves open.
        pruner=optuna.pruners.PercentilePruner(_KEPT, _STARTUP_TRIALS, _FIRST_PRUNED),
    )
