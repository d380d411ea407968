"""The runs in memory, and newer ones that take their places."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from embedclf.errors import EmbedclfError, RequestError
from embedclf.runs.known_files import METRICS_FILE
from embedclf.runs.locations import RECORD_FILE, RUNS_DIRECTORY
from embedclf.runs.selection import locate_run, split_name
from embedclf.serving.log import log
from embedclf.serving.served_run import ServedRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_State = tuple[object, ...]
"""Differs as soon as another run has to be loaded."""


class ServedRuns:
    """The runs by name, the default first.

    A run is replaced by another in one step: a request uses either the one or the other.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Load the runs.

        Args:
            paths: Runs, or the names of runs without their number, for the newest of them.

        Raises:
            RunError: There is none, or it is damaged.
            RequestError: Two have the same name, or a name cannot stand in JSON.
        """
        self._paths: dict[str, Path] = {}
        self._states: dict[str, _State] = {}
        self._served: dict[str, ServedRun] = {}
        for path in paths:
            newest = find_newest(path)
            name = newest.resolve().name if newest == locate_run(path) else path.name
            if not name.isprintable():  # what is no UTF-8 is not printable either
                raise RequestError(f"a run is named {name!a}; rename the folder")
            if name in self._paths:
                raise RequestError(f"two runs are named {name}; rename the folder of one")
            self._paths[name] = path
            self._states[name] = _state(newest)
            self._served[name] = ServedRun.load(newest, name)

    def __iter__(self) -> Iterator[ServedRun]:
        return iter(self._served.values())

    def find(self, name: str | None) -> ServedRun | None:
        """Return the run of a name, or the first one for None; None if there is no such run."""
        return next(iter(self)) if name is None else self._served.get(name)

    @property
    def names(self) -> list[str]:
        """The names, the default first."""
        return list(self._served)

    def refresh(self) -> list[str]:
        """Load runs that are new or have changed, and return their names.

        A run that cannot be loaded leaves the one before in its place.
        """
        loaded = []
        for name, path in self._paths.items():
            newest = find_newest(path)
            state = _state(newest)
            if state == self._states[name]:
                continue
            self._states[name] = state
            try:
                served = ServedRun.load(newest, name)
            except (EmbedclfError, OSError) as error:
                log(run=name, error=str(error))
            else:
                self._served = {**self._served, name: served}
                loaded.append(name)
                log(run=name, loaded=str(newest))
        return loaded


def find_newest(path: Path) -> Path:
    """Return a run, or the run with the highest number of those that have a name.

    A path that leads to neither is returned as it is, for `Run.open` to report.
    """
    located = locate_run(path)
    if (located / RECORD_FILE).is_file():
        return located
    places = [located, RUNS_DIRECTORY / path] if len(path.parts) == 1 else [located]
    for place in places:
        runs = place.parent.glob(f"{glob.escape(place.name)}-*/{RECORD_FILE}")
        named = [(*split_name(file.parent), file.parent) for file in runs]
        numbers = {number: run for number, name, run in named if name == place.name}
        if numbers:
            return numbers[max(numbers)]
    return located


def _state(run: Path) -> _State:
    """Return where a run is, and the states of the files that change when it is replaced."""
    state: list[object] = [run]
    for name in (RECORD_FILE, METRICS_FILE):
        try:
            found = os.stat(run / name)
        except OSError:
            state.append(None)
        else:
            state.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(state)
