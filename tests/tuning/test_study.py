"""Studies: what is sampled, stored, pruned, shared between processes, and abandoned."""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from embedclf.config.fields import Range
from embedclf.errors import TuningError
from embedclf.tuning.optuna_trials import locked
from embedclf.tuning.study import Study, open_study, stored_metric

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.tuning.optuna_trials import RunningTrial
    from embedclf.tuning.space import Settings, Space, Trial

SPACE: Space = {
    "rate": Range(low=0.001, high=1.0, log=True),
    "pooling": ["a", "b", None],
    "noise": [[1], [2]],
}
BASELINE: Settings = {"rate": 0.5, "pooling": None, "noise": [2]}
IDENTITY = {"table": "x", "metric": "accuracy"}

WORKER = """
import sys
from pathlib import Path
from tests.tuning.test_study import start, study_in
with study_in(Path(sys.argv[1])) as study:
    print(start(study).number, flush=True)
    sys.stdin.read()
"""
"""A process that works on a trial until it is killed."""

KILLED = """
import os
import signal
import sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tests.tuning.test_study import search, study_in
left = int(sys.argv[2])
def step(*arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
def execute(connection, cursor, statement, *others):
    if not statement.startswith(("SELECT", "PRAGMA")):
        step()
event.listen(Engine, "before_cursor_execute", execute)
event.listen(Engine, "commit", step)
with study_in(Path(sys.argv[1])) as study:
    search(study, 4)
"""
"""A search that kills itself before it changes the database for the nth time."""

WAITER = """
import sys
from pathlib import Path
from embedclf.tuning.optuna_trials import locked
sys.addaudithook(
    lambda _, args: sys.argv[1] in str(args[:1]) and print("waiting", flush=True)
)
with locked(Path(sys.argv[1])):
    pass
"""
"""Reports when it opens the lock of a study, just before it waits for it."""


def study_in(
    folder: Path, *, space: Space = SPACE, **identity: str
) -> AbstractContextManager[Study]:
    return open_study(folder, IDENTITY | identity, space=space, lower_is_better=False, seed=3)


def start(study: Study, max_trials: int | None = None) -> RunningTrial | None:
    baseline = {key: BASELINE[key] for key in study.space}
    return study.start_trial(baseline, lambda settings: settings, max_trials)


def score_of(settings: Settings) -> float:
    rate: float = settings["rate"]
    return rate + (0.01 if settings["pooling"] == "a" else 0.0)


def search(study: Study, max_trials: int) -> list[Trial]:
    ended = []
    while (running := start(study, max_trials)) is not None:
        ended.append(running.complete(score_of(running.settings), loss=1.0))
    return ended


def test_the_first_trial_is_the_config_and_the_best_one_is_found(tmp_path: Path) -> None:
    with study_in(tmp_path / "s") as study:
        assert study.best() is None
        ended = search(study, 15)
        assert ended[0].settings == BASELINE
        assert [trial.number for trial in ended] == list(range(1, 16))
        assert study.trials() == ended
        best = study.best()
        assert best is not None
        assert best.score == max(score_of(trial.settings) for trial in ended) > score_of(BASELINE)
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == [".lock", "study.db"]


def test_importance_needs_enough_trials(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        search(study, 9)
        assert study.importance() is None
        search(study, 20)
        importance = study.importance()
    assert importance is not None
    assert next(iter(importance)) == "rate"
    assert sum(importance.values()) == pytest.approx(1.0)


def test_a_study_resumes_as_if_it_had_never_been_closed(tmp_path: Path) -> None:
    with study_in(tmp_path / "whole") as study:
        whole = search(study, 12)
    resumed = []
    for max_trials in (3, 3, 12):
        with study_in(tmp_path / "resumed") as study:
            resumed += search(study, max_trials)
    assert resumed == whole
    assert stored_metric(tmp_path / "resumed") == "accuracy"
    assert stored_metric(tmp_path / "none") is None


def test_ties_go_to_the_lower_loss_and_then_to_the_first_trial(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        for loss in (0.5, 0.3, 0.3):
            running = start(study)
            assert running is not None
            running.complete(0.8, loss=loss)
        best = study.best()
    assert best is not None
    assert best.number == 2


def test_a_trial_is_pruned_only_if_its_loss_is_high(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        for loss in (0.5, 0.4, 0.3, 0.6, 0.2):
            running = start(study)
            assert running is not None
            assert not any(running.should_prune(epoch, loss) for epoch in (1, 2, 3))
            running.complete(1 - loss, loss=loss)
        bad, good = start(study), start(study)
        assert bad is not None
        assert good is not None
        assert [bad.should_prune(epoch, 0.9) for epoch in (1, 2)] == [False, True]
        assert not any(good.should_prune(epoch, 0.3) for epoch in (1, 2, 3))
        ended = bad.prune(epochs=2, loss=0.9)
        assert (ended.state, ended.score, ended.is_finished) == ("pruned", None, True)


def test_a_trial_that_cannot_be_trained_says_why(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        running = start(study)
        assert running is not None
        ended = running.prune(reason="too large")
        assert (ended.state, ended.reason, ended.is_finished) == ("failed", "too large", True)


def test_the_settings_of_an_abandoned_trial_come_first_and_it_does_not_count(
    tmp_path: Path,
) -> None:
    with study_in(tmp_path) as study:
        search(study, 2)
        running = start(study, 3)
        assert running is not None
        running.abandon()
        again = start(study, 3)
        assert again is not None
        assert again.settings == running.settings
        assert start(study, 3) is None
        again.complete(0.1, loss=1.0)
        states = [trial.state for trial in study.trials()]
        assert states == [*["complete"] * 2, "given up", "complete"]


def test_a_finished_trial_cannot_be_abandoned(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        running = start(study)
        assert running is not None
        ended = running.complete(0.5, loss=1.0)
        running.abandon()
        assert study.trials() == [ended]
        following = start(study)
        assert following is not None
        assert following.settings != running.settings


def test_two_searches_share_the_work_and_leave_each_other_s_trials_alone(tmp_path: Path) -> None:
    with study_in(tmp_path) as first, study_in(tmp_path) as second:
        one, other = start(first), start(second)
        assert one is not None
        assert other is not None
        assert {one.number, other.number} == {1, 2}
        third = start(first)
        assert third is not None
        assert [trial.state for trial in second.trials()] == ["running"] * 3
        for running in (one, other, third):
            running.complete(0.5, loss=1.0)
        with ThreadPoolExecutor(2) as pool:
            searches = [pool.submit(search, study, 12) for study in (first, second)]
            ended = [trial.number for searched in searches for trial in searched.result()]
        assert sorted(ended) == list(range(4, 13))
        assert not first.leave()
        assert second.leave()


def test_the_trial_of_a_closed_study_is_tried_again(tmp_path: Path) -> None:
    with left_running(tmp_path) as settings, study_in(tmp_path) as study:
        again = start(study, 1)
        assert again is not None
        assert again.settings == settings
        assert [trial.state for trial in study.trials()] == ["given up", "running"]


@contextmanager
def left_running(folder: Path) -> Iterator[Settings]:
    """A study that was closed while a trial was running."""
    with study_in(folder) as study:
        running = start(study)
        assert running is not None
    yield running.settings


def test_a_killed_process_loses_its_trial_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "a ? b%20"
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"1\n"
        with study_in(folder) as study:
            assert not study.leave()
            assert start(study, 1) is None
        worker.kill()
        worker.wait()
    with study_in(folder) as study:
        again = start(study, 1)
        assert again is not None
        assert again.settings == BASELINE
        assert study.leave()
    assert sorted(file.name for file in folder.iterdir()) == [".lock", "study.db"]


def test_a_second_thread_waits_for_the_lock(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITER, str(tmp_path)]
    with (
        locked(tmp_path),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode
    assert "KeyboardInterrupt" in error


def test_locks_that_an_older_version_made_as_databases_still_work(tmp_path: Path) -> None:
    for name in (".lock", ".finish", ".process-0123.lock"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute("create table old (number)")
    with study_in(tmp_path) as study:
        assert len(search(study, 2)) == 2
        assert study.leave()
        with study.finishing():
            pass
    assert not list(tmp_path.glob(".process-*"))


def test_optuna_logs_nothing_and_keeps_the_level_of_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    level = optuna.logging.get_verbosity()
    with study_in(tmp_path) as study:
        running = start(study)
        assert running is not None
        running.complete(0.5, loss=1.0)
        running.abandon()
    assert optuna.logging.get_verbosity() == level <= logging.INFO
    assert capsys.readouterr() == ("", "")


def test_a_search_ends_when_all_combinations_are_tried(tmp_path: Path) -> None:
    space: Space = {"pooling": ["a", None], "noise": [[1], [2]]}
    settings = []
    with study_in(tmp_path, space=space) as study:
        while (running := start(study, 500)) is not None:
            settings.append(str(running.settings))
            running.complete(0.5, loss=1.0)
    assert len(set(settings)) == 4
    assert set(settings[:-1]) != set(settings)


@pytest.mark.parametrize(
    ("identity", "difference"), [({"table": "y"}, "table"), ({"metric": "f1"}, "metric")]
)
def test_the_study_of_something_else_is_refused(
    tmp_path: Path, identity: dict[str, Any], difference: str
) -> None:
    with study_in(tmp_path):
        pass
    with (
        pytest.raises(
            TuningError, match=f"this study has another {difference}; name another folder"
        ),
        study_in(tmp_path, **identity),
    ):
        pass


def test_a_folder_that_cannot_hold_a_study_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"what is this" * 100)
    with (
        pytest.raises(TuningError, match=r"study\.db: file is not a database; "),
        study_in(tmp_path),
    ):
        pass
    with (
        pytest.raises(TuningError, match="name a writable folder with -o"),
        study_in(tmp_path / "study.db"),
    ):
        pass
    (tmp_path / "s" / ".lock").mkdir(parents=True)
    with (
        pytest.raises(TuningError, match=r"\.lock: Is a directory; name a writable folder"),
        study_in(tmp_path / "s"),
    ):
        pass


def test_a_search_that_was_killed_at_any_step_draws_what_an_unbroken_one_draws(
    tmp_path: Path,
) -> None:
    with study_in(tmp_path / "whole") as study:
        whole = [(trial.settings, trial.score) for trial in search(study, 4)]
    # While the database is created, the first trial is drawn, and a later one is trained.
    for killed_after in (2, 70, 95):
        folder = tmp_path / str(killed_after)
        command = [sys.executable, "-c", KILLED, str(folder), str(killed_after)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        with study_in(folder) as study:
            search(study, 4)
            ended = [(trial.settings, trial.score) for trial in study.trials() if trial.is_finished]
        assert ended == whole
        assert sorted(file.name for file in folder.iterdir()) == [".lock", "study.db"]
