"""Out-of-fold probabilities."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from embedclf.data.dataset import Dataset, check_files, check_validation, encode_splits, hold_out
from embedclf.data.labels import Labels, Targets
from embedclf.data.splits import TokenizedTable, read_tokenized
from embedclf.data.stratified import stratified_folds
from embedclf.model.classifier import Classifier
from embedclf.training.initialization import initialize

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.data.labels import Probabilities
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, History, Resumed, Step

    Told: TypeAlias = "Folds | Device | Fold | Resumed | Step | Epoch | FoldFitted"
    from collections.abc import Iterator

    from embedclf.config.schema import Config
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Rows


@dataclass(frozen=True)
class FoldFitted:
    """A fold whose network has been fitted and has scored the rows left out."""

    fold: Fold
    history: History
    seconds: float


def out_of_fold(folds: Folds, on_event: Callable[[Told], None]) -> Probabilities:
    """Train a network for each fold, and score the rows that it has not seen.

    Each is trained as `train` would: by the config, from the same seed, its epoch chosen on
    validation rows that are none of those it scores.

    Args:
        folds: The table.
        on_event: Called with the device, each fold, step, epoch, and each fold done.

    Returns:
        (n, outputs) probabilities of all rows.

    Raises:
        TrainingError: The device is not there, or a loss is no longer a number.
        DataError: A fold leaves nothing to train or to validate on.
        KeyboardInterrupt: Ctrl-C; half of the rows are no use.
    """
    from embedclf.model import backend

    on_event(folds)
    probabilities = np.zeros((len(folds), folds.labels.outputs), np.float32)
    for fold in folds:
        device = backend.start(folds.config.training.device, folds.config.seed)
        if fold.number == 1:
            on_event(device)
        on_event(fold)
        probabilities[fold.rows] = _fitted(fold, on_event).score(fold.left_out.ids)
    return probabilities


def _fitted(fold: Fold, on_event: Callable[[Told], None]) -> Classifier:
    from embedclf.model import network
    from embedclf.training import fitting

    began = time.perf_counter()
    dataset = fold.dataset
    initial = initialize(dataset)
    net = fitting.begin(dataset, initial)
    history = fitting.fit(
        net, dataset, row_learning_rates=initial.row_learning_rates, on_event=on_event
    )
    if history.interrupted:
        raise KeyboardInterrupt(f"fold {fold.number} of {fold.of} was not finished")
    on_event(FoldFitted(fold, history, time.perf_counter() - began))
    weights = network.weights_of(net, dataset.config.model.pooling)
    return Classifier(dataset.tokenizer, dataset.labels, weights)


_TRAINS, _VALIDATES, _IS_LEFT_OUT = range(3)


@dataclass(frozen=True)
class Fold:
    """A training on most rows, and the rows that it does not see."""

    number: int
    """From 1."""
    of: int
    dataset: Dataset
    left_out: Split
    rows: Rows
    """(left out,) positions among the valid rows of the table."""


@dataclass(frozen=True)
class Folds:
    """The training table of a config, all valid rows of it, parted into folds."""

    config: Config
    labels: Labels
    """Of all rows, so that every fold has the same outputs."""
    tokenized: TokenizedTable
    targets: Targets
    numbers: npt.NDArray[np.int64]
    """(n,) the fold of each row, from 0."""
    count: int

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Fold]:
        """Prepare fold after fold; one that has no row is passed over.

        What a fold trains on is parted and encoded as `prepare` does it: the config's share of its
        rows is held out to choose the epoch, and the vocabulary is that of the others. So the rows
        left out have a part in nothing.

        Raises:
            DataError: A fold leaves nothing to train or to validate on.
        """
        strata = self.labels.strata(self.targets)
        for number in range(self.count):
            left_out = self.numbers == number
            if not left_out.any():
                continue
            rest = np.flatnonzero(~left_out)
            validates = hold_out(self.tokenized.keys[rest], strata[rest], self.config)
            sides = np.full(len(self), _TRAINS, np.int8)
            sides[left_out] = _IS_LEFT_OUT
            sides[rest[validates]] = _VALIDATES
            with ExitStack() as stack:
                dataset, part = encode_splits(
                    self.config,
                    self.labels,
                    self.tokenized,
                    sides,
                    lambda: stack.enter_context(TemporaryFile()),
                )
            check_validation(dataset)
            assert part is not None  # noqa: S101 - the fold has rows
            yield Fold(number + 1, self.count, dataset, part, np.flatnonzero(left_out))


@contextmanager
def read_folds(config: Config, count: int) -> Iterator[Folds]:
    """Read the training table and part it into folds, stratified by label and seeded.

    Args:
        config: The config; its test table is not read.
        count: How many folds.

    Raises:
        DataError: The table cannot be used.
        ConfigError: A file is not there.
    """
    config = config.model_copy(update={"data": config.data.model_copy(update={"test": None})})
    check_files(config)
    with TemporaryFile() as file:
        tokenized = read_tokenized(config, file)
        labels = Labels.fit(tokenized.rows, config.data)
        targets, _ = labels.encode(tokenized.rows, config.data)
        numbers = stratified_folds(
            tokenized.keys, labels.strata(targets), count=count, seed=config.seed
        )
        yield Folds(config, labels, tokenized, targets, numbers, count)
