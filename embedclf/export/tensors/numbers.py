"""Numbers of fields, read by tensors and compared with the edges of bins.

A number is compared by its decimal digits. An edge is a float64, and a cell is above it if the
float64 next to the cell is: from the middle between the edge and the next float64.
"""

from __future__ import annotations

import math
import sys
import unicodedata
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.export.automata.automaton import Automaton, compile_automaton
from embedclf.export.automata.dialects import match_in_python
from embedclf.export.automata.syntax import parse
from embedclf.text.words import ALL_CODE_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.system.arrays import Int32s, Int64s

_NUMBER = r"[+\-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+\-]?\d+)?(?!\S)"
"""What `float` reads, up to white space or the end, without `1_000`, `nan` and `inf`."""

_POINT, _EXPONENT, _MINUS, _OTHER = range(10, 14)
"""What characters are in a number; digits are 0 to 9."""

_WIDTH = 64
"""Characters of a cell that are read; a longer one is no number."""

_HALF = 9
"""Digits of half of a number's 18 digits: ONNX Runtime sums integers as float64."""

_LARGE = 1 << 20
"""An exponent that no float64 has."""


@cache
def number_automaton() -> Automaton:
    """Finds numbers that are all of a cell."""
    return compile_automaton([parse(_NUMBER)], match_in_python)


@cache
def number_alphabet() -> Int32s:
    """(code points,) a number of each; equal ones have the same role in all numbers."""
    return number_automaton().classes * (_OTHER + 1) + _roles()


@cache
def _roles() -> Int32s:
    roles = np.full(ALL_CODE_POINTS, _OTHER, np.int32)
    for point in np.flatnonzero(match_in_python(r"\d")).tolist():
        roles[point] = unicodedata.decimal(chr(point))
    for written, role in ((".", _POINT), ("e", _EXPONENT), ("E", _EXPONENT), ("-", _MINUS)):
        roles[ord(written)] = role
    return roles


class _Decimals(NamedTuple):
    """Decimal numbers, each (n,) or (n, 1)."""

    is_negative: Tensor
    exponents: Tensor
    """Of the first digit that is not 0."""
    digits: Tensor
    """The first 18 digits from there on; 0 for the number 0."""
    has_more: Tensor
    """Whether other digits follow that are not 0."""


def find_bins(
    ops: Operations,
    rows: Tensor,
    starts: Tensor,
    ends: Tensor,
    edges: Sequence[float],
    examples: Int64s,
) -> tuple[Tensor, Tensor]:
    """Find the bin of each number.

    Args:
        ops: Of the library.
        rows: (characters,) of texts.
        starts: (n,) where numbers start.
        ends: (n,) where each ends.
        edges: Ascending; the largest number of each bin but the last.
        examples: (rows,) a code point of each row.

    Returns:
        (n,) the number of the bin, and whether there is one: the number is finite.
    """
    numbers = _read(ops, rows, starts, ends, examples)
    thresholds = [_above_minus_infinity(), *map(_above_edge, edges), _infinity()]
    above = _are_above(ops, numbers, thresholds)
    counts = ops.sum(ops.to_integers(above), 1)
    is_short = ends - starts <= _WIDTH
    return counts - 1, (counts > 0) & (counts < len(thresholds)) & is_short


def _read(
    ops: Operations, rows: Tensor, starts: Tensor, ends: Tensor, examples: Int64s
) -> _Decimals:
    """Read numbers (n,)."""
    columns = ops.constant(np.arange(_WIDTH)[None, :])
    lengths = ops.reshape(ends - starts, -1, 1)
    places = ops.smaller(ops.reshape(starts, -1, 1) + columns, ops.size(rows) - 1)
    roles = ops.constant(_roles()[examples].astype(np.int64))
    written = ops.gather(roles, ops.gather(rows, places))  # (n, width)
    written = ops.where(columns < lengths, written, _OTHER)

    def first(mask: Tensor) -> Tensor:
        """Return the first column where a mask is true, the width if there is none, (n, 1)."""
        found = ops.to_integers(mask) * (columns * -1 + _WIDTH)
        return ops.reshape(ops.largest(found, 1), -1, 1) * -1 + _WIDTH

    exponent = ops.smaller(first(written == _EXPONENT), lengths)
    point = ops.smaller(first(written == _POINT), exponent)
    is_digit = written < _POINT
    in_mantissa = columns < exponent
    significant = first(is_digit & in_mantissa & (written > 0))
    is_before = ops.to_integers((point > significant) & (columns > point))
    ranks = columns - significant - is_before
    counts = is_digit & in_mantissa & (ranks >= 0)
    digits = ops.where(counts, written, 0)
    halves = []
    for half in range(2):
        places_left = ranks * -1 + (half + 1) * _HALF - 1
        weights = _powers(ops, places_left, _HALF)
        inside = (places_left >= 0) & (places_left < _HALF)
        halves.append(ops.sum(ops.where(inside, digits * weights, 0), 1, keep=True))
    has_more = ops.sum(ops.where(ranks >= 2 * _HALF, digits, 0), 1, keep=True) > 0
    behind = is_digit & (columns > exponent)
    weights = _powers(ops, lengths - columns - 1, 7)
    size = ops.sum(ops.where(behind, written * weights, 0), 1, keep=True)
    is_minus = written == _MINUS
    of_exponent = ops.sum(ops.to_integers(is_minus & (columns > exponent)), 1, keep=True)
    shift = point - significant - ops.to_integers(point > significant)
    exponents = shift + size - size * of_exponent * 2
    value = halves[0] * 10**_HALF + halves[1]
    return _Decimals(
        ops.reshape(is_minus[:, 0], -1, 1) & (value > 0),
        ops.where(value > 0, exponents, -_LARGE),
        value,
        has_more,
    )


def _powers(ops: Operations, exponents: Tensor, count: int) -> Tensor:
    """Return powers of ten, which end at a largest one."""
    powers = ops.constant(10 ** np.arange(count))
    return ops.gather(powers, ops.smaller(ops.larger(exponents, 0), count - 1))


class _Threshold(NamedTuple):
    """From where numbers are above something."""

    value: Fraction
    included: bool
    """Whether the value itself is above."""


def _above_edge(edge: float) -> _Threshold:
    """Return from where a decimal number becomes a float64 above an edge."""
    following = math.nextafter(edge, math.inf)
    middle = (Fraction(edge) + Fraction(following)) / 2
    return _Threshold(middle, float(middle) > edge)


def _infinity() -> _Threshold:
    """Return from where a decimal number becomes infinite."""
    largest = Fraction(sys.float_info.max)
    half_step = Fraction(math.ulp(sys.float_info.max)) / 2
    return _Threshold(largest + half_step, included=True)


def _above_minus_infinity() -> _Threshold:
    return _Threshold(-_infinity().value, included=False)


def _are_above(ops: Operations, numbers: _Decimals, thresholds: Sequence[_Threshold]) -> Tensor:
    """Return whether numbers (n,) are above thresholds, (n, thresholds)."""
    written = [_write(abs(each.value)) for each in thresholds]
    exponents, digits, has_more = (
        ops.constant(np.array([each])) for each in zip(*written, strict=True)
    )
    is_negative = ops.constant(np.array([[each.value < 0 for each in thresholds]]))
    included = ops.constant(np.array([[each.included for each in thresholds]]))
    same_power = numbers.exponents == exponents
    same = same_power & (numbers.digits == digits)
    larger = (numbers.exponents > exponents) | (same_power & (numbers.digits > digits))
    larger = larger | (same & numbers.has_more & ~has_more)
    equal = same & ~numbers.has_more & ~has_more
    beyond = (is_negative & ~larger & ~equal) | (~is_negative & larger) | (equal & included)
    same_sign = numbers.is_negative == is_negative
    return (same_sign & beyond) | (is_negative & ~numbers.is_negative)


def _write(value: Fraction) -> tuple[int, int, bool]:
    """Return the exponent of the first digit, 18 digits from there, and whether others follow."""
    if not value:
        return -_LARGE, 0, False
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    while value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while value < Fraction(10) ** exponent:
        exponent -= 1
    digits = value / Fraction(10) ** (exponent - 2 * _HALF + 1)
    return exponent, int(digits), digits != int(digits)
