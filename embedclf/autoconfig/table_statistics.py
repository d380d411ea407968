"""Lengths, frequencies, labels, separators."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.audit.findings import FITTING
from embedclf.data.labeled import read_labeled
from embedclf.data.labels import Labels
from embedclf.errors import DataError
from embedclf.text.tokens import normalize, tokenize
from embedclf.text.vocabulary import token_counts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    import pyarrow as pa

    from embedclf.config.schema import DataConfig
    from embedclf.text.tokens import Counted

Histogram = npt.NDArray[np.int64]  # (most + 1,)

_SHORT = 200

_MANY_TOKENS = 2_000_000

_RICH = 100.0
"""More of Guiraud's index than the words of English texts come to, of whatever number (18 to 42 on
six public sets of 5,000 to 500,000 texts); Korean comments have 350."""


@dataclass(frozen=True)
class TableStatistics:
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
    words: TableStatistics | None = None
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


def table_statistics(config: DataConfig, unit: Literal["word", "character"]) -> TableStatistics:
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


def _counted(config: DataConfig, unit: Literal["word", "character"]) -> TableStatistics:
    counts, lengths = token_counts(), list[Histogram]()

    def work(texts: pa.Array) -> tuple[Histogram, Counted]:
        tokens = tokenize(normalize(texts, lowercase=True), unit)
        return np.bincount(tokens.lengths), tokens.count()

    def take(made: tuple[Histogram, Counted]) -> None:
        lengths.append(made[0])
        counts.add(made[1])

    config = config.model_copy(update={"skip_invalid": True})
    rows = read_labeled(config.train, config, work, take)
    cells = rows.labels[0].used().to_pylist()
    separator = find_separator(cells) if isinstance(config.label, str) else None
    labels = Labels.fit(rows, config.model_copy(update={"label_separator": separator}))
    _, found = counts.total()
    if not len(found):
        raise DataError(f"{config.train}: no text holds a token; name the text by --text")
    return TableStatistics(
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


_SEPARATORS = ("|", ";", ",")

_MOST_PARTS = 0.8
"""Least share of the parts that must be in two different cells or more."""


def find_separator(cells: Sequence[str]) -> str | None:
    """Find what parts labels in the different cells of a label column; None is nothing.

    A sign that stands in labels is not one that parts them: its parts must come again. Each cell
    must have one, there must be fewer of them than of cells, and most of those that stand beside
    others must also be in another cell, alone or in other company. So `Books, Music` beside
    `Toys, Games` is one label, and `joy|love` beside `joy` is two.
    """
    return next((sign for sign in _SEPARATORS if _parts_labels(sign, cells)), None)


def _parts_labels(sign: str, cells: Sequence[str]) -> bool:
    parted = [{part.strip() for part in cell.split(sign)} - {""} for cell in cells]
    in_cells = Counter(part for parts in parted for part in parts)
    beside = {part for parts in parted if len(parts) > 1 for part in parts}
    again = sum(in_cells[part] > 1 for part in beside)
    return (
        bool(beside)
        and all(parted)
        and len(in_cells) < len(cells)
        and again >= _MOST_PARTS * len(beside)
    )
