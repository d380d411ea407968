"""Cross-fitting: the probabilities of each row from a network that was not trained on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedclf.classifier import Classifier
from embedclf.initialization import initialize

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.backend import Device
    from embedclf.folding import Fold, Folds
    from embedclf.history import Epoch, History, Resumed, Step
    from embedclf.labels import Probabilities

    Told: TypeAlias = "Folds | Device | Fold | Resumed | Step | Epoch | Fitted"


@dataclass(frozen=True)
class Fitted:
    """A fold whose network has been fitted and has scored the rows left out."""

    fold: Fold
    history: History
    seconds: float


def out_of_fold(folds: Folds, tell: Callable[[Told], None]) -> Probabilities:
    """Train a network for each fold, and score the rows that it has not seen.

    Each is trained as `train` would: by the config, from the same seed, its epoch chosen on
    validation rows that are none of those it scores.

    Args:
        folds: The table.
        tell: Called with the device, each fold, step, epoch, and each fold done.

    Returns:
        (n, outputs) probabilities of all rows.

    Raises:
        TrainingError: The device is not there, or a loss is no longer a number.
        DataError: A fold leaves nothing to train or to validate on.
        KeyboardInterrupt: Ctrl-C; half of the rows are no use.
    """
    from embedclf import backend

    tell(folds)
    probabilities = np.zeros((len(folds), folds.labels.outputs), np.float32)
    for fold in folds:
        device = backend.start(folds.config.training.device, folds.config.seed)
        if fold.number == 1:
            tell(device)
        tell(fold)
        probabilities[fold.rows] = _fitted(fold, tell).score(fold.left_out.ids)
    return probabilities


def _fitted(fold: Fold, tell: Callable[[Told], None]) -> Classifier:
    from embedclf import fitting, network

    began = time.perf_counter()
    prepared = fold.prepared
    initial = initialize(prepared)
    net = network.begin(prepared, initial)
    history = fitting.fit(net, prepared, paces=initial.paces, tell=tell)
    if history.interrupted:
        raise KeyboardInterrupt(f"fold {fold.number} of {fold.of} was not finished")
    tell(Fitted(fold, history, time.perf_counter() - began))
    weights = network.weights_of(net, prepared.config.model.pooling)
    return Classifier(prepared.tokenizer, prepared.labels, weights)
