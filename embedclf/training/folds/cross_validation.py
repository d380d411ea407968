"""Cross-validation: the training of a run, repeated on folds of its table."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedclf.data.labels import Labels
from embedclf.data.split_units import choose_validation_rows
from embedclf.errors import DataError, RequestError
from embedclf.evaluation.baselines import score_tfidf_fold
from embedclf.evaluation.fold_scores import CrossValidation, FoldScores
from embedclf.evaluation.thresholds import rule_to_json
from embedclf.model.classifier import Classifier
from embedclf.runs.history import RefitStarted
from embedclf.system.terminal import format_count
from embedclf.training.finishing import calibrate, score_test, score_validation
from embedclf.training.fitting import fit_network
from embedclf.training.folds.cross_fitting import Fold, Folds, read_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.model.classifier import Calibration
    from embedclf.runs.history import Epoch, Resumed, Step
    from embedclf.system.arrays import Int64s, Mask
    from embedclf.training.fitting import FittedNetwork

    CrossValidationEvent: TypeAlias = "Fold | RefitStarted | Resumed | Step | Epoch | FoldScores"

_MAX_TFIDF_CELLS = 20_000_000
"""Tokens times labels up to which TF-IDF takes little time beside the training of a network."""


@contextmanager
def open_folds(config: Config, count: int) -> Iterator[Folds]:
    """Read the training table, and divide its rows as `cross_validate` needs them.

    Rows are divided by label, and rows with the same text stay together; with `data.group`, rows of
    a group do. With `data.time`, there is one block more than trainings, from the earliest rows to
    the latest: a training learns from all blocks before the one that it scores.

    Args:
        config: The config; its test table is not read.
        count: How many trainings.

    Raises:
        RequestError: There are too few texts, groups, times, or rows of a label.
        DataError: The table cannot be used.
        ConfigError: A file is missing.
    """
    with read_folds(config, count) as table:
        times, folds = table.units.times, table
        if times is None:
            _check_folds(table)
        else:
            folds = replace(table, numbers=_blocks_by_time(table, times))
        _check_validation(folds)
        yield folds


def cross_validate(
    folds: Folds,
    *,
    baseline: bool,
    on_event: Callable[[CrossValidationEvent], None] = lambda _event: None,
) -> CrossValidation:
    """Train once per fold, and score the rows that the training left out.

    Each training does what that of a run does: vocabulary, epoch, calibration and thresholds are
    chosen without the rows that it scores. Only the settings and the names of the labels come from
    the whole table, so that all folds have the same.

    Args:
        folds: As `open_folds` makes them.
        baseline: Whether to score TF-IDF on the same folds, too.
        on_event: Called with each fold, step, epoch, refit, and the scores of each fold.

    Raises:
        DataError: A fold leaves nothing to train or to validate on.
        TrainingError: A loss is not finite.
        KeyboardInterrupt: Ctrl-C; the scores of only some folds are dropped.
    """
    config, forward = folds.config, folds.units.times is not None
    cells = folds.tokenized.tokens.count * len(folds.labels.names)
    missing = "the table is large" if baseline and cells > _MAX_TFIDF_CELLS else ""
    scored = []
    for number in range(1, folds.count + 1):
        tfidf = baseline and not missing
        scored.append(_score_fold(folds, number, tfidf=tfidf, on_event=on_event))
        on_event(scored[-1])
    return CrossValidation(
        "forward" if forward else "stratified",
        config.data.group,
        config.data.time,
        config.training.refit,
        rule_to_json(config.training.threshold),
        missing,
        tuple(scored),
    )


def fit_uninterrupted(
    dataset: Dataset,
    on_event: Callable[[Resumed | Step | Epoch], None],
    *,
    refit_of: FittedNetwork | None = None,
) -> FittedNetwork:
    """Fit a network as `fit_network` does; Ctrl-C raises KeyboardInterrupt at any time."""
    fitted = fit_network(dataset, refit_of=refit_of, on_event=on_event)
    if fitted.history.interrupted:
        raise KeyboardInterrupt
    return fitted


def finish_classifier(validated: FittedNetwork, last: FittedNetwork) -> Classifier:
    """Calibrate and choose thresholds as for a run.

    Args:
        validated: The network that the validation rows were held out from.
        last: The network of the classifier: the one that was refit, if there is one.
    """
    others = [] if last is validated else [last.network]
    calibration = calibrate(validated.network, validated.dataset, others)
    judge = _classifier(validated, calibration)
    logits = judge.weights.lazy_logits(validated.dataset.validation.ids)
    judge, _ = score_validation(validated.dataset, judge, judge.probabilities(logits))
    return _classifier(last, calibration).with_thresholds(judge.labels.thresholds)


def _score_fold(
    folds: Folds, number: int, *, tfidf: bool, on_event: Callable[[CrossValidationEvent], None]
) -> FoldScores:
    """Train as the run was trained, and score the rows that fold `number`, from 1, leaves out."""
    began = time.perf_counter()
    train, left_out = _rows_of_fold(folds, number)
    # The same labels in each fold, as means over labels need; their counts are those of the fold
    rows = folds.tokenized.rows.filter(train)
    labels = Labels.of_rows(rows, folds.config.data, start=folds.labels)
    folds = replace(folds, labels=labels)
    fold = last_fold = folds.prepare(number, train=train, left_out=left_out)
    on_event(fold)
    validated = last = fit_uninterrupted(fold.dataset, on_event)
    if folds.config.training.refit:
        last_fold = folds.prepare(number, train=train, left_out=left_out, hold_out=False)
        epochs = validated.history.best_epoch
        on_event(RefitStarted(len(last_fold.dataset.train), epochs))
        last = fit_uninterrupted(last_fold.dataset, on_event, refit_of=validated)
    scored = replace(last.dataset, test=last_fold.left_out)
    scores = score_test(scored, finish_classifier(validated, last))
    return FoldScores(
        number,
        len(fold.left_out),
        int(train.sum()),
        validated.history.best_epoch,
        scores.metrics,
        scores.majority,
        score_tfidf_fold(folds.tokenized, fold.dataset, fold.split_ids) if tfidf else None,
        round(time.perf_counter() - began, 3),
    )


def _rows_of_fold(folds: Folds, number: int) -> tuple[Mask, Mask]:
    """Return the rows (n,) to train on and the rows to score of a fold, from 1."""
    if folds.units.times is None:
        left_out: Mask = folds.numbers == number - 1
        return ~left_out, left_out
    return folds.numbers < number, folds.numbers == number  # nothing comes before block 0


def _classifier(fitted: FittedNetwork, calibration: Calibration | None) -> Classifier:
    from embedclf.model.network import extract_weights

    dataset = fitted.dataset
    weights = extract_weights(fitted.network, dataset.config.model.pooling)
    return Classifier(dataset.tokenizer, dataset.labels, weights, calibration)


def _check_folds(folds: Folds) -> None:
    """Check that each fold gets two texts or a group, and both labels of two.

    Raises:
        RequestError: There are too few.
    """
    group, texts = folds.config.data.group, folds.units.texts
    units = texts if folds.units.groups is None else folds.units.groups
    count = len(np.unique(units))
    if group is None:
        fault = f"{format_count(count, 'different text')} for folds of at least 2"
        _require_folds(folds, count // 2, fault)
    else:
        _require_folds(folds, count, f"{format_count(count, 'group')} of {group!r}")
    if folds.labels.task != "binary":
        return  # a rare label is one of many, and does not stand in the way of the others
    unit = "different text" if group is None else "group"
    for label, name in enumerate(folds.labels.names):
        count = len(np.unique(units[folds.targets == label]))
        _require_folds(folds, count, f"{format_count(count, unit)} with label {name!r}")


def _check_validation(folds: Folds) -> None:
    """Check that each training can hold out validation rows.

    Raises:
        RequestError: One has too few texts, groups or times.
    """
    for number in range(1, folds.count + 1):
        train, _ = _rows_of_fold(folds, number)
        try:
            choose_validation_rows(folds.units.take(np.flatnonzero(train)), folds.config)
        except DataError as error:
            by_time = folds.units.times is not None  # fewer blocks are larger ones
            fewer = "use fewer folds, " if by_time and folds.count > 2 else "add rows, "
            raise RequestError(
                f"--cross-validate {folds.count}: training {number} has too few rows to hold out "
                f"some for validation; {fewer}or set data.validation to a table"
            ) from error


def _require_folds(folds: Folds, most: int, fault: str) -> None:
    if folds.count <= most:
        return
    way_out = f"use --cross-validate {most}" if most > 1 else "add rows"
    table = folds.tokenized.rows.table.name
    raise RequestError(f"--cross-validate {folds.count}: {table} has {fault}; {way_out}")


def _blocks_by_time(folds: Folds, times: Int64s) -> Int64s:
    """Return the block of each row (n,): 0 has the earliest rows, `folds.count` the latest.

    Raises:
        RequestError: There are too few different times.
    """

    def fills(count: int) -> bool:
        return len(np.unique(folds.units.blocks(count))) == count

    if not fills(folds.count + 1):
        most = next((count for count in range(folds.count - 1, 1, -1) if fills(count + 1)), 0)
        different = format_count(len(np.unique(times)), "different time")
        fault = f"{different} in {folds.config.data.time!r}, too few for {folds.count + 1} blocks"
        _require_folds(folds, most, fault)
    return folds.units.blocks(folds.count + 1)
