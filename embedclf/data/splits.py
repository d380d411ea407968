"""Training, validation and test rows, encoded as token ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.data.labeled import LabeledRows, read_labeled
from embedclf.data.row_columns import row_weights
from embedclf.data.scratch import IdsFile, TokensFile, count_ids, weigh_ids
from embedclf.errors import ConfigError, DataError
from embedclf.system.memory.mapped_arrays import ArrayFile, NewFile, compress, count_numbers
from embedclf.system.progress import activity
from embedclf.system.threads import parallel_map
from embedclf.tables.files import display_tables
from embedclf.text.fingerprints import Fingerprints, fingerprint_texts
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from embedclf.text.tokens import Tokens
from embedclf.text.vectors.kept import KeptVectors, KeptWords, find_kept_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels, Targets
    from embedclf.data.start import Start
    from embedclf.data.unlabeled.texts import UnlabeledTexts
    from embedclf.system.arrays import Counts, Doubles, Int32s, Mask
    from embedclf.text.encodings import Encoding, TokenIds

ReadTable = Callable[["Tables", "Config", IO[bytes]], "TokenizedTable"]
"""Reads and tokenizes a table; the tokens go to a file."""

SplitIds = npt.NDArray[np.int8]  # (n,) the split of each row: 0 is training, 1 validation


@dataclass(frozen=True)
class TokenizedTable:
    """A table, tokenized once; it can be encoded many times."""

    rows: LabeledRows
    tokens: TokensFile
    fingerprints: Fingerprints
    """(n,) equal for texts with the same tokens; only of a training table."""
    start: Start | None = None
    """What the training continues from."""
    unlabeled: UnlabeledTexts | None = None
    """The texts of `data.unlabelled`."""
    read_other: ReadTable | None = None
    """Reads the tables of the other splits; None for `read_tokens`."""


@dataclass(frozen=True)
class Split:
    """The rows of training, validation or test."""

    rows: LabeledRows
    ids: TokenIds
    """Of each text, memory-mapped."""
    targets: Targets
    unknown_labels: dict[str, int]
    """Number of rows of each label that does not occur in training."""
    tokens: int
    """Tokens of all texts, before truncation."""
    unknown: int
    """Tokens that are not in the vocabulary."""
    truncated: int
    """Texts with more tokens than `sequence_length`."""
    weights: Doubles | None = None
    """(n,) how many rows each row counts for; None if each counts for one."""
    tokenized: TokenizedTable | None = None
    """The table, if all its rows are in this split."""

    def __len__(self) -> int:
        return len(self.rows)

    def filter(self, mask: Mask) -> Split:
        """Keep the rows under a mask (n,); the numbers of tokens stay those of all rows."""
        return replace(
            self,
            rows=self.rows.filter(mask),
            ids=self.ids[mask],
            targets=self.targets[mask],
            weights=None if self.weights is None else self.weights[mask],
            tokenized=None,
        )

    def count_ids(self, vocabulary_rows: int, mask: Mask | None = None) -> Counts:
        """Count how often each id occurs.

        Args:
            vocabulary_rows: Rows of the embedding.
            mask: (n,) True for the texts to count; None counts all.

        Returns:
            (vocabulary_rows,).
        """
        return count_ids(self.ids, vocabulary_rows, mask)

    def weigh_ids(
        self, vocabulary_rows: int, weights: Doubles, mask: Mask | None = None
    ) -> Doubles:
        """Sum the weights (n,) of the texts that each id occurs in; arguments as in `count_ids`."""
        return weigh_ids(self.ids, vocabulary_rows, weights, mask)

    def count_labels(self, labels: Labels) -> Counts:
        """Return how many rows have each label (labels,)."""
        if labels.task == "multilabel":
            # Columns of unknown labels come after those of the training labels.
            counts: Counts = self.targets.sum(axis=0)[: len(labels.names)]
            return counts
        # -1 is the target of unknown labels.
        return count_numbers(compress(self.targets, self.targets >= 0), len(labels.names))

    def facts(self, labels: Labels) -> dict[str, Any]:
        """Describe the rows as plain values; fractions are from 0 to 1."""
        counts = self.count_labels(labels)
        return {
            "path": self.rows.table.tables,
            "form": self.rows.table.description,
            "rows": len(self),
            "rows_skipped": self.rows.skipped,
            "labels": dict(zip(labels.names, counts.tolist(), strict=True)),
            "unknown_labels": self.unknown_labels,
            "tokens": self.tokens,
            "share_of_texts_cut": self.truncated / len(self),
            "share_of_tokens_unknown": self.unknown / max(self.tokens, 1),
        }


@dataclass(frozen=True)
class Encoder:
    """Encodes the texts and labels of splits."""

    tokenizer: Tokenizer
    labels: Labels
    config: DataConfig
    new_file: NewFile
    kept_vectors: KeptVectors | None = None
    """Vectors of tokens that are kept in training."""

    def encode(
        self, tokens: TokensFile, split_ids: SplitIds, *, min_splits: int = 1
    ) -> list[IdsFile]:
        """Encode texts into one file per split.

        Args:
            tokens: The texts.
            split_ids: (n,) the split of each.
            min_splits: Minimum number of files, even if the last splits are empty.
        """
        count = max(min_splits, int(split_ids.max(initial=0)) + 1)
        files = [self._new_ids_file() for _ in range(count)]

        def encode(chunk: tuple[Tokens, Int32s, SplitIds]) -> list[Encoding]:
            texts, token_ids, ids_of_chunk = chunk
            encoding = self.tokenizer.arrange(texts, token_ids)
            return [encoding.filter(ids_of_chunk == split_id) for split_id in range(count)]

        with activity("encoding texts", total=len(split_ids), unit="rows") as encoding_texts:
            for encodings in parallel_map(encode, self._read_chunks(tokens, split_ids)):
                for encoding, file in zip(encodings, files, strict=True):
                    file.append(encoding)
                    encoding_texts.advance(len(encoding.ids))
        return files

    def read_split(self, tables: Tables, *, config: Config, read: ReadTable | None) -> Split:
        """Read and encode a table that is a whole split; None reads it by `read_tokens`."""
        table = (read or read_tokens)(tables, config, self.new_file())
        (ids,) = self.encode(table.tokens, np.zeros(len(table.rows), np.int8))
        return replace(self.make_split(table.rows, ids), tokenized=table)

    def make_split(self, rows: LabeledRows, file: IdsFile) -> Split:
        """Make a split of rows whose texts are encoded."""
        rows = self.labels.merge_forms(rows, self.config)
        targets, unknown_labels = self.labels.encode(rows, self.config)
        lost = (file.tokens, file.unknown, file.truncated)
        weights = row_weights(rows, self.config)
        return Split(rows, file.memory_map(), targets, unknown_labels, *lost, weights=weights)

    def _read_chunks(
        self, tokens: TokensFile, split_ids: SplitIds
    ) -> Iterator[tuple[Tokens, Int32s, SplitIds]]:
        """Yield each chunk of texts with the ids of its dictionary, and its split ids."""
        start = 0
        for texts, token_ids in self.tokenizer.with_token_ids(tokens.chunks()):
            end = start + len(texts.ends)
            yield texts, token_ids, split_ids[start:end]
            start = end

    def _new_ids_file(self) -> IdsFile:
        return IdsFile(self.new_file, self.tokenizer)


def read_tokenized(tables: Tables, config: Config, file: IO[bytes]) -> TokenizedTable:
    """Read and tokenize a training table; the tokens go to a file.

    Raises:
        DataError: The table cannot be used.
    """
    tokens, fingerprints = TokensFile(file), ArrayFile(np.uint64)
    rules = TokenRules.from_config(config)

    def process(texts: pa.Array) -> tuple[Tokens, Fingerprints]:
        tokenized = rules.tokenize(texts)
        return tokenized, fingerprint_texts(tokenized)

    def collect(chunk: tuple[Tokens, Fingerprints]) -> None:
        tokens.append(chunk[0])
        fingerprints.append(chunk[1])

    rows = read_labeled(tables, config.data, process, collect)
    return TokenizedTable(rows, tokens, fingerprints.map())


def read_tokens(tables: Tables, config: Config, file: IO[bytes]) -> TokenizedTable:
    """Read and tokenize a table as `read_tokenized` does, without fingerprints."""
    tokens, rules = TokensFile(file), TokenRules.from_config(config)
    rows = read_labeled(tables, config.data, rules.tokenize, tokens.append)
    return TokenizedTable(rows, tokens, np.zeros(0, np.uint64))


def require_tokens(count: int, config: Config) -> None:
    """Raise DataError if the training table has no token."""
    if not count:
        table = display_tables(config.data.train)
        raise DataError(f"{table}: no text has a token; check data.text and text.token_pattern")


@activity("building the vocabulary")
def fit_encoder(
    table: TokenizedTable, split_ids: SplitIds, labels: Labels, config: Config, new_file: NewFile
) -> Encoder:
    """Learn the vocabulary from the training rows, which have split id 0.

    If a teacher labels the unlabeled texts, these are training texts, too.

    Raises:
        DataError: No training row has a token.
    """

    def read_training_chunks() -> Iterator[Tokens]:
        for tokens, ids_of_chunk in with_split_ids(table.tokens, split_ids):
            yield tokens.filter(ids_of_chunk == 0)
        if table.unlabeled is not None and config.training.teacher != "none":
            yield from table.unlabeled.tokens.chunks()

    # Tokens that do not occur in training get a count of 0, and are dropped by the merge.
    counts = parallel_map(Tokens.count, read_training_chunks())
    start = None if table.start is None else table.start.tokenizer
    rules = TokenRules.from_config(config)
    kept = _find_kept_words(table, rules, config, read_training_chunks)
    words = () if kept is None else kept.words
    tokenizer = Tokenizer.fit(counts, rules, config.text, start=start, vector_words=words)
    require_tokens(len(tokenizer.learned_tokens), config)
    if config.text.ngrams > 1:
        tokenizer = tokenizer.fit_ngrams(read_training_chunks(), config.text)
    source = None if kept is None else kept.source
    return Encoder(tokenizer, labels, config.data, new_file, source)


def _find_kept_words(
    table: TokenizedTable,
    rules: TokenRules,
    config: Config,
    read_training: Callable[[], Iterator[Tokens]],
) -> KeptWords | None:
    """Find the kept vectors, and the words that they add to those learned in training."""
    continues = table.start is not None
    if continues and config.model.vectors == "own":
        return None  # vectors learned from other texts would not fit those of the run
    read_unlabeled = None
    if table.unlabeled is not None and config.training.teacher == "none":
        read_unlabeled = table.unlabeled.tokens.chunks
    try:
        return find_kept_words(config, rules, read_training, read_unlabeled)
    except ConfigError:
        if continues:
            return None  # without the package, the run still has the vectors of its words
        raise


def with_split_ids(tokens: TokensFile, split_ids: SplitIds) -> Iterator[tuple[Tokens, SplitIds]]:
    """Yield each chunk of texts with its split ids; `split_ids` (n,) are those of all texts."""
    start = 0
    for chunk in tokens.chunks():
        end = start + len(chunk.ends)
        yield chunk, split_ids[start:end]
        start = end
