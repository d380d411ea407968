"""Text -> token ids (n, input_length)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.system.arrow import index_in, split_batches, string_column, text_column
from embedclf.system.threads import parallel_map
from embedclf.text.fields import NumericField, are_fields, bin_numbers, fit_numeric_fields
from embedclf.text.ngrams import Ngrams, fit_ngrams, input_length, pad_texts, row_places
from embedclf.text.token_rules import TokenRules
from embedclf.text.vocabulary import (
    PADDING,
    RESERVED,
    UNKNOWN,
    most_frequent_tokens,
    sum_counts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from embedclf.config.sections import TextConfig
    from embedclf.system.arrays import Int32s, Int64s, Mask, Offsets
    from embedclf.text.tokens import TokenCounts, Tokens

TokenIds = npt.NDArray[np.int32]  # (n, input_length)

BEGIN, END = "<s>", "</s>"
"""The beginning and the end of a text in the name of an n-gram."""

_CHUNKS_AT_ONCE = 64
"""Chunks whose tokens are looked up together."""


@dataclass(frozen=True)
class Encoding:
    """Texts as network input, with the tokens that were truncated or not in the vocabulary."""

    ids: TokenIds
    """(n, input_length): first `sequence_length` ids of tokens, padded with 0 at the end; 1 is an
    out-of-vocabulary token. Then, for bigrams and each longer n-gram, `sequence_length + 1` ids: of
    the n-gram at the beginning of the text, and of the n-grams that begin at each token. Here, 0 is
    an unknown n-gram. Long texts are truncated at the end."""
    lengths: Int32s
    """(n,) tokens of each text before truncation."""
    unknown: Int32s
    """(n,) out-of-vocabulary tokens among them."""

    @property
    def has_known_token(self) -> Mask:
        """(n,) whether the network reads a token of the vocabulary."""
        known: Mask = self.ids.max(axis=1, initial=PADDING) > UNKNOWN
        return known

    def filter(self, mask: Mask) -> Encoding:
        """Keep the texts where a mask (n,) is true."""
        return Encoding(self.ids[mask], self.lengths[mask], self.unknown[mask])


@dataclass(frozen=True)
class Tokenizer:
    """Turns texts into fixed-length rows of token ids.

    The ids of a text's known n-grams follow those of its tokens; for n-grams, the beginning and the
    end of a text count as tokens. Null and empty texts become rows of padding.
    """

    rules: TokenRules
    sequence_length: int
    tokens: tuple[str, ...]
    """The vocabulary, most frequent first; the first token has id 2."""
    ngrams: Ngrams = field(default_factory=Ngrams)
    """Known n-grams; their ids follow those of the tokens."""
    numeric_fields: tuple[NumericField, ...] = ()
    """Fields whose numbers are divided into bins."""

    @classmethod
    def fit(
        cls,
        chunks: Iterable[TokenCounts],
        rules: TokenRules,
        config: TextConfig,
        *,
        start: Tokenizer | None = None,
    ) -> Tokenizer:
        """Learn the vocabulary: the most frequent tokens, ties in code point order.

        Args:
            chunks: Token counts of the training rows, and no others, in any order.
            rules: By which the texts were split.
            config: Its `vocabulary_size` includes padding and unknown.
            start: The tokenizer of the run that the training continues from. All of its tokens and
                n-grams are kept; the tokens keep their ids, and new ones follow.
        """
        bins = start.numeric_fields if start else ()
        if rules.fields:
            counts = sum_counts(chunks)
            bins = bins if start else fit_numeric_fields(counts, rules.fields)
            chunks = [(bin_numbers(counts[0], bins), counts[1])]
        size = config.vocabulary_size - len(RESERVED)
        tokens = most_frequent_tokens(chunks, size, config.min_count)
        if start is None:
            return cls(rules, config.sequence_length, tokens, numeric_fields=bins)
        known = set(start.tokens)
        new = [token for token in tokens if token not in known][: max(0, size - len(known))]
        tokens = (*start.tokens, *new)
        first_ngram_id = len(RESERVED) + len(tokens)
        ngrams = start.ngrams.shift(start.first_ngram_id, first_ngram_id)
        return cls(rules, config.sequence_length, tokens, ngrams, bins)

    def fit_ngrams(
        self, read_chunks: Callable[[], Iterable[Tokens]], config: TextConfig
    ) -> Tokenizer:
        """Add n-grams: the most frequent ones; among equally frequent ones, the shorter.

        Those that the tokenizer already has are kept, and count towards the maximum number.

        Args:
            read_chunks: Returns the training texts in chunks; called once per n-gram length.
            config: Maximum length, maximum number and minimum count of n-grams.
        """

        def read_padded_ids() -> Iterator[Int32s]:
            for tokens, ids in self.with_token_ids(read_chunks()):
                yield pad_texts(self.ngram_ids(tokens, ids), tokens.ends)[0]

        ngrams = fit_ngrams(
            read_padded_ids,
            self.first_ngram_id,
            max_n=config.ngrams,
            size=max(0, config.ngram_vocabulary_size - len(self.ngrams)),
            min_count=config.min_count,
        )
        if len(self.ngrams):
            ngrams = self.ngrams.union(ngrams, self.first_ngram_id)
        return replace(self, ngrams=ngrams)

    def ids_in(self, other: Tokenizer) -> Int64s:
        """Return the ids (vocabulary_rows,) that all ids have in a tokenizer fitted from this."""
        ngrams = self.ngrams.shift(self.first_ngram_id, other.first_ngram_id)
        ids_of_ngrams = ngrams.ids_in(other.ngrams, other.first_ngram_id)
        return np.concatenate([np.arange(self.first_ngram_id), ids_of_ngrams])

    @property
    def first_ngram_id(self) -> int:
        """The id after those of the tokens: the number of tokens, padding and unknown included."""
        return len(RESERVED) + len(self.tokens)

    @property
    def vocabulary_rows(self) -> int:
        """Rows of the embedding: padding, unknown, one per token and one per n-gram."""
        return self.first_ngram_id + len(self.ngrams)

    @property
    def input_length(self) -> int:
        """Number of ids of a text: of its tokens, and of the n-grams of each length."""
        return input_length(self.sequence_length, self.ngrams.max_n)

    def encode(self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> Encoding:
        """Turn texts into ids, in order.

        Raises:
            TypeError: `texts` is a single string, or holds something other than strings and None.
        """
        column = string_column(texts)
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        batches = [batch for chunk in chunks for batch in split_batches(chunk)]
        batches = batches or [text_column([])]
        if len(batches) == 1:  # one text at a time is common in serving: start no threads
            return self._encode_batch(batches[0])
        encodings = list(parallel_map(self._encode_batch, batches))
        return Encoding(
            np.concatenate([encoding.ids for encoding in encodings]),
            np.concatenate([encoding.lengths for encoding in encodings]),
            np.concatenate([encoding.unknown for encoding in encodings]),
        )

    def tokenize(self, texts: pa.Array) -> Tokens:
        """Split texts (n,) into tokens, known or not, without truncation."""
        return self.rules.tokenize(texts)

    def count(self, tokens: Tokens) -> TokenCounts:
        """Count the tokens of texts; a number of a field counts as its bin."""
        dictionary, counts = tokens.count()
        return bin_numbers(dictionary, self.numeric_fields), counts

    def token_ids(self, dictionaries: Sequence[pa.StringArray]) -> list[Int32s]:
        """Look up the ids of the tokens of each dictionary.

        Arrow hashes the vocabulary on every call, so several dictionaries are looked up together.
        """
        tokens = bin_numbers(pa.concat_arrays(dictionaries), self.numeric_fields)
        ids = index_in(tokens, self._vocabulary, default=UNKNOWN)
        return np.split(ids, np.cumsum([len(dictionary) for dictionary in dictionaries])[:-1])

    def with_token_ids(self, chunks: Iterable[Tokens]) -> Iterator[tuple[Tokens, Int32s]]:
        """Yield each chunk with the ids of its dictionary."""
        remaining = iter(chunks)
        while group := list(islice(remaining, _CHUNKS_AT_ONCE)):
            ids = self.token_ids([tokens.dictionary for tokens in group])
            yield from zip(group, ids, strict=True)

    def encode_tokens(self, tokens: Tokens) -> Encoding:
        """Turn tokens into ids."""
        return self.pad(tokens, self.token_ids([tokens.dictionary])[0])

    def pad(self, tokens: Tokens, ids: Int32s) -> Encoding:
        """Arrange token ids in padded or truncated rows of equal length.

        Args:
            tokens: Of the texts.
            ids: (distinct,) the id of each token of their dictionary.
        """
        token_ids, ends = ids[tokens.codes], tokens.ends
        starts = np.concatenate([[0], ends])[:-1]  # (n,), also if n is 0
        # (tokens + 1,) number of out-of-vocabulary tokens before each position.
        unknown = np.concatenate([[0], np.cumsum(token_ids == UNKNOWN)])
        return Encoding(
            self._padded_rows(token_ids, self.ngram_ids(tokens, ids), ends),
            (ends - starts).astype(np.int32),
            (unknown[ends] - unknown[starts]).astype(np.int32),
        )

    def ngram_ids(self, tokens: Tokens, ids: Int32s) -> Int32s:
        """Return the ids that n-grams are found by (tokens,): a text begins after its fields.

        Args:
            tokens: Of the texts.
            ids: (distinct,) the id of each token of their dictionary.
        """
        if self.rules.fields:
            ids = np.where(are_fields(tokens.dictionary, self.rules.fields), PADDING, ids)
        return ids[tokens.codes]

    def names_of(self, words: Sequence[str]) -> list[str]:
        """Return tokens as the vocabulary has them: the bin of a number, all others unchanged."""
        if not self.numeric_fields:
            return [*words]
        return list(bin_numbers(text_column(words), self.numeric_fields).to_pylist())

    def decode(self, ids: Int32s) -> list[str]:
        """Return the tokens and n-grams of ids; padding and unknown are "" and " "."""
        names = (*RESERVED, *self.tokens)
        tokens_of = [self.ngrams.token_ids(number, self.first_ngram_id) for number in ids.tolist()]
        return [self.join([names[number] for number in numbers]) for numbers in tokens_of]

    def join(self, tokens: Sequence[str]) -> str:
        """Return the name of an n-gram, where "" is the beginning or the end of the text.

        `<s>` and `</s>` are set off by a space.
        """
        inner = self.rules.separator.join(filter(None, tokens))
        if len(tokens) == 1:
            return inner
        first, *_, last = tokens
        return f"{'' if first else f'{BEGIN} '}{inner}{'' if last else f' {END}'}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        return {
            **self.rules.to_json(),
            "sequence_length": self.sequence_length,
            "numeric_fields": {field.name: field.edges for field in self.numeric_fields},
            "tokens": self.tokens,
            "ngrams": self.ngrams.to_json(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tokenizer:
        """Rebuild the tokenizer that `to_json` wrote."""
        ngrams = {"ngrams": Ngrams.from_json(values["ngrams"])} if "ngrams" in values else {}
        length, tokens = values["sequence_length"], tuple(values["tokens"])
        edges = values.get("numeric_fields", {})  # since format 6
        numeric_fields = tuple(NumericField(name, tuple(edges[name])) for name in edges)
        rules = TokenRules.from_json(values)
        return cls(rules, length, tokens, numeric_fields=numeric_fields, **ngrams)

    @cached_property  # making the column takes longer than a look-up
    def _vocabulary(self) -> pa.StringArray:
        return text_column([*RESERVED, *self.tokens])

    def _encode_batch(self, texts: pa.Array) -> Encoding:
        return self.encode_tokens(self.tokenize(texts))

    def _padded_rows(self, token_ids: Int32s, ngram_ids: Int32s, ends: Offsets) -> TokenIds:
        """Arrange token ids and the ids of their n-grams in rows (n, input_length).

        Args:
            token_ids: (tokens,)
            ngram_ids: (tokens,) the ids that n-grams are found by.
            ends: (n,) where the tokens of each text end.
        """
        length, starts = self.sequence_length, np.concatenate([[0], ends])[:-1]  # (n,)
        kept = np.minimum(ends - starts, length)  # (n,)
        rows = np.full((len(ends), self.input_length), PADDING, np.int32)
        filled, places = row_places(starts, kept, length)
        # A slice is a view, so this writes to `rows`.
        rows[:, :length][filled] = token_ids[places]
        if self.ngrams.max_n == 1:
            return rows
        padded, before = pad_texts(ngram_ids, ends)
        # One more than tokens: an n-gram can begin at the padding before the text.
        filled, places = row_places(before, kept + 1, length + 1)
        is_truncated = ends - starts > length
        for n, found in enumerate(self.ngrams.find(padded, self.first_ngram_id), start=2):
            # Tokens and shorter n-grams fill the first input_length(length, n - 1) columns.
            rows_of_n = rows[:, input_length(length, n - 1) :][:, : length + 1]
            rows_of_n[filled] = found[places]
            # N-grams that reach beyond the truncation were found in tokens that are not read.
            rows_of_n[is_truncated, max(0, length + 2 - n) :] = PADDING
        return rows
