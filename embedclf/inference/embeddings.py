"""Neighbours, analogies and label pushes of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import RequestError
from embedclf.system.arrow import numbers_of, text_column
from embedclf.text.ngrams import framed
from embedclf.text.tokenizer import BEGIN, END
from embedclf.text.vocabulary import PADDING, RESERVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels
    from embedclf.model.weights import Weights
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Counts, Floats, Int32s
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

_LEAST = 1e-12
"""Of a length: a vector of zeros has no direction and is like no other."""

_LOOKED_AT = 200
"""Words whose spelling is compared letter by letter."""


@dataclass(frozen=True)
class EmbeddingEntry:
    """A token or phrase, and where its vector points."""

    word: str
    count: int | None
    """How often training read it; None where the run does not know."""
    pushes: dict[str, float]
    """By label: what the vector alone, without those of phrases or padding, adds to the logit; with
    one softmax over all labels what it adds beyond the mean of them."""

    @property
    def towards(self) -> str:
        """The label that it speaks for most."""
        return max(self.pushes, key=lambda label: self.pushes[label])


@dataclass(frozen=True)
class Neighbor:
    """A token or phrase near a direction."""

    entry: EmbeddingEntry
    cosine: float
    """Of the angle between, -1 to 1."""


@dataclass(frozen=True)
class EmbeddedText:
    """What the embedding layer gives for a text."""

    text: str
    names: tuple[str, ...]
    """(slots,) tokens as they stand in the text, then phrases; "" is padding."""
    ids: Int32s
    """(slots,)."""
    vectors: Floats
    """(slots, embedding_dim)."""


@dataclass(frozen=True)
class Embeddings:
    """The rows of a run's embedding, by name."""

    tokenizer: Tokenizer
    labels: Labels
    weights: Weights
    counts: Counts | None
    """(rows,) how often training read each; None where the run does not know."""

    @classmethod
    def of(cls, run: Run) -> Embeddings:
        """Read those of a run."""
        classifier, began = run.classifier(), run.beginnings()
        counts = None if began is None else began.counts
        return cls(classifier.tokenizer, classifier.labels, classifier.weights, counts)

    def number_of(self, name: str) -> int:
        """The row of a token, or of a phrase in several words, with `<s>` and `</s>` as printed.

        Raises:
            RequestError: The run knows no such token or phrase.
        """
        starts, stops = name.startswith(f"{BEGIN} "), name.endswith(f" {END}")
        tokens = self._cut(name.removeprefix(f"{BEGIN} ").removesuffix(f" {END}"))
        (words,) = tokens.to_lists()
        if not words:
            raise RequestError(f"{name!r}: holds no token")
        ids = np.array([self._id(word) for word in words], np.int32)
        length = len(ids) + starts + stops
        if length == 1:
            return int(ids[0])
        found = self._phrase(ids, length, 0 if starts else 1)
        if found == PADDING:
            known = f"knows {len(self.tokenizer.ngrams):,} phrases, this is none of them"
            raise RequestError(f"{name!r}: the run {known}; ask for a single word")
        return found

    def end(self, *, phrases: bool) -> int:
        """The row behind the last token, or behind the last phrase."""
        return self.tokenizer.rows if phrases else self.tokenizer.first_ngram

    def numbers(self, *, phrases: bool) -> Int32s:
        """The rows of all tokens, the most frequent first, and of phrases behind them."""
        return np.arange(len(RESERVED), self.end(phrases=phrases), dtype=np.int32)

    def near(
        self, direction: Floats, most: int, *, without: Sequence[int] = (), phrases: bool = False
    ) -> list[Neighbor]:
        """The rows of smallest angle to a direction, the nearest first.

        Args:
            direction: (embedding_dim,).
            most: How many to return.
            without: Rows that are left out; padding and unknown always are.
            phrases: Whether phrases count beside tokens.
        """
        rows = self.weights.embedding[: self.end(phrases=phrases)]
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.linalg.norm(direction)
        cosines = (rows @ direction) / np.maximum(lengths, _LEAST)
        left_out = [*range(len(RESERVED)), *(at for at in without if at < len(rows))]
        cosines[left_out] = -np.inf
        most = min(most, int(np.isfinite(cosines).sum()))
        best = np.argpartition(-cosines, most - 1)[:most] if most else np.zeros(0, np.int64)
        best = best[np.lexsort((best, -cosines[best]))]
        entries = self.entries(best.astype(np.int32))
        return [
            Neighbor(entry, float(cosines[at])) for entry, at in zip(entries, best, strict=True)
        ]

    def neighbors(self, number: int, most: int, *, phrases: bool = False) -> list[Neighbor]:
        """The rows whose vectors point most nearly where that of a row does."""
        direction = self.weights.embedding[number]
        return self.near(direction, most, without=[number], phrases=phrases)

    def analogy(
        self, one: int, other: int, third: int, most: int, *, phrases: bool = False
    ) -> list[Neighbor]:
        """What is to `third` as `other` is to `one`: the rows nearest to other - one + third.

        All at length 1 (Mikolov, Yih and Zweig, Linguistic Regularities, 2013, section 4).
        """
        first, second, base = (_unit(self.weights.embedding[at]) for at in (one, other, third))
        return self.near(second - first + base, most, without=[one, other, third], phrases=phrases)

    def block(self, text: str) -> EmbeddedText:
        """The ids of a text, and the vectors that the embedding layer gives for them.

        Raises:
            RequestError: It is not Unicode.
        """
        tokens = self._cut(text)
        ids = self.tokenizer.encode_tokens(tokens).ids[0]
        (words,) = tokens.to_lists()
        read = words[: self.tokenizer.sequence_length]
        names = (*read, *self.tokenizer.decode(ids[len(read) :]))
        return EmbeddedText(text, names, ids, self.weights.embedding[ids])

    def entry(self, number: int) -> EmbeddingEntry:
        """The name, count and pushes of a row."""
        return self.entries(np.array([number], np.int32))[0]

    def entries(self, numbers: Int32s) -> list[EmbeddingEntry]:
        """Names, counts and pushes of rows (n,)."""
        pushes = self.pushes(self.weights.embedding[numbers]).tolist()
        counts = [None] * len(numbers) if self.counts is None else self.counts[numbers].tolist()
        return [
            EmbeddingEntry(word, count, dict(zip(self.labels.names, of, strict=True)))
            for word, count, of in zip(self.tokenizer.decode(numbers), counts, pushes, strict=True)
        ]

    def pushes(self, vectors: Floats) -> Floats:
        """What vectors (n, embedding_dim) add to the logits of labels, each by itself.

        With flatten it is the mean over positions.

        Returns:
            (n, labels); of two labels the opposite of each other, of more that exclude each other
            what is beyond their mean.
        """
        kernel, bias = self.weights.dense[0]
        places = kernel.reshape(-1, vectors.shape[1], len(bias))
        if len(self.weights.dense) == 1:
            places = places.mean(axis=0, keepdims=True)  # the mean of what is linear
        logits = np.zeros((len(vectors), len(self.weights.dense[-1][1])), np.float32)
        for of_place in places:
            logits += self.weights.head(vectors @ of_place + bias) / len(places)
        logits -= self.weights.head(bias[None])
        if self.labels.task == "binary":
            return np.concatenate([-logits, logits], axis=1)
        if self.labels.task == "multiclass":
            logits -= logits.mean(axis=1, keepdims=True)
        return logits

    def _cut(self, text: str) -> Tokens:
        """The tokens of a text.

        Raises:
            RequestError: It is not Unicode.
        """
        try:
            return self.tokenizer.tokenize(text_column([text]))
        except UnicodeEncodeError as error:
            raise RequestError(f"{text!r}: not UTF-8") from error

    def _phrase(self, ids: Int32s, length: int, place: int) -> int:
        """The row of an n-gram of so many tokens that begins at a place of a text; 0 is none."""
        if length > self.tokenizer.ngrams.longest:
            return PADDING
        padded, _ = framed(ids, np.array([len(ids)]))
        found = [*self.tokenizer.ngrams.find(padded, self.tokenizer.first_ngram)]
        return int(found[length - 2][place])

    def _id(self, word: str) -> int:
        """The row of a token, looked for in the list: hashing all of it for one takes longer.

        Raises:
            RequestError: There is none.
        """
        try:
            return len(RESERVED) + self.tokenizer.tokens.index(word)
        except ValueError:
            raise RequestError(self._unknown(word)) from None

    def _unknown(self, word: str) -> str:
        near = spellings(text_column(self.tokenizer.tokens), word)
        verb = "is" if len(near) == 1 else "are"
        hint = f"; near it {verb} {', '.join(map(repr, near))}" if near else ""
        return f"{word!r}: the run knows no such word{hint}"


def spellings(words: pa.StringArray, word: str, most: int = 3) -> list[str]:
    """The known words (n,) that are spelled most like one.

    Those that have the most pairs of letters in common are compared letter by letter.
    """
    pairs = {word[at : at + 2] for at in range(max(1, len(word) - 1))}
    shared = np.zeros(len(words), np.int32)
    for pair in pairs:
        shared += numbers_of(pc.match_substring(words, pair).cast(pa.int32()))
    lengths = numbers_of(pc.utf8_length(words))
    likeness = shared / np.maximum(len(pairs), lengths)
    best = np.argsort(-likeness, kind="stable")[:_LOOKED_AT]
    candidates = [words[int(at)].as_py() for at in best[shared[best] > 0]]
    return get_close_matches(word, candidates, n=most, cutoff=0.6)


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), _LEAST)
    return unit
