"""Folds: one table, trained on again and again, each time without some of its rows."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.data import folds
from embedclf.labels import Labels, Targets
from embedclf.parts import Cut, read_cut
from embedclf.preparation import (
    Prepared,
    check_files,
    check_validation,
    hold_out,
    prepare_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.data import Rows
    from embedclf.parts import Part
    from embedclf.schema import Config

_TRAINS, _VALIDATES, _IS_LEFT_OUT = range(3)


@dataclass(frozen=True)
class Fold:
    """A training on most rows, and the rows that it does not see."""

    number: int
    """From 1."""
    of: int
    prepared: Prepared
    left_out: Part
    rows: Rows
    """(left out,) positions among the valid rows of the table."""


@dataclass(frozen=True)
class Folds:
    """The training table of a config, all valid rows of it, parted into folds."""

    config: Config
    labels: Labels
    """Of all rows, so that every fold has the same outputs."""
    cut: Cut
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
            validates = hold_out(self.cut.keys[rest], strata[rest], self.config)
            sides = np.full(len(self), _TRAINS, np.int8)
            sides[left_out] = _IS_LEFT_OUT
            sides[rest[validates]] = _VALIDATES
            with ExitStack() as stack:
                prepared, part = prepare_parts(
                    self.config,
                    self.labels,
                    self.cut,
                    sides,
                    lambda: stack.enter_context(TemporaryFile()),
                )
            check_validation(prepared)
            assert part is not None  # noqa: S101 - the fold has rows
            yield Fold(number + 1, self.count, prepared, part, np.flatnonzero(left_out))


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
        cut = read_cut(config, file)
        labels = Labels.fit(cut.rows, config.data)
        targets, _ = labels.encode(cut.rows, config.data)
        numbers = folds(cut.keys, labels.strata(targets), count=count, seed=config.seed)
        yield Folds(config, labels, cut, targets, numbers, count)
