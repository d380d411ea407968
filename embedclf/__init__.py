"""embedclf: a text classifier from a CSV in seconds, in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.model.classifier import Classifier

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(run: str | Path) -> Classifier:
    """Load the classifier of a run: `embedclf.load("runs/reviews-1").predict_proba(texts)`.

    Args:
        run: The run's folder.

    Raises:
        RunError: There is no run, or it is damaged, foreign or newer.
    """
    from pathlib import Path

    from embedclf.runs.run import Run

    return Run.open(Path(run)).classifier()
