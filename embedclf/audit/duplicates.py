"""Duplicates, label conflicts, leaks between splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import NEAR, SHOWN, SPOILT, Example, Finding, by_share, share
from embedclf.audit.minhash import Candidates, Sets, Sketches, candidates, jaccard, shingle_sets
from embedclf.data.splits import tokenize_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Rows
    from embedclf.text.fingerprints import Fingerprints

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Parts the numbers of labels from those of texts, when both are added up."""


def find_duplicates(parts: Sequence[AuditedSplit], config: Config) -> Iterator[Finding]:
    """Find texts of equal or nearly equal tokens; those without a token do not count.

    Args:
        parts: Training first; each is held against all before it.
        config: Of all parts.
    """
    yield from _duplicates(parts)
    yield from _conflicts(parts)
    for number, part in enumerate(parts[1:], 1):
        seen = parts[:number]
        twins = _equal(seen, part)
        if (twins >= 0).any():
            yield _leak("equal", seen, part, twins)
        twins, crowded = _near(seen, part, np.flatnonzero(twins < 0), config)
        if (twins >= 0).any():
            yield _leak("near", seen, part, twins, at_least=bool((twins[crowded] < 0).any()))


def _duplicates(parts: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Rows that repeat text and label of one before them in their part."""
    counts, examples = [], list[Example]()
    for part in parts:
        twins = _earlier(part)
        repeated = twins >= 0
        counts.append((part.name, int(repeated.sum())))
        examples += [
            part.example(row, part.example(int(twins[row])))
            for row in np.flatnonzero(repeated)[:SHOWN].tolist()
        ]
    count, of = sum(number for _, number in counts), sum(map(len, parts))
    if count:
        told = ", ".join(f"{name} {number:,}" for name, number in counts if number)
        yield Finding(
            "duplicate",
            "note",
            f"{share(count, of)} rows repeat text and label of an earlier row of theirs: {told}",
            count,
            of,
            "they count as often as they are there, in the loss and in each score",
            "keep one row of each, unless texts come as often where predictions are wanted",
            tuple(examples[:SHOWN]),
        )


def _earlier(part: AuditedSplit) -> Rows:
    """(n,) the first row of equal text and label, -1 where that is the row itself."""
    first = _first_equal(part.traits.fingerprints + part.keys * _MIX)
    own = (first == np.arange(len(part))) | (part.traits.lengths == 0)
    return np.where(own, -1, first)


def _conflicts(parts: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Rows whose text is there under another label too, in any part."""
    keys = np.concatenate([part.keys for part in parts])
    lengths = np.concatenate([part.traits.lengths for part in parts])
    first = _first_equal(_fingerprints(parts))
    others = np.flatnonzero((keys != keys[first]) & (lengths > 0))
    if not len(others):
        return
    torn, places = np.unique(first[others], return_index=True)
    count = int(np.isin(first, torn).sum())
    pairs = zip(torn[:SHOWN].tolist(), others[places[:SHOWN]].tolist(), strict=True)
    yield Finding(
        "label-conflict",
        by_share(count, len(keys)),
        f"{share(count, len(keys))} rows have a text that is there under another label too",
        count,
        len(keys),
        "no classifier gets more than one label of a text right; each pulls against the other",
        "settle on one label for each text, or let it have both by data.label_separator",
        tuple(_of_all(parts, one, _of_all(parts, other)) for one, other in pairs),
    )


def _first_equal(numbers: Fingerprints) -> Rows:
    """(n,) where the number of each row is there for the first time."""
    _, first, of = np.unique(numbers, return_index=True, return_inverse=True)
    places: Rows = first[of]
    return places


def _of_all(parts: Sequence[AuditedSplit], index: int, like: Example | None = None) -> Example:
    """The row of an index that counts through all parts."""
    for part in parts:
        if index < len(part):
            return part.example(index, like)
        index -= len(part)
    raise IndexError(index)


def _equal(seen: Sequence[AuditedSplit], part: AuditedSplit) -> Rows:
    """(n,) the first row of equal text, counted through all that were seen; -1 where none is."""
    known, first = np.unique(_fingerprints(seen), return_index=True)
    texts = part.traits.fingerprints
    places = np.minimum(np.searchsorted(known, texts), len(known) - 1)
    return np.where((known[places] == texts) & (part.traits.lengths > 0), first[places], -1)


def _near(
    seen: Sequence[AuditedSplit], part: AuditedSplit, wanted: Rows, config: Config
) -> tuple[Rows, Rows]:
    """Find nearly equal texts for the wanted ones.

    Returns:
        (n,) a row of nearly equal text, counted through all that were seen, -1 where none is found;
        and the rows that look like more of them than they were compared with.
    """
    sketches = Sketches.joined([one.traits.sketches for one in seen])
    _, first = np.unique(_fingerprints(seen), return_index=True)
    right = np.sort(first[sketches.large[first]])
    left = wanted[part.traits.sketches.large[wanted]]
    found = candidates(part.traits.sketches.take(left), sketches.take(right))
    ours, pairs_left = np.unique(found.left, return_inverse=True)
    theirs, pairs_right = np.unique(found.right, return_inverse=True)
    similar = jaccard(
        _sets([part], left[ours], config),
        _sets(seen, right[theirs], config),
        Candidates(pairs_left, pairs_right, found.crowded),
    )
    near = np.flatnonzero(similar >= NEAR)[::-1]  # the first twin is written last, and stays
    twins = np.full(len(part), -1)
    twins[left[found.left[near]]] = right[found.right[near]]
    return twins, left[found.crowded]


def _fingerprints(parts: Sequence[AuditedSplit]) -> Fingerprints:
    return np.concatenate([part.traits.fingerprints for part in parts])


def _sets(parts: Sequence[AuditedSplit], indices: Rows, config: Config) -> Sets:
    """The sets of shingles of texts, read again; ascending indices count through all parts."""

    def work(texts: pa.Array) -> Sets:
        return shingle_sets(tokenize_column(config, texts), config.text.unit)

    sets, start = [Sets(np.zeros(0, np.uint64), np.zeros(0, np.int64))], 0
    for part in parts:
        own = indices[(indices >= start) & (indices < start + len(part))] - start
        if len(own):
            sets += part.read(part.traits.rows[own], config, work)
        start += len(part)
    return Sets.joined(sets)


def _leak(
    how: str,
    seen: Sequence[AuditedSplit],
    part: AuditedSplit,
    twins: Rows,
    *,
    at_least: bool = False,
) -> Finding:
    """A finding of validation or test texts that were seen before."""
    leaked = np.flatnonzero(twins >= 0)
    count, of = len(leaked), len(part)
    where = " or ".join(one.name for one in seen)
    alike = {
        "equal": f"are there in {where} too",
        "near": f"share {100 * NEAR:.0f} % or more of their tokens with one of {where}",
    }
    severity = "warning" if how == "equal" else by_share(count, of)
    tables = [f"data.{one.name if one.has_own_table else 'train'}" for one in [part, *seen]]
    mend = f"take one of each pair out of {' or '.join(dict.fromkeys(tables))}"
    if not part.has_own_table:
        mend = "data.validation: a table of its own, parted by where the texts come from"
    return Finding(
        f"leak-{how}",
        "error" if count >= SPOILT * of else severity,
        f"{'at least ' * at_least}{share(count, of)} {part.name} texts {alike[how]}",
        count,
        of,
        "what is scored with them was learned by heart",
        mend,
        tuple(part.example(row, _of_all(seen, int(twins[row]))) for row in leaked[:SHOWN].tolist()),
    )
