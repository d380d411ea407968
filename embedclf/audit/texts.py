"""Problems with texts: empty, truncated, out of vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.audited_split import ID_BATCH_ROWS, format_split_counts
from embedclf.audit.findings import (
    COVERED_FRACTION,
    LENGTH_QUANTILE,
    MAX_EXAMPLES,
    OOV_FRACTION,
    TRUNCATED_FRACTION,
    Finding,
    format_rate,
    severity_by_rate,
)
from embedclf.system.terminal import format_percent
from embedclf.text.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Mask
    from embedclf.training.initialization import Coverage


def find_text_problems(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find texts with little content, and content that the network never sees."""
    yield from _find_empty_texts(splits)
    yield from _find_truncated_texts(splits[0], dataset)
    for split in splits[1:]:
        yield from _find_unknown_tokens(split, dataset)


def find_vector_problems(coverage: Coverage | None, config: Config) -> Iterator[Finding]:
    """Report pretrained vectors that cover few of the training tokens."""
    if coverage is None:
        return
    count, total = coverage.texts_tokens_covered, coverage.texts_tokens
    if count >= COVERED_FRACTION * total:
        return
    by_character = config.text.unit == "character"
    yield Finding(
        "vectors-few",
        "warning",
        f"only {format_rate(count, total)} tokens of the training texts have a vector in "
        f"{coverage.source}; the most frequent without one: {', '.join(coverage.missing)}",
        count,
        total,
        "the others are randomly initialized; the vectors are probably "
        + ("for words, but text.unit is character" if by_character else "for another language"),
        "text.unit: word"
        if by_character
        else "use vectors for the language of the texts, or none: model.initialization: random",
    )


def _find_empty_texts(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find texts without a token, with only one, or that stand for a missing value."""
    remove_rows = "remove these rows, or check the columns in data.text"
    yield from _find_marked_texts(
        splits,
        [split.texts.lengths == 0 for split in splits],
        kind="text-blank",
        message="texts are empty or have only punctuation",
        reason="without a token, all get the same prediction",
        fix=remove_rows,
    )
    yield from _find_marked_texts(
        splits,
        [split.texts.null_like for split in splits],
        kind="text-null-like",
        message="texts are placeholders for a missing value, such as NaN",
        reason="the model reads them as words",
        fix=remove_rows,
    )
    yield from _find_marked_texts(
        splits,
        [(split.texts.lengths == 1) & ~split.texts.null_like for split in splits],  # reported above
        kind="text-one-token",
        message="texts have only one token",
        reason="such texts are often incomplete",
        fix="check that they are complete; if so, ignore this note",
    )


def _find_marked_texts(
    splits: Sequence[AuditedSplit],
    masks: Sequence[Mask],
    *,
    kind: str,
    message: str,
    reason: str,
    fix: str,
) -> Iterator[Finding]:
    """Report the rows under the masks (n,) of all splits as one finding, if any."""
    counts = [int(mask.sum()) for mask in masks]
    count, total = sum(counts), sum(map(len, splits))
    if not count:
        return
    pairs = zip(splits, masks, strict=True)
    examples = [example for split, mask in pairs for example in split.examples(mask)]
    yield Finding(
        kind,
        "note" if kind == "text-one-token" else severity_by_rate(count, total),
        f"{format_rate(count, total)} {message}: {format_split_counts(splits, counts)}",
        count,
        total,
        reason,
        fix,
        tuple(examples[:MAX_EXAMPLES]),
    )


def _find_truncated_texts(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find training texts that are longer than `sequence_length`."""
    max_length, lengths = dataset.tokenizer.sequence_length, train.texts.lengths
    truncated = lengths > max_length
    count = int(truncated.sum())
    if count <= TRUNCATED_FRACTION * len(train):
        return
    lost = int((lengths[truncated] - max_length).sum()) / int(lengths.sum())
    # Not interpolated: the length of a text that at least this fraction does not exceed.
    fitting_length = int(np.quantile(lengths, LENGTH_QUANTILE, method="higher"))
    yield Finding(
        "text-truncated",
        "warning",
        f"{format_rate(count, len(train))} training texts have more than {max_length:,} tokens: "
        f"{format_percent(lost)} of all tokens are truncated",
        count,
        len(train),
        "truncated tokens are ignored in training and prediction",
        f"text.sequence_length: {fitting_length} "
        f"(fits {format_percent(LENGTH_QUANTILE, places=0)} of the texts)",
        train.examples(truncated),
    )


def _find_unknown_tokens(split: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find tokens that are out of vocabulary."""
    unknown, tokens = split.split.unknown, split.split.tokens
    if unknown <= OOV_FRACTION * tokens:
        return
    yield Finding(
        "token-oov",
        "warning",
        f"{format_rate(unknown, tokens)} tokens of {split.name} texts are out of vocabulary",
        unknown,
        tokens,
        "all out-of-vocabulary tokens share one vector",
        _fix_for_unknown_tokens(dataset),
        tuple(split.example(index) for index in _rows_with_unknown_tokens(split)),
    )


def _fix_for_unknown_tokens(dataset: Dataset) -> str:
    size, min_count = dataset.config.text.vocabulary_size, dataset.config.text.min_count
    if dataset.tokenizer.first_ngram_id == size:  # full, so tokens were left out
        return f"text.vocabulary_size: {2 * size} (training texts have more than {size:,} tokens)"
    frequent = "" if min_count == 1 else f" that occurs {min_count} times or more"
    return f"add training rows; the vocabulary already has every training token{frequent}"


def _rows_with_unknown_tokens(split: AuditedSplit) -> list[int]:
    """Return the first rows with an out-of-vocabulary token within `sequence_length`."""
    rows: list[int] = []
    for start in range(0, len(split), ID_BATCH_ROWS):
        ids = split.split.ids[start : start + ID_BATCH_ROWS]
        # Unknown n-grams have the id of padding, so UNKNOWN marks single tokens only.
        rows += (np.flatnonzero((ids == UNKNOWN).any(axis=1)) + start).tolist()
        if len(rows) >= MAX_EXAMPLES:
            break
    return rows[:MAX_EXAMPLES]
