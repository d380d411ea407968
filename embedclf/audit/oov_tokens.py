"""Tokens out of vocabulary, and the setting that makes them known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import ID_BATCH_ROWS
from embedclf.audit.findings import (
    MAX_EXAMPLES,
    OOV_FRACTION,
    Finding,
    format_rate,
    format_settings,
)
from embedclf.system.arrow import index_in, text_column
from embedclf.system.terminal import format_percent
from embedclf.text.vocabulary import RESERVED, UNKNOWN, token_counter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts
    from embedclf.text.tokens import TokenCounts

_MIN_GAIN = 0.1
"""Fraction of the out-of-vocabulary tokens that a setting must make known."""


def find_oov_tokens(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find validation and test texts with many tokens that are out of vocabulary."""
    train, *others = splits
    affected = [each for each in others if each.split.unknown > OOV_FRACTION * each.split.tokens]
    if not affected:
        return
    training = _count_tokens(train, dataset)
    for split in affected:
        oov = _examine_oov_tokens(split, training, dataset)
        settings = _choose_settings(oov, dataset)
        yield Finding(
            "token-oov",
            "warning",
            f"{format_rate(split.split.unknown, split.split.tokens)} tokens of {split.name} texts "
            "are out of vocabulary",
            split.split.unknown,
            split.split.tokens,
            "all out-of-vocabulary tokens share one vector",
            _describe_fix(oov, settings, dataset.config),
            tuple(split.example(index) for index in _rows_with_unknown_tokens(split)),
            settings,
        )


@dataclass(frozen=True)
class _OovTokens:
    """Where the out-of-vocabulary tokens of a split come from."""

    left_out: float
    """Fraction that is frequent enough in training, but was left out by `vocabulary_size`."""
    rare: float
    """Fraction that occurs in training, but less often than `min_count`."""
    vocabulary_size: int
    """What the vocabulary needs for all training tokens that are frequent enough."""
    full_size: int
    """What it needs for all training tokens."""

    @property
    def unseen(self) -> float:
        """Fraction that occurs in no training text."""
        return 1 - self.left_out - self.rare


def _examine_oov_tokens(split: AuditedSplit, training: TokenCounts, dataset: Dataset) -> _OovTokens:
    """Look up the out-of-vocabulary tokens of a split in the training texts."""
    min_count = dataset.config.text.min_count
    tokens, counts = training
    found, occurrences = _count_tokens(split, dataset)
    is_oov = index_in(found, text_column(dataset.tokenizer.tokens), default=-1) < 0
    places = index_in(found, tokens, default=-1)
    trained: Counts = np.where(places >= 0, counts[np.maximum(places, 0)], 0)
    total = max(1, int(occurrences[is_oov].sum()))
    is_frequent = trained >= min_count
    return _OovTokens(
        float(occurrences[is_oov & is_frequent].sum() / total),
        float(occurrences[is_oov & ~is_frequent & (trained > 0)].sum() / total),
        int((counts >= min_count).sum()) + len(RESERVED),
        len(tokens) + len(RESERVED),
    )


def _count_tokens(split: AuditedSplit, dataset: Dataset) -> TokenCounts:
    """Count all tokens of a split's texts, which are read again."""
    counter, tokenizer = token_counter(), dataset.tokenizer

    def process(texts: pa.Array) -> None:
        counter.add(tokenizer.count(tokenizer.tokenize(texts)))

    split.reread(np.arange(len(split)), process)
    return counter.total()


def _choose_settings(oov: _OovTokens, dataset: Dataset) -> dict[str, Any]:
    """Choose the settings that make enough of the tokens known; none if there are none."""
    if oov.left_out >= _MIN_GAIN:
        return {"text.vocabulary_size": oov.vocabulary_size}
    if oov.rare >= _MIN_GAIN:
        settings: dict[str, Any] = {"text.min_count": 1}
        if oov.full_size > dataset.config.text.vocabulary_size:
            settings["text.vocabulary_size"] = oov.full_size
        return settings
    return {}


def _describe_fix(oov: _OovTokens, settings: dict[str, Any], config: Config) -> str:
    """Describe the fix, and how much it helps."""
    if "text.min_count" in settings:
        return (
            f"{format_settings(settings)} ({format_percent(oov.rare)} of these tokens occur in "
            f"training fewer than {config.text.min_count} times); or add training rows"
        )
    if settings:
        return (
            f"{format_settings(settings)} ({format_percent(oov.left_out)} of these tokens were "
            "left out of the vocabulary)"
        )
    with_vectors = ", or set model.vectors" if config.model.vectors == "none" else ""
    return (
        f"add training rows{with_vectors}: {format_percent(oov.unseen)} of these tokens occur in "
        "no training text"
    )


def _rows_with_unknown_tokens(split: AuditedSplit) -> list[int]:
    """Return the first rows with an out-of-vocabulary token within `sequence_length`."""
    rows: list[int] = []
    for start in range(0, len(split), ID_BATCH_ROWS):
        ids = split.split.ids[start : start + ID_BATCH_ROWS]
        rows += (np.flatnonzero(ids.count(ids.values == UNKNOWN)) + start).tolist()
        if len(rows) >= MAX_EXAMPLES:
            break
    return rows[:MAX_EXAMPLES]
