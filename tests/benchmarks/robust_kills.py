"""Kills: commands that write are killed at a random moment, and what is left is looked at."""

from __future__ import annotations

import hashlib
import random
import shutil
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.run import Run
from tests.benchmarks.robust_damage import damage
from tests.benchmarks.robust_inputs import Case
from tests.benchmarks.robust_server import KILLED as WAS_KILLED
from tests.benchmarks.robust_server import server_of_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Command = tuple[Any, ...]

_SEARCH = "tune: {training: {learning_rate: {low: 0.01, high: 0.1, log: true}}}"

_usual_seconds: dict[str, float] = {}
"""CPU time of each attack's command if nobody kills it, as measured last."""

_trained: dict[str, str] = {}
"""The weights of trainings that nobody killed."""


def kill(kind: str, number: int, project: Path, folder: Path) -> Case:
    """Kill a command, look at what it left, and run it again."""
    folder.mkdir()
    rng = random.Random(f"{kind} {number}")  # noqa: S311 - cases, no secrets
    faults = list(KILLED[kind](rng, project, folder))
    if not faults:
        shutil.rmtree(folder)
    return Case(faults, _usual_seconds.get(kind, 0.0))


def measure_trainings(project: Path, kinds: Sequence[str]) -> None:
    """Train without kills, for the weights that killed trainings must resume to."""
    for kind in TRAINED:
        if kind in kinds:
            made = project / kind.replace(" ", "-")
            command = (*_training(project, kind), "-o", made)
            if faults := [*_finish(kind, command, project)]:
                raise RuntimeError(faults[0])
            _trained[kind] = _weights(made)


def _training(project: Path, kind: str) -> Command:
    refit = ("-s", "training.refit=true") if kind == "kill of refit" else ()
    return ("train", project / "multiclass.yaml", "-q", "--no-baseline", *refit)


def _attack_training(kind: str) -> Callable[[random.Random, Path, Path], Iterator[str]]:
    """Kill a training; the next one resumes to the weights of one that was never killed.

    In a third of the cases, the checkpoint is damaged, so that it starts from the beginning.
    """

    def attack(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
        command = _training(project, kind)
        earlier = shutil.copytree(project / "runs" / "binary", folder / "runs" / "binary-1")
        before = _digest(earlier)
        killed = _run_and_kill(kind, command, folder, rng)
        if rng.random() < 1 / 3:
            for checkpoint in (folder / "runs").glob(".unfinished-*"):
                checkpoint.write_bytes(damage(rng, checkpoint.read_bytes()))
        yield from _broken_runs(folder)
        yield from _finish(kind, (*command, "--resume"), folder)
        if _digest(earlier) != before:
            yield "an earlier run has changed"
        yield from _hidden(folder)
        last = max(path for path in (folder / "runs").iterdir() if path != earlier)
        if killed and _weights(last) != _trained[kind]:
            yield "resumed to other weights"

    return attack


def _kill_tune(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a search; the next one continues it, and all runs are whole."""
    config = folder / "c.yaml"
    content = (project / "multiclass.yaml").read_text(encoding="utf-8")
    config.write_text(f"{content}\n{_SEARCH}\n", encoding="utf-8")
    shutil.copy(project / "multiclass.csv", folder)
    command = ("tune", config, "--trials", 2, "-o", folder / "study", "-q")
    _run_and_kill("kill of tune", command, folder, rng)
    yield from _broken_runs(folder)
    yield from _finish("kill of tune", command, folder)
    kept = {".finish", ".lock"}  # they stay, because a lock must not be removed
    yield from (fault for fault in _hidden(folder) if fault.split()[-1] not in kept)


def _kill_predict(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a prediction; its output is absent or whole, and an old one stays."""
    table = folder / "t.csv"
    lines = (project / "binary.csv").read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([lines[0], *lines[1:] * 50]), encoding="utf-8")
    out = folder / rng.choice(("out.csv", "out.jsonl", "out.parquet", "out.csv.gz"))
    command = ("predict", table, "--run", project / "runs" / "binary", "-o", out, "-q")
    yield from _kill_writer("kill of predict", command, out, rng)


def _kill_compact(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill the export of a smaller run; the folder is absent, or it is a whole run."""
    _link_tables(project, folder)
    out, run = (
        folder / "runs" / "compact-1",
        project / "runs" / rng.choice(("binary", "multiclass")),
    )
    command = ("export", run, "--format", "compact", "-o", out, "-q")
    _run_and_kill("kill of compact", command, folder, rng)
    yield from _broken_runs(folder)
    if not out.exists():
        yield from _finish("kill of compact", command, folder)
    yield from _finish("predict", ("predict", "-t", "good", "--run", out), folder)
    yield from _hidden(folder)


def _kill_export(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill an export of word vectors; it is absent or whole, and an old one stays."""
    out, run = folder / "out.txt", project / "runs" / rng.choice(("binary", "multiclass"))
    command = ("export", "--format", "word2vec", "-o", out, "--run", run, "-q")
    yield from _kill_writer("kill of export", command, out, rng)


def _kill_report(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill the writing of a report; it is absent or whole, and an old one stays."""
    _link_tables(project, folder)
    out = folder / "out.html"
    command = ("report", project / "runs" / "multiclass", "-o", out, "-q")
    yield from _kill_writer("kill of report", command, out, rng)


def _kill_writer(kind: str, command: Command, out: Path, rng: random.Random) -> Iterator[str]:
    old = b"old" if rng.random() < 0.5 else None
    if old:
        out.write_bytes(old)
    _run_and_kill(kind, command, out.parent, rng)
    left = out.read_bytes() if out.exists() else None
    yield from _finish(kind, command, out.parent)
    if left not in (old, out.read_bytes()):
        yield "the output is neither the old one nor whole"
    yield from _hidden(out.parent)


def _kill_init(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill the writing of a config; the next one is not refused because of an empty file."""
    out = folder / "c.yaml"
    command = ("init", project / "binary.csv", "-o", out, "-q")
    _run_and_kill("kill of init", command, folder, rng)
    if out.exists():
        yield from _finish("check", ("check", out), folder)
        out.unlink()
    yield from _finish("kill of init", command, folder)
    yield from _hidden(folder)


def _kill_threshold(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a change of thresholds; the run has the old or the new ones."""
    run = shutil.copytree(project / "runs" / "binary", folder / "runs" / "binary-1")
    _link_tables(project, folder)
    command = ("threshold", "--run", run, "--metric", "recall=0.9", "-q")
    _run_and_kill("kill of threshold", command, folder, rng)
    yield from _broken_runs(folder)
    yield from _finish("kill of threshold", command, folder)
    yield from _hidden(run)


TRAINED = ("kill of train", "kill of refit")

KILLED: dict[str, Callable[[random.Random, Path, Path], Iterator[str]]] = {
    **{kind: _attack_training(kind) for kind in TRAINED},
    "kill of tune": _kill_tune,
    "kill of predict": _kill_predict,
    "kill of export": _kill_export,
    "kill of compact": _kill_compact,
    "kill of report": _kill_report,
    "kill of init": _kill_init,
    "kill of threshold": _kill_threshold,
}


def _link_tables(project: Path, folder: Path) -> None:
    """Make the tables that the config of a run names."""
    for table in project.glob("*.csv"):
        (folder / table.name).symlink_to(table)


def _run_and_kill(kind: str, command: Command, folder: Path, rng: random.Random) -> bool:
    """Run a command, and kill it at some moment; return whether it had not ended."""
    seconds = rng.uniform(0.05, 1.05) * _usual_seconds.get(kind, 0.5)
    return server_of_thread().run(command, folder, kill_after=seconds).status == WAS_KILLED


def _finish(kind: str, command: Command, folder: Path) -> Iterator[str]:
    """Run a command to its end."""
    used = server_of_thread().run(command, folder)
    _usual_seconds[kind] = used.seconds
    if used.status:
        message = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
        yield f"{command[0]} again: status {used.status}: {message[-300:].strip()}"


def _broken_runs(folder: Path) -> Iterator[str]:
    for path in (folder / "runs").glob("*"):
        if not path.name.startswith("."):
            try:
                Run.open(path)
            except RunError as error:
                yield f"a run is damaged: {error}"


def _hidden(folder: Path) -> Iterator[str]:
    for path in folder.rglob(".*"):
        yield f"left behind: {path.name}"


def _digest(run: Path) -> str:
    files = sorted(path for path in run.rglob("*") if path.is_file())
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def _weights(run: Path) -> str:
    """Return the SHA-256 of the weights; the archive around them has the time of its making."""
    classifier = Run.open(run).classifier()
    arrays = [
        classifier.weights.trained,
        *(part for layer in classifier.weights.dense for part in layer),
    ]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
