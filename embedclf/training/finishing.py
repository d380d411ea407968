"""Calibration, thresholds, parity with Keras, final scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import TrainingError
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.thresholds import choose_thresholds, rule_to_json
from embedclf.model.classifier import Classifier, fit_inverse_temperature, fit_isotonic
from embedclf.runs import run
from embedclf.runs.history import RowStatistics
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.dataset import Dataset
    from embedclf.evaluation.scores import Scores
    from embedclf.model.classifier import Calibration
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.runs.writer import RunDraft
    from embedclf.text.encodings import TokenIds
    from embedclf.training.fitting import FittedNetwork

PARITY = 1e-5
"""Maximum difference between NumPy and Keras in a probability."""

_CALL_ROWS, _CALL_NUMBERS = 2048, 1 << 20
"""Rows that Keras scores per call; with many labels, fewer have so many probabilities."""


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
    # First, as a temperature changes the networks that are written below
    with activity("calibrating probabilities"):
        calibration = calibrate(validated.network, validated.dataset, others)
    classifier = judge = _write_classifier(draft, last, calibration)
    row_statistics = RowStatistics(last.dataset.total_counts, last.initial.row_learning_rates)
    (draft.path / run.ROW_STATISTICS_FILE).write_bytes(row_statistics.to_npz())

    validation, parity = validated.dataset.validation, 0.0
    if refitted is not None:
        directory = draft.make_directory(run.VALIDATED_DIRECTORY)
        judge = _write_classifier(directory, validated, calibration)
        # A refit holds out no rows, so NumPy and Keras are compared on some training rows
        some_ids = refitted.dataset.train.ids[: len(validation)]
        parity, _ = _verify_parity(refitted, classifier, some_ids)
    difference, probabilities = _verify_parity(validated, judge, validation.ids)

    judge, scores = score_validation(validated.dataset, judge, probabilities)
    metrics, thresholds = {"validation": scores.to_json()}, judge.labels.thresholds
    if last.dataset.test is not None:
        with activity("scoring test rows"):
            scores = score_test(last.dataset, classifier.with_thresholds(thresholds))
        metrics["test"] = scores.to_json()
    rule = rule_to_json(validated.dataset.config.training.threshold)
    decision = {"rule": rule, "thresholds": thresholds}
    return FinishedNetworks(max(parity, difference), decision, metrics)


def calibrate(network: Any, dataset: Dataset, others: Sequence[Any] = ()) -> Calibration | None:
    """Calibrate on validation rows; a temperature scales the output layer of the networks.

    Args:
        network: The network that has not seen the validation rows.
        dataset: The rows, and the config.
        others: Networks that get the same temperature.

    Returns:
        The curve, if the config asks for isotonic calibration.
    """
    from embedclf.model.network import extract_weights, scale_logits

    config, labels, validation = dataset.config, dataset.labels, dataset.validation
    if config.training.calibration == "none":
        return None
    weights = extract_weights(network, config.model.pooling)
    logits = weights.lazy_logits(validation.ids)
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
    if calibration is not None:
        draft.write_json(run.CALIBRATION_FILE, calibration.to_json())
    draft.write_json(run.TOKENIZER_FILE, fitted.dataset.tokenizer.to_json(), indent=None)
    draft.write_json(run.LABELS_FILE, fitted.dataset.labels.to_json())
    fitted.network.save(draft.path / run.MODEL_FILE)
    # Read back, so that parity and scores are those of the files that a user loads
    return run.read_classifier(
        fitted.dataset.config.model.pooling,
        lambda name: (draft.path / name).read_bytes(),
        calibrated=calibration is not None,
    )


@activity("comparing NumPy with Keras")
def _verify_parity(
    fitted: FittedNetwork, classifier: Classifier, ids: TokenIds
) -> tuple[float, AnyProbabilities]:
    """Compare NumPy with Keras on token ids (n, input_length).

    Returns:
        The largest difference, and NumPy's probabilities (n, outputs), not yet calibrated.

    Raises:
        TrainingError: They differ by more than `PARITY`.
    """
    probabilities = classifier.probabilities(classifier.weights.lazy_logits(ids))
    difference = _largest_difference(fitted.network, ids, probabilities)
    if not difference <= PARITY:  # written so that NaN fails
        raise TrainingError(
            f"NumPy and Keras differ by {difference:.1e} in a probability, more than {PARITY:.0e}, "
            "so the run was not saved; please report this bug with your config"
        )
    return difference, probabilities


def _largest_difference(network: Any, ids: TokenIds, probabilities: AnyProbabilities) -> float:
    """Call the network directly: unlike Keras's `predict`, that compiles nothing."""
    largest = 0.0
    rows_at_once = max(1, min(_CALL_ROWS, _CALL_NUMBERS // probabilities.shape[1]))
    for start in range(0, len(ids), rows_at_once):
        rows = slice(start, start + rows_at_once)
        # A split with a small vocabulary stores ids as uint16, but the network's input is int32
        expected = network(ids[rows].astype(np.int32), training=False).numpy()
        # Unlike Python's max, np.maximum never drops a NaN
        largest = np.maximum(largest, np.abs(expected - np.asarray(probabilities[rows])).max())
    return float(largest)
