"""An explanation: a text, a label, and what added up to its logit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class TokenContribution:
    """A token of a text, and what it added to the logit."""

    token: str
    known: bool
    """Whether it is in the vocabulary."""
    contribution: float


@dataclass(frozen=True)
class NgramContribution:
    """A known n-gram of a text, and what it added to the logit besides its tokens."""

    ngram: str
    start: int
    """Index of its first token; the beginning of the text is none."""
    token_count: int
    """Tokens of the text in it."""
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a text has its probability of a label: bias + padding + tokens + n-grams = logit."""

    row: int
    """Number of the text, from 1."""
    text: str
    predicted: bool
    """Whether the label is predicted."""
    label: str
    probability: float
    """Of the label, calibrated."""
    logit: float
    """Of the label. A sigmoid, or a softmax over all labels, gives the probability before isotonic
    calibration."""
    bias: float
    """The logit for vectors of zeros."""
    padding: float
    """What padding added; 0 unless pooling is flatten."""
    tokens: tuple[TokenContribution, ...]
    """Those that the network reads, in order."""
    truncated: int
    """Tokens after the last that the network reads."""
    pieces: int
    """Linear pieces that the gradient was integrated over; 0 without hidden layers."""
    separator: str
    """Between two tokens: a blank, or nothing between characters."""
    ngrams: tuple[NgramContribution, ...] = ()
    """Known n-grams, the shorter first."""

    @property
    def status(self) -> str:
        """Whether the label is predicted, in words."""
        return "prediction" if self.predicted else "not predicted"

    @property
    def method(self) -> str:
        """How contributions were computed, and their numerical error, in words."""
        how = f"integrated gradients over {self.pieces:,} pieces" if self.pieces else "exact"
        return f"{how}; the sum misses the logit by {abs(self.error):.0e}"

    @property
    def relative_contributions(self) -> list[float]:
        """Contribution of each token relative to the largest, -1 to 1, to color the text by.

        The contribution of an n-gram is divided evenly among its tokens.
        """
        sums = [token.contribution for token in self.tokens]
        for ngram in self.ngrams:
            for index in range(ngram.start, ngram.start + ngram.token_count):
                sums[index] += ngram.contribution / ngram.token_count
        largest = max(map(abs, sums), default=0.0) or 1.0  # no division by 0
        return [contribution / largest for contribution in sums]

    @property
    def unknown_contribution(self) -> float:
        """What unknown tokens added."""
        return sum(token.contribution for token in self.tokens if not token.known)

    @property
    def error(self) -> float:
        """Difference between the sum of contributions and the logit."""
        total = sum(contribution for _, contribution in self.named_contributions())
        return self.bias + self.padding + total - self.logit

    def named_contributions(self) -> Iterator[tuple[str, float]]:
        """Yield each token and n-gram by its name, and what it added."""
        for token in self.tokens:
            yield token.token if token.known else f"{token.token} (unknown)", token.contribution
        for ngram in self.ngrams:
            yield ngram.ngram, ngram.contribution

    def terms(self, limit: int) -> list[tuple[str, int | None, float]]:
        """List the terms that add up to the logit: name, number of occurrences, contribution.

        Tokens and n-grams come first, those of the largest contribution in front. All after the
        first `limit` are one term, `other tokens`. Padding, with flatten pooling, and the bias
        follow.
        """
        sums: dict[str, tuple[int, float]] = {}
        for name, contribution in self.named_contributions():
            times, total = sums.get(name, (0, 0.0))
            sums[name] = times + 1, total + contribution
        terms: list[tuple[str, int | None, float]] = [
            (name, *total) for name, total in sums.items()
        ]
        terms.sort(key=lambda term: -abs(term[2]))
        if others := terms[limit:]:
            times = sum(term[1] or 0 for term in others)
            terms = [*terms[:limit], ("other tokens", times, sum(term[2] for term in others))]
        if self.padding:
            terms.append(("padding", None, self.padding))
        return [*terms, ("bias", None, self.bias)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values under their published names."""
        published = {"predicted": "prediction", "truncated": "cut", "ngrams": "phrases"}
        values = {published.get(name, name): value for name, value in asdict(self).items()}
        ngrams = [
            {
                "phrase": ngram.ngram,
                "start": ngram.start,
                "tokens": ngram.token_count,
                "contribution": ngram.contribution,
            }
            for ngram in self.ngrams
        ]
        values |= {"phrases": ngrams}
        return values | {"unknown": self.unknown_contribution, "error": self.error}
