"""Tasks on a cluster: few at once, none kept, and done again if their worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.cluster.connection import connect
from embedclf.cluster.task_queue import TaskQueue
from embedclf.errors import DataError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def double(number: int) -> int:
    return 2 * number


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse(number: int) -> None:
    raise DataError(f"{number}: refused")


def time_out(number: int) -> None:
    raise TimeoutError(f"of task {number}")


def kill_if_first(number: int, folder: Path) -> int:
    """Kill this worker if it is the first task."""
    if number == 0:
        (folder / f"{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def kill_all_once(number: int, folder: Path) -> int:
    """Kill this worker as soon as two are here, unless two were killed before."""
    if len(list(folder.iterdir())) < 2:
        (folder / f"{os.getpid()}").touch()
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_after_result(number: int, file: Path) -> int:
    """Kill this worker, the first time when the result is known, but may not have been sent."""
    if not file.exists():
        file.touch()
        threading.Timer(0.002, os._exit, (1,)).start()
    return number


@pytest.fixture
def impatient(client: Any) -> Iterator[Any]:
    """A cluster that gives up a task as soon as it has lost a worker."""
    scheduler = client.cluster.scheduler
    before = scheduler.allowed_failures
    scheduler.allowed_failures = 0
    yield client
    scheduler.allowed_failures = before
    client.wait_for_workers(2)


def test_few_tasks_are_submitted_at_once_and_none_is_kept(client: Any) -> None:
    queue, ended, ahead, kept = TaskQueue(client), [], [], []
    taken = 0

    def arguments() -> Iterator[tuple[int]]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield (number,)

    for number, value, killed in queue.stream(double, arguments()):
        ended.append((number, value, killed))
        ahead.append(taken - len(ended))
        kept.append(len(client.futures))
    assert sorted(ended) == [(number, 2 * number, False) for number in range(100)]
    assert max(ahead) < 3 * queue.threads
    assert max(kept) <= 3 * queue.threads + 1
    assert queue.worker_peak > 1e7


def test_results_are_in_the_order_of_the_arguments_each_from_the_same_worker(client: Any) -> None:
    queue = TaskQueue(client)
    arguments = [(number,) for number in range(8)]
    first, second = (queue.run(process_of, arguments) for _ in range(2))
    assert [number for number, _ in first] == list(range(8))
    assert len({process for _, process in first}) == 2
    assert first == second


def test_tasks_are_done_although_all_workers_were_killed_at_once(
    client: Any, tmp_path: Path
) -> None:
    arguments = [(number, tmp_path) for number in range(4)]
    assert TaskQueue(client).run(kill_all_once, arguments) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 2
    client.wait_for_workers(2)


def test_tasks_are_done_again_whose_result_is_lost_with_the_only_worker(tmp_path: Path) -> None:
    with connect("local:1") as client:
        arguments = [(number, tmp_path / "died") for number in range(3)]
        assert TaskQueue(client).run(die_after_result, arguments) == [0, 1, 2]


def test_a_time_limit_of_a_task_is_its_fault(client: Any) -> None:
    with pytest.raises(TimeoutError, match=r"^of task 3$"):
        TaskQueue(client).run(time_out, [(3,)])


def test_a_fault_of_a_task_is_raised(client: Any) -> None:
    with pytest.raises(DataError, match=r"^3: refused$"):
        TaskQueue(client).run(refuse, [(3,)])


def test_a_task_that_kills_its_worker_is_given_up_and_the_others_end(
    impatient: Any, tmp_path: Path
) -> None:
    arguments = [(number, tmp_path) for number in range(20)]
    ended = sorted(TaskQueue(impatient).stream(kill_if_first, arguments))
    assert [each.number for each in ended] == list(range(20))
    # Others may have waited on the same worker
    assert [each.number for each in ended if each.killed] == [0]
    assert all(each.value == each.number for each in ended if not each.killed)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_of_a_training_is_given_up_after_six_kills(impatient: Any, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^a task has killed its worker again and again; "):
        TaskQueue(impatient).run(kill_if_first, [(0, tmp_path)])
    assert len(list(tmp_path.iterdir())) == 6
