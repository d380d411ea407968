"""The connection to a scheduler that somebody else has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import dask
import pytest

from embedclf import __version__
from embedclf.cluster.connection import connect, local_threads
from embedclf.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


def wait_for_address(file: Path) -> str:
    """Return the address in the file that a scheduler writes once it listens."""
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_bytes().endswith(b"}")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    address: str = json.loads(file.read_bytes())["address"]
    return address


def test_a_process_that_dask_has_given_up_is_started_again() -> None:
    # As on a busy machine, where it does not start again in time
    impatience = {"distributed.deploy.lost-worker-timeout": "1ms"}
    with connect("local:1") as client, dask.config.set(impatience):
        killed = client.submit(os.getpid).result()
        os.kill(killed, signal.SIGKILL)
        assert client.submit(os.getpid, pure=False).result(timeout=60) != killed


def test_the_threads_of_local_processes_are_known_while_one_starts_again() -> None:
    address = "local:2"
    with connect(address) as client:
        threads = sum(client.nthreads().values())
        killed = client.submit(os.getpid).result()
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(client.nthreads()) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert local_threads(address) == threads
    assert local_threads("tcp://127.0.0.1:8786") is None


def test_a_scheduler_with_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "embedclf-0.0.1.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: embedclf\nVersion: 0.0.1\n"
    (tmp_path / "embedclf-0.0.1.dist-info" / "METADATA").write_text(metadata)
    file = tmp_path / "scheduler.json"
    command = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard",
               "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file)  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as scheduler:
        try:
            address = wait_for_address(file)
            with pytest.raises(RequestError) as caught, connect(address):
                pass
        finally:
            scheduler.kill()
    assert str(caught.value) == (
        f"--cluster {address}: the scheduler has embedclf 0.0.1; install embedclf {__version__} "
        "there, the version of this command"
    )
