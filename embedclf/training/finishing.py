"""Calibration, thresholds, parity with Keras, final scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import TrainingError
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.thresholds import choose, plain_rule
from embedclf.model.classifier import Classifier, inverse_temperature, isotonic
from embedclf.runs import run, writer
from embedclf.runs.history import RowStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Probabilities
    from embedclf.evaluation.scores import Scores
    from embedclf.model.classifier import Calibration
    from embedclf.text.tokenizer import TokenIds
    from embedclf.training.initialization import InitialWeights

PARITY = 1e-5
"""Most that NumPy and Keras may differ in a probability."""

_CALL_ROWS = 2048
"""Rows that Keras scores at once."""


@dataclass(frozen=True)
class FinishedRun:
    """What was measured."""

    parity: float
    """The largest difference between NumPy and Keras in a probability."""
    decision: dict[str, Any]
    """The rule that decides, and what it came to."""
    metrics: dict[str, Any]
    """Scores by part."""


def finish(
    draft: writer.RunDraft, validated: FittedNetwork, refitted: FittedNetwork | None
) -> FinishedRun:
    """Calibrate, write and prove the networks; choose thresholds; score the test rows, once.

    Validation rows are scored by the network that has not seen them, test rows by the last one.

    Args:
        draft: The run that is written.
        validated: The network that the validation rows were held out from.
        refitted: The one that was trained on all rows, if there is one.

    Raises:
        TrainingError: NumPy and Keras differ by more than `PARITY`.
    """
    last = refitted or validated
    others = [] if refitted is None else [refitted.net]
    calibration = calibrate(validated.net, validated.dataset, others)
    final = judged = _written(draft, last, calibration)
    beginnings = RowStatistics(last.dataset.counts, last.initial.row_learning_rates)
    (draft.path / run.ROWS).write_bytes(beginnings.to_npz())
    held_out = validated.dataset.validation
    parity = 0.0
    if refitted is not None:
        judged = _written(draft.make_folder(run.VALIDATED), validated, calibration)
        parity, _ = _proved(refitted, final, refitted.dataset.train.ids[: len(held_out)])
    difference, probabilities = _proved(validated, judged, held_out.ids)
    judged, evaluation = score_validation(validated.dataset, judged, probabilities)
    metrics, thresholds = {"validation": evaluation.to_json()}, judged.labels.thresholds
    test = last.dataset.test
    if test is not None:
        final = final.deciding(thresholds)
        scored = compute_scores(
            final.labels, test.targets, final.score(test.ids), test.unknown_labels
        )
        metrics["test"] = scored.to_json()
    rule = plain_rule(validated.dataset.config.training.threshold)
    decision = {"rule": rule, "thresholds": thresholds}
    return FinishedRun(max(parity, difference), decision, metrics)


def _written(
    draft: writer.RunDraft, learned: FittedNetwork, calibration: Calibration | None
) -> Classifier:
    """The classifier that is read from the files that are written."""
    if calibration is not None:
        draft.write_json(run.CALIBRATION, calibration.to_json())
    draft.write_json(run.TEXT, learned.dataset.tokenizer.to_json(), indent=None)
    draft.write_json(run.LABELS, learned.dataset.labels.to_json())
    learned.net.save(draft.path / run.MODEL)
    return run.read_classifier(
        learned.dataset.config.model.pooling,
        lambda name: (draft.path / name).read_bytes(),
        calibrated=calibration is not None,
    )


def _proved(
    learned: FittedNetwork, classifier: Classifier, ids: TokenIds
) -> tuple[float, Probabilities]:
    """How far NumPy is from Keras, and its probabilities (n, outputs), not yet calibrated."""
    probabilities = classifier.activate(classifier.weights.logits(ids))
    difference = _difference(learned.net, ids, probabilities)
    if not difference <= PARITY:
        raise TrainingError(
            f"NumPy and Keras differ by {difference:.1e} in a probability, more than {PARITY:.0e}; "
            "the run was not kept; please report it with the config"
        )
    return difference, probabilities


def _difference(net: Any, ids: TokenIds, probabilities: Probabilities) -> float:
    """The largest difference from what Keras gives; called directly, since it compiles nothing."""
    largest = 0.0
    for start in range(0, len(ids), _CALL_ROWS):
        rows = slice(start, start + _CALL_ROWS)
        expected = net(ids[rows].astype(np.int32), training=False).numpy()
        largest = np.maximum(largest, np.abs(expected - probabilities[rows]).max())
    return float(largest)


def calibrate(net: Any, dataset: Dataset, beside: Sequence[Any] = ()) -> Calibration | None:
    """Calibrate on validation rows: a temperature goes into the network, a line beside it.

    Args:
        net: The network that has not seen the validation rows.
        dataset: The rows, and the config.
        beside: Others that take the same temperature.

    Returns:
        The line, if that is what the config asks for.
    """
    from embedclf.model.network import scale_logits, weights_of

    config, labels, validation = dataset.config, dataset.labels, dataset.validation
    if config.training.calibration == "none":
        return None
    weights = weights_of(net, config.model.pooling)
    logits = weights.logits(validation.ids)
    if config.training.calibration == "temperature":
        factors = inverse_temperature(labels, validation.targets, logits)
        for one in (net, *beside):
            scale_logits(one, factors)
        return None
    classifier = Classifier(dataset.tokenizer, labels, weights)
    return isotonic(labels, validation.targets, classifier.activate(logits))


def score_validation(
    dataset: Dataset,
    classifier: Classifier,
    probabilities: Probabilities,
    names: Sequence[str] = (),
) -> tuple[Classifier, Scores]:
    """Choose the thresholds that the config asks for, and score the validation rows by them.

    Args:
        dataset: The rows, and the config.
        classifier: Of the network that was fitted to them.
        probabilities: (n, outputs) of the network for the validation rows, not yet calibrated.
        names: What to measure; what training measures when empty.

    Returns:
        The classifier as it decides, and what it came to.
    """
    validation = dataset.validation
    probabilities = classifier.calibrated(probabilities)
    rule = dataset.config.training.threshold
    decided = classifier.deciding(choose(dataset.labels, validation.targets, probabilities, rule))
    unknown = validation.unknown_labels
    return decided, compute_scores(
        decided.labels, validation.targets, probabilities, unknown, names
    )


@dataclass(frozen=True)
class FittedNetwork:
    """A network that was fitted, and what it was made from."""

    dataset: Dataset
    initial: InitialWeights
    net: Any
