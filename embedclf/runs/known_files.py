"""The files of a run, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.errors import RunError
from embedclf.runs.classifier_files import (
    CALIBRATION_FILE,
    CLASSIFIER_FILES,
    EMBEDDING_FILE,
    KERNELS_FILE,
    LABELS_FILE,
    MODEL_FILE,
    NGRAM_KEYS_FILE,
    TOKENIZER_FILE,
    TOKENS_FILE,
    WEIGHTS_FILE,
)
from embedclf.runs.validated import LOGITS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CONFIG_FILE = "config.yaml"
ROW_STATISTICS_FILE = "rows.arrow"
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"
CROSS_VALIDATION_FILE = "cross-validation.json"
LEARNING_CURVE_FILE = "learning-curve.json"

NPZ_STATISTICS_FILE = "rows.npz"
"""Before format 8."""

VALIDATED_DIRECTORY = "validated"
"""In a run that was refit on all rows: files of the classifier before the refit, which has not seen
the validation rows. Before format 8, these are all files of a classifier."""

REPORT_FILE = "report.html"
"""A page that `embedclf report` makes from the other files. Nothing reads it."""

_ALWAYS_REQUIRED = frozenset({CONFIG_FILE, HISTORY_FILE, TOKENIZER_FILE, LABELS_FILE})

REQUIRED_FILES = _ALWAYS_REQUIRED | {MODEL_FILE}
"""Files that the record of every run but a compact one names, with their SHA-256."""

KNOWN_FILES = REQUIRED_FILES.union(
    {METRICS_FILE, ROW_STATISTICS_FILE, NPZ_STATISTICS_FILE},
    CLASSIFIER_FILES,
    (f"{VALIDATED_DIRECTORY}/{name}" for name in (*CLASSIFIER_FILES, LOGITS_FILE)),
)
"""Files that these records may name. No other file of a run is read, wherever its name leads."""

REQUIRED_COMPACT_FILES = _ALWAYS_REQUIRED | {
    EMBEDDING_FILE,
    KERNELS_FILE,
    WEIGHTS_FILE,
    TOKENS_FILE,
}
"""Files that the record of every compact run names."""

KNOWN_COMPACT_FILES = REQUIRED_COMPACT_FILES | {NGRAM_KEYS_FILE, CALIBRATION_FILE}
"""Files that the record of a compact run may name."""


def require_known_files(names: Iterable[str], record: Path, *, is_compact: bool) -> None:
    """Refuse a record that names other files than a run has, or lacks one that all runs have.

    Raises:
        RunError: It does.
    """
    known = KNOWN_COMPACT_FILES if is_compact else KNOWN_FILES
    required = REQUIRED_COMPACT_FILES if is_compact else REQUIRED_FILES
    unknown = set(names) - known
    if unknown:
        raise RunError(f"{record}: names a file that no run has: {min(unknown)}; train again")
    missing = required.difference(names)
    if missing:
        raise RunError(f"{record}: names no {min(missing)}; restore it or train again")
