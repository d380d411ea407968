"""Duplicates, and leaks between splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from embedclf.audit.audited_split import (
    example_at,
    format_split_counts,
    join_fingerprints,
    reread_rows,
)
from embedclf.audit.findings import (
    LEAK_ERROR_FRACTION,
    MAX_EXAMPLES,
    MIN_SIMILARITY,
    Example,
    Finding,
    format_rate,
    severity_by_rate,
)
from embedclf.audit.minhash import (
    CandidatePairs,
    ShingleSets,
    Signatures,
    build_shingle_sets,
    find_candidates,
    jaccard_similarity,
)
from embedclf.system.terminal import format_percent
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Rows
    from embedclf.text.fingerprints import Fingerprints

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Keeps the hashes of labels apart from those of texts when both are added."""


def find_duplicates(splits: Sequence[AuditedSplit], config: Config) -> Iterator[Finding]:
    """Find texts with the same or nearly the same tokens; texts without a token are ignored.

    Args:
        splits: Training first; each is compared with all before it.
        config: Of all splits.
    """
    yield from _find_repeated_rows(splits)
    for number, split in enumerate(splits[1:], 1):
        earlier = splits[:number]
        twins = _match_equal_texts(earlier, split)
        if (twins >= 0).any():
            yield _leak_finding("leak-equal", earlier, split, twins)
        unmatched = np.flatnonzero(twins < 0)
        twins, crowded = _match_similar_texts(earlier, split, unmatched, config)
        if (twins >= 0).any():
            # A crowded row may have a twin among the candidates that were not compared.
            at_least = bool((twins[crowded] < 0).any())
            yield _leak_finding("leak-near", earlier, split, twins, at_least=at_least)


def _find_repeated_rows(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find rows with the text and label of an earlier row in the same split."""
    counts, examples = [], list[Example]()
    for split in splits:
        first = _match_earlier_rows(split)
        repeated = np.flatnonzero(first >= 0)
        counts.append(len(repeated))
        examples += [
            split.example(row, split.example(int(first[row])))
            for row in repeated[:MAX_EXAMPLES].tolist()
        ]
    count, total = sum(counts), sum(map(len, splits))
    if count:
        yield Finding(
            "duplicate",
            "note",
            f"{format_rate(count, total)} rows duplicate an earlier row in the same split: "
            f"{format_split_counts(splits, counts)}",
            count,
            total,
            "every copy counts, in the loss and in the scores",
            "remove the copies, unless the texts to predict repeat as often",
            tuple(examples[:MAX_EXAMPLES]),
        )


def _match_earlier_rows(split: AuditedSplit) -> Rows:
    """(n,) the first row with the same text and label, -1 where that is the row itself."""
    first = _first_occurrences(split.texts.fingerprints + split.label_keys * _MIX)
    unmatched = (first == np.arange(len(split))) | (split.texts.lengths == 0)
    return np.where(unmatched, -1, first)


def _first_occurrences(keys: Fingerprints) -> Rows:
    """(n,) the row where the key of each row first occurs."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rows: Rows = first[inverse]
    return rows


def _match_equal_texts(earlier: Sequence[AuditedSplit], split: AuditedSplit) -> Rows:
    """(n,) the first row with the same text, numbered across the earlier splits; -1 if none."""
    distinct, first = np.unique(join_fingerprints(earlier), return_index=True)
    texts = split.texts.fingerprints
    # `searchsorted` returns len(distinct) for a text above all others.
    indices = np.minimum(np.searchsorted(distinct, texts), len(distinct) - 1)
    return np.where((distinct[indices] == texts) & (split.texts.lengths > 0), first[indices], -1)


def _match_similar_texts(
    earlier: Sequence[AuditedSplit], split: AuditedSplit, rows: Rows, config: Config
) -> tuple[Rows, Rows]:
    """Find near-duplicates of some rows of a split.

    Returns:
        (n,) a row with a similar text, numbered across the earlier splits, or -1; and the rows that
        have more candidates than they were compared with.
    """
    signatures = Signatures.concatenate([other.texts.signatures for other in earlier])
    _, first = np.unique(join_fingerprints(earlier), return_index=True)
    # One row per distinct text, in ascending order to read them again in one pass.
    right = np.sort(first[signatures.is_large[first]])
    left = rows[split.texts.signatures.is_large[rows]]
    pairs = find_candidates(split.texts.signatures.take(left), signatures.take(right))
    # Each text is read once; the pairs then index the texts that were read.
    ours, pairs_left = np.unique(pairs.left, return_inverse=True)
    theirs, pairs_right = np.unique(pairs.right, return_inverse=True)
    similarities = jaccard_similarity(
        _reread_shingle_sets([split], left[ours], config),
        _reread_shingle_sets(earlier, right[theirs], config),
        CandidatePairs(pairs_left, pairs_right, pairs.crowded),
    )
    # In reverse order, because the last assignment wins: each row keeps its first twin.
    similar = np.flatnonzero(similarities >= MIN_SIMILARITY)[::-1]
    twins = np.full(len(split), -1)
    twins[left[pairs.left[similar]]] = right[pairs.right[similar]]
    return twins, left[pairs.crowded]


def _reread_shingle_sets(splits: Sequence[AuditedSplit], rows: Rows, config: Config) -> ShingleSets:
    """Read texts again for their shingles; rows are ascending, numbered across the splits."""

    def process(texts: pa.Array) -> ShingleSets:
        return build_shingle_sets(TokenRules.from_config(config).tokenize(texts), config.text.unit)

    # Starts with an empty set, because `np.concatenate` refuses an empty list.
    empty = ShingleSets(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    return ShingleSets.concatenate([empty, *reread_rows(splits, rows, config, process)])


def _leak_finding(
    kind: Literal["leak-equal", "leak-near"],
    earlier: Sequence[AuditedSplit],
    split: AuditedSplit,
    twins: Rows,
    *,
    at_least: bool = False,
) -> Finding:
    """Report validation or test texts that also occur in earlier splits."""
    leaked = np.flatnonzero(twins >= 0)
    count, total = len(leaked), len(split)
    where = " or ".join(other.name for other in earlier)
    similarity = {
        "leak-equal": f"also occur in {where}",
        "leak-near": f"share {format_percent(MIN_SIMILARITY, places=0)} or more of their tokens "
        f"with a text in {where}",
    }
    rate = format_rate(count, total)
    severity = "warning" if kind == "leak-equal" else severity_by_rate(count, total)
    return Finding(
        kind,
        "error" if count >= LEAK_ERROR_FRACTION * total else severity,
        f"{'at least ' * at_least}{rate} {split.name} texts {similarity[kind]}",
        count,
        total,
        "scores on these rows are inflated: the model saw them in training",
        _leak_fix(earlier, split),
        tuple(
            split.example(row, example_at(earlier, int(twins[row])))
            for row in leaked[:MAX_EXAMPLES].tolist()
        ),
    )


def _leak_fix(earlier: Sequence[AuditedSplit], split: AuditedSplit) -> str:
    if not split.has_own_table:
        return "data.validation: a file of its own, with related texts kept in one split"
    tables = [f"data.{each.name if each.has_own_table else 'train'}" for each in [split, *earlier]]
    *first, last = dict.fromkeys(tables)
    return f"remove one text of each pair from {', '.join(first)} or {last}"
