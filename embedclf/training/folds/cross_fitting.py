"""Out-of-fold probabilities: each row scored by a network that has not seen it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedclf.data.config_files import check_files, check_validation_labels
from embedclf.data.dataset import Dataset, encode_splits
from embedclf.data.labels import Labels, Targets
from embedclf.data.split_units import SplitUnits, choose_validation_rows
from embedclf.data.splits import TokenizedTable, read_tokenized
from embedclf.data.unlabeled.texts import with_unlabeled
from embedclf.model.classifier import Classifier
from embedclf.text.vectors.kept import open_kept_vectors
from embedclf.text.vectors.pretrained import open_vector_source
from embedclf.training.fitting import fit_network
from embedclf.training.token_vectors import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.config.schema import Config
    from embedclf.data.labels import Probabilities
    from embedclf.data.splits import Split, SplitIds
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, History, Resumed, Step
    from embedclf.system.arrays import Int64s, Mask, Rows
    from embedclf.text.vectors.pretrained import VectorSource

    FoldEvent: TypeAlias = "Folds | Device | Fold | Resumed | Step | Epoch | FoldFitted"

_TRAIN, _VALIDATION, _LEFT_OUT, _UNUSED = range(4)


@dataclass(frozen=True)
class Fold:
    """The rows of one training, and the rows that it leaves out."""

    number: int
    """From 1."""
    count: int
    """Of all folds."""
    dataset: Dataset
    left_out: Split
    rows: Rows
    """(left out,) positions among the valid rows of the table."""
    split_ids: SplitIds
    """(n,) the split of each row: 0 training, 1 validation, 2 left out, 3 none of these."""


@dataclass(frozen=True)
class FoldFitted:
    """A fold whose network was fitted and has scored the rows left out."""

    fold: Fold
    history: History
    seconds: float
    """To initialize and fit the network."""


@dataclass(frozen=True)
class Folds:
    """The training table of a config, all its valid rows divided into folds."""

    config: Config
    labels: Labels
    """Of all rows, so that every fold has the same outputs."""
    vectors: VectorSource | None
    """The opened source of pretrained vectors."""
    tokenized: TokenizedTable
    targets: Targets
    units: SplitUnits
    """What stays together; its groups and times are those of all rows."""
    numbers: Int64s
    """(n,) the fold of each row, from 0."""
    count: int

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Fold]:
        """Prepare fold after fold; a fold without rows is skipped.

        The rows of a fold's training are split and encoded as `prepare_dataset` does it: the
        config's fraction of them is held out to choose the epoch, and the vocabulary is learned
        from the others. The rows left out are not used at all.

        Raises:
            DataError: A fold leaves nothing to train or to validate on.
        """
        for number in range(self.count):
            left_out = self.numbers == number
            if left_out.any():
                yield self.prepare(number + 1, train=~left_out, left_out=left_out)

    def prepare(self, number: int, *, train: Mask, left_out: Mask, hold_out: bool = True) -> Fold:
        """Prepare the training of a fold.

        Args:
            number: Of the fold, from 1.
            train: (n,) the rows to train on.
            left_out: (n,) the rows to score.
            hold_out: Whether to hold out some of the rows to train on, to choose the epoch.

        Raises:
            DataError: The fold leaves nothing to train or to validate on.
        """
        split_ids = self._split_ids(train, hold_out=hold_out)
        split_ids[left_out] = _LEFT_OUT
        dataset, split = self._encode(split_ids)
        assert split is not None  # noqa: S101 - the fold has rows
        return Fold(number, self.count, dataset, split, np.flatnonzero(left_out), split_ids)

    def select(self, train: Mask, *, hold_out: bool = True) -> Dataset:
        """Prepare a training on some rows (n,), as `prepare` does it, which leaves out no others.

        Raises:
            DataError: There is nothing to train or to validate on.
        """
        return self._encode(self._split_ids(train, hold_out=hold_out))[0]

    def _split_ids(self, train: Mask, *, hold_out: bool) -> SplitIds:
        split_ids = np.full(len(self), _UNUSED, np.int8)
        split_ids[train] = _TRAIN
        if hold_out:
            rest = np.flatnonzero(train)
            validates = choose_validation_rows(self.units.take(rest), self.config)
            split_ids[rest[validates]] = _VALIDATION  # `validates` indexes `rest`, not all rows
        return split_ids

    def _encode(self, split_ids: SplitIds) -> tuple[Dataset, Split | None]:
        with ExitStack() as stack:
            dataset, split = encode_splits(
                self.config,
                self.labels,
                self.tokenized,
                split_ids,
                # Closed after encoding: memory maps stay valid when their files are closed
                lambda: stack.enter_context(TemporaryFile()),
                vectors=self.vectors,
            )
        check_validation_labels(dataset)
        return dataset, split


@contextmanager
def read_folds(config: Config, count: int) -> Iterator[Folds]:
    """Read the training table and divide it into folds, stratified by label and seeded.

    All rows of a group are in one fold; without groups, all rows with equal texts are.

    Args:
        config: The config; its test table is not read.
        count: How many folds.

    Raises:
        DataError: The table cannot be used.
        ConfigError: A file is missing.
    """
    full = config
    config = config.model_copy(update={"data": config.data.model_copy(update={"test": None})})
    check_files(config)
    vectors = open_vector_source(config.model)
    open_kept_vectors(config.model)  # raises before the table is read
    with TemporaryFile() as file, TemporaryFile() as more:
        # With the test table: texts that are in it, too, are not learned from
        tokenized = with_unlabeled(read_tokenized(config.data.train, config, file), full, more)
        labels = Labels.fit(tokenized.rows, config.data)
        targets, _ = labels.encode(tokenized.rows, config.data)
        strata = labels.strata(targets, config.data)
        units = SplitUnits.from_rows(tokenized.rows, tokenized.fingerprints, strata, config.data)
        numbers = units.folds(count=count, seed=config.seed)
        yield Folds(config, labels, vectors, tokenized, targets, units, numbers, count)


def predict_out_of_fold(folds: Folds, on_event: Callable[[FoldEvent], None]) -> Probabilities:
    """Train a network for each fold, and score the rows left out of its training.

    Each network is trained as `train` would do it, from the same seed. Its epoch is chosen on
    validation rows, and these are never among the rows that it scores.

    Args:
        folds: The table.
        on_event: Called with the folds, each fold, the device, each step and epoch, and each fold
            when it is fitted.

    Returns:
        (n, outputs) probabilities of all rows.

    Raises:
        TrainingError: The device is missing, or a loss is not finite.
        DataError: A fold leaves nothing to train or to validate on.
        KeyboardInterrupt: Ctrl-C; the probabilities of only some rows would be useless.
    """
    on_event(folds)
    probabilities = np.zeros((len(folds), folds.labels.outputs), np.float32)
    for fold in folds:
        on_event(fold)
        probabilities[fold.rows] = _fit(fold, on_event).predict_proba_ids(fold.left_out.ids)
    return probabilities


def _fit(fold: Fold, on_event: Callable[[FoldEvent], None]) -> Classifier:
    """Fit the network of a fold."""
    from embedclf.model.network import extract_weights

    def on_start(event: Coverage | Device) -> None:
        # All folds run on the same device, so one report is enough
        if fold.number == 1 and not isinstance(event, Coverage):
            on_event(event)

    fitted = fit_network(fold.dataset, on_start=on_start, on_event=on_event)
    if fitted.history.interrupted:
        raise KeyboardInterrupt(f"fold {fold.number} of {fold.count} was not finished")
    # Without `start`: the first fold would count the import of TensorFlow
    seconds = fitted.seconds["prepare"] + fitted.seconds["fit"]
    on_event(FoldFitted(fold, fitted.history, seconds))
    weights = extract_weights(fitted.network, fold.dataset.config.model.pooling)
    return Classifier(fold.dataset.tokenizer, fold.dataset.labels, weights)
