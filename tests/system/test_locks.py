"""Locks: one holder at a time, and none that is dead."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from embedclf.system.locks import held, is_held, remove

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from embedclf.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_while_its_block_runs(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert not is_held(file)
    with held(file):
        assert is_held(file)
    assert not is_held(file)
    remove(file)
    assert not list(tmp_path.iterdir())


def test_a_second_one_waits_for_the_first(tmp_path: Path) -> None:
    file, order = tmp_path / "lock", []

    def second() -> None:
        with held(file):
            order.append("second")

    with held(file):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_waiting(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    waiter = [sys.executable, "-c", f"print('begun', flush=True)\n{HOLDER}", str(file)]
    with held(file), subprocess.Popen(waiter, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)  # whether it waits by now, or imports still, does not matter
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode
    assert "KeyboardInterrupt" in told


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a ? b%20.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_held(file)
        holder.kill()
        holder.wait()
    with held(file):
        pass
    remove(file)
    assert not list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_made_is_an_error_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no/lock"), held(tmp_path / "no" / "lock"):
        pass
