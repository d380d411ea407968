"""The runs that a study makes of its best trial: one for each test table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf import training
from embedclf.data import sha256
from embedclf.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.schema import Config
    from embedclf.studies import Study
    from embedclf.trials import Trial

_NOTED = "best runs"
"""What they are noted under in a study."""
_UNTRAINED = "all trials are kept; the same command trains the best config"


def best_run(
    study: Study, best: Trial, config: Config, *, name: str, tell: Callable[[Any], None]
) -> Run:
    """The run of a trial that was scored on the test table: the one that there is, or a new one.

    Args:
        study: Notes it.
        best: The trial.
        config: Its config.
        name: Of the run, if one is trained.
        tell: Called with what there is to say on the way.

    Raises:
        KeyboardInterrupt: Ctrl-C; nothing of the study is lost.
    """
    runs, wanted = _noted(study), (best.number, _test(config))
    for trial, test, place in runs:
        if (trial, test) == wanted and Path(place).is_dir():
            return Run.open(Path(place))
    try:
        run = training.train(config, name=name, tell=tell)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_UNTRAINED) from None
    trial = None if run.interrupted else best.number
    test = run.record["data"].get("test", {}).get("sha256")
    study.note(_NOTED, [*runs, (trial, test, str(run.path.absolute()))])
    if run.interrupted:
        raise KeyboardInterrupt(f"{run.path} holds the epochs until then; {_UNTRAINED}")
    return run


def looks(study: Study, config: Config) -> int:
    """How many runs of the study have been scored on the test table."""
    wanted = _test(config)
    return sum(wanted is not None and test == wanted for _, test, _ in _noted(study))


def _noted(study: Study) -> list[tuple[int | None, str | None, str]]:
    """Trial, SHA-256 of the test table, path; no trial where Ctrl-C ended the training."""
    return [(trial, test, place) for trial, test, place in study.noted(_NOTED) or []]


def _test(config: Config) -> str | None:
    """SHA-256 of the test table, if there is one."""
    return None if config.data.test is None else sha256(config.data.test)
