"""Arrays in temporary files that are mapped into memory, for numbers of each row of a table."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from embedclf.system.memory.mapping import map_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Counts, Mask

Number = TypeVar("Number", bound=np.generic)

NewFile = Callable[[], IO[bytes]]
"""Creates a temporary file."""

_MIN_BYTES = 1 << 19
"""Smaller arrays stay in memory."""

_NUMBERS_AT_ONCE = 1 << 18


class ArrayFile:
    """Numbers of one type that are added block by block; if they are many, in a file."""

    def __init__(self, dtype: npt.DTypeLike, new_file: NewFile = TemporaryFile) -> None:
        """Start without numbers; the file is created once it is needed."""
        self._dtype, self._new_file = np.dtype(dtype), new_file
        self._blocks: list[npt.NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        self._count = self._written = 0

    def __len__(self) -> int:
        return self._count

    def append(self, numbers: npt.NDArray[Any]) -> None:
        """Add the next numbers (n,)."""
        self._blocks.append(np.ascontiguousarray(numbers, self._dtype))
        self._count += len(numbers)
        if (self._count - self._written) * self._dtype.itemsize >= _MIN_BYTES:
            self._write()

    def map(self, *, writable: bool = False) -> npt.NDArray[Any]:
        """Return all numbers, mapped if they are many; after that, no more can be added.

        Args:
            writable: Whether the numbers can be changed. The array then keeps a descriptor.
        """
        if self._file is None:
            return np.concatenate([np.zeros(0, self._dtype), *self._blocks])
        self._write()
        with self._file as file:
            file.flush()
            content = mmap.mmap(file.fileno(), 0) if writable else map_file(file)
        # A plain array, because parts of an `np.memmap` are slow to take.
        return np.frombuffer(content, self._dtype)

    def _write(self) -> None:
        if self._file is None:
            self._file = self._new_file()
        for block in self._blocks:
            self._file.write(block.data)
        self._blocks, self._written = [], self._count


def take(values: npt.NDArray[Number], indices: npt.NDArray[np.integer]) -> npt.NDArray[Number]:
    """Return `values[indices]` (n,), mapped if it is large."""
    if len(indices) * values.itemsize < _MIN_BYTES:
        taken: npt.NDArray[Number] = values[indices]
        return taken
    file = ArrayFile(values.dtype)
    for block in blocks(len(indices)):
        file.append(values[indices[block]])
    return file.map()


def compress(values: npt.NDArray[Number], mask: Mask) -> npt.NDArray[Number]:
    """Return `values[mask]`, mapped if `values` (n,) are large."""
    if values.nbytes < _MIN_BYTES:
        return values[mask]
    file = ArrayFile(values.dtype)
    for block in blocks(len(values)):
        file.append(values[block][mask[block]])
    return file.map()


def positions_of(mask: Mask) -> npt.NDArray[np.int64]:
    """Return where a mask (n,) is true, mapped if it is large."""
    if len(mask) < _NUMBERS_AT_ONCE:
        return np.flatnonzero(mask)
    file = ArrayFile(np.int64)
    for block in blocks(len(mask)):
        file.append(np.flatnonzero(mask[block]) + block.start)
    return file.map()


def permutation(count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return what `rng.permutation(count)` does, mapped if it is large."""
    if count < _NUMBERS_AT_ONCE:
        return rng.permutation(count)
    file = ArrayFile(np.int64)
    for block in blocks(count):
        file.append(np.arange(block.start, block.stop))
    order = file.map(writable=True)
    rng.shuffle(order)
    return order


def count_numbers(numbers: npt.NDArray[np.integer], size: int) -> Counts:
    """(size,) count how often each number from 0 to `size` - 1 occurs; no other may occur."""
    counts = np.zeros(size, np.int64)
    # In blocks, because `np.bincount` copies its argument to int64.
    for block in blocks(len(numbers)):
        counts += np.bincount(numbers[block], minlength=size)
    return counts


def blocks(count: int) -> Iterator[slice]:
    """Yield slices that divide `count` numbers into blocks."""
    for start in range(0, count, _NUMBERS_AT_ONCE):
        yield slice(start, min(start + _NUMBERS_AT_ONCE, count))
