"""Drives Debian's Chromium over its DevTools protocol: types, clicks, chooses files."""

from __future__ import annotations

import itertools
import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from tests.reports.html.pages import CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

_SECONDS = 30


class Browser:
    """A tab of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._numbers, self._session = connection, itertools.count(1), ""
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._connection.send(json.dumps(message))
        while (answer := self._receive()).get("id") != number:
            self._events.append(answer)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, event: str, **values: str) -> None:
        """Wait for an event that has these values."""
        events = itertools.chain(self._events, iter(self._receive, None))
        for each in events:
            params = each.get("params", {})
            if each.get("method") == event and values.items() <= params.items():
                self._events.clear()
                return

    def open(self, address: str) -> None:
        """Open a page, and wait until it has loaded."""
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page, and wait for its promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Wait for a change of the page that makes an expression true."""
        self.run(
            f"""new Promise((resolve, reject) => {{
              const check = () => ({condition}) && resolve(true);
              new MutationObserver(check).observe(document, {{
                subtree: true, childList: true, attributes: true, characterData: true }});
              setTimeout(() => reject(new Error(document.body.innerText)), {_SECONDS * 500});
              check();
            }})"""
        )

    def type(self, selector: str, text: str) -> None:
        """Type a text into an element."""
        self.run(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)

    def press_control_enter(self) -> None:
        """Press Enter with the Control key in the focused element."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "modifiers": 2}
        for event in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=event, **key)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        x, y = self.run(
            f"""(() => {{
              const element = document.querySelector({selector!r});
              element.scrollIntoView({{ block: "center", behavior: "instant" }});
              const box = element.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for event in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=event, x=x, y=y, button="left", clickCount=1)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input element."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def drop_file(self, path: Path) -> None:
        """Drag a file over the page, and drop it there."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for event in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=event, x=50, y=50, data=data)

    def download(self, selector: str, folder: Path) -> Path:
        """Click an element, and return the file that it downloads."""
        self.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(folder),
            eventsEnabled=True,
        )
        self.click(selector)
        self.wait("Browser.downloadProgress", state="completed")
        (path,) = folder.iterdir()
        return path

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=_SECONDS))
        return message


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Start a browser, which ends with the block."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            mark = "DevTools listening on "
            address = next(line for line in process.stderr if line.startswith(mark))
            with connect(address.removeprefix(mark).strip(), max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.terminate()
