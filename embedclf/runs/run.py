"""The run directory: opened and checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.config.messages import closest_match
from embedclf.errors import RunError
from embedclf.runs.classifier_files import read_classifier
from embedclf.runs.history import INTERRUPTED, RowStatistics
from embedclf.runs.sealed_json import compute_checksum, read_error, read_sealed, write_sealed
from embedclf.runs.validated import LOGITS_FILE, ValidatedRows
from embedclf.system.files import map_file
from embedclf.system.formats import CONFIG_SUFFIXES, FORMATS, table_suffix
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.model.classifier import Classifier

FORMAT = 8
"""Version of the run directory; newer ones are refused. Older versions lack:

- 7: nothing, but other files have the tokens, n-grams and row statistics, and a refit keeps the
  network before it instead of its logits.
- 6: no kept word vectors.
- 5: no token pattern but `classic`, no HTML, no fields.
- 4: no refit.
- 3: no row statistics; no n-grams at the ends of a text (an input id less per n-gram length).
- 2: no n-grams at all.
- 1: no thresholds other than 0.5, no calibration; the checksum of `metrics.json` is in `run.json`.
"""

RUNS_DIRECTORY = Path("runs")

CONFIG_FILE = "config.yaml"
ROW_STATISTICS_FILE = "rows.arrow"
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"
CROSS_VALIDATION_FILE = "cross-validation.json"
LEARNING_CURVE_FILE = "learning-curve.json"
RECORD_FILE = "run.json"

_NPZ_STATISTICS_FILE = "rows.npz"
"""Before format 8."""

VALIDATED_DIRECTORY = "validated"
"""In a run that was refit on all rows: files of the classifier before the refit, which has not seen
the validation rows. Before format 8, these are all files of a classifier."""

REPORT_FILE = "report.html"
"""A page that `embedclf report` makes from the other files. Nothing reads it."""


@dataclass(frozen=True)
class Run:
    """A finished run. Reading a file compares it with its recorded SHA-256."""

    path: Path
    record: dict[str, Any]
    """Content of `run.json`."""
    _checked: dict[str, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)
    """By name of a file: its state when its SHA-256 was compared."""

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run and check all of its files.

        Raises:
            RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
        """
        run = cls.read_record(path)
        for name in run.record["files"]:
            run.map(name)
        run.metrics()  # only format 1 lists it in `files`
        return run

    @classmethod
    def read_record(cls, path: Path) -> Run:
        """Open a run and check `run.json` only, which is fast.

        Raises:
            RunError: As for `open`.
        """
        file = path / RECORD_FILE
        _require_run(path)
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            run_format = record["format"]
        except (ValueError, KeyError, TypeError, OSError) as error:  # TypeError: not an object
            raise RunError(f"{file}: damaged, or not a run of embedclf; train again") from error
        # Before the checksum, which a newer version may compute in another way.
        if run_format not in range(1, FORMAT + 1):
            raise RunError(
                f"{path}: run format {run_format} is not supported (only 1 to {FORMAT}); upgrade "
                "embedclf, or train again"
            )
        # The left side is evaluated first, so the checksum is that of the record without it.
        if record.pop("checksum", None) != compute_checksum(record):
            raise RunError(f"{file}: damaged: wrong checksum; restore it or train again")
        return cls(path, record)

    def read(self, name: str) -> bytes:
        """Read a file of the run.

        Raises:
            RunError: The file is missing, or differs from what was written.
        """
        return bytes(self.map(name))

    def map(self, name: str) -> memoryview:
        """Map a file of the run into memory, as `read`, for files of which not all is needed.

        All of it is read once, to compare its SHA-256; then only if the file was written again.
        """
        file = self.path / name
        try:
            content, state = map_file(file)
        except OSError as error:
            raise read_error(file, error) from error
        if self._checked.get(name) != state:
            if hashlib.sha256(content).hexdigest() != self.record["files"][name]:
                raise RunError(f"{file}: damaged: wrong SHA-256; restore it or train again")
            self._checked[name] = state
        return content

    def config(self) -> Config:
        """Load the config, with all defaults and absolute paths."""
        from embedclf.config.loading import load_config

        self.read(CONFIG_FILE)  # checks its SHA-256
        return load_config(self.path / CONFIG_FILE)

    def metrics(self) -> dict[str, Any]:
        """Read the scores by split: `validation`, and `test` if there was a test table."""
        sealed = self._read_metrics()
        return {split: sealed[split] for split in ("validation", "test") if split in sealed}

    def threshold_settings(self) -> dict[str, Any]:
        """Read the current `rule` for thresholds, and the resulting `thresholds`."""
        # Format 1 stores none; they are 0.5.
        settings: dict[str, Any] = self._read_metrics().get(
            "decision", {"rule": 0.5, "thresholds": []}
        )
        return settings

    def update_thresholds(self, settings: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Replace the thresholds and the scores that depend on them.

        Both are in one file that is replaced by a rename, so readers see all old or all new values.

        Args:
            settings: As `threshold_settings` returns them.
            metrics: As `metrics` returns them.

        Raises:
            RunError: The run is of format 1, or cannot be written to.
        """
        if METRICS_FILE in self.record["files"]:
            # The checksum of the file is in run.json, which is never rewritten.
            raise RunError(f"{self.path}: format 1 has a fixed threshold; train again to set one")
        write_sealed(self.path / METRICS_FILE, {"decision": settings, **metrics})

    def read_addition(self, name: str) -> dict[str, Any] | None:
        """Read a file that was added after training; None if the run has none, RunError if damaged.

        Args:
            name: `CROSS_VALIDATION_FILE` or `LEARNING_CURVE_FILE`.
        """
        file = self.path / name
        return read_sealed(file) if file.is_file() else None

    def write_addition(self, name: str, values: dict[str, Any]) -> None:
        """Add or replace a file that `read_addition` reads.

        Raises:
            RunError: The run cannot be written to.
        """
        write_sealed(self.path / name, values)

    def row_statistics(self) -> RowStatistics | None:
        """Read what training measured about each row of the embedding; None before format 4."""
        if ROW_STATISTICS_FILE in self.record["files"]:
            return RowStatistics.from_arrow(self.map(ROW_STATISTICS_FILE))
        if _NPZ_STATISTICS_FILE in self.record["files"]:
            return RowStatistics.from_npz(self.read(_NPZ_STATISTICS_FILE))
        return None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C stopped the training or its refit."""
        missing = self.record.get("refit", {}).get("missing")
        return INTERRUPTED in (self.record["ended"], missing)

    @property
    def refitted(self) -> bool:
        """Whether the classifier was trained on the validation rows as well."""
        return self.record.get("refit", {}).get("rows") is not None

    @property
    def start(self) -> dict[str, Any] | None:
        """What is recorded of the run that the training continued from; None if there is none."""
        return self.record.get("from")

    @property
    def trained_tables(self) -> list[dict[str, Any]]:
        """Path, SHA-256 and rows of the tables that this run and those before it trained on."""
        splits = self.record["data"]
        train = splits["train"]
        # Held-out rows are of the same table, and a refit trains on them, too.
        rows = sum(each["rows"] for each in splits.values() if each["sha256"] == train["sha256"])
        table = {"path": train["path"], "sha256": train["sha256"], "rows": rows}
        return [*(self.start or {}).get("tables", []), table]

    def classifier(self) -> Classifier:
        """Load the classifier, without TensorFlow."""
        return self._load_classifier()

    def validated_rows(self) -> ValidatedRows | None:
        """Read how the network before a refit scored the validation rows.

        None without a refit, and before format 8.
        """
        read, names = self._files(VALIDATED_DIRECTORY)
        if LOGITS_FILE not in names:
            return None
        validated = ValidatedRows.read(read, names)
        return validated.with_thresholds(self.threshold_settings()["thresholds"])

    def validation_classifier(self) -> Classifier:
        """Load the classifier that has not seen the validation rows, if it is stored."""
        return self._load_classifier(VALIDATED_DIRECTORY if self.refitted else "")

    @activity("loading the classifier")
    def _load_classifier(self, directory: str = "") -> Classifier:
        classifier = read_classifier(self.record["pooling"], *self._files(directory))
        return classifier.with_thresholds(self.threshold_settings()["thresholds"])

    def _files(self, directory: str) -> tuple[Callable[[str], memoryview], set[str]]:
        """Return a function that maps a file in a directory of the run, and the names of all."""
        # The record has forward slashes on all systems
        prefix = f"{directory}/" if directory else ""
        names = [name for name in self.record["files"] if name.startswith(prefix)]
        return lambda name: self.map(prefix + name), {name[len(prefix) :] for name in names}

    def _read_metrics(self) -> dict[str, Any]:
        if METRICS_FILE in self.record["files"]:  # format 1
            content: dict[str, Any] = json.loads(self.read(METRICS_FILE))
            return content
        return read_sealed(self.path / METRICS_FILE)


def is_run_config(path: Path) -> bool:
    """Whether a file is the config in a run, of any format."""
    return path.name == CONFIG_FILE and (path.parent / RECORD_FILE).is_file()


def _require_run(path: Path) -> None:
    """Check that a path is a directory with a record.

    Raises:
        RunError: It is not.
    """
    if path.is_file():
        raise RunError(_describe_file(path))
    if not path.is_dir():
        names = [file.parent.name for file in RUNS_DIRECTORY.glob(f"*/{RECORD_FILE}")]
        close = closest_match(path.name, names)
        hint = f"did you mean {close}? " if close else ""
        raise RunError(f"{path}: no such run; {hint}`embedclf runs` lists them")
    if not (path / RECORD_FILE).is_file():
        runs = sorted(path.glob(f"*/{RECORD_FILE}"))
        if runs:
            raise RunError(f"{path}: a folder of runs; name one of them: {runs[-1].parent}")
        raise RunError(f"{path}: not a run: it has no {RECORD_FILE}")


def _describe_file(path: Path) -> str:
    """Return the message for a file where a run is expected."""
    if (path.parent / RECORD_FILE).is_file():
        return f"{path}: a file of a run; name its folder: {path.parent}"
    if table_suffix(path) in FORMATS:
        return f"{path}: a table, not a run; to score a run on it, write --data {path}"
    if path.suffix.lower() in CONFIG_SUFFIXES:
        return f"{path}: a config, not a run; train it with `embedclf train {path}`"
    return f"{path}: a file, not a run; `embedclf runs` lists the runs"
