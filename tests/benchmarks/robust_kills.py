"""Kills: commands that write are killed at a random moment, and what is left is looked at."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.run import Run
from tests.benchmarks.processes import environment
from tests.benchmarks.robust_inputs import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_SECONDS = 120.0


def kill(kind: str, number: int, project: Path, folder: Path) -> Case:
    """Kill a command, look at what it left, and run it again."""
    began = time.monotonic()
    folder.mkdir()
    rng = random.Random(f"{kind} {number}")  # noqa: S311 - cases, no secrets
    faults = list(KILLED[kind](rng, project, folder))
    if not faults:
        shutil.rmtree(folder)
    return Case(faults, time.monotonic() - began)


@cache
def unbroken(project: Path) -> tuple[str, float]:
    """Return the weights of a training that was not killed, and its seconds."""
    began = time.monotonic()
    made = project / "unbroken"
    command = ("train", project / "multiclass.yaml", "-q", "--no-baseline", "-o", made)
    subprocess.run(_command(command), check=True, env=environment(), capture_output=True)
    return _weights(made), time.monotonic() - began


def _kill_train(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a training; the next one resumes to the weights of one that was never killed."""
    command = ("train", project / "multiclass.yaml", "-q", "--no-baseline")
    expected, seconds = unbroken(project)
    earlier = shutil.copytree(project / "runs" / "binary", folder / "runs" / "binary-1")
    before = _digest(earlier)
    killed = _run_and_kill(command, folder, rng.uniform(0.1, 1.05) * seconds)
    yield from _broken_runs(folder)
    yield from _finish((*command, "--resume"), folder)
    if _digest(earlier) != before:
        yield "an earlier run has changed"
    runs = sorted(path for path in (folder / "runs").iterdir() if path.name != "binary-1")
    if any(path.name.startswith(".") for path in runs):
        yield f"left behind: {', '.join(path.name for path in runs)}"
    last = [path for path in runs if not path.name.startswith(".")][-1]
    if killed and _weights(last) != expected:
        yield "resumed to other weights"


def _kill_predict(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a prediction; its output is absent or whole, and an old one stays."""
    table, out = folder / "t.csv", folder / "out.csv"
    lines = (project / "binary.csv").read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([lines[0], *lines[1:] * 300]), encoding="utf-8")
    command = ("predict", table, "--run", project / "runs" / "binary", "-o", out, "-q")
    old = b"old" if rng.random() < 0.5 else None
    if old:
        out.write_bytes(old)
    _run_and_kill(command, folder, rng.uniform(0.1, 1.0))
    left = out.read_bytes() if out.exists() else None
    yield from _finish(command, folder)
    if left not in (old, out.read_bytes()):
        yield "the output is neither the old one nor whole"
    yield from _hidden(folder)


def _kill_init(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill the writing of a config; the next one is not refused because of an empty file."""
    out = folder / "c.yaml"
    command = ("init", project / "binary.csv", "-o", out, "-q")
    _run_and_kill(command, folder, rng.uniform(0.2, 1.0))
    if out.exists():
        yield from _finish(("check", out), folder)
        out.unlink()
    yield from _finish(command, folder)
    yield from (fault for fault in _hidden(folder) if ".c.yaml." not in fault)


def _kill_threshold(rng: random.Random, project: Path, folder: Path) -> Iterator[str]:
    """Kill a change of thresholds; the run has the old or the new ones."""
    run = shutil.copytree(project / "runs" / "binary", folder / "runs" / "binary-1")
    for table in project.glob("*.csv"):  # the config in the run names them
        (folder / table.name).symlink_to(table)
    command = ("threshold", "--run", run, "--metric", "recall=0.9", "-q")
    _run_and_kill(command, folder, rng.uniform(0.2, 1.2))
    yield from _broken_runs(folder)
    yield from _finish(command, folder)
    yield from _hidden(run)


KILLED: dict[str, Callable[[random.Random, Path, Path], Iterator[str]]] = {
    "kill of train": _kill_train,
    "kill of predict": _kill_predict,
    "kill of init": _kill_init,
    "kill of threshold": _kill_threshold,
}


def _run_and_kill(command: tuple[Any, ...], folder: Path, seconds: float) -> bool:
    """Start a command, and kill it after some seconds; return whether it had not ended."""
    with subprocess.Popen(
        _command(command),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return True
    return False


def _finish(command: tuple[Any, ...], folder: Path) -> Iterator[str]:
    """Run a command to its end."""
    try:
        done = subprocess.run(
            _command(command),
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield f"{command[0]}: no end after {LONGEST_SECONDS:.0f} s"
    else:
        if done.returncode:
            yield f"{command[0]} again: status {done.returncode}: {done.stderr[-300:].strip()}"


def _command(command: tuple[Any, ...]) -> list[str]:
    return [sys.executable, "-m", "embedclf", *map(str, command)]


def _broken_runs(folder: Path) -> Iterator[str]:
    for path in (folder / "runs").iterdir():
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
