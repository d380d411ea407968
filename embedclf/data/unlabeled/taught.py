"""Unlabeled texts with the probabilities of a teacher, as a network learns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.scratch import count_ids, weigh_ids

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.labels import Probabilities
    from embedclf.data.splits import Encoder, Split, SplitIds, TokenizedTable
    from embedclf.system.arrays import Counts, Doubles
    from embedclf.text.encodings import TokenIds


@dataclass(frozen=True)
class TaughtTexts:
    """Unlabeled texts as a network learns them: with probabilities in place of labels."""

    ids: TokenIds
    """Of each text, memory-mapped."""
    probabilities: Probabilities
    """(n, outputs) by the teacher."""
    facts: dict[str, Any]
    """What the teacher is, and how well it predicts the labels of labeled rows."""

    def __len__(self) -> int:
        return len(self.probabilities)

    def count_ids(self, vocabulary_rows: int) -> Counts:
        """Count how often each id occurs (vocabulary_rows,)."""
        return count_ids(self.ids, vocabulary_rows)

    def weigh_ids(self, vocabulary_rows: int, weights: Doubles) -> Doubles:
        """Sum the weights (n,) of the texts that each id (vocabulary_rows,) occurs in."""
        return weigh_ids(self.ids, vocabulary_rows, weights)


def teach(
    table: TokenizedTable, encoder: Encoder, train: Split, split_ids: SplitIds, config: Config
) -> TaughtTexts | None:
    """Let the teacher of a config label the unlabeled texts, if it has one.

    Args:
        table: The training table, with the unlabeled texts.
        encoder: Knows the vocabulary and the labels.
        train: The training rows; the teacher learns from no others.
        split_ids: (n,) the split of each row of the table; 0 is training.
        config: The config.
    """
    texts = table.unlabeled
    if texts is None or texts.sentences is None or texts.labeled_sentences is None:
        return None
    from embedclf.data.unlabeled.teacher import Teacher

    vectors = texts.labeled_sentences.read(np.flatnonzero(split_ids == 0))
    teacher = Teacher.fit(encoder.labels, vectors, train.targets, train.weights, seed=config.seed)
    probabilities = teacher.label(texts.sentences.read, len(texts))
    (file,) = encoder.encode(texts.tokens, np.zeros(len(texts), np.int8))
    return TaughtTexts(file.memory_map(), probabilities, teacher.facts)
