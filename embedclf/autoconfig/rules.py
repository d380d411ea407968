"""Table statistics -> settings, with reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import FITTING
from embedclf.system.terminal import percent, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.autoconfig.column_profiles import ColumnProfile
    from embedclf.autoconfig.column_roles import ColumnRoles
    from embedclf.autoconfig.sibling_tables import SiblingTables
    from embedclf.autoconfig.table_statistics import TableStatistics
    from embedclf.config.schema import DataConfig

_LONGEST = 1_000

_MOST_TOKENS = 200_000

_MOST_NGRAMS = 1_000_000

_MOST_NUMBERS = 32_000_000
"""Of the vectors of n-grams: 128 MB."""

_FEW_LABELS, _MANY_LABELS = 5, 20

_HELD_OUT = 1_000

_MISSED = 0.05
"""Share of rows that is worth a second training; of less there would be hardly a gain."""

_LOPSIDED = 0.9

_SHOWN = 6


@dataclass(frozen=True)
class Setting:
    """A key of the config, what it is to hold, and why."""

    section: str
    key: str
    value: Any
    reason: str

    @property
    def path(self) -> str:
        """The key with its section: `data.text`."""
        return f"{self.section}.{self.key}"


def choose(
    config: DataConfig, found: ColumnRoles, survey: TableStatistics, companions: SiblingTables
) -> list[Setting]:
    """Choose what a config for the table of `config` holds.

    The rules were made on ten public sets of 5,000 to 480,000 rows, those for several labels a row
    and for temperatures also on descriptions of Debian packages, and judged on rows held out.
    """
    return [
        *_tables(config, survey, companions),
        *_columns(found, survey),
        *_text(survey),
        *_model(survey),
        *_training(survey, _held_out(survey, companions)),
    ]


def _tables(
    config: DataConfig, survey: TableStatistics, companions: SiblingTables
) -> Iterator[Setting]:
    told = "; ".join([f"{survey.rows:,} rows, {survey.form}", *companions.notes])
    yield Setting("data", "train", config.train, told)
    for key in ("delimiter", "encoding"):
        if (given := getattr(config, key)) is not None:
            yield Setting("data", key, given, "as asked for")
    validation, test = companions.validation, companions.test
    if validation is not None:
        told = "tells the best epoch, so that a score on it is a little too good"
        yield Setting("data", "validation", validation, f"{companions.origin(validation)}; {told}")
    else:
        share = _held_out(survey, companions)
        told = f"{100 * share:.0f} % of the rows, held out to tell the best epoch"
        yield Setting("data", "validation", share, told)
    if test is not None:
        yield Setting("data", "test", test, f"{companions.origin(test)}; scored once, at the end")
    if skipped := survey.skipped + companions.skipped:
        told = f"rows without a valid label are dropped, {skipped:,} in all; false refuses them"
        yield Setting("data", "skip_invalid", True, told)


def _held_out(survey: TableStatistics, companions: SiblingTables) -> float:
    """The share to hold out: enough rows to tell epochs apart, and no more of a large table."""
    if companions.validation is not None:
        return 0.0
    if survey.rows < 2_000:
        return 0.2
    return min(0.1, round(_HELD_OUT / survey.rows, 2) or 0.01)


def _columns(found: ColumnRoles, survey: TableStatistics) -> Iterator[Setting]:
    told = _told(found.text, found)
    if others := [one.quoted for one in found.left_out if one.content == "words"]:
        options = "".join(f" --text {one}" for one in [found.text[0].quoted, *others])
        told += f"; for more of the texts:{options}"
    yield Setting("data", "text", _names(found.text), told)
    told = f"{_told(found.label, found)}; {_task(survey)}"
    if constant := [one.quoted for one in found.left_out if one.content == "flags"]:
        told += f"; always the same and left out: {', '.join(constant)}"
    yield Setting("data", "label", _names(found.label), told)
    if survey.separator is not None:
        told = f"{len(survey.labels.names):,} labels make up all {survey.cells:,} different cells"
        yield Setting("data", "label_separator", survey.separator, told)


def _names(columns: tuple[ColumnProfile, ...]) -> str | list[str]:
    return columns[0].name if len(columns) == 1 else [column.name for column in columns]


def _told(columns: tuple[ColumnProfile, ...], found: ColumnRoles) -> str:
    if len(columns) > 1 and all(column.content == "flags" for column in columns):
        return f"{len(columns)} columns of 0 and 1"
    given = " (as asked for)" if columns[0].name in found.given else ""
    return "; ".join(map(str, columns)) + given


def _task(survey: TableStatistics) -> str:
    """The kind of task, and the labels with their rows, the commonest first."""
    labels = survey.labels
    ranked = sorted(zip(labels.counts, labels.names, strict=True), key=lambda pair: -pair[0])
    shown = [f"{shortened(name, 30)!r} {rows:,}" for rows, name in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        rows, name = ranked[-1]
        shown[-1] = f"…, {shortened(name, 30)!r} {rows:,}"
    return f"{labels.task}, {len(ranked):,} labels: {', '.join(shown)}"


def _text(survey: TableStatistics) -> Iterator[Setting]:
    told = "words have blanks between them"
    if survey.words is not None:
        different = len(survey.words.frequencies)
        told = f"{different:,} different words: runs of characters know their parts"
    elif survey.unit == "character":
        told = "most letters are of scripts that have no blanks between words"
    yield Setting("text", "unit", survey.unit, told)
    tokens = len(survey.frequencies)
    size = int((survey.frequencies > 1).sum()) or tokens
    told = f"{size:,} of {tokens:,} different tokens are there more than once"
    if size > _MOST_TOKENS:
        size, told = _MOST_TOKENS, f"the most frequent {_MOST_TOKENS:,} of {tokens:,} tokens"
    told = f"{told} and make up {percent(survey.coverage(size))} of all texts; padding and unknown"
    yield Setting("text", "vocabulary_size", size + 2, f"{told} take two")
    if size < tokens:
        told = "what is there once tells nothing of other texts; all such tokens count as unknown"
        yield Setting("text", "min_count", 2, told)
    yield _ngrams(survey)
    phrases = min(_MOST_NGRAMS, _MOST_NUMBERS // _width(survey))
    yield Setting("text", "ngram_vocabulary_size", phrases, "at most; the most frequent")
    length = _length(survey)
    most = survey.usual_length
    told = f"{100 * FITTING:.0f} % of the texts have at most {most:,} tokens"
    if most > length:
        told += f", but the time to train grows with the length: {length:,} are read"
    told += f"; {percent(survey.share_longer(length))} of the texts will be cut"
    yield Setting("text", "sequence_length", length, told)


def _ngrams(survey: TableStatistics) -> Setting:
    if survey.words is not None:
        told = "runs of up to four characters, many words among them, count beside single ones"
        return Setting("text", "ngrams", 4, told)
    if not survey.is_short:
        told = "long texts: runs of two and three tokens count beside single ones"
        return Setting("text", "ngrams", 3, told)
    told = "pairs of tokens count beside single ones: `not good` is no `good`"
    return Setting("text", "ngrams", 2, told)


def _length(survey: TableStatistics) -> int:
    return min(max(survey.usual_length, 1), _LONGEST)


def _model(survey: TableStatistics) -> Iterator[Setting]:
    labels = len(survey.labels.names)
    told = "tokens that are in texts of some labels above all learn quicker than those in all"
    yield Setting("model", "initialization", "naive_bayes", told)
    told = f"numbers for a token, enough to tell {labels:,} labels apart"
    yield Setting("model", "embedding_dim", _width(survey), told)
    told = "all tokens tell, and those of a long text more than those of a short one"
    yield Setting("model", "pooling", "sqrt", told)
    if not _has_few_labels(survey):
        told = "many labels have few rows each: no number of a text is to be relied on alone"
        yield Setting("model", "dropout", 0.3 if _has_several(survey) else 0.5, told)


def _width(survey: TableStatistics) -> int:
    if _has_few_labels(survey):
        return 16
    return 128 if _has_many_labels(survey) else 64


def _has_few_labels(survey: TableStatistics) -> bool:
    return len(survey.labels.names) <= _FEW_LABELS


def _has_many_labels(survey: TableStatistics) -> bool:
    return len(survey.labels.names) > _MANY_LABELS


def _has_several(survey: TableStatistics) -> bool:
    """Whether a row may have several labels."""
    return survey.labels.task == "multilabel"


def _training(survey: TableStatistics, held_out: float) -> Iterator[Setting]:
    rows = survey.rows
    batch = _batch_size(rows)
    steps = math.ceil(rows / batch)
    if survey.is_large:
        epochs, told = 5 if _has_many_labels(survey) else 3, "so many rows need few passes"
    else:
        epochs = min(100, max(20, 100_000 // rows))
        told = "at most: it stops once 3 epochs in a row have brought nothing"
    yield Setting("training", "epochs", epochs, told)
    yield Setting("training", "batch_size", batch, f"about {steps:,} steps an epoch")
    yield _learning_rate(survey)
    if survey.is_large:
        told = "the steps fall to nothing by the last epoch"
        yield Setting("training", "schedule", "linear", told)
    if held_out >= _MISSED:
        told = f"the {100 * held_out:.0f} % held out are learned from too, once the epoch is known"
        yield Setting("training", "refit", True, told)
    if _has_several(survey):
        told = "one for all labels, chosen on the validation rows; few labels would reach 0.5"
        yield Setting("training", "threshold", "micro_f1", told)
    else:
        yield _class_weight(survey)
    if survey.is_large and not _has_several(survey):
        told = "many rows make a network too sure of itself; epochs are judged with that mended"
        yield Setting("training", "calibration", "temperature", told)


def _learning_rate(survey: TableStatistics) -> Setting:
    """Small steps where tokens move together, larger ones where passes are few."""
    large = survey.is_large
    told = "large steps, since passes are few" if large else "small steps; all tokens move together"
    small_and_large = (0.002, 0.003) if _has_many_labels(survey) else (0.001, 0.002)
    return Setting("training", "learning_rate", small_and_large[large], told)


def _batch_size(rows: int) -> int:
    """A power of two, for some 500 to 1,000 steps an epoch where there are enough rows."""
    return int(min(512, max(32, 2 ** math.floor(math.log2(max(rows, 500) / 500)))))


def _class_weight(survey: TableStatistics) -> Setting:
    share = max(survey.labels.counts) / survey.rows
    told = f"the commonest label has {percent(share)} of the rows"
    if share >= _LOPSIDED:
        told += ": rows of the others weigh more, so that they are not passed over"
        return Setting("training", "class_weight", "balanced", told)
    return Setting("training", "class_weight", "none", f"{told}, so that all rows weigh the same")
