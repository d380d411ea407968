"""The characters of strings in ONNX.

ONNX has no code points. ONNX Runtime's `Tokenizer` splits strings into strings of one character;
these are looked up.
Large groups of characters with the same effect are found by a regular expression instead, such as
letters that the vocabulary does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.onnx.nodes import INT, STRING, Graph, Node
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.system.arrays import Int64s

_MAX_LISTED = 256
"""Characters of a group up to which each is looked up."""

_FREQUENT = 0x250
"""Code points up to this are looked up: Latin letters and their symbols."""

_SURROGATES = range(0xD800, 0xE000)

_BLANK = 0
"""The row of the space."""

_NOT_LISTED = -1


def read_characters(graph: Graph, texts: Node, table: CharacterTable) -> CharacterRows:
    """Add nodes that look up the characters of texts (n,)."""
    # Without a text, `Tokenizer` does not return a matrix: one more is split, and left out
    size = graph.size(texts)
    texts = graph.add("Concat", [texts, graph.constant(np.array([""], np.object_))], STRING, axis=0)
    characters = _tokenize(graph, texts, separators=[""])  # (n + 1, longest); others end with ""
    rows = _look_up(graph, characters, table)
    space = graph.zeros(graph.add("Shape", [texts], INT))
    spaced = graph.add("Concat", [graph.reshape(space, -1, 1), rows], INT, axis=1)
    numbers = graph.add(
        "Range", [graph.constant(np.int64(0)), size + 1, graph.constant(np.int64(1))], INT
    )
    shape = graph.add("Shape", [spaced], INT)
    of_texts = graph.add("Expand", [graph.reshape(numbers, -1, 1), shape], INT)
    flat, of_texts = (graph.reshape(each, -1) for each in (spaced, of_texts))
    kept = (flat < len(table.kinds)) & (of_texts < size)
    return CharacterRows(
        *(graph.add("Compress", [each, kept], INT, axis=0) for each in (flat, of_texts))
    )


def _look_up(graph: Graph, characters: Node, table: CharacterTable) -> Node:
    """Return the row of each character (n, longest); "" has the row after the last one."""
    counts = np.bincount(table.rows, minlength=len(table.kinds))
    listed = counts[table.rows] <= _MAX_LISTED
    listed[:_FREQUENT] = True
    listed[_SURROGATES.start : _SURROGATES.stop] = False
    points = np.flatnonzero(listed)
    rows = graph.add(
        "LabelEncoder",
        [characters],
        INT,
        domain="ai.onnx.ml",
        keys_strings=["", *map(chr, points.tolist())],
        values_int64s=[len(table.kinds), *table.rows[points].tolist()],
        default_int64=_NOT_LISTED,
    )
    large = [row for row in np.flatnonzero(counts > _MAX_LISTED).tolist() if row != _BLANK]
    flat = graph.reshape(rows, -1)
    places = graph.reshape(graph.add("NonZero", [flat == _NOT_LISTED], INT), -1)
    strings = graph.add("Gather", [graph.reshape(characters, -1), places], STRING, axis=0)
    found = graph.zeros(graph.add("Shape", [places], INT))
    for row in large:
        members = np.flatnonzero(table.rows == row)
        found = found + _are_of(graph, strings, members) * row
    flat = graph.add("ScatterElements", [flat, places, found], INT, axis=0)
    shape = graph.add("Shape", [characters], INT)
    return graph.add("Reshape", [flat, shape], INT, allowzero=1)


def _are_of(graph: Graph, strings: Node, points: Int64s) -> Node:
    """Return 1 for each string (n,) that is one of some characters, else 0."""
    # The last string matches, so that there is always a column of matches
    ended = graph.constant(np.array([chr(points[0])], np.object_))
    strings = graph.add("Concat", [strings, ended], STRING, axis=0)
    matches = graph.reshape(
        _tokenize(graph, strings, tokenexp=f"[{_ranges(points.tolist())}]"), -1
    )[:-1]
    return graph.add(
        "LabelEncoder",
        [matches],
        INT,
        domain="ai.onnx.ml",
        keys_strings=[""],
        values_int64s=[0],
        default_int64=1,
    )


def _ranges(points: Iterable[int]) -> str:
    """Return a class of characters of RE2, without the brackets."""
    ranges: list[list[int]] = []
    for point in points:
        if point in _SURROGATES:
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges)


def _tokenize(graph: Graph, strings: Node, **how: Any) -> Node:
    """Split strings by `separators`, or at the matches of `tokenexp`."""
    attributes = {"mark": 0, "mincharnum": 1, "pad_value": "", **how}
    return graph.add("Tokenizer", [strings], STRING, domain="com.microsoft", **attributes)
