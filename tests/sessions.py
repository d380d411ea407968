"""Sessions and programs of a page of the docs: they run in order, in one folder, as printed.

A block of `console` shows commands after `$ `, each with what it prints on both streams. A line
of `…` stands for lines that are left out. A command that fails is followed by `$ echo $?`.
A comment `<!-- setup: COMMAND -->` runs a command that the page does not show. A block of `js`
that begins with `// FILE.mjs` becomes that file, for a session with `$ node FILE.mjs`.

`embedclf serve RUN &` serves in the background, at a free port that stands for port 8000.
"""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Invoke

BLOCK = re.compile(
    r"^```(?P<language>console|python|js)\n(?P<code>.*?)^```$|^<!-- setup: (?P<setup>.*?) -->$",
    re.DOTALL | re.MULTILINE,
)
LEFT_OUT = "…"
HARMLESS = {"cat", "curl", "head", "ls", "node", "tail", "wc"}
"""Programs other than embedclf that sessions may call."""
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")
PORT = "127.0.0.1:8000"
MACHINE_DEPENDENT = {
    "device": re.compile(r"^device .*$", re.MULTILINE),
    "seconds": re.compile(r"\b(?:\d+m )?[\d.]+ ?s\b"),
    "date": re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b"),
    "rounding error": re.compile(r"\b\d[\d.]*e-\d+\b"),
    "bar": re.compile(r" [∙+=#█▏▎▍▌▋▊▉-]+$", re.MULTILINE),
}
"""What differs from machine to machine, by what stands in its place."""


@dataclass
class Shell:
    """Runs the commands of sessions in the working directory."""

    invoke: Invoke
    setenv: Callable[[str, str], None]
    folder: Path
    status: int = 0
    service: subprocess.Popen[str] | None = None
    """The last one that was started in the background."""
    address: str = PORT
    """Of the service."""

    def close(self) -> None:
        """End the service."""
        if self.service is not None:
            self.service.kill()
            self.service.communicate()

    def run(self, line: str, *, status: int = 0) -> str:
        """Run a command, which must end with a status; return what it prints."""
        before, _, command = line.replace("\\\n", " ").rpartition(" | ")
        text = subprocess.check_output(before, shell=True, text=True) if before else ""  # noqa: S602
        name, *args = shlex.split(command, comments=True)
        if command == "echo $?":
            return str(self.status)
        if name == "export":
            key, _, value = args[0].partition("=")
            self.setenv(key, value)
            return ""
        if name in HARMLESS:
            words = [word.replace(PORT, self.address) for word in args]
            return subprocess.check_output([name, *words], text=True).rstrip()
        assert name == "embedclf", f"{name}: sessions call embedclf and {HARMLESS} alone"
        return self._serve(args[:-1]) if args[-1:] == ["&"] else self._embedclf(args, text, status)

    def _serve(self, args: list[str]) -> str:
        """Start a service, and return what it prints until clients can connect."""
        self.close()
        command = [sys.executable, "-m", "embedclf", *args, "--port", "0"]
        self.service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.service.stderr is not None
        printed = self.service.stderr.readline().rstrip()
        self.address = printed.partition("//")[2].rstrip("/")
        return printed.replace(self.address, PORT)

    def _embedclf(self, args: list[str], text: str, status: int) -> str:
        output = None
        if ">" in args:
            output = Path(args[args.index(">") + 1])
            args = args[: args.index(">")]
        done = self.invoke(*args, status=status, text=text)
        self.status = done.exit_code
        if output is not None:
            output.write_text(done.stdout, encoding="utf-8")
        printed = done.output if output is None else done.stderr
        return printed.replace(f"{self.folder.resolve()}/", "").rstrip()


def printed_again(page: str, shell: Shell) -> str:
    """Run all sessions and programs of a page; return the page with what they print now."""
    programs: dict[str, Any] = {}

    def run(block: re.Match[str]) -> str:
        if block["setup"]:
            shell.run(block["setup"])
        elif block["language"] == "python":
            exec(compile(block["code"], "<page>", "exec"), programs)  # noqa: S102
        elif block["language"] == "js":
            if name := re.match(r"// (\w+\.mjs)\n", block["code"]):
                Path(name[1]).write_text(block["code"], encoding="utf-8")
        else:
            return f"```console\n{''.join(_session(block['code'], shell))}```"
        return block[0]

    return BLOCK.sub(run, page)


def _session(code: str, shell: Shell) -> Iterator[str]:
    commands = commands_of(code)
    for (line, documented), follower in itertools.zip_longest(commands, commands[1:]):
        fails = follower is not None and follower[0] == "echo $?"
        printed = shell.run(line, status=int("".join(follower[1]) or 1) if fails else 0)
        shown = shortened(printed.splitlines(), documented)
        yield "".join(f"{text}\n" for text in (f"$ {line}", *shown))


def commands_of(code: str) -> list[tuple[str, list[str]]]:
    """The commands of a session, each with the lines that it is documented to print."""
    commands: list[tuple[str, list[str]]] = []
    for line in code.splitlines():
        if line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        elif commands[-1][0].endswith("\\"):
            commands[-1] = (f"{commands[-1][0]}\n{line}", [])
        else:
            commands[-1][1].append(line)
    return commands


def shortened(printed: list[str], documented: list[str]) -> list[str]:
    """Leave out as many lines as the documented output does, at the same places from its ends."""
    if documented.count(LEFT_OUT) != 1:
        return printed
    first = documented.index(LEFT_OUT)
    last = len(documented) - first - 1
    return [*printed[:first], LEFT_OUT, *printed[len(printed) - last :]]


def differences(printed: str, documented: str) -> list[tuple[str, str]]:
    """Lines that are not as documented, for reasons other than the machine they were printed on."""
    pairs = itertools.zip_longest(*(_comparable(text) for text in (printed, documented)))
    return [(line, other) for line, other in pairs if not _agree(line or "", other or "")]


def _comparable(text: str) -> list[str]:
    """Lines without what depends on the machine, and without the width of columns."""
    for name, pattern in MACHINE_DEPENDENT.items():
        text = pattern.sub(f" <{name}>", text)
    return re.sub(r"[ ─]+", " ", text).splitlines()


def _agree(line: str, other: str) -> bool:
    """Whether words and whole numbers are the same, and decimals nearly so.

    Decimals come from float32 arithmetic, whose last digits depend on the processor.
    """
    numbers, others = NUMBER.findall(line), NUMBER.findall(other)
    return NUMBER.sub("#", line) == NUMBER.sub("#", other) and all(map(_near, numbers, others))


def _near(number: str, other: str) -> bool:
    if "." not in number or "." not in other:
        return number == other
    unit = 10.0 ** -len(number.partition(".")[2])
    first, second = (float(text.replace(",", "")) for text in (number, other))
    return abs(first - second) <= max(1.5 * unit, 0.001)
