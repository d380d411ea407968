"""Explanations: what each token of a text added to the logit of a label.

Where the network is linear but for its output, and with max pooling, what a token adds is exact.
With hidden layers it is the integrated gradient (Sundararajan, Taly and Yan, Axiomatic Attribution
for Deep Networks, 2017, section 3) along the straight line from vectors of zeros to those of the
text. Pooling and the first dense layer then move on a straight line too, so that the gradients of
the units of that layer are all that must be averaged.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedclf.errors import DataError
from embedclf.faults import nearest
from embedclf.sources import Wanted, from_texts, open_source
from embedclf.tokenizer import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.classifier import Classifier
    from embedclf.labels import Labels, Probabilities
    from embedclf.run import Run
    from embedclf.sources import Form
    from embedclf.weights import Floats, Weights

_STEPS, _MOST_STEPS = 64, 1 << 14
_CLOSE = 1e-5
"""Steps are doubled until the sum misses the logit by no more than this."""


@dataclass(frozen=True)
class Token:
    """A token of a text and what it added to the logit."""

    token: str
    known: bool
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a text has its probability of a label: bias + padding + tokens = logit."""

    text: str
    prediction: bool
    """Whether the label is predicted."""
    label: str
    probability: float
    """Of the label, between 0 and 1."""
    logit: float
    """Of the label; a sigmoid, or a softmax over all labels, makes it the probability."""
    bias: float
    """The logit that the network gives to vectors of zeros."""
    padding: float
    """What padding added; it counts with flatten alone."""
    tokens: tuple[Token, ...]
    """Those that the network reads, in order."""
    cut: int
    """Tokens behind the last that it reads."""
    steps: int
    """Of integrated gradients; 0 where contributions are exact."""
    separator: str
    """What stands between two tokens: a blank, or nothing between characters."""

    @property
    def unknown(self) -> float:
        """What unknown tokens added."""
        return sum(token.contribution for token in self.tokens if not token.known)

    @property
    def error(self) -> float:
        """By how much the sum misses the logit."""
        return self.bias + self.padding + sum(t.contribution for t in self.tokens) - self.logit

    def strongest(self, most: int) -> list[tuple[str, int, float]]:
        """Each token, how often it stands there and what it added, the strongest first.

        Behind so many of them all others are one, `other tokens`.
        """
        sums: dict[str, tuple[int, float]] = {}
        for token in self.tokens:
            name = token.token if token.known else f"{token.token} (unknown)"
            times, total = sums.get(name, (0, 0.0))
            sums[name] = times + 1, total + token.contribution
        ranked = [(name, *sum_) for name, sum_ in sums.items()]
        ranked.sort(key=lambda row: -abs(row[2]))
        if others := ranked[most:]:
            rest = ("other tokens", sum(row[1] for row in others), sum(row[2] for row in others))
            return [*ranked[:most], rest]
        return ranked


@contextmanager
def explain_run(
    run: Run, given: Path | Sequence[str], form: Form, label: str | None = None
) -> Iterator[Iterator[Explanation]]:
    """Explain texts, or those of a table, `-` being standard input; raises as `explain` does.

    Raises:
        DataError: The table cannot be read.
    """
    wanted = Wanted(None, held=True, added=())
    with ExitStack() as stack:
        if isinstance(given, Path):
            config = run.config().data
            source = stack.enter_context(open_source(given, config, form, wanted))
        else:
            source = from_texts(given, wanted)
        texts = (str(text) for batch in source.batches for text in batch.texts.to_pylist())
        yield explain(run.classifier(), texts, label)


def explain(
    classifier: Classifier, texts: Iterable[str], label: str | None = None
) -> Iterator[Explanation]:
    """Explain texts one by one: their prediction, or the label given.

    A text of several predicted labels has an explanation for each, one of none for the likeliest.

    Raises:
        DataError: There is no such label.
    """
    names = classifier.labels.names
    if label is not None and label not in names:
        near = nearest(label, names)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names)}"
        raise DataError(f"label {label!r}: the run knows no such label; {hint}")
    return (one for text in texts for one in _explain(classifier, text, label))


def _explain(classifier: Classifier, text: str, label: str | None) -> Iterator[Explanation]:
    weights, labels = classifier.weights, classifier.labels
    encoding = classifier.tokenizer.encode([text])
    (ids,) = encoding.ids
    tokens = classifier.tokenizer.split(text)
    read = min(len(tokens), len(ids))
    added = weights.added(ids)  # (sequence_length, units)
    logits = weights.logits(encoding.ids)
    probabilities = classifier.activate(logits)
    predicted = _predicted(labels, probabilities)
    shown = [labels.names.index(label)] if label is not None else predicted
    for number in shown or [int(probabilities[0].argmax())]:
        # one sigmoid has the logit of the second label; that of the first is its opposite
        output, sign = (0, 2 * number - 1) if labels.task == "binary" else (number, 1)
        slope, steps = _mean_slope(weights, added, output)
        given = sign * (added.astype(np.float64) @ slope)  # (sequence_length,)
        yield Explanation(
            text=text,
            prediction=number in predicted,
            label=labels.names[number],
            probability=float(labels.shares(probabilities)[0, number]),
            logit=sign * float(logits[0, output]),
            bias=sign * float(weights.head(weights.dense[0][1][None])[0, output]),
            padding=float(given[read:].sum()),
            tokens=tuple(
                Token(token, bool(known), float(contribution))
                for token, known, contribution in zip(
                    tokens[:read], ids[:read] != UNKNOWN, given[:read], strict=True
                )
            ),
            cut=len(tokens) - read,
            steps=steps,
            separator=" " if classifier.tokenizer.unit == "word" else "",
        )


def _predicted(labels: Labels, probabilities: Probabilities) -> list[int]:
    decided = labels.decide(probabilities)[0]
    return np.flatnonzero(decided).tolist() if labels.task == "multilabel" else [int(decided)]


def _mean_slope(weights: Weights, added: Floats, output: int) -> tuple[Floats, int]:
    """How a logit changes with each unit, (units,), on the way from no token to the text.

    Returns:
        The mean over the midpoints of so many steps; 0 steps where it is the same everywhere.
    """
    bias = weights.dense[0][1]
    total = added.sum(axis=0)  # (units,)
    if len(weights.dense) == 1:
        return weights.slopes(bias[None], output)[0], 0
    ends = weights.head(np.stack([bias, bias + total]))[:, output]
    steps = _STEPS
    while True:
        along = (np.arange(steps, dtype=np.float32)[:, None] + np.float32(0.5)) / steps
        slope: Floats = weights.slopes(bias + along * total, output).mean(axis=0)
        missed = float(total @ slope) - float(ends[1] - ends[0])
        if abs(missed) <= _CLOSE or steps >= _MOST_STEPS:
            return slope, steps
        steps *= 2
