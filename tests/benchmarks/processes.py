"""Whole processes, from command to end: their output, seconds and peak memory."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


PEERS = Path(__file__).with_name("peers.py")
LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Finished:
    """A process that ended well."""

    stdout: str
    seconds: float
    cpu_seconds: float
    """Of all threads, and of the processes it started and waited for."""
    megabytes: float
    """Of memory at its peak, that of the largest process it started included."""


def datasets() -> Path:
    """The folder of the public data sets, from EMBEDCLF_DATASETS."""
    if "EMBEDCLF_DATASETS" not in os.environ:
        sys.exit("name the folder of the data sets in EMBEDCLF_DATASETS")
    return Path(os.environ["EMBEDCLF_DATASETS"]).absolute()


def run(
    *command: Any,
    stdin: str = "",
    folder: Path | None = None,
    look: Callable[[int], None] = lambda _pid: None,
) -> Finished:
    """Run a command in a folder; a failure ends the benchmark with the command's message.

    Args:
        command: The program and its arguments.
        stdin: What it reads.
        folder: Where it runs.
        look: Called with the process that started the command, again and again until it ended.
    """
    with tempfile.TemporaryDirectory() as directory:
        given, stdout, stderr, used = (Path(directory) / name for name in "0123")
        given.write_text(stdin, encoding="utf-8")
        with given.open() as reads, stdout.open("w") as prints, stderr.open("w") as complains:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", LAUNCHER, used, *map(str, command)],
                stdin=reads,
                stdout=prints,
                stderr=complains,
                cwd=folder,
                env=environment(),
                process_group=0,
            )
            _wait(process, look)
        figures = used.read_text(encoding="ascii").split() if used.is_file() else ["1"]
        if figures[0] != "0":
            message = stderr.read_text(encoding="utf-8", errors="replace")
            sys.exit(f"{' '.join(map(str, command))}: {figures[0]}\n{message}")
        seconds, cpu_seconds, memory = map(float, figures[1:])
        megabytes = memory / (1e6 if _IN_BYTES else 1e3)
        return Finished(stdout.read_text(encoding="utf-8"), seconds, cpu_seconds, megabytes)


def started_by(pid: int) -> Iterator[int]:
    """Yield all processes that a process started, and those that they started, on Linux."""
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield int(child)
                yield from started_by(int(child))


def environment() -> dict[str, str]:
    """Return the variables of a user, whose Python keeps compiled modules."""
    return {name: one for name, one in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def embedclf(*args: Any, stdin: str = "", checkout: Path | None = None) -> Finished:
    """Run `embedclf` with this Python, here or with the code of a checkout."""
    # Python imports from the current folder first; paths among the arguments must be absolute.
    return run(sys.executable, "-m", "embedclf", *args, stdin=stdin, folder=checkout)


def run_checkout(checkout: Path, *arguments: Any) -> str:
    """Run Python with the code of a checkout; return its output."""
    with tempfile.TemporaryDirectory() as folder:  # no other checkout is imported from here
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env={**environment(), "PYTHONPATH": str(checkout.absolute())},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def peer(*args: Any) -> Finished:
    """Run a script of the peers."""
    return run(sys.executable, PEERS, *args)


def together(processes: Sequence[Finished]) -> Finished:
    """Processes one behind the other as one."""
    return Finished(
        "",
        sum(process.seconds for process in processes),
        sum(process.cpu_seconds for process in processes),
        max(process.megabytes for process in processes),
    )


def bytes_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def median_seconds(finished: Sequence[Finished]) -> float:
    """The median of several runs of one command."""
    return statistics.median(one.seconds for one in finished)


def _wait(process: subprocess.Popen[bytes], look: Callable[[int], None]) -> None:
    """Wait for the end of a process; if that is interrupted, end what it started, too."""
    try:
        while True:
            look(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_EVERY)
                return
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


_EVERY = 0.05
"""Seconds between two looks at a process."""

_IN_BYTES = sys.platform == "darwin"
