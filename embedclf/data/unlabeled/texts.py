"""Unlabeled texts: read and tokenize them, without those of the labeled tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.config.messages import closest_match
from embedclf.data.labeled import read_labeled
from embedclf.data.scratch import TokensFile
from embedclf.errors import ConfigError, DataError
from embedclf.system.arrow import mask_column, pc, text_column
from embedclf.system.fields import split_fields
from embedclf.system.formats import FORMATS, table_suffix
from embedclf.system.terminal import format_count
from embedclf.system.threads import parallel_map
from embedclf.tables.files import find_files
from embedclf.tables.new_tables import NewColumnError, open_new_table
from embedclf.tables.parts import MissingColumnError
from embedclf.text.fingerprints import Fingerprints, fingerprint_texts
from embedclf.text.markup import remove_markup
from embedclf.text.token_rules import TokenRules
from embedclf.text.vectors.sentences import MAX_CHARACTERS, SentenceVectors, encode_sentences
from embedclf.text.vectors.use_encoder import require_use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.splits import TokenizedTable
    from embedclf.system.arrays import Mask
    from embedclf.tables.tables import Table
    from embedclf.text.tokens import Tokens


@dataclass(frozen=True)
class UnlabeledTexts:
    """The texts of `data.unlabelled`, without empty ones and those of the labeled tables."""

    table: Table
    tokens: TokensFile
    count: int
    left_out: int
    """Texts that are empty, or in the training, validation or test table, too."""
    sentences: SentenceVectors | None = None
    """Of these texts; None without a teacher."""
    labeled_sentences: SentenceVectors | None = None
    """Of the rows of the training table."""

    def __len__(self) -> int:
        return self.count

    def facts(self) -> dict[str, Any]:
        """Describe the texts as plain values."""
        return {
            "path": self.table.tables,
            "form": self.table.description,
            "rows": self.count,
            "rows_left_out": self.left_out,
        }


def with_unlabeled(table: TokenizedTable, config: Config, file: IO[bytes]) -> TokenizedTable:
    """Read and tokenize the unlabeled texts that a config names, if it names some.

    A text of the training table has a label already. Scores on the validation and the test table
    would be optimistic if the training had read these texts.

    Args:
        table: The training table.
        config: The config.
        file: An empty file for the tokens.

    Raises:
        DataError: The table cannot be read, lacks a text column, or has no other texts.
        ConfigError: The teacher's package is not installed, or the training continues from a run.
    """
    tables, teaches = config.data.unlabelled, config.training.teacher != "none"
    if tables is None:
        return table
    if teaches and table.start is not None:
        raise ConfigError(
            "training.teacher: a training that continues from a run learns from labeled rows "
            "only; set training.teacher: none"
        )
    if teaches:
        require_use("training.teacher: use")
    known = np.concatenate([table.fingerprints, *_held_out_fingerprints(config)])
    reader = _UnlabeledReader(tables, config, known, TokensFile(file))
    texts = reader.read()
    read = UnlabeledTexts(reader.table, reader.tokens, reader.count, reader.left_out)
    if teaches:
        # Labeled rows first, as in each training of this process
        labeled = encode_sentences(_read_plain_texts(config))
        read = replace(read, labeled_sentences=labeled, sentences=encode_sentences(texts))
    return replace(table, unlabeled=read)


def open_unlabeled(tables: Tables, config: Config) -> tuple[Table, Iterator[pa.Array]]:
    """Open a table of unlabeled texts, and return it with its texts (rows,), batch by batch.

    It is read like the training table, as far as that fits. Labels are not read. A file of no
    known format has a text per line.

    Raises:
        DataError: The table cannot be read, or lacks a text column.
    """
    try:
        table, data = open_new_table(tables, config.data, {})
    except NewColumnError as error:
        suffixes = {table_suffix(file.location) for file in find_files(tables)}
        if error.close or not suffixes.isdisjoint(FORMATS):
            raise _describe_missing(error) from error
        data = config.data.model_copy(update={"fields": ()})  # a line can begin with them
        table, data = open_new_table(tables, data, {"format": "lines", "text": "text"})
    columns = data.input_columns
    batches = (batch for batch, _ in table.iter_batches(columns.names))
    texts = (columns.join([batch[name] for name in columns.names]) for batch in batches)
    return table, texts


def _read_plain_texts(config: Config) -> pa.StringArray:
    """Read the texts (n,) of the valid training rows, without fields and markup."""
    chunks = list[pa.Array]()
    read_labeled(config.data.train, config.data, lambda texts: _plain(texts, config), chunks.append)
    return pa.concat_arrays(chunks)


def _held_out_fingerprints(config: Config) -> Iterator[Fingerprints]:
    """Yield the fingerprints of the texts of the validation table and of the test table."""
    rules = TokenRules.from_config(config)
    for tables in (config.data.validation, config.data.test):
        if tables is None or isinstance(tables, float):
            continue
        found = list[Fingerprints]()
        read_labeled(
            tables,
            config.data,
            lambda texts: fingerprint_texts(rules.tokenize(texts)),
            found.append,
        )
        yield from found


class _UnlabeledReader:
    """Reads the table once."""

    def __init__(
        self, tables: Tables, config: Config, known: Fingerprints, tokens: TokensFile
    ) -> None:
        self.table, self._batches = open_unlabeled(tables, config)
        self.tokens = tokens
        self.count = self.left_out = 0
        self._config, self._known = config, known
        self._rules = TokenRules.from_config(config)

    def read(self) -> pa.StringArray:
        """Tokenize all texts, and return them as the sentence encoder takes them.

        Without a teacher, none are returned, since nothing needs them.
        """
        teaches = self._config.training.teacher != "none"
        texts = list[pa.Array]()
        for tokens, plain, mask in parallel_map(self._process, self._batches):
            self.left_out += int(np.count_nonzero(~mask))
            self.count += len(plain)
            self.tokens.append(tokens)
            texts += [plain] if teaches else []
        if not self.count + self.left_out:
            raise DataError(f"{self.table.name}: no rows after the header; add unlabeled texts")
        if not self.count:
            rows = format_count(self.left_out, "row")
            raise DataError(
                f"{self.table.name}: nothing to learn from its {rows} (data.unlabelled): each is "
                "empty, or in the training, validation or test table; add other texts"
            )
        return pa.concat_arrays(texts) if texts else text_column([])

    def _process(self, texts: pa.Array) -> tuple[Tokens, pa.Array, Mask]:
        """Return the tokens and the texts that are kept, and (n,) which ones are."""
        tokens = self._rules.tokenize(texts)
        fingerprints = fingerprint_texts(tokens)
        mask: Mask = (tokens.lengths > 0) & ~np.isin(fingerprints, self._known)
        return tokens.filter(mask), _plain(texts.filter(mask_column(mask)), self._config), mask


def _plain(texts: pa.Array, config: Config) -> pa.StringArray:
    """Return the beginnings of texts (n,) as people read them: without fields and markup."""
    texts = pc.coalesce(texts, text_column([""])[0])
    if config.data.fields:
        texts = split_fields(texts, config.data.fields)[1]
    texts = remove_markup(texts) if config.text.html else texts
    return pc.utf8_slice_codeunits(texts, 0, MAX_CHARACTERS)  # more are not encoded


def _describe_missing(error: NewColumnError) -> DataError:
    """Say which column the table lacks; it has no options of its own that name one."""
    missing = error.__cause__
    if not isinstance(missing, MissingColumnError):
        return error
    close = error.close or closest_match(missing.column, missing.columns)
    hint = f"rename {close!r}" if close else "add this column, or rename the one of the texts"
    return DataError(f"{missing.name}:1: no column {missing.column!r} (data.unlabelled); {hint}")
