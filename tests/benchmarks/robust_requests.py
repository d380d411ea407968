"""Hostile requests for `embedclf serve`: broken HTTP, wrong lengths, odd headers, broken JSON.

A service runs for all cases. A case is a handful of requests, each on a connection of its own.
After them, the service must still answer a usual request as before.
"""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tests.benchmarks.robust_damage import HOSTILE_NAMES, damage
from tests.benchmarks.robust_inputs import MOST_MEGABYTES, Case
from tests.conftest import ROOT, reviews

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = "requests"
"""Name of the attack."""

_IN_A_CASE = 20
_MOST_SECONDS = 5.0
"""Of the processor for a case; the service waits for a request for half a second."""

_USUAL = b'{"text": "a lovely hotel"}'

_METHODS = ("POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD", "CONNECT", "PRI", "x", "POST ")

_PATHS = (
    *("/predict", "/predict", "/predict", "/v2/models/binary/infer", "/v2/models/binary"),
    *("/", "/docs", "/metrics", "/health/ready", "/predict/", "//", "*", "http://x/predict"),
    *(
        "/predict?a=%00",
        "/%70redict",
        "/predict#a",
        "/..",
        "/v2/models/%ff/infer",
        "/" + "a" * 9000,
    ),
    "/v2/models/%2e%2e%2f/ready",
)

_HEADERS = (
    *("Host: attacker.example", "Host: [::1", "Host: a, b", "Host:", "Connection: close"),
    *("Connection: upgrade\r\nUpgrade: websocket", "Upgrade: h2c\r\nConnection: Upgrade"),
    *(
        "Expect: 100-continue",
        "Authorization: Bearer \xff",
        "X-Request-ID: a\tb",
        "A: \x00",
        "A\x01: b",
    ),
    *("X-Request-ID: " + "a" * 70_000, "Content-Type: text/xml", "Content-Encoding: gzip", " a: b"),
    *("Transfer-Encoding: gzip, chunked", "Content-Length: 5", "Content-Length: -1", "A: b\nC: d"),
    "A: b\r\n" * 3000 + "C: d",
)

_VALUES = (
    *("null", "true", "0", "-1", "1e999", "9" * 5000, "1" + "0" * 400, "-0.0", "NaN", '"\\ud800"'),
    *('"\\u0000"', '"a"', '"' + "a" * 60_000 + '"', "[" * 5000, '{"a":' * 5000, "[]", "{}", '""'),
    *('["a", "b"]', '[["a"], ["b"]]', "[1, null]", '["\\udfff\\ud800"]', '[{"text": "a"}]'),
    *('[{"text": [1]}, {}]', '["' + '", "'.join("a" * 500) + '"]', '"binary"', '"text"', '"BYTES"'),
)

_KEYS = (
    *("text", "texts", "records", "run", "top_k", "explain", "inputs", "outputs", "id", "name"),
    *("shape", "datatype", "data", "parameters", "a"),
)


@dataclass
class Service:
    """A service that all cases share."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    usual: bytes
    """The answer to a usual request."""

    def send(self, request: bytes, *, ends: bool) -> bytes:
        """Send bytes, and return all that comes back.

        Args:
            request: The bytes.
            ends: Whether nothing more comes after them; else the service has to end it.
        """
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            try:
                connection.sendall(request)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(1 << 16):
                    received += more
            except TimeoutError:
                raise
            except OSError:  # closed by the service while it still gets bytes
                return received
        return received

    def used(self) -> tuple[float, float]:
        """Return the seconds of the processor so far, and the megabytes at the peak."""
        folder = Path(f"/proc/{self.process.pid}")
        if not folder.exists():  # not on Linux
            return 0.0, 0.0
        fields = (folder / "stat").read_text("ascii").rpartition(")")[2].split()
        peak = re.search(r"VmHWM:\s+(\d+)", (folder / "status").read_text("ascii"))
        ticks = int(fields[11]) + int(fields[12])
        return ticks / 100, int(peak[1]) / 1000 if peak else 0.0


def send_hostile(kind: str, number: int, project: Path, folder: Path) -> Case:
    """Send hostile requests to the service, and a usual one."""
    rng = random.Random(f"{kind} {number}")  # noqa: S311 - cases, no secrets
    with _lock:  # the time of a case is that of the service since it began
        service = _service_of(project)
        began, _ = service.used()
        faults = [fault for _ in range(_IN_A_CASE) for fault in _attack(service, rng)]
        ended, megabytes = service.used()
    if ended - began > _MOST_SECONDS:
        faults.append(f"{ended - began:.1f} s")
    if megabytes > MOST_MEGABYTES:
        faults.append(f"{megabytes:.0f} MB")
    if faults:
        folder.mkdir()
        (folder / "faults").write_text("\n".join(faults), encoding="utf-8")
    return Case(faults, ended - began, megabytes)


def close_service() -> None:
    """End the service."""
    while _started:
        service = _started.pop()
        service.process.terminate()
        service.process.wait()


_started: list[Service] = []

_lock = Lock()


def _service_of(project: Path) -> Service:
    """Return the service, which is started at the first case."""
    if not _started:
        log = project / "serve.log"
        command = (sys.executable, "-m", "embedclf", "serve", project / "runs" / "binary")
        options = ("--port=0", "--timeout=0.5", "--max-body=200kB", "--max-rows=100")
        with log.open("wb") as errors:
            process = subprocess.Popen([*map(str, command), *options], stderr=errors, cwd=ROOT)
        while not (found := re.search(r"http://127.0.0.1:(\d+)/", log.read_text("utf-8"))):
            if process.poll() is not None:
                raise RuntimeError(log.read_text("utf-8"))
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        service = Service(process, int(found[1]), log, b"")
        service.usual = service.send(_request("POST", "/predict", [], _USUAL), ends=True)
        _started.append(service)
    return _started[0]


def _attack(service: Service, rng: random.Random) -> Iterator[str]:
    """Send a hostile request; yield what it broke."""
    request = hostile_request(rng)
    log_began = service.log.stat().st_size
    try:
        received = service.send(request, ends=rng.random() < 0.97)
        usual = service.send(_request("POST", "/predict", [], _USUAL), ends=True)
    except OSError as error:
        yield f"{error!r} [{request[:300]!r}]"
        return
    statuses = re.findall(rb"^HTTP/1.1 (\d+)", received, re.MULTILINE)
    if any(status >= b"500" for status in statuses):
        yield f"status {statuses} [{request[:300]!r}]"
    if received and not statuses:
        yield f"answered {received[:100]!r} [{request[:300]!r}]"
    if _content(usual) != _content(service.usual):
        yield f"another answer after [{request[:300]!r}]"
    with service.log.open("rb") as log:
        log.seek(log_began)
        for line in log:
            if b'"frames"' in line or not line.startswith(b"{"):
                yield f"log: {line[:300]!r} [{request[:300]!r}]"


def _content(answer: bytes) -> bytes:
    """Return the body of an answer; its headers have a date and an id."""
    return answer.partition(b"\r\n\r\n")[2]


def hostile_request(rng: random.Random) -> bytes:
    """Make a request that has one or several faults."""
    body = _body(rng)
    if rng.random() < 0.2:
        body = damage(rng, body)
    headers = rng.choices(_HEADERS, k=rng.choice((0, 0, 1, 2)))
    method = rng.choice(_METHODS) if rng.random() < 0.3 else "POST"
    frame = rng.choice((_request, _request, _request, _chunked, _with_wrong_length))
    request = frame(method, rng.choice(_PATHS), headers, body)
    if rng.random() < 0.2:
        request = damage(rng, request)
    return request * rng.choice((1, 1, 1, 1, 2, 30))


def _body(rng: random.Random) -> bytes:
    """Return JSON with hostile values, or something else."""
    if rng.random() < 0.1:
        return rng.choice((b"", b"\xef\xbb\xbf{}", rng.randbytes(200), b"\0" * 100, _USUAL * 2))
    keys = rng.choices(_KEYS, k=rng.choice((1, 1, 2, 3, 6)))
    values = {key: rng.choice(_VALUES) for key in keys}
    if rng.random() < 0.3:
        texts = [text for text, _ in reviews(40)] + [*HOSTILE_NAMES]
        values["texts"] = json.dumps(rng.choices(texts, k=rng.choice((1, 20, 100))))
    if rng.random() < 0.2:
        tensor = f'"name": "text", "datatype": "BYTES", "shape": {rng.choice(_VALUES)}'
        values["inputs"] = f'[{{{tensor}, "data": {rng.choice(_VALUES)}}}]'
    return ("{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}").encode()


def _request(method: str, path: str, headers: list[str], body: bytes) -> bytes:
    return _head(method, path, [*headers, f"Content-Length: {len(body)}"]) + body


def _with_wrong_length(method: str, path: str, headers: list[str], body: bytes) -> bytes:
    lengths = (0, 1, len(body) // 2, len(body) + 7, 10**9, 2**64, "1e3", "0x10", "+5", "")
    length = lengths[len(path) % len(lengths)]
    return _head(method, path, [*headers, f"Content-Length: {length}"]) + body


def _chunked(method: str, path: str, headers: list[str], body: bytes) -> bytes:
    size = max(1, len(body) // 3)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    end = b"0\r\nTrailer: a\r\n\r\n" if len(body) % 3 else b""
    return _head(method, path, [*headers, "Transfer-Encoding: chunked"]) + chunks + end


def _head(method: str, path: str, headers: list[str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")
