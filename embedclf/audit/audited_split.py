"""Splits with the text properties that an audit needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import MAX_EXAMPLES, MIN_SHINGLES, MIN_SUPPORT_FRACTION, Example
from embedclf.audit.leakage.ratings_headers import TextPatterns, find_patterns
from embedclf.audit.minhash import Signatures, SignaturesFile, sign_texts
from embedclf.audit.mojibake import Characters, CharactersFile, examine_characters
from embedclf.data.labeled import read_labeled
from embedclf.data.scratch import TextsFile, TokensFile
from embedclf.data.splits import TokenizedTable
from embedclf.system.arrow import BATCH_ROWS, pc, text_column, to_numpy
from embedclf.system.fields import split_fields
from embedclf.system.memory.mapped_arrays import ArrayFile, take
from embedclf.system.threads import parallel_map
from embedclf.text.fingerprints import fingerprint_strings, fingerprint_texts
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labeled import Result
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Int32s, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.tokens import Tokens

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
    read_texts: Callable[[Rows], pa.StringArray]
    """Reads the texts of some of these valid rows, by their numbers from 0."""

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

    @property
    def label_keys(self) -> Fingerprints:
        """(n,) a hash of each row's label, or set of labels; comparable between splits."""
        return self.label_keys_of(np.arange(len(self)))

    def label_keys_of(self, rows: Rows) -> Fingerprints:
        """Return the label keys of some rows (m,)."""
        targets = self.split.targets
        if targets.ndim == 2:
            targets = targets[rows]
            keys = np.zeros(len(rows), np.uint64)
            hashes = fingerprint_strings(text_column(self.label_names))
            numbers = np.repeat(np.arange(len(rows)), np.diff(targets.indptr))
            # A sum (modulo 2**64) does not depend on the order of the labels.
            np.add.at(keys, numbers, hashes[targets.indices])
            return keys
        column = self.split.rows.labels[0]
        # By name, because tables number their categories differently.
        return fingerprint_strings(column.categories)[column.codes[rows]]

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
        row = int(self.split.rows.positions[index])
        return Example(self.name, row + 1, label=self._label_of(index), twin=twin)

    def examples(self, mask: Mask) -> tuple[Example, ...]:
        """Make examples of the first rows under a mask (n,)."""
        return tuple(self.example(int(index)) for index in np.flatnonzero(mask)[:MAX_EXAMPLES])

    def reread(self, rows: Rows, process: Callable[[pa.StringArray], Result]) -> list[Result]:
        """Read the texts of some of its rows again, which are not kept in memory.

        Args:
            rows: Of the split, ascending.
            process: Applied to each batch of texts, on all cores.
        """
        numbers = np.searchsorted(self.valid_positions, self.split.rows.positions[rows])
        starts = range(0, len(rows), BATCH_ROWS)
        batches = (self.read_texts(numbers[start : start + BATCH_ROWS]) for start in starts)
        return [*parallel_map(process, batches)]

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


def label_keys_at(splits: Sequence[AuditedSplit], rows: Rows) -> Fingerprints:
    """Return the label keys of some rows (m,), ascending and numbered across the splits."""
    keys = [split.label_keys_of(own) for split, own in _divide(splits, rows)]
    return np.concatenate([np.zeros(0, np.uint64), *keys])


def reread_rows(
    splits: Sequence[AuditedSplit], rows: Rows, process: Callable[[pa.StringArray], Result]
) -> list[Result]:
    """Read the texts of some rows of all splits again.

    Args:
        splits: The rows are numbered across them.
        rows: In ascending order.
        process: Applied to each batch of texts.
    """
    results: list[Result] = []
    for split, own in _divide(splits, rows):
        results += split.reread(own, process)
    return results


def _divide(splits: Sequence[AuditedSplit], rows: Rows) -> Iterator[tuple[AuditedSplit, Rows]]:
    """Yield each split with its own rows, of rows that are numbered across the splits."""
    start = 0
    for split in splits:
        first, last = np.searchsorted(rows, [start, start + len(split)])
        yield split, rows[first:last] - start
        start += len(split)


@dataclass(frozen=True)
class TextProperties:
    """The properties of texts that an audit needs."""

    fingerprints: Fingerprints
    """(n,) equal for texts with the same tokens."""
    lengths: Int32s
    """(n,) tokens, without those of fields."""
    null_like: Mask
    """(n,) True for texts such as `NaN`."""
    characters: Characters
    signatures: Signatures
    patterns: TextPatterns

    def take(self, rows: Rows) -> TextProperties:
        """Select the texts of some rows (m,), ascending."""
        if len(rows) == len(self.lengths):
            return self
        return TextProperties(
            take(self.fingerprints, rows),
            take(self.lengths, rows),
            take(self.null_like, rows),
            self.characters.take(rows),
            self.signatures.renumber(rows),
            self.patterns.renumber(rows),
        )


@dataclass(frozen=True)
class AuditedTable:
    """The texts of a table, read once for all its splits."""

    texts: TextProperties
    """Of its valid rows."""
    positions: Rows
    """(n,) of the valid rows in the table."""
    read_texts: Callable[[Rows], pa.StringArray]
    """Reads the texts of some of its valid rows, by their numbers from 0."""

    def split(self, name: str, split: Split, known_labels: tuple[str, ...]) -> AuditedSplit:
        """Make the audited form of a split of this table."""
        rows = np.searchsorted(self.positions, split.rows.positions)  # every position occurs
        texts = self.texts.take(rows)
        return AuditedSplit(name, split, known_labels, texts, self.positions, self.read_texts)


def read_audited(
    tables: Tables, config: Config, file: IO[bytes]
) -> tuple[TokenizedTable, AuditedTable]:
    """Read and tokenize a table as `read_tokenized` does, with the properties of its texts."""
    rules, fields = TokenRules.from_config(config), config.data.fields
    tokens_file = TokensFile(file)

    def process(texts: pa.StringArray) -> tuple[pa.StringArray, Tokens, TextProperties]:
        tokens = rules.tokenize(texts)
        plain = split_fields(texts, fields)[1] if fields else texts
        properties = TextProperties(
            fingerprint_texts(tokens),
            (tokens.lengths - len(fields)).astype(np.int32),
            _are_null_like(plain),
            examine_characters(plain),
            sign_texts(tokens, config.text.unit, min_shingles=MIN_SHINGLES),
            find_patterns(plain, min_fraction=MIN_SUPPORT_FRACTION),
        )
        return texts, tokens, properties

    with TemporaryFile() as texts_file:
        collected = _TableFiles(TextsFile(texts_file), tokens_file)
        rows = read_labeled(tables, config.data, process, collected.append)
        texts = collected.properties()
        table = AuditedTable(texts, rows.positions, collected.texts.reader())
    return TokenizedTable(rows, tokens_file, texts.fingerprints), table


class _TableFiles:
    """The texts of a table and their properties, added batch by batch."""

    def __init__(self, texts: TextsFile, tokens: TokensFile) -> None:
        self.texts, self._tokens = texts, tokens
        self._fingerprints, self._lengths = ArrayFile(np.uint64), ArrayFile(np.int32)
        self._null_like, self._characters = ArrayFile(np.bool_), CharactersFile()
        self._signatures = SignaturesFile()
        self._patterns, self._sizes = list[TextPatterns](), list[int]()

    def append(self, batch: tuple[pa.StringArray, Tokens, TextProperties]) -> None:
        """Add the texts of the next batch, their tokens, and their properties."""
        texts, tokens, properties = batch
        self.texts.append(texts)
        self._tokens.append(tokens)
        self._fingerprints.append(properties.fingerprints)
        self._lengths.append(properties.lengths)
        self._null_like.append(properties.null_like)
        self._characters.append(properties.characters)
        self._signatures.append(properties.signatures, len(texts))
        self._patterns.append(properties.patterns)
        self._sizes.append(len(texts))

    def properties(self) -> TextProperties:
        """Return the properties of all texts; after that, none can be added."""
        return TextProperties(
            self._fingerprints.map(),
            self._lengths.map(),
            self._null_like.map(),
            self._characters.map(),
            self._signatures.map(),
            TextPatterns.concatenate(self._patterns, self._sizes),
        )


def _are_null_like(texts: pa.Array) -> Mask:
    trimmed = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    # uint8 of 0 and 1, so a view is enough.
    return to_numpy(pc.is_in(trimmed, text_column(_NULLS))).view(np.bool_)
