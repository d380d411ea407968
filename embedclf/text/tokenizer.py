"""Texts -> token ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import split_batches, string_column, text_column
from embedclf.system.threads import parallel_map
from embedclf.text.encodings import Encoding, TokenIds
from embedclf.text.few_texts import encode_few
from embedclf.text.fields import NumericField, are_fields, bin_numbers, fit_numeric_fields
from embedclf.text.ngram_counts import fit_ngrams
from embedclf.text.ngrams import Ngrams, input_length, pad_texts
from embedclf.text.token_rules import TokenRules
from embedclf.text.vocabulary import (
    PADDING,
    RESERVED,
    UNKNOWN,
    Vocabulary,
    most_frequent_tokens,
    sum_counts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from embedclf.config.sections import TextConfig
    from embedclf.system.arrays import Int32s, Int64s, Rows
    from embedclf.text.tokens import TokenCounts, Tokens

BEGIN, END = "<s>", "</s>"
"""The beginning and the end of a text in the name of an n-gram."""

_CHUNKS_AT_ONCE = 64
"""Chunks whose tokens are looked up together."""


@dataclass(frozen=True)
class Tokenizer:
    """Turns texts into token ids.

    The ids of a text's known n-grams follow those of its tokens; for n-grams, the beginning and the
    end of a text count as tokens. Null and empty texts have no ids.
    """

    rules: TokenRules
    sequence_length: int
    tokens: tuple[str, ...]
    """The vocabulary, most frequent first; the first token has id 2. At the end are the words that
    are known only by their kept vectors."""
    ngrams: Ngrams = field(default_factory=Ngrams)
    """Known n-grams; their ids follow those of the tokens."""
    numeric_fields: tuple[NumericField, ...] = ()
    """Fields whose numbers are divided into bins."""
    vector_words: int = 0
    """Number of tokens, at the end, that are known only by their kept vectors: training has not
    read them often enough, or not at all. They are part of no n-gram."""

    @classmethod
    def fit(
        cls,
        chunks: Iterable[TokenCounts],
        rules: TokenRules,
        config: TextConfig,
        *,
        start: Tokenizer | None = None,
        vector_words: Sequence[str] = (),
    ) -> Tokenizer:
        """Learn the vocabulary: the most frequent tokens, ties in code point order.

        Args:
            chunks: Token counts of the training rows, and no others, in any order.
            rules: By which the texts were split.
            config: Its `vocabulary_size` includes padding and unknown.
            start: The tokenizer of the run that the training continues from. All of its tokens and
                n-grams are kept, and its learned tokens keep their ids.
            vector_words: Words with kept vectors; those that are not learned follow the others.
        """
        bins = start.numeric_fields if start else ()
        if rules.fields:
            counts = sum_counts(chunks)
            bins = bins if start else fit_numeric_fields(counts, rules.fields)
            chunks = [(bin_numbers(counts[0], bins), counts[1])]
        size = config.vocabulary_size - len(RESERVED)
        tokens = most_frequent_tokens(chunks, size, config.min_count)
        ngrams = Ngrams()
        if start is not None:
            learned = dict.fromkeys(start.learned_tokens)
            new = [token for token in tokens if token not in learned]
            tokens = (*learned, *new[: max(0, size - len(learned))])
            vector_words = (*start.tokens[len(learned) :], *vector_words)
        known = set(tokens)
        others = [word for word in dict.fromkeys(vector_words) if word not in known]
        if start is not None:
            first_ngram_id = len(RESERVED) + len(tokens) + len(others)
            ngrams = start.ngrams.shift(start.first_ngram_id, first_ngram_id)
        return cls(
            rules,
            config.sequence_length,
            (*tokens, *others),
            ngrams,
            bins,
            vector_words=len(others),
        )

    def fit_ngrams(self, chunks: Iterable[Tokens], config: TextConfig) -> Tokenizer:
        """Add n-grams: the most frequent ones; among equally frequent ones, the shorter.

        Those that the tokenizer already has are kept, and count towards the maximum number.

        Args:
            chunks: Of the training texts.
            config: Maximum length, maximum number and minimum count of n-grams.
        """

        def pad(chunk: tuple[Tokens, Int32s]) -> Int32s:
            tokens, ids = chunk
            return pad_texts(self.ngram_ids(tokens, ids), tokens.ends)[0]

        ngrams = fit_ngrams(
            parallel_map(pad, self.with_token_ids(chunks)),
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
        ids_of_tokens = other.vocabulary.find(self.vocabulary.column)
        return np.concatenate([ids_of_tokens.astype(np.int64), ids_of_ngrams])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The ids of the tokens."""
        return Vocabulary(self.tokens)

    @property
    def learned_tokens(self) -> tuple[str, ...]:
        """The tokens that are learned in training: all but those known only by their vectors."""
        return self.tokens[: len(self.tokens) - self.vector_words]

    @property
    def first_vector_id(self) -> int:
        """The id after those of the learned tokens."""
        return len(RESERVED) + len(self.tokens) - self.vector_words

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
        """Maximum number of ids of a text: of its tokens, and of the n-grams of each length."""
        return input_length(self.sequence_length, self.ngrams.max_n)

    def encode(self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> Encoding:
        """Turn texts into ids, in order.

        Raises:
            TypeError: `texts` is a single string, or holds something other than strings and None.
        """
        listed = texts if isinstance(texts, list | tuple) else string_column(texts)
        if (few := encode_few(listed, self)) is not None:
            return few
        column = string_column(listed)
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        batches = [each for chunk in chunks for each in split_batches(chunk)] or [text_column([])]
        if len(batches) == 1:  # one text at a time is common in serving: start no threads
            return self._encode_batch(batches[0])
        return Encoding.concatenate(list(parallel_map(self._encode_batch, batches)))

    def tokenize(self, texts: pa.Array) -> Tokens:
        """Split texts (n,) into tokens, known or not, without truncation."""
        return self.rules.tokenize(texts)

    def count(self, tokens: Tokens) -> TokenCounts:
        """Count the tokens of texts; a number of a field counts as its bin."""
        dictionary, counts = tokens.count()
        return bin_numbers(dictionary, self.numeric_fields), counts

    def token_ids(self, dictionaries: Sequence[pa.StringArray]) -> list[Int32s]:
        """Look up the ids of the tokens of each dictionary.

        Several dictionaries are looked up together, since each call hashes the vocabulary.
        """
        tokens = bin_numbers(pa.concat_arrays(dictionaries), self.numeric_fields)
        ids = self.vocabulary.find(tokens)
        return np.split(ids, np.cumsum([len(dictionary) for dictionary in dictionaries])[:-1])

    def with_token_ids(self, chunks: Iterable[Tokens]) -> Iterator[tuple[Tokens, Int32s]]:
        """Yield each chunk with the ids of its dictionary."""
        remaining = iter(chunks)
        while group := list(islice(remaining, _CHUNKS_AT_ONCE)):
            ids = self.token_ids([tokens.dictionary for tokens in group])
            yield from zip(group, ids, strict=True)

    def encode_tokens(self, tokens: Tokens) -> Encoding:
        """Turn tokens into ids."""
        return self.arrange(tokens, self.token_ids([tokens.dictionary])[0])

    def arrange(self, tokens: Tokens, ids: Int32s) -> Encoding:
        """Truncate texts, and add their known n-grams.

        Args:
            tokens: Of the texts.
            ids: (distinct,) the id of each token of their dictionary.
        """
        token_ids = TokenIds(ids[tokens.codes], tokens.ends)
        ngrams = [found for found, _ in self._find_ngrams(tokens, ids)]
        return Encoding(
            TokenIds.join([token_ids.truncate(self.sequence_length), *ngrams]),
            token_ids.lengths.astype(np.int32),
            token_ids.count(token_ids.values == UNKNOWN).astype(np.int32),
        )

    def locate_ngrams(self, tokens: Tokens) -> tuple[Rows, Rows]:
        """Find where the n-grams of texts begin, in the order of the ids of `encode_tokens`.

        Args:
            tokens: Of the texts.

        Returns:
            (ngrams,) the position of the first token, from 1; 0 is the beginning of the text. And
            (ngrams,) the number of tokens of each, the beginning and the end of the text included.
        """
        found = [*self._find_ngrams(tokens, self.token_ids([tokens.dictionary])[0])]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        sizes = [np.full(len(places), size) for size, (_, places) in enumerate(found, start=2)]
        begins = TokenIds.join([TokenIds(places, ids.ends) for ids, places in found])
        by_text = [TokenIds(size, ids.ends) for size, (ids, _) in zip(sizes, found, strict=True)]
        return begins.values.astype(np.int64), TokenIds.join(by_text).values.astype(np.int64)

    def ngram_ids(self, tokens: Tokens, ids: Int32s) -> Int32s:
        """Return the ids that n-grams are found by (tokens,): a text begins after its fields.

        Words known only by their vectors are unknown here.

        Args:
            tokens: Of the texts.
            ids: (distinct,) the id of each token of their dictionary.
        """
        if self.vector_words:
            ids = np.where(ids < self.first_vector_id, ids, UNKNOWN)
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
        """Plain values for `text.json`: all but the tokens and the n-grams."""
        return {
            **self.rules.to_json(),
            "sequence_length": self.sequence_length,
            "numeric_fields": {field.name: field.edges for field in self.numeric_fields},
            "vector_words": self.vector_words,
        }

    @classmethod
    def from_json(
        cls, values: Mapping[str, Any], tokens: Iterable[str], ngrams: Ngrams
    ) -> Tokenizer:
        """Rebuild a tokenizer from the values of `to_json`, its tokens and its n-grams."""
        edges = values.get("numeric_fields", {})  # since format 6
        return cls(
            TokenRules.from_json(values),
            values["sequence_length"],
            tuple(tokens),
            ngrams,
            tuple(NumericField(name, tuple(edges[name])) for name in edges),
            values.get("vector_words", 0),  # since format 7
        )

    def _encode_batch(self, texts: pa.Array) -> Encoding:
        return self.encode_tokens(self.tokenize(texts))

    def _find_ngrams(self, tokens: Tokens, ids: Int32s) -> Iterator[tuple[TokenIds, Rows]]:
        """Find the known n-grams of texts; `ids` (distinct,) are those of their dictionary."""
        token_ids = TokenIds(self.ngram_ids(tokens, ids), tokens.ends)
        return self.ngrams.find_in_texts(token_ids, self.first_ngram_id, self.sequence_length)
