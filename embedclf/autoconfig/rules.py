"""Table statistics -> settings, with reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import LENGTH_QUANTILE
from embedclf.system.terminal import format_percent, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.autoconfig.column_profiles import ColumnProfile
    from embedclf.autoconfig.column_roles import ColumnRoles
    from embedclf.autoconfig.sibling_tables import SiblingTables
    from embedclf.autoconfig.table_statistics import TableStatistics
    from embedclf.config.schema import DataConfig

_MAX_SEQUENCE_LENGTH = 1_000

_MAX_TOKENS = 200_000

_MAX_NGRAMS = 1_000_000

_MAX_NGRAM_PARAMETERS = 32_000_000
"""In the embedding rows of n-grams: 128 MB."""

_FEW_LABELS, _MANY_LABELS = 5, 20

_VALIDATION_ROWS = 1_000

_MIN_REFIT_FRACTION = 0.05
"""Fraction of rows held out that is worth a second training on all rows."""

_IMBALANCED = 0.9

_MAX_LABELS_SHOWN = 6


@dataclass(frozen=True)
class Setting:
    """A key of the config, its value, and the reason for it."""

    section: str
    key: str
    value: Any
    reason: str

    @property
    def path(self) -> str:
        """The key with its section: `data.text`."""
        return f"{self.section}.{self.key}"


def choose_settings(
    config: DataConfig, roles: ColumnRoles, statistics: TableStatistics, siblings: SiblingTables
) -> list[Setting]:
    """Choose the settings for the table of `config`.

    The rules were made on ten public data sets of 5,000 to 480,000 rows; those for multilabel tasks
    and for calibration also on descriptions of Debian packages. All were judged on held-out rows.
    """
    return [
        *_table_settings(config, statistics, siblings),
        *_column_settings(roles, statistics),
        *_text_settings(statistics),
        *_model_settings(statistics),
        *_training_settings(statistics, _validation_fraction(statistics, siblings)),
    ]


def _table_settings(
    config: DataConfig, statistics: TableStatistics, siblings: SiblingTables
) -> Iterator[Setting]:
    rows = f"{statistics.rows:,} rows, {statistics.description}"
    yield Setting("data", "train", config.train, "; ".join([rows, *siblings.notes]))
    for key in ("delimiter", "encoding"):
        if (value := getattr(config, key)) is not None:
            yield Setting("data", key, value, "as asked for")
    validation, test = siblings.validation, siblings.test
    if validation is not None:
        reason = "tells the best epoch, so that a score on it is a little too good"
        origin = siblings.origin(validation)
        yield Setting("data", "validation", validation, f"{origin}; {reason}")
    else:
        fraction = _validation_fraction(statistics, siblings)
        reason = f"{100 * fraction:.0f} % of the rows, held out to tell the best epoch"
        yield Setting("data", "validation", fraction, reason)
    if test is not None:
        yield Setting("data", "test", test, f"{siblings.origin(test)}; scored once, at the end")
    if skipped := statistics.skipped + siblings.skipped:
        reason = f"rows without a valid label are dropped, {skipped:,} in all; false refuses them"
        yield Setting("data", "skip_invalid", True, reason)


def _validation_fraction(statistics: TableStatistics, siblings: SiblingTables) -> float:
    """Choose the fraction to hold out: enough rows to compare epochs, and few of a large table."""
    if siblings.validation is not None:
        return 0.0
    if statistics.rows < 2_000:
        return 0.2
    # Beyond 200,000 rows the quotient rounds to 0.
    return min(0.1, round(_VALIDATION_ROWS / statistics.rows, 2) or 0.01)


def _column_settings(roles: ColumnRoles, statistics: TableStatistics) -> Iterator[Setting]:
    reason = _describe_columns(roles.text, roles)
    # `left_out` mixes further texts with constant flags; the content separates them.
    if others := [column.quoted_name for column in roles.left_out if column.content == "words"]:
        options = "".join(f" --text {name}" for name in [roles.text[0].quoted_name, *others])
        reason += f"; for more of the texts:{options}"
    yield Setting("data", "text", _column_names(roles.text), reason)
    reason = f"{_describe_columns(roles.label, roles)}; {_describe_task(statistics)}"
    if constant := [column.quoted_name for column in roles.left_out if column.content == "flags"]:
        reason += f"; always the same and left out: {', '.join(constant)}"
    yield Setting("data", "label", _column_names(roles.label), reason)
    if statistics.separator is not None:
        labels, cells = len(statistics.labels.names), statistics.distinct_cells
        reason = f"{labels:,} labels make up all {cells:,} different cells"
        yield Setting("data", "label_separator", statistics.separator, reason)


def _column_names(columns: tuple[ColumnProfile, ...]) -> str | list[str]:
    return columns[0].name if len(columns) == 1 else [column.name for column in columns]


def _describe_columns(columns: tuple[ColumnProfile, ...], roles: ColumnRoles) -> str:
    if len(columns) > 1 and all(column.content == "flags" for column in columns):
        return f"{len(columns)} columns of 0 and 1"
    requested = " (as asked for)" if columns[0].name in roles.requested else ""
    return "; ".join(map(str, columns)) + requested


def _describe_task(statistics: TableStatistics) -> str:
    """Describe the task and the rows of its labels, the most frequent label first."""
    labels = statistics.labels
    ranked = sorted(zip(labels.counts, labels.names, strict=True), key=lambda pair: -pair[0])
    shown = [f"{shorten(name, 30)!r} {rows:,}" for rows, name in ranked[:_MAX_LABELS_SHOWN]]
    if len(ranked) > _MAX_LABELS_SHOWN:
        # The rarest label replaces the last one shown, so that both extremes are visible.
        rows, name = ranked[-1]
        shown[-1] = f"…, {shorten(name, 30)!r} {rows:,}"
    return f"{labels.task}, {len(ranked):,} labels: {', '.join(shown)}"


def _text_settings(statistics: TableStatistics) -> Iterator[Setting]:
    yield _unit(statistics)
    yield from _vocabulary_settings(statistics)
    yield _ngrams(statistics)
    # Memory is the limit: the wider a vector, the fewer n-grams.
    ngrams = min(_MAX_NGRAMS, _MAX_NGRAM_PARAMETERS // _embedding_dim(statistics))
    yield Setting("text", "ngram_vocabulary_size", ngrams, "at most; the most frequent")
    yield _sequence_length(statistics)


def _unit(statistics: TableStatistics) -> Setting:
    reason = "words have blanks between them"
    if statistics.by_words is not None:
        words = len(statistics.by_words.frequencies)
        reason = f"{words:,} different words: runs of characters know their parts"
    elif statistics.unit == "character":
        reason = "most letters are of scripts that have no blanks between words"
    return Setting("text", "unit", statistics.unit, reason)


def _vocabulary_settings(statistics: TableStatistics) -> Iterator[Setting]:
    tokens = len(statistics.frequencies)
    # Tokens that occur once do not generalize; yet if all do, they are all there is to learn from.
    size = int((statistics.frequencies > 1).sum()) or tokens
    reason = f"{size:,} of {tokens:,} different tokens are there more than once"
    if size > _MAX_TOKENS:
        size, reason = _MAX_TOKENS, f"the most frequent {_MAX_TOKENS:,} of {tokens:,} tokens"
    coverage = format_percent(statistics.coverage(size))
    reason += f" and make up {coverage} of all texts; padding and unknown take two"
    yield Setting("text", "vocabulary_size", size + 2, reason)
    if size < tokens:
        reason = "what is there once tells nothing of other texts; all such tokens count as unknown"
        yield Setting("text", "min_count", 2, reason)


def _ngrams(statistics: TableStatistics) -> Setting:
    if statistics.by_words is not None:
        reason = "runs of up to four characters, many words among them, count beside single ones"
        return Setting("text", "ngrams", 4, reason)
    if not statistics.is_short:
        reason = "long texts: runs of two and three tokens count beside single ones"
        return Setting("text", "ngrams", 3, reason)
    reason = "pairs of tokens count beside single ones: `not good` is no `good`"
    return Setting("text", "ngrams", 2, reason)


def _sequence_length(statistics: TableStatistics) -> Setting:
    typical = statistics.typical_length
    # `typical` is 0 if almost all texts are empty.
    length = min(max(typical, 1), _MAX_SEQUENCE_LENGTH)
    reason = f"{100 * LENGTH_QUANTILE:.0f} % of the texts have at most {typical:,} tokens"
    if typical > length:
        reason += f", but the time to train grows with the length: {length:,} are read"
    reason += f"; {format_percent(statistics.fraction_longer(length))} of the texts will be cut"
    return Setting("text", "sequence_length", length, reason)


def _model_settings(statistics: TableStatistics) -> Iterator[Setting]:
    labels = len(statistics.labels.names)
    reason = "tokens that are in texts of some labels above all learn quicker than those in all"
    yield Setting("model", "initialization", "naive_bayes", reason)
    reason = f"numbers for a token, enough to tell {labels:,} labels apart"
    yield Setting("model", "embedding_dim", _embedding_dim(statistics), reason)
    reason = "all tokens tell, and those of a long text more than those of a short one"
    yield Setting("model", "pooling", "sqrt", reason)
    if not _has_few_labels(statistics):
        reason = "many labels have few rows each: no number of a text is to be relied on alone"
        yield Setting("model", "dropout", 0.3 if _is_multilabel(statistics) else 0.5, reason)


def _embedding_dim(statistics: TableStatistics) -> int:
    if _has_few_labels(statistics):
        return 16
    return 128 if _has_many_labels(statistics) else 64


def _has_few_labels(statistics: TableStatistics) -> bool:
    return len(statistics.labels.names) <= _FEW_LABELS


def _has_many_labels(statistics: TableStatistics) -> bool:
    return len(statistics.labels.names) > _MANY_LABELS


def _is_multilabel(statistics: TableStatistics) -> bool:
    return statistics.labels.task == "multilabel"


def _training_settings(
    statistics: TableStatistics, validation_fraction: float
) -> Iterator[Setting]:
    yield _epochs(statistics)
    batch_size = _batch_size(statistics.rows)
    steps = math.ceil(statistics.rows / batch_size)
    yield Setting("training", "batch_size", batch_size, f"about {steps:,} steps an epoch")
    yield _learning_rate(statistics)
    if statistics.is_large:
        reason = "the steps fall to nothing by the last epoch"
        yield Setting("training", "schedule", "linear", reason)
    # A separate validation table makes the fraction 0, so such runs are not refit.
    if validation_fraction >= _MIN_REFIT_FRACTION:
        percent = f"{100 * validation_fraction:.0f} %"
        reason = f"the {percent} held out are learned from too, once the epoch is known"
        yield Setting("training", "refit", True, reason)
    if _is_multilabel(statistics):
        reason = "one for all labels, chosen on the validation rows; few labels would reach 0.5"
        yield Setting("training", "threshold", "micro_f1", reason)
    else:
        yield _class_weight(statistics)
    if statistics.is_large and not _is_multilabel(statistics):
        reason = "many rows make a network too sure of itself; epochs are judged with that mended"
        yield Setting("training", "calibration", "temperature", reason)


def _epochs(statistics: TableStatistics) -> Setting:
    if statistics.is_large:
        epochs = 5 if _has_many_labels(statistics) else 3
        return Setting("training", "epochs", epochs, "so many rows need few passes")
    # Small tables have few steps per epoch, so they get more passes.
    epochs = min(100, max(20, 100_000 // statistics.rows))
    reason = "at most: it stops once 3 epochs in a row have brought nothing"
    return Setting("training", "epochs", epochs, reason)


def _batch_size(rows: int) -> int:
    """Choose a power of two, for 500 to 1,000 steps per epoch if there are enough rows."""
    return int(min(512, max(32, 2 ** math.floor(math.log2(max(rows, 500) / 500)))))


def _learning_rate(statistics: TableStatistics) -> Setting:
    """Choose small steps where all tokens move together, larger ones where epochs are few."""
    many_labels = _has_many_labels(statistics)
    if statistics.is_large:
        rate, reason = 0.003 if many_labels else 0.002, "large steps, since passes are few"
    else:
        rate, reason = 0.002 if many_labels else 0.001, "small steps; all tokens move together"
    return Setting("training", "learning_rate", rate, reason)


def _class_weight(statistics: TableStatistics) -> Setting:
    fraction = max(statistics.labels.counts) / statistics.rows
    reason = f"the commonest label has {format_percent(fraction)} of the rows"
    if fraction >= _IMBALANCED:
        reason += ": rows of the others weigh more, so that they are not passed over"
        return Setting("training", "class_weight", "balanced", reason)
    return Setting("training", "class_weight", "none", f"{reason}, so that all rows weigh the same")
