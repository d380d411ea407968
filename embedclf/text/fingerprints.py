"""64-bit fingerprints of texts: equal tokens give equal numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from embedclf.system.arrow import pc
from embedclf.system.memory.mapped_arrays import blocks

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Offsets, Rows
    from embedclf.text.tokens import Tokens

Fingerprints = npt.NDArray[np.uint64]  # (n,)

Hashes = TypeVar("Hashes", Fingerprints, npt.NDArray[np.uint32])

_RADIX = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2**64


def fingerprint_texts(tokens: Tokens, *, ignore_case: bool = True) -> Fingerprints:
    """Fingerprint texts (n,): equal for equal tokens, the same on every machine.

    A token's fingerprint is a polynomial of its bytes modulo 2**64, and a text's one of its tokens'
    (Karp and Rabin, Efficient randomized pattern-matching algorithms, 1987). Among ten million
    texts, the probability that two different ones collide is about 1 in 400,000.
    """
    of_tokens = fingerprint_tokens(tokens, ignore_case=ignore_case)
    offsets = np.concatenate([[0], tokens.ends])
    return _polynomials(of_tokens[tokens.codes], offsets)


def fingerprint_tokens(tokens: Tokens, *, ignore_case: bool = True) -> Fingerprints:
    """Fingerprint the tokens of a dictionary (distinct,)."""
    dictionary = tokens.dictionary
    return fingerprint_strings(pc.utf8_lower(dictionary) if ignore_case else dictionary)


def fingerprint_strings(strings: pa.StringArray) -> Fingerprints:
    """Fingerprint strings (n,) by their bytes; the numbers are spread over the whole range."""
    numbers = _hash_bytes(strings)
    # Mixing keeps sums of token fingerprints apart: without it a byte could move between tokens.
    numbers ^= numbers >> np.uint64(32)
    numbers *= np.uint64(_RADIX)
    return numbers


def mix(fingerprints: Fingerprints, seed: int) -> Fingerprints:
    """Return other numbers (n,) for fingerprints: uniform, and independent for each seed.

    This is the finalizer of Steele, Lea and Flood (Fast Splittable Pseudorandom Number Generators,
    2014).
    """
    mixed = fingerprints + np.uint64(seed * _RADIX % (1 << 64))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ mixed >> np.uint64(shift)) * np.uint64(factor)
    result: Fingerprints = mixed ^ mixed >> np.uint64(31)
    return result


def find_shared(numbers: Hashes, others: Hashes) -> Rows:
    """Find the positions of the numbers (n,) that also occur among others (m,); ascending.

    It is fast if few do: a table of the last bits excludes most numbers before a binary search.
    """
    others = np.unique(others)
    size = 1 << min(max(len(others).bit_length() + 4, 10), 24)
    present, last_bits = np.zeros(size, np.bool_), others.dtype.type(size - 1)
    present[others & last_bits] = True
    shared = [np.zeros(0, np.int64)]
    for block in blocks(len(numbers) if len(others) else 0):
        rows = np.flatnonzero(present[numbers[block] & last_bits])
        candidates = numbers[block][rows]
        places = np.minimum(np.searchsorted(others, candidates), len(others) - 1)
        shared.append(rows[others[places] == candidates] + block.start)
    return np.concatenate(shared)


def find_repeated(fingerprints: Fingerprints) -> Rows:
    """Find the positions of the fingerprints (n,) that occur more than once; ascending."""
    order = np.argsort(fingerprints)
    is_repeated = np.zeros(len(order), np.bool_)
    for block in blocks(len(order)):
        # Each block begins with the last position of the one before.
        positions = order[max(block.start - 1, 0) : block.stop]
        ordered = fingerprints[positions]
        is_equal = ordered[1:] == ordered[:-1]
        is_repeated[positions[1:][is_equal]] = True
        is_repeated[positions[:-1][is_equal]] = True
    return np.flatnonzero(is_repeated)


def _hash_bytes(strings: pa.StringArray) -> Fingerprints:
    _, offsets, content = strings.buffers()
    # A sliced array shares the buffers of its parent and begins at its offset.
    edges = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    digits = np.frombuffer(content or b"", np.uint8)[edges[0] : edges[-1]]
    # Digits from 1, because a digit 0 would vanish: "a" and "a\0" would be equal.
    return _polynomials(digits.astype(np.uint64) + np.uint64(1), edges.astype(np.int64) - edges[0])


def _polynomials(digits: Fingerprints, offsets: Offsets) -> Fingerprints:
    """Evaluate polynomials at the radix.

    All are evaluated in one cumulative sum; dividing by the power at a polynomial's start makes its
    value independent of its position.

    Args:
        digits: Coefficients of all polynomials, one after the other.
        offsets: (n + 1,) where each begins and the last ends.

    Returns:
        (n,) values modulo 2**64.
    """
    # Rounded up to a power of two, so the cache holds few sizes.
    powers, inverses = _powers(1 << len(digits).bit_length())
    sums = np.zeros(len(digits) + 1, np.uint64)
    # Overflow is intended: unsigned integers wrap around modulo 2**64.
    np.cumsum(digits * powers[: len(digits)], out=sums[1:])
    starts, ends = offsets[:-1], offsets[1:]
    values: Fingerprints = (sums[ends] - sums[starts]) * inverses[starts]
    return values


@cache
def _powers(size: int) -> tuple[Fingerprints, Fingerprints]:
    """Return the powers 0 to `size` of the radix and of its inverse."""
    factors = np.array([[_RADIX], [pow(_RADIX, -1, 1 << 64)]], np.uint64)
    powers = np.repeat(factors, size + 1, axis=1)
    powers[:, 0] = 1
    powers, inverses = np.cumprod(powers, axis=1, dtype=np.uint64)
    return powers, inverses
