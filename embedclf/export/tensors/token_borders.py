"""Where the tokens of texts begin, and which characters belong to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from embedclf.config.token_patterns import WORDS, WORDS_AND_SYMBOLS
from embedclf.export.tensors.characters import code_points as kinds
from embedclf.export.tensors.emoji import find_emoji
from embedclf.export.tensors.neighbors import after, around, before, previous

if TYPE_CHECKING:
    from embedclf.export.tensors.emoji import Emoji
    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.text.token_rules import TokenRules


class Borders(NamedTuple):
    """Masks (characters,)."""

    kept: Tensor
    """Whether each belongs to a token."""
    begins: Tensor
    """Whether each is the first of a token."""


def find_borders(
    ops: Operations, kind: Tensor, parts: Tensor, values: Tensor, rules: TokenRules
) -> Borders:
    """Find the tokens of texts, which begin with a space each.

    Args:
        ops: Of the library.
        kind: (characters,) of each, one of `code_points`.
        parts: (characters,) what part of an emoji each is.
        values: (characters,) numbers that are equal for equal characters.
        rules: Of the tokens.
    """
    emoji = find_emoji(ops, parts)
    if rules.unit == "character" and rules.pattern != WORDS:
        kept = kind != kinds.BLANK
        if rules.is_expression:  # its matches can be parts of an emoji, which have lost the others
            blank = ops.to_integers(~kept)
            kept = kept & ~(emoji.joined & (previous(ops, ~emoji.joined, blank) == 1))
        return Borders(kept, kept & ~emoji.joined)
    if rules.pattern == WORDS_AND_SYMBOLS:
        kept, borders = _words_and_symbols(ops, kind, emoji, values)
    else:
        kept, borders = _words(ops, kind, emoji), None
    if rules.unit == "character":
        return Borders(kept, kept & ~emoji.joined)
    starts = ~before(ops, kept) | (emoji.members & ~emoji.joined)
    starts = starts | (before(ops, emoji.members) & ~emoji.members)
    if borders is not None:
        starts = starts | borders
    return Borders(kept, kept & starts)


def _words(ops: Operations, kind: Tensor, emoji: Emoji) -> Tensor:
    """Return which characters are of words and emoji; apostrophes only inside of words."""
    letters = (kind == kinds.LETTER) & ~emoji.members
    return letters | _inner_apostrophes(ops, kind, letters) | emoji.members


def _inner_apostrophes(ops: Operations, kind: Tensor, letters: Tensor) -> Tensor:
    """Return which apostrophes have a letter before and after their run."""
    apostrophes = kind == kinds.APOSTROPHE
    left, right = around(ops, ~apostrophes, ops.to_integers(letters))
    return apostrophes & (left == 1) & (right == 1)


def _words_and_symbols(
    ops: Operations, kind: Tensor, emoji: Emoji, values: Tensor
) -> tuple[Tensor, Tensor]:
    """Return which characters are of tokens, and before which of them a token ends.

    The steps are those of `embedclf.text.symbols`.
    """
    symbols = (kind >= kinds.OTHER_SYMBOL) & ~emoji.members
    letters = (kind > kinds.BLANK) & (kind <= kinds.THREE) & ~emoji.members
    inner = _inner_apostrophes(ops, kind, letters)
    mouths = _mouths(ops, kind, letters) & letters
    symbols = (symbols & ~inner) | mouths
    letters = (letters & ~mouths) | inner
    endings = symbols & (kind == kinds.ENDING)
    continues = symbols & before(ops, symbols) & ~_differ(ops, endings)
    same = continues & (ops.shift(values, 1, 0) == values)
    present = symbols & ~(same & before(ops, same) & before(ops, same, 2))
    begins = present & (~before(ops, present) | _differ(ops, endings))
    ends = present & ~after(ops, present & ~begins)
    alone = (kind >= kinds.LONE_MARK) & (kind <= kinds.APOSTROPHE)
    present = present & ~(begins & ends & alone)
    begins, ends = begins & present, ends & present
    # C++ and C#, but not a+b
    _, word_follows = around(ops, ~(present & endings), ops.to_integers(letters))
    attached = begins & endings & before(ops, letters) & (word_follows == 0)
    return letters | present | emoji.members, (begins & ~attached) | before(ops, ends)


def _mouths(ops: Operations, kind: Tensor, letters: Tensor) -> Tensor:
    """Return which letters and digits end an emoticon."""
    eyes = (kind == kinds.LONE_EYES) | (kind == kinds.EYES)
    noses = (kind == kinds.DASH) | (kind == kinds.APOSTROPHE)
    face = before(ops, eyes) | (before(ops, noses) & before(ops, eyes, 2))
    mouths = (kind == kinds.MOUTH) & face
    mouths = mouths | ((kind == kinds.THREE) & before(ops, kind == kinds.LESS))
    # In `:do` and `:d'oh`, the letter begins a word
    return mouths & ~after(ops, letters | (kind == kinds.APOSTROPHE))


def _differ(ops: Operations, mask: Tensor) -> Tensor:
    """Return whether a mask (n,) differs from that of the place before."""
    return mask != before(ops, mask)
