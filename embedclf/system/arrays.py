"""Array types by element; types with a shape are defined next to the code that makes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
"""Precision of networks and their weights."""
Doubles = npt.NDArray[np.float64]
"""Precision of metrics and statistics."""

Mask = npt.NDArray[np.bool_]  # (n,)
Rows = npt.NDArray[np.int64]  # (n,) positions in a table or a split
Offsets = npt.NDArray[np.int64]  # (n,) where items start or end in a longer array
Counts = npt.NDArray[np.int64]  # (n,)
