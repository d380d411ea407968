"""The study that processes share.

Optuna's storage keeps the trials, and its sampler draws their settings. This module decides which
process works on which trial, and which processes are alive: each holds a lock file, which the
operating system releases when the process ends, even when it is killed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from embedclf.errors import TuningError
from embedclf.system.progress import activity
from embedclf.system.publishing.drafts import draft_directory
from embedclf.tuning.optuna_trials import (
    DATABASE,
    LOCK,
    RunningTrial,
    abandon_trial,
    decode_settings,
    encode_settings,
    locked,
    quiet_optuna,
    storage_errors,
    to_distribution,
    to_trial,
)
from embedclf.tuning.space import count_combinations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.tuning.space import Settings, Space, Trial

_STUDY_NAME = "tune"

_IDENTITY = "of"
"""Attribute of a study: what it searches, as plain values."""

_FINISH_LOCK = ".finish"

_PROCESS_PREFIX = ".process-"
"""How the names of the lock files begin that live processes hold."""

_DATABASE_TIMEOUT = 60.0
"""Seconds that a write waits for the write of another process."""

_STARTUP_TRIALS, _FIRST_PRUNED_EPOCH = 5, 2
"""Trials that are trained in full before others are compared with them, and the first epoch after
which a trial may be pruned."""

_PRUNING_PERCENTILE = 75.0
"""A trial is pruned if its loss is above this percentile of the complete trials. Thirty trials on
each of three tables found what trials without pruning found, in 29 to 62% of the time. The median
did so on only one of the tables: it prunes slow learners that end better."""

_MIN_IMPORTANCE_TRIALS = 10
"""Complete trials below which the importance of settings would be noise."""


class Study:
    """An open study; until it is closed, this process counts as working on it."""

    def __init__(self, directory: Path, study: optuna.Study, *, space: Space, seed: int) -> None:
        self._directory, self._study = directory, study
        self.space, self._seed = space, seed
        self._distributions = {key: to_distribution(choices) for key, choices in space.items()}
        self._process = os.urandom(4).hex()  # not the process id, which can be reused
        self._process_lock = FileLock(self._process_file(self._process))
        self._process_lock.acquire()

    @property
    def metric(self) -> str:
        """The metric that trials are compared by."""
        return str(self._study.user_attrs[_IDENTITY]["metric"])

    @property
    def lower_is_better(self) -> bool:
        """Whether the lowest score is the best."""
        return self._study.direction == optuna.study.StudyDirection.MINIMIZE

    def trials(self) -> list[Trial]:
        """Return all trials that have started, in order."""
        with storage_errors(self._directory):
            trials = self._study.get_trials(deepcopy=False)
        # Waiting trials are no trials yet, only settings in the queue.
        return [to_trial(trial) for trial in trials if trial.state != TrialState.WAITING]

    @property
    def finished_trials(self) -> int:
        """Number of trials that are complete, pruned or failed."""
        return sum(trial.is_finished for trial in self.trials())

    def best(self) -> Trial | None:
        """Return the complete trial of best score; ties go to the lower loss, then to the first."""
        sign = 1.0 if self.lower_is_better else -1.0
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return min(
            complete,
            key=lambda trial: (sign * (trial.score or 0.0), trial.loss, trial.number),
            default=None,
        )

    def start_trial(
        self,
        baseline: Settings,
        adjust: Callable[[Settings], Settings],
        max_trials: int | None,
    ) -> RunningTrial | None:
        """Start a trial whose settings are sampled in the light of all results so far.

        Trials of dead processes are abandoned first, and their settings come before others.

        Args:
            baseline: Settings of the first trial.
            adjust: Turns sampled settings into those to try.
            max_trials: Trials of the study, running ones included; None for no limit.

        Returns:
            The trial, or None if there are enough, or if all combinations have been tried.
        """
        with locked(self._directory):
            self._abandon_dead()
            started = [trial for trial in self.trials() if trial.state != "given up"]
            if max_trials is not None and len(started) >= max_trials:
                return None
            tried = {json.dumps(trial.settings) for trial in started}  # lists cannot be hashed
            if len(tried) == count_combinations(self.space):  # never, if the count is None
                return None
            # Waiting trials count: their settings are drawn. Abandoned ones are drawn again.
            stored = self._study.get_trials(deepcopy=False)
            drawn = sum(trial.state != TrialState.FAIL for trial in stored)
            if not drawn:
                self._study.enqueue_trial(encode_settings(self.space, baseline))
            # A new sampler for each trial, seeded by the trials before it: a study that resumes
            # after a kill draws what an unbroken one would have drawn, and no two processes draw
            # the same settings.
            seed = np.random.SeedSequence([self._seed, drawn]).generate_state(1)[0]
            self._study.sampler = optuna.samplers.TPESampler(seed=int(seed))
            trial = self._study.ask(self._distributions)
            settings = adjust(decode_settings(self.space, trial.params))
            # Optuna's own parameters stay as sampled, so the adjusted settings are stored too.
            trial.set_user_attr("settings", settings)
            trial.set_user_attr("process", self._process)
            return RunningTrial(self._directory, self._study, trial, settings)

    def importance(self) -> dict[str, float] | None:
        """Return the fraction of the scores' variance that each setting explains, by fANOVA.

        Functional analysis of variance over a random forest (Hutter, Hoos and Leyton-Brown, An
        Efficient Approach for Assessing Hyperparameter Importance, 2014). Pruned trials have no
        score and are left out.

        Returns:
            Fractions that add up to 1, the largest first; None if too few trials are complete or
            all scores are equal.
        """
        scores = [trial.score for trial in self.trials() if trial.state == "complete"]
        if len(scores) < _MIN_IMPORTANCE_TRIALS or len(set(scores)) == 1:
            return None
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        with activity("computing the importance of settings"), storage_errors(self._directory):
            return optuna.importance.get_param_importances(self._study, evaluator=evaluator)

    def set_attribute(self, name: str, value: Any) -> None:
        """Store a plain value in the study."""
        with storage_errors(self._directory):
            self._study.set_user_attr(name, value)

    def attribute(self, name: str) -> Any:
        """Return a stored value, or None."""
        with storage_errors(self._directory):
            return self._study.user_attrs.get(name)

    def leave(self) -> bool:
        """Stop counting as working on the study; return whether no other process works on it."""
        # Under the lock, so of processes that leave at once exactly one is the last.
        with locked(self._directory):
            self.close()
            return not self._live_processes()

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Let one process at a time finish the study."""
        # A lock of its own: holding the study's for a whole training would block every trial.
        with FileLock(self._directory / _FINISH_LOCK):
            yield

    def close(self) -> None:
        """Stop counting as working on the study."""
        self._process_lock.release()
        self._process_file(self._process).unlink(missing_ok=True)

    def _process_file(self, process: str) -> Path:
        return self._directory / f"{_PROCESS_PREFIX}{process}{LOCK}"

    def _live_processes(self) -> set[Path]:
        """Return the lock files of live processes; those of dead ones are removed."""
        files = set(self._directory.glob(f"{_PROCESS_PREFIX}*{LOCK}"))
        live = {file for file in files if _is_locked(file)}
        for dead in files - live:
            dead.unlink(missing_ok=True)
        return live

    def _abandon_dead(self) -> None:
        """Abandon the running trials of processes that are dead."""
        live = self._live_processes()
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            # A process killed right after `ask` has not stored its name; no live file matches "".
            if self._process_file(trial.user_attrs.get("process", "")) not in live:
                is_drawn = trial.params.keys() == self._distributions.keys()
                abandon_trial(self._study, trial.number, trial.params if is_drawn else {})


@contextmanager
def open_study(
    directory: Path, identity: dict[str, Any], *, space: Space, lower_is_better: bool, seed: int
) -> Iterator[Study]:
    """Open the study in a directory, or create one.

    Args:
        directory: Created if missing.
        identity: What is searched, as plain values; an existing study must have the same.
        space: The search space.
        lower_is_better: Whether the lowest score is the best.
        seed: Of everything that is sampled.

    Raises:
        TuningError: The directory cannot be used, or holds the study of something else.
    """
    with storage_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        stored = _load(directory, lower_is_better=lower_is_better)
        known = stored.user_attrs.get(_IDENTITY)
        if known is None:
            stored.set_user_attr(_IDENTITY, identity)
        differences = [
            name for name in identity if known is not None and known.get(name) != identity[name]
        ]
        if differences:
            raise TuningError(
                f"{directory}: this study has another {' and '.join(differences)}; name another "
                "folder with -o, or delete this one"
            )
        study = Study(directory, stored, space=space, seed=seed)
    try:
        yield study
    finally:
        study.close()


def stored_metric(directory: Path) -> str | None:
    """Return the metric of the study in a directory, or None if there is no study."""
    if not (directory / DATABASE).is_file():
        return None
    with locked(directory):
        identity = _load(directory, lower_is_better=False).user_attrs.get(_IDENTITY, {})
    metric: str | None = identity.get("metric")
    return metric


def _load(directory: Path, *, lower_is_better: bool) -> optuna.Study:
    """Load the study in a directory, or create one; the direction matters only for a new one."""
    file = directory / DATABASE
    if not file.exists():
        # Elsewhere first: after a kill, Optuna does not create the tables that are missing.
        with draft_directory(directory) as draft:
            _load_file(draft / DATABASE, lower_is_better=lower_is_better)
            (draft / DATABASE).replace(file)
    return _load_file(file, lower_is_better=lower_is_better)


def _load_file(file: Path, *, lower_is_better: bool) -> optuna.Study:
    storage = optuna.storages.RDBStorage(
        "sqlite://",  # a path may contain characters that a URL would have to escape
        engine_kwargs={
            "creator": lambda: sqlite3.connect(file, timeout=_DATABASE_TIMEOUT),
            # SQLAlchemy takes this URL for an in-memory database, and would keep it connected.
            "poolclass": NullPool,
        },
    )
    # Pruning compares a trial with all others at the same epoch. Successive halving would need to
    # know the number of epochs, which early stopping leaves open.
    pruner = optuna.pruners.PercentilePruner(
        _PRUNING_PERCENTILE, _STARTUP_TRIALS, _FIRST_PRUNED_EPOCH
    )
    with quiet_optuna():
        return optuna.create_study(
            storage=storage,
            study_name=_STUDY_NAME,
            direction="minimize" if lower_is_better else "maximize",
            load_if_exists=True,
            pruner=pruner,
        )


def _is_locked(file: Path) -> bool:
    """Whether a process holds a lock file; finding out takes the lock for a moment."""
    try:
        with FileLock(file, blocking=False):
            return False
    except (Timeout, PermissionError):  # or the process of another user holds it
        return True
