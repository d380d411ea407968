"""Neighbors, analogies and label contributions of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.errors import RequestError
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.system.terminal import format_count
from embedclf.text.ngrams import pad_texts
from embedclf.text.tokenizer import BEGIN, END
from embedclf.text.vocabulary import PADDING, RESERVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels
    from embedclf.model.weights import Weights
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Counts, Floats, Int32s
    from embedclf.text.encodings import TokenIds
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

_MIN_NORM = 1e-12
"""Vectors of zeros have no direction: they get a cosine of 0 instead of a division by 0."""

_COMPARED_SPELLINGS = 200
"""Words that are compared letter by letter with a misspelled one."""


@dataclass(frozen=True)
class EmbeddingEntry:
    """A token or n-gram, and the labels that its vector supports."""

    name: str
    count: int | None
    """Number of occurrences in the training rows; None if the run does not record it."""
    label_contributions: dict[str, float]
    """Contribution of the vector, alone in a text, to the logit of each label."""

    @property
    def top_label(self) -> str:
        """The label with the largest contribution."""
        return max(self.label_contributions, key=lambda label: self.label_contributions[label])

    def to_json(self) -> dict[str, Any]:
        """Return plain values under their published names."""
        return {"word": self.name, "count": self.count, "pushes": self.label_contributions}


@dataclass(frozen=True)
class Neighbor:
    """A token or n-gram near a direction."""

    entry: EmbeddingEntry
    cosine: float
    """Cosine similarity, -1 to 1."""


@dataclass(frozen=True)
class EmbeddedText:
    """The output of the embedding layer for a text."""

    text: str
    names: tuple[str, ...]
    """(input_length,) tokens as they appear in the text, then n-grams; "" for padding."""
    ids: Int32s
    """(input_length,)."""
    vectors: Floats
    """(input_length, embedding_dim)."""


@dataclass(frozen=True)
class Embeddings:
    """The rows of a run's embedding, by name."""

    tokenizer: Tokenizer
    labels: Labels
    weights: Weights
    counts: Counts | None
    """(rows,) occurrences in the training rows; None if the run does not record them."""

    @classmethod
    def from_run(cls, run: Run) -> Embeddings:
        """Load the embedding of a run.

        Raises:
            RequestError: The run is compact.
        """
        run.require_vectors()
        classifier, statistics = run.classifier(), run.row_statistics()
        counts = None if statistics is None else statistics.counts
        return cls(classifier.tokenizer, classifier.labels, classifier.weights, counts)

    def find_row(self, name: str) -> int:
        """Find the row of a token or an n-gram; `<s>` and `</s>` stand for the ends of a text.

        Raises:
            RequestError: The vocabulary has no such token or n-gram.
        """
        has_begin, has_end = name.startswith(f"{BEGIN} "), name.endswith(f" {END}")
        tokens = self._tokenize(name.removeprefix(f"{BEGIN} ").removesuffix(f" {END}"))
        # A number of a field has the row of its bin
        words = self.tokenizer.names_of(*tokens.to_lists())
        if not words:
            raise RequestError(f"{name!r}: contains no token; pass a word")
        ids = np.array([self._token_row(word) for word in words], np.int32)
        length = len(ids) + has_begin + has_end
        if length == 1:
            return int(ids[0])
        # Position 0 is the padding before the text, where n-grams with `<s>` begin
        row = self._ngram_row(ids, length, 0 if has_begin else 1)
        if row == PADDING:
            count = format_count(len(self.tokenizer.ngrams), "n-gram")
            raise RequestError(f"{name!r}: not among the {count} of the run; try a single word")
        return row

    def select_rows(self, *, ngrams: bool) -> Int32s:
        """Return the rows of all tokens, most frequent first, then those of n-grams if wanted."""
        return np.arange(len(RESERVED), self._end(ngrams=ngrams), dtype=np.int32)

    def nearest(
        self, direction: Floats, limit: int, *, exclude: Sequence[int] = (), ngrams: bool = False
    ) -> list[Neighbor]:
        """Find the rows of largest cosine similarity to a direction, the nearest first.

        Args:
            direction: (embedding_dim,).
            limit: Most neighbors to return.
            exclude: Rows to leave out; padding and unknown always are.
            ngrams: Whether to consider n-grams as well as tokens.
        """
        vectors = self.weights.embedding[: self._end(ngrams=ngrams)]
        # einsum adds up squares without an array of them as large as the embedding
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * np.linalg.norm(direction)
        cosines = (vectors @ direction) / np.maximum(norms, _MIN_NORM)
        # A row to exclude may be an n-gram's where only tokens are compared
        excluded = [*range(len(RESERVED)), *(row for row in exclude if row < len(vectors))]
        cosines[excluded] = -np.inf
        # Excluded rows must not come back where fewer than `limit` rows are left
        limit = min(limit, int(np.isfinite(cosines).sum()))
        # a partition is linear in the vocabulary, a sort is not; ties go to the more frequent row
        best = np.argpartition(-cosines, limit - 1)[:limit] if limit else np.zeros(0, np.int64)
        best = best[np.lexsort((best, -cosines[best]))]
        entries = self.entries(best.astype(np.int32))
        return [
            Neighbor(entry, float(cosines[row])) for entry, row in zip(entries, best, strict=True)
        ]

    def neighbors(self, row: int, limit: int, *, ngrams: bool = False) -> list[Neighbor]:
        """Find the nearest neighbors of a row."""
        direction = self.weights.embedding[row]
        return self.nearest(direction, limit, exclude=[row], ngrams=ngrams)

    def analogy(
        self, a: int, b: int, c: int, limit: int, *, ngrams: bool = False
    ) -> list[Neighbor]:
        """Find what is to `c` as `b` is to `a`: the rows nearest to b - a + c.

        All three are scaled to length 1 first (Mikolov, Yih and Zweig, Linguistic Regularities,
        2013, section 4).
        """
        from_a, from_b, from_c = (_unit(self.weights.embedding[row]) for row in (a, b, c))
        return self.nearest(from_b - from_a + from_c, limit, exclude=[a, b, c], ngrams=ngrams)

    def embed_text(self, text: str) -> EmbeddedText:
        """Return the ids of a text, and the vectors that the embedding layer returns for them.

        Raises:
            RequestError: The text is not Unicode.
        """
        tokens = self._tokenize(text)
        ids = self._pad(self.tokenizer.encode_tokens(tokens).ids, tokens)
        (words,) = tokens.to_lists()
        # All OOV tokens have the same id, so names are taken from the text
        kept = words[: self.tokenizer.sequence_length]
        names = (*kept, *self.tokenizer.decode(ids[len(kept) :]))
        return EmbeddedText(text, names, ids, self.weights.embedding[ids])

    def entry(self, row: int) -> EmbeddingEntry:
        """Return the name, count and label contributions of a row."""
        return self.entries(np.array([row], np.int32))[0]

    def entries(self, rows: Int32s) -> list[EmbeddingEntry]:
        """Return the names, counts and label contributions of rows (n,)."""
        names = self.tokenizer.decode(rows)
        counts = [None] * len(rows) if self.counts is None else self.counts[rows].tolist()
        contributions = self.label_contributions(self.weights.embedding[rows]).tolist()
        return [
            EmbeddingEntry(name, count, dict(zip(self.labels.names, by_label, strict=True)))
            for name, count, by_label in zip(names, counts, contributions, strict=True)
        ]

    def label_contributions(self, vectors: Floats) -> Floats:
        """Compute what vectors (n, embedding_dim) contribute to the logits, each alone in a text.

        With flatten pooling, this is the mean over all positions.

        Returns:
            (n, labels). The two labels of a binary task have opposite contributions. In a
            multiclass task only differences between labels matter to the softmax, so their mean is
            subtracted.
        """
        kernel, bias = self.weights.dense[0]
        kernels = kernel.reshape(-1, vectors.shape[1], len(bias))  # one per position
        if len(self.weights.dense) == 1:
            kernels = kernels.mean(axis=0, keepdims=True)  # the mean of linear maps
        logits = np.zeros((len(vectors), len(self.weights.dense[-1][1])), np.float32)
        for at_position in kernels:
            logits += self.weights.logits_from_units(vectors @ at_position + bias) / len(kernels)
        # Minus the logits of a text without tokens: the vector does not cause them
        logits -= self.weights.logits_from_units(bias[None])
        if self.labels.task == "binary":
            return np.concatenate([-logits, logits], axis=1)
        if self.labels.task == "multiclass":
            logits -= logits.mean(axis=1, keepdims=True)
        return logits

    def _end(self, *, ngrams: bool) -> int:
        """Return the row after the last token or, with `ngrams`, after the last n-gram."""
        return self.tokenizer.vocabulary_rows if ngrams else self.tokenizer.first_ngram_id

    def _tokenize(self, text: str) -> Tokens:
        """Tokenize a text.

        Raises:
            RequestError: The text is not Unicode.
        """
        try:
            return self.tokenizer.tokenize(text_column([text]))
        except UnicodeEncodeError as error:
            raise RequestError(f"{text!r}: not UTF-8") from error

    def _pad(self, ids: TokenIds, tokens: Tokens) -> Int32s:
        """Arrange the ids of a text as the network in `model.keras` reads them (input_length,)."""
        length, row = self.tokenizer.sequence_length, np.zeros(self.tokenizer.input_length, "i4")
        begins, sizes = self.tokenizer.locate_ngrams(tokens)
        read = len(ids.values) - len(begins)
        row[:read] = ids.values[:read]
        # After the ids of tokens are those of bigrams, `length` + 1, then of trigrams, and so on
        row[length + (sizes - 2) * (length + 1) + begins] = ids.values[read:]
        return row

    def _token_row(self, word: str) -> int:
        """Find the row of a token by a linear search: hashing the vocabulary for one is slower.

        Raises:
            RequestError: It is not in the vocabulary.
        """
        try:
            return len(RESERVED) + self.tokenizer.tokens.index(word)
        except ValueError:
            raise RequestError(self._unknown_word(word)) from None

    def _ngram_row(self, ids: Int32s, length: int, position: int) -> int:
        """Find the row of the n-gram of `length` tokens at a position of a text; 0 if unknown."""
        if length > self.tokenizer.ngrams.max_n:
            return PADDING
        padded, _ = pad_texts(ids, np.array([len(ids)]))
        by_length = [*self.tokenizer.ngrams.find(padded, self.tokenizer.first_ngram_id)]
        return int(by_length[length - 2][position])  # `find` begins with bigrams

    def _unknown_word(self, word: str) -> str:
        similar = similar_spellings(text_column(self.tokenizer.tokens), word)
        hint = f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""
        return f"{word!r}: not in the run's vocabulary{hint}"


def similar_spellings(words: pa.StringArray, word: str, limit: int = 3) -> list[str]:
    """Return the words (n,) whose spelling is most similar to a word.

    Comparing all words letter by letter would be slow. Only the words with the largest fraction of
    common letter pairs are compared.
    """
    # A word of a single letter is its own pair
    pairs = {word[start : start + 2] for start in range(max(1, len(word) - 1))}
    common = np.zeros(len(words), np.int32)
    for pair in pairs:
        common += to_numpy(pc.match_substring(words, pair).cast(pa.int32()))
    lengths = to_numpy(pc.utf8_length(words))
    similarity = common / np.maximum(len(pairs), lengths)
    # Ties keep the order of the words, where frequent tokens come first
    best = np.argsort(-similarity, kind="stable")[:_COMPARED_SPELLINGS]
    candidates = [words[int(index)].as_py() for index in best[common[best] > 0]]
    return get_close_matches(word, candidates, n=limit, cutoff=0.6)


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), _MIN_NORM)
    return unit
