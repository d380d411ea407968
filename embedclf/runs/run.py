"""The run directory: opened, checked, listed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.history import INTERRUPTED, RowStatistics
from embedclf.system.files import DRAFT_PREFIX, draft_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.model.classifier import Classifier

FORMAT = 5
"""Version of the run directory; newer ones are refused. What older versions lack:

- 4: no refit.
- 3: no n-grams with the beginning or end of a text, so `model.keras` has one input id less for each
  n-gram length; no row statistics.
- 2: no n-grams at all.
- 1: no thresholds other than 0.5, no calibration; `metrics.json` is not sealed by a checksum of its
  own but listed in `run.json`.
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
RECORD_FILE = "run.json"

VALIDATED_DIRECTORY = "validated"
"""In a run that was refitted on all rows: the classifier before the refit, which has not seen the
validation rows. Its files have the same names."""

REPORT_FILE = "report.html"
"""A page made from the other files on demand. Nothing reads it; it may be deleted."""


@dataclass(frozen=True)
class Run:
    """A finished run. Each file is compared with its recorded SHA-256 when it is read."""

    path: Path
    record: dict[str, Any]
    """Content of `run.json`."""

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run and check all of its files.

        Raises:
            RunError: There is no run, or it is damaged, not embedclf's, or of a newer format.
        """
        run = cls.read_record(path)
        for name in run.record["files"]:
            run.read(name)
        run.metrics()  # not listed in `files`, except by format 1
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
            raise RunError(f"{file}: damaged, or not embedclf's; train again") from error
        # before the checksum, which a newer version may compute in another way
        if run_format not in range(1, FORMAT + 1):
            raise RunError(
                f"{path}: a run of format {run_format}, this embedclf reads 1 to {FORMAT}; "
                "use the version that wrote it, or train again"
            )
        # The left side is evaluated first, so the checksum is of the record without itself
        if record.pop("checksum", None) != compute_checksum(record):
            raise RunError(f"{file}: damaged: its checksum does not fit; restore it or train again")
        return cls(path, record)

    def read(self, name: str) -> bytes:
        """Read a file of the run.

        Raises:
            RunError: The file is missing, or differs from what was written.
        """
        file = self.path / name
        content = self._read_bytes(file)
        if hashlib.sha256(content).hexdigest() != self.record["files"][name]:
            raise RunError(f"{file}: damaged: its SHA-256 is not the recorded one; train again")
        return content

    def config(self) -> Config:
        """Load the config, with all defaults and absolute paths."""
        from embedclf.config.loading import load_config

        self.read(CONFIG_FILE)  # checks it
        return load_config(self.path / CONFIG_FILE)

    def metrics(self) -> dict[str, Any]:
        """Read the scores by split: `validation`, and `test` if there was a test table."""
        sealed = self._read_metrics()
        return {split: sealed[split] for split in ("validation", "test") if split in sealed}

    def threshold_settings(self) -> dict[str, Any]:
        """Read the current `rule` for thresholds, and the `thresholds` that it led to."""
        # Format 1 stores none: 0.5 for each output
        settings: dict[str, Any] = self._read_metrics().get(
            "decision", {"rule": 0.5, "thresholds": []}
        )
        return settings

    def update_thresholds(self, settings: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Replace the thresholds, and the scores that depend on them.

        Both are in one file, which is replaced by a rename: a reader sees the old or the new ones.

        Args:
            settings: As `threshold_settings` returns them.
            metrics: As `metrics` returns them.

        Raises:
            RunError: The run is of format 1, or cannot be written to.
        """
        if METRICS_FILE in self.record["files"]:
            # The checksum of the file is in run.json, which is never rewritten
            raise RunError(f"{self.path}: a run of format 1 keeps its threshold; train again")
        try:
            with draft_file(self.path / METRICS_FILE, "w", encoding="utf-8", newline="\n") as file:
                file.write(seal_json({"decision": settings, **metrics}))
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from error

    def row_statistics(self) -> RowStatistics | None:
        """Read what training knew about each row of the embedding; None before format 4."""
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
        """Whether the classifier was trained on the validation rows, too."""
        return self.record.get("refit", {}).get("rows") is not None

    def classifier(self) -> Classifier:
        """Load the classifier, without TensorFlow."""
        return self._load_classifier()

    def validation_classifier(self) -> Classifier:
        """Load the classifier that has not seen the validation rows: the one to score them with."""
        return self._load_classifier(VALIDATED_DIRECTORY if self.refitted else "")

    def _load_classifier(self, directory: str = "") -> Classifier:
        # The record has forward slashes on any system; an empty parent adds nothing to a name
        parent = Path(directory)
        classifier = read_classifier(
            self.record["pooling"],
            lambda name: self.read((parent / name).as_posix()),
            calibrated=(parent / CALIBRATION_FILE).as_posix() in self.record["files"],
        )
        return classifier.with_thresholds(self.threshold_settings()["thresholds"])

    def _read_metrics(self) -> dict[str, Any]:
        """Read `metrics.json`.

        It is the one file that may change after training, so it has a checksum of its own in place
        of one in `run.json`.
        """
        if METRICS_FILE in self.record["files"]:  # format 1
            content: dict[str, Any] = json.loads(self.read(METRICS_FILE))
            return content
        file = self.path / METRICS_FILE
        try:
            content = json.loads(self._read_bytes(file))
            checksum = content.pop("checksum", None)
        except (ValueError, AttributeError, TypeError) as error:  # no JSON, or no object
            raise RunError(f"{file}: damaged; restore it or train again") from error
        if checksum != compute_checksum(content):
            raise RunError(f"{file}: damaged: its checksum does not fit; restore it or train again")
        return content

    def _read_bytes(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; restore it or train again") from error


def read_classifier(pooling: str, read: Callable[[str], bytes], *, calibrated: bool) -> Classifier:
    """Load the classifier from the files of a run, or of one that is being written.

    Args:
        pooling: Pooling of the network.
        read: Reads a file by its name.
        calibrated: Whether there is a calibration file.
    """
    # Here, so that listing runs imports neither NumPy nor Arrow
    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.weights import read_weights
    from embedclf.text.tokenizer import Tokenizer

    return Classifier(
        Tokenizer.from_json(json.loads(read(TOKENIZER_FILE))),
        Labels.from_json(json.loads(read(LABELS_FILE))),
        read_weights(read(MODEL_FILE), pooling),
        Calibration.from_json(json.loads(read(CALIBRATION_FILE))) if calibrated else None,
    )


def find_runs(root: Path = RUNS_DIRECTORY) -> tuple[list[Run], list[RunError]]:
    """Find the runs in a directory, oldest first, and the errors of those that cannot be read."""
    runs, errors = [], []
    for file in sorted(root.glob(f"*/{RECORD_FILE}")):
        if file.parent.name.startswith(DRAFT_PREFIX):
            continue  # another process is writing it
        try:
            run = Run.read_record(file.parent)
            run.metrics()
        except RunError as error:
            errors.append(error)
        else:
            runs.append(run)
    # ISO 8601 in UTC, so that strings sort by time
    return sorted(runs, key=lambda run: str(run.record["created"])), errors


def open_newest() -> tuple[Run, list[RunError]]:
    """Open the newest run in `./runs` that is intact, and return the errors of others there.

    Raises:
        RunError: There is none.
    """
    runs, errors = find_runs()
    # `find_runs` has read only some files, so the newest run may still turn out damaged
    for run in reversed(runs):
        try:
            return Run.open(run.path), errors
        except RunError as error:
            errors.append(error)
    if errors:
        raise errors[-1]
    raise RunError(
        f"{RUNS_DIRECTORY}: no runs here; `embedclf train` makes one, --run names another"
    )


def seal_json(values: dict[str, Any]) -> str:
    """Return values as JSON that includes their own checksum."""
    plain = json.loads(json.dumps(values))  # as a reader will see them: lists for tuples
    sealed = {**plain, "checksum": compute_checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"


def compute_checksum(values: dict[str, Any]) -> str:
    """Compute the SHA-256 of values as canonical JSON, whatever the layout of their file."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _require_run(path: Path) -> None:
    """Check that a path is a directory with a record.

    Raises:
        RunError: It is not.
    """
    if not path.is_dir():
        candidate = RUNS_DIRECTORY / path.name
        hint = (
            f"did you mean {candidate}?"
            if candidate.is_dir()
            else "`embedclf runs` lists those here"
        )
        raise RunError(f"{path}: no such run; {hint}")
    if not (path / RECORD_FILE).is_file():
        raise RunError(f"{path}: not a run: it has no {RECORD_FILE}")
