"""What a training leaves of its networks: files, a proof, thresholds and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf import run
from embedclf.beginnings import Beginnings
from embedclf.errors import TrainingError
from embedclf.evaluation import evaluate
from embedclf.judging import calibrate, judge
from embedclf.thresholds import plain_rule

if TYPE_CHECKING:
    from embedclf.calibration import Calibration
    from embedclf.classifier import Classifier
    from embedclf.labels import Probabilities
    from embedclf.refitting import Learned
    from embedclf.tokenizer import TokenIds

PARITY = 1e-5
"""Most that NumPy and Keras may differ in a probability."""
_CALL_ROWS = 2048
"""Rows that Keras scores at once."""


@dataclass(frozen=True)
class Settled:
    """What was measured."""

    parity: float
    """The largest difference between NumPy and Keras in a probability."""
    decision: dict[str, Any]
    """The rule that decides, and what it came to."""
    metrics: dict[str, Any]
    """Scores by part."""


def settle(draft: run.Draft, validated: Learned, refitted: Learned | None) -> Settled:
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
    calibration = calibrate(validated.net, validated.prepared, others)
    final = judged = _written(draft, last, calibration)
    beginnings = Beginnings(last.prepared.counts, last.initial.paces)
    (draft.path / run.ROWS).write_bytes(beginnings.to_npz())
    held_out = validated.prepared.validation
    parity = 0.0
    if refitted is not None:
        judged = _written(draft.make_folder(run.VALIDATED), validated, calibration)
        parity, _ = _proved(refitted, final, refitted.prepared.train.ids[: len(held_out)])
    difference, probabilities = _proved(validated, judged, held_out.ids)
    judged, evaluation = judge(validated.prepared, judged, probabilities)
    metrics, thresholds = {"validation": evaluation.to_json()}, judged.labels.thresholds
    test = last.prepared.test
    if test is not None:
        final = final.deciding(thresholds)
        scored = evaluate(final.labels, test.targets, final.score(test.ids), test.unknown_labels)
        metrics["test"] = scored.to_json()
    rule = plain_rule(validated.prepared.config.training.threshold)
    decision = {"rule": rule, "thresholds": thresholds}
    return Settled(max(parity, difference), decision, metrics)


def _written(draft: run.Draft, learned: Learned, calibration: Calibration | None) -> Classifier:
    """The classifier that is read from the files that are written."""
    if calibration is not None:
        draft.write_json(run.CALIBRATION, calibration.to_json())
    draft.write_json(run.TEXT, learned.prepared.tokenizer.to_json(), indent=None)
    draft.write_json(run.LABELS, learned.prepared.labels.to_json())
    learned.net.save(draft.path / run.MODEL)
    return run.read_classifier(
        learned.prepared.config.model.pooling,
        lambda name: (draft.path / name).read_bytes(),
        calibrated=calibration is not None,
    )


def _proved(learned: Learned, classifier: Classifier, ids: TokenIds) -> tuple[float, Probabilities]:
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
