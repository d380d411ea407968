"""Validation rows: what calibration and thresholds are learned from, and a first score.

What a training tells and what a trial of a search is judged by are the same lines of code, so that
the one equals the other to the last digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.calibration import isotonic, sharpness
from embedclf.classifier import Classifier
from embedclf.evaluation import evaluate
from embedclf.thresholds import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.calibration import Calibration
    from embedclf.evaluation import Evaluation
    from embedclf.labels import Probabilities
    from embedclf.preparation import Prepared


def calibrate(net: Any, prepared: Prepared, beside: Sequence[Any] = ()) -> Calibration | None:
    """Calibrate on validation rows: a temperature goes into the network, a line beside it.

    Args:
        net: The network that has not seen the validation rows.
        prepared: The rows, and the config.
        beside: Others that take the same temperature.

    Returns:
        The line, if that is what the config asks for.
    """
    from embedclf.network import sharpen, weights_of

    config, labels, validation = prepared.config, prepared.labels, prepared.validation
    if config.training.calibration == "none":
        return None
    weights = weights_of(net, config.model.pooling)
    logits = weights.logits(validation.ids)
    if config.training.calibration == "temperature":
        factors = sharpness(labels, validation.targets, logits)
        for one in (net, *beside):
            sharpen(one, factors)
        return None
    classifier = Classifier(prepared.tokenizer, labels, weights)
    return isotonic(labels, validation.targets, classifier.activate(logits))


def judge(
    prepared: Prepared,
    classifier: Classifier,
    probabilities: Probabilities,
    names: Sequence[str] = (),
) -> tuple[Classifier, Evaluation]:
    """Choose the thresholds that the config asks for, and score the validation rows by them.

    Args:
        prepared: The rows, and the config.
        classifier: Of the network that was fitted to them.
        probabilities: (n, outputs) of the network for the validation rows, not yet calibrated.
        names: What to measure; what training measures when empty.

    Returns:
        The classifier as it decides, and what it came to.
    """
    validation = prepared.validation
    probabilities = classifier.calibrated(probabilities)
    rule = prepared.config.training.threshold
    decided = classifier.deciding(choose(prepared.labels, validation.targets, probabilities, rule))
    unknown = validation.unknown_labels
    return decided, evaluate(decided.labels, validation.targets, probabilities, unknown, names)
