"""Characters in rows: all that tokens and ids depend on, for each set of equal characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from embedclf.export.tensors.code_points import BLANK, PLAIN, CodePoints, mark_orders
from embedclf.export.tensors.compositions import composed_points, find_compositions
from embedclf.export.tensors.token_hashes import TokenHashes, mix
from embedclf.system.arrow import text_column
from embedclf.text.words import ALL_CODE_POINTS, SPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.export.tensors.compositions import Composition
    from embedclf.system.arrays import Bytes, Int32s, Int64s
    from embedclf.text.tokenizer import Tokenizer

_UNKNOWN = ALL_CODE_POINTS
"""Is hashed for characters that are in no token of the vocabulary."""

_CAPITALS = slice(ord("A"), ord("Z") + 1)


@dataclass(frozen=True)
class CharacterTable:
    """What a tokenizer does with characters.

    Characters with the same effect on tokens and ids share a row. The first row is the space's.
    """

    rows: Int32s
    """(code points,) the row of each."""
    expansions: Int64s
    """(rows, 1 or more) the rows that replace each, then -1; invisible characters have none."""
    pairs: tuple[Int64s, Int64s]
    """Characters that become one: (pairs,) first row * 2**32 + second row, and its row."""
    kinds: Bytes
    """(rows,) what each is in a word or among symbols."""
    parts: Bytes
    """(rows,) what part of an emoji each is before it is composed and in lower case."""
    final_parts: Bytes
    """(rows,) what part of an emoji each is in the end."""
    values: Int64s
    """(rows,) the hash of each at the first place of a token."""
    widths: Int64s
    """(rows,) places that each takes in a token."""
    orders: Int64s
    """(rows,) the place of combining marks in canonical order, from 1, where their order counts."""

    @classmethod
    def of_tokenizer(cls, tokenizer: Tokenizer, hashes: TokenHashes) -> CharacterTable:
        """Find the rows that a tokenizer needs."""
        points = CodePoints.from_rules(tokenizer.rules)
        values, widths = _hash_characters(points, tokenizer.tokens, hashes)
        compositions = find_compositions(points)
        several = points.finals.lengths > 1
        if not hashes.composed:  # a word that contains all of it needs no more than its hash
            several &= points.has_other_than_letters
        pairs = {each for pair in compositions for each in pair[:2]}
        keys = [
            points.kinds, points.parts, points.final_parts, points.is_invisible,
            points.is_invisible_space, values, widths, _number(pairs),
            mark_orders() * hashes.composed,
            _number(np.flatnonzero(several).tolist()),
        ]  # fmt: skip
        examples, rows = _group(keys, points)
        expansions = [[row] for row in range(len(examples))]
        for row, example in enumerate(examples.tolist()):
            if points.is_invisible[example]:
                expansions[row] = []
            elif points.is_invisible_space[example]:
                expansions[row] = [0]
            elif several[example]:
                expansions[row] = rows[list(points.finals.of(example))].tolist()
        return cls(
            rows=rows,
            expansions=_to_matrix(expansions),
            pairs=_pairs(compositions, rows),
            kinds=points.kinds[examples],
            parts=points.parts[examples],
            final_parts=points.final_parts[examples],
            values=values[examples],
            widths=widths[examples],
            orders=mark_orders()[examples].astype(np.int64) * hashes.composed,
        )


def _hash_characters(
    points: CodePoints, tokens: Sequence[str], hashes: TokenHashes
) -> tuple[Int64s, Int64s]:
    """Return the hash and the width of each code point; those of no token have the same."""
    sequences = points.finals if hashes.composed else points.decomposed
    values, widths = hashes.hash_characters(sequences)
    written = "".join(tokens)
    if not hashes.composed:
        [written] = pc.utf8_normalize(text_column([written]), "NFD").to_pylist()
    is_known = np.zeros(ALL_CODE_POINTS, np.bool_)
    is_known[list(map(ord, set(written)))] = True
    known = np.logical_and.reduceat(is_known[sequences.points], sequences.starts[:-1])
    # Equal symbols count three times at most, so all symbols are distinct
    merged = ~known & points.are_of_words
    values[merged], widths[merged] = mix([_UNKNOWN]).view(np.int64)[0], 1
    blank = (points.kinds == BLANK) & (points.final_parts == PLAIN)
    values[blank], widths[blank] = 0, 1
    return values, widths


def _group(keys: Sequence[npt.NDArray[Any]], points: CodePoints) -> tuple[Int64s, Int32s]:
    """Group code points by keys (code points,).

    Returns:
        (rows,) a code point of each row, and (code points,) the row of each.
    """
    combined = np.zeros(ALL_CODE_POINTS, np.uint64)
    for key in keys:
        combined = mix(combined ^ key.astype(np.uint64))
    # What is composed or changed to lower case first has the row of what it becomes
    first = composed_points().copy()
    first[points.parts != points.parts[first]] = np.flatnonzero(points.parts != points.parts[first])
    if points.lowercase:
        first[_CAPITALS] += ord("a") - ord("A")
    _, examples, rows = np.unique(combined[first], return_index=True, return_inverse=True)
    examples = first[examples]
    space = rows[SPACE]
    examples[[0, space]] = examples[[space, 0]]
    order = np.arange(len(examples))
    order[[0, space]] = [space, 0]
    return examples, order[rows].astype(np.int32)


def _pairs(compositions: Sequence[Composition], rows: Int32s) -> tuple[Int64s, Int64s]:
    triples = rows[np.array(compositions, np.int64).reshape(-1, 3)].astype(np.int64)
    keys, places = np.unique(triples[:, 0] << 32 | triples[:, 1], return_index=True)
    return keys, triples[places, 2]


def _number(points: Sequence[int] | set[int]) -> Int32s:
    """(code points,) a number of each of some code points; 0 for all others."""
    numbers = np.zeros(ALL_CODE_POINTS, np.int32)
    numbers[list(points)] = np.arange(1, len(points) + 1)
    return numbers


def _to_matrix(lists: Sequence[Sequence[int]]) -> Int64s:
    matrix = np.full((len(lists), max(map(len, lists))), -1, np.int64)
    for row, numbers in enumerate(lists):
        matrix[row, : len(numbers)] = numbers
    return matrix
