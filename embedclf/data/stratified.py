"""Stratified, grouped, seeded splits and folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Rows
    from embedclf.text.fingerprints import Fingerprints

    Made = TypeVar("Made")

_AT_ONCE = 1 << 14


def stratified_split(
    keys: Fingerprints, strata: npt.NDArray[np.int64], *, fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose the rows to hold out: stratified, seeded, equal keys on one side.

    Each stratum holds out its share of rows, rounded such that the total fits as near as can be
    (largest remainders), and keeps one at least. Its groups of equal keys are taken in the order of
    chance, as long as they fit into what is left of the share.

    Args:
        keys: (n,) numbers; rows with the same one belong together.
        strata: (n,) the stratum of each row; a group belongs to the rarest among its rows.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Source of chance.

    Returns:
        (n,) True for the rows held out.
    """
    _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    _, numbered, rows = np.unique(strata, return_inverse=True, return_counts=True)
    by_rarity = np.lexsort((rows[numbered], groups))
    _, first = np.unique(groups[by_rarity], return_index=True)
    stratum = numbered[by_rarity][first]  # (groups,)
    rng = np.random.default_rng(seed)
    room = _quotas(np.bincount(stratum, sizes, len(rows)), fraction, rng).tolist()
    left = sum(room)
    held_out = np.zeros(len(sizes), np.bool_)
    for group, of, size in _one_by_one(rng.permutation(len(sizes)), stratum, sizes):
        if size <= room[of]:
            held_out[group] = True
            room[of] -= size
            left -= size
            if not left:
                break
    mask: npt.NDArray[np.bool_] = held_out[groups]
    return mask


def stratified_folds(
    keys: Fingerprints, strata: npt.NDArray[np.int64], *, count: int, seed: int
) -> npt.NDArray[np.int64]:
    """Part rows into folds of equal size: stratified, seeded, equal keys in one.

    Each fold is split off what the ones before it left. A group of equal keys that is larger than a
    fold goes to the last one.

    Args:
        keys: (n,) numbers; rows with the same one belong together.
        strata: (n,) the stratum of each row.
        count: How many folds.
        seed: Source of chance.

    Returns:
        (n,) the number of each row's fold, from 0; where keys are few, a fold may have no row.
    """
    numbers = np.full(len(keys), count - 1, np.int64)
    left = np.arange(len(keys))
    for number in range(count - 1):
        fraction = 1 / (count - number)
        chosen = stratified_split(keys[left], strata[left], fraction=fraction, seed=seed)
        numbers[left[chosen]] = number
        left = left[~chosen]
    return numbers


def _one_by_one(order: Rows, *columns: npt.NDArray[Any]) -> Iterator[tuple[int, ...]]:
    """Each position of an order with what columns hold there, as Python's numbers: some at once."""
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        yield from zip(part.tolist(), *(column[part].tolist() for column in columns), strict=True)


def _quotas(
    rows: npt.NDArray[Any], fraction: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """How many rows of each stratum make up a fraction of all; never all of a stratum."""
    shares = rows * fraction
    most = np.maximum(rows - 1, 0).astype(np.int64)
    quotas: npt.NDArray[np.int64] = np.minimum(np.floor(shares).astype(np.int64), most)
    missing = round(float(shares.sum())) - int(quotas.sum())
    for stratum in np.lexsort((rng.permutation(len(rows)), quotas - shares)):
        if missing > 0 and quotas[stratum] < most[stratum]:
            quotas[stratum] += 1
            missing -= 1
    return quotas
