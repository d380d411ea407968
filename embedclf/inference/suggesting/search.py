"""Search a table for the rows whose labels a network would learn most from."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.inference.predictor import Predictor
from embedclf.inference.suggesting.candidates import (
    CandidatePool,
    filter_rows,
    sampling_keys,
    take_rows,
)
from embedclf.inference.suggesting.selection import (
    choose_different,
    measure_uncertainty,
    text_directions,
)
from embedclf.system.progress import activity
from embedclf.system.threads import parallel_map
from embedclf.text.fields import are_fields
from embedclf.text.fingerprints import fingerprint_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.inference.suggesting.label_columns import LabelColumns
    from embedclf.inference.suggesting.selection import Measure
    from embedclf.model.classifier import Classifier
    from embedclf.system.arrays import Counts, Doubles, Mask
    from embedclf.system.arrow import Batch
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.tokens import Tokens

_POOL_FACTOR, _MAX_POOL = 10, 20_000
"""Rows to choose among, for each row that is chosen, but no more than that."""

_MAX_UNKNOWN_FRACTION = 0.1
"""Of the chosen rows without a known token: their labels teach new words, but the network cannot
judge which of them would help most."""


@dataclass(frozen=True)
class RowCounts:
    """What the rows of a table are."""

    rows: int = 0
    labeled: int = 0
    """Rows that have a label."""
    empty: int = 0
    """Other rows whose text has no token."""
    learned: int = 0
    """Other rows whose text the run has learned from."""
    unlabeled: int = 0
    """Other rows, with a token."""
    without_known_token: int = 0
    """Rows among these of whose tokens the network knows none."""
    chosen: int = 0

    def plus(self, other: RowCounts) -> RowCounts:
        """Return the counts of both together."""
        names = [each.name for each in fields(self)]
        return RowCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})


class ChosenRows(NamedTuple):
    """Rows to label, the best choice first."""

    rows: Batch
    uncertainty: Doubles
    """(n,) from 0 to 1."""


class _ScoredRows(NamedTuple):
    """The rows of a batch that need a label."""

    batch: Batch
    keys: Doubles
    fingerprints: Fingerprints
    is_known: Mask
    """(n,) whether the network knows a token of the text."""
    labeled: Fingerprints
    """Of the texts of the other rows that have a label."""
    counts: RowCounts
    """Of all rows of the batch."""


class RowSearch:
    """Reads rows without keeping more than a sample of them, then chooses."""

    def __init__(
        self, classifier: Classifier, labels: LabelColumns, count: int, measure: Measure
    ) -> None:
        """Search for a number of rows.

        Args:
            classifier: The network.
            labels: What says that a row has a label.
            count: Rows to choose.
            measure: Of the uncertainty.
        """
        self._classifier, self._labels = classifier, labels
        self._count, self._measure = count, measure
        self._known = CandidatePool(max(count, min(_POOL_FACTOR * count, _MAX_POOL)))
        self._unknown = CandidatePool(count)
        self._labeled: list[Fingerprints] = []
        self.counts = RowCounts()

    def read(self, batches: Iterator[Batch], learned: Fingerprints) -> None:
        """Read all rows, and keep a sample of those without a label.

        Args:
            batches: The rows.
            learned: Fingerprints of texts that are not wanted.
        """
        split = Predictor(self._classifier).split(batches)
        scored = parallel_map(lambda batch: self._score(batch, learned), split)
        # Closing ends the worker threads, also after an error
        with closing(scored) as results, activity("predicting", unit="rows") as predicting:
            for rows in results:
                self._add(rows)
                predicting.advance(rows.counts.rows)
                predicting.fraction = rows.batch.fraction_read

    def choose(self, *, seed: int) -> list[ChosenRows]:
        """Choose rows, those that the network knows a token of first."""
        # A text can have a label in one row and none in another
        labeled = np.concatenate(self._labeled)
        known, unknown = self._known.finish(labeled), self._unknown.finish(labeled)
        counts = self.counts
        fraction = counts.without_known_token / max(1, counts.unlabeled)
        reserved = int(self._count * min(fraction, _MAX_UNKNOWN_FRACTION))
        reserved = min(reserved, len(unknown.texts))
        chosen = self._choose(known, min(self._count - reserved, len(known.texts)), seed)
        left = min(self._count - len(chosen.uncertainty), len(unknown.texts))
        # The sample is random, so its first rows are a random choice
        others = self._choose(take_rows(unknown, np.arange(left)), left, seed)
        self.counts = replace(counts, chosen=len(chosen.uncertainty) + left)
        return [chosen, others]

    def _score(self, batch: Batch, learned: Fingerprints) -> _ScoredRows:
        tokenizer, labels = self._classifier.tokenizer, self._classifier.labels
        tokens = tokenizer.tokenize(batch.texts)
        fingerprints, is_labeled = fingerprint_texts(tokens), self._labels.are_labeled(batch)
        encoding = tokenizer.encode_tokens(tokens)
        probabilities = self._classifier.predict_proba_ids(encoding.ids)
        weights = measure_uncertainty(labels, probabilities, self._measure)
        is_known = encoding.has_known_token
        # All texts without a known token are equally uncertain, so their sample is not weighted
        keys = sampling_keys(fingerprints, np.where(is_known, weights, 1.0))
        has_text = _count_words(tokens, tokenizer.rules.fields) > 0
        is_new = ~np.isin(fingerprints, learned)
        wanted = ~is_labeled & has_text & is_new
        counts = RowCounts(
            rows=len(batch.texts),
            labeled=int(is_labeled.sum()),
            empty=int((~is_labeled & ~has_text).sum()),
            learned=int((~is_labeled & has_text & ~is_new).sum()),
            unlabeled=int(wanted.sum()),
            without_known_token=int((wanted & ~is_known).sum()),
        )
        return _ScoredRows(
            filter_rows(batch, wanted),
            keys[wanted],
            fingerprints[wanted],
            is_known[wanted],
            np.unique(fingerprints[is_labeled]),
            counts,
        )

    def _add(self, scored: _ScoredRows) -> None:
        self._labeled.append(scored.labeled)
        for pool, mask in ((self._known, scored.is_known), (self._unknown, ~scored.is_known)):
            kept = filter_rows(scored.batch, mask)
            pool.add(kept, scored.keys[mask], scored.fingerprints[mask])
        self.counts = self.counts.plus(scored.counts)

    def _choose(self, sample: Batch, count: int, seed: int) -> ChosenRows:
        """Choose uncertain rows of a sample that differ from each other."""
        classifier = self._classifier
        ids = classifier.tokenizer.encode(sample.texts).ids
        probabilities = classifier.predict_proba_ids(ids)
        directions = text_directions(classifier.weights, ids)
        indices = choose_different(directions, count, seed=seed)
        uncertainty = measure_uncertainty(classifier.labels, probabilities[indices], self._measure)
        return ChosenRows(take_rows(sample, indices), uncertainty)


def _count_words(tokens: Tokens, columns: tuple[str, ...]) -> Counts:
    """(n,) tokens of each text without those of its fields."""
    if not columns:
        return tokens.lengths
    is_word = ~are_fields(tokens.dictionary, columns)
    before = np.concatenate([[0], np.cumsum(is_word[tokens.codes])])  # (tokens + 1,)
    counts: Counts = np.diff(before[tokens.ends], prepend=0)
    return counts
