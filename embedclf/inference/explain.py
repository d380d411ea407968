"""What each token contributed to the logit.

Without hidden layers what a token adds is exact. With them it is the integrated gradient
(Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017, section 3) along the
straight line from vectors of zeros to those of the text. Pooling and the first dense layer then
move on a straight line too, and the network behind them is linear but for where a ReLU bends:
between the bends the gradient is constant, so that its mean is no approximation.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.config.messages import nearest
from embedclf.errors import RequestError
from embedclf.inference.inputs import open_source
from embedclf.system.arrow import text_column
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.data.labels import Probabilities
    from embedclf.inference.inputs import TableFormat
    from embedclf.model.classifier import Classifier
    from embedclf.model.weights import Weights
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.text.tokenizer import Tokenizer


_BATCH_ROWS = 256


@dataclass(frozen=True)
class TokenContribution:
    """A token of a text and what it added to the logit."""

    token: str
    known: bool
    contribution: float


@dataclass(frozen=True)
class NgramContribution:
    """A known n-gram of a text and what it added to the logit beside its tokens."""

    phrase: str
    start: int
    """The number of its first token, from 0; the text's beginning is none."""
    tokens: int
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a text has its probability of a label: bias + padding + tokens + phrases = logit."""

    row: int
    """The number of the text, from 1."""
    text: str
    prediction: bool
    """Whether the label is predicted."""
    label: str
    probability: float
    """Of the label, between 0 and 1."""
    logit: float
    """Of the label; a sigmoid, or a softmax over all labels, makes it the probability, which
    isotonic calibration then changes."""
    bias: float
    """The logit that the network gives to vectors of zeros."""
    padding: float
    """What padding added; it counts with flatten alone."""
    tokens: tuple[TokenContribution, ...]
    """Those that the network reads, in order."""
    truncated: int
    """Tokens behind the last that it reads."""
    pieces: int
    """Linear pieces of the way that the gradient was integrated over; 0 without hidden layers."""
    separator: str
    """What stands between two tokens: a blank, or nothing between characters."""
    phrases: tuple[NgramContribution, ...] = ()
    """Known n-grams, the shorter first."""

    @property
    def standing(self) -> str:
        """Whether the label is predicted, in words."""
        return "prediction" if self.prediction else "not predicted"

    @property
    def method(self) -> str:
        """How contributions were found, and what is missing in their sum, in words."""
        how = f"integrated gradients over {self.pieces:,} pieces" if self.pieces else "exact"
        return f"{how}; the sum misses the logit by {abs(self.error):.0e}"

    @property
    def strengths(self) -> list[float]:
        """What each token added, as a share between -1 and 1 of what the strongest did.

        What a phrase added is shared out evenly among its tokens.
        """
        added = [token.contribution for token in self.tokens]
        for phrase in self.phrases:
            for place in range(phrase.start, phrase.start + phrase.tokens):
                added[place] += phrase.contribution / phrase.tokens
        most = max(map(abs, added), default=0.0) or 1.0
        return [contribution / most for contribution in added]

    @property
    def unknown(self) -> float:
        """What unknown tokens added."""
        return sum(token.contribution for token in self.tokens if not token.known)

    @property
    def error(self) -> float:
        """By how much the sum misses the logit."""
        added = sum(contribution for _, contribution in self.added())
        return self.bias + self.padding + added - self.logit

    def added(self) -> Iterator[tuple[str, float]]:
        """Each token and phrase by its name, and what it added."""
        for token in self.tokens:
            yield token.token if token.known else f"{token.token} (unknown)", token.contribution
        for phrase in self.phrases:
            yield phrase.phrase, phrase.contribution

    def summands(self, most: int) -> list[tuple[str, int | None, float]]:
        """What the logit is the sum of: a name, how often it stands there, and what it added.

        Tokens and phrases come first, the strongest of them in front; behind so many of them all
        others are one, `other tokens`. Padding, if it counts, and the bias follow.
        """
        sums: dict[str, tuple[int, float]] = {}
        for name, added in self.added():
            times, total = sums.get(name, (0, 0.0))
            sums[name] = times + 1, total + added
        rows: list[tuple[str, int | None, float]] = [(name, *sum_) for name, sum_ in sums.items()]
        rows.sort(key=lambda row: -abs(row[2]))
        if others := rows[most:]:
            times = sum(row[1] or 0 for row in others)
            rows = [*rows[:most], ("other tokens", times, sum(row[2] for row in others))]
        if self.padding:
            rows.append(("padding", None, self.padding))
        return [*rows, ("bias", None, self.bias)]


@contextmanager
def explain_run(
    run: Run, given: Path | Sequence[str], form: TableFormat, label: str | None = None
) -> Iterator[Iterator[Explanation]]:
    """Explain texts, or those of a table, `-` being standard input; raises as `explain` does.

    Raises:
        DataError: The table cannot be read.
    """
    with ExitStack() as stack:
        texts: Iterable[str]
        if isinstance(given, Path):
            opened = open_source(given, run.config().data, form, None)
            source = stack.enter_context(opened)
            texts = (text for batch in source.batches for text in batch.texts.to_pylist())
        else:
            texts = given
        yield explain(run.classifier(), texts, label)


def explain(
    classifier: Classifier, texts: Iterable[str], label: str | None = None
) -> Iterator[Explanation]:
    """Explain texts one by one: their prediction, or the label given.

    A text of several predicted labels has an explanation for each, one of none for the likeliest.

    Raises:
        RequestError: There is no such label, or a text is not Unicode.
    """
    names = classifier.labels.names
    if label is not None and label not in names:
        near = nearest(label, names)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(map(repr, names))}"
        raise RequestError(f"label {label!r}: the run knows no such label; {hint}")
    return (
        one
        for first, batch in _batches(texts)
        for scored in _score(classifier, batch, first)
        for one in _explain(classifier, scored, label)
    )


@dataclass(frozen=True)
class _Scored:
    """A text as the network reads and scores it."""

    row: int
    text: str
    tokens: list[str]
    ids: npt.NDArray[np.int32]  # (slots,)
    logits: Floats  # (outputs,)
    shares: Probabilities  # (labels,)
    predicted: list[int]


def _batches(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Texts in batches, each with the number of its first."""
    remaining, first = iter(texts), 1
    while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
        yield first, batch
        first += len(batch)


def _score(classifier: Classifier, texts: list[str], first: int) -> Iterator[_Scored]:
    labels, several = classifier.labels, classifier.labels.task == "multilabel"
    try:
        column = text_column(texts)
    except UnicodeEncodeError as error:
        raise RequestError(
            "a text is not UTF-8; pass it by --file and name its encoding"
        ) from error
    tokens = classifier.tokenizer.tokenize(column)
    ids = classifier.tokenizer.encode_tokens(tokens).ids
    logits = classifier.weights.logits(ids)
    probabilities = classifier.calibrated(classifier.activate(logits))
    decided = labels.decide(probabilities)
    for row, of_text in enumerate(tokens.to_lists()):
        yield _Scored(
            first + row,
            texts[row],
            of_text,
            ids[row],
            logits[row],
            labels.shares(probabilities[row : row + 1])[0],
            np.flatnonzero(decided[row]).tolist() if several else [int(decided[row])],
        )


def _explain(classifier: Classifier, scored: _Scored, label: str | None) -> Iterator[Explanation]:
    weights, labels = classifier.weights, classifier.labels
    length = classifier.tokenizer.sequence_length
    read = min(len(scored.tokens), length)
    known = scored.ids[:read] != UNKNOWN
    added = weights.added(scored.ids)  # (slots, units)
    shown = scored.predicted if label is None else [labels.names.index(label)]
    for number in shown or [int(scored.shares.argmax())]:
        # one sigmoid has the logit of the second label; that of the first is its opposite
        output, sign = (0, 2 * number - 1) if labels.task == "binary" else (number, 1)
        slope, pieces = _mean_slope(weights, added, output)
        given = sign * (added.astype(np.float64) @ slope)  # (slots,)
        yield Explanation(
            row=scored.row,
            text=scored.text,
            prediction=number in scored.predicted,
            label=labels.names[number],
            probability=float(scored.shares[number]),
            logit=sign * float(scored.logits[output]),
            bias=sign * float(weights.head(weights.dense[0][1][None])[0, output]),
            padding=float(given[read:length].sum()),
            tokens=tuple(
                map(TokenContribution, scored.tokens[:read], known.tolist(), given[:read].tolist())
            ),
            truncated=len(scored.tokens) - read,
            pieces=pieces,
            separator=classifier.tokenizer.separator,
            phrases=tuple(_phrases(classifier.tokenizer, scored, given)),
        )


def _phrases(tokenizer: Tokenizer, scored: _Scored, given: Doubles) -> Iterator[NgramContribution]:
    """The known n-grams of a text; what each slot (slots,) added is given."""
    length, padded = tokenizer.sequence_length, ["", *scored.tokens, ""]
    for slot in length + np.flatnonzero(scored.ids[length:] != PADDING):
        behind, place = divmod(int(slot) + 1, length + 1)
        words = padded[place : place + behind + 1]
        start, end = max(0, place - 1), min(place + behind, len(scored.tokens))
        yield NgramContribution(tokenizer.joined(words), start, end - start, float(given[slot]))


def _mean_slope(weights: Weights, added: Floats, output: int) -> tuple[Doubles, int]:
    """How a logit changes with each unit, (units,), on the way from no token to the text.

    Returns:
        The mean over the way, and of how many linear pieces; none where it is one in any case.
    """
    start = weights.dense[0][1].astype(np.float64)  # (units,)
    total = added.sum(axis=0, dtype=np.float64)
    if len(weights.dense) == 1:
        return weights.slopes(start[None], output)[0], 0
    knots = _knots(weights, np.stack([start, start + total]))
    middles = (knots[:-1] + knots[1:])[:, None] / 2
    slopes = weights.slopes(start + middles * total, output)  # (pieces, units)
    return np.diff(knots) @ slopes, len(middles)


def _knots(weights: Weights, units: Doubles) -> Doubles:
    """Where on a straight line between two points of the first layer's units the network bends.

    A ReLU bends where its unit is 0, and between bends the next layer's units are linear too.

    Args:
        weights: With hidden layers.
        units: (2, units) before ReLU, at both ends.

    Returns:
        (bends + 2,) places between 0 and 1, both included.
    """
    knots = np.array([0.0, 1.0])
    for kernel, bias in weights.dense[1:]:
        before, after = units[:-1], units[1:]
        piece, unit = np.nonzero(before * after < 0.0)
        share = before[piece, unit] / (before - after)[piece, unit]
        bends = knots[piece] + share * np.diff(knots)[piece]
        denser = np.unique(np.concatenate([knots, bends]))
        units = np.stack([np.interp(denser, knots, column) for column in units.T], axis=1)
        units = np.maximum(units, 0.0) @ kernel.astype(np.float64) + bias
        knots = denser
    return knots
