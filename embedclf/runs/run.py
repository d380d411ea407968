"""The run directory: opened and checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.config.messages import closest_match
from embedclf.errors import RunError
from embedclf.runs.history import INTERRUPTED, RowStatistics
from embedclf.system.files import draft_file
from embedclf.system.formats import CONFIG_SUFFIXES, FORMATS, table_suffix
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.model.classifier import Classifier

FORMAT = 7
"""Version of the run directory; newer ones are refused. Older versions lack:

- 6: no kept word vectors.
- 5: no token pattern but `classic`, no HTML, no fields.
- 4: no refit.
- 3: no row statistics; no n-grams at the ends of a text (an input id less per n-gram length).
- 2: no n-grams at all.
- 1: no thresholds other than 0.5, no calibration; the checksum of `metrics.json` is in `run.json`.
"""

RUNS_DIRECTORY = Path("runs")

CONFIG_FILE = "config.yaml"
MODEL_FILE = "model.keras"
TOKENIZER_FILE = "text.json"
LABELS_FILE = "labels.json"
CALIBRATION_FILE = "calibration.json"
ROW_STATISTICS_FILE = "rows.npz"
HISTORY_FILE = "history.csv"
METRICS_FILE = "metrics.json"
CROSS_VALIDATION_FILE = "cross-validation.json"
LEARNING_CURVE_FILE = "learning-curve.json"
RECORD_FILE = "run.json"

VALIDATED_DIRECTORY = "validated"
"""In a run that was refit on all rows: the classifier before the refit, which has not seen the
validation rows. Its files have the same names."""

REPORT_FILE = "report.html"
"""A page that `embedclf report` makes from the other files. Nothing reads it."""


@dataclass(frozen=True)
class Run:
    """A finished run. Reading a file compares it with its recorded SHA-256."""

    path: Path
    record: dict[str, Any]
    """Content of `run.json`."""

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run and check all of its files.

        Raises:
            RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
        """
        run = cls.read_record(path)
        for name in run.record["files"]:
            run.read(name)
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
        file = self.path / name
        content = self._read_bytes(file)
        if hashlib.sha256(content).hexdigest() != self.record["files"][name]:
            raise RunError(f"{file}: damaged: wrong SHA-256; restore it or train again")
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
        self._write_sealed(METRICS_FILE, {"decision": settings, **metrics})

    def read_addition(self, name: str) -> dict[str, Any] | None:
        """Read a file that was added after training; None if the run has none, RunError if damaged.

        Args:
            name: `CROSS_VALIDATION_FILE` or `LEARNING_CURVE_FILE`.
        """
        return self._read_sealed(name) if (self.path / name).is_file() else None

    def write_addition(self, name: str, values: dict[str, Any]) -> None:
        """Add or replace a file that `read_addition` reads.

        Raises:
            RunError: The run cannot be written to.
        """
        self._write_sealed(name, values)

    def row_statistics(self) -> RowStatistics | None:
        """Read what training measured about each row of the embedding; None before format 4."""
        if ROW_STATISTICS_FILE not in self.record["files"]:
            return None
        return RowStatistics.from_npz(self.read(ROW_STATISTICS_FILE))

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

    def validation_classifier(self) -> Classifier:
        """Load the classifier that has not seen the validation rows, to score them."""
        return self._load_classifier(VALIDATED_DIRECTORY if self.refitted else "")

    @activity("loading the classifier")
    def _load_classifier(self, directory: str = "") -> Classifier:
        # The record has forward slashes on all systems; an empty parent adds nothing.
        parent = Path(directory)
        classifier = read_classifier(
            self.record["pooling"],
            lambda name: self.read((parent / name).as_posix()),
            calibrated=(parent / CALIBRATION_FILE).as_posix() in self.record["files"],
        )
        return classifier.with_thresholds(self.threshold_settings()["thresholds"])

    def _read_metrics(self) -> dict[str, Any]:
        if METRICS_FILE in self.record["files"]:  # format 1
            content: dict[str, Any] = json.loads(self.read(METRICS_FILE))
            return content
        return self._read_sealed(METRICS_FILE)

    def _read_sealed(self, name: str) -> dict[str, Any]:
        """Read a file that may change after training, and therefore has its own checksum."""
        file = self.path / name
        try:
            content: dict[str, Any] = json.loads(self._read_bytes(file))
            checksum = content.pop("checksum", None)
        except (ValueError, AttributeError, TypeError) as error:  # not JSON, or not an object
            raise RunError(f"{file}: damaged; restore it or train again") from error
        if checksum != compute_checksum(content):
            raise RunError(f"{file}: damaged: wrong checksum; restore it or train again")
        return content

    def _write_sealed(self, name: str, values: dict[str, Any]) -> None:
        """Replace a file by a rename, so that readers see all old or all new values."""
        try:
            with draft_file(self.path / name, "w", encoding="utf-8", newline="\n") as file:
                file.write(seal_json(values))
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _read_bytes(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; restore it or train again") from error


def is_run_config(path: Path) -> bool:
    """Whether a file is the config in a run, of any format."""
    return path.name == CONFIG_FILE and (path.parent / RECORD_FILE).is_file()


def read_classifier(pooling: str, read: Callable[[str], bytes], *, calibrated: bool) -> Classifier:
    """Load the classifier from the files of a run, finished or not.

    Args:
        pooling: Pooling of the network.
        read: Reads a file by its name.
        calibrated: Whether there is a calibration file.
    """
    # Here: listing runs imports neither NumPy nor Arrow.
    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.stored_weights import read_weights
    from embedclf.text.tokenizer import Tokenizer

    return Classifier(
        Tokenizer.from_json(json.loads(read(TOKENIZER_FILE))),
        Labels.from_json(json.loads(read(LABELS_FILE))),
        read_weights(read(MODEL_FILE), pooling),
        Calibration.from_json(json.loads(read(CALIBRATION_FILE))) if calibrated else None,
    )


def seal_json(values: dict[str, Any]) -> str:
    """Return values as JSON with their checksum."""
    plain = json.loads(json.dumps(values))  # as readers see them: tuples become lists
    sealed = {**plain, "checksum": compute_checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"


def compute_checksum(values: dict[str, Any]) -> str:
    """Compute the SHA-256 of values, independent of the layout of their file."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


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
