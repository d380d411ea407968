"""Probabilities and targets → scores, beside what guessing would give."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.config import near
from embedclf.data import read_labelled, sha256
from embedclf.errors import RunError
from embedclf.preparation import held_out

if TYPE_CHECKING:
    from embedclf.data import Mask
    from embedclf.labels import Labels, Probabilities, Targets
    from embedclf.run import Run
    from embedclf.schema import Config

Scores = dict[str, float | None]
"""Each between 0 and 1, but log_loss ≥ 0; None where the rows do not define it."""


@dataclass(frozen=True)
class LabelScores:
    """How well one label is found; scores between 0 and 1."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation:
    """Scores over all rows: an unknown label is one that no prediction finds."""

    rows: int
    scores: Scores
    majority: Scores
    """The scores of always giving the label that most training rows have."""
    majority_label: str
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """[true label][given label] in rows; None where a row has several labels."""
    unknown_labels: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Evaluation:
        """The evaluation that `to_json` wrote."""
        labels = tuple(LabelScores(**label) for label in values["labels"])
        confusion = values["confusion"] and tuple(map(tuple, values["confusion"]))
        return cls(**{**values, "labels": labels, "confusion": confusion})


def measured(run: Run) -> dict[str, Evaluation]:
    """What training measured, by part: `validation`, and `test` where there was a table."""
    return {part: Evaluation.from_json(values) for part, values in run.metrics().items()}


def evaluate(
    labels: Labels,
    targets: Targets,
    probabilities: Probabilities,
    unknown_labels: dict[str, int] | None = None,
) -> Evaluation:
    """Score probabilities against targets at a threshold of 0.5 (or the likeliest label).

    Log loss and ROC AUC are over the rows whose label is known, all else over all rows; macro and
    weighted F1 are means over the known labels.

    Args:
        labels: Of the classifier.
        targets: (n,) with -1 for an unknown label, or (n, labels), unknown ones behind the known.
        probabilities: (n, outputs).
        unknown_labels: Labels that the classifier does not know, with their rows.
    """
    decided = labels.decide(probabilities)
    top = int(np.argmax(labels.counts))
    several = labels.task == "multilabel"
    if several:  # an unknown label is never given
        decided = np.pad(decided, ((0, 0), (0, targets.shape[1] - decided.shape[1])))
    guess = np.zeros_like(decided)
    guess[..., top if several else slice(None)] = 1 if several else top
    return Evaluation(
        rows=len(targets),
        scores={
            **_decision_scores(labels, targets, decided),
            **_probability_scores(labels, targets, probabilities),
        },
        majority=_decision_scores(labels, targets, guess),
        majority_label=labels.names[top],
        labels=_label_scores(labels, targets, decided),
        confusion=_confusion(labels, targets, decided),
        unknown_labels=unknown_labels or {},
    )


@dataclass(frozen=True)
class Scored:
    """An evaluation, and the rows it is of."""

    rows: str
    """What they are, in words."""
    form: str
    """How their table was read."""
    skipped: int
    evaluation: Evaluation


def evaluate_run(
    run: Run,
    table: Path | None = None,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Scored:
    """Score a run on labelled rows.

    Args:
        run: The run.
        table: The rows; None takes the config's test table, or the rows held out for validation.
        delimiter: Of the table, where it is not as the config says.
        encoding: Likewise.

    Raises:
        DataError: The table cannot be used.
        RunError: A table has changed, so that the held-out rows are not to be had.
    """
    config, classifier = run.config(), run.classifier()
    form = {"delimiter": delimiter, "encoding": encoding}
    given = {key: value for key, value in form.items() if value is not None}
    config = config.model_copy(update={"data": config.data.model_copy(update=given)})
    only = None
    if table is not None:
        rows = str(near(table))
    elif config.data.test is not None:
        table, rows = config.data.test, f"test rows of {near(config.data.test)}"
    else:
        table, only = _validation(run, config)
        rows = f"validation rows of {near(table)}"
    scored: list[Probabilities] = []
    labelled = read_labelled(table, config.data, classifier.predict_proba, scored.append, only=only)
    targets, unknown = classifier.labels.encode(labelled, config.data)
    evaluation = evaluate(classifier.labels, targets, np.concatenate(scored), unknown)
    return Scored(rows, labelled.table.form, labelled.skipped, evaluation)


def _validation(run: Run, config: Config) -> tuple[Path, Mask | None]:
    """The table of a run's validation rows, if it is what it was, and which they are."""
    held = config.data.validation
    table, part = (held, "validation") if isinstance(held, Path) else (config.data.train, "train")
    if table.is_file() and sha256(table) != run.record["data"][part]["sha256"]:
        raise RunError(
            f"{table}: has changed since {run.path} was trained, so its validation rows are "
            "unknown; name a table with --data"
        )
    return table, None if isinstance(held, Path) else held_out(config)


def _decision_scores(labels: Labels, targets: Targets, decided: Targets) -> Scores:
    from sklearn import metrics

    every = {"labels": range(len(labels.names)), "zero_division": 0.0}
    if labels.task == "multilabel":
        return {
            "micro_f1": float(
                metrics.f1_score(targets, decided, average="micro", zero_division=0.0)
            ),
            "macro_f1": float(metrics.f1_score(targets, decided, average="macro", **every)),
            "subset_accuracy": float(metrics.accuracy_score(targets, decided)),
        }
    scores: Scores = {"accuracy": float(metrics.accuracy_score(targets, decided))}
    if labels.task == "multiclass":
        for average in ("macro", "weighted"):
            f1 = metrics.f1_score(targets, decided, average=average, **every)
            scores[f"{average}_f1"] = float(f1)
        return scores
    for name in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{name}_score")
        value = score(targets == 1, decided == 1, zero_division=0.0)
        scores[name] = float(value)
    return scores


def _probability_scores(labels: Labels, targets: Targets, probabilities: Probabilities) -> Scores:
    from sklearn import metrics

    tiny = np.finfo(np.float32).eps
    likely = np.clip(probabilities.astype(np.float64), tiny, 1 - tiny)
    if labels.task == "multilabel":
        cells = np.where(targets[:, : likely.shape[1]] == 1, likely, 1 - likely)
        return {"log_loss": _mean(-np.log(cells))}
    known = targets >= 0
    if labels.task == "multiclass":
        of_target = np.take_along_axis(likely, np.maximum(targets, 0)[:, None], axis=1)[:, 0]
        return {"log_loss": _mean(-np.log(of_target[known]))}
    one, ranks = likely[:, 0], probabilities[known, 0]
    both = len(np.unique(targets[known])) == 2
    return {
        "roc_auc": float(metrics.roc_auc_score(targets[known], ranks)) if both else None,
        "log_loss": _mean(-np.log(np.where(targets == 1, one, 1 - one)[known])),
    }


def _mean(losses: npt.NDArray[np.float64]) -> float | None:
    return float(losses.mean()) if losses.size else None


def _label_scores(labels: Labels, targets: Targets, decided: Targets) -> tuple[LabelScores, ...]:
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        targets,
        decided,
        labels=range(len(labels.names)),
        average=None,
        zero_division=0.0,
    )
    return tuple(
        LabelScores(name, int(rows), float(precision), float(recall), float(f1))
        for name, precision, recall, f1, rows in zip(labels.names, *columns, strict=True)
    )


def _confusion(
    labels: Labels, targets: Targets, decided: Targets
) -> tuple[tuple[int, ...], ...] | None:
    if labels.task == "multilabel":
        return None
    size = len(labels.names)
    known = targets >= 0
    cells = np.bincount(targets[known] * size + decided[known], minlength=size * size)
    return tuple(map(tuple, cells.reshape(size, size).tolist()))
