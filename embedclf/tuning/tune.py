"""tune: config -> the best config found, in order."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.config.data_section import DATA_FILES
from embedclf.config.messages import closest_match
from embedclf.data.config_files import check_files
from embedclf.errors import RequestError, TuningError, describe_missing
from embedclf.evaluation.metrics import ALL_METRICS, DEFAULT_METRICS, LOWER_IS_BETTER
from embedclf.system import interrupts
from embedclf.system.progress import activity
from embedclf.text.vectors.kept import open_kept_vectors
from embedclf.text.vectors.pretrained import open_vector_source
from embedclf.training import train
from embedclf.tuning import best_trial
from embedclf.tuning.objective import DatasetCache
from embedclf.tuning.search import Search, StudyInterrupted, StudyOpened
from embedclf.tuning.space import apply_settings, baseline_settings, make_space, space_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.runs.run import Run
    from embedclf.tuning.space import Settings, Space, Trial
    from embedclf.tuning.study import Study

STUDIES_DIRECTORY = Path("tunings")
"""Where studies are stored, each in a directory named after its config."""

DEFAULT_TRIALS = 30
"""Trials of a study if neither a number nor a time is given."""


@dataclass(frozen=True)
class ConfigSource:
    """A config, and where it came from."""

    config: Config
    location: str
    """The file of the config; or a table: a file, a folder, a pattern or a URI."""
    overrides: tuple[str, ...] = ()
    name: str = ""
    """For the study and its run; that of the file if it is empty."""

    @property
    def title(self) -> str:
        """The name of the study and its run."""
        return self.name or Path(self.location).stem


@dataclass(frozen=True)
class Budget:
    """When a search ends."""

    trials: int | None = None
    """Of the study, including those of other processes and of earlier calls."""
    minutes: float | None = None
    """Of this call."""

    @property
    def max_trials(self) -> int | None:
        """Trials of the study; None if only time is limited."""
        return DEFAULT_TRIALS if self.trials is None and self.minutes is None else self.trials

    def deadline(self) -> float:
        """Return when the time is up if it starts now, in seconds of `time.monotonic`."""
        return float("inf") if self.minutes is None else time.monotonic() + 60 * self.minutes


@dataclass(frozen=True)
class TuningResult:
    """The trials of a study, and the best of them."""

    directory: Path
    source: ConfigSource
    metric: str
    lower_is_better: bool
    space: Space
    trials: tuple[Trial, ...]
    best: Trial
    importance: dict[str, float] | None
    """Fractions by setting, the largest first; they add up to 1. None if trials are too few."""
    run: Run | None = None
    """Of the best config; None while other processes are working on the study."""
    test_runs: int = 0
    """Runs of this study that have been scored on the test table."""

    @property
    def baseline(self) -> Settings:
        """The config's own value of each setting."""
        return baseline_settings(self.source.config, self.space)

    @property
    def config_file(self) -> Path:
        """The file of the best config."""
        return self.directory / "best.yaml"

    @property
    def report_file(self) -> Path:
        """The file of the HTML report."""
        return self.directory / "report.html"

    @property
    def reproduced(self) -> bool:
        """Whether the run, if there is one, has exactly the scores of the trial."""
        if self.run is None:
            return True
        scores: dict[str, Any] = self.run.metrics()["validation"]["scores"]
        # A subset: the trial also has the study's metric, which a run may lack.
        return scores.items() <= (self.best.scores or {}).items()

    @property
    def baseline_trial(self) -> Trial | None:
        """The trial of the config's own settings, if it has a score."""
        baseline = self.baseline
        same = (trial for trial in self.trials if trial.settings == baseline)
        return next((trial for trial in same if trial.score is not None), None)

    @property
    def gain(self) -> float | None:
        """By how much the best trial is better than the config; None if the config has no score."""
        own, best = self.baseline_trial, self.best.score
        if own is None or own.score is None or best is None:
            return None
        return own.score - best if self.lower_is_better else best - own.score


def tune(
    source: ConfigSource,
    *,
    output: Path | None = None,
    budget: Budget,
    metric: str | None = None,
    on_event: Callable[[Any], None] = lambda _event: None,
    on_result: Callable[[TuningResult], None] = lambda _result: None,
) -> TuningResult:
    """Search for the settings of a config that score best on the validation rows.

    Each trial trains as `train` would, on the same rows and with the same seed, so the best config
    reproduces its score. The study is stored in a directory: a search that ended or was killed
    resumes, and several processes can work on one study. The last of them trains the best config
    as a run, which alone is scored on the test table.

    Args:
        source: The config; its own settings are the first trial.
        output: The study's directory; `tunings/<config name>` if None.
        budget: When to end.
        metric: What to optimize; if None, the study's metric, or the first one that `train` shows.
        on_event: Called with the events of the search and of each training.
        on_result: Called with each result that is to be written.

    Raises:
        TuningError: Optuna is not installed, the directory cannot be used or has another study,
            or no trial is complete.
        DataError: A table cannot be used.
        ConfigError: A file or a label does not exist.
        RequestError: There is no such metric.
        KeyboardInterrupt: Ctrl-C; all finished trials are kept.
    """
    deadline = budget.deadline()  # first, because reading the tables takes time, too
    _require_optuna()
    check_files(source.config)
    open_vector_source(source.config.model)  # raises if they do not fit
    open_kept_vectors(source.config.model)
    directory = output or STUDIES_DIRECTORY / source.title
    with ExitStack() as stack:
        datasets = DatasetCache(stack)
        dataset = _load_dataset(source.config, datasets, on_event)
        study = stack.enter_context(_open_study(directory, source.config, dataset, metric))
        on_event(StudyOpened(directory, study.finished_trials))
        try:
            Search(source.config, datasets, study).run(budget.max_trials, deadline, on_event)
        except KeyboardInterrupt:
            interrupted = _write_interrupted(study, source, directory, on_result)
            raise KeyboardInterrupt(interrupted) from None
        except SystemExit:
            # As an event, because the exception itself carries the exit status.
            on_event(_write_interrupted(study, source, directory, on_result))
            raise
        return _finish(study, source, directory, on_event, on_result)


def _require_optuna() -> None:
    for module in ("optuna", "sqlalchemy"):
        if find_spec(module) is None:
            raise TuningError(describe_missing("tune", module, "tune"))


def _load_dataset(
    config: Config, datasets: DatasetCache, on_event: Callable[[Any], None]
) -> Dataset:
    """Read the rows while TensorFlow and Optuna are imported, and choose the device."""
    with train.helper_thread() as helper:
        helper.submit(import_module, "embedclf.training.loop")
        helper.submit(import_module, "embedclf.tuning.study")
        dataset = datasets.dataset(config)
    on_event(dataset)
    with activity("importing TensorFlow"):
        from embedclf.model import backend

        on_event(backend.start(config.training.device))
    return dataset


def _open_study(
    directory: Path, config: Config, dataset: Dataset, metric: str | None
) -> AbstractContextManager[Study]:
    """Open the study in a directory, or create one."""
    with activity("importing Optuna"):
        from embedclf.tuning import study

    metric = _choose_metric(metric or study.stored_metric(directory), dataset.labels.task)
    space = make_space(config)
    return study.open_study(
        directory,
        _identity(config, dataset, space, metric),
        space=space,
        lower_is_better=metric in LOWER_IS_BETTER,
        seed=config.seed,
    )


def _choose_metric(requested: str | None, task: str) -> str:
    """Check the requested metric; without one, choose the first that `train` shows."""
    if requested is None:
        return DEFAULT_METRICS[task][0]
    if requested in ALL_METRICS[task]:
        return requested
    close = closest_match(requested, ALL_METRICS[task])
    hint = f"did you mean {close}?" if close else f"choose one of {', '.join(ALL_METRICS[task])}"
    raise RequestError(f"--metric {requested}: not a metric of {task} tasks; {hint}")


def _identity(config: Config, dataset: Dataset, space: Space, metric: str) -> dict[str, Any]:
    """Return what distinguishes one study from another; the keys appear in error messages.

    Tables count by their content, not by their path. The test table does not count, because no
    trial reads it.
    """
    # The search space and the tables are compared below; the device may change.
    excluded: dict[str, Any] = {
        "tune": True,
        "data": dict.fromkeys(DATA_FILES, True),
        "training": {"device": True},
    }
    fraction = config.data.validation
    validation = str(fraction) if isinstance(fraction, float) else "a table"
    return {
        "config": {**config.model_dump(mode="json", exclude=excluded), "validation": validation},
        "table": sorted(dataset.hashes().values()),
        "search space": space_to_json(space),
        "metric": metric,
    }


def _finish(
    study: Study,
    source: ConfigSource,
    directory: Path,
    on_event: Callable[[Any], None],
    on_result: Callable[[TuningResult], None],
) -> TuningResult:
    """Return the result; the last process at work trains the best config first."""
    result = _result(study, source, directory)
    on_result(result)  # before the training, which may be interrupted
    if not study.leave():
        return result
    with study.finishing():
        best = study.best() or result.best  # another process may have found a better one by now
        config = apply_settings(source.config, best.settings)
        run = best_trial.find_or_train_best(
            study, best, config, name=source.title, on_event=on_event
        )
        result = _result(study, source, directory, run)
        on_result(result)
    return result


def _write_interrupted(
    study: Study, source: ConfigSource, directory: Path, on_result: Callable[[TuningResult], None]
) -> StudyInterrupted:
    """Write the result so far."""
    with interrupts.ignored():
        if study.best() is not None:
            on_result(_result(study, source, directory))
        return StudyInterrupted(directory, study.finished_trials)


def _result(
    study: Study, source: ConfigSource, directory: Path, run: Run | None = None
) -> TuningResult:
    """Collect the result of a study; raises TuningError if no trial is complete."""
    trials, best = tuple(study.trials()), study.best()
    if best is None:
        failed = next((trial.reason for trial in trials if trial.reason), "")
        why = f": {failed}" if failed else "; allow more time with --minutes"
        raise TuningError(f"{directory}: no trial is complete{why}")
    return TuningResult(
        directory,
        source,
        study.metric,
        study.lower_is_better,
        study.space,
        trials,
        best,
        study.importance(),
        run,
        best_trial.count_test_runs(study, source.config),
    )
