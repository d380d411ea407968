"""A config tried: fitted and judged as `train` does it, and no run is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.classifier import Classifier
from embedclf.initialization import initialize
from embedclf.judging import calibrate, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.evaluation import Evaluation
    from embedclf.history import Epoch, History, Resumed, Step
    from embedclf.preparation import Prepared


def tried(
    prepared: Prepared,
    names: Sequence[str],
    tell: Callable[[Resumed | Step | Epoch], None],
) -> tuple[Evaluation, History]:
    """Fit a network from the config's seed, and score it on the validation rows.

    Args:
        prepared: The rows, and the config.
        names: What to measure.
        tell: Called every few steps and at each epoch's end; what it raises ends the fitting.

    Returns:
        The scores that `train` by the same config gives, and how the fitting went.

    Raises:
        TrainingError: The loss is no longer a number.
        MemoryError: The network does not fit.
        KeyboardInterrupt: Ctrl-C; what was learned until then is no use.
    """
    from embedclf import backend, fitting, network

    config = prepared.config
    backend.start(config.training.device, config.seed)
    initial = initialize(prepared)
    net = network.begin(prepared, initial)
    history = fitting.fit(net, prepared, paces=initial.paces, tell=tell)
    if history.interrupted:
        raise KeyboardInterrupt
    calibration = calibrate(net, prepared)
    weights = network.weights_of(net, config.model.pooling)
    classifier = Classifier(prepared.tokenizer, prepared.labels, weights, calibration)
    probabilities = classifier.activate(weights.logits(prepared.validation.ids))
    return judge(prepared, classifier, probabilities, names)[1], history
