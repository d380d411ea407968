"""Lengths, frequencies, labels, separators."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import LENGTH_QUANTILE
from embedclf.autoconfig.vector_choice import MAX_VECTOR_ROWS, measure_known
from embedclf.config.token_patterns import WORDS_AND_SYMBOLS
from embedclf.data.labeled import read_labeled
from embedclf.data.labels import Labels
from embedclf.data.unlabeled.texts import open_unlabeled
from embedclf.errors import DataError
from embedclf.system.arrays import Counts
from embedclf.system.arrow import pc, to_numpy
from embedclf.system.threads import parallel_map
from embedclf.text.fields import are_fields, bin_numbers, fit_numeric_fields
from embedclf.text.token_rules import TokenRules
from embedclf.text.vectors.use_encoder import is_use_installed
from embedclf.text.vocabulary import sum_counts, token_counter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Literal

    import pyarrow as pa

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Mask
    from embedclf.text.tokens import TokenCounts

    Unit = Literal["word", "character"]

ALL_CHARACTERS = WORDS_AND_SYMBOLS
"""The `text.token_pattern` for characters: punctuation is cheap where a word is many tokens."""

_SHORT_TEXT = 200

_MANY_TOKENS = 2_000_000

_MAX_WORD_RICHNESS = 100.0
"""More than Guiraud's index of English words reaches in tables of any size (18 to 42 on six public
sets of 5,000 to 500,000 texts). Korean comments have 350."""

# The first that fits wins, so those that rarely occur inside a label come first.
# doccano's CSV has the last one.
_SEPARATORS = ("|", ";", ",", "#")

MAX_TAUGHT_ROWS = 5_000
"""Labeled rows up to which a teacher is chosen. At 3,000 rows it brought 0.8 to 3.4 points of
accuracy on three sets, against 10 to 25 at 100 rows."""

_MIN_RECURRING = 0.8
"""Fraction of the labels in cells with several that must also be in another cell."""


@dataclass(frozen=True)
class TableStatistics:
    """A table's labels, and the lengths and token frequencies of its texts."""

    rows: int
    """Rows with a valid label."""
    skipped: int
    """Rows without one."""
    description: str
    """How the table is read, in words."""
    labels: Labels
    distinct_cells: int
    """Distinct cells of the label column."""
    separator: str | None
    """What separates several labels in a cell."""
    unit: Unit
    length_counts: Counts
    """(longest + 1,) how many texts have each number of tokens."""
    frequencies: Counts
    """(distinct tokens,) occurrences of each token, the most frequent first."""
    word_counts: Counts
    """(distinct words,) occurrences of each word; neither symbols nor fields are words."""
    taught: int = 0
    """Unlabeled texts that a teacher will label. They are training texts, too: lengths and
    frequencies include theirs."""
    known: dict[str, float] = field(default_factory=dict)
    """Fraction of the words that each installed source of vectors knows, in a small table."""
    by_words: TableStatistics | None = None
    """The statistics by words, if these are too many to be tokens."""

    @property
    def training_texts(self) -> int:
        """Rows, and the unlabeled texts that a teacher will label."""
        return self.rows + self.taught

    @property
    def tokens(self) -> int:
        """All tokens of all texts."""
        return int(self.frequencies.sum())

    @property
    def guiraud_index(self) -> float:
        """Distinct words over the root of all (Guiraud, Les caractères statistiques, 1954)."""
        return len(self.word_counts) / math.sqrt(max(1, self.word_counts.sum()))

    @property
    def typical_length(self) -> int:
        """The smallest number of tokens that fits `LENGTH_QUANTILE` of the texts."""
        # (longest + 1,) how many texts have at most that many tokens.
        cumulative = np.cumsum(self.length_counts)
        # The index is itself a number of tokens.
        return int(np.searchsorted(cumulative, LENGTH_QUANTILE * cumulative[-1]))

    @property
    def is_short(self) -> bool:
        """Whether texts are sentences rather than pages, counted in words."""
        return (self.by_words or self).typical_length <= _SHORT_TEXT

    @property
    def is_large(self) -> bool:
        """Whether there are so many words that a few epochs are enough."""
        return (self.by_words or self).tokens > _MANY_TOKENS

    def fraction_longer(self, length: int) -> float:
        """Return the fraction of texts with more than `length` tokens."""
        return float(self.length_counts[length + 1 :].sum() / self.length_counts.sum())

    def coverage(self, tokens: int) -> float:
        """Return the fraction of all tokens that the most frequent `tokens` make up."""
        return float(self.frequencies[:tokens].sum() / self.frequencies.sum())


def compute_table_statistics(
    config: Config, written: Collection[str], *, unspaced: bool
) -> TableStatistics:
    """Count all rows of the training table of a config.

    Short texts with too many distinct words are counted again by characters: such languages build
    words from parts, and character n-grams recognize these in words that training never saw.

    Args:
        config: Where the table is and how to read it; rows without a valid label are ignored. If
            there is one label column, a separator is searched for in it.
        written: Keys of the config that are not to be chosen.
        unspaced: Whether the script has no spaces between words.

    Raises:
        DataError: The table cannot be read, holds no token, or has one label only.
    """
    if unspaced:
        unit = config.text.unit if "text.unit" in written else "character"
        return _count(config, unit, written)
    statistics = _count(config, "word", written)
    is_rich = statistics.guiraud_index > _MAX_WORD_RICHNESS and statistics.is_short
    unit = "character" if is_rich else "word"
    if "text.unit" in written:
        unit = config.text.unit
    if unit == "word":
        return statistics
    return replace(_count(config, unit, written), by_words=statistics)


def choose_teacher(config: Config, written: Collection[str], rows: int) -> Literal["none", "use"]:
    """Return the teacher of a config, or choose one.

    Args:
        config: Names the unlabeled texts, if there are some.
        written: Keys of the config that are not to be chosen.
        rows: Labeled rows.
    """
    if "training.teacher" in written:
        return config.training.teacher
    has_texts = config.data.unlabelled is not None and rows <= MAX_TAUGHT_ROWS
    return "use" if has_texts and is_use_installed() else "none"


def find_separator(cells: Sequence[str]) -> str | None:
    """Find what separates several labels in the distinct cells of a label column, if anything does.

    A character may also belong to a label, so what it separates must recur. No cell may be without
    labels, and there must be fewer labels than cells. Most labels that share a cell must also occur
    in another one. So `Books, Music` next to `Toys, Games` is one label, and `joy|love` next to
    `joy` is two.
    """
    return next((character for character in _SEPARATORS if _separates(character, cells)), None)


def _count(config: Config, unit: Unit, written: Collection[str]) -> TableStatistics:
    counter, length_counts = token_counter(), list[Counts]()
    rules = replace(TokenRules.from_config(config), unit=unit)
    if unit == "character" and "text.token_pattern" not in written:
        rules = replace(rules, pattern=ALL_CHARACTERS)

    def process(texts: pa.Array) -> tuple[Counts, TokenCounts]:
        tokens = rules.tokenize(texts)
        return np.bincount(tokens.lengths), tokens.count()

    def collect(counts: tuple[Counts, TokenCounts]) -> None:
        length_counts.append(counts[0])
        # `process` runs in many threads, `collect` in one, so the counter needs no lock.
        counter.add(counts[1])

    data = config.data.model_copy(update={"skip_invalid": True})
    rows = read_labeled(data.train, data, process, collect)
    taught = 0
    if choose_teacher(config, written, len(rows)) != "none":
        taught = _count_unlabeled(config, process, collect)
    cells = rows.labels[0].used_categories().to_pylist()
    separator = data.label_separator
    if "data.label_separator" not in written and isinstance(data.label, str):
        separator = rows.list_separator or find_separator(cells)
    labels = Labels.fit(rows, data.model_copy(update={"label_separator": separator}))
    tokens, frequencies = _bin_fields(counter.total(), rules.fields)
    if not len(frequencies):
        raise DataError(
            f"{rows.table.name}: no text has a token; choose another column with --text COLUMN"
        )
    is_small = len(rows) <= MAX_VECTOR_ROWS and "model.vectors" not in written
    return TableStatistics(
        rows=len(rows),
        skipped=rows.skipped,
        description=rows.table.description,
        labels=labels,
        distinct_cells=len(cells),
        separator=separator,
        unit=unit,
        length_counts=_sum_counts(length_counts),
        frequencies=np.sort(frequencies)[::-1],
        word_counts=frequencies[_are_words(tokens, rules.fields)],
        known=measure_known((tokens, frequencies)) if is_small and unit == "word" else {},
        taught=taught,
    )


def _count_unlabeled(
    config: Config,
    process: Callable[[pa.Array], tuple[Counts, TokenCounts]],
    collect: Callable[[tuple[Counts, TokenCounts]], None],
) -> int:
    """Count the unlabeled texts, with their lengths and tokens."""
    count = 0
    if config.data.unlabelled is not None:
        _, texts = open_unlabeled(config.data.unlabelled, config)
        for counts in parallel_map(process, texts):
            count += int(counts[0].sum())
            collect(counts)
    return count


def _bin_fields(counts: TokenCounts, fields: Sequence[str]) -> TokenCounts:
    """Count the numbers of fields as the bins that they will become."""
    if not fields:
        return counts
    tokens = bin_numbers(counts[0], fit_numeric_fields(counts, fields))
    return sum_counts([(tokens, counts[1])])


def _are_words(tokens: pa.StringArray, fields: Sequence[str]) -> Mask:
    """(n,) whether tokens have a letter or digit, and are not those of fields."""
    are_words: Mask = to_numpy(pc.match_substring_regex(tokens, r"[\pL\pN]")).view(np.bool_)
    return are_words & ~are_fields(tokens, fields)


def _sum_counts(batches: list[Counts]) -> Counts:
    """Add up counts of different lengths; shorter ones are padded with zeros."""
    totals = np.zeros(max(map(len, batches)), np.int64)
    for counts in batches:
        totals[: len(counts)] += counts
    return totals


def _separates(character: str, cells: Sequence[str]) -> bool:
    # Sets, so a label that a cell repeats counts once.
    split_cells = [{label.strip() for label in cell.split(character)} - {""} for cell in cells]
    # Of distinct cells, not rows: a frequent cell proves nothing about its separator.
    cell_counts = Counter(label for labels in split_cells for label in labels)
    combined = {label for labels in split_cells if len(labels) > 1 for label in labels}
    recurring = sum(cell_counts[label] > 1 for label in combined)
    return (
        bool(combined)
        and all(split_cells)
        and len(cell_counts) < len(cells)
        and recurring >= _MIN_RECURRING * len(combined)
    )
