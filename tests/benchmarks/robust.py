"""Attack embedclf with hostile inputs and kills, and count which promises held.

Two workers give damaged tables, configs, word vectors and runs, whose checksums fit, to commands
that read them, and kill commands that write. A case is drawn from its number alone, so a case that
fails can be repeated.

    python -m tests.benchmarks.robust [--minutes M] [--attacks ATTACK ...]

`make check` tries each attack at least once: `--cases 123`, about 60 seconds of CPU time.

Promises, of each case:

- a command that reads ends with status 0, 1 or 2, within 30 seconds of CPU time, with less than
  1 GB of memory, and without a traceback. If it fails, it says why in a line.
- a service answers 20 hostile requests without a 5xx, and then a usual one as before. It takes 5
  seconds of CPU time at most, and less than 1 GB of memory.
- a command that is killed leaves its output absent or whole, and nothing else changed. The next one
  removes what it left. A training resumes to the same weights.

The table is Markdown. What broke a promise is shown at once, and its files are kept in the folder
that is named at the end.
"""

from __future__ import annotations

import argparse
import itertools
import math
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from tests.benchmarks.processes import embedclf
from tests.benchmarks.robust_attacks import COMPACT, FUZZED
from tests.benchmarks.robust_inputs import Case, read_hostile
from tests.benchmarks.robust_kills import KILLED, TRAINED, kill, measure_trainings
from tests.benchmarks.robust_requests import REQUESTS, close_service, send_hostile
from tests.benchmarks.robust_server import close_servers
from tests.conftest import CONFIGS, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TRY = {
    **dict.fromkeys(FUZZED, read_hostile),
    REQUESTS: send_hostile,
    **dict.fromkeys(KILLED, kill),
}
"""How a case of each attack is tried."""

WORKERS = 2
_INPUTS, _KILLS = 8, 4
"""Cases of an attack for each kill of a training, which takes far longer."""


@dataclass
class Tally:
    """How often promises were tried and broken, by attack."""

    tried: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    slowest: Counter[str] = field(default_factory=Counter)
    """Milliseconds."""
    largest: Counter[str] = field(default_factory=Counter)
    """Megabytes."""
    lock: Lock = field(default_factory=Lock)
    """Two workers add cases."""

    def add(self, kind: str, number: int, case: Case) -> None:
        """Add a case, and show what it broke."""
        with self.lock:
            self.tried[kind] += 1
            self.slowest[kind] = max(self.slowest[kind], int(1000 * case.seconds))
            self.largest[kind] = max(self.largest[kind], int(case.megabytes))
            if case.faults:
                self.broken[kind] += 1
        for fault in case.faults:
            print(f"{kind} {number}: {fault}", file=sys.stderr, flush=True)


def main() -> None:
    """Attack for some minutes, and print the table."""
    asked = _parse()
    folder = Path(tempfile.mkdtemp(prefix="robust-"))
    attacks = _prepare(folder, asked.attacks)
    tally = Tally()
    if asked.case is not None:
        [kind] = asked.attacks
        attacks[kind](asked.case, tally)
    else:
        _attack_all(attacks, _numbers(asked), tally)
    close_servers()
    close_service()
    _print_table(tally)
    if tally.broken:
        print(f"kept: {folder}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)


def _prepare(folder: Path, kinds: Sequence[str]) -> dict[str, Callable[[int, Tally], None]]:
    """Train the runs that are attacked, and return a function for each attack."""
    project = folder / "project"
    project.mkdir()
    write_project(project)
    for task in CONFIGS:
        made = project / "runs" / task
        embedclf("train", project / f"{task}.yaml", "-q", "--no-baseline", "-o", made)
    exported = ("--format", "compact", "-q", "-o", project / "runs" / COMPACT)
    embedclf("export", project / "runs" / "multiclass", *exported)
    measure_trainings(project, kinds)  # before two workers need them

    def attack(kind: str, number: int, tally: Tally) -> None:
        place = folder / f"{kind.replace(' ', '-')}-{number}"
        tally.add(kind, number, TRY[kind](kind, number, project, place))

    return {kind: partial(attack, kind) for kind in kinds}


def _print_table(tally: Tally) -> None:
    """Print how often each promise was tried and held, as Markdown."""
    print("| attack | tried | held | slowest | most memory |\n|---|---|---|---|---|")
    for kind, tried in tally.tried.items():
        held = tried - tally.broken[kind]
        memory = f"{tally.largest[kind]:,} MB" if tally.largest[kind] else "–"
        print(f"| {kind} | {tried:,} | {held:,} | {tally.slowest[kind] / 1000:.1f} s | {memory} |")


def _attack_all(
    attacks: dict[str, Callable[[int, Tally], None]], numbers: Iterator[int], tally: Tally
) -> None:
    """Try all attacks in turn, until the numbers of the cases end."""
    turns = [kind for kind in attacks for _ in range(_turns(kind))]
    lock = Lock()

    def take() -> int | None:
        with lock:
            return next(numbers, None)

    def work(_worker: int) -> None:
        while (number := take()) is not None:
            attacks[turns[number % len(turns)]](number, tally)

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(WORKERS)))


def _turns(kind: str) -> int:
    if kind not in KILLED:
        return _INPUTS
    return 1 if kind in {*TRAINED, "kill of tune"} else _KILLS


def _numbers(asked: Any) -> Iterator[int]:
    """Yield the numbers of the cases: so many, or until the time is over."""
    end = time.monotonic() + 60 * asked.minutes
    last = math.inf if asked.cases is None else asked.first + asked.cases
    for number in itertools.count(asked.first):
        if number >= last or (asked.cases is None and time.monotonic() > end):
            return
        yield number


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.robust",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, help="try so many cases, however long they take")
    parser.add_argument("--attacks", nargs="+", choices=TRY, default=list(TRY))
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="repeat one case of one attack")
    return parser.parse_args()


if __name__ == "__main__":
    main()
