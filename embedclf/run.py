"""The run directory: what a training leaves behind, and how it is found again."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.atomic import draft_file, draft_folder, publish_folder
from embedclf.errors import RunError
from embedclf.history import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.beginnings import Beginnings
    from embedclf.classifier import Classifier
    from embedclf.schema import Config

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
        from embedclf.config import load_config

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

    def beginnings(self) -> Beginnings | None:
        """What training knew of each row of the embedding; None in runs before format 4."""
        from embedclf.beginnings import Beginnings

        if ROWS not in self.record["files"]:
            return None
        return Beginnings.from_npz(self.read(ROWS))

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


@dataclass(frozen=True)
class Draft:
    """A run that is being written."""

    path: Path

    def make_folder(self, name: str) -> Draft:
        """Make a folder in it, to write to alike."""
        (self.path / name).mkdir()
        return Draft(self.path / name)

    def write(self, name: str, content: str) -> None:
        """Write a file of the run as UTF-8."""
        (self.path / name).write_text(content, encoding="utf-8", newline="\n")

    def write_json(self, name: str, values: Any, *, indent: int | None = 1) -> None:
        """Write plain values as JSON, every code point as itself; without indent it is quick."""
        self.write(name, json.dumps(values, ensure_ascii=False, indent=indent) + "\n")

    def write_metrics(self, decision: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Write how the run decides, and what was measured, by part."""
        self.write(METRICS, _seal({"decision": decision, **metrics}))

    def publish(self, record: dict[str, Any], name: str, output: Path | None) -> Run:
        """Record every file's SHA-256 and give the run its place.

        Args:
            record: What `run.json` is to hold.
            name: Of the config; the run becomes `<name>-<number>` beside the draft.
            output: Where the run is wanted instead.

        Raises:
            RunError: `output` has come into being meanwhile.
        """
        hashes = {
            file.relative_to(self.path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.name != METRICS
        }
        record = {"format": FORMAT, **record, "files": hashes}
        self.write_json(RECORD, {**record, "checksum": _checksum(record)})
        if output is not None:
            if not publish_folder(self.path, output):
                raise RunError(f"{output}: exists by now; the run was not written")
            return Run(output, record)
        while not publish_folder(
            self.path, target := self.path.parent / _next_name(self.path.parent, name)
        ):
            pass
        return Run(target, record)


def refuse_taken(output: Path | None) -> None:
    """Refuse a place where something is.

    Raises:
        RunError: Something is there.
    """
    if output is not None and (output.exists() or output.is_symlink()):
        raise RunError(f"{output}: exists; a run never overwrites, choose another place")


@contextmanager
def draft(output: Path | None) -> Iterator[Draft]:
    """Begin a run: beside `output`, or in `./runs`. It is gone unless it was published.

    Raises:
        RunError: `output` is there already, or its folder cannot be written to, now or later.
    """
    refuse_taken(output)
    parent = ROOT if output is None else output.parent
    try:
        with draft_folder(parent) as folder:
            yield Draft(folder)
    except OSError as error:
        place = error.filename or parent
        raise RunError(f"{place}: cannot be written: {error.strerror or error}") from error


def read_classifier(pooling: str, read: Callable[[str], bytes], *, calibrated: bool) -> Classifier:
    """Make the classifier from the files of a run or of a draft of one.

    Args:
        pooling: Of the network.
        read: Reads a file by its name.
        calibrated: Whether there is a file of the calibration.
    """
    from embedclf.calibration import Calibration
    from embedclf.classifier import Classifier
    from embedclf.labels import Labels
    from embedclf.tokenizer import Tokenizer
    from embedclf.weights import read_weights

    return Classifier(
        Tokenizer.from_json(json.loads(read(TEXT))),
        Labels.from_json(json.loads(read(LABELS))),
        read_weights(read(MODEL), pooling),
        Calibration.from_json(json.loads(read(CALIBRATION))) if calibrated else None,
    )


def _next_name(parent: Path, name: str) -> str:
    pattern = re.compile(rf"{re.escape(name)}-(\d+)")
    numbers = [int(m[1]) for entry in parent.iterdir() if (m := pattern.fullmatch(entry.name))]
    return f"{name}-{max(numbers, default=0) + 1}"


def _seal(values: dict[str, Any]) -> str:
    """Values as JSON with their own checksum."""
    plain = json.loads(json.dumps(values))
    sealed = {**plain, "checksum": _checksum(plain)}
    return json.dumps(sealed, ensure_ascii=False, indent=1) + "\n"


def _checksum(record: dict[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
