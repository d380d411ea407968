"""Scores of a learning curve: by number of training rows, and what twice the rows would bring."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.runs.contents.scores import LearningCurveFile
from embedclf.runs.known_files import LEARNING_CURVE_FILE
from embedclf.training.folds.power_law import PowerLaws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.runs.run import Run

_SMALLEST_GAIN = 0.001
"""A gain that three decimals show."""


@dataclass(frozen=True)
class CurvePoint:
    """The score with a number of training rows."""

    fraction: float
    """Of the rows that the last point has."""
    rows: int
    """Training rows, including those that choose the epoch; the mean over subsets."""
    score: float
    """Mean over subsets."""
    interval: Interval | None
    """95% interval; None if it is unknown: all scored rows are of one group."""
    fitted: float
    """The score of the fitted curve."""
    scores: tuple[float, ...]
    """Of each subset."""


@dataclass(frozen=True)
class Projection:
    """What the fitted curve expects with twice the rows."""

    rows: int
    score: float
    interval: Interval | None
    gain: float
    """The fitted curve's rise from all rows to twice the rows."""
    gain_interval: Interval | None
    measured_gain: float
    """The measured rise from half the rows to all."""
    measured_gain_interval: Interval | None

    @property
    def verdict(self) -> str:
        """Whether more rows clearly help: `gain`, or `unclear`.

        The measured gain must be clear, too: a curve that rose steeply at first has some rise left
        in any fit, even if the last doubling brought nothing.
        """
        intervals = (self.gain_interval, self.measured_gain_interval)
        is_clear = all(each is not None and each[0] >= _SMALLEST_GAIN for each in intervals)
        return "gain" if is_clear else "unclear"


@dataclass(frozen=True)
class CurveBasis:
    """What a learning curve was measured on."""

    metric: str
    scored: str
    """The scored rows, for people: `test rows of test.csv`."""
    scored_rows: int
    held_out: bool
    """Whether they are training rows that each training leaves out."""
    resampled: str
    """What intervals resample beside subsets, for people: `rows`, or `30 groups of 'user'`."""
    draws: int
    group: str | None
    """The column whose groups are whole in each subset."""
    rule: Any
    """The rule that chose each training's thresholds, as plain values."""
    caution: str
    """Why the scores are optimistic, for people; empty if they are not."""


@dataclass(frozen=True)
class LearningCurve:
    """Scores by number of training rows."""

    basis: CurveBasis
    points: tuple[CurvePoint, ...]
    """The smallest first."""
    asymptote: float | None
    """The error that the fitted curve approaches; None if it was set to 0."""
    scale: float
    exponent: float
    projection: Projection

    @property
    def subsets(self) -> int:
        """How many subsets each point has."""
        return len(self.points[-1].scores)

    def fitted_score(self, rows: float) -> float:
        """Return the score of the fitted curve with a number of training rows."""
        law = PowerLaws(
            *(np.array([v]) for v in (self.asymptote or 0.0, self.scale, self.exponent))
        )
        return 1.0 - float(law.error(rows)[0])

    def to_json(self) -> dict[str, Any]:
        """Plain values for `learning-curve.json`, by their published keys."""
        projection = asdict(self.projection) | {"verdict": self.projection.verdict}
        curve = {"asymptote": self.asymptote, "scale": self.scale, "exponent": self.exponent}
        return {
            **asdict(self.basis),
            "subsets": self.subsets,
            "points": [asdict(point) for point in self.points],
            "curve": curve,
            "twice_the_rows": projection,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LearningCurve:
        """Read what `to_json` wrote."""
        projection = {k: v for k, v in values["twice_the_rows"].items() if k != "verdict"}
        return cls(
            CurveBasis(**{name: values[name] for name in CurveBasis.__dataclass_fields__}),
            tuple(CurvePoint(**point) for point in values["points"]),
            **values["curve"],
            projection=Projection(**projection),
        )


def read_learning_curve(run: Run) -> LearningCurve | None:
    """Read the learning curve that was measured for a run, if any."""
    values = run.read_addition(LEARNING_CURVE_FILE, LearningCurveFile)
    return None if values is None else LearningCurve.from_json(values)
