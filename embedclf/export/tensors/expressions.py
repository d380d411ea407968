"""Tokens that a regular expression describes, found by tensors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from embedclf.export.automata.automaton import Automaton, compile_automaton
from embedclf.export.automata.dialects import match_in_re2
from embedclf.export.automata.syntax import UnsupportedExpressionError, can_be_empty, parse
from embedclf.export.tensors.characters.code_points import BLANK
from embedclf.export.tensors.matches import Matches, are_inside, choose, find_matches
from embedclf.export.tensors.neighbors import before
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import Operations, Tensor


class SplitTexts(NamedTuple):
    """The characters of tokens alone."""

    characters: CharacterRows
    begins: Tensor
    """(characters,) whether each is the first of a token."""


@cache
def expression_automaton(pattern: str) -> Automaton:
    """Compile `text.token_pattern`, once per process.

    Raises:
        UnsupportedExpressionError: No automaton finds the same; the message names the item.
    """
    node = parse(pattern)
    if can_be_empty(node):
        raise UnsupportedExpressionError("it can match nothing")
    return compile_automaton([node], match_in_re2)


def split_matches(
    ops: Operations, characters: CharacterRows, table: CharacterTable, pattern: str
) -> SplitTexts:
    """Split texts into matches, as `embedclf.text.tokens.split_matches` does.

    White space at the ends of a match is no part of the token; inside, it becomes one space.
    """
    matches = _find(ops, characters, table, pattern)
    size = ops.size(characters.rows)
    ones = matches.starts * 0 + 1
    starts = ops.scatter(size, matches.starts, ones)
    is_space = ops.gather(ops.constant(table.kinds == BLANK), characters.rows)
    kept = are_inside(ops, matches, size) & (~is_space | ~before(ops, is_space) | (starts > 0))
    columns = ops.where(is_space, 0, characters.rows), characters.texts, ops.cumulate(starts)
    rows, texts, numbers = (ops.compress(each, kept) for each in columns)
    begins = numbers != ops.shift(numbers, 1, 0)
    ends = numbers != ops.shift(numbers, -1, 0)
    kept = ~(ops.compress(is_space, kept) & (begins | ends))
    rows, texts, numbers = (ops.compress(each, kept) for each in (rows, texts, numbers))
    return SplitTexts(CharacterRows(rows, texts), numbers != ops.shift(numbers, 1, 0))


def separate_matches(
    ops: Operations, characters: CharacterRows, table: CharacterTable, pattern: str
) -> CharacterRows:
    """Put a space behind each match, and in place of each character that is in none."""
    matches = _find(ops, characters, table, pattern)
    size = ops.size(characters.rows)
    rows = ops.where(are_inside(ops, matches, size), characters.rows, 0)
    ones = matches.starts * 0 + 1
    ended = ops.cumulate(ops.scatter(size + 1, matches.ends, ones))[:-1]  # up to each place
    places = ops.range(size) + ended
    spaces = matches.ends + ops.range(ops.size(matches.ends))
    texts = ops.concatenate([characters.texts, ops.gather(characters.texts, matches.starts)])
    total = size + ops.size(matches.ends)
    return CharacterRows(
        ops.scatter(total, places, rows),
        ops.scatter(total, ops.concatenate([places, spaces]), texts),
    )


def _find(
    ops: Operations, characters: CharacterRows, table: CharacterTable, pattern: str
) -> Matches:
    """Find matches from left to right."""
    found = find_matches(ops, characters, expression_automaton(pattern), table.final_points)
    return choose(ops, found, ops.size(characters.rows))
