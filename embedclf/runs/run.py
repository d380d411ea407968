"""The run directory: opened, checked, listed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.history import INTERRUPTED
from embedclf.system.files import DRAFT, draft_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.model.classifier import Classifier
    from embedclf.runs.history import RowStatistics

FORMAT = 5
"""Version of the directory's form; a run of a later one is refused. Runs of version 4 are never
refitted. Those of version 3 have no phrases with a text's beginning or end, an id less for each
length of them in `model.keras`, and do not tell how vectors began; those of version 2 have no
phrases at all, those of version 1 no thresholds but 0.5 and no calibration."""

ROOT = Path("runs")

CONFIG, MODEL, TEXT, LABELS = "config.yaml", "model.keras", "text.json", "labels.json"

HISTORY, METRICS, RECORD = "history.csv", "metrics.json", "run.json"

CALIBRATION, ROWS = "calibration.json", "rows.npz"

VALIDATED = "validated"
"""Where a run was refitted, the folder of the classifier before that, which has not seen the
validation rows: in files of the same names."""

REPORT = "report.html"
"""A page made of the rest on demand; nothing reads it, and it may go."""


@dataclass(frozen=True)
class Run:
    """A finished run; every file is compared with its recorded SHA-256 when it is read."""

    path: Path
    record: dict[str, Any]
    """The content of `run.json`."""

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run and check all of its files.

        Raises:
            RunError: There is no run, or it is damaged, foreign or newer.
        """
        run = cls.glance(path)
        for name in run.record["files"]:
            run.read(name)
        run.metrics()
        return run

    @classmethod
    def glance(cls, path: Path) -> Run:
        """Open a run and check `run.json` alone; raises as `open` does."""
        file = path / RECORD
        if not path.is_dir():
            meant = ROOT / path.name
            hint = (
                f"did you mean {meant}?" if meant.is_dir() else "`embedclf runs` lists those here"
            )
            raise RunError(f"{path}: no such run; {hint}")
        if not file.is_file():
            raise RunError(f"{path}: not a run: it has no {RECORD}")
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            given = record["format"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(f"{file}: damaged, or not embedclf's; train again") from error
        if given not in range(1, FORMAT + 1):
            raise RunError(
                f"{path}: a run of format {given}, this embedclf reads 1 to {FORMAT}; "
                "use the version that wrote it, or train again"
            )
        if record.pop("checksum", None) != _checksum(record):
            raise RunError(f"{file}: damaged: its checksum does not fit; restore it or train again")
        return cls(path, record)

    def read(self, name: str) -> bytes:
        """Read a file of the run.

        Raises:
            RunError: It is missing or is not what was written.
        """
        file = self.path / name
        content = self._content(file)
        if hashlib.sha256(content).hexdigest() != self.record["files"][name]:
            raise RunError(f"{file}: damaged: its SHA-256 is not the recorded one; train again")
        return content

    def config(self) -> Config:
        """The config with all defaults; its paths are absolute."""
        from embedclf.config.loading import load_config

        self.read(CONFIG)
        return load_config(self.path / CONFIG)

    def metrics(self) -> dict[str, Any]:
        """What was measured, by part: `validation`, and `test` where there was a table."""
        sealed = self._sealed()
        return {part: sealed[part] for part in ("validation", "test") if part in sealed}

    def decision(self) -> dict[str, Any]:
        """The `rule` that decides which labels are given, and the `thresholds` it came to."""
        decision: dict[str, Any] = self._sealed().get("decision", {"rule": 0.5, "thresholds": []})
        return decision

    def decide(self, decision: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Decide otherwise from now on; that and what it comes to replace the old in one step.

        Raises:
            RunError: The run is of format 1, or cannot be written to.
        """
        if METRICS in self.record["files"]:
            raise RunError(f"{self.path}: a run of format 1 keeps its threshold; train again")
        try:
            with draft_file(self.path / METRICS, "w", encoding="utf-8", newline="\n") as file:
                file.write(_seal({"decision": decision, **metrics}))
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from error

    def beginnings(self) -> RowStatistics | None:
        """What training knew of each row of the embedding; None in runs before format 4."""
        from embedclf.runs.history import RowStatistics

        if ROWS not in self.record["files"]:
            return None
        return RowStatistics.from_npz(self.read(ROWS))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training, or that of a refit."""
        missing = self.record.get("refit", {}).get("missing")
        return INTERRUPTED in (self.record["ended"], missing)

    @property
    def refitted(self) -> bool:
        """Whether the classifier has learned from the validation rows, too."""
        return self.record.get("refit", {}).get("rows") is not None

    def classifier(self) -> Classifier:
        """The classifier; nothing of TensorFlow is imported."""
        return self._classifier()

    def validated(self) -> Classifier:
        """The classifier that validation rows are to be scored by, as it has not seen them."""
        return self._classifier(VALIDATED if self.refitted else "")

    def _classifier(self, folder: str = "") -> Classifier:
        place = Path(folder)
        found = read_classifier(
            self.record["pooling"],
            lambda name: self.read((place / name).as_posix()),
            calibrated=(place / CALIBRATION).as_posix() in self.record["files"],
        )
        return found.deciding(self.decision()["thresholds"])

    def _sealed(self) -> dict[str, Any]:
        """The content of `metrics.json`, which alone may change after the training."""
        if METRICS in self.record["files"]:
            content: dict[str, Any] = json.loads(self.read(METRICS))
            return content
        file = self.path / METRICS
        try:
            content = json.loads(self._content(file))
            checksum = content.pop("checksum", None)
        except (ValueError, AttributeError) as error:
            raise RunError(f"{file}: damaged; restore it or train again") from error
        if checksum != _checksum(content):
            raise RunError(f"{file}: damaged: its checksum does not fit; restore it or train again")
        return content

    def _content(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise RunError(f"{file}: {error.strerror}; restore it or train again") from error


def read_classifier(pooling: str, read: Callable[[str], bytes], *, calibrated: bool) -> Classifier:
    """Make the classifier from the files of a run or of a draft of one.

    Args:
        pooling: Of the network.
        read: Reads a file by its name.
        calibrated: Whether there is a file of the calibration.
    """
    from embedclf.data.labels import Labels
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.weights import read_weights
    from embedclf.text.tokenizer import Tokenizer

    return Classifier(
        Tokenizer.from_json(json.loads(read(TEXT))),
        Labels.from_json(json.loads(read(LABELS))),
        read_weights(read(MODEL), pooling),
        Calibration.from_json(json.loads(read(CALIBRATION))) if calibrated else None,
    )


def _seal(values: dict[str, Any]) -> str:
    """Values as JSON with their own checksum."""
    plain = json.loads(json.dumps(values))
    sealed = {**plain, "checksum": _checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"


def _checksum(record: dict[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def find_runs(root: Path = ROOT) -> tuple[list[Run], list[RunError]]:
    """The runs in a folder, oldest first, and what is wrong with those that cannot be read."""
    runs, faults = [], []
    for file in sorted(root.glob(f"*/{RECORD}")):
        if file.parent.name.startswith(DRAFT):
            continue
        try:
            run = Run.glance(file.parent)
            run.metrics()
        except RunError as error:
            faults.append(error)
        else:
            runs.append(run)
    return sorted(runs, key=lambda run: str(run.record["created"])), faults


def open_newest() -> tuple[Run, list[RunError]]:
    """Open the newest run in `./runs`, and tell what is wrong with others there.

    Raises:
        RunError: There is none that can be used.
    """
    runs, faults = find_runs()
    for run in reversed(runs):
        try:
            return Run.open(run.path), faults
        except RunError as error:
            faults.append(error)
    if faults:
        raise faults[-1]
    raise RunError(f"{ROOT}: no runs here; `embedclf train` makes one, --run names another")
