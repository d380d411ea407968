"""A scheduler and three workers with networks of their own, as on four machines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from embedclf.runs.run import Run
from tests.conftest import ROOT, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Invoke

WORKERS = 3
SCHEDULER = "tcp://10.77.0.1:8786"

IP = shutil.which("ip")


def call(*arguments: object) -> None:
    subprocess.run([str(each) for each in arguments], check=True, capture_output=True)


def inside(host: str, *arguments: object) -> list[str]:
    return [str(each) for each in (IP, "netns", "exec", host, *arguments)]


def join_network(host: str, number: int, switch: str) -> None:
    """Give a host a network of its own, with a cable to the switch."""
    cable, plug = f"{host}c", f"{host}p"
    call(IP, "netns", "add", host)
    call(IP, "link", "add", cable, "type", "veth", "peer", "name", plug, "netns", host)
    call(IP, "link", "set", cable, "netns", switch)
    call(*inside(switch, IP, "link", "set", cable, "master", "bridge", "up"))
    call(*inside(host, IP, "address", "add", f"10.77.0.{number}/24", "dev", plug))
    call(*inside(host, IP, "link", "set", plug, "up"))
    call(*inside(host, IP, "link", "set", "lo", "up"))


@pytest.fixture(scope="module")
def machines() -> Iterator[str]:
    """Run a scheduler and workers on hosts of their own; yields the host for the client."""
    if IP is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("networks of their own need root and ip")
    tag = f"e{os.getpid() % 100_000}"
    switch, client = f"{tag}s", f"{tag}h"
    hosts = [client, *(f"{tag}w{number}" for number in range(WORKERS))]
    with ExitStack() as stack:
        try:
            call(IP, "netns", "add", switch)
        except subprocess.CalledProcessError:
            pytest.skip("networks of their own cannot be made here")
        stack.callback(call, IP, "netns", "del", switch)
        call(*inside(switch, IP, "link", "add", "bridge", "type", "bridge"))
        call(*inside(switch, IP, "link", "set", "bridge", "up"))
        for number, host in enumerate(hosts, start=1):
            stack.callback(call, IP, "netns", "del", host)
            join_network(host, number, switch)
        commands = [
            inside(client, *dask("dask_scheduler", "--host", "10.77.0.1", "--no-dashboard"))
        ]
        commands += [
            inside(host, *dask("dask_worker", SCHEDULER, "--nthreads", 1, "--no-nanny"))
            for host in hosts[1:]
        ]
        for command in commands:
            process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        time.sleep(0.1)
        yield client


def dask(program: str, *arguments: object) -> tuple[object, ...]:
    return (sys.executable, "-m", f"distributed.cli.{program}", *arguments)


def test_three_machines_predict(
    machines: str, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    tables = tmp_path / "in"
    tables.mkdir()
    rows = [(text,) for text, _ in reviews(160)]
    for number in range(12):
        write_csv(tables / f"{number}.csv", ("text",), rows[number:])
    command = (sys.executable, "-m", "embedclf", "predict", tables, "--cluster", SCHEDULER,
               "-o", tmp_path / "out", "--run", runs["binary"].path)  # fmt: skip
    done = subprocess.run(
        inside(machines, *command), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rows in 12 parts written" in done.stderr
    for number in range(12):
        alone = tmp_path / "alone.csv"
        invoke("predict", tables / f"{number}.csv", "--run", runs["binary"].path, "-o", alone)
        assert (tmp_path / "out" / f"{number}.csv").read_bytes() == alone.read_bytes()


def test_three_machines_train(machines: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = reviews(300)
    for number in range(WORKERS):
        part = rows[number * 100 : (number + 1) * 100]
        write_csv(tmp_path / "in" / f"{number}.csv", ("text", "label"), part)
    (tmp_path / "config.yaml").write_text(
        "data: {train: in, text: text, label: label, validation: 0.2}\n"
        "model: {embedding_dim: 4}\n"
        "training: {epochs: 3, epochs_by: validation, refit: false}\n"
    )
    command = (sys.executable, "-m", "embedclf", "train", "config.yaml", "--cluster", SCHEDULER,
               "-o", tmp_path / "run")  # fmt: skip
    done = subprocess.run(
        inside(machines, *command), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = Run.open(tmp_path / "run")
    assert run.record["cluster"]["shards"] == WORKERS
    assert run.metrics()["validation"]["scores"]["accuracy"] > 0.9
    assert [file.name for file in tmp_path.glob(".*")] == []
