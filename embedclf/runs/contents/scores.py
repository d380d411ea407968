"""The JSON files with scores: `metrics.json`, `cross-validation.json`, `learning-curve.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from embedclf.runs.contents.values import Count, Positive

Metrics = Annotated[dict[str, float | None], msgspec.Meta(min_length=1)]

Interval = tuple[float, float]


class Decision(TypedDict):
    """The rule for thresholds, and the thresholds that it chose."""

    rule: Any
    """Read by `rule_from_json`."""
    thresholds: list[Annotated[float, msgspec.Meta(ge=0, le=1)]]


class LabelFacts(TypedDict):
    """The scores of a label."""

    label: str
    rows: float
    precision: float
    recall: float
    f1: float


class ConfusionFacts(TypedDict):
    """How many rows of one label are predicted to have another."""

    actual: str
    predicted: str
    rows: float


class SplitScores(TypedDict):
    """The scores of a split."""

    rows: Count
    scores: Metrics
    majority: Metrics
    majority_label: str
    labels: list[LabelFacts]
    confusion: list[list[float]] | None
    confusions: NotRequired[list[ConfusionFacts]]
    unknown_labels: dict[str, Count]


class MetricsFile(TypedDict):
    """`metrics.json`."""

    decision: NotRequired[Decision]
    validation: SplitScores
    test: NotRequired[SplitScores]


Baselines = TypedDict("Baselines", {"majority": Metrics, "tf-idf": Metrics | None})


class FoldFacts(TypedDict):
    """The scores of a fold."""

    fold: Positive
    rows: Count
    training_rows: Count
    best_epoch: Count
    scores: Metrics
    baselines: Baselines
    seconds: float


class CrossValidationFile(TypedDict):
    """`cross-validation.json`: what its reader uses; means and spreads follow from the folds."""

    scheme: Literal["stratified", "forward"]
    group: str | None
    time: str | None
    refit: bool
    rule: Any
    tfidf_missing: str
    folds: Annotated[list[FoldFacts], msgspec.Meta(min_length=2)]


class PointFacts(TypedDict):
    """The score with a number of training rows."""

    fraction: float
    rows: Count
    score: float
    interval: Interval | None
    fitted: float
    scores: Annotated[list[float], msgspec.Meta(min_length=1)]


class PowerLawFacts(TypedDict):
    """The curve that was fitted."""

    asymptote: float | None
    scale: float
    exponent: float


class ProjectionFacts(TypedDict):
    """What the curve expects with twice the rows."""

    rows: Count
    score: float
    interval: Interval | None
    gain: float
    gain_interval: Interval | None
    measured_gain: float
    measured_gain_interval: Interval | None


class LearningCurveFile(TypedDict):
    """`learning-curve.json`: what its reader uses."""

    metric: str
    scored: str
    scored_rows: Count
    held_out: bool
    resampled: str
    draws: Count
    group: str | None
    rule: Any
    caution: str
    points: Annotated[list[PointFacts], msgspec.Meta(min_length=2)]
    curve: PowerLawFacts
    twice_the_rows: ProjectionFacts
