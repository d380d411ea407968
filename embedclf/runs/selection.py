"""The runs in ./runs: found by name, listed, and the newest of them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from embedclf.errors import RunError
from embedclf.runs.known_files import CONFIG_FILE
from embedclf.runs.locations import RECORD_FILE, RUNS_DIRECTORY
from embedclf.runs.run import Run
from embedclf.system.publishing.drafts import DRAFT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class NewestRun:
    """The newest intact run in `./runs`, and what else a user should know about the others."""

    run: Run
    other_tables: tuple[Run, ...]
    """The newest run of each other training table, newest first."""
    faults: tuple[RunError, ...]
    """Errors of the runs that cannot be used."""


def locate_run(name: Path) -> Path:
    """Return the path of a run that is given by its path or by its bare name in `./runs`.

    A path that exists takes precedence over a run of the same name. A name that means nothing is
    returned unchanged, for `Run.open` to report.
    """
    in_runs = RUNS_DIRECTORY / name
    is_bare = len(name.parts) == 1
    return in_runs if is_bare and not name.exists() and in_runs.is_dir() else name


def split_name(run: Path) -> tuple[int, str]:
    """Return the number and the rest of a run's name: 3 and `reviews` of `reviews-3`."""
    name, _, number = run.name.rpartition("-")
    return (int(number), name) if number.isdecimal() else (0, run.name)


def is_run_config(path: Path) -> bool:
    """Whether a file is the config in a run, of any format."""
    return path.name == CONFIG_FILE and (path.parent / RECORD_FILE).is_file()


def run_names() -> list[str]:
    """Return the names of the runs in `./runs`, without opening them."""
    names = [file.parent.name for file in RUNS_DIRECTORY.glob(f"*/{RECORD_FILE}")]
    return sorted(name for name in names if not name.startswith(DRAFT_PREFIX))


def find_runs(root: Path = RUNS_DIRECTORY) -> tuple[list[Run], list[RunError]]:
    """Find the runs in a directory, oldest first, and the errors of those that cannot be read."""
    runs, faults = [], []
    for file in sorted(root.glob(f"*/{RECORD_FILE}")):
        if file.parent.name.startswith(DRAFT_PREFIX):
            continue  # another process is writing it
        try:
            run = Run.read_record(file.parent)
            run.metrics()
        except RunError as fault:
            faults.append(fault)
        else:
            runs.append(run)
    return _sort_by_age(runs), faults


def open_newest() -> NewestRun:
    """Open the newest run in `./runs` that is intact.

    Raises:
        RunError: There is none.
    """
    runs, faults = find_runs()
    # `find_runs` has read only some of the files, so the newest run may still be damaged.
    for run in reversed(runs):
        try:
            newest = Run.open(run.path)
        except RunError as fault:
            faults.append(fault)
        else:
            return NewestRun(newest, _other_tables(newest, runs), tuple(faults))
    if faults:
        raise faults[-1]
    raise RunError(
        f"no run in ./{RUNS_DIRECTORY}; train one with `embedclf train TABLE`, or name one with "
        "--run"
    )


def _sort_by_age(runs: Iterable[Run]) -> list[Run]:
    """Sort runs, oldest first: by number those of one name, by date the others.

    A clock can be set back, so no run counts as older than one with a lower number.
    """
    dated, latest = [], dict[str, str]()
    by_number = sorted(((*split_name(run.path), run) for run in runs), key=itemgetter(0))
    for number, name, run in by_number:
        # ISO 8601 in UTC, so the strings sort by time.
        latest[name] = max(str(run.record["created"]), latest.get(name, ""))
        dated.append((latest[name], number, run))
    return [run for *_, run in sorted(dated, key=itemgetter(0, 1))]


def _other_tables(newest: Run, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the newest run of each training table that is not the one of `newest`."""
    seen, others = [newest], []
    for run in reversed(runs):
        if not any(_share_table(run, other) for other in seen):
            seen.append(run)
            others.append(run)
    return tuple(others)


def _share_table(first: Run, second: Run) -> bool:
    """Whether two runs were trained on the same table, even if it was edited or moved between."""
    tables = (first.record["data"]["train"], second.record["data"]["train"])
    return any(tables[0][key] == tables[1][key] for key in ("path", "sha256"))
