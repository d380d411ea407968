"""The README: complete, and its sessions and programs run as printed."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.cli.main import main
from embedclf.config.loading import load_config
from embedclf.config.schema import json_schema
from tests.conftest import ROOT, Invoke
from tests.faults import PLANTS, UNREADABLE, Tables

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "README.md"
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")
MACHINE_DEPENDENT = {
    "device": re.compile(r"^device .*$", re.MULTILINE),
    "seconds": re.compile(r"\b[\d.]+ ?s\b"),
    "date": re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b"),
    "rounding error": re.compile(r"\b\d[\d.]*e-\d+\b"),
    "bar": re.compile(r" [∙+=#-]{1,}$", re.MULTILINE),
}
"""What differs from machine to machine, by what stands in its place."""
SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)
PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


def text() -> str:
    return README.read_text(encoding="utf-8")


def config_keys() -> list[str]:
    schema = json_schema()
    keys = ["seed"]
    for section in ("data", "text", "model", "training"):
        properties = schema["$defs"][f"{section.title()}Config"]["properties"]
        keys += [f"{section}.{key}" for key in properties]
    return keys


@pytest.mark.parametrize("command", sorted(main.commands))
def test_the_readme_lists_every_command(command: str) -> None:
    assert f"| `embedclf {command}" in text()


def test_the_readme_lists_every_finding_of_check() -> None:
    kinds = {plant(Tables()).kind for plant in PLANTS.values()}
    kinds |= {kind for _, _, kind, _ in UNREADABLE.values()} | {"label-empty", "vectors-few"}
    table = text().partition("| finding |")[2].partition("\n\n")[0]
    listed = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(kinds)


@pytest.mark.parametrize("key", config_keys())
def test_the_readme_lists_every_config_key_with_its_default(key: str) -> None:
    row = next(line for line in text().splitlines() if line.startswith(f"| `{key}` |"))
    section, _, name = key.rpartition(".")
    values: Any = json_schema()
    properties = values["$defs"][f"{section.title()}Config"] if section else values
    default = properties["properties"][name].get("default")
    documented = row.split("|")[2].strip().strip("`")
    if default is None:
        assert documented in {"–", "none", "detected"}
    else:
        assert documented == str(default).lower()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_loads_and_has_a_comment_with_its_command_and_scores(path: Path) -> None:
    load_config(path)
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(comment) >= 3
    assert f"#   embedclf train configs/{path.name}" in comment
    assert re.search(r"\d\.\d\d", "\n".join(comment)), "no figure measured"


def test_the_bundled_tables_are_as_documented(invoke: Invoke) -> None:
    documented = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name in ("reviews", "tickets"):
        lines = (ROOT / "data" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len({line.lower() for line in lines})
        assert f"| `{name}.csv` | {len(lines) - 1:,} |" in documented
        for label in {line.rpartition(",")[2] for line in lines[1:]}:
            rows = sum(line.endswith(f",{label}") for line in lines)
            assert f"`{label}` {rows}" in documented
        assert invoke("check", ROOT / "configs" / f"{name}.yaml").stdout


def test_sessions_and_programs_of_the_readme_run_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke, request: pytest.FixtureRequest
) -> None:
    for folder in ("configs", "data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    monkeypatch.chdir(tmp_path)
    shown = text()
    for session in SESSION.findall(shown):
        lines = [line for line in session.splitlines() if line.startswith("$ ")]
        printed = "".join(f"{line}\n{run(line, invoke, tmp_path)}\n" for line in lines)
        if request.config.getoption("--golden"):
            shown = shown.replace(f"```console\n{session}```", f"```console\n{printed}```")
            README.write_text(shown, encoding="utf-8")
        else:
            assert differences(printed, session) == []
    for program in PROGRAM.findall(shown):
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102


def differences(printed: str, documented: str) -> list[tuple[str, str]]:
    """Lines that are not as documented, for reasons other than the machine they were printed on."""
    pairs = itertools.zip_longest(*(comparable(text) for text in (printed, documented)))
    return [(line, other) for line, other in pairs if not agree(line or "", other or "")]


def comparable(text: str) -> list[str]:
    """Lines without what depends on the machine, and without the width of columns."""
    for name, pattern in MACHINE_DEPENDENT.items():
        text = pattern.sub(f" <{name}>", text)
    return re.sub(r"[ ─]+", " ", text).splitlines()


def agree(line: str, other: str) -> bool:
    """Whether words and whole numbers are the same, and decimals nearly so.

    Decimals come from float32 arithmetic, whose last digits depend on the processor.
    """
    numbers, others = NUMBER.findall(line), NUMBER.findall(other)
    return NUMBER.sub("#", line) == NUMBER.sub("#", other) and all(map(near, numbers, others))


def near(number: str, other: str) -> bool:
    if "." not in number or "." not in other:
        return number == other
    unit = 10.0 ** -len(number.partition(".")[2])
    first, second = (float(text.replace(",", "")) for text in (number, other))
    return abs(first - second) <= max(1.5 * unit, 0.001)


@pytest.mark.parametrize(
    ("printed", "documented", "same"),
    [
        ("rows 1,168 train", "rows 1,168 train", True),
        ("rows 1,168 train", "rows 1,169 train", False),
        ("accuracy 0.7945", "accuracy 0.7946", True),
        ("accuracy 0.7945", "accuracy 0.8045", False),
        ("train 55.1 % of texts", "train 55.2 % of texts", True),
        ("train 55.1 % of texts", "train 56.1 % of texts", False),
        ("12 epochs in 1.7 s: done", "12 epochs in 22.5 s: done", True),
        ("12 epochs in 1.7 s: done", "13 epochs in 1.7 s: done", False),
        ("positive 0.9", "negative 0.9", False),
        ("a line\n", "a line\nand another\n", False),
    ],
)
def test_sessions_agree_if_only_the_machine_differs(
    printed: str, documented: str, same: bool
) -> None:
    assert (differences(printed, documented) == []) is same


def run(line: str, invoke: Invoke, folder: Path) -> str:
    """What a command of a session prints, on both streams, as at a terminal."""
    _, command, *args = shlex.split(line)
    assert command == "embedclf"
    done = invoke(*args, status=2 if "embeding_dim" in line else 0)
    return done.output.replace(f"{folder.resolve()}/", "").rstrip()
