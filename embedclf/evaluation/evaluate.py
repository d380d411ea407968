"""evaluate: scores, intervals, baselines, slices, mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.evaluation.baselines import TfidfPredictions, tfidf
from embedclf.evaluation.bootstrap import Bootstrap, intervals, intervals_of, resample
from embedclf.evaluation.error_analysis import slices, worst
from embedclf.evaluation.metrics import FULL, compute_metrics
from embedclf.evaluation.scored_rows import of_run, of_table, score_rows
from embedclf.evaluation.scores import compute_scores, given, guess

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake, Slice
    from embedclf.evaluation.metrics import MetricValues, Predictions
    from embedclf.evaluation.scored_rows import LabeledSource, ScoredRows
    from embedclf.evaluation.scores import Scores
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles


@dataclass(frozen=True)
class EvaluationRequest:
    """What an appraisal is to look at."""

    table: Path | None = None
    """Labelled rows; None takes the test rows of the run's config, or its validation rows."""
    delimiter: str | None = None
    """Of the table, where it is not as the config says."""
    encoding: str | None = None
    by: tuple[str, ...] = ()
    """Columns of the table whose cells make slices."""
    baseline: bool = True
    """Whether to fit one."""
    mistakes: int = 5
    """Most that are shown."""


@dataclass(frozen=True)
class BaselineComparison:
    """A baseline beside the run, on the same rows."""

    name: str
    scores: MetricValues
    lead: float
    """By how much the run's first score is higher."""
    interval: Interval
    """Of that."""
    told: str
    """What it is, or was fitted on."""

    @property
    def verdict(self) -> str:
        """Whose first score is higher: the `run`'s, the `baseline`'s, or `unclear`."""
        if self.interval[0] <= 0.0 <= self.interval[1]:
            return "unclear"
        return "run" if self.lead > 0.0 else "baseline"


@dataclass(frozen=True)
class RunEvaluation:
    """All that is known of how good a run is on some rows."""

    scored: ScoredRows
    predicted: Predictions
    evaluation: Scores
    intervals: dict[str, Interval | None]
    """95 % of each score."""
    label_intervals: tuple[tuple[Interval | None, ...], ...]
    """Of precision, recall and f1 of each label."""
    draws: int
    """Resamples that the intervals are of."""
    rivals: tuple[BaselineComparison, ...]
    missing: str
    """Why a baseline is not there, if one is not that was wanted."""
    slices: tuple[Slice, ...]
    mistakes: tuple[Mistake, ...]


def evaluate_run(run: Run, wanted: EvaluationRequest) -> RunEvaluation:
    """Look at a run on labelled rows from all sides.

    Raises:
        DataError: A table cannot be used.
        RunError: The table of the validation rows has changed, so that they are not to be had.
    """
    config = run.config()
    scored = score_rows(run, _place(run, config, wanted), wanted.by)
    labels = scored.classifier.labels
    predicted = given(labels, scored.targets, scored.probabilities)
    names = FULL[labels.task]
    evaluation = compute_scores(
        labels, scored.targets, scored.probabilities, scored.unknown_labels, names
    )
    resampler = Bootstrap(predicted, names, by_label=True)
    told = f"always {evaluation.majority_label!r}, the commonest label in training"
    rivals = [("majority", guess(labels, scored.targets), told)]
    baseline = tfidf(run, config, scored) if wanted.baseline else ""
    if isinstance(baseline, TfidfPredictions):
        rivals.append(("tf-idf", baseline.predicted, baseline.told))
    others = [Bootstrap(rival, names[:1]) for _, rival, _ in rivals]
    cells = predicted.probabilities.size
    draws = resample([resampler, *others], len(scored), cells=cells, seed=config.seed)
    values = draws[:, : -len(others)]
    found = intervals_of(resampler, values, seed=config.seed)
    shares = found[len(names) :]
    return RunEvaluation(
        scored,
        predicted,
        evaluation,
        dict(zip(names, found, strict=False)),
        tuple(tuple(shares[at : at + 3]) for at in range(0, len(shares), 3)),
        len(draws),
        tuple(
            _rival(*rival, evaluation, values[:, 0] - other)
            for rival, other in zip(rivals, draws[:, -len(others) :].T, strict=True)
        ),
        baseline if isinstance(baseline, str) else "",
        tuple(slices(scored, predicted, seed=config.seed)),
        tuple(worst(scored, predicted, wanted.mistakes)),
    )


def _place(run: Run, config: Config, wanted: EvaluationRequest) -> LabeledSource:
    form = {"delimiter": wanted.delimiter, "encoding": wanted.encoding}
    told = {key: value for key, value in form.items() if value is not None}
    read_as = config.model_copy(update={"data": config.data.model_copy(update=told)})
    return of_run(run, config) if wanted.table is None else of_table(run, read_as, wanted.table)


def _rival(
    name: str, predicted: Predictions, told: str, evaluation: Scores, leads: Doubles
) -> BaselineComparison:
    first, names = next(iter(evaluation.scores)), tuple(evaluation.scores)
    scores = evaluation.majority if name == "majority" else compute_metrics(predicted, names)
    (interval,) = intervals(leads[:, None])
    lead = (evaluation.scores[first] or 0.0) - (scores[first] or 0.0)
    return BaselineComparison(name, scores, lead, interval or (lead, lead), told)
