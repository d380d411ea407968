"""What a labelled table holds, counted over all of its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.data import read_labelled
from embedclf.errors import DataError
from embedclf.findings import FITTING
from embedclf.labels import Labels
from embedclf.separators import find_separator
from embedclf.tokens import cut, normalize
from embedclf.vocabularies import token_counts

if TYPE_CHECKING:
    from typing import Literal

    import pyarrow as pa

    from embedclf.schema import DataConfig
    from embedclf.tokens import Counted

Histogram = npt.NDArray[np.int64]  # (most + 1,)

_SHORT = 200
_MANY_TOKENS = 2_000_000
_RICH = 100.0
"""More of Guiraud's index than the words of English texts come to, of whatever number (18 to 42 on
six public sets of 5,000 to 500,000 texts); Korean comments have 350."""


@dataclass(frozen=True)
class Survey:
    """A table's labels, and how long and how different its texts are."""

    rows: int
    """Those with a valid label."""
    skipped: int
    """Those without."""
    form: str
    """How the table is read, in words."""
    labels: Labels
    cells: int
    """Different cells of labels."""
    separator: str | None
    """What parts several labels in a cell."""
    unit: Literal["word", "character"]
    lengths: Histogram
    """(longest + 1,) how many texts have so many tokens."""
    frequencies: npt.NDArray[np.int64]
    """(different,) how often each token is there, the most frequent first."""
    words: Survey | None = None
    """The same texts by words, where these are too many to be tokens."""

    @property
    def tokens(self) -> int:
        """All tokens of all texts."""
        return int(self.frequencies.sum())

    @property
    def richness(self) -> float:
        """Different tokens over the root of all (Guiraud, Les caractères statistiques, 1954)."""
        return len(self.frequencies) / math.sqrt(self.tokens)

    @property
    def usual_length(self) -> int:
        """The fewest tokens that all but the longest texts do not exceed."""
        upto = np.cumsum(self.lengths)
        return int(np.searchsorted(upto, FITTING * upto[-1]))

    @property
    def is_short(self) -> bool:
        """Whether texts are sentences rather than pages, by their words."""
        return (self.words or self).usual_length <= _SHORT

    @property
    def is_large(self) -> bool:
        """Whether there are so many words that a few passes over them are enough."""
        return (self.words or self).tokens > _MANY_TOKENS

    def share_longer(self, length: int) -> float:
        """The share of texts of more than so many tokens."""
        return float(self.lengths[length + 1 :].sum() / self.lengths.sum())

    def coverage(self, tokens: int) -> float:
        """The share of all tokens in the texts that the most frequent ones make up."""
        return float(self.frequencies[:tokens].sum() / self.frequencies.sum())


def survey(config: DataConfig, unit: Literal["word", "character"]) -> Survey:
    """Count all rows of the training table of a config.

    Short texts whose words are too many are counted again by characters: such a language builds
    words from parts, which runs of characters know even in words that were never seen.

    Args:
        config: Where the table is and how to read it; rows without a valid label are dropped. A
            separator of labels is looked for where there is one column of them.
        unit: What a token is at first.

    Raises:
        DataError: The table cannot be read, holds no token, or has one label only.
    """
    counted = _counted(config, unit)
    if unit == "word" and counted.richness > _RICH and counted.is_short:
        return replace(_counted(config, "character"), words=counted)
    return counted


def _counted(config: DataConfig, unit: Literal["word", "character"]) -> Survey:
    counts, lengths = token_counts(), list[Histogram]()

    def work(texts: pa.Array) -> tuple[Histogram, Counted]:
        tokens = cut(normalize(texts, lowercase=True), unit)
        return np.bincount(tokens.lengths), tokens.count()

    def take(made: tuple[Histogram, Counted]) -> None:
        lengths.append(made[0])
        counts.add(made[1])

    config = config.model_copy(update={"skip_invalid": True})
    rows = read_labelled(config.train, config, work, take)
    cells = rows.labels[0].used().to_pylist()
    separator = find_separator(cells) if isinstance(config.label, str) else None
    labels = Labels.fit(rows, config.model_copy(update={"label_separator": separator}))
    _, found = counts.total()
    if not len(found):
        raise DataError(f"{config.train}: no text holds a token; name the text by --text")
    return Survey(
        rows=len(rows),
        skipped=rows.skipped,
        form=rows.table.form,
        labels=labels,
        cells=len(cells),
        separator=separator,
        unit=unit,
        lengths=_added_up(lengths),
        frequencies=np.sort(found)[::-1],
    )


def _added_up(histograms: list[Histogram]) -> Histogram:
    """The sums of histograms, short ones ending in zeros."""
    totals = np.zeros(max(map(len, histograms)), np.int64)
    for histogram in histograms:
        totals[: len(histogram)] += histogram
    return totals
