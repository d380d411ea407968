"""The run directory: opened and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embedclf.errors import RequestError, RunError
from embedclf.runs.classifier_files import ClassifierFiles, read_classifier, read_labels
from embedclf.runs.contents.record import RunRecord
from embedclf.runs.contents.scores import Decision, MetricsFile
from embedclf.runs.contents.values import convert, damaged
from embedclf.runs.known_files import (
    CONFIG_FILE,
    HISTORY_FILE,
    METRICS_FILE,
    NPZ_STATISTICS_FILE,
    ROW_STATISTICS_FILE,
    VALIDATED_DIRECTORY,
    require_known_files,
)
from embedclf.runs.locations import RECORD_FILE, require_run
from embedclf.runs.sealed_json import (
    parse_object,
    read_error,
    read_object,
    read_sealed,
    unseal,
    write_sealed,
)
from embedclf.runs.validated import LOGITS_FILE, ValidatedRows
from embedclf.system.files import map_file
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Classifier
    from embedclf.runs.history import Epoch, RowStatistics

FORMAT = 8
"""Version of the run directory that training writes. Older versions lack:

- 7: nothing, but other files have the tokens, n-grams and row statistics, and a refit keeps the
  network before it instead of its logits.
- 6: no kept word vectors.
- 5: no token pattern but `classic`, no HTML, no fields.
- 4: no refit.
- 3: no row statistics; no n-grams at the ends of a text (an input id less per n-gram length).
- 2: no n-grams at all.
- 1: no thresholds other than 0.5, no calibration; the checksum of `metrics.json` is in `run.json`.
"""

COMPACT_FORMAT = 9
"""Version of compact runs, which earlier versions of embedclf cannot read. Newer ones are refused.
"""


@dataclass(frozen=True)
class Run:
    """A finished run. Reading a file compares it with its recorded SHA-256."""

    path: Path
    record: dict[str, Any] = field(repr=False)
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
        require_run(path)
        content = read_object(file)
        run_format = content.get("format")
        if not isinstance(run_format, int):
            raise damaged(file)
        # Before the checksum, which a newer version may compute in another way.
        if run_format not in range(1, COMPACT_FORMAT + 1):
            raise RunError(
                f"{path}: run format {run_format} is not supported (only 1 to {COMPACT_FORMAT}); "
                "upgrade embedclf, or train again"
            )
        unseal(content, file)
        convert(content, RunRecord, file)
        require_known_files(content["files"], file, is_compact=run_format == COMPACT_FORMAT)
        return cls(path, content)

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
        sealed: Mapping[str, Any] = self._read_metrics()
        return {split: sealed[split] for split in ("validation", "test") if split in sealed}

    def threshold_settings(self) -> dict[str, Any]:
        """Read the current `rule` for thresholds, and the resulting `thresholds`."""
        # Format 1 stores none; they are 0.5.
        half: Decision = {"rule": 0.5, "thresholds": []}
        settings = self._read_metrics().get("decision", half)
        if len(settings["thresholds"]) not in (0, _outputs(self.record)):
            file = self.path / METRICS_FILE
            raise RunError(
                f"{file}: damaged: wrong number of thresholds; restore it or train again"
            )
        return dict(settings)

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

    def read_addition(self, name: str, kind: Any = dict) -> dict[str, Any] | None:
        """Read a file that was added after training; None if the run has none, RunError if damaged.

        Args:
            name: `CROSS_VALIDATION_FILE` or `LEARNING_CURVE_FILE`.
            kind: What it must hold, a type of `embedclf.runs.contents.scores`.
        """
        file = self.path / name
        added: dict[str, Any] | None = read_sealed(file, kind) if file.is_file() else None
        return added

    def write_addition(self, name: str, values: dict[str, Any]) -> None:
        """Add or replace a file that `read_addition` reads.

        Raises:
            RunError: The run cannot be written to.
        """
        write_sealed(self.path / name, values)

    def row_statistics(self) -> RowStatistics | None:
        """Read what training measured about each row of the embedding; None before format 4."""
        from embedclf.runs.history import RowStatistics  # predicting does without it

        if ROW_STATISTICS_FILE in self.record["files"]:
            file = self.path / ROW_STATISTICS_FILE
            return RowStatistics.from_arrow(self.map(ROW_STATISTICS_FILE), file)
        if NPZ_STATISTICS_FILE in self.record["files"]:
            file = self.path / NPZ_STATISTICS_FILE
            return RowStatistics.from_npz(self.map(NPZ_STATISTICS_FILE), file)
        return None

    def epochs(self) -> tuple[Epoch, ...]:
        """Read the epochs of the training, without those of a refit."""
        from embedclf.runs.history import read_epochs

        return read_epochs(self.read(HISTORY_FILE), self.path / HISTORY_FILE)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C stopped the training or its refit."""
        from embedclf.runs.history import INTERRUPTED

        missing = self.record.get("refit", {}).get("missing")
        return INTERRUPTED in (self.record["ended"], missing)

    @property
    def refitted(self) -> bool:
        """Whether the classifier was trained on the validation rows as well."""
        return self.record.get("refit", {}).get("rows") is not None

    @property
    def is_compact(self) -> bool:
        """Whether the run was made smaller, and has neither a Keras model nor row statistics."""
        return "compact" in self.record

    @property
    def size(self) -> int:
        """Bytes of the files that the run consists of."""
        names = {*self.record["files"], RECORD_FILE, METRICS_FILE}
        return sum((self.path / name).stat().st_size for name in names)

    def require_vectors(self) -> None:
        """Check that the run has vectors of tokens, as training learned them.

        Raises:
            RequestError: It is compact.
        """
        if self.is_compact:
            raise RequestError(
                f"{self.path}: a compact run has no vectors, only what its tokens add to a "
                f"prediction; use the run that it was made from, {self.record['compact']['run']!r}"
            )

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

    def labels(self) -> Labels:
        """Read the labels of the classifier."""
        return read_labels(self._files())

    def classifier(self) -> Classifier:
        """Load the classifier, without TensorFlow."""
        return self._load_classifier()

    def validated_rows(self) -> ValidatedRows | None:
        """Read how the network before a refit scored the validation rows.

        None without a refit, and before format 8.
        """
        files = self._files(VALIDATED_DIRECTORY)
        if LOGITS_FILE not in files.names:
            return None
        validated = ValidatedRows.read(files)
        return validated.with_thresholds(self.threshold_settings()["thresholds"])

    def validation_classifier(self) -> Classifier:
        """Load the classifier that has not seen the validation rows.

        Raises:
            RunError: It is not stored: the run is compact, and was refit on all rows.
        """
        if self.is_compact and self.refitted:
            raise RunError(
                f"{self.path}: a compact run keeps no scores from before the refit on all rows; "
                "choose labeled rows with --data TABLE, or use the run that it was made from, "
                f"{self.record['compact']['run']!r}"
            )
        return self._load_classifier(VALIDATED_DIRECTORY if self.refitted else "")

    @activity("loading the classifier")
    def _load_classifier(self, directory: str = "") -> Classifier:
        classifier = read_classifier(self.record["pooling"], self._files(directory))
        return classifier.with_thresholds(self.threshold_settings()["thresholds"])

    def _files(self, directory: str = "") -> ClassifierFiles:
        """Return the files of the classifier in a directory of the run."""
        # The record has forward slashes on all systems
        prefix = f"{directory}/" if directory else ""
        names = [name for name in self.record["files"] if name.startswith(prefix)]
        return ClassifierFiles(
            self.path / directory,
            frozenset(name.removeprefix(prefix) for name in names),
            lambda name: self.map(prefix + name),
        )

    def _read_metrics(self) -> MetricsFile:
        file = self.path / METRICS_FILE
        if METRICS_FILE in self.record["files"]:  # format 1
            return convert(parse_object(self.map(METRICS_FILE), file), MetricsFile, file)
        return read_sealed(file, MetricsFile)


def _outputs(record: dict[str, Any]) -> int:
    return 1 if record["task"] == "binary" else len(record["labels"])
