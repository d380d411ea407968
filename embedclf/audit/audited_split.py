"""A split with what an audit knows of each text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.audit.findings import LEAST_SHARE, NEAR_SIZE, SHOWN, Example
from embedclf.audit.minhash import Sketches, shingle_sets, sketch
from embedclf.audit.ratings_headers import Signs, find_signs
from embedclf.data.labeled import read_labeled
from embedclf.data.splits import tokenize_column
from embedclf.system.arrays import Mask, Rows
from embedclf.system.arrow import numbers_of, text_column
from embedclf.text.fingerprints import Fingerprints, fingerprints, string_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from embedclf.config.schema import Config
    from embedclf.data.labeled import Made
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Mask, Rows


@dataclass(frozen=True)
class AuditedSplit:
    """Training, validation or test rows."""

    name: str
    part: Split
    known: tuple[str, ...]
    """The labels of training, in the order of targets."""
    traits: TextTraits
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
        read_labeled(path, config.data, work, made.append, only=only)
        return made


_NULLS = ("na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "undefined", "nat")
"""What programs write where there is nothing, in small letters."""


@dataclass(frozen=True)
class TextTraits:
    """What there is to know of each text."""

    rows: Rows
    """(n,) positions in the table."""
    fingerprints: Fingerprints
    lengths: npt.NDArray[np.int64]
    """(n,) tokens."""
    null_like: Mask
    sketches: Sketches
    signs: Signs

    def take(self, rows: Rows) -> TextTraits:
        """Those of the texts at positions (m,) in the table, ascending."""
        places = np.searchsorted(self.rows, rows)
        return TextTraits(
            rows,
            self.fingerprints[places],
            self.lengths[places],
            self.null_like[places],
            self.sketches.take(places),
            self.signs.take(places, len(self.rows)),
        )


def read_traits(path: Path, config: Config) -> TextTraits:
    """Read a table for the traits of its texts; raises as `data.read_labelled` does."""
    parts: list[TextTraits] = []

    def work(texts: pa.Array) -> TextTraits:
        tokens = tokenize_column(config, texts)
        return TextTraits(
            np.zeros(0, np.int64),  # known when all labels have been read
            fingerprints(tokens),
            tokens.lengths,
            _are_null_like(texts),
            sketch(shingle_sets(tokens, config.text.unit), least=NEAR_SIZE),
            find_signs(texts, frequent=LEAST_SHARE),
        )

    rows = read_labeled(path, config.data, work, parts.append).rows
    return _joined(parts, rows)


def _are_null_like(texts: pa.Array) -> Mask:
    bare = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return numbers_of(pc.is_in(bare, text_column(_NULLS))).view(np.bool_)


def _joined(parts: Sequence[TextTraits], rows: Rows) -> TextTraits:
    return TextTraits(
        rows,
        np.concatenate([part.fingerprints for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.null_like for part in parts]),
        Sketches.joined([part.sketches for part in parts]),
        Signs.joined([part.signs for part in parts], [len(part.lengths) for part in parts]),
    )
