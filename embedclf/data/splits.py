"""Train, validation and test rows, encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.data.labeled import LabeledRows, read_labeled
from embedclf.data.scratch import IdsFile, TokensFile
from embedclf.errors import DataError
from embedclf.system.threads import in_order
from embedclf.text.fingerprints import Fingerprints, fingerprints
from embedclf.text.tokenizer import TokenIds, Tokenizer
from embedclf.text.tokens import Tokens, normalize, tokenize
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from embedclf.config.schema import Config, DataConfig
    from embedclf.data.labels import Labels, Targets
    from embedclf.system.arrays import Counts


Sides = npt.NDArray[np.int8]  # (n,) which part each row belongs to; 0 is that of training

Files = Callable[[], IO[bytes]]
"""Gives scratch files."""

_AT_ONCE = 1 << 14
"""Rows of ids that are counted together."""


@dataclass(frozen=True)
class TokenizedTable:
    """The training table read once: its texts cut into tokens, to be encoded as often as wanted."""

    rows: LabeledRows
    tokens: TokensFile
    keys: Fingerprints
    """(n,) equal for equal texts."""


@dataclass(frozen=True)
class Split:
    """The rows of one purpose: training, validation or test."""

    rows: LabeledRows
    ids: TokenIds
    """(n, sequence_length), on disk."""
    targets: Targets
    unknown_labels: dict[str, int]
    """Labels that no training row has, with their number of rows."""
    tokens: int
    """Of all texts, before they were cut."""
    unknown: int
    """Tokens that are not in the vocabulary."""
    truncated: int
    """Texts that have more tokens than ids."""

    def __len__(self) -> int:
        return len(self.rows)

    def occurrences(self, size: int, mask: npt.NDArray[np.bool_] | None = None) -> Counts:
        """How often each id is among those read, padding left out.

        Args:
            size: Rows of the embedding.
            mask: (n,) which texts count; None is all of them.

        Returns:
            (size,).
        """
        rows = np.arange(len(self)) if mask is None else np.flatnonzero(mask)
        counts = np.zeros(size, np.int64)
        for start in range(0, len(rows), _AT_ONCE):
            ids = self.ids[rows[start : start + _AT_ONCE]]
            counts += np.bincount(ids.reshape(-1), minlength=size)
        counts[PADDING] = 0
        return counts

    def facts(self, labels: Labels) -> dict[str, Any]:
        """What there is to know about the rows, as plain values; shares are between 0 and 1."""
        several = labels.task == "multilabel"
        counts = (
            self.targets.sum(axis=0)[: len(labels.names)]
            if several
            else np.bincount(self.targets[self.targets >= 0], minlength=len(labels.names))
        )
        return {
            "path": str(self.rows.table.path),
            "form": self.rows.table.form,
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
    """Turns texts into the ids, and rows into the targets, of parts."""

    tokenizer: Tokenizer
    labels: Labels
    config: DataConfig
    new_file: Files

    def new(self) -> IdsFile:
        """A file for ids."""
        return IdsFile(self.new_file(), self.tokenizer)

    def encode(self, tokens: TokensFile, sides: Sides, least: int = 1) -> list[IdsFile]:
        """Write the ids of texts, those of each side (n,) to a file of its own.

        Args:
            tokens: The texts.
            sides: (n,) the side of each.
            least: How many sides there are, though the last of them may have no text.
        """
        files = [self.new() for _ in range(max(least, int(sides.max(initial=0)) + 1))]
        parts = self.tokenizer.looked_up(tokens.parts())
        start = 0
        for encoding in in_order(lambda part: self.tokenizer.lay_out(*part), parts):
            of = sides[start : start + len(encoding.ids)]
            start += len(of)
            for side, file in enumerate(files):
                file.append(encoding.take(of == side))
        return files

    def read(self, path: Path) -> Split:
        """The part that a table of its own holds."""
        tokens = TokensFile(self.new_file())
        rows = read_labeled(path, self.config, self.tokenizer.tokenize, tokens.append)
        (ids,) = self.encode(tokens, np.zeros(len(rows), np.int8))
        return self.part(rows, ids)

    def part(self, rows: LabeledRows, file: IdsFile) -> Split:
        """The part of rows whose texts have been encoded."""
        targets, unknown = self.labels.encode(rows, self.config)
        lost = (file.tokens, file.unknown, file.truncated)
        return Split(rows, file.mapped(), targets, unknown, *lost)


def read_tokenized(config: Config, file: IO[bytes]) -> TokenizedTable:
    """Read the training table and cut its texts; the tokens go to a file.

    Raises:
        DataError: The table cannot be used, or no text holds a token.
    """
    tokens, numbers = TokensFile(file), list[Fingerprints]()

    def work(texts: pa.Array) -> tuple[Tokens, Fingerprints]:
        tokenized = tokenize_column(config, texts)
        return tokenized, fingerprints(tokenized)

    def take(made: tuple[Tokens, Fingerprints]) -> None:
        tokens.append(made[0])
        numbers.append(made[1])

    rows = read_labeled(config.data.train, config.data, work, take)
    check_tokens(tokens.count, config)
    return TokenizedTable(rows, tokens, np.concatenate(numbers))


def tokenize_column(config: Config, texts: pa.Array) -> Tokens:
    """Cut texts (n,) as a config says."""
    return tokenize(normalize(texts, lowercase=config.text.lowercase), config.text.unit)


def check_tokens(count: int, config: Config) -> None:
    """Refuse texts without a token.

    Raises:
        DataError: There is none.
    """
    if not count:
        raise DataError(f"{config.data.train}: no text holds a token; see text.unit and data.text")


def learn(
    tokenized: TokenizedTable, sides: Sides, labels: Labels, config: Config, files: Files
) -> Encoder:
    """Learn the vocabulary of the texts of side 0.

    Raises:
        DataError: None of them holds a token.
    """

    def parts() -> Iterator[Tokens]:
        return (part.take(of == 0) for part, of in beside(tokenized.tokens, sides))

    counted = in_order(Tokens.count, parts())
    tokenizer = Tokenizer.fit(counted, config.text)
    check_tokens(len(tokenizer.tokens), config)
    if config.text.ngrams > 1:
        tokenizer = tokenizer.fit_ngrams(parts, config.text)
    return Encoder(tokenizer, labels, config.data, files)


def beside(tokens: TokensFile, sides: Sides) -> Iterator[tuple[Tokens, Sides]]:
    """Parts of the texts, each with its share of the sides of all."""
    start = 0
    for part in tokens.parts():
        end = start + len(part.ends)
        yield part, sides[start:end]
        start = end
