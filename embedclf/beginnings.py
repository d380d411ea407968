"""Beginnings: what training knew of each row of the embedding before it learned, kept in a run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from embedclf.parts import Counts
    from embedclf.weights import Floats


@dataclass(frozen=True)
class Beginnings:
    """How often each row was there, and by what its steps were multiplied."""

    counts: Counts
    """(rows,) how often training read each token and n-gram; padding counts as none."""
    paces: Floats | None
    """(rows,) what each row by chance, and its steps, were multiplied by; None is 1 for all."""

    def to_npz(self) -> bytes:
        """The content of a file of a run."""
        columns: dict[str, Any] = {"counts": self.counts}
        if self.paces is not None:
            columns["paces"] = self.paces
        sink = io.BytesIO()
        np.savez(sink, **columns)
        return sink.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> Beginnings:
        """What `to_npz` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as columns:
            return cls(columns["counts"], columns.get("paces"))
