"""Evaluation of a run on labeled rows: scores, intervals, baselines, slices, mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from embedclf.evaluation.baselines import fit_tfidf_baseline
from embedclf.evaluation.bootstrap import confidence_intervals, percentile_intervals, resample
from embedclf.evaluation.error_analysis import find_worst_mistakes, score_slices
from embedclf.evaluation.metrics import ALL_METRICS
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.scored_rows import score_rows
from embedclf.evaluation.scores import score_predictions
from embedclf.evaluation.weighted_metrics import (
    WeightedMetrics,
    compute_metrics,
    resampled_metrics,
)
from embedclf.runs.labeled_sources import locate_table, locate_test_rows
from embedclf.system.memory.release import release_memory
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake, Slice
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.labeled_sources import LabeledSource, ReadTables
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles

_MAX_QUICK_CELLS = 15_000_000
"""Training tokens times labels up to which a TF-IDF baseline takes at most 15% of the time of a
command; it was 12% for 12 million (IMDB), 14% for 8 million (77 labels), 18% for 16 million."""


@dataclass(frozen=True)
class EvaluationRequest:
    """Which rows to evaluate a run on, and what to compute beside its scores."""

    table: Tables | None = None
    """Labeled rows; None uses the test rows of the run, or its validation rows if it has none."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `data` by which the table differs from the run's."""
    slice_by: tuple[str, ...] = ()
    """Columns of the table to slice by."""
    baseline: bool = True
    """Whether to fit a TF-IDF baseline."""
    read: ReadTables | None = None
    """The tables of the run, if its training has just read them."""
    max_mistakes: int = 5
    details: bool = True
    """Whether to compute slices, and the intervals of all metrics and labels; else that of the
    first metric alone."""


@dataclass(frozen=True)
class BaselineComparison:
    """A run compared with a baseline on the same rows."""

    name: str
    metrics: MetricValues
    lead: float
    """First metric of the run minus that of the baseline."""
    interval: Interval
    """95% interval of the lead."""
    description: str
    """A short description for people."""

    @property
    def verdict(self) -> str:
        """Which has the significantly higher first metric: `run`, `baseline`, or `unclear`."""
        if self.interval[0] <= 0.0 <= self.interval[1]:
            return "unclear"
        return "run" if self.lead > 0.0 else "baseline"


@dataclass(frozen=True)
class RunEvaluation:
    """The evaluation of a run on labeled rows."""

    scored: ScoredRows
    predictions: Predictions
    scores: Scores
    intervals: dict[str, Interval | None]
    """95% interval of each metric, or of the first one without details."""
    label_intervals: tuple[tuple[Interval | None, ...], ...]
    """(labels, 3) 95% intervals of each label's precision, recall and F1; empty without details."""
    draws: int
    """Number of bootstrap draws."""
    baselines: tuple[BaselineComparison, ...]
    baseline_missing: str
    """Why the TF-IDF baseline is missing, for people; empty if it is not, or was not requested."""
    slices: tuple[Slice, ...]
    mistakes: tuple[Mistake, ...]


@activity("computing scores")
def evaluate_run(run: Run, request: EvaluationRequest) -> RunEvaluation:
    """Evaluate a run on labeled rows.

    Raises:
        DataError: A table cannot be used.
        RunError: The table of the validation rows has changed, so they are unknown.
    """
    config = run.config()
    source = replace(_locate_rows(run, config, request), keeps_tokens=request.baseline)
    scored = score_rows(run, source, request.slice_by)
    predictions = scored.predictions
    names = ALL_METRICS[predictions.labels.task]
    scores = score_predictions(predictions, scored.unknown_labels, names)
    baselines, missing = _fit_baselines(run, config, scored, scores.majority_label, request)
    wanted = names if request.details else names[:1]
    resampled = resampled_metrics(predictions, wanted)
    metrics = WeightedMetrics(predictions, resampled, by_label=request.details)
    first_metrics = [WeightedMetrics(baseline.predictions, names[:1]) for baseline in baselines]
    draws = resample([metrics, *first_metrics], cells=predictions.cells, seed=config.seed)
    # The majority baseline always exists; without it, `-0` would swap the two slices.
    own, others = draws[:, : -len(baselines)], draws[:, -len(baselines) :]
    intervals = confidence_intervals(metrics, own, seed=config.seed)
    by_label = intervals[len(resampled) :]
    return RunEvaluation(
        scored,
        predictions,
        scores,
        # Those of the labels come after
        dict.fromkeys(wanted) | dict(zip(resampled, intervals, strict=False)),
        tuple(zip(by_label[::3], by_label[1::3], by_label[2::3], strict=True)),
        len(draws),
        tuple(
            _compare_baseline(baseline, scores, own[:, 0] - other)
            for baseline, other in zip(baselines, others.T, strict=True)
        ),
        missing,
        tuple(score_slices(scored, predictions, request.slice_by, seed=config.seed))
        if request.details
        else (),
        tuple(find_worst_mistakes(scored, predictions, request.max_mistakes)),
    )


def evaluate_training(run: Run, read: ReadTables | None = None, *, baseline: bool) -> RunEvaluation:
    """Evaluate a run that was just trained, next to baselines that take little time.

    Args:
        run: The run.
        read: Its tables, so that they are not read again.
        baseline: Whether to fit a TF-IDF baseline, unless the training table is large.
    """
    release_memory()  # that of the training
    train = run.record["data"]["train"]
    is_large = train["tokens"] * len(train["labels"]) > _MAX_QUICK_CELLS
    request = EvaluationRequest(
        baseline=baseline and not is_large, read=read, max_mistakes=0, details=False
    )
    evaluation = evaluate_run(run, request)
    if baseline and is_large:
        missing = f"the table is large; `embedclf evaluate {run.path}` adds it"
        return replace(evaluation, baseline_missing=missing)
    return evaluation


def _locate_rows(run: Run, config: Config, request: EvaluationRequest) -> LabeledSource:
    if request.table is None:
        return locate_test_rows(run, config, request.read)
    return locate_table(run, config, request.table, request.reading)


@dataclass(frozen=True)
class _Baseline:
    name: str
    predictions: Predictions
    description: str


def _fit_baselines(
    run: Run, config: Config, scored: ScoredRows, majority_label: str, request: EvaluationRequest
) -> tuple[list[_Baseline], str]:
    """Fit the baselines; also return why the TF-IDF baseline is missing, if it is."""
    labels = scored.classifier.labels
    majority = Predictions.from_majority(labels, scored.targets, scored.weights)
    description = f"always predicts {majority_label!r}, the most frequent training label"
    baselines = [_Baseline("majority", majority, description)]
    if not request.baseline:
        return baselines, ""
    training = None if request.read is None else request.read.train
    fitted = fit_tfidf_baseline(run, config, scored, training)
    if isinstance(fitted, str):
        return baselines, fitted
    return [*baselines, _Baseline("tf-idf", fitted.predictions, fitted.description)], ""


def _compare_baseline(baseline: _Baseline, scores: Scores, leads: Doubles) -> BaselineComparison:
    """Compare a run's scores with a baseline; `leads` (draws,) are the bootstrap draws."""
    names = tuple(scores.metrics)
    majority = baseline.name == "majority"
    # `scores.majority` is None for metrics that a constant prediction does not define.
    metrics = scores.majority
    if not majority:
        defined = resampled_metrics(baseline.predictions, names)
        metrics = dict.fromkeys(names) | compute_metrics(baseline.predictions, defined)
    (interval,) = percentile_intervals(leads[:, None])
    lead = (scores.metrics[names[0]] or 0.0) - (metrics[names[0]] or 0.0)
    # Rows of a single group say nothing about others: any difference is possible.
    return BaselineComparison(
        baseline.name, metrics, lead, interval or (-1.0, 1.0), baseline.description
    )
