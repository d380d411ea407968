"""Epochs (history.csv) and row statistics (rows.arrow) of a training."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.system.terminal import format_count, format_duration

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from embedclf.system.arrays import Counts, Floats

INTERRUPTED = "interrupted"
"""Stop reason of a training that was interrupted by Ctrl-C."""

CHOSEN = "cross_validation"
"""Stop reason of a training whose number of epochs cross-validation has chosen."""

STOP_REASONS = {
    CHOSEN: "as many as cross-validation of the training rows chose",
    "all_epochs": "finished all epochs",
    "early_stopping": "stopped early",
    INTERRUPTED: "interrupted by Ctrl-C",
}
"""Why a training ended, by the value in run.json."""


@dataclass(frozen=True)
class Resumed:
    """Event: a training resumes from a checkpoint."""

    epochs: int
    """Finished before; 0 if there was no checkpoint that could be used."""
    damaged: bool = False
    """Whether there was one that could not."""


@dataclass(frozen=True)
class RefitStarted:
    """Event: training starts again, on training and validation rows."""

    rows: int
    epochs: int


@dataclass(frozen=True)
class Step:
    """Event: progress within an epoch."""

    epoch: int
    epochs: int
    """Maximum epochs of this training."""
    rows: int
    """Rows done in this epoch."""
    total_rows: int
    """Rows of an epoch."""
    loss: float
    """Mean over the rows of this epoch so far, one block late. Before the first block, the loss of
    the previous epoch, or NaN if there is none."""
    seconds: float
    """Since this epoch started."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows. Losses are means over rows, scores between 0 and 1.

    A refit has no validation rows; its validation loss and score are NaN.
    """

    epoch: int
    """Counts from 1."""
    seconds: float
    rows_per_second: float
    loss: float
    score: float
    val_loss: float
    val_score: float


@dataclass(frozen=True)
class History:
    """All finished epochs of a training."""

    epochs: tuple[Epoch, ...]
    score_name: str
    """Name of the metric behind the scores."""
    best_epoch: int
    """The epoch of lowest validation loss, whose weights were kept."""
    stop_reason: str
    """A key of `STOP_REASONS`."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C stopped the training."""
        return self.stop_reason == INTERRUPTED

    def to_frame(self) -> pd.DataFrame:
        """Return a row per epoch; score columns have the name of the metric."""
        import pandas as pd

        names = [field.name for field in fields(Epoch)]
        frame = pd.DataFrame([asdict(epoch) for epoch in self.epochs], columns=names)
        return frame.rename(columns=self._column)

    def to_csv(self) -> str:
        """Return the same table as CSV, the content of `history.csv`."""
        names = [self._column(field.name) for field in fields(Epoch)]
        rows = [[format(value, ".6g") for value in astuple(epoch)] for epoch in self.epochs]
        return "".join(",".join(row) + "\n" for row in [names, *rows])

    def _column(self, name: str) -> str:
        return name.replace("score", self.score_name) if name.endswith("score") else name


def read_epochs(table: bytes, file: Path | str) -> tuple[Epoch, ...]:
    """Read the epochs from the content of `history.csv`.

    Raises:
        RunError: It is damaged.
    """
    try:
        # Columns by position, not name
        rows = [line.split(",") for line in table.decode().splitlines()[1:]]
        return tuple(Epoch(int(epoch), *map(float, others)) for epoch, *others in rows)
    except (TypeError, ValueError) as error:
        raise RunError(f"{file}: damaged; restore it or train again") from error


def describe_training(record: dict[str, Any]) -> str:
    """Describe how many epochs a run took, why it ended, and its best epoch."""
    epochs, best = record["epochs"], record["best_epoch"]
    reason = STOP_REASONS[record["ended"]]
    if record["ended"] == "early_stopping":
        reason += f": no improvement for {format_count(epochs - best, 'epoch')}"
    duration = format_duration(record["seconds"]["fit"])
    described = f"{format_count(epochs, 'epoch')} in {duration}; {reason}"
    return described if record["ended"] == CHOSEN else f"{described}; best epoch: {best}"


@dataclass(frozen=True)
class RowStatistics:
    """What training measured about each row of the embedding."""

    counts: Counts
    """(vocabulary_rows,) how often training reads each id; 0 for padding."""
    row_learning_rates: Floats | None
    """(vocabulary_rows,) factors of each row's initial vector and of its updates; None: all 1."""

    def to_arrow(self) -> bytes:
        """Return the content of `rows.arrow`."""
        import numpy as np  # here: commands that list runs do without NumPy

        from embedclf.system.arrow import number_column, write_columns

        smallest = np.min_scalar_type(self.counts.max(initial=0))
        columns = {"count": number_column(self.counts.astype(smallest))}
        if self.row_learning_rates is not None:
            columns["learning_rate"] = number_column(self.row_learning_rates)
        return write_columns(columns)

    @classmethod
    def from_arrow(cls, content: memoryview, file: Path | str) -> RowStatistics:
        """Read the content of `rows.arrow`; RunError if it is damaged."""
        import numpy as np

        from embedclf.runs.contents.arrays import read_numbers

        counts, *rates = read_numbers(content, file, "count", factors="learning_rate")
        return cls(counts.astype(np.int64), rates[0] if rates else None)

    @classmethod
    def from_npz(cls, content: memoryview, file: Path | str) -> RowStatistics:
        """Read the content of `rows.npz`, which the formats 4 to 7 have instead."""
        from embedclf.runs.contents.arrays import read_archive

        arrays = read_archive(content, file, {"counts"}, {"counts", "paces"})
        return cls(arrays["counts"], arrays.get("paces"))
