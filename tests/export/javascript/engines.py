"""JavaScript engines that run exports: Node.js and Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.export.exporter import ExportOptions, ExportSource
from embedclf.export.javascript.exporter import JavaScriptExporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.runs.run import Run
    from tests.serving.browser import Browser

NODE = shutil.which("node") or ""

in_node = pytest.mark.skipif(not NODE, reason="node is not installed")

_SCRIPT = Path(__file__).parent / "engine.mjs"


class Node:
    """A process of Node.js that answers until its input ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, folder: Path, method: str, rows: Sequence[Any]) -> list[Any]:
        """Call a method of the export in a folder for each row."""
        return self._ask({"folder": str(folder), "method": method, "rows": rows})

    def match(self, pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Return all matches of each expression in its text."""
        return self._ask({"matches": pairs})

    def _ask(self, request: dict[str, Any]) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        results: list[Any] = json.loads(self._process.stdout.readline())
        return results


class Chromium:
    """A tab that has the exports of a folder on its server."""

    def __init__(self, browser: Browser, root: Path, address: str) -> None:
        self.browser, self._root, self._address = browser, root, address

    def address(self, folder: Path) -> str:
        """Return the address of an export."""
        return f"{self._address}/{folder.relative_to(self._root).as_posix()}/"

    def call(self, folder: Path, method: str, rows: Sequence[Any]) -> list[Any]:
        """Call a method of the export in a folder for each row."""
        self.browser.open(f"{self.address(folder)}classifier.d.ts")
        module = f"{self.address(folder)}classifier.mjs"
        results: list[Any] = self.browser.run(
            f"import({module!r}).then(module => module.load())"
            f".then(loaded => {json.dumps(rows)}.map(row => loaded.{method}(row)))"
        )
        return results


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@contextmanager
def serve_files(root: Path) -> Iterator[str]:
    """Serve a folder, as `python -m http.server` does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def start_node() -> Iterator[Node]:
    """Start Node.js, which ends with the block."""
    command = [NODE, str(_SCRIPT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        yield Node(process)


def write_export(run: Run, folder: Path) -> Path:
    """Write the export of a run without its proof, and return the folder."""
    exporter = JavaScriptExporter()
    columns = run.config().data.input_columns
    source = ExportSource(run, run.classifier(), columns, ExportOptions())
    folder.mkdir(parents=True)
    exporter.write(exporter.prepare(source), folder)
    return folder
