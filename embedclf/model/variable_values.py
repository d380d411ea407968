"""Copies of the values of TensorFlow's variables, without a second copy for the moment."""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from embedclf.model.backend import tf
from embedclf.model.optimizers import StepVariable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

_BLOCK_NUMBERS = 1 << 20
"""Numbers that are copied at a time: 4 MiB. TensorFlow copies what it reads of a variable whose
rows were updated, so that reading all of an embedding would take its memory twice."""


def copy_value(variable: Any) -> npt.NDArray[Any]:
    """Copy the value of a variable."""
    value: npt.NDArray[Any] = np.empty(variable.shape, variable.dtype.as_numpy_dtype)
    for rows, block in _read_blocks(variable):
        value[rows] = block
    return value


def save_value(file: Any, variable: Any) -> None:
    """Write the value of a variable as `np.save` writes an array.

    Args:
        file: Has a method `write`.
        variable: A variable.
    """
    dtype = np.dtype(variable.dtype.as_numpy_dtype)
    header = {"descr": dtype.str, "fortran_order": False, "shape": tuple(variable.shape)}
    np.lib.format.write_array_header_1_0(file, header)
    for _, block in _read_blocks(variable):
        file.write(np.ascontiguousarray(block).data)


def assign_value(variable: Any, value: npt.NDArray[Any]) -> None:
    """Give a variable a value of its shape."""
    for rows in _row_blocks(variable):
        _assign_rows(variable, rows, value[rows])


def gather_rows(variable: Any, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
    """Return some rows of a variable."""
    values: npt.NDArray[Any] = _step_variable(variable).gather(rows.astype(np.int32)).numpy()
    return values


def scatter_rows(variable: Any, rows: npt.NDArray[np.integer], values: npt.NDArray[Any]) -> None:
    """Give some rows of a variable new values; each row occurs once."""
    _step_variable(variable).scatter(rows.astype(np.int32), values)


def write_variables(file: IO[bytes], variables: Sequence[Any]) -> None:
    """Write the values of variables to the beginning of a file."""
    file.seek(0)
    for variable in variables:
        for _, block in _read_blocks(variable):
            file.write(np.ascontiguousarray(block).data)


def read_variables(file: IO[bytes], variables: Sequence[Any]) -> None:
    """Give variables the values that `write_variables` has written."""
    file.seek(0)
    for variable in variables:
        dtype = np.dtype(variable.dtype.as_numpy_dtype)
        for rows in _row_blocks(variable):
            shape = (rows.stop - rows.start, *variable.shape[1:])
            content = file.read(math.prod(shape) * dtype.itemsize)
            _assign_rows(variable, rows, np.frombuffer(content, dtype).reshape(shape))


def _read_blocks(variable: Any) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    for rows in _row_blocks(variable):
        if rows.stop - rows.start == variable.shape[0]:
            yield rows, variable.numpy()
        else:
            yield rows, _step_variable(variable).gather(tf.range(rows.start, rows.stop)).numpy()


def _assign_rows(variable: Any, rows: slice, values: npt.NDArray[Any]) -> None:
    if len(values) == variable.shape[0]:
        variable.assign(values)
    else:
        indices = tf.range(rows.start, rows.stop)
        _step_variable(variable).scatter(indices, tf.constant(values))


def _row_blocks(variable: Any) -> Iterator[slice]:
    """Yield ranges of rows; a small variable has a single one."""
    count = variable.shape[0]
    step = max(1, _BLOCK_NUMBERS // math.prod(variable.shape[1:]))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _step_variable(variable: Any) -> StepVariable:
    return StepVariable(variable.handle, tuple(variable.shape))
