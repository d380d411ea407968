"""Emoji of several characters (Unicode Technical Standard 51)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from embedclf.export.tensors.characters import code_points as points
from embedclf.export.tensors.neighbors import after, before, previous

if TYPE_CHECKING:
    from embedclf.export.tensors.operations import Operations, Tensor


class Emoji(NamedTuple):
    """Masks (characters,)."""

    members: Tensor
    """Whether each is part of an emoji."""
    joined: Tensor
    """Whether each continues the emoji that begins before it."""


def find_joiners(ops: Operations, parts: Tensor) -> tuple[Tensor, Tensor]:
    """Find characters that only mean something in an emoji.

    Args:
        ops: Of the library.
        parts: (characters,) what part of an emoji each is.

    Returns:
        (characters,) whether each is such a character, and whether it is in an emoji.
    """
    tags = parts == points.TAG
    picture = _are_pictures(previous(ops, ~tags, parts))  # a picture, or tags behind one
    in_emoji = (tags & picture) | (
        (parts == points.JOINER) & before(ops, picture) & after(ops, _are_pictures(parts))
    )
    keys = (parts == points.KEYCAP_MARK) & before(ops, parts == points.KEY)
    return parts >= points.TAG, in_emoji | keys


def find_emoji(ops: Operations, parts: Tensor) -> Emoji:
    """Find emoji in texts without joiners outside of them.

    Args:
        ops: Of the library.
        parts: (characters,) what part of an emoji each is.
    """
    flags = parts == points.FLAG
    keys = (parts == points.KEY) & after(ops, parts == points.KEYCAP_MARK)
    members = (parts >= points.PICTURE) | keys
    joined = (parts >= points.TAG) | before(ops, parts == points.JOINER)
    joined = joined | ((parts == points.TONE) & before(ops, _are_pictures(parts)))
    places = ops.range(ops.size(parts))
    letters = places - previous(ops, ~flags, places)  # from 1 in each run of flag letters
    return Emoji(members, joined | (flags & (letters % 2 == 0)))


def _are_pictures(parts: Tensor) -> Tensor:
    return (parts == points.PICTURE) | (parts == points.TONE)
