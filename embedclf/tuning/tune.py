"""tune: config -> the best config found, in order."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.config.messages import nearest
from embedclf.config.schema import FILES
from embedclf.data.dataset import check_files
from embedclf.errors import RequestError, TuningError
from embedclf.evaluation.metrics import BRIEF, FULL, LOWER_IS_BETTER
from embedclf.system import interrupts
from embedclf.training import train
from embedclf.tuning import best_trial
from embedclf.tuning.objective import DatasetCache
from embedclf.tuning.search import Search
from embedclf.tuning.space import applied, own_settings, plain, search_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.runs.run import Run
    from embedclf.tuning.space import Settings, Space, Trial
    from embedclf.tuning.study import Study

ROOT = Path("tunings")
"""Where studies are kept, each in a folder named after its config."""

TRIALS = 30
"""Of a study, where neither a number nor a time is given."""


@dataclass(frozen=True)
class ConfigSource:
    """A config, and where it came from."""

    config: Config
    path: Path
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Budget:
    """When a search ends."""

    trials: int | None = None
    """Of the study, those of other processes and of earlier calls included."""
    minutes: float | None = None
    """Of this call."""

    @property
    def most(self) -> int | None:
        """Trials of the study; None for no bound but time."""
        return TRIALS if self.trials is None and self.minutes is None else self.trials


@dataclass(frozen=True)
class StudyOpened:
    """A study that is opened."""

    folder: Path
    trials: int
    """That are finished already."""


@dataclass(frozen=True)
class StudyInterrupted:
    """What a search leaves that was ended by a signal."""

    folder: Path
    trials: int
    """That are finished."""

    def __str__(self) -> str:
        kept = "1 trial is" if self.trials == 1 else f"{self.trials:,} trials are"
        return f"{kept} kept in {self.folder}; the same command goes on from there"


@dataclass(frozen=True)
class TuningResult:
    """What a study came to."""

    folder: Path
    source: ConfigSource
    metric: str
    lower_is_better: bool
    space: Space
    trials: tuple[Trial, ...]
    best: Trial
    importance: dict[str, float] | None
    """Shares that add up to 1, the first most; None where there is too little to tell from."""
    run: Run | None = None
    """Of the best config; None while other processes are at work."""
    tested: int = 0
    """Runs of this study that have been scored on the test table."""

    @property
    def own(self) -> Settings:
        """The config's own settings of what was tried."""
        return own_settings(self.source.config, self.space)

    @property
    def config(self) -> Path:
        """The file of the best config."""
        return self.folder / "best.yaml"

    @property
    def page(self) -> Path:
        """The file of the page."""
        return self.folder / "report.html"

    @property
    def reproduced(self) -> bool:
        """Whether the run scores exactly as the trial did, where there is a run."""
        if self.run is None:
            return True
        scores: dict[str, Any] = self.run.metrics()["validation"]["scores"]
        return scores.items() <= (self.best.scores or {}).items()

    @property
    def own_trial(self) -> Trial | None:
        """The trial of the config as it was, if it was finished."""
        same = (one for one in self.trials if one.settings == self.own and one.score is not None)
        return next(same, None)


def tune(
    source: ConfigSource,
    *,
    output: Path | None = None,
    limits: Budget,
    metric: str | None = None,
    on_event: Callable[[Any], None] = lambda _told: None,
    publish: Callable[[TuningResult], None] = lambda _found: None,
) -> TuningResult:
    """Search the settings of a config that score best on the validation rows.

    Each trial trains as `train` would, from the same rows and seed, so that the best config gives
    its score again. All of it is kept in a folder: a search that was ended or killed goes on, and
    several processes may work on one. The last of them trains the best config as a run; nothing
    else looks at the test table.

    Args:
        source: The config; its own settings are the first trial.
        output: The study's folder; `tunings/<config name>` when None.
        limits: When to end.
        metric: What to judge by; that of the study or else the task's first score when None.
        on_event: Called with what there is to say on the way.
        publish: Called with what was found, whenever it is to be written down.

    Raises:
        TuningError: Optuna is not installed, the folder cannot be used or is another study's, or
            no trial came to anything.
        DataError: A table cannot be used.
        ConfigError: A file or a label is not there.
        RequestError: There is no such metric.
        KeyboardInterrupt: Ctrl-C; all finished trials are kept.
    """
    ends = _time_of(limits)
    _require_optuna()
    check_files(source.config)
    folder = output or ROOT / source.path.stem
    with ExitStack() as stack:
        encodings = DatasetCache(stack)
        dataset = _prepared(source.config, encodings, on_event)
        study = stack.enter_context(_opened(folder, source.config, dataset, metric))
        on_event(StudyOpened(folder, study.finished))
        try:
            Search(source.config, encodings, study).run(limits.most, ends, on_event)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_kept(study, source, folder, publish)) from None
        except SystemExit:
            on_event(_kept(study, source, folder, publish))
            raise
        return _finished(study, source, folder, on_event, publish)


def _prepared(config: Config, encodings: DatasetCache, on_event: Callable[[Any], None]) -> Dataset:
    """Read the rows while TensorFlow and Optuna are imported, and choose the device."""
    with train.meanwhile() as aside:
        aside.submit(import_module, "embedclf.training.fitting")
        aside.submit(import_module, "embedclf.tuning.study")
        dataset = encodings.dataset(config)
    on_event(dataset)

    from embedclf.model import backend

    on_event(backend.start(config.training.device, config.seed))
    return dataset


def _opened(
    folder: Path, config: Config, dataset: Dataset, metric: str | None
) -> AbstractContextManager[Study]:
    """The study in a folder, or one that begins."""
    from embedclf.tuning import study

    metric = _metric(metric or study.metric_of(folder), dataset.labels.task)
    space = search_space(config)
    of = _of(config, dataset, space, metric)
    lower = metric in LOWER_IS_BETTER
    return study.opened(folder, of, space=space, lower=lower, seed=config.seed)


def _finished(
    study: Study,
    source: ConfigSource,
    folder: Path,
    on_event: Callable[[Any], None],
    publish: Callable[[TuningResult], None],
) -> TuningResult:
    """What was found; the last process at work trains the best config."""
    found = _found(study, source, folder)
    publish(found)
    if not study.resign():
        return found
    with study.finishing():
        best = study.best() or found.best  # another process may have come to a better one since
        config = applied(source.config, best.settings)
        run = best_trial.best_run(study, best, config, name=source.path.stem, on_event=on_event)
        found = _found(study, source, folder, run)
        publish(found)
    return found


def _found(
    study: Study, source: ConfigSource, folder: Path, run: Run | None = None
) -> TuningResult:
    """What a study has come to; raises TuningError where no trial is complete."""
    trials, best = tuple(study.trials()), study.best()
    if best is None:
        failed = next((trial.reason for trial in trials if trial.reason), "")
        why = f": {failed}" if failed else "; give it more time with --minutes"
        raise TuningError(f"{folder}: no trial has come to its end{why}")
    return TuningResult(
        folder,
        source,
        study.metric,
        study.lower_is_better,
        study.space,
        trials,
        best,
        study.importance(),
        run,
        best_trial.test_scorings(study, source.config),
    )


def _time_of(limits: Budget) -> float:
    """When the time is up, by the clock that only goes on."""
    return float("inf") if limits.minutes is None else time.monotonic() + 60 * limits.minutes


def _require_optuna() -> None:
    if find_spec("optuna") is None or find_spec("sqlalchemy") is None:
        raise TuningError("tune: Optuna is not installed; pip install 'embedclf[tune]'")


def _metric(asked: str | None, task: str) -> str:
    """What to judge by: the score that `train` shows first, unless another is named."""
    if asked is None:
        return BRIEF[task][0]
    if asked in FULL[task]:
        return asked
    close = nearest(asked, FULL[task])
    hint = f"did you mean {close}?" if close else f"there are {', '.join(FULL[task])}"
    raise RequestError(f"--metric {asked}: is no score of a {task} task; {hint}")


def _of(config: Config, dataset: Dataset, space: Space, metric: str) -> dict[str, Any]:
    """What tells one study from another, by the word that a refusal uses.

    Tables count by what is in them, wherever they are; that of the test by nothing at all.
    """
    excluded: dict[str, Any] = {
        "tune": True,
        "data": dict.fromkeys(FILES, True),
        "training": {"device": True},
    }
    fraction = config.data.validation
    share = str(fraction) if isinstance(fraction, float) else "a table"
    return {
        "config": {**config.model_dump(mode="json", exclude=excluded), "validation": share},
        "table": sorted(dataset.hashes().values()),
        "search space": plain(space),
        "metric": metric,
    }


def _kept(
    study: Study, source: ConfigSource, folder: Path, publish: Callable[[TuningResult], None]
) -> StudyInterrupted:
    """Write down what there is."""
    with interrupts.ignored():
        if study.best() is not None:
            publish(_found(study, source, folder))
        return StudyInterrupted(folder, study.finished)
