"""Traits: what an audit keeps of each text of a table, as numbers, once it has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import numbers_of, text_column
from embedclf.data import Mask, Rows, read_labelled
from embedclf.findings import LEAST_SHARE, NEAR_SIZE
from embedclf.fingerprints import Fingerprints, fingerprints
from embedclf.parts import cut_as
from embedclf.signs import Signs, find_signs
from embedclf.similarity import Sketches, shingle_sets, sketch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.schema import Config

_NULLS = ("na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "undefined", "nat")
"""What programs write where there is nothing, in small letters."""


@dataclass(frozen=True)
class Traits:
    """What there is to know of each text."""

    rows: Rows
    """(n,) positions in the table."""
    fingerprints: Fingerprints
    lengths: npt.NDArray[np.int64]
    """(n,) tokens."""
    null_like: Mask
    sketches: Sketches
    signs: Signs

    def take(self, rows: Rows) -> Traits:
        """Those of the texts at positions (m,) in the table, ascending."""
        places = np.searchsorted(self.rows, rows)
        return Traits(
            rows,
            self.fingerprints[places],
            self.lengths[places],
            self.null_like[places],
            self.sketches.take(places),
            self.signs.take(places, len(self.rows)),
        )


def read_traits(path: Path, config: Config) -> Traits:
    """Read a table for the traits of its texts; raises as `data.read_labelled` does."""
    parts: list[Traits] = []

    def work(texts: pa.Array) -> Traits:
        tokens = cut_as(config, texts)
        return Traits(
            np.zeros(0, np.int64),  # known when all labels have been read
            fingerprints(tokens),
            tokens.lengths,
            _are_null_like(texts),
            sketch(shingle_sets(tokens, config.text.unit), least=NEAR_SIZE),
            find_signs(texts, frequent=LEAST_SHARE),
        )

    rows = read_labelled(path, config.data, work, parts.append).rows
    return _joined(parts, rows)


def _are_null_like(texts: pa.Array) -> Mask:
    bare = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return numbers_of(pc.is_in(bare, text_column(_NULLS))).view(np.bool_)


def _joined(parts: Sequence[Traits], rows: Rows) -> Traits:
    return Traits(
        rows,
        np.concatenate([part.fingerprints for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.null_like for part in parts]),
        Sketches.joined([part.sketches for part in parts]),
        Signs.joined([part.signs for part in parts], [len(part.lengths) for part in parts]),
    )
