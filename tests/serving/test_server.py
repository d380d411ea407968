"""The command: what it refuses, and a real process with requests, reloads and signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from tests.conftest import ROOT
from tests.serving.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


class Service:
    """A process of `embedclf serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").strip("/").rpartition(":")
        return host, int(port)

    def post(self, path: str, value: Any, token: str | None = None) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(value).encode())  # noqa: S310
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - this machine
            return json.load(answer)


@contextmanager
def serving(*arguments: object, port: int = 0, python: str = sys.executable) -> Iterator[Service]:
    """Start a service, by default at a free port; it ends with the block if it still runs."""
    command = [python, "-m", "embedclf", "serve", "--port", str(port), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            yield Service(process, _url(process.stderr))
        finally:
            process.kill()


def _url(log: IO[str]) -> str:
    lines = []
    for line in log:
        lines.append(line)
        if found := re.search(r"serving at (http://[\d.:]+/)", line):
            return found[1]
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_answers_and_ends_with_sigterm(workers: int, runs: dict[str, Run]) -> None:
    with serving(runs["binary"].path, "--workers", workers) as service:
        answer = service.post("predict", {"text": "a lovely hotel"})
        assert answer["predictions"][0]["prediction"] == "pos"
        with urllib.request.urlopen(service.url + "metrics") as metrics:  # noqa: S310
            assert b'embedclf_rows_total{run="binary-1"} 1.0' in metrics.read()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.stderr is not None
        log = service.process.stderr.read()
        assert service.process.wait() == 0
    lines = list(map(json.loads, log.splitlines()))
    assert [line["path"] for line in lines if "path" in line] == ["/predict", "/metrics"]


def test_requests_that_have_begun_are_answered_before_the_end(runs: dict[str, Run]) -> None:
    body = json.dumps({"texts": ["a lovely hotel, but rude and slow"] * 1000}).encode()
    with serving(runs["binary"].path) as service, ExitStack() as stack:
        connections = [HTTPConnection(*service.address) for _ in range(4)]
        for connection in connections:
            stack.callback(connection.close)
            connection.request("POST", "/predict", body)
        first = connections[0].getresponse()
        service.process.send_signal(signal.SIGTERM)
        for answer in (first, *(each.getresponse() for each in connections[1:])):
            assert answer.status == 200
            assert len(json.load(answer)["predictions"]) == 1000
        assert service.process.wait() == 0


def test_a_service_whose_log_nobody_reads_still_answers(runs: dict[str, Run]) -> None:
    with serving(runs["binary"].path) as service:
        assert service.process.stderr is not None
        service.process.stderr.close()
        for _ in range(3):
            answer = service.post("predict", {"text": "a lovely hotel"})
            assert answer["run"] == "binary-1"


def test_nothing_is_left_of_a_service_that_is_killed(
    runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(runs["binary"].path, "--workers", 2) as service:
        service.post("predict", {"text": "a lovely hotel"})
        service.process.kill()
        assert service.process.stderr is not None
        service.process.stderr.read()  # ends with the last worker
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(service.address)
        [left] = tmp_path.iterdir()
        with serving(runs["binary"].path, "--workers", 2, port=service.address[1]):
            assert left not in list(tmp_path.iterdir())


def test_what_is_slow_or_endless_ends_the_connection(runs: dict[str, Run]) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    chunks = head + b"Transfer-Encoding: chunked\r\n\r\n"
    length = b"Content-Length: 20\r\n\r\n"
    with serving(runs["binary"].path, "--timeout", 0.5, "--max-body", "1kB") as service:
        for sent, status in (
            (b"", b"408"),
            (head, b"408"),
            (head + length, b"408"),
            (head + length + b'{"text": ', b"408"),
            (chunks + b"400\r\n" + b" " * 1024 + b"\r\n", b"413"),
            (head + b"A: " + b"a" * 1_000_000, b"431"),
            (chunks + b"1;a=" + b"a" * 1_000_000, b"431"),
            (chunks + b"x", b"400"),
            (b"POST / HTTP/9\r\n\r\n", b"400"),
            (head.replace(b"predict", b"other") + length, b"404"),
        ):
            with socket.create_connection(service.address, timeout=60) as connection:
                with suppress(OSError):  # closed while it still reads
                    connection.sendall(sent)
                answer = _read(connection)
            assert not answer or answer.startswith(b"HTTP/1.1 " + status)
            assert not answer or b'"error": "the' in answer
            assert answer or len(sent) > 100_000
        assert service.post("predict", {"text": "a lovely hotel"})["run"] == "binary-1"


def _read(connection: socket.socket) -> bytes:
    """Read until the other side ends the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while more := connection.recv(1 << 16):
            received += more
    return received


def test_a_page_of_another_site_cannot_ask_a_local_service(runs: dict[str, Run]) -> None:
    with serving(runs["binary"].path, "--allowed-host", "texts.example") as service:
        for name, status in (("attacker.example", 421), ("Texts.example", 200), ("localhost", 200)):
            connection = HTTPConnection(*service.address)
            connection.request("GET", "/", headers={"Host": name})
            answer = connection.getresponse()
            assert answer.status == status
            assert status == 200 or b"--allowed-host" in answer.read()
            connection.close()


def test_a_service_behind_a_proxy_knows_its_path_and_its_token(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    (tmp_path / "token.txt").write_text(f"{TOKEN}\n", encoding="ascii")
    options = ["--root-path", "/reviews", "--token-file", tmp_path / "token.txt"]
    with serving(runs["binary"].path, *options) as service:
        with urllib.request.urlopen(service.url + "openapi.json") as document:  # noqa: S310
            assert json.load(document)["servers"] == [{"url": "/reviews"}]
        with pytest.raises(HTTPError, match="401"):
            service.post("predict", {"text": "a lovely hotel"})
        answer = service.post("predict", {"text": "a lovely hotel"}, token=TOKEN)
        assert answer["run"] == "binary-1"


def test_a_service_loads_neither_tensorflow_nor_pandas(runs: dict[str, Run]) -> None:
    program = f"""
import sys
from pathlib import Path
from embedclf.serving.app import create_app
from embedclf.serving.settings import Settings
create_app(Settings((Path({str(runs["binary"].path)!r}),)))
print(*{{"tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib"}} & {{*sys.modules}})
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "\n"


def test_a_port_in_use_is_reported(runs: dict[str, Run], invoke: Invoke) -> None:
    with serving(runs["binary"].path) as service:
        port = service.address[1]
        failed = invoke("serve", runs["binary"].path, "--port", port, status=2)
    assert failed.stderr.startswith(f"embedclf: --port {port}: ")
    assert "0 for a free one" in " ".join(failed.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid"),
        (["--max-body", "ten"], "'ten' is not a size such as 10MB"),
        (["--root-path", "x y"], "'x y' is not a path such as /reviews"),
        (["--token-file", "missing.txt"], "--token-file missing.txt: cannot be read"),
        (["--token-file", "short.txt"], "needs one token of at least 16 characters"),
    ],
)
def test_a_wrong_option_is_reported(
    arguments: list[str], fault: str, workplace: Path, runs: dict[str, Run], invoke: Invoke
) -> None:
    (workplace / "short.txt").write_text("abc\n", encoding="utf-8")
    failed = invoke("serve", runs["binary"].path, "--port", 0, *arguments, status=2)
    assert fault in " ".join(failed.stderr.split())


def test_a_run_that_does_not_exist_is_reported(workplace: Path, invoke: Invoke) -> None:
    del workplace
    assert "no such run" in invoke("serve", "other", "--port", 0, status=1).stderr


def test_a_missing_package_is_reported(
    runs: dict[str, Run], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    failed = invoke("serve", runs["binary"].path, status=2)
    assert "pip install 'embedclf[serve]'" in " ".join(failed.stderr.split())
