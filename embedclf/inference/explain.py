"""The contribution of each token to the logit.

Contributions are exact without hidden layers; with them, they are integrated gradients.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.config.messages import closest_match
from embedclf.errors import RequestError
from embedclf.inference.explanation import Explanation, NgramContribution, TokenContribution
from embedclf.inference.inputs import open_text_source
from embedclf.inference.integrated_gradients import mean_gradient
from embedclf.system.arrow import text_column
from embedclf.system.fields import find_fields
from embedclf.text.fields import are_fields
from embedclf.text.spans import find_token_spans
from embedclf.text.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from embedclf.config.fields import Tables
    from embedclf.data.labels import Probabilities
    from embedclf.inference.inputs import TextSource
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Floats, Int32s
    from embedclf.text.spans import Span
    from embedclf.text.token_rules import TokenRules
    from embedclf.text.tokenizer import Tokenizer

_BATCH_ROWS = 256


@contextmanager
def explain_run(
    run: Run,
    source: Tables | list[str],
    reading: Mapping[str, Any],
    label: str | None = None,
    *,
    on_note: Callable[[str], None] = lambda _note: None,
) -> Iterator[Iterator[Explanation]]:
    """Explain texts, which are a list, or those of a table; `-` is standard input.

    Args:
        run: Whose classifier to use.
        source: The texts, or the table.
        reading: Keys of `data` by which the table differs from the run's.
        label: Label to explain; None is the predicted one.
        on_note: Called with each thing to know about how the table was read, after its last text.

    Raises:
        DataError: The table cannot be read.
        RequestError: As `explain` raises it.
    """
    with ExitStack() as stack:
        texts: Iterable[str]
        if isinstance(source, list):
            texts = source
        else:
            opened = open_text_source(source, run.config().data, reading, None)
            table = stack.enter_context(opened)
            texts = _iter_texts(table, on_note)
        yield explain(run.classifier(), texts, label)


def explain(
    classifier: Classifier, texts: Iterable[str], label: str | None = None
) -> Iterator[Explanation]:
    """Explain texts one by one: their predicted labels, or one label.

    In a multilabel task, there is an explanation for each predicted label; if none is predicted,
    there is one for the most probable label.

    Raises:
        RequestError: There is no such label, or a text is not Unicode.
    """
    names = classifier.labels.names
    known = None if label is None else classifier.labels.find(label)
    if label is not None and known is None:
        match = closest_match(label, names)
        hint = f"did you mean {match!r}?" if match else f"labels: {', '.join(map(repr, names))}"
        raise RequestError(f"--label {label}: the run has no such label; {hint}")
    # not a generator function: a wrong label has to raise before the first text is read
    return (
        explanation
        for first, batch in _batches(texts)
        for scored in _score(classifier, batch, first)
        for explanation in _explain(classifier, scored, known)
    )


def _iter_texts(table: TextSource, on_note: Callable[[str], None]) -> Iterator[str]:
    for batch in table.batches:
        yield from batch.texts.to_pylist()
    for note in table.notes():
        on_note(note)


@dataclass(frozen=True)
class _ScoredText:
    """A text as the network reads and scores it."""

    row: int
    text: str
    tokens: list[str]
    read: int
    """How many of the tokens the network reads."""
    ids: Int32s
    """(ids,) of these, then of known n-grams."""
    ngram_places: list[tuple[int, int]]
    """Where each known n-gram begins, and its number of tokens. The beginning of the text is at
    position 0, so its first token is at 1."""
    logits: Floats
    """(outputs,)."""
    probabilities: Probabilities
    """(labels,)."""
    predicted: list[int]
    """Indices of labels."""


def _batches(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield texts in batches, each with the number of its first text."""
    remaining, first = iter(texts), 1
    while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
        yield first, batch
        first += len(batch)


def _score(classifier: Classifier, texts: list[str], first: int) -> Iterator[_ScoredText]:
    labels, multilabel = classifier.labels, classifier.labels.task == "multilabel"
    tokens = classifier.tokenizer.tokenize(_to_column(texts))
    ids = classifier.tokenizer.encode_tokens(tokens).ids
    begins, sizes = classifier.tokenizer.locate_ngrams(tokens)
    places = zip(begins.tolist(), sizes.tolist(), strict=True)
    logits = classifier.weights.logits(ids)
    probabilities = np.asarray(classifier.calibrate(classifier.probabilities(logits)))
    decisions = labels.decide(probabilities)
    for row, (words, text_ids) in enumerate(zip(tokens.to_lists(), ids, strict=True)):
        read = min(len(words), classifier.tokenizer.sequence_length)
        yield _ScoredText(
            first + row,
            texts[row],
            words,
            read,
            text_ids,
            list(itertools.islice(places, len(text_ids) - read)),
            logits[row],
            # A slice keeps both dimensions
            labels.label_probabilities(probabilities[row : row + 1])[0],
            np.flatnonzero(decisions[row]).tolist() if multilabel else [int(decisions[row])],
        )


def _to_column(texts: list[str]) -> pa.StringArray:
    try:
        return text_column(texts)
    except UnicodeEncodeError as error:
        raise RequestError(
            "a text is not UTF-8; pass it in a file with --file and --encoding"
        ) from error


def _explain(
    classifier: Classifier, scored: _ScoredText, label: str | None
) -> Iterator[Explanation]:
    weights, labels = classifier.weights, classifier.labels
    kept = scored.read
    known = scored.ids[:kept] != UNKNOWN
    to_units = weights.unit_contributions(scored.ids)  # (ids, units)
    explained = scored.predicted if label is None else [labels.names.index(label)]
    names = tuple(labels.names[index] for index in scored.predicted)
    words = scored.tokens[:kept]
    spans = _find_spans(scored.text, words, classifier.tokenizer.rules)
    tokens = classifier.tokenizer.names_of(words)
    for index in explained or [int(scored.probabilities.argmax())]:
        # a binary network has the logit of the second label; the first has its opposite
        output, sign = (0, 2 * index - 1) if labels.task == "binary" else (index, 1)
        gradient, pieces = mean_gradient(weights, to_units, output)
        to_logit = sign * (to_units.astype(np.float64) @ gradient)  # (ids,)
        bias = weights.logits_from_units(weights.dense[0][1][None])[0, output]
        yield Explanation(
            row=scored.row,
            text=scored.text,
            prediction=names if labels.task == "multilabel" else names[0],
            predicted=index in scored.predicted,
            label=labels.names[index],
            probability=float(scored.probabilities[index]),
            logit=sign * float(scored.logits[output]),
            bias=sign * float(bias),
            padding=float(to_logit[len(scored.ids) :].sum()),
            tokens=tuple(
                map(TokenContribution, tokens, known.tolist(), to_logit[:kept].tolist(), spans)
            ),
            truncated=len(scored.tokens) - kept,
            pieces=pieces,
            separator=classifier.tokenizer.rules.separator,
            ngrams=tuple(_explain_ngrams(classifier.tokenizer, scored, to_logit[kept:])),
        )


def _find_spans(text: str, words: Sequence[str], rules: TokenRules) -> list[Span]:
    """Find the fields of a text, then its tokens; `words` are all, or the first ones."""
    if not rules.fields:
        return find_token_spans(text, words, rules)
    fields, start = find_fields(text, rules.fields)
    of_text = find_token_spans(text[start:], words[len(fields) :], rules)
    spans = [*fields, *((start + first, start + last) for first, last in of_text)]
    return spans[: len(words)]


def _explain_ngrams(
    tokenizer: Tokenizer, scored: _ScoredText, to_logit: Doubles
) -> Iterator[NgramContribution]:
    """Yield the known n-grams of a text; `to_logit` (ngrams or more,) has their contributions."""
    is_field = are_fields(text_column(scored.tokens), tokenizer.rules.fields).tolist()
    tokens = ["" if each else token for token, each in zip(scored.tokens, is_field, strict=True)]
    padded = ["", *tokens, ""]
    places = zip(scored.ngram_places, to_logit.tolist(), strict=False)  # padding is no n-gram
    for (begin, token_count), contribution in places:
        words = padded[begin : begin + token_count]
        # What is before and after the text is no token of it
        start, end = begin - (words[0] != ""), begin + token_count - 1 - (words[-1] == "")
        yield NgramContribution(tokenizer.join(words), start, end - start, contribution)
