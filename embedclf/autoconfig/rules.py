"""Evidence -> settings of `text` and `model`, with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.audit.findings import LENGTH_QUANTILE
from embedclf.autoconfig.data_rules import data_settings
from embedclf.autoconfig.evidence import Evidence, Setting
from embedclf.autoconfig.table_statistics import (
    ALL_CHARACTERS,
)
from embedclf.autoconfig.training_rules import training_settings
from embedclf.system.terminal import format_count, format_percent
from embedclf.text.vectors.pretrained import vector_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.autoconfig.table_statistics import TableStatistics
    from embedclf.autoconfig.token_evidence import TokenEvidence

_MAX_SEQUENCE_LENGTH = 1_000

MAX_TOKENS = 200_000

_MAX_NGRAMS = 1_000_000

_MAX_NGRAM_PARAMETERS = 32_000_000
"""In the embedding rows of n-grams: 128 MB."""

_LONG_TEXTS_MIN_COUNT = 5
"""On IMDB, 5 keeps a quarter of the n-grams that 2 keeps, and the accuracy is the same. On whole
descriptions of Debian packages it is 3 points higher."""

_MIN_COVERAGE = 0.8
"""Fraction of all text that must remain with that minimum count."""


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
        *training_settings(evidence),
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
    tokens, (chosen, reason) = len(frequencies), _min_count(evidence)
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
    kept = f"{kept}, {coverage} of all text; two more are for padding and OOV tokens"
    yield Setting("text.vocabulary_size", size + 2, kept)
    yield Setting("text.min_count", chosen, reason)


def _min_count(evidence: Evidence) -> tuple[int, str]:
    """Return the minimum count of tokens and n-grams, and why."""
    frequencies = evidence.statistics.frequencies
    recurring = int((frequencies > 1).sum())
    # If all tokens occur once, they are all there is to learn from.
    if not 0 < recurring < len(frequencies):
        return 1, "no token occurs only once" if recurring else "every token occurs only once"
    if evidence.has_rare_words:
        return 1, "few and short texts: words seen once help, too"
    frequent = int((frequencies >= _LONG_TEXTS_MIN_COUNT).sum())
    if evidence.has_many_ngrams and evidence.statistics.coverage(frequent) >= _MIN_COVERAGE:
        return _LONG_TEXTS_MIN_COUNT, "long texts have very many rare n-grams, which overfit"
    return 2, "tokens seen only once don't generalize; they count as out-of-vocabulary (OOV)"


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
    yield Setting("model.vectors", evidence.vectors.vectors, evidence.vectors.reason)
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
    labels = len(evidence.statistics.labels.names)
    if evidence.has_many_labels:
        dim = 128
    elif evidence.is_narrow:
        dim = evidence.narrow_dim
    else:
        dim = 16 if evidence.has_few_labels else 64
    reason = f"numbers per token, enough for {format_count(labels, 'label')}"
    return evidence.value("model.embedding_dim", dim), reason
