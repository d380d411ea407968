"""Array types by element; an array type with a shape of its own is named where it is made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
"""What networks learn and score with."""
Doubles = npt.NDArray[np.float64]
"""What metrics and statistics are computed in."""

Mask = npt.NDArray[np.bool_]  # (n,)
Rows = npt.NDArray[np.int64]  # (n,) positions in a table or a split
Offsets = npt.NDArray[np.int64]  # (n,) where items start or end in a longer array
Counts = npt.NDArray[np.int64]  # (n,)
