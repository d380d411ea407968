"""Table statistics -> settings of `text`, `model` and `training`, with reasons."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import LENGTH_QUANTILE
from embedclf.autoconfig.data_rules import data_settings, validation_fraction
from embedclf.autoconfig.evidence import Evidence, Setting
from embedclf.autoconfig.table_statistics import ALL_CHARACTERS
from embedclf.system.terminal import format_count, format_percent
from embedclf.text.pretrained import vector_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.autoconfig.table_statistics import TableStatistics
    from embedclf.autoconfig.token_evidence import TokenEvidence

_MAX_SEQUENCE_LENGTH = 1_000

MAX_TOKENS = 200_000

_MAX_NGRAMS = 1_000_000

_MAX_NGRAM_PARAMETERS = 32_000_000
"""In the embedding rows of n-grams: 128 MB."""

MIN_REFIT_FRACTION = 0.05
"""Fraction of rows held out that is worth a second training on all rows."""

_IMBALANCED = 0.9

_LEARNING_RATES = {"adam": 0.003, "rmsprop": 0.001, "adagrad": 0.5, "sgd": 0.3}
"""The best of those tried for flatten and average pooling, by `tests/benchmarks/optimizers.py`."""


def choose_settings(evidence: Evidence) -> list[Setting]:
    """Choose a value for every key that can be `auto`, and the reason for it.

    Values that were written are kept, without a reason, and others are chosen to fit them. The
    rules were made on ten public data sets of 5,000 to 480,000 rows; those for multi-label tasks
    and for calibration also on descriptions of Debian packages. All were judged on held-out rows.
    """
    described = {"data.train", "data.text", "data.label", "data.validation"}
    settings = [
        *data_settings(evidence),
        *_text_settings(evidence),
        *_model_settings(evidence),
        *_training_settings(evidence),
    ]
    return [
        Setting(setting.key, evidence.value(setting.key, setting.value), setting.reason)
        if setting.key in described or setting.key not in evidence.written
        else Setting(setting.key, evidence.value(setting.key, None), "")
        for setting in settings
    ]


def max_ngrams(embedding_dim: int) -> int:
    """Return how many n-grams fit into memory as vectors of some length."""
    return min(_MAX_NGRAMS, max(1, _MAX_NGRAM_PARAMETERS // embedding_dim))


def batch_size_for(rows: int) -> int:
    """Choose a power of two, for 500 to 1,000 steps per epoch if there are enough rows."""
    return int(min(512, max(32, 2 ** math.floor(math.log2(max(rows, 500) / 500)))))


def _text_settings(evidence: Evidence) -> Iterator[Setting]:
    statistics = evidence.statistics
    yield Setting("text.unit", statistics.unit, _unit_reason(statistics))
    yield _token_pattern(evidence)
    yield _html(evidence.tokens)
    yield from _vocabulary_settings(evidence)
    yield _ngrams(evidence)
    yield _ngram_vocabulary_size(evidence)
    yield _sequence_length(statistics)


def _unit_reason(statistics: TableStatistics) -> str:
    if statistics.by_words is not None:
        words = len(statistics.by_words.word_counts)
        return f"{words:,} distinct words: character n-grams find what these have in common"
    if statistics.unit == "character":
        return "most letters belong to scripts without spaces between words"
    return "words are separated by spaces"


def _token_pattern(evidence: Evidence) -> Setting:
    key, tokens = "text.token_pattern", evidence.tokens
    if evidence.statistics.unit == "character":
        return Setting(key, ALL_CHARACTERS, "every character but white space is a token")
    if tokens.wordless_matter:
        percentage = format_percent(tokens.wordless)
        reason = f"{percentage} of texts have symbols only"
    elif tokens.symbols_matter:
        percentage = format_percent(tokens.symbols, places=0)
        reason = (
            f"{percentage} of what tokens say about labels is in symbols such as {tokens.symbol!r}"
        )
    else:
        reason = "words and emoji; other symbols say little about labels"
    return Setting(key, tokens.pattern, reason)


def _html(tokens: TokenEvidence) -> Setting:
    reason = "no HTML found in the texts"
    if tokens.markup:
        few = "" if tokens.has_markup else "only "
        percentage = format_percent(tokens.markup)
        reason = f"{few}{percentage} of texts contain HTML tags or entities such as &amp;"
    return Setting("text.html", tokens.has_markup, reason)


def _vocabulary_settings(evidence: Evidence) -> Iterator[Setting]:
    frequencies = evidence.statistics.frequencies
    tokens, recurring = len(frequencies), int((frequencies > 1).sum())
    # Tokens that occur once do not generalize; yet if all do, they are all there is to learn from.
    chosen = 2 if 0 < recurring < tokens else 1
    min_count = evidence.value("text.min_count", chosen)
    size = int((frequencies >= min_count).sum()) or tokens
    if size > MAX_TOKENS:
        size, kept = MAX_TOKENS, f"the {MAX_TOKENS:,} most frequent of {tokens:,} distinct tokens"
    elif min_count == 1:
        kept = f"all {format_count(tokens, 'distinct token')}"
    else:
        often = "more than once" if min_count == 2 else f"at least {min_count:,} times"
        kept = f"{size:,} of {format_count(tokens, 'distinct token')} occur {often}"
    coverage = format_percent(evidence.statistics.coverage(size))
    reason = f"{kept}, {coverage} of all text; two more are for padding and OOV tokens"
    yield Setting("text.vocabulary_size", size + 2, reason)
    if chosen == 2:
        reason = "tokens seen only once don't generalize; they count as out-of-vocabulary (OOV)"
    else:
        reason = "no token occurs only once" if recurring else "every token occurs only once"
    yield Setting("text.min_count", chosen, reason)


def _ngrams(evidence: Evidence) -> Setting:
    statistics = evidence.statistics
    longest, reason = 2, 'word pairs are features too, so "not good" differs from "good"'
    if evidence.can_flatten:
        longest, reason = 1, "pooling: flatten uses single tokens only"
    elif statistics.by_words is not None:
        longest, reason = 4, "sequences of up to four characters are features too"
    elif not statistics.is_short:
        longest, reason = 3, "long texts: sequences of two and three tokens are features too"
    elif statistics.unit == "character":
        reason = "pairs of characters are features too"
    return Setting("text.ngrams", longest, reason)


def _ngram_vocabulary_size(evidence: Evidence) -> Setting:
    # Memory is the limit: the wider a vector, the fewer n-grams.
    size = max_ngrams(_embedding_dim(evidence)[0])
    reason = "an upper limit; the most frequent are kept"
    if evidence.value("text.ngrams", _ngrams(evidence).value) == 1:
        reason = "not used without n-grams"
    return Setting("text.ngram_vocabulary_size", size, reason)


def _sequence_length(statistics: TableStatistics) -> Setting:
    typical = statistics.typical_length
    # `typical` is 0 if almost all texts are empty.
    length = min(max(typical, 1), _MAX_SEQUENCE_LENGTH)
    quantile = format_percent(LENGTH_QUANTILE, places=0)
    reason = f"{quantile} of texts have at most {format_count(typical, 'token')}"
    if typical > length:
        reason += f", but {length:,} are enough and train faster"
    truncated = statistics.fraction_longer(length)
    percentage = format_percent(truncated) if truncated else "none"
    return Setting("text.sequence_length", length, f"{reason}; {percentage} will be truncated")


def _model_settings(evidence: Evidence) -> Iterator[Setting]:
    reason = "tokens that are typical of a label start larger and learn faster"
    yield Setting("model.initialization", "naive_bayes", reason)
    dim, reason = _embedding_dim(evidence)
    yield Setting("model.embedding_dim", dim, reason)
    reason = "sum of a text's token vectors, divided by the square root of their number"
    yield Setting("model.pooling", "sqrt", reason)
    if evidence.has_few_labels:
        yield Setting("model.dropout", 0.0, "not needed: few labels, with many rows each")
    else:
        reason = "dropout against overfitting: many labels have few rows"
        yield Setting("model.dropout", 0.3 if evidence.is_multilabel else 0.5, reason)


def _embedding_dim(evidence: Evidence) -> tuple[int, str]:
    """Return the numbers per token, and why."""
    vectors = evidence.value("model.initialization", "naive_bayes")
    if (length := vector_length(vectors)) is not None:
        return evidence.value("model.embedding_dim", length), "length of the word vectors"
    dim = 16 if evidence.has_few_labels else 128 if evidence.has_many_labels else 64
    labels = format_count(len(evidence.statistics.labels.names), "label")
    return evidence.value("model.embedding_dim", dim), f"numbers per token, enough for {labels}"


def _training_settings(evidence: Evidence) -> Iterator[Setting]:
    statistics = evidence.statistics
    yield _epochs(evidence)
    batch_size = batch_size_for(statistics.rows)
    steps = math.ceil(statistics.rows / batch_size)
    reason = f"about {format_count(steps, 'step')} per epoch"
    yield Setting("training.batch_size", batch_size, reason)
    yield _learning_rate(evidence)
    if statistics.is_large:
        reason = "the learning rate falls to 0 by the last epoch"
        yield Setting("training.schedule", "linear", reason)
    else:
        reason = "not needed: early stopping ends the training"
        yield Setting("training.schedule", "constant", reason)
    yield _refit(evidence)
    yield _class_weight(evidence)
    yield _calibration(evidence)
    yield _threshold(evidence)


def _epochs(evidence: Evidence) -> Setting:
    statistics, patience = evidence.statistics, evidence.config.training.early_stopping
    if statistics.is_large:
        epochs = 5 if evidence.has_many_labels else 3
        return Setting("training.epochs", epochs, "large tables need few passes")
    # Small tables have few steps per epoch, so they get more passes.
    epochs = min(100, max(20, 100_000 // statistics.rows))
    reason = "small tables need more passes"
    if patience is not None:
        stop = format_count(patience, "epoch")
        reason = f"an upper limit; training stops after {stop} without improvement"
    return Setting("training.epochs", epochs, reason)


def _learning_rate(evidence: Evidence) -> Setting:
    """Choose small steps where all tokens move together, larger ones where epochs are few."""
    key, optimizer = "training.learning_rate", evidence.config.training.optimizer
    pooling = evidence.value("model.pooling", "sqrt")
    if optimizer != "adam" or pooling != "sqrt":
        reason = f"a usual rate for {optimizer} and pooling: {pooling}"
        return Setting(key, _LEARNING_RATES[optimizer], reason)
    if evidence.statistics.is_large:
        rate = 0.003 if evidence.has_many_labels else 0.002
        return Setting(key, rate, "larger steps, because there are few epochs")
    rate = 0.002 if evidence.has_many_labels else 0.001
    return Setting(key, rate, "small steps, because sqrt pooling adds up the steps of all tokens")


def _refit(evidence: Evidence) -> Setting:
    fraction = validation_fraction(evidence)
    percentage = format_percent(fraction, places=0)
    # A validation table makes the fraction 0: its rows are for validation only.
    if fraction == 0:
        return Setting("training.refit", False, "the validation table is for validation only")
    if fraction < MIN_REFIT_FRACTION:
        reason = f"only {percentage} of the rows are held out"
        return Setting("training.refit", False, reason)
    reason = "when the best epoch is known, train again for that many epochs on all rows"
    return Setting("training.refit", True, f"{reason}, including the {percentage} held out")


def _class_weight(evidence: Evidence) -> Setting:
    key = "training.class_weight"
    if evidence.is_multilabel:
        return Setting(key, "none", "every row counts the same")
    totals = evidence.statistics.labels.totals
    fraction = max(totals) / sum(totals)
    reason = f"the most frequent label has {format_percent(fraction)} of the rows"
    if fraction >= _IMBALANCED:
        return Setting(key, "balanced", f"{reason}; rows of other labels count more")
    return Setting(key, "none", f"{reason}; every row counts the same")


def _calibration(evidence: Evidence) -> Setting:
    key: str = "training.calibration"
    if evidence.statistics.is_large and not evidence.is_multilabel:
        reason = "networks are overconfident on large tables; this corrects their probabilities"
        return Setting(key, "temperature", reason)
    return Setting(key, "none", "not needed for this table")


def _threshold(evidence: Evidence) -> Setting:
    value: Any = 0.5
    reason = "the most probable label is predicted"
    if evidence.is_multilabel:
        value = "micro_f1"
        reason = "one threshold for all labels, chosen on validation rows; few labels reach 0.5"
    return Setting("training.threshold", value, reason)
