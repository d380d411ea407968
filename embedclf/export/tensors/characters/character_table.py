"""Characters in rows: all that tokens and ids depend on, for each set of equal characters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.export.tensors.characters.code_points import (
    BLANK,
    PLAIN,
    CodePoints,
    mark_orders,
)
from embedclf.export.tensors.characters.compositions import composed_points, find_compositions
from embedclf.export.tensors.expressions import expression_automaton
from embedclf.export.tensors.markup.automata import markup_alphabet
from embedclf.export.tensors.numbers import number_alphabet
from embedclf.export.tensors.token_hashes import CharacterHashes, TokenHashes, mix
from embedclf.system.arrow import pc, text_column
from embedclf.system.fields import field_name
from embedclf.text.tokens import MATCH_END, is_space
from embedclf.text.words import ALL_CODE_POINTS, SPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.export.tensors.characters.code_points import Sequences
    from embedclf.export.tensors.characters.compositions import Composition
    from embedclf.system.arrays import Bytes, Int32s, Int64s, Mask
    from embedclf.text.tokenizer import Tokenizer

_UNKNOWN = ALL_CODE_POINTS
"""Is hashed for characters that are in no token of the vocabulary."""

PAGE = 256
"""Code points of a page of the table of rows."""

_CAPITALS = slice(ord("A"), ord("Z") + 1)


@dataclass(frozen=True)
class CharacterTable:
    """What a tokenizer does with characters.

    Characters with the same effect on tokens and ids share a row. The first row is the space's.
    """

    rows: Int32s
    """(code points,) the row of each."""
    examples: Int64s
    """(rows,) a code point of each row."""
    final_points: Int64s
    """(rows,) the code point that a regular expression reads for it, once it is normalized."""
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
    hashes: CharacterHashes
    """(rows,) each; what they add to the hash of a token."""
    orders: Int64s
    """(rows,) the place of combining marks in canonical order, from 1; 0 for others."""
    composed: bool
    """Whether what is composed is one token."""
    spaces: Mask
    """(rows,) whether each is white space; for texts with fields only."""
    cells: CharacterHashes
    """(rows,) each; what they add to the hash of a cell; for texts with fields only."""

    @classmethod
    def of_tokenizer(
        cls, tokenizer: Tokenizer, hashes: TokenHashes, cell_hashes: TokenHashes | None = None
    ) -> CharacterTable:
        """Find the rows that a tokenizer needs.

        Args:
            tokenizer: The tokenizer.
            hashes: Of its tokens.
            cell_hashes: Of the cells of fields; None if it has no fields.
        """
        points = CodePoints.from_rules(tokenizer.rules)
        hashed = _hash_characters(points, tokenizer.tokens, hashes)
        compositions = find_compositions(points)
        several = points.finals.lengths > 1
        if not hashes.composed:  # a word that contains all of it needs no more than its hash
            several &= points.has_other_than_letters
        pairs = {each for pair in compositions for each in pair[:2]}
        keys = [
            points.kinds, points.parts, points.final_parts, points.is_invisible,
            points.is_invisible_space, *hashed, _number(pairs),
            _number(np.flatnonzero(several).tolist()), mark_orders(),
        ]  # fmt: skip
        final_points = _final_points(points)
        if points.is_expression:
            keys.append(expression_automaton(points.pattern).classes[final_points])
        cells = hashed
        if cell_hashes is not None:
            cells = _hash_cells(points, tokenizer, cell_hashes)
            keys += [is_space(), cells.values, cells.widths]
        grouped = _group(keys, _originals(tokenizer), points)
        rows, examples, finals = grouped.rows, grouped.becoming, grouped.finals[grouped.rows]
        expansions = [[row] for row in grouped.finals.tolist()]
        for row, example in enumerate(examples.tolist()):
            if points.is_invisible[example]:
                expansions[row] = []
            elif points.is_invisible_space[example]:
                expansions[row] = [0]
            elif several[example]:
                expansions[row] = finals[list(points.finals.of(example))].tolist()
        return cls(
            rows=rows,
            examples=grouped.examples,
            final_points=final_points[examples],
            expansions=_to_matrix(expansions),
            pairs=_pairs(compositions, finals),
            kinds=points.kinds[examples],
            parts=points.parts[examples],
            final_parts=points.final_parts[examples],
            hashes=CharacterHashes(*(each[examples] for each in hashed)),
            orders=mark_orders()[examples].astype(np.int64),
            composed=hashes.composed,
            spaces=is_space()[examples],
            cells=CharacterHashes(*(each[examples] for each in cells)),
        )

    @cached_property
    def pages(self) -> tuple[Int64s, Int64s]:
        """`rows` in pages, most of which are equal to another one.

        The rows of all distinct pages, and the page of each `PAGE` code points.
        """
        pages, of_points = np.unique(self.rows.reshape(-1, PAGE), axis=0, return_inverse=True)
        return pages.reshape(-1).astype(np.int64), of_points.reshape(-1).astype(np.int64)


def _hash_characters(
    points: CodePoints, tokens: Sequence[str], hashes: TokenHashes
) -> CharacterHashes:
    """Return the hash of each code point; those of no token have the same."""
    sequences = points.finals if hashes.composed else points.decomposed
    hashed = hashes.hash_characters(sequences)
    known = _are_known(sequences, tokens, hashes)
    # Equal symbols count three times at most, so all symbols are distinct
    merged = ~known & points.are_of_words
    hashed = _merge(hashed, merged, mix([_UNKNOWN]).view(np.int64)[0])
    blank = (points.kinds == BLANK) & (points.final_parts == PLAIN)
    # A match of an expression can have spaces inside
    of_blank = hashes.hash_tokens([" "])[0] if points.is_expression else np.int64(0)
    return _merge(hashed, blank, of_blank)


def _hash_cells(points: CodePoints, tokenizer: Tokenizer, hashes: TokenHashes) -> CharacterHashes:
    """Return the hash of each code point in a cell."""
    hashed = hashes.hash_characters(points.decomposed)
    names = tuple(f"{field_name(column)}=" for column in tokenizer.rules.fields)
    tokens = [token for token in tokenizer.tokens if token.startswith(names)]
    unknown = ~_are_known(points.decomposed, tokens, hashes)
    return _merge(hashed, unknown, mix([_UNKNOWN]).view(np.int64)[0])


def _final_points(points: CodePoints) -> Int64s:
    """(code points,) what an expression reads; the separator of matches is a space before."""
    final = points.single_finals.astype(np.int64)
    final[final == ord(MATCH_END)] = SPACE
    return final


def _originals(tokenizer: Tokenizer) -> list[Int32s]:
    """Return the numbers of code points that are read before texts are normalized."""
    originals = []
    if tokenizer.rules.html:
        originals.append(markup_alphabet())
    if tokenizer.rules.fields:
        names = "".join(map(field_name, tokenizer.rules.fields)) + "="
        originals.append(_number(set(map(ord, names))))
    if tokenizer.numeric_fields:
        originals.append(number_alphabet())
    return originals


def _merge(hashed: CharacterHashes, mask: Mask, value: np.int64) -> CharacterHashes:
    """Return the same hashes with one value for the code points where a mask is true."""
    others = (value, np.int64(1), np.int64(0), np.int64(0))
    pairs: Iterable[tuple[np.int64, Int64s]] = zip(others, hashed, strict=True)
    return CharacterHashes(*(np.where(mask, other, each) for other, each in pairs))


def _are_known(sequences: Sequences, tokens: Sequence[str], hashes: TokenHashes) -> Mask:
    """Return whether all code points of each sequence are in tokens, (code points,)."""
    written = "".join(tokens)
    if not hashes.composed:
        [written] = pc.utf8_normalize(text_column([written]), "NFD").to_pylist()
    is_known = np.zeros(ALL_CODE_POINTS, np.bool_)
    is_known[list(map(ord, set(written)))] = True
    known: Mask = np.logical_and.reduceat(is_known[sequences.points], sequences.starts[:-1])
    return known


class _Groups(NamedTuple):
    """Code points in groups, which are rows."""

    rows: Int32s
    """(code points,) the row of each."""
    examples: Int64s
    """(rows,) a code point of each."""
    becoming: Int64s
    """(rows,) what these are composed or changed to before anything else."""
    finals: Int64s
    """(rows,) the row that stands for all that become the same."""


def _group(
    keys: Sequence[npt.NDArray[Any]], originals: Sequence[npt.NDArray[Any]], points: CodePoints
) -> _Groups:
    """Group code points.

    Args:
        keys: (code points,) each; of what a code point becomes.
        originals: (code points,) each; of the code point itself.
        points: All code points.
    """
    # What is composed or changed to lower case first has the row of what it becomes
    first = composed_points().copy()
    first[points.parts != points.parts[first]] = np.flatnonzero(points.parts != points.parts[first])
    if points.lowercase:
        first[_CAPITALS] += ord("a") - ord("A")
    becoming = _combine(np.zeros(ALL_CODE_POINTS, np.uint64), [key[first] for key in keys])
    _, examples, rows = np.unique(
        _combine(becoming, originals), return_index=True, return_inverse=True
    )
    space = rows[SPACE]
    examples[[0, space]] = examples[[space, 0]]
    examples[0] = SPACE
    order = np.arange(len(examples))
    order[[0, space]] = [space, 0]
    # Of the rows that become the same, the first one; that of the space is the first of all
    _, firsts, groups = np.unique(becoming[examples], return_index=True, return_inverse=True)
    return _Groups(order[rows].astype(np.int32), examples, first[examples], firsts[groups])


def _combine(
    numbers: npt.NDArray[np.uint64], columns: Sequence[npt.NDArray[Any]]
) -> npt.NDArray[np.uint64]:
    """Return a number (code points,) for each combination of values."""
    for column in columns:
        numbers = mix(numbers ^ column.astype(np.uint64))
    return numbers


def _pairs(compositions: Sequence[Composition], rows: Int64s) -> tuple[Int64s, Int64s]:
    triples = rows[np.array(compositions, np.int64).reshape(-1, 3)]
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
