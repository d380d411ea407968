"""Measure `embedclf serve` beside an echo of Starlette with the same settings of uvicorn.

A run is trained on data/reviews.csv and served by one worker. `wrk`, which Debian has, asks both
servers in turn, as fast as they answer. Then requests come at half of that rate, and their times
are those that a client sees. CPU time is that of the server's process alone.

Last, the run is replaced by newer ones under load, and the server is ended while it answers.

    python -m tests.benchmarks.serving [--seconds 5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import uvloop

from tests.benchmarks.processes import embedclf, environment
from tests.benchmarks.serving_client import Answered, ask_at_rate, ask_together
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "A wonderful little place with friendly staff, we will come back soon"
FEW, MANY = 10_000, 200_000
"""Requests after which memory is compared."""

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

_ECHO = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def echo(request):
    return Response(await request.body(), media_type="application/json")
app = Starlette(routes=[Route("/predict", echo, methods=["POST"])])
listening = socket.create_server(("127.0.0.1", 0))
print(f"serving at http://127.0.0.1:{listening.getsockname()[1]}/", file=sys.stderr, flush=True)
config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none")
uvicorn.Server(config).run([listening])
"""


@dataclass
class Server:
    """A process that serves, and what was measured of it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    rates: list[float] = field(default_factory=list)
    """Requests per second."""
    cpu: list[float] = field(default_factory=list)
    """Microseconds per request."""
    requests: int = 0

    @property
    def cpu_seconds(self) -> float:
        """Seconds of the processor that the process has used."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    @property
    def megabytes(self) -> float:
        """Memory that the process has now."""
        found = re.search(r"VmRSS:\s+(\d+) kB", self._read("status"))
        assert found is not None
        return int(found[1]) / 1000

    def load(self, seconds: int, script: Path) -> None:
        """Ask as fast as the server answers."""
        began = self.cpu_seconds
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", script]
        command.append(f"http://127.0.0.1:{self.port}/predict")
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            sys.exit(done.stdout)
        requests = int(re.findall(r"(\d+) requests in", done.stdout)[0])
        self.requests += requests
        self.cpu.append((self.cpu_seconds - began) / requests * 1e6)
        self.rates.append(float(re.findall(r"Requests/sec:\s*([\d.]+)", done.stdout)[0]))

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="ascii")


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=5, help="of load in a round")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        print("skipped: wrk is missing; on Debian: apt-get install wrk")
        return
    with tempfile.TemporaryDirectory(prefix="serving-") as name:
        folder = Path(name)
        run = folder / "reviews-1"
        embedclf("train", ROOT / "data" / "reviews.csv", "-q", "--no-baseline", "-o", run)
        body = json.dumps({"text": TEXT})
        script = folder / "post.lua"
        script.write_text(f"wrk.method = 'POST'\nwrk.body = '{body}'\n", encoding="utf-8")
        embedclf_serve = (sys.executable, "-m", "embedclf", "serve", folder / "reviews", "--port=0")
        with (
            serving(folder / "embedclf.log", *embedclf_serve) as server,
            serving(folder / "echo.log", sys.executable, "-c", _ECHO) as echo,
        ):
            _measure(server, echo, script, asked.seconds, asked.rounds)
            few = server.megabytes
            while server.requests < MANY:
                server.load(asked.seconds, script)
            print(f"\nmemory after {FEW:,} requests {few:.0f} MB, ", end="")
            print(f"after {server.requests:,} {server.megabytes:.0f} MB")
            uvloop.run(_replace_and_end(server, run, body.encode()))


def _measure(server: Server, echo: Server, script: Path, seconds: int, rounds: int) -> None:
    """Load both servers in turn, and print what they took."""
    servers = {"embedclf serve": server, "echo of Starlette": echo}
    for each in servers.values():
        each.load(1, script)  # until Python has specialized its code
        each.rates.clear()
        each.cpu.clear()
    while server.requests < FEW or len(server.rates) < rounds:
        for each in servers.values():
            each.load(seconds, script)
    print("| | requests/s | CPU per request | p50 | p99 |\n|---|---|---|---|---|")
    body = json.dumps({"text": TEXT}).encode()
    for name, each in servers.items():
        rate = statistics.median(each.rates)
        answered = uvloop.run(ask_at_rate(each.port, body, rate / 2, FEW))
        times = sorted(1000 * seconds for seconds in answered.seconds)
        middle, high = times[len(times) // 2], times[len(times) * 99 // 100]
        cpu = statistics.median(each.cpu)
        print(f"| {name} | {rate:,.0f} | {cpu:.0f} μs | {middle:.2f} ms | {high:.2f} ms |")


async def _replace_and_end(server: Server, run: Path, body: bytes) -> None:
    """Replace the run under load, then end the server while it answers; print what was lost."""
    first = await ask_at_rate(server.port, body, 100.0, 1)
    expected = next(iter(first.bodies))
    rate = statistics.median(server.rates) / 4
    replacing = asyncio.create_task(_replace(run))
    answered = await ask_at_rate(server.port, body, rate, FEW)
    replacing.cancel()
    replaced = server.log.read_text(encoding="utf-8").count('"loaded":')
    wrong = sum(count for each, count in answered.bodies.items() if each != expected)
    print(f"{FEW:,} requests while the run was replaced {replaced} times: ", end="")
    print(f"{answered.lost} lost, {wrong} wrong")
    texts = json.dumps({"texts": [TEXT] * 1000}).encode()
    asking = asyncio.create_task(ask_together(server.port, texts, 8))
    began = server.cpu_seconds
    while server.cpu_seconds < began + 0.05:  # the answers have begun
        await asyncio.sleep(0.001)
    server.process.send_signal(signal.SIGTERM)
    last: Answered = await asking
    status = server.process.wait()
    print(f"8 requests of 1,000 texts at SIGTERM: {last.lost} lost, exit status {status}")


async def _replace(run: Path) -> None:
    """Make a newer run every few seconds, in one step."""
    for number in range(2, 1000):
        copy = shutil.copytree(run, run.with_name(f".copy-{number}"))
        copy.rename(run.with_name(f"reviews-{number}"))
        await asyncio.sleep(2.5)


@contextmanager
def serving(log: Path, *command: object) -> Iterator[Server]:
    """Start a server, and end it at the end of the block."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            list(map(str, command)), stderr=errors, env={**environment(), "PYTHONPATH": str(ROOT)}
        )
    try:
        with log.open(encoding="utf-8") as lines:
            yield Server(process, _port(process, lines), log)
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], lines: IO[str]) -> int:
    """Wait until a server listens, and return its port."""
    read = ""
    while process.poll() is None:
        read += lines.read()
        if found := re.search(r"serving at http://127.0.0.1:(\d+)/", read):
            return int(found[1])
        time.sleep(0.05)
    sys.exit(read)


if __name__ == "__main__":
    main()
