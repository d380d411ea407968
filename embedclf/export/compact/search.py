"""The smallest classifier that loses little on validation rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.errors import RequestError
from embedclf.export.compact.basis import to_output_basis
from embedclf.export.compact.pruning import complete, find_threshold, measure_effects, select
from embedclf.export.compact.validation_rows import read_validation_rows
from embedclf.model.quantized import QuantizedWeights
from embedclf.model.weights import Weights
from embedclf.runs.compact_files import pack_ngrams, pack_quantized
from embedclf.system.progress import activity
from embedclf.text.encodings import TokenIds
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.export.compact.validation_rows import Comparison, ValidationRows
    from embedclf.model.classifier import Classifier
    from embedclf.model.weights import DenseLayer
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Floats, Mask
    from embedclf.text.encodings import Ids

_LEVELS = (31, 63, 127, 255, 511, 1023, 4095, 32767)
"""Largest multiple of the step, from coarse to fine. An embedding has 1 number a token or many, and
few or many of them add up, so only the validation rows show which suffices."""

_FRACTIONS = (0.03, 0.01, 0.003, 0.001, 0.0003, 0.0)
"""Of all effects, how much tokens and n-grams may have that are left out, from most to none."""

_COMPARED_SIZES = 3
"""Steps whose sizes are compared: a finer step can allow that more is left out."""

_QUICK_LEVEL = 3
"""Of Zstandard, to compare sizes."""

_SAFETY = 0.5
"""The expected loss must be at most this part of what may be lost. Other rows can lose more than
those on which the search has looked for the largest loss that is allowed."""


_CORRELATION = 0.999
"""Least correlation of the logits before and after. Validation rows that are all far from a
threshold would allow almost anything, and texts that are not like them would suffer."""


@dataclass(frozen=True)
class Compaction:
    """A smaller classifier, and what it loses."""

    classifier: Classifier
    weights: QuantizedWeights
    """Of the classifier."""
    rows: ValidationRows
    shift: Floats
    """(n, outputs) by which the logits of these rows differ from those before."""
    comparison: Comparison


class _Choice(NamedTuple):
    """What to keep, and how finely."""

    level: int
    kept: Mask
    """(vocabulary_rows,)"""


@activity("looking for the smallest classifier")
def find_smallest(run: Run, classifier: Classifier, max_loss: float) -> Compaction:
    """Find the smallest classifier whose score is at most so many points lower.

    Tokens and n-grams are left out by their effect in training texts, as far as decisions about the
    validation rows allow (compare Joulin et al., FastText.zip, 2016, section 3).

    Args:
        run: The run.
        classifier: Of the run.
        max_loss: Points of accuracy, or of micro F1 in a multilabel task.

    Raises:
        RequestError: There is none.
        DataError: The validation rows cannot be read.
        RunError: They have changed.
    """
    search = _Search(run, classifier)
    choices = list(search.iterate(max_loss / 100.0))
    if not choices:
        name = classifier.labels.score_name
        raise RequestError(
            f"{run.path}: even its finest compact form loses more than {max_loss:g} points of "
            f"{name} on {len(search.rows.ids):,} validation rows; allow more with --max-loss"
        )
    return search.build(min(choices, key=search.measure_size))


class _Search:
    """Classifiers in a few sizes."""

    def __init__(self, run: Run, classifier: Classifier) -> None:
        self.classifier = classifier
        self.rows = read_validation_rows(run, classifier)
        statistics = run.row_statistics()
        tokenizer, weights = classifier.tokenizer, classifier.weights
        counts = np.ones(tokenizer.vocabulary_rows)
        if statistics is not None:  # words that only their vectors are known for count once
            counts = np.maximum(statistics.counts, 1.0)
        self.is_exclusive = classifier.labels.task == "multiclass"
        self.table, dense = to_output_basis(weights, counts, exclusive=self.is_exclusive)
        # (vocabulary_rows, columns), and as the files have them
        self.dense: tuple[DenseLayer, ...] = tuple(
            (kernel.astype(np.float16).astype(np.float32), bias) for kernel, bias in dense
        )
        self.effects: Doubles = measure_effects(tokenizer, self.table, counts)
        self.largest = float(np.abs(self.table).max()) or 1.0

    def iterate(self, max_loss: float) -> Iterator[_Choice]:
        """Yield for a few steps, from coarse to fine, how much can be left out."""
        found = 0
        for level in _LEVELS:
            for kept in self._masks:
                choice = _Choice(level, kept)
                if self._is_good(self._shift(choice), max_loss):
                    yield choice
                    found += 1
                    break
            if found == _COMPARED_SIZES:
                return

    def measure_size(self, choice: _Choice) -> int:
        """Return about how many bytes a choice takes, without what all choices share."""
        tokenizer = select(self.classifier.tokenizer, choice.kept)
        files = pack_quantized(self._quantize(choice), _QUICK_LEVEL).values()
        tokens = sum(len(token.encode()) for token in tokenizer.tokens)
        return sum(map(len, files)) + len(pack_ngrams(tokenizer.ngrams, _QUICK_LEVEL)) + tokens // 2

    def build(self, choice: _Choice) -> Compaction:
        """Return the classifier of a choice."""
        weights = self._quantize(choice)
        classifier = replace(
            self.classifier,
            tokenizer=select(self.classifier.tokenizer, choice.kept),
            weights=weights.restore(),
        )
        shift = self._shift(choice)
        return Compaction(classifier, weights, self.rows, shift, self.rows.compare(shift))

    def _is_good(self, shift: Floats, max_loss: float) -> bool:
        """Whether a classifier whose logits are shifted is as good as the one before."""
        comparison = self.rows.compare(shift)
        return (
            comparison.loss <= max_loss
            and comparison.expected_loss <= _SAFETY * max_loss
            and self._correlate(shift) >= _CORRELATION
        )

    def _correlate(self, shift: Floats) -> float:
        """Return the correlation of the logits before and after a shift (n, outputs)."""
        pair = []
        for logits in (self._logits, self._logits + shift):
            centered = logits.astype(np.float64)
            if self.is_exclusive:  # only differences between labels count
                centered -= centered.mean(axis=1, keepdims=True)
            pair.append(centered - centered.mean(axis=0))
        first, second = pair
        product = float((first**2).sum() * (second**2).sum())
        return float((first * second).sum()) / product**0.5 if product else 1.0

    @cached_property
    def _masks(self) -> list[Mask]:
        """(vocabulary_rows,) what is kept, from least to all."""
        thresholds = [find_threshold(self.effects, fraction) for fraction in _FRACTIONS]
        tokenizer = self.classifier.tokenizer
        return [complete(tokenizer, self.effects >= threshold) for threshold in thresholds]

    @cached_property
    def _used(self) -> tuple[Floats, TokenIds, Ids]:
        """What validation rows use.

        Rows of the table (used, columns), the ids of the texts as positions in them, and their ids
        (used,) in the vocabulary. The first two are padding and unknown.
        """
        ids = self.rows.ids
        reserved = [PADDING, UNKNOWN]
        used, places = np.unique(np.concatenate([reserved, ids.values]), return_inverse=True)
        local = TokenIds(places[len(reserved) :].astype(np.int32), ids.ends)
        return self.table[used], local, used

    def _step(self, choice: _Choice) -> float:
        return float(np.float32(self.largest / choice.level))

    def _quantize(self, choice: _Choice) -> QuantizedWeights:
        step = self._step(choice)
        number_type = np.int8 if choice.level < 1 << 7 else np.int16
        columns = np.rint(self.table[choice.kept].T / np.float32(step)).astype(number_type)
        matters = columns.any(axis=1)
        matters[0] = True
        kernel, bias = self.dense[0]
        by_position = kernel.reshape(-1, len(columns), len(bias))[:, matters]
        first = (np.ascontiguousarray(by_position.reshape(-1, len(bias))), bias)
        pooling = self.classifier.weights.pooling
        return QuantizedWeights(pooling, columns[matters], step, (first, *self.dense[1:]))

    def _shift(self, choice: _Choice) -> Floats:
        """Return by how much the logits (n, outputs) of the validation rows change."""
        table, ids, used = self._used
        step = np.float32(self._step(choice))
        rows = np.rint(table / step) * step
        kept = choice.kept[used]
        is_token = used < self.classifier.tokenizer.first_ngram_id
        rows[is_token & ~kept] = rows[UNKNOWN]
        stays = (is_token | kept)[ids.values]
        shortened = TokenIds(ids.values[stays], np.cumsum(ids.count(stays)))
        pooling = self.classifier.weights.pooling
        weights = Weights.from_layers(pooling, rows, self.dense)
        return weights.logits(shortened) - self._logits

    @cached_property
    def _logits(self) -> Floats:
        """(n, outputs) of the classifier for the validation rows."""
        return self.classifier.weights.logits(self.rows.ids)
