"""Integers as planes of bytes: a column of their lowest bytes, one of the next bytes, and so on.

The upper bytes of small numbers are zero. Side by side, they compress to almost nothing. Between
lower bytes, they would cost about as much as these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.system.arrow import number_column, write_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_PLANES = 4

_TYPES = (np.uint8, np.uint16, np.uint32, np.uint32)
"""Of numbers, by the number of their planes."""


def plane_name(name: str, number: int) -> str:
    """Return the name of a column of bytes, of which 0 is the lowest."""
    return f"{name}.{number}"


def write_integers(columns: Mapping[str, npt.NDArray[np.integer]], level: int) -> bytes:
    """Return the content of an Arrow file with integers (n,), compressed without loss.

    Args:
        columns: By name; the numbers are between -2**31 and 2**31.
        level: Of Zstandard, up to 22.
    """
    planes = {name: split_planes(numbers) for name, numbers in columns.items()}
    # All lowest bytes first: each column has some
    lowest = {plane_name(name, 0): of_name[0] for name, of_name in planes.items()}
    others = {
        plane_name(name, number): plane
        for name, of_name in planes.items()
        for number, plane in enumerate(of_name[1:], start=1)
    }
    arrays = {name: number_column(plane) for name, plane in (lowest | others).items()}
    return write_columns(arrays, level)


def split_planes(numbers: npt.NDArray[np.integer]) -> list[npt.NDArray[np.uint8]]:
    """Return the bytes (n,) of numbers (n,): at least one plane, and no more than they need."""
    # The sign becomes the lowest bit, so that small negative numbers have zeros in upper bytes, too
    wide: npt.NDArray[Any] = numbers.astype(np.int64 if numbers.itemsize > 2 else np.int32)
    folded = wide << 1
    folded ^= wide >> (8 * wide.itemsize - 1)
    count = max(1, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    return [(folded >> 8 * number & 255).astype(np.uint8) for number in range(count)]


def join_planes(planes: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[Any]:
    """Return the numbers (n,) of planes (n,); int8, int16 or int32, as their count needs."""
    folded: npt.NDArray[Any] = planes[0].astype(_TYPES[len(planes) - 1])
    for number, plane in enumerate(planes[1:], start=1):
        folded |= plane.astype(folded.dtype) << 8 * number
    signs = folded & 1
    np.negative(signs, out=signs)
    folded >>= 1
    folded ^= signs
    return folded.view(f"i{folded.itemsize}")
