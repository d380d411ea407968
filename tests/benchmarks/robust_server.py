"""A process that has imported embedclf, and runs each command in a fork of itself.

A command takes a tenth of a second then, instead of more than half a second for its imports.

    python -m tests.benchmarks.robust_server
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KILLED = -signal.SIGPROF
"""Status of a command that was killed."""

CPU_SECONDS = 30
"""A command that uses more hangs. Of the processor, because a test machine can be busy."""

_WAITING_SECONDS = 300
"""A command that takes longer waits for something that never comes."""

_MODULES = (
    *("chardet", "embedclf.autoconfig.resolve", "embedclf.audit.check"),
    *("embedclf.inference.predict", "embedclf.inference.explain", "embedclf.evaluation.evaluate"),
    "embedclf.inference.embeddings",
)


class Used(NamedTuple):
    """How a command ended, and what it used."""

    status: int
    """Negative: the signal that ended it."""
    seconds: float
    """Of the processor."""
    megabytes: float
    """At its peak."""


class CommandServer:
    """Runs commands in forks of a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        command: Sequence[Any],
        folder: Path,
        *,
        stdin: Path | None = None,
        kill_after: float | None = None,
    ) -> Used:
        """Run a command in a folder, where `stderr` keeps its messages.

        Args:
            command: Its arguments.
            folder: Where it runs.
            stdin: The file whose content comes through a pipe; None for no input.
            kill_after: Seconds of CPU time after which a signal ends it that it cannot notice.
        """
        job = [[*map(str, command)], str(folder), stdin and str(stdin), kill_after]
        self._process.stdin.write(json.dumps(job) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return Used(*json.loads(self._process.stdout.readline()))  # type: ignore[union-attr]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def server_of_thread() -> CommandServer:
    """Return the server of this thread, which is started if it has none."""
    if not hasattr(_of_thread, "server"):
        _of_thread.server = CommandServer()
        _started.append(_of_thread.server)
    server: CommandServer = _of_thread.server
    return server


def close_servers() -> None:
    """End the processes of all servers."""
    while _started:
        _started.pop().close()


_of_thread = threading.local()

_started: list[CommandServer] = []


def main() -> None:
    """Read a job per line from standard input; answer with a line each."""
    for name in _MODULES:
        importlib.import_module(name)
    from embedclf.cli.main import main as program

    list(program.commands.values())  # imports the module of each
    # Forks get other standard streams; the jobs and answers stay here.
    with os.fdopen(os.dup(0)) as jobs, os.fdopen(os.dup(1), "w") as answers:
        for line in jobs:
            print(json.dumps(_run(*json.loads(line))), file=answers, flush=True)


def _run(command: list[str], folder: str, stdin: str | None, kill_after: float | None) -> Used:
    pid = os.fork()
    if pid == 0:
        # Nothing handles this signal, and it comes at the same place however busy the machine is.
        signal.setitimer(signal.ITIMER_PROF, kill_after or 0)
        _become(command, folder, stdin)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(_WAITING_SECONDS)
    _, status, used = os.wait4(pid, 0)
    signal.alarm(0)
    seconds = used.ru_utime + used.ru_stime
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Used(os.waitstatus_to_exitcode(status), seconds, used.ru_maxrss / unit)


def _become(command: list[str], folder: str, stdin: str | None) -> NoReturn:
    """Become a command of the command line."""
    try:
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        for number, file in enumerate((os.devnull, os.devnull, "stderr")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(file, flags), number)
        if stdin is not None:
            source = subprocess.Popen([shutil.which("cat") or "", stdin], stdout=subprocess.PIPE)
            os.dup2(source.stdout.fileno(), 0)  # type: ignore[union-attr]
        from embedclf.__main__ import run  # its imports are the command's

        sys.argv = ["embedclf", *command]
        run()
    except BaseException:  # noqa: BLE001 - else it would become a server
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
