"""A part of the data with the traits of its texts: what findings are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.columns import text_column
from embedclf.data import read_labelled
from embedclf.findings import SHOWN, Example
from embedclf.fingerprints import Fingerprints, string_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from embedclf.data import Made, Mask, Rows
    from embedclf.parts import Part
    from embedclf.schema import Config
    from embedclf.traits import Traits


@dataclass(frozen=True)
class Examined:
    """Training, validation or test rows."""

    name: str
    part: Part
    known: tuple[str, ...]
    """The labels of training, in the order of targets."""
    traits: Traits
    """Of its rows."""
    valid: Rows
    """Positions of all valid rows of its table, of which these may be some."""

    def __len__(self) -> int:
        return len(self.part)

    @property
    def has_own_table(self) -> bool:
        """Whether it is a table, and not a share of that of training."""
        return len(self.valid) == len(self.part)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All its labels: those of training, then the unknown."""
        return (*self.known, *self.part.unknown_labels)

    @cached_property
    def keys(self) -> Fingerprints:
        """(n,) a number for the label of each row, or the set of its labels; alike in all parts."""
        targets = self.part.targets
        if targets.ndim == 2:
            keys = np.zeros(len(self), np.uint64)
            for number, carried in zip(
                string_numbers(text_column(self.names)), targets.T, strict=True
            ):
                keys += carried.astype(np.uint64) * number  # label by label: targets may be large
            return keys
        column = self.part.rows.labels[0]
        return string_numbers(column.cells)[column.codes]

    def carriers(self, label: str) -> Mask:
        """(n,) True for the rows that carry a label, known or not."""
        if self.part.targets.ndim == 2:
            carried: Mask = self.part.targets[:, self.names.index(label)] == 1
            return carried
        column = self.part.rows.labels[0]
        code: int = column.cells.index(text_column([label])[0]).as_py()
        carrying: Mask = column.codes == code
        return carrying

    def label(self, index: int) -> str:
        """The label of a row, or its labels."""
        if self.part.targets.ndim == 2:
            return ", ".join(self.names[at] for at in np.flatnonzero(self.part.targets[index]))
        column = self.part.rows.labels[0]
        return str(column.cells[int(column.codes[index])])

    def example(self, index: int, like: Example | None = None) -> Example:
        """A row as an example."""
        row = int(self.traits.rows[index])
        return Example(self.name, row + 1, label=self.label(index), like=like)

    def examples(self, mask: Mask) -> tuple[Example, ...]:
        """The first rows under a mask (n,) as examples."""
        return tuple(self.example(int(index)) for index in np.flatnonzero(mask)[:SHOWN])

    def read(self, rows: Rows, config: Config, work: Callable[[pa.Array], Made]) -> list[Made]:
        """Read some of its rows again.

        Args:
            rows: Their positions in the table.
            config: How to read it.
            work: What to do with their texts, in batches.
        """
        made: list[Made] = []
        only = np.isin(self.valid, rows)
        path = self.part.rows.table.path
        read_labelled(path, config.data, work, made.append, only=only)
        return made
