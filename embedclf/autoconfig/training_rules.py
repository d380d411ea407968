"""Evidence -> settings of `training`, with reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.data_rules import validation_fraction
from embedclf.autoconfig.evidence import Evidence, Setting
from embedclf.autoconfig.table_statistics import MAX_TAUGHT_ROWS, choose_teacher
from embedclf.system.terminal import format_count, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_REFIT_FRACTION = 0.05
"""Fraction of rows held out that is worth a second training on all rows."""

_IMBALANCED, _IMBALANCED_SMALL = 0.9, 0.8
"""Fraction of the rows with the same label from which the others count more. With few rows, 80% is
enough: on SMS Spam (87% of one label) macro F1 gained 4 to 10 points at 100 rows. On Korean reviews
(76%) it gained nothing."""

_SMALL_LEARNING_RATE = 0.003

_PATIENCE, _SMALL_PATIENCE = 3, 10
"""With few rows, an epoch has few steps, and its loss says little."""

_LEARNING_RATES = {"adam": 0.003, "rmsprop": 0.001, "adagrad": 0.5, "sgd": 0.3}
"""The best of those tried for flatten and average pooling, by `tests/benchmarks/optimizers.py`."""


def training_settings(evidence: Evidence) -> Iterator[Setting]:
    """Choose a value for every key of `training` that can be `auto`."""
    statistics = evidence.statistics
    yield _epochs(evidence)
    yield _epochs_by(evidence)
    yield _patience(evidence)
    batch_size = batch_size_for(statistics.training_texts)
    steps = math.ceil(statistics.training_texts / batch_size)
    reason = f"about {format_count(steps, 'step')} per epoch"
    yield Setting("training.batch_size", batch_size, reason)
    yield _learning_rate(evidence)
    if statistics.is_large:
        reason = "the learning rate falls to 0 by the last epoch"
        yield Setting("training.schedule", "linear", reason)
    else:
        reason = "not needed: early stopping ends the training"
        yield Setting("training.schedule", "constant", reason)
    yield _refit(evidence)
    yield _class_weight(evidence)
    yield _calibration(evidence)
    yield _threshold(evidence)
    yield _teacher(evidence)


def batch_size_for(rows: int) -> int:
    """Choose a power of two, for 500 to 1,000 steps per epoch if there are enough rows."""
    return int(min(512, max(32, 2 ** math.floor(math.log2(max(rows, 500) / 500)))))


def _epochs(evidence: Evidence) -> Setting:
    statistics = evidence.statistics
    patience = evidence.value("training.early_stopping", _patience(evidence).value)
    if statistics.is_large:
        epochs = 5 if evidence.has_many_labels else 3
        return Setting("training.epochs", epochs, "large tables need few passes")
    # Small tables have few steps per epoch, so they get more passes.
    epochs = min(100, max(20, 200_000 // statistics.training_texts))
    reason = "small tables need more passes"
    if patience is not None:
        stop = format_count(patience, "epoch")
        reason = f"an upper limit; training stops after {stop} without improvement"
    return Setting("training.epochs", epochs, reason)


def _patience(evidence: Evidence) -> Setting:
    key = "training.early_stopping"
    if evidence.has_few_rows:
        return Setting(key, _SMALL_PATIENCE, "few rows: the loss of one epoch says little")
    return Setting(key, _PATIENCE, "epochs without a better validation loss")


def _epochs_by(evidence: Evidence) -> Setting:
    key = "training.epochs_by"
    if evidence.config.data.time is not None:
        return Setting(key, "validation", "the latest rows validate")
    if evidence.statistics.taught:
        return Setting(key, "validation", "the teacher has seen the training rows")
    if evidence.has_few_rows and validation_fraction(evidence):
        reason = "few rows are held out, so each training row validates once"
        return Setting(key, "cross_validation", reason)
    return Setting(key, "validation", "enough rows are held out")


def _learning_rate(evidence: Evidence) -> Setting:
    """Choose small steps where all tokens move together, larger ones where epochs are few."""
    key, optimizer = "training.learning_rate", evidence.config.training.optimizer
    pooling = evidence.value("model.pooling", "sqrt")
    if optimizer != "adam" or pooling != "sqrt":
        reason = f"a usual rate for {optimizer} and pooling: {pooling}"
        return Setting(key, _LEARNING_RATES[optimizer], reason)
    # With few numbers per token, larger steps: see `Evidence.narrow_dim`.
    factor = (2.0 if evidence.has_few_labels else 1.5) if evidence.is_narrow else 1.0
    if evidence.statistics.is_large:
        rate = 0.003 if evidence.has_many_labels else 0.002 * factor
        return Setting(key, rate, "larger steps, because there are few epochs")
    if evidence.has_few_rows:
        return Setting(key, _SMALL_LEARNING_RATE, "larger steps, because an epoch has few of them")
    rate = 0.002 if evidence.has_many_labels else 0.001 * factor
    return Setting(key, rate, "small steps, because sqrt pooling adds up the steps of all tokens")


def _refit(evidence: Evidence) -> Setting:
    fraction = validation_fraction(evidence)
    percentage = format_percent(fraction, places=0)
    # A validation table makes the fraction 0: its rows are for validation only.
    if fraction == 0:
        return Setting("training.refit", False, "the validation table is for validation only")
    if fraction < MIN_REFIT_FRACTION:
        reason = f"only {percentage} of the rows are held out"
        return Setting("training.refit", False, reason)
    reason = "when the best epoch is known, train again for that many epochs on all rows"
    return Setting("training.refit", True, f"{reason}, including the {percentage} held out")


def _class_weight(evidence: Evidence) -> Setting:
    key = "training.class_weight"
    if evidence.is_multilabel:
        return Setting(key, "none", "every row counts the same")
    totals = evidence.statistics.labels.totals
    fraction = max(totals) / sum(totals)
    reason = f"the most frequent label has {format_percent(fraction)} of the rows"
    if fraction >= (_IMBALANCED_SMALL if evidence.has_few_rows else _IMBALANCED):
        return Setting(key, "balanced", f"{reason}; rows of other labels count more")
    return Setting(key, "none", f"{reason}; every row counts the same")


def _calibration(evidence: Evidence) -> Setting:
    key: str = "training.calibration"
    statistics = evidence.statistics
    if evidence.is_multilabel or statistics.taught:
        return Setting(key, "none", "not needed for this table")
    if statistics.is_large:
        reason = "networks are overconfident on large tables; this corrects their probabilities"
        return Setting(key, "temperature", reason)
    if evidence.has_few_rows and not evidence.has_many_labels:
        reason = "few rows make networks overconfident; this corrects their probabilities"
        return Setting(key, "temperature", reason)
    return Setting(key, "none", "not needed for this table")


def _threshold(evidence: Evidence) -> Setting:
    value: Any = 0.5
    reason = "the most probable label is predicted"
    if evidence.is_multilabel:
        value = "micro_f1"
        reason = "one threshold for all labels, chosen on validation rows; few labels reach 0.5"
    return Setting("training.threshold", value, reason)


def _teacher(evidence: Evidence) -> Setting:
    key, config, rows = "training.teacher", evidence.config, evidence.statistics.rows
    texts = f"{format_count(evidence.statistics.taught, 'unlabeled text')}"
    if config.data.unlabelled is None:
        reason = "no unlabeled texts; if you have some, name them in data.unlabelled"
    elif evidence.statistics.taught:
        reason = f"a sentence encoder labels {texts}, and the network learns from these, too"
    elif rows > MAX_TAUGHT_ROWS:
        reason = f"with {rows:,} labeled rows, a sentence encoder has little to add; try: use"
    else:
        reason = (
            "a sentence encoder could label the unlabeled texts, about 15 points of accuracy at "
            "100 rows: pip install 'embedclf[use]'"
        )
    return Setting(key, choose_teacher(config, evidence.written, rows), reason)
