"""The validation rows of a run, and what other logits would change in their predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.data.labeled import read_labeled
from embedclf.data.row_columns import row_weights
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.weighted_metrics import compute_metrics
from embedclf.runs.labeled_sources import locate_validation_rows
from embedclf.system.progress import activity
from embedclf.text.encodings import Encoding

if TYPE_CHECKING:
    from embedclf.data.labels import Probabilities, Targets
    from embedclf.evaluation.scores import Scores
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.text.encodings import TokenIds

_MAX_NUMBERS = 1 << 25
"""Logits of rows that are compared: with more rows times outputs, every second row or fewer."""


class Comparison(NamedTuple):
    """Scores of the same rows, before and after a change of the classifier."""

    before: float
    after: float
    expected_loss: float
    """What the changed decisions cost if the probabilities before are right. It is less noisy than
    the loss itself, since a decision at the threshold may change at random."""
    changed: int
    """Decisions that differ."""

    @property
    def loss(self) -> float:
        """By how much the score fell."""
        return self.before - self.after


@dataclass(frozen=True)
class ValidationRows:
    """Validation rows as a classifier reads and scores them."""

    classifier: Classifier
    """With the labels of the network that has not seen these rows."""
    ids: TokenIds
    targets: Targets
    unknown_labels: dict[str, int]
    weights: Doubles | None
    """(n,) how many rows each counts for; None if each counts for one."""
    logits: Floats
    """(n, outputs) of the network that has not seen these rows: after a refit, not those of the
    classifier."""

    def compare(self, shift: Floats) -> Comparison:
        """Compare predictions with those of logits to which a shift (n, outputs) is added."""
        before, after = self._predict(np.float32(0.0)), self._predict(shift)
        name = self.classifier.labels.score_name
        scores = [compute_metrics(each, [name])[name] or 0.0 for each in (before, after)]
        changed, expected = self._expect(before, after)
        return Comparison(scores[0], scores[1], expected, changed)

    def score(self, shift: Floats) -> Scores:
        """Score the rows with shifted logits (n, outputs)."""
        probabilities = self._probabilities(shift)
        labels, weights = self.classifier.labels, self.weights
        return compute_scores(
            labels, self.targets, probabilities, self.unknown_labels, weights=weights
        )

    def _probabilities(self, shift: Floats | np.float32) -> Probabilities:
        logits = (self.logits + shift).astype(np.float32)
        return np.asarray(self.classifier.calibrate(self.classifier.probabilities(logits)))

    def _predict(self, shift: Floats | np.float32) -> Predictions:
        labels, probabilities = self.classifier.labels, self._probabilities(shift)
        return Predictions.from_probabilities(labels, self.targets, probabilities, self.weights)

    def _expect(self, before: Predictions, after: Predictions) -> tuple[int, float]:
        """Return how many decisions differ, and by how much the score is expected to fall."""
        labels, probabilities = self.classifier.labels, np.asarray(before.y_prob)
        decisions = [labels.decide(np.asarray(each.y_prob)) for each in (before, after)]
        differs = decisions[0] != decisions[1]
        row_weights = before.row_weights
        if labels.task == "multiclass":
            every = np.arange(len(probabilities))
            first, second = (probabilities[every, chosen] for chosen in decisions)
            costs, total = first - second, row_weights.sum()
        else:
            thresholds = np.array(labels.thresholds or (0.5,))
            costs = 2.0 * np.abs(probabilities - thresholds) * differs.reshape(probabilities.shape)
            costs, total = costs.sum(axis=1), row_weights.sum()
        if labels.task == "multilabel":  # a change of F1, whose denominator is this
            total = ((decisions[0] + probabilities) * row_weights[:, None]).sum()
        return int(differs.sum()), float((costs * row_weights).sum() / max(total, 1e-9))


@activity("reading validation rows")
def read_validation_rows(run: Run, classifier: Classifier) -> ValidationRows:
    """Read the validation rows of a run.

    Raises:
        DataError: Their table cannot be read.
        RunError: Their table has changed, or they are not those that the run has scored.
    """
    source = locate_validation_rows(run, run.config())
    validated = run.validated_rows()
    judge = classifier if validated is None else replace(classifier, labels=validated.labels)
    read: list[Encoding] = []
    config = source.config.data
    encode = classifier.tokenizer.encode
    labeled = read_labeled(source.table, config, encode, read.append, only=source.only)
    targets, unknown_labels = judge.labels.encode(labeled, config)
    ids = Encoding.concatenate(read).ids
    weights = row_weights(labeled, config)
    every = slice(None, None, -(-len(ids) * judge.labels.outputs // _MAX_NUMBERS) or 1)
    if validated is None:
        logits = classifier.weights.logits(ids[every])
    else:
        validated.require_positions(labeled.positions, source.name)
        logits = np.asarray(validated.logits[every], np.float32)
    return ValidationRows(
        judge,
        ids[every],
        targets[every],
        unknown_labels,
        None if weights is None else weights[every],
        logits,
    )
