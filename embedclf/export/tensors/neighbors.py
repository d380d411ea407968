"""Sequences in which a character depends on characters before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.export.tensors.operations import Operations, Tensor


def previous(ops: Operations, mask: Tensor, values: Tensor) -> Tensor:
    """Return for each place the value of the last place up to it where a mask (n,) is true.

    The mask must be true at the first place.
    """
    count = ops.cumulate(ops.to_integers(mask))
    return ops.gather(ops.compress(values, mask), count - 1)


def around(ops: Operations, mask: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each place values of the nearest places before and after where a mask is true.

    A place where it is true is its own nearest place before. The mask must be true at the first
    place; behind the last place where it is true, the value after is 0.

    Args:
        ops: Of the library.
        mask: (n,)
        values: (n,) integers.
    """
    count = ops.cumulate(ops.to_integers(mask))
    listed = ops.compress(values, mask)
    after = ops.concatenate([listed, ops.range(ops.size(listed))[:1] * 0])
    return ops.gather(listed, count - 1), ops.gather(after, count)


def before(ops: Operations, mask: Tensor, places: int = 1) -> Tensor:
    """Return whether a mask (n,) is true some places before; nothing is before the first."""
    return ops.shift(mask, places, 0)


def after(ops: Operations, mask: Tensor) -> Tensor:
    """Return whether a mask (n,) is true at the next place; nothing is after the last."""
    return ops.shift(mask, -1, 0)
