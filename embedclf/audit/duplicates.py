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
    SignaturesFile,
    build_shingle_sets,
    find_candidates,
    jaccard_similarity,
)
from embedclf.system.terminal import format_percent
from embedclf.text.fingerprints import find_repeated, find_shared
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Mask, Rows

_MIX = np.uint64(0xC2B2AE3D27D4EB4F)
"""Keeps the hashes of labels apart from those of texts when both are added. The radix of texts
would not, since it is the factor of a second token."""


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
        twins, crowded = _match_similar_texts(earlier, split, twins < 0, config)
        if (twins >= 0).any():
            # A crowded row may have a twin among the candidates that were not compared.
            at_least = bool((twins[crowded] < 0).any())
            yield _leak_finding("leak-near", earlier, split, twins, at_least=at_least)


def _find_repeated_rows(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find rows with the text and label of an earlier row in the same split."""
    counts, examples = [], list[Example]()
    for split in splits:
        repeated, first = _match_earlier_rows(split)
        counts.append(len(repeated))
        pairs = zip(repeated[:MAX_EXAMPLES].tolist(), first.tolist(), strict=False)
        examples += [split.example(row, split.example(earlier)) for row, earlier in pairs]
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


def _match_earlier_rows(split: AuditedSplit) -> tuple[Rows, Rows]:
    """Return the rows that repeat the text and label of an earlier row, and the first such row."""
    rows = find_repeated(split.texts.fingerprints)
    keys = split.texts.fingerprints[rows] + split.label_keys_of(rows) * _MIX
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    earlier = rows[first[inverse]]
    repeats = (earlier < rows) & (split.texts.lengths[rows] > 0)
    return rows[repeats], earlier[repeats]


def _match_equal_texts(earlier: Sequence[AuditedSplit], split: AuditedSplit) -> Rows:
    """(n,) the first row with the same text, numbered across the earlier splits; -1 if none."""
    texts, fingerprints = split.texts.fingerprints, join_fingerprints(earlier)
    rows = find_shared(fingerprints, texts)
    distinct, first = np.unique(fingerprints[rows], return_index=True)
    twins = np.full(len(split), -1)
    shared = find_shared(texts, distinct)
    shared = shared[split.texts.lengths[shared] > 0]
    twins[shared] = rows[first[np.searchsorted(distinct, texts[shared])]]
    return twins


def _match_similar_texts(
    earlier: Sequence[AuditedSplit], split: AuditedSplit, unmatched: Mask, config: Config
) -> tuple[Rows, Rows]:
    """Find near-duplicates of the rows of a split under a mask (n,).

    Returns:
        (n,) a row with a similar text, numbered across the earlier splits, or -1; and the rows that
        have more candidates than they were compared with.
    """
    left = split.texts.signatures
    left = left.take(np.flatnonzero(unmatched[left.sets]))
    right = _join_signatures(earlier, left)
    pairs = find_candidates(left, right)
    # Each text is read once; the pairs then index the texts that were read.
    ours, pairs_left = np.unique(pairs.left, return_inverse=True)
    theirs, pairs_right = np.unique(pairs.right, return_inverse=True)
    similarities = jaccard_similarity(
        _reread_shingle_sets([split], left.sets[ours], config),
        _reread_shingle_sets(earlier, right.sets[theirs], config),
        CandidatePairs(pairs_left, pairs_right, pairs.crowded),
    )
    # In reverse order, because the last assignment wins: each row keeps its first twin.
    similar = np.flatnonzero(similarities >= MIN_SIMILARITY)[::-1]
    twins = np.full(len(split), -1)
    twins[left.sets[pairs.left[similar]]] = right.sets[pairs.right[similar]]
    return twins, left.sets[pairs.crowded]


def _join_signatures(splits: Sequence[AuditedSplit], others: Signatures) -> Signatures:
    """Return the signatures that share a bucket with others, numbered across the splits.

    Of equal texts, only the first row is kept.
    """
    joined, fingerprints = SignaturesFile(), [np.zeros(0, np.uint64)]
    for split in splits:
        signatures = split.texts.signatures.sharing_buckets(others)
        fingerprints.append(split.texts.fingerprints[signatures.sets])
        joined.append(signatures, len(split))
    _, first = np.unique(np.concatenate(fingerprints), return_index=True)
    return joined.map().take(np.sort(first))


def _reread_shingle_sets(splits: Sequence[AuditedSplit], rows: Rows, config: Config) -> ShingleSets:
    """Read texts again for their shingles; rows are ascending, numbered across the splits."""

    def process(texts: pa.Array) -> ShingleSets:
        return build_shingle_sets(TokenRules.from_config(config).tokenize(texts), config.text.unit)

    # Starts with an empty set, because `np.concatenate` refuses an empty list.
    empty = ShingleSets(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    return ShingleSets.concatenate([empty, *reread_rows(splits, rows, process)])


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
