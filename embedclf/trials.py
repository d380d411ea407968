"""A trial of a study, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.space import Settings


@dataclass(frozen=True)
class Trial:
    """A trial as the study keeps it."""

    number: int
    """From 1, in the order of beginning."""
    state: str
    """complete, pruned, failed, running or given up; the last are not counted."""
    settings: Settings
    score: float | None = None
    """By the metric of the study, on validation rows; None unless complete."""
    loss: float | None = None
    """The lowest validation loss of its epochs."""
    seconds: float = 0.0
    epochs: int = 0
    scores: dict[str, float | None] | None = None
    """All that was measured."""
    reason: str = ""
    """What a failed one failed of."""

    @property
    def counts(self) -> bool:
        """Whether it is finished, one way or another."""
        return self.state in {"complete", "pruned", "failed"}
