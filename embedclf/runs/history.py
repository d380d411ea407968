"""Epochs (history.csv) and row statistics (rows.npz) of a training."""

from __future__ import annotations

import io
from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from embedclf.system.arrays import Counts, Floats

INTERRUPTED = "interrupted"
"""What ended a training that Ctrl-C ended."""

ENDS = {
    "all_epochs": "all epochs done",
    "early_stopping": "the validation loss got no better",
    INTERRUPTED: "interrupted by Ctrl-C",
}
"""What ended a training, in words."""


@dataclass(frozen=True)
class Resumed:
    """A training that goes on."""

    epochs: int
    """Finished before; 0 where there was nothing to resume."""


@dataclass(frozen=True)
class RefitStarted:
    """A training anew, on all rows."""

    rows: int
    epochs: int


@dataclass(frozen=True)
class Step:
    """A moment within an epoch."""

    epoch: int
    epochs: int
    """The most there will be."""
    rows: int
    """Rows done in this epoch."""
    of_rows: int
    loss: float
    """Mean over the rows of this epoch that are counted, which are a block behind; before any are,
    that of the epoch before, and NaN where there is none."""
    seconds: float
    """Since this epoch began."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows; losses are means a row, scores between 0 and 1.

    In a refit, which holds no rows out, those of validation are NaN.
    """

    epoch: int
    """Counts from 1."""
    seconds: float
    rows_per_second: float
    loss: float
    score: float
    val_loss: float
    val_score: float

    def logs(self) -> dict[str, float]:
        """Losses and scores, as Keras's callbacks name them."""
        names = ("loss", "score", "val_loss", "val_score")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class History:
    """All finished epochs, and what ended the training."""

    epochs: tuple[Epoch, ...]
    score_name: str
    """What the scores are."""
    best_epoch: int
    """The epoch of lowest validation loss, whose weights were kept."""
    ended: str
    """all_epochs, early_stopping or interrupted."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training."""
        return self.ended == INTERRUPTED

    def frame(self) -> pd.DataFrame:
        """A row an epoch; scores are named by what they are."""
        import pandas as pd

        names = [field.name for field in fields(Epoch)]
        frame = pd.DataFrame([asdict(epoch) for epoch in self.epochs], columns=names)
        return frame.rename(columns=self._renamed)

    def to_csv(self) -> str:
        """The table as CSV text."""
        names = [self._renamed(field.name) for field in fields(Epoch)]
        rows = [[format(value, ".6g") for value in astuple(epoch)] for epoch in self.epochs]
        return "".join(",".join(row) + "\n" for row in [names, *rows])

    def _renamed(self, name: str) -> str:
        return name.replace("score", self.score_name) if name.endswith("score") else name


def read_epochs(table: str) -> tuple[Epoch, ...]:
    """The epochs of a table that `History.to_csv` wrote."""
    rows = [line.split(",") for line in table.splitlines()[1:]]
    return tuple(Epoch(int(epoch), *map(float, others)) for epoch, *others in rows)


def ended(record: dict[str, Any]) -> str:
    """How many epochs a run took, what ended them and which was kept, in words."""
    return (
        f"{epochs(record['epochs'])} in {record['seconds']['fit']:.1f} s: "
        f"{ENDS[record['ended']]}; epoch {record['best_epoch']} kept"
    )


def epochs(count: int) -> str:
    """So many epochs: `1 epoch`, `2 epochs`."""
    return f"{count} epoch" if count == 1 else f"{count} epochs"


@dataclass(frozen=True)
class RowStatistics:
    """How often each row was there, and by what its steps were multiplied."""

    counts: Counts
    """(rows,) how often training read each token and n-gram; padding counts as none."""
    row_learning_rates: Floats | None
    """(rows,) what each row by chance, and its steps, were multiplied by; None is 1 for all."""

    def to_npz(self) -> bytes:
        """The content of a file of a run."""
        columns: dict[str, Any] = {"counts": self.counts}
        if self.row_learning_rates is not None:
            columns["paces"] = self.row_learning_rates
        sink = io.BytesIO()
        np.savez(sink, **columns)
        return sink.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> RowStatistics:
        """What `to_npz` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as columns:
            return cls(columns["counts"], columns.get("paces"))
