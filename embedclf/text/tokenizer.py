"""Text -> token ids (n, slots)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrays import Int32s
from embedclf.system.arrow import BATCH_ROWS, in_pieces, number_column, numbers_of, text_column
from embedclf.system.threads import in_order
from embedclf.text.ngrams import Ngrams, framed, learn, slots
from embedclf.text.tokens import normalize, tokenize
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN, most_frequent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from embedclf.config.schema import TextConfig
    from embedclf.system.arrays import Int32s, Offsets
    from embedclf.text.tokens import Counted, Tokens

TokenIds = npt.NDArray[np.int32]  # (n, slots)


BEGIN, END = "<s>", "</s>"
"""What n-grams name a text's beginning and end by."""

_TOGETHER = 64
"""Parts whose tokens are looked up together."""

_TEXT_KINDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)


@dataclass(frozen=True)
class Encoding:
    """Texts as the network reads them, and what was lost on the way."""

    ids: TokenIds
    """(n, slots): `sequence_length` ids of tokens, 0 to pad at the end and 1 for an unknown one;
    then those of the pair that the text begins with and of the pairs that begin at each token, 0
    for an unknown one, and so on with longer n-grams. Texts are cut at the end."""
    lengths: Int32s
    """Tokens of each text before it was cut."""
    unknown: Int32s
    """Those of them that are not in the vocabulary."""

    def take(self, rows: npt.NDArray[np.bool_]) -> Encoding:
        """The texts under a mask."""
        return Encoding(self.ids[rows], self.lengths[rows], self.unknown[rows])


@dataclass(frozen=True)
class Tokenizer:
    """Turns texts into fixed-length rows of token ids.

    A text is put into Unicode's composed form (NFC) and lower-cased; a typographic apostrophe
    counts as a plain one. With `unit: word` tokens are runs of letters, numbers, marks and inner
    apostrophes of any script; with `unit: character` every code point that is no white space.
    Behind the tokens of a text stand its known n-grams, for which the text's beginning and end
    count as tokens. Null and empty texts are rows of padding.
    """

    unit: str
    lowercase: bool
    sequence_length: int
    tokens: tuple[str, ...]
    """The vocabulary, most frequent first; the first has id 2."""
    ngrams: Ngrams = field(default_factory=Ngrams)
    """Known runs of tokens; their ids follow those of the tokens."""

    @classmethod
    def fit(cls, counted: Iterable[Counted], config: TextConfig) -> Tokenizer:
        """Learn the vocabulary: the most frequent tokens, ties in code point order.

        Args:
            counted: Tokens of training rows only, with their counts, in parts and any order.
            config: Its `vocabulary_size` counts padding and unknown.
        """
        size = config.vocabulary_size - len(RESERVED)
        tokens = most_frequent(counted, size, config.min_count)
        return cls(config.unit, config.lowercase, config.sequence_length, tokens)

    def fit_ngrams(self, parts: Callable[[], Iterable[Tokens]], config: TextConfig) -> Tokenizer:
        """Learn n-grams too: the most frequent, of equally frequent ones the shorter.

        Args:
            parts: Gives training texts, part by part and as often as it is called.
            config: How long they may be, how many, and how often they must be there.
        """

        def texts() -> Iterator[Int32s]:
            for tokens, ids in self.looked_up(parts()):
                yield framed(ids[tokens.codes], tokens.ends)[0]

        ngrams = learn(
            texts,
            self.first_ngram,
            longest=config.ngrams,
            size=config.ngram_vocabulary_size,
            min_count=config.min_count,
        )
        return replace(self, ngrams=ngrams)

    @property
    def first_ngram(self) -> int:
        """The id that follows those of the tokens."""
        return len(RESERVED) + len(self.tokens)

    @property
    def rows(self) -> int:
        """Rows of the embedding: padding, unknown, a row a token and a row an n-gram."""
        return self.first_ngram + len(self.ngrams)

    @property
    def slots(self) -> int:
        """Ids of a text: of its tokens, and of the n-grams of each length."""
        return slots(self.sequence_length, self.ngrams.longest)

    def encode(self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> Encoding:
        """Turn texts into ids, in order.

        Raises:
            TypeError: One string is given instead of several, or something is no string.
        """
        column = _column_of(texts)
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        pieces = [piece for chunk in chunks for piece in in_pieces(chunk)]
        if len(pieces) == 1:
            return self._encode_piece(pieces[0])
        parts = list(in_order(self._encode_piece, pieces))
        if not parts:
            none = np.zeros(0, np.int32)
            return Encoding(np.zeros((0, self.slots), np.int32), none, none)
        return Encoding(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.unknown for part in parts]),
        )

    def look_up(self, dictionaries: Sequence[pa.StringArray]) -> list[npt.NDArray[np.int32]]:
        """The ids of tokens, dictionary by dictionary; the vocabulary is hashed once for all."""
        tokens = pa.concat_arrays(dictionaries)
        found = pc.index_in(tokens, value_set=text_column([*RESERVED, *self.tokens]))
        unknown = number_column(np.array([UNKNOWN], np.int32))[0]
        ids = numbers_of(pc.coalesce(found, unknown))
        return np.split(ids, np.cumsum([len(one) for one in dictionaries])[:-1])

    def looked_up(self, parts: Iterable[Tokens]) -> Iterator[tuple[Tokens, npt.NDArray[np.int32]]]:
        """Parts of texts with the ids of their dictionaries; some are looked up together."""
        remaining = iter(parts)
        while group := list(islice(remaining, _TOGETHER)):
            yield from zip(
                group, self.look_up([tokens.dictionary for tokens in group]), strict=True
            )

    def lay_out(self, tokens: Tokens, ids: npt.NDArray[np.int32]) -> Encoding:
        """Lay tokens out in rows of equal length, `ids` being those of their dictionary."""
        of_tokens, ends = ids[tokens.codes], tokens.ends
        starts = np.concatenate([[0], ends])[:-1]  # none of no text
        unknown = np.concatenate([[0], np.cumsum(of_tokens == UNKNOWN)])
        return Encoding(
            self._in_rows(of_tokens, ends),
            (ends - starts).astype(np.int32),
            (unknown[ends] - unknown[starts]).astype(np.int32),
        )

    def tokenize(self, texts: pa.Array) -> Tokens:
        """The tokens of each text (n,), known or not, before it is shortened."""
        return tokenize(normalize(texts, lowercase=self.lowercase), self.unit)

    def encode_tokens(self, tokens: Tokens) -> Encoding:
        """Turn tokens into ids."""
        return self.lay_out(tokens, self.look_up([tokens.dictionary])[0])

    def decode(self, ids: npt.NDArray[np.int32]) -> list[str]:
        """The tokens and n-grams behind ids; padding and unknown are "" and " "."""
        listed = (*RESERVED, *self.tokens)
        spelt = [self.ngrams.spell(number, self.first_ngram) for number in ids.tolist()]
        return [self.joined([listed[part] for part in parts]) for parts in spelt]

    @property
    def separator(self) -> str:
        """What stands between two tokens: a blank, or nothing between characters."""
        return " " if self.unit == "word" else ""

    def joined(self, tokens: Sequence[str]) -> str:
        """An n-gram as it stands in a text; "" in front or behind is the text's beginning or end.

        These have a blank beside them, which no token can be, so that no name is there twice.
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
        """The tokenizer that `to_json` wrote."""
        ngrams = {"ngrams": Ngrams.from_json(values["ngrams"])} if "ngrams" in values else {}
        return cls(**{**values, "tokens": tuple(values["tokens"]), **ngrams})

    def _encode_piece(self, texts: pa.Array) -> Encoding:
        return self.encode_tokens(self.tokenize(texts))

    def _in_rows(self, ids: Int32s, ends: Offsets) -> TokenIds:
        """Lay ids of tokens (tokens,), text behind text, and their n-grams into (n, slots)."""
        length, starts = self.sequence_length, np.concatenate([[0], ends])[:-1]  # none of no text
        kept = np.minimum(ends - starts, length)  # (n,)
        rows = np.full((len(ends), self.slots), PADDING, np.int32)
        filled, places = _places(starts, kept, length)
        rows[:, :length][filled] = ids[places]
        if self.ngrams.longest > 1:
            padded, before = framed(ids, ends)
            filled, places = _places(before, kept + 1, length + 1)
            is_truncated = ends - starts > length
            for behind, found in enumerate(self.ngrams.find(padded, self.first_ngram), start=1):
                of_length = rows[:, slots(length, behind) :][:, : length + 1]
                of_length[filled] = found[places]
                of_length[is_truncated, max(0, length + 1 - behind) :] = PADDING  # beyond the cut
        return rows


def _column_of(
    texts: pa.ChunkedArray | pa.Array | Iterable[str | None],
) -> pa.ChunkedArray | pa.Array:
    """Texts as a column of strings."""
    if isinstance(texts, str | bytes | dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"texts must be one column of strings, not a {type(texts).__name__}")
    if isinstance(texts, list | tuple):
        starts = range(0, len(texts), BATCH_ROWS)
        parts = [text_column(texts[start : start + BATCH_ROWS]) for start in starts]
        return pa.chunked_array(parts, pa.string())
    if not isinstance(texts, pa.ChunkedArray | pa.Array):
        try:
            texts = pa.array(texts, from_pandas=True)
        except pa.ArrowException as error:
            raise TypeError("texts must be strings or None, all of them") from error
    kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
    if not any(is_kind(kind) for is_kind in _TEXT_KINDS):
        raise TypeError(f"texts must be strings, not {kind}")
    return texts if texts.type == pa.string() else texts.cast(pa.string())


def _places(
    starts: Offsets, counts: Offsets, width: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Where ids that lie behind one another come to lie in rows of equal length.

    Args:
        starts: (n,) where those of each row start.
        counts: (n,) how many there are.
        width: Of the rows, at least that many.

    Returns:
        (n, width) which places are filled, and (ids,) with which of the ids.
    """
    ends = np.cumsum(counts)
    return (
        np.arange(width) < counts[:, None],
        np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts),
    )
