"""An explanation: a text, a label, and the contributions that add up to its logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.text.spans import Span


@dataclass(frozen=True)
class TokenContribution:
    """A token of a text, and its contribution to the logit."""

    token: str
    """Normalized, as the vocabulary has it."""
    known: bool
    """Whether it is in the vocabulary."""
    contribution: float
    span: Span
    """Where it is in the text, in code points."""


@dataclass(frozen=True)
class NgramContribution:
    """A known n-gram of a text, and its contribution to the logit in addition to its tokens'."""

    ngram: str
    start: int
    """Index of its first token; the beginning of the text is not a token."""
    token_count: int
    """Tokens of the text in it."""
    contribution: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values under their published names."""
        return {
            "ngram": self.ngram,
            "start": self.start,
            "tokens": self.token_count,
            "contribution": self.contribution,
        }


class Segment(NamedTuple):
    """A piece of the original text: a token, or what is between two tokens."""

    text: str
    contribution: float | None = None
    """Of the token, with its part of the n-grams around it; None between tokens."""
    known: bool = True
    """Whether the token is in the vocabulary."""


@dataclass(frozen=True)
class Explanation:
    """Why a text has its probability of a label: bias + padding + tokens + n-grams = logit."""

    row: int
    """Number of the text, from 1."""
    text: str
    prediction: str | tuple[str, ...]
    """The predicted label; in a multilabel task all predicted labels."""
    predicted: bool
    """Whether the explained label is predicted."""
    label: str
    """The explained label."""
    probability: float
    """Of the label, calibrated."""
    logit: float
    """Of the label. A sigmoid, or a softmax over all labels, gives the probability before isotonic
    calibration."""
    bias: float
    """The logit for vectors of zeros."""
    padding: float
    """Contribution of the padding; 0 unless pooling is flatten."""
    tokens: tuple[TokenContribution, ...]
    """The tokens that the network reads, in order."""
    truncated: int
    """Number of tokens after the last one that the network reads."""
    pieces: int
    """Linear pieces that the gradient was integrated over; 0 without hidden layers."""
    separator: str
    """Between the tokens of an n-gram: a space, or nothing between characters."""
    ngrams: tuple[NgramContribution, ...] = ()
    """Known n-grams, the shorter first."""

    @property
    def no_known_token(self) -> bool:
        """Whether the network reads no known token, so the probability is the model's default."""
        return not any(token.known for token in self.tokens)

    @property
    def status(self) -> str:
        """Whether the label is predicted, in words."""
        return "prediction" if self.predicted else "not predicted"

    @property
    def method(self) -> str:
        """How contributions were computed, in words."""
        if not self.pieces:
            return "contributions add up to the logit (exact)"
        return (
            f"contributions add up to the logit (integrated gradients, {self.pieces:,} linear "
            f"piece{'s' if self.pieces > 1 else ''})"
        )

    @property
    def unknown_contribution(self) -> float:
        """Contribution of all out-of-vocabulary tokens."""
        return sum(token.contribution for token in self.tokens if not token.known)

    @property
    def error(self) -> float:
        """Difference between the sum of contributions and the logit."""
        total = sum(contribution for _, contribution in self.named_contributions())
        return self.bias + self.padding + total - self.logit

    @property
    def unread_text(self) -> str:
        """The end of the text, after the last token that the network reads, if it is truncated."""
        return self.text[self._read_length :] if self.truncated else ""

    def segments(self) -> Iterator[Segment]:
        """Yield the text that the network reads as it was written, token by token."""
        position = 0
        for token, contribution in zip(self.tokens, self._contributions_in_text(), strict=True):
            start, end = token.span
            if start > position:
                yield Segment(self.text[position:start])
            if end > start:
                yield Segment(self.text[start:end], contribution, token.known)
            position = end
        end = self._read_length if self.truncated else len(self.text)
        if end > position:
            yield Segment(self.text[position:end])

    def named_contributions(self) -> Iterator[tuple[str, float]]:
        """Yield the name and the contribution of each token and n-gram."""
        for token in self.tokens:
            yield token.token if token.known else f"{token.token} (OOV)", token.contribution
        for ngram in self.ngrams:
            yield ngram.ngram, ngram.contribution

    def terms(self, limit: int) -> list[tuple[str, int | None, float]]:
        """List the terms that add up to the logit: name, number of occurrences, contribution.

        Tokens and n-grams come first, those with the largest contributions at the top. All after
        the first `limit` are one term, `other tokens`. Padding, with flatten pooling, and the bias
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
        # `asdict` would take as long as computing the explanation
        return {
            **vars(self),
            "tokens": list(map(vars, self.tokens)),
            "ngrams": list(map(NgramContribution.to_json, self.ngrams)),
            "no_known_token": self.no_known_token,
            "unknown": self.unknown_contribution,
            "error": self.error,
        }

    @property
    def _read_length(self) -> int:
        """Number of code points up to the end of the last token that the network reads."""
        return self.tokens[-1].span[1] if self.tokens else 0

    def _contributions_in_text(self) -> list[float]:
        """Divide the contribution of each n-gram evenly among its tokens."""
        sums = [token.contribution for token in self.tokens]
        for ngram in self.ngrams:
            for index in range(ngram.start, ngram.start + ngram.token_count):
                sums[index] += ngram.contribution / ngram.token_count
        return sums
