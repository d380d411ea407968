"""Vocabularies: the most frequent tokens, counted in parts and in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import mask_column, number_column, numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from embedclf.tokens import Counted

MOST_COUNTED = 1 << 22
"""Tokens that are held at once: about 200 MB of words."""


def most_frequent(parts: Iterable[Counted], size: int) -> tuple[str, ...]:
    """Find the most frequent tokens of all parts, ties in code point order.

    Where there are more different tokens than can be held, the rarest are forgotten on the way and
    count from zero when they come again (lossy counting; Manku and Motwani, Approximate Frequency
    Counts over Data Streams, 2002). What is frequent everywhere is not touched by that.

    Args:
        parts: Counts of parts of the texts.
        size: Most tokens to return.
    """
    most = max(MOST_COUNTED, 4 * size)
    held: list[Counted] = []
    for tokens, counts in parts:
        held.append((tokens, counts))
        if sum(len(tokens) for tokens, _ in held) > most:
            held = [_commonest(_added_up(held), most // 2, ties=False)]
    if not held:
        return ()
    tokens, counts = _commonest(_added_up(held), size, ties=True)
    by_name = numbers_of(pc.sort_indices(tokens))
    by_count = np.argsort(-counts[by_name], kind="stable")
    ranked = number_column(by_name[by_count[:size]])
    return tuple(tokens.take(ranked).to_pylist())


def _added_up(parts: list[Counted]) -> Counted:
    """Each token once, with the sum of its counts, if it is there at all."""
    encoded = pa.concat_arrays([tokens for tokens, _ in parts]).dictionary_encode()
    counts = np.concatenate([counts for _, counts in parts])
    totals = np.bincount(numbers_of(encoded.indices), counts, len(encoded.dictionary))
    return _where(encoded.dictionary, totals.astype(np.int64), totals > 0)


def _commonest(counted: Counted, size: int, *, ties: bool) -> Counted:
    """The tokens of the highest counts, with all or none of those that tie with the last one."""
    tokens, counts = counted
    if len(tokens) <= size:
        return counted
    last = np.partition(counts, len(counts) - size)[len(counts) - size]
    return _where(tokens, counts, counts >= last if ties else counts > last)


def _where(
    tokens: pa.StringArray, counts: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]
) -> Counted:
    return tokens.filter(mask_column(mask)), counts[mask]
