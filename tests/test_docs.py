"""The README: complete, and its sessions and programs run as printed."""

from __future__ import annotations

import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.cli.main import main
from embedclf.config.loading import load_config
from embedclf.config.schema import json_schema
from tests.conftest import ROOT, Invoke, masked
from tests.faults import PLANTS, UNREADABLE, World

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "README.md"
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
def test_every_command_is_told(command: str) -> None:
    assert f"| `embedclf {command}" in text()


def test_every_finding_is_told() -> None:
    kinds = {plant(World()).kind for plant in PLANTS.values()}
    kinds |= {kind for _, _, kind, _ in UNREADABLE.values()} | {"label-empty", "vectors-few"}
    table = text().partition("| finding |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert sorted(told) == sorted(kinds)


@pytest.mark.parametrize("key", config_keys())
def test_every_key_is_told_with_its_default(key: str) -> None:
    row = next(line for line in text().splitlines() if line.startswith(f"| `{key}` |"))
    section, _, name = key.rpartition(".")
    values: Any = json_schema()
    properties = values["$defs"][f"{section.title()}Config"] if section else values
    default = properties["properties"][name].get("default")
    told = row.split("|")[2].strip().strip("`")
    if default is None:
        assert told in {"–", "none", "detected"}
    else:
        assert told == str(default).lower()


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_loads_and_opens_with_its_command_and_figures(path: Path) -> None:
    load_config(path)
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(comment) >= 3
    assert f"#   embedclf train configs/{path.name}" in comment
    assert re.search(r"\d\.\d\d", "\n".join(comment)), "no figure measured"


def test_the_bundled_tables_are_as_told(invoke: Invoke) -> None:
    told = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name in ("reviews", "tickets"):
        lines = (ROOT / "data" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len({line.lower() for line in lines})
        assert f"| `{name}.csv` | {len(lines) - 1:,} |" in told
        for label in {line.rpartition(",")[2] for line in lines[1:]}:
            rows = sum(line.endswith(f",{label}") for line in lines)
            assert f"`{label}` {rows}" in told
        assert invoke("check", ROOT / "configs" / f"{name}.yaml").stdout


def test_sessions_and_programs_run_as_printed(
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
            assert masked(alike(printed)) == masked(alike(session))
    for program in PROGRAM.findall(shown):
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102


def alike(printed: str) -> str:
    """Output without what another machine is called, and how long its bars are."""
    printed = re.sub(r" [+-]{1,24}$", " bar", printed, flags=re.MULTILINE)
    return re.sub(r"^device .*$", "device", printed, flags=re.MULTILINE)


def run(line: str, invoke: Invoke, folder: Path) -> str:
    """What a command of a session prints, on both streams, as at a terminal."""
    _, command, *args = shlex.split(line)
    assert command == "embedclf"
    done = invoke(*args, status=2 if "embeding_dim" in line else 0)
    return done.output.replace(f"{folder.resolve()}/", "").rstrip()
