"""What a training continues from: the vocabulary, labels and weights of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.data.labels import Labels
    from embedclf.system.arrays import Counts, Floats, Int64s
    from embedclf.text.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Start:
    """A trained network with its tokenizer and labels, as a training continues from it."""

    tokenizer: Tokenizer
    labels: Labels
    embedding: Floats
    """(vocabulary_rows, embedding_dim), without kept word vectors."""
    kept: Floats | None
    """(first_ngram_id, kept_dim) word vectors; None if it has none."""
    dense: tuple[tuple[Floats, Floats], ...]
    """Kernel and bias of the hidden layers, then of the output layer."""
    counts: Counts | None
    """(vocabulary_rows,) how often training has read each id; None if the run has not stored it."""
    row_learning_rates: Floats | None
    """(vocabulary_rows,) factors for the steps of each row; None is 1 for all."""
    sha256: str
    """Of the files of the run."""

    def counts_in(self, tokenizer: Tokenizer) -> Counts:
        """Return how often the run has read each id of a tokenizer that extends its own."""
        counts = np.zeros(tokenizer.vocabulary_rows, np.int64)
        if self.counts is not None:
            counts[self.tokenizer.ids_in(tokenizer)] = self.counts
        return counts

    def trained_ids_in(self, tokenizer: Tokenizer) -> tuple[Int64s, Int64s]:
        """Return the ids whose rows were trained, and the ids that these have in a tokenizer.

        Words that are known by their kept vectors only are left out: they have no trained numbers.
        """
        own = self.tokenizer
        ids = np.arange(own.vocabulary_rows)
        ids = ids[(ids < own.first_vector_id) | (ids >= own.first_ngram_id)]
        return ids, own.ids_in(tokenizer)[ids]
