"""Hostile inputs are given to the commands that read them."""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.robust_attacks import FUZZED
from tests.benchmarks.robust_server import CPU_SECONDS, Used, server_of_thread

if TYPE_CHECKING:
    from pathlib import Path

MOST_MEGABYTES = 1000.0

_USAGE = 2
"""Status of a command that was given a wrong argument or config."""


@dataclass(frozen=True)
class Case:
    """What a case broke, and what it used, if that was measured."""

    faults: list[str]
    seconds: float
    """CPU time of the longest command."""
    megabytes: float = 0.0


def read_hostile(kind: str, number: int, project: Path, folder: Path) -> Case:
    """Give a hostile input to a command."""
    folder.mkdir()
    rng = random.Random(f"{kind} {number}")  # noqa: S311 - cases, no secrets
    attack = FUZZED[kind](rng, project, folder)
    faults = list[str]()
    seconds = megabytes = 0.0
    for place, command in enumerate(attack.commands):
        used = server_of_thread().run(command, folder, stdin=attack.stdin)
        message = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
        found = [*_find_faults(used, message), *_find_refusal(used, place, message)]
        faults += [f"{fault} [{' '.join(map(str, command))}]" for fault in found]
        seconds, megabytes = max(seconds, used.seconds), max(megabytes, used.megabytes)
        if used.status:
            break
    if not faults:
        shutil.rmtree(folder)
    return Case(faults, seconds, megabytes)


def _find_faults(used: Used, message: str) -> list[str]:
    if used.megabytes > MOST_MEGABYTES:
        return [f"{used.megabytes:.0f} MB"]
    if used.status == -signal.SIGXCPU:
        return [f"more than {CPU_SECONDS} s"]
    if used.status == -signal.SIGKILL:
        return ["no end"]
    if "Traceback (most recent call last)" in message:
        return [f"traceback: {message.strip().splitlines()[-1][:200]}"]
    if used.status not in {0, 1, 2}:
        return [f"status {used.status}"]
    has_reason = any(
        line.startswith(("embedclf: ", "Error: ", "Usage: ")) for line in message.splitlines()
    )
    return [f"status {used.status} without a line that says why"] * bool(
        used.status and not has_reason
    )


def _find_refusal(used: Used, place: int, message: str) -> list[str]:
    """Find out whether a command refuses what the one before has written."""
    if place and used.status == _USAGE:
        return [f"refuses what was written: {message.strip().splitlines()[-1][:200]}"]
    return []
