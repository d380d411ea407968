"""embedclf: train a text classifier on a table in seconds, in Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.estimator.runs import Run, train
    from embedclf.estimator.text_classifier import TextClassifier
    from embedclf.model.classifier import Classifier

__version__ = "0.2.0.dev0"
__all__ = ["Run", "TextClassifier", "__version__", "load", "train"]

_LAZY = {
    "Run": "embedclf.estimator.runs",
    "TextClassifier": "embedclf.estimator.text_classifier",
    "train": "embedclf.estimator.runs",
}
"""The module of each name whose import is slow, or needs scikit-learn."""


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


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'embedclf' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
