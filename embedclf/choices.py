"""Which settings suit a table, and why: the rules from what it holds to a config."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.layout import percent, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.companions import Companions
    from embedclf.discovery import Found
    from embedclf.profiles import Profile
    from embedclf.schema import DataConfig
    from embedclf.survey import Survey

_SHARE_READ = 0.95
_LONGEST = 400
_MOST_TOKENS = 200_000
_MANY_TOKENS = 2_000_000
"""Tokens of all texts from which a few passes over them are enough."""
_HELD_OUT = 10_000
_LOPSIDED = 0.9
_SHOWN = 6


@dataclass(frozen=True)
class Choice:
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
    config: DataConfig, found: Found, survey: Survey, companions: Companions
) -> list[Choice]:
    """Choose what a config for the table of `config` holds.

    The rules were made on ten public sets of 5,000 to 480,000 rows and judged on validation rows.
    """
    return [
        *_tables(config, survey, companions),
        *_columns(found, survey),
        *_text(survey),
        *_model(survey),
        *_training(survey),
    ]


def _tables(config: DataConfig, survey: Survey, companions: Companions) -> Iterator[Choice]:
    told = "; ".join([f"{survey.rows:,} rows, {survey.form}", *companions.notes])
    yield Choice("data", "train", config.train, told)
    for key in ("delimiter", "encoding"):
        if (given := getattr(config, key)) is not None:
            yield Choice("data", key, given, "as asked for")
    validation, test = companions.validation, companions.test
    if validation is not None:
        told = "tells the best epoch, so that a score on it is a little too good"
        yield Choice("data", "validation", validation, f"{companions.origin(validation)}; {told}")
    else:
        fraction = _fraction(survey.rows)
        told = f"{100 * fraction:.0f} % of the rows, held out to tell the best epoch"
        yield Choice("data", "validation", fraction, told)
    if test is not None:
        yield Choice("data", "test", test, f"{companions.origin(test)}; scored once, at the end")
    if skipped := survey.skipped + companions.skipped:
        told = f"rows without a valid label are dropped, {skipped:,} in all; false refuses them"
        yield Choice("data", "skip_invalid", True, told)


def _fraction(rows: int) -> float:
    """The share to hold out: enough rows to tell epochs apart, and no more of a large table."""
    if rows < 2_000:
        return 0.2
    return min(0.1, round(_HELD_OUT / rows, 2) or 0.01)


def _columns(found: Found, survey: Survey) -> Iterator[Choice]:
    told = _told(found.text, found)
    if others := [one.quoted for one in found.left_out if one.content == "words"]:
        options = "".join(f" --text {one}" for one in [found.text[0].quoted, *others])
        told += f"; for more of the texts:{options}"
    yield Choice("data", "text", _names(found.text), told)
    told = f"{_told(found.label, found)}; {_task(survey)}"
    if constant := [one.quoted for one in found.left_out if one.content == "flags"]:
        told += f"; always the same and left out: {', '.join(constant)}"
    yield Choice("data", "label", _names(found.label), told)
    if survey.separator is not None:
        told = f"{len(survey.labels.names):,} labels make up all {survey.cells:,} different cells"
        yield Choice("data", "label_separator", survey.separator, told)


def _names(columns: tuple[Profile, ...]) -> str | list[str]:
    return columns[0].name if len(columns) == 1 else [column.name for column in columns]


def _told(columns: tuple[Profile, ...], found: Found) -> str:
    if len(columns) > 1 and all(column.content == "flags" for column in columns):
        return f"{len(columns)} columns of 0 and 1"
    given = " (as asked for)" if columns[0].name in found.given else ""
    return "; ".join(map(str, columns)) + given


def _task(survey: Survey) -> str:
    """The kind of task, and the labels with their rows, the commonest first."""
    labels = survey.labels
    ranked = sorted(zip(labels.counts, labels.names, strict=True), key=lambda pair: -pair[0])
    shown = [f"{shortened(name, 30)!r} {rows:,}" for rows, name in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        rows, name = ranked[-1]
        shown[-1] = f"…, {shortened(name, 30)!r} {rows:,}"
    return f"{labels.task}, {len(ranked):,} labels: {', '.join(shown)}"


def _text(survey: Survey) -> Iterator[Choice]:
    told = "words have blanks between them"
    if survey.unit == "character":
        told = "most letters are of scripts that have no blanks between words"
    yield Choice("text", "unit", survey.unit, told)
    tokens = len(survey.frequencies)
    size = int((survey.frequencies > 1).sum()) or tokens
    told = f"{size:,} of {tokens:,} different tokens are there more than once"
    if size > _MOST_TOKENS:
        size, told = _MOST_TOKENS, f"the most frequent {_MOST_TOKENS:,} of {tokens:,} tokens"
    told = f"{told} and make up {percent(survey.coverage(size))} of all texts; padding and unknown"
    yield Choice("text", "vocabulary_size", size + 2, f"{told} take two")
    length = _length(survey)
    most = survey.length_of(_SHARE_READ)
    told = f"{100 * _SHARE_READ:.0f} % of the texts have at most {most:,} tokens"
    if most > length:
        told += f", but the time to train grows with the length: {length:,} are read"
    told += f"; {percent(survey.share_longer(length))} of the texts will be cut"
    yield Choice("text", "sequence_length", length, told)


def _length(survey: Survey) -> int:
    return min(max(survey.length_of(_SHARE_READ), 1), _LONGEST)


def _model(survey: Survey) -> Iterator[Choice]:
    labels = len(survey.labels.names)
    if _is_large(survey):
        wide = 64 if labels > 16 else 16
        told = f"numbers for a token, enough to tell {labels:,} labels apart by many rows"
    else:
        wide, told = 128, "numbers for a token; more change little"
    yield Choice("model", "embedding_dim", wide, told)
    yield _pooling(survey)


def _pooling(survey: Survey) -> Choice:
    """The largest numbers of a text or their mean.

    The largest tell more where texts are short and rows are thousands, and less where rows are few,
    labels many or texts long; they take several times as long to learn.
    """
    rows, labels, length = survey.rows, len(survey.labels.names), survey.length_of(_SHARE_READ)
    told = f"{rows:,} rows and {labels:,} labels"
    if rows >= 4_000 and labels <= 100 and length <= 100 and not _is_large(survey):
        return Choice("model", "pooling", "max", f"short texts, {told}: the strongest tokens tell")
    return Choice("model", "pooling", "average", f"{told}: the mean of all tokens tells most")


def _is_large(survey: Survey) -> bool:
    return survey.tokens > _MANY_TOKENS


def _training(survey: Survey) -> Iterator[Choice]:
    rows = survey.rows
    batch = _batch_size(rows)
    steps = math.ceil(rows / batch)
    if _is_large(survey):
        epochs, told = 3, "so many rows need few passes"
    else:
        epochs = min(100, max(20, 100_000 // rows))
        told = "at most: it stops once 3 epochs in a row have brought nothing"
    yield Choice("training", "epochs", epochs, told)
    yield Choice("training", "batch_size", batch, f"about {steps:,} steps an epoch")
    if _is_large(survey):
        told = "large steps at first, which fall to nothing by the last epoch"
        yield Choice("training", "learning_rate", 0.007, told)
        yield Choice("training", "schedule", "linear", "see learning_rate")
    if survey.labels.task != "multilabel":
        yield _class_weight(survey)


def _batch_size(rows: int) -> int:
    """A power of two, for some 500 to 1,000 steps an epoch where there are enough rows."""
    return int(min(512, max(32, 2 ** math.floor(math.log2(max(rows, 500) / 500)))))


def _class_weight(survey: Survey) -> Choice:
    share = max(survey.labels.counts) / survey.rows
    told = f"the commonest label has {percent(share)} of the rows"
    if share >= _LOPSIDED:
        told += ": rows of the others weigh more, so that they are not passed over"
        return Choice("training", "class_weight", "balanced", told)
    return Choice("training", "class_weight", "none", f"{told}, so that all rows weigh the same")
