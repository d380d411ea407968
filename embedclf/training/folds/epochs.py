"""The number of epochs, chosen by cross-validation of the training rows."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.split_units import SplitUnits
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from embedclf.data.dataset import Dataset
    from embedclf.runs.history import Epoch
    from embedclf.system.arrays import Int64s
    from embedclf.text.encodings import TokenIds
    from embedclf.text.fingerprints import Fingerprints

_FOLDS, _MIN_FOLDS = 5, 2


@dataclass(frozen=True)
class EpochChoice:
    """How many epochs a network is trained for, and the losses that decided it."""

    epochs: int
    folds: int
    losses: tuple[float, ...]
    """Mean loss of the rows left out, by epoch."""


def choose_epochs(
    dataset: Dataset, train: Callable[[Dataset], Generator[Epoch]], patience: int | None
) -> EpochChoice | None:
    """Choose the epoch of lowest loss, averaged over trainings on all folds of the rows but one.

    Every training row is left out once. A few validation rows would choose almost at random: of
    100 rows, 20 are held out. The mean loss of all trainings stops them.

    Args:
        dataset: Its training rows are divided into folds. The vocabulary stays that of all of them.
        train: Trains on the training rows of a dataset; yields each epoch, with the loss of its
            validation rows.
        patience: Epochs without a lower loss after which to stop; None never stops early.

    Returns:
        The choice; None if there are too few different texts, groups or rows per label.
    """
    with ExitStack() as stack:
        folds = list(_fold_datasets(dataset, _assign_folds(dataset)))
        if len(folds) < _MIN_FOLDS:
            return None
        trainings = [stack.enter_context(closing(train(fold))) for fold in folds]
        rows = [len(fold.validation) for fold in folds]
        losses = _mean_losses(trainings, rows, patience, dataset.config.training.epochs)
    return EpochChoice(_best_epoch(losses), len(folds), tuple(losses))


def _mean_losses(
    trainings: Sequence[Iterator[Epoch]], rows: Sequence[int], patience: int | None, total: int
) -> list[float]:
    """Return the mean loss of each epoch, until it has not fallen for `patience` epochs.

    A training advances by as many epochs as all must have before they can stop. The trainings share
    a network, and each change between them copies its weights.
    """
    losses, ahead = list[float](), None if patience is None else 1 + patience
    with activity("choosing the number of epochs", total=total, unit="epochs") as current:
        while ahead is None or ahead > 0:
            curves = [list[float]() for _ in trainings]
            for curve, training in zip(curves, trainings, strict=True):
                for epoch in islice(training, ahead):
                    curve.append(epoch.val_loss)
                    current.advance(1 / len(trainings))
            if not curves[0]:
                break
            losses += [float(np.average(each, weights=rows)) for each in zip(*curves, strict=True)]
            if patience is not None:
                ahead = _best_epoch(losses) + patience - len(losses)
    return losses


def _best_epoch(losses: Sequence[float]) -> int:
    return int(np.argmin(losses)) + 1


def _assign_folds(dataset: Dataset) -> Int64s:
    """Assign each training row (n,) to a fold, from 0, without gaps."""
    train, data = dataset.train, dataset.config.data
    strata = dataset.labels.strata(train.targets, data)
    # Texts with the same ids are the same for the network
    texts = _number_texts(train.ids, dataset.tokenizer.first_ngram_id)
    units = SplitUnits.from_rows(train.rows, texts, strata, data)
    folds = units.folds(count=_FOLDS, seed=dataset.config.seed)
    _, numbers = np.unique(folds, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def _number_texts(ids: TokenIds, first_ngram_id: int) -> Fingerprints:
    """Number texts (n,) in the order of their tokens; equal texts have the same number."""
    # The bytes of big-endian numbers are ordered like the numbers.
    texts = [
        tuple(part.astype(">u4").tobytes() for part in (text[~is_ngram], text[is_ngram]))
        for text, is_ngram in ((text, text >= first_ngram_id) for text in ids)
    ]
    numbers = {text: number for number, text in enumerate(sorted(set(texts)))}
    return np.array([numbers[text] for text in texts], np.uint64)


def _fold_datasets(dataset: Dataset, numbers: Int64s) -> Iterator[Dataset]:
    """Yield the dataset of each fold, whose validation rows are those left out.

    A label that only these rows have has been learned by no epoch. Its rows would choose the first,
    where all labels are about equally probable, so that they are dropped.
    """
    targets = dataset.train.targets
    for number in range(int(numbers.max()) + 1):
        left_out = numbers == number
        if left_out.all():
            return
        validates = left_out
        if dataset.labels.task != "multilabel":
            validates = left_out & np.isin(targets, targets[~left_out])
        if validates.any():
            yield replace(
                dataset,
                train=dataset.train.filter(~left_out),
                validation=dataset.train.filter(validates),
            )
