"""64-bit hashes of texts, equal for equal tokens."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.text.tokens import Tokens

Fingerprints = npt.NDArray[np.uint64]  # (n,)

_RADIX = 0x9E3779B97F4A7C15  # odd, so that one can divide by it


def fingerprints(tokens: Tokens) -> Fingerprints:
    """Number texts (n,) so that those of equal tokens, whatever their case, have equal numbers.

    A token is a polynomial of its bytes modulo 2^64, and a text one of its tokens (Karp and Rabin,
    Efficient randomized pattern-matching algorithms, 1987), on every machine the same. Among ten
    million texts the chance that two different ones share a number is about one in 400,000.
    """
    of_tokens = token_numbers(tokens)
    offsets = np.concatenate([[0], tokens.ends])
    return _polynomials(of_tokens[tokens.codes], offsets)


def token_numbers(tokens: Tokens) -> Fingerprints:
    """Number the tokens of a dictionary (different,); those that differ only in case are alike."""
    return string_numbers(pc.utf8_lower(tokens.dictionary))


def string_numbers(strings: pa.StringArray) -> Fingerprints:
    """Number strings (n,), equal ones alike, different ones scattered over all numbers."""
    numbers = _of_strings(strings)
    numbers ^= numbers >> np.uint64(32)  # so that no byte of a token can move to another one
    numbers *= np.uint64(_RADIX)
    return numbers


def _of_strings(strings: pa.StringArray) -> Fingerprints:
    _, offsets, content = strings.buffers()
    edges = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    letters = np.frombuffer(content or b"", np.uint8)[edges[0] : edges[-1]]
    return _polynomials(letters.astype(np.uint64) + np.uint64(1), edges.astype(np.int64) - edges[0])


def _polynomials(digits: Fingerprints, offsets: npt.NDArray[np.int64]) -> Fingerprints:
    """(n,) the values of polynomials at the radix, whose coefficients stand between offsets."""
    powers, inverses = _powers(1 << len(digits).bit_length())
    sums = np.zeros(len(digits) + 1, np.uint64)
    np.cumsum(digits * powers[: len(digits)], out=sums[1:])
    starts, ends = offsets[:-1], offsets[1:]
    values: Fingerprints = (sums[ends] - sums[starts]) * inverses[starts]
    return values


@cache
def _powers(size: int) -> tuple[Fingerprints, Fingerprints]:
    """Powers of the radix and of its inverse, from 0 to `size`."""
    factors = np.array([[_RADIX], [pow(_RADIX, -1, 1 << 64)]], np.uint64)
    powers = np.repeat(factors, size + 1, axis=1)
    powers[:, 0] = 1
    powers, inverses = np.cumprod(powers, axis=1, dtype=np.uint64)
    return powers, inverses
