"""Splits with the text properties that an audit needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from embedclf.audit.findings import MAX_EXAMPLES, MIN_SHINGLES, MIN_SUPPORT_FRACTION, Example
from embedclf.audit.leakage.ratings_headers import TextPatterns, find_patterns
from embedclf.audit.minhash import Signatures, build_shingle_sets, compute_signatures
from embedclf.audit.mojibake import Characters, examine_characters
from embedclf.data.labeled import read_labeled
from embedclf.system.arrow import text_column, to_numpy
from embedclf.system.fields import split_fields
from embedclf.text.fingerprints import fingerprint_strings, fingerprint_texts
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labeled import Result
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Counts, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

ID_BATCH_ROWS = 1 << 14
"""Rows of token ids to examine at a time; a split may not fit in memory."""

_NULLS = ("na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "undefined", "nat")
"""Common placeholders for a missing value, in lower case."""


@dataclass(frozen=True)
class AuditedSplit:
    """Training, validation or test rows with the properties of their texts."""

    name: str
    split: Split
    known_labels: tuple[str, ...]
    """The training labels, in the order of targets."""
    texts: TextProperties
    """Of the rows of the split."""
    valid_positions: Rows
    """Positions of all valid rows of its table; the split may be a subset of them."""

    def __len__(self) -> int:
        return len(self.split)

    @property
    def has_own_table(self) -> bool:
        """Whether the split is a whole table, rather than a fraction of the training table."""
        return len(self.valid_positions) == len(self.split)

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """All its labels: the training labels, then those that do not occur in training."""
        return (*self.known_labels, *self.split.unknown_labels)

    @cached_property
    def label_keys(self) -> Fingerprints:
        """(n,) a hash of each row's label, or set of labels; comparable between splits."""
        targets = self.split.targets
        if targets.ndim == 2:
            keys = np.zeros(len(self), np.uint64)
            hashes = fingerprint_strings(text_column(self.label_names))
            rows = np.repeat(np.arange(len(self)), np.diff(targets.indptr))
            # A sum (modulo 2**64) does not depend on the order of the labels.
            np.add.at(keys, rows, hashes[targets.indices])
            return keys
        column = self.split.rows.labels[0]
        # By name, because tables number their categories differently.
        return fingerprint_strings(column.categories)[column.codes]

    def has_label(self, label: str) -> Mask:
        """(n,) True for the rows with a label, whether or not it occurs in training."""
        if self.split.targets.ndim == 2:
            label_id = self.label_names.index(label)
            has_label: Mask = self.split.targets[:, [label_id]].toarray()[:, 0] == 1
            return has_label
        # Not by target: all labels that do not occur in training share -1.
        column = self.split.rows.labels[0]
        code: int = column.categories.index(text_column([label])[0]).as_py()
        equal: Mask = column.codes == code
        return equal

    def example(self, index: int, twin: Example | None = None) -> Example:
        """Make an example of the row at an index of the split."""
        row = int(self.texts.positions[index])
        return Example(self.name, row + 1, label=self._label_of(index), twin=twin)

    def examples(self, mask: Mask) -> tuple[Example, ...]:
        """Make examples of the first rows under a mask (n,)."""
        return tuple(self.example(int(index)) for index in np.flatnonzero(mask)[:MAX_EXAMPLES])

    def reread(
        self, positions: Rows, config: Config, process: Callable[[pa.Array], Result]
    ) -> list[Result]:
        """Read some of its rows again; texts are not kept in memory.

        Args:
            positions: Of the rows in the table.
            config: How to read the table.
            process: Applied to each batch of texts.
        """
        results: list[Result] = []
        tables = self.split.rows.table.tables
        mask = np.isin(self.valid_positions, positions)  # (valid rows,), as `only` expects
        read_labeled(tables, config.data, process, results.append, only=mask)
        return results

    def _label_of(self, index: int) -> str:
        """The label of a row, or its labels joined by commas."""
        targets = self.split.targets
        if targets.ndim == 2:
            ids = targets.indices[targets.indptr[index] : targets.indptr[index + 1]]
            return ", ".join(self.label_names[label] for label in sorted(ids.tolist()))
        column = self.split.rows.labels[0]
        return str(column.categories[int(column.codes[index])])


def format_split_counts(splits: Sequence[AuditedSplit], counts: Sequence[int]) -> str:
    """Format the count of each split that is not zero: `train 3, test 1`."""
    pairs = zip(splits, counts, strict=True)
    return ", ".join(f"{split.name} {count:,}" for split, count in pairs if count)


# Rows of several splits are numbered across them: those of the second follow those of the first.


def join_fingerprints(splits: Sequence[AuditedSplit]) -> Fingerprints:
    """(n,) the fingerprints of the texts of all splits."""
    return np.concatenate([split.texts.fingerprints for split in splits])


def example_at(splits: Sequence[AuditedSplit], index: int, twin: Example | None = None) -> Example:
    """Make an example of the row at an index that is numbered across the splits."""
    for split in splits:
        if index < len(split):
            return split.example(index, twin)
        index -= len(split)
    raise IndexError(index)


def reread_rows(
    splits: Sequence[AuditedSplit],
    rows: Rows,
    config: Config,
    process: Callable[[pa.Array], Result],
) -> list[Result]:
    """Read some rows of all splits again.

    Args:
        splits: The rows are numbered across them.
        rows: In ascending order.
        config: How to read the tables.
        process: Applied to each batch of texts.
    """
    results: list[Result] = []
    start = 0
    for split in splits:
        own = rows[(rows >= start) & (rows < start + len(split))] - start
        if len(own):
            results += split.reread(split.texts.positions[own], config, process)
        start += len(split)
    return results


@dataclass(frozen=True)
class TextProperties:
    """The properties of texts that an audit needs."""

    positions: Rows
    """(n,) of the rows in the table."""
    fingerprints: Fingerprints
    lengths: Counts
    """(n,) tokens, without those of fields."""
    null_like: Mask
    """(n,) True for texts such as `NaN`."""
    characters: Characters
    signatures: Signatures
    patterns: TextPatterns

    def take(self, positions: Rows) -> TextProperties:
        """Select the texts at ascending positions (m,) in the table."""
        indices = np.searchsorted(self.positions, positions)  # every position occurs
        return TextProperties(
            positions,
            self.fingerprints[indices],
            self.lengths[indices],
            self.null_like[indices],
            self.characters.take(indices),
            self.signatures.take(indices),
            self.patterns.take(indices, len(self.positions)),
        )


def read_text_properties(tables: Tables, config: Config) -> TextProperties:
    """Compute the properties of all texts in a table; raises as `read_labeled` does."""
    batches: list[TextProperties] = []

    def process(texts: pa.Array) -> TextProperties:
        tokens = TokenRules.from_config(config).tokenize(texts)
        fields = config.data.fields
        texts = split_fields(texts, fields)[1] if fields else texts
        shingle_sets = build_shingle_sets(tokens, config.text.unit)
        return TextProperties(
            np.zeros(0, np.int64),  # known only after all labels have been checked
            fingerprint_texts(tokens),
            tokens.lengths - len(fields),
            _are_null_like(texts),
            examine_characters(texts),
            compute_signatures(shingle_sets, min_shingles=MIN_SHINGLES),
            find_patterns(texts, min_fraction=MIN_SUPPORT_FRACTION),
        )

    positions = read_labeled(tables, config.data, process, batches.append).positions
    return _concatenate(batches, positions)


def _are_null_like(texts: pa.Array) -> Mask:
    trimmed = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    # uint8 of 0 and 1, so a view is enough.
    return to_numpy(pc.is_in(trimmed, text_column(_NULLS))).view(np.bool_)


def _concatenate(batches: Sequence[TextProperties], positions: Rows) -> TextProperties:
    sizes = [len(batch.lengths) for batch in batches]
    return TextProperties(
        positions,
        np.concatenate([batch.fingerprints for batch in batches]),
        np.concatenate([batch.lengths for batch in batches]),
        np.concatenate([batch.null_like for batch in batches]),
        Characters.concatenate([batch.characters for batch in batches]),
        Signatures.concatenate([batch.signatures for batch in batches]),
        TextPatterns.concatenate([batch.patterns for batch in batches], sizes),
    )
