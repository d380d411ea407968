"""Problems with texts: empty, mis-decoded, truncated."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import format_split_counts
from embedclf.audit.findings import (
    COVERED_FRACTION,
    LENGTH_QUANTILE,
    MAX_EXAMPLES,
    MAX_LIST_LENGTH,
    TRUNCATED_FRACTION,
    Finding,
    format_rate,
    format_settings,
    severity_by_rate,
)
from embedclf.audit.mojibake import find_misdecoded, find_misreading
from embedclf.audit.oov_tokens import find_oov_tokens
from embedclf.data.dataset import KEPT_VECTORS, VECTORS
from embedclf.system.arrow import text_column
from embedclf.system.encodings.names import is_unicode
from embedclf.system.formats import compression_suffix, table_suffix
from embedclf.system.terminal import format_percent, join_shortened, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.audit.findings import Kind
    from embedclf.audit.mojibake import Misreading
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Mask
    from embedclf.training.token_vectors import Coverage


_MAX_WORD = 30
"""Characters of a word in a message."""


def find_text_problems(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find texts with little content, and content that the network never sees."""
    yield from _find_empty_texts(splits)
    yield from _find_truncated_texts(splits[0], dataset)
    yield from find_oov_tokens(splits, dataset)


def find_mojibake(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find texts and names that were decoded with the wrong encoding."""
    encoding = _named_encoding(dataset.config)
    samples = {split.texts.characters.sample for split in splits}
    misreadings = {sample: find_misreading(sample, encoding) for sample in samples}
    found = [misreadings[split.texts.characters.sample] for split in splits]
    misreading = next(filter(None, found), None)
    settings = _fix_of_encoding(encoding, found)
    fix = format_settings(settings) or _repair_command(splits, misreading)
    for finding in _find_marked_texts(
        splits,
        [
            split.texts.characters.beyond_ascii if each else split.texts.characters.misdecoded
            for split, each in zip(splits, found, strict=True)
        ],
        kind="text-mojibake",
        message="texts look decoded with the wrong encoding"
        + _example_of_repair(splits, misreading),
        reason="the model learns garbled words, which other texts don't have",
        fix=fix,
    ):
        yield replace(finding, settings=settings)
    yield from _find_garbled_names(dataset, fix, settings)
    yield from _find_marked_texts(
        splits,
        [split.texts.characters.replaced for split in splits],
        kind="text-replacement",
        message="texts have the replacement character \N{REPLACEMENT CHARACTER}",
        reason="it stands for characters that were lost when the texts were decoded",
        fix="export the table again as UTF-8, or remove these rows",
    )


def find_vector_problems(coverages: Mapping[str, Coverage], config: Config) -> Iterator[Finding]:
    """Report word vectors that cover few of the training tokens.

    Args:
        coverages: Of the vectors that the embedding starts from, and of those that it keeps.
        config: The config.
    """
    for key, coverage in coverages.items():
        count, total = coverage.texts_tokens_covered, coverage.texts_tokens
        if count >= COVERED_FRACTION * total:
            continue
        by_character = config.text.unit == "character"
        others, without = {
            VECTORS: ("are randomly initialized", {"model.initialization": "random"}),
            KEPT_VECTORS: ("have trained numbers only", {"model.vectors": "none"}),
        }[key]
        settings = {"text.unit": "word"} if by_character else without
        yield Finding(
            "vectors-few",
            "warning",
            f"only {format_rate(count, total)} tokens of the training texts have a vector in "
            f"{coverage.source}; the most frequent without one: {', '.join(coverage.missing)}",
            total - count,
            total,
            f"the others {others}; the vectors are probably "
            + ("for words, but text.unit is character" if by_character else "for another language"),
            f"use vectors for the {'unit' if by_character else 'language'} of the texts, or set "
            + format_settings(settings),
            settings=settings,
        )


def _find_empty_texts(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find texts without a token, with only one, or that stand for a missing value."""
    remove_rows = "remove these rows, or check the columns in data.text"
    yield from _find_marked_texts(
        splits,
        [split.texts.lengths == 0 for split in splits],
        kind="text-blank",
        message="texts are empty or have only punctuation",
        reason="a text without a token says nothing about its label",
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
    kind: Kind,
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


def _named_encoding(config: Config) -> str | None:
    """Return the encoding that the config names, None for UTF-8 and other forms of Unicode."""
    encoding = config.data.encoding
    return None if encoding is None or is_unicode(encoding) else encoding


def _fix_of_encoding(
    encoding: str | None, misreadings: Sequence[Misreading | None]
) -> dict[str, Any]:
    """Return the setting that decodes all tables; empty if there is none."""
    if encoding is None:  # the files themselves hold the garbled texts
        return {}
    right = {misreading.right for misreading in misreadings if misreading} or {"utf-8"}
    return {"data.encoding": right.pop()} if len(right) == 1 else {}


def _repair_command(splits: Sequence[AuditedSplit], misreading: Misreading | None) -> str:
    """Return how to repair the first file; the others need the same."""
    table = splits[0].split.rows.table
    file = Path(table.files[0].location)
    if not file.is_file() or compression_suffix(file) or table.file_format in {"parquet", "excel"}:
        return "export the table again from its source, with the right encoding"
    name, fixed = shlex.quote(table.files[0].name), f"fixed{table_suffix(file)}"
    if misreading is None or misreading.right == "utf-8":
        return f"repair the file: pip install ftfy; ftfy -o {fixed} {name}"
    wrong, right = misreading.wrong, misreading.right
    return (
        f"repair the file: iconv -f utf-8 -t {wrong} {name} | iconv -f {right} -t utf-8 > {fixed}"
    )


def _example_of_repair(splits: Sequence[AuditedSplit], misreading: Misreading | None) -> str:
    """Return `, such as 'cafÃ©' for 'café'`, or nothing if no word can be repaired."""
    if misreading is None:
        return ""
    for split in splits:
        for word in split.texts.characters.sample.split():
            repaired = misreading.repair(word)
            if repaired is not None and repaired != word:
                return (
                    f", such as {shorten(word, _MAX_WORD)!r} for {shorten(repaired, _MAX_WORD)!r}"
                )
    return ""


def _find_garbled_names(
    dataset: Dataset, fix: str, settings: Mapping[str, Any]
) -> Iterator[Finding]:
    """Find labels and columns whose names were decoded with the wrong encoding."""
    data = dataset.config.data
    names = [*dict.fromkeys([*data.text_columns, *data.label_columns, *dataset.labels.names])]
    are_garbled = find_misdecoded(text_column(names))
    garbled = [name for name, is_garbled in zip(names, are_garbled, strict=True) if is_garbled]
    if garbled:
        yield Finding(
            "label-mojibake",
            "warning",
            "names of labels or columns look decoded with the wrong encoding: "
            + join_shortened([*map(repr, garbled)], MAX_LIST_LENGTH),
            len(garbled),
            len(names),
            "predictions show these names",
            fix,
            settings=settings,
        )


def _find_truncated_texts(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find training texts that are longer than `sequence_length`."""
    max_length = dataset.tokenizer.sequence_length
    lengths = train.texts.lengths + len(dataset.config.data.fields)
    truncated = lengths > max_length
    count = int(truncated.sum())
    if count <= TRUNCATED_FRACTION * len(train):
        return
    lost = int((lengths[truncated] - max_length).sum()) / int(lengths.sum())
    # Not interpolated: the length of a text that at least this fraction does not exceed.
    fitting_length = int(np.quantile(lengths, LENGTH_QUANTILE, method="higher"))
    settings = {"text.sequence_length": fitting_length}
    yield Finding(
        "text-truncated",
        "warning",
        f"{format_rate(count, len(train))} training texts have more than {max_length:,} tokens: "
        f"{format_percent(lost)} of all tokens are truncated",
        count,
        len(train),
        "truncated tokens are ignored in training and prediction",
        f"{format_settings(settings)} (fits {format_percent(LENGTH_QUANTILE, places=0)} of the "
        "texts)",
        train.examples(truncated),
        settings,
    )
