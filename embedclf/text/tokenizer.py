"""Text -> token ids (n, input_length)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.system.arrow import BATCH_ROWS, index_in, split_batches, text_column
from embedclf.system.threads import parallel_map
from embedclf.text.ngrams import Ngrams, fit_ngrams, input_length, pad_texts
from embedclf.text.tokens import normalize, tokenize
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN, most_frequent_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from embedclf.config.sections import TextConfig
    from embedclf.system.arrays import Int32s, Mask, Offsets, Rows
    from embedclf.text.tokens import TokenCounts, Tokens

TokenIds = npt.NDArray[np.int32]  # (n, input_length)

BEGIN, END = "<s>", "</s>"
"""The beginning and the end of a text in the name of an n-gram."""

_CHUNKS_AT_ONCE = 64
"""Chunks whose tokens are looked up together."""

_STRING_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,  # a column of None only
)


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

    Texts are normalized to NFC and, optionally, lower-cased; typographic apostrophes become plain
    ones. With `unit: word`, tokens are runs of letters, numbers, marks and inner apostrophes of any
    script; with `unit: character`, they are all code points except white space. The ids of a text's
    known n-grams follow those of its tokens; for n-grams, the beginning and the end of a text count
    as tokens. Null and empty texts become rows of padding.
    """

    unit: str
    lowercase: bool
    sequence_length: int
    tokens: tuple[str, ...]
    """The vocabulary, most frequent first; the first token has id 2."""
    ngrams: Ngrams = field(default_factory=Ngrams)
    """Known n-grams; their ids follow those of the tokens."""

    @classmethod
    def fit(cls, chunks: Iterable[TokenCounts], config: TextConfig) -> Tokenizer:
        """Learn the vocabulary: the most frequent tokens, ties in code point order.

        Args:
            chunks: Token counts of the training rows, and no others, in any order.
            config: Its `vocabulary_size` includes padding and unknown.
        """
        size = config.vocabulary_size - len(RESERVED)
        tokens = most_frequent_tokens(chunks, size, config.min_count)
        return cls(config.unit, config.lowercase, config.sequence_length, tokens)

    def fit_ngrams(
        self, read_chunks: Callable[[], Iterable[Tokens]], config: TextConfig
    ) -> Tokenizer:
        """Add n-grams: the most frequent ones; among equally frequent ones, the shorter.

        Args:
            read_chunks: Returns the training texts in chunks; called once per n-gram length.
            config: Maximum length, maximum number and minimum count of n-grams.
        """

        def read_padded_ids() -> Iterator[Int32s]:
            for tokens, ids in self.with_token_ids(read_chunks()):
                yield pad_texts(ids[tokens.codes], tokens.ends)[0]

        ngrams = fit_ngrams(
            read_padded_ids,
            self.first_ngram_id,
            max_n=config.ngrams,
            size=config.ngram_vocabulary_size,
            min_count=config.min_count,
        )
        return replace(self, ngrams=ngrams)

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

    @property
    def separator(self) -> str:
        """What is between two tokens of an n-gram's name: a space, or nothing for characters."""
        return " " if self.unit == "word" else ""

    def encode(self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> Encoding:
        """Turn texts into ids, in order.

        Raises:
            TypeError: `texts` is a single string, or holds something other than strings and None.
        """
        column = _to_string_column(texts)
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        batches = [batch for chunk in chunks for batch in split_batches(chunk)]
        if len(batches) == 1:  # one text at a time is common in serving: start no threads
            return self._encode_batch(batches[0])
        encodings = list(parallel_map(self._encode_batch, batches))
        if not encodings:
            none = np.zeros(0, np.int32)
            return Encoding(np.zeros((0, self.input_length), np.int32), none, none)
        return Encoding(
            np.concatenate([encoding.ids for encoding in encodings]),
            np.concatenate([encoding.lengths for encoding in encodings]),
            np.concatenate([encoding.unknown for encoding in encodings]),
        )

    def tokenize(self, texts: pa.Array) -> Tokens:
        """Split texts (n,) into tokens, known or not, without truncation."""
        return tokenize(normalize(texts, lowercase=self.lowercase), self.unit)

    def token_ids(self, dictionaries: Sequence[pa.StringArray]) -> list[Int32s]:
        """Look up the ids of the tokens of each dictionary.

        Arrow hashes the vocabulary on every call, so several dictionaries are looked up together.
        """
        tokens = pa.concat_arrays(dictionaries)
        ids = index_in(tokens, text_column([*RESERVED, *self.tokens]), default=UNKNOWN)
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
            self._padded_rows(token_ids, ends),
            (ends - starts).astype(np.int32),
            (unknown[ends] - unknown[starts]).astype(np.int32),
        )

    def decode(self, ids: Int32s) -> list[str]:
        """Return the tokens and n-grams of ids; padding and unknown are "" and " "."""
        names = (*RESERVED, *self.tokens)
        tokens_of = [self.ngrams.token_ids(number, self.first_ngram_id) for number in ids.tolist()]
        return [self.join([names[number] for number in numbers]) for numbers in tokens_of]

    def join(self, tokens: Sequence[str]) -> str:
        """Return the name of an n-gram, where "" is the beginning or the end of the text.

        `<s>` and `</s>` are set off by a space, which no token can contain, so names are unique.
        """
        inner = self.separator.join(filter(None, tokens))
        if len(tokens) == 1:
            return inner
        first, *_, last = tokens
        return f"{'' if first else f'{BEGIN} '}{inner}{'' if last else f' {END}'}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        return {
            "unit": self.unit,
            "lowercase": self.lowercase,
            "sequence_length": self.sequence_length,
            "tokens": self.tokens,
            "ngrams": self.ngrams.to_json(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tokenizer:
        """Rebuild the tokenizer that `to_json` wrote."""
        ngrams = {"ngrams": Ngrams.from_json(values["ngrams"])} if "ngrams" in values else {}
        return cls(**{**values, "tokens": tuple(values["tokens"]), **ngrams})

    def _encode_batch(self, texts: pa.Array) -> Encoding:
        return self.encode_tokens(self.tokenize(texts))

    def _padded_rows(self, token_ids: Int32s, ends: Offsets) -> TokenIds:
        """Arrange token ids (tokens,) and the ids of their n-grams in rows (n, input_length)."""
        length, starts = self.sequence_length, np.concatenate([[0], ends])[:-1]  # (n,)
        kept = np.minimum(ends - starts, length)  # (n,)
        rows = np.full((len(ends), self.input_length), PADDING, np.int32)
        filled, places = _row_places(starts, kept, length)
        # A slice is a view, so this writes to `rows`.
        rows[:, :length][filled] = token_ids[places]
        if self.ngrams.max_n == 1:
            return rows
        padded, before = pad_texts(token_ids, ends)
        # One more than tokens: an n-gram can begin at the padding before the text.
        filled, places = _row_places(before, kept + 1, length + 1)
        is_truncated = ends - starts > length
        for n, ngram_ids in enumerate(self.ngrams.find(padded, self.first_ngram_id), start=2):
            # Tokens and shorter n-grams fill the first input_length(length, n - 1) columns.
            rows_of_n = rows[:, input_length(length, n - 1) :][:, : length + 1]
            rows_of_n[filled] = ngram_ids[places]
            # N-grams that reach beyond the truncation were found in tokens that are not read.
            rows_of_n[is_truncated, max(0, length + 2 - n) :] = PADDING
        return rows


def _to_string_column(
    texts: pa.ChunkedArray | pa.Array | Iterable[str | None],
) -> pa.ChunkedArray | pa.Array:
    # These are iterable as well: a string would become a text per character.
    if isinstance(texts, str | bytes | dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"texts must be one column of strings, not a {type(texts).__name__}")
    # Not by pa.array, which imports pandas.
    if isinstance(texts, list | tuple):
        starts = range(0, len(texts), BATCH_ROWS)
        batches = [text_column(texts[start : start + BATCH_ROWS]) for start in starts]
        return pa.chunked_array(batches, pa.string())
    if not isinstance(texts, pa.ChunkedArray | pa.Array):
        try:
            # from_pandas turns NaN, a missing cell in pandas, into null.
            texts = pa.array(texts, from_pandas=True)
        except pa.ArrowException as error:
            raise TypeError("texts must be strings or None") from error
    # Categorical columns of pandas are dictionaries in Arrow.
    kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
    if not any(is_type(kind) for is_type in _STRING_TYPES):
        raise TypeError(f"texts must be strings, not {kind}")
    return texts if texts.type == pa.string() else texts.cast(pa.string())


def _row_places(starts: Offsets, counts: Offsets, width: int) -> tuple[Mask, Rows]:
    """Map runs of a flat array to the beginnings of rows of equal width.

    Args:
        starts: (n,) where each run starts in the flat array.
        counts: (n,) length of each run, at most `width`.
        width: Of the rows.

    Returns:
        (n, width) which places of the rows are filled, and (sum of counts,) the positions in the
        flat array of the values that fill them.
    """
    ends = np.cumsum(counts)
    return (
        np.arange(width) < counts[:, None],
        # Moves each run from where it would be, packed tightly, to where it starts.
        np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts),
    )
