"""Calibration, thresholds, parity with Keras, final scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import TrainingError
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.thresholds import choose_thresholds, rule_to_json
from embedclf.model.classifier import Classifier, fit_inverse_temperature, fit_isotonic
from embedclf.runs import known_files
from embedclf.runs.classifier_files import write_classifier
from embedclf.runs.history import RowStatistics
from embedclf.runs.validated import ValidatedRows
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.dataset import Dataset
    from embedclf.evaluation.scores import Scores
    from embedclf.model.classifier import Calibration
    from embedclf.model.probabilities import AnyLogits, AnyProbabilities
    from embedclf.model.weights import Weights
    from embedclf.runs.writer import RunDraft
    from embedclf.text.encodings import TokenIds
    from embedclf.training.fitting import FittedNetwork

PARITY = 1e-5
"""Maximum difference between NumPy and Keras in a probability."""

_CALL_ROWS, _CALL_NUMBERS = 2048, 1 << 21
"""Rows that Keras scores per call; fewer if the numbers of their tokens, or their probabilities,
would be more than 64 MiB. A network holds several such arrays, but a call copies all weights."""

_MAX_CALLS = 8
"""Calls at most. Keras pads each text to the longest that its network can take: with a limit of
100,000 tokens, 750 short texts would take 15 s."""


@dataclass(frozen=True)
class FinishedNetworks:
    """Measurements of the networks of a run."""

    parity: float
    """The largest difference between NumPy and Keras in a probability."""
    decision: dict[str, Any]
    """The rule for the thresholds, and the thresholds that it chose."""
    metrics: dict[str, Any]
    """Scores by split."""


def finish(
    draft: RunDraft, validated: FittedNetwork, refitted: FittedNetwork | None
) -> FinishedNetworks:
    """Calibrate, write and verify the networks; choose thresholds; score the test rows, once.

    Validation rows are scored by the network that has not seen them, test rows by the last one.

    Args:
        draft: The run that is being written.
        validated: The network that the validation rows were held out from.
        refitted: The network that was trained on all rows, if there is one.

    Raises:
        TrainingError: NumPy and Keras differ by more than `PARITY`.
    """
    last = refitted or validated
    others = [] if refitted is None else [refitted.network]
    # First, as a temperature changes the network that is written below
    with activity("calibrating probabilities"):
        calibration = calibrate(validated.network, validated.dataset, others)
    classifier = _write_classifier(draft, last, calibration)
    validation = validated.dataset.validation
    if refitted is None:
        judge, logits = classifier, classifier.weights.lazy_logits(validation.ids)
        parity = _verify_parity(validated, classifier, validation.ids, logits)
    else:
        # A refit holds out no rows, so NumPy and Keras are compared on some training rows
        some_ids = refitted.dataset.train.ids[: len(validation)]
        parity = _verify_parity(
            refitted, classifier, some_ids, classifier.weights.lazy_logits(some_ids)
        )
        judge, logits = _write_validated(draft, validated, calibration)

    judge, scores = score_validation(validated.dataset, judge, judge.probabilities(logits))
    metrics, thresholds = {"validation": scores.to_json()}, judge.labels.thresholds
    if last.dataset.test is not None:
        with activity("scoring test rows"):
            scores = score_test(last.dataset, classifier.with_thresholds(thresholds))
        metrics["test"] = scores.to_json()
    rule = rule_to_json(validated.dataset.config.training.threshold)
    decision = {"rule": rule, "thresholds": thresholds}
    return FinishedNetworks(parity, decision, metrics)


def calibrate(network: Any, dataset: Dataset, others: Sequence[Any] = ()) -> Calibration | None:
    """Calibrate on validation rows; a temperature scales the output layer of the networks.

    Args:
        network: The network that has not seen the validation rows.
        dataset: The rows, and the config.
        others: Networks that get the same temperature.

    Returns:
        The curve, if the config asks for isotonic calibration.
    """
    from embedclf.model.network import scale_logits

    config, labels, validation = dataset.config, dataset.labels, dataset.validation
    if config.training.calibration == "none":
        return None
    weights, logits = _score_validation_rows(network, dataset)
    if config.training.calibration == "temperature":
        factors = fit_inverse_temperature(labels, validation.targets, logits, validation.weights)
        for each in (network, *others):
            scale_logits(each, factors)
        return None
    classifier = Classifier(dataset.tokenizer, labels, weights)
    probabilities = classifier.probabilities(logits)
    return fit_isotonic(labels, validation.targets, probabilities, validation.weights)


@activity("scoring validation rows")
def score_validation(
    dataset: Dataset,
    classifier: Classifier,
    probabilities: AnyProbabilities,
    metrics: Sequence[str] = (),
) -> tuple[Classifier, Scores]:
    """Choose the thresholds as the config says, and score the validation rows with them.

    A training and a trial of a search both call this, and get the same scores to the last digit.

    Args:
        dataset: The rows, and the config.
        classifier: Of the network that was fitted to them.
        probabilities: (n, outputs) of the network for the validation rows, not yet calibrated.
        metrics: What to compute; empty for the metrics that a training shows.

    Returns:
        The classifier with its thresholds, and its scores.
    """
    validation = dataset.validation
    probabilities = classifier.calibrate(probabilities)
    rule = dataset.config.training.threshold
    thresholds = choose_thresholds(
        dataset.labels, validation.targets, probabilities, rule, validation.weights
    )
    classifier = classifier.with_thresholds(thresholds)
    return classifier, compute_scores(
        classifier.labels,
        validation.targets,
        probabilities,
        validation.unknown_labels,
        metrics,
        weights=validation.weights,
    )


def score_test(dataset: Dataset, classifier: Classifier) -> Scores:
    """Score the test rows, with the thresholds that the classifier has."""
    test = dataset.test
    assert test is not None  # noqa: S101 - the caller has checked
    probabilities = classifier.lazy_proba_ids(test.ids)
    return compute_scores(
        classifier.labels, test.targets, probabilities, test.unknown_labels, weights=test.weights
    )


@activity("writing the network")
def _write_classifier(
    draft: RunDraft, fitted: FittedNetwork, calibration: Calibration | None
) -> Classifier:
    """Write the files of a classifier, and return the classifier that is read from them."""
    dataset = fitted.dataset
    row_statistics = RowStatistics(dataset.total_counts, fitted.initial.row_learning_rates)
    draft.write_bytes(known_files.ROW_STATISTICS_FILE, row_statistics.to_arrow())
    pooling = dataset.config.model.pooling
    return write_classifier(
        draft, fitted.network, pooling, dataset.tokenizer, dataset.labels, calibration
    )


@activity("scoring validation rows")
def _write_validated(
    draft: RunDraft, validated: FittedNetwork, calibration: Calibration | None
) -> tuple[Classifier, AnyLogits]:
    """Write the logits of the validation rows, and return them with their classifier."""
    dataset = validated.dataset
    weights, logits = _score_validation_rows(validated.network, dataset)
    positions = dataset.validation.rows.positions
    rows = ValidatedRows(dataset.tokenizer, dataset.labels, positions, logits)
    rows.write(draft.make_directory(known_files.VALIDATED_DIRECTORY))
    return Classifier(dataset.tokenizer, dataset.labels, weights, calibration), logits


def _score_validation_rows(network: Any, dataset: Dataset) -> tuple[Weights, AnyLogits]:
    """Return the weights that validation rows use, and the logits of these rows."""
    from embedclf.model.network import UsedRows, extract_weights

    used = UsedRows.of(network, dataset.validation.ids)
    weights = extract_weights(network, dataset.config.model.pooling, used.rows)
    return weights, weights.lazy_logits(used.ids)


@activity("comparing NumPy with Keras")
def _verify_parity(
    fitted: FittedNetwork, classifier: Classifier, ids: TokenIds, logits: AnyLogits
) -> float:
    """Return the largest difference between NumPy and Keras in a probability.

    Args:
        fitted: The network, in Keras.
        classifier: The same network, in NumPy.
        ids: Of n texts.
        logits: (n, outputs) of the texts, by the classifier.

    Raises:
        TrainingError: The difference exceeds `PARITY`.
    """
    difference = _largest_difference(fitted, ids, classifier.probabilities(logits))
    if not difference <= PARITY:  # written so that NaN fails
        raise TrainingError(
            f"NumPy and Keras differ by {difference:.1e} in a probability, more than {PARITY:.0e}, "
            "so the run was not saved; please report this bug with your config"
        )
    return difference


def _largest_difference(
    fitted: FittedNetwork, ids: TokenIds, probabilities: AnyProbabilities
) -> float:
    """Compare as many texts as take little time.

    The network is called directly: unlike Keras's `predict`, that compiles nothing.
    """
    largest, width = 0.0, fitted.dataset.tokenizer.input_length
    numbers = max(width * fitted.dataset.config.model.embedding_dim, probabilities.shape[1])
    rows_at_once = max(1, min(_CALL_ROWS, _CALL_NUMBERS // numbers))
    for start in range(0, min(len(ids), _MAX_CALLS * rows_at_once), rows_at_once):
        rows = slice(start, start + rows_at_once)
        expected = fitted.network(ids[rows].pad(width), training=False).numpy()
        # Unlike Python's max, np.maximum never drops a NaN
        largest = np.maximum(largest, np.abs(expected - np.asarray(probabilities[rows])).max())
    return float(largest)
