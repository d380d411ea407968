"""Attack embedclf with hostile inputs and kills, and count which promises held.

Two workers give damaged tables, configs, word vectors and runs, whose checksums fit, to commands
that read them, and kill commands that write. A case is drawn from its number alone, so a case that
fails can be repeated.

    python -m tests.benchmarks.robust [--minutes M] [--attacks ATTACK ...] [--case NUMBER]

Promises, of each case:

- a command that reads ends with status 0, 1 or 2, within 30 seconds, with less than 1 GB of memory,
  and without a traceback. If it fails, it says why in a line.
- a command that is killed leaves its output absent or whole, and nothing else changed. The next one
  removes what it left. A training resumes to the same weights.

The table is Markdown. What broke a promise is kept in the folder that is named at the end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.processes import embedclf
from tests.benchmarks.robust_inputs import FUZZED, Case, read_hostile
from tests.benchmarks.robust_kills import KILLED, kill, unbroken
from tests.conftest import CONFIGS, write_project

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = (*FUZZED, *KILLED)

WORKERS = 2
_KILLS_PER_CASE = 8
"""A kill takes about as long as so many cases of inputs."""


@dataclass
class Tally:
    """How often a promise was tried, and what broke it."""

    tried: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(default_factory=dict)
    slowest: Counter[str] = field(default_factory=Counter)
    """Milliseconds."""
    largest: Counter[str] = field(default_factory=Counter)
    """Megabytes."""

    def add(self, kind: str, number: int, case: Case) -> None:
        """Add a case."""
        self.tried[kind] += 1
        self.slowest[kind] = max(self.slowest[kind], int(1000 * case.seconds))
        self.largest[kind] = max(self.largest[kind], int(case.megabytes))
        for fault in case.faults:
            self.broken.setdefault(kind, []).append(f"{kind} {number}: {fault}")


def main() -> None:
    """Attack for some minutes, and print the table."""
    asked = _parse()
    folder = Path(tempfile.mkdtemp(prefix="robust-"))
    attacks = prepare(folder)
    tally = Tally()
    if asked.case is not None:
        [kind] = asked.attacks
        attacks[kind](asked.case, tally)
    else:
        _attack_for(60 * asked.minutes, {kind: attacks[kind] for kind in asked.attacks}, tally)
    print_table(tally)
    if tally.broken:
        print(f"kept: {folder}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)


def prepare(folder: Path) -> dict[str, Callable[[int, Tally], None]]:
    """Train the runs that are attacked, and return a function for each attack."""
    project = folder / "project"
    project.mkdir()
    write_project(project)
    for task in CONFIGS:
        made = project / "runs" / task
        embedclf("train", project / f"{task}.yaml", "-q", "--no-baseline", "-o", made)
    unbroken(project)  # before two workers need it

    def attack(kind: str, number: int, tally: Tally) -> None:
        try_ = read_hostile if kind in FUZZED else kill
        place = folder / f"{kind.replace(' ', '-')}-{number}"
        tally.add(kind, number, try_(kind, number, project, place))

    return {kind: partial(attack, kind) for kind in KINDS}


def print_table(tally: Tally) -> None:
    """Print how often each promise was tried and held, then what broke them."""
    print("| attack | tried | held | slowest | most memory |\n|---|---|---|---|---|")
    for kind, tried in tally.tried.items():
        held = tried - len({fault.split(":")[0] for fault in tally.broken.get(kind, [])})
        memory = f"{tally.largest[kind]:,} MB" if tally.largest[kind] else "–"
        print(f"| {kind} | {tried:,} | {held:,} | {tally.slowest[kind] / 1000:.1f} s | {memory} |")
    for faults in tally.broken.values():
        print(*faults, sep="\n", file=sys.stderr)


def _attack_for(
    seconds: float, attacks: dict[str, Callable[[int, Tally], None]], tally: Tally
) -> None:
    """Try all attacks in turn, until the time is over."""
    end = time.monotonic() + seconds
    turns = [kind for kind in attacks for _ in range(1 if kind in KILLED else _KILLS_PER_CASE)]

    def work(worker: int) -> None:
        number = worker
        while time.monotonic() < end:
            attacks[turns[number // WORKERS % len(turns)]](number, tally)
            number += WORKERS

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(WORKERS)))


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.robust",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--attacks", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--case", type=int, help="repeat one case of one attack")
    return parser.parse_args()


if __name__ == "__main__":
    main()
