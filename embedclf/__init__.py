"""embedclf: train a text classifier on a table in seconds, in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.model.classifier import Classifier

__version__ = "0.2.0.dev0"
__all__ = ["__version__", "load"]


def load(run: str | Path) -> Classifier:
    """Load the classifier of a run: `embedclf.load("runs/reviews-1").predict_proba(texts)`.

    Args:
        run: The run: its path, or its name in `./runs`.

    Raises:
        RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
    """
    from pathlib import Path

    from embedclf.runs.run import Run
    from embedclf.runs.selection import locate_run

    return Run.open(locate_run(Path(run))).classifier()
