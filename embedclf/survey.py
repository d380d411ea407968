"""What a labelled table holds, counted over all of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.data import read_labelled
from embedclf.errors import DataError
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

    @property
    def tokens(self) -> int:
        """All tokens of all texts."""
        return int(self.frequencies.sum())

    def length_of(self, share: float) -> int:
        """The fewest tokens that a share of the texts does not exceed."""
        upto = np.cumsum(self.lengths)
        return int(np.searchsorted(upto, share * upto[-1]))

    def share_longer(self, length: int) -> float:
        """The share of texts of more than so many tokens."""
        return float(self.lengths[length + 1 :].sum() / self.lengths.sum())

    def coverage(self, tokens: int) -> float:
        """The share of all tokens in the texts that the most frequent ones make up."""
        return float(self.frequencies[:tokens].sum() / self.frequencies.sum())


def survey(config: DataConfig, unit: Literal["word", "character"]) -> Survey:
    """Count all rows of the training table of a config.

    Args:
        config: Where the table is and how to read it; rows without a valid label are dropped. A
            separator of labels is looked for where there is one column of them.
        unit: What a token is.

    Raises:
        DataError: The table cannot be read, holds no token, or has one label only.
    """
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
