"""Candidates for labeling: a bounded sample of different texts, uncertain ones more often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import Batch, mask_column, number_column

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles, Int64s, Mask
    from embedclf.text.fingerprints import Fingerprints

_MIN_WEIGHT = 1e-6
"""A text that the network is sure of can be sampled, too."""

_HASH_FACTOR = 0xD6E8FEB86659FD93  # odd: multiplying by it loses no bit


def sampling_keys(fingerprints: Fingerprints, weights: Doubles) -> Doubles:
    """Draw a key (n,) for each text: the texts of the smallest keys are a weighted random sample.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006. The random numbers
    are hashes of the texts. So the sample of a table is always the same, whatever the order of its
    rows.

    Args:
        fingerprints: (n,) of the texts.
        weights: (n,) how much more often a text is sampled than others, 0 or more.
    """
    mixed = fingerprints * np.uint64(_HASH_FACTOR)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(_HASH_FACTOR)
    uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return -np.log(uniform) / np.maximum(weights, _MIN_WEIGHT)


@dataclass
class CandidatePool:
    """The rows of the smallest keys, each text once; others are dropped as rows are added."""

    size: int
    """Number of rows that are returned at most; a few times as many are held."""

    def __post_init__(self) -> None:
        self._batches: list[Batch] = []
        self._keys: list[Doubles] = []
        self._fingerprints: list[Fingerprints] = []
        self._cutoff = np.inf

    def add(self, batch: Batch, keys: Doubles, fingerprints: Fingerprints) -> None:
        """Add the rows (n,) of a batch with their keys and the fingerprints of their texts."""
        self._hold(batch, keys, fingerprints, keys < self._cutoff)
        if sum(map(len, self._keys)) > 2 * self.size:
            self._shrink(np.zeros(0, np.uint64))

    def finish(self, excluded: Fingerprints) -> Batch:
        """Return the rows, those of the smallest keys first; at least one batch was added.

        Args:
            excluded: Of texts that are not wanted.
        """
        self._shrink(excluded)
        return take_rows(_join_batches(self._batches), np.argsort(np.concatenate(self._keys)))

    def _shrink(self, excluded: Fingerprints) -> None:
        """Drop rows: those of excluded texts, repeated texts, and those of the largest keys."""
        keys, fingerprints = np.concatenate(self._keys), np.concatenate(self._fingerprints)
        _, first = np.unique(fingerprints, return_index=True)
        first = first[~np.isin(fingerprints[first], excluded)]
        best = first[np.argsort(keys[first], kind="stable")[: self.size]]
        kept = np.zeros(len(keys), np.bool_)
        kept[best] = True
        if len(best) == self.size:
            self._cutoff = float(keys[best].max())
        masks = np.split(kept, np.cumsum([*map(len, self._keys)])[:-1])
        held = [*zip(self._batches, self._keys, self._fingerprints, masks, strict=True)]
        self._batches, self._keys, self._fingerprints = [], [], []
        for batch, of_keys, of_texts, mask in held:
            self._hold(batch, of_keys, of_texts, mask)

    def _hold(self, batch: Batch, keys: Doubles, fingerprints: Fingerprints, mask: Mask) -> None:
        # The first batch is held without rows, too, for its columns
        if mask.any() or not self._batches:
            self._batches.append(batch if mask.all() else filter_rows(batch, mask))
            self._keys.append(keys[mask])
            self._fingerprints.append(fingerprints[mask])


def filter_rows(batch: Batch, mask: Mask) -> Batch:
    """Keep the rows of a batch where a mask (n,) is true."""
    arrow_mask = mask_column(mask)
    return replace(
        batch,
        texts=batch.texts.filter(arrow_mask),
        # Without columns, a batch has no number of rows that a mask could fit.
        rows=batch.rows.filter(arrow_mask) if batch.rows.num_columns else batch.rows,
        records=None if batch.records is None else batch.records.filter(arrow_mask),
    )


def take_rows(batch: Batch, indices: Int64s) -> Batch:
    """Return some rows of a batch, in the order of their indices (k,)."""
    positions = number_column(indices.astype(np.int64))
    return replace(
        batch,
        texts=batch.texts.take(positions),
        rows=batch.rows.take(positions) if batch.rows.num_columns else batch.rows,
        records=None if batch.records is None else batch.records.take(positions),
    )


def _join_batches(batches: list[Batch]) -> Batch:
    """Join batches of one table."""
    tables = [pa.Table.from_batches([batch.rows]) for batch in batches]
    # Of several files, some can lack a column that others have.
    joined = pa.concat_tables(tables, promote_options="default").combine_chunks()
    rows = next(iter(joined.to_batches()), batches[0].rows)
    records = [batch.records for batch in batches]
    return Batch(
        pa.concat_arrays([batch.texts for batch in batches]),
        rows,
        None if records[0] is None else pa.concat_arrays(records),
    )
