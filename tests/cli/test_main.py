"""The help of all commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from embedclf import __version__
from embedclf.cli.main import SECTIONS, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


def all_commands(group: click.Group = main, prefix: str = "") -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        yield f"{prefix}{name}"
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{prefix}{name} ")


COMMANDS = [*all_commands()]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_as_expected(
    command: str, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    text = invoke(*command.split(), "--help").stdout
    golden(f"help-{command.replace(' ', '-') or 'embedclf'}.txt", text.replace("main", "embedclf"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_help(command: str) -> None:
    found: click.Command = main
    for name in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
    for parameter in found.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), parameter.name


def test_version_is_shown(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"embedclf {__version__}\n"
    assert invoke("-V").stdout == f"embedclf {__version__}\n"
    assert invoke("version").stdout == f"embedclf {__version__}\n"


def test_every_command_has_its_section() -> None:
    listed = [name for section in SECTIONS.values() for name in section]
    assert listed == [name for name, command in main.commands.items() if not command.hidden]
    assert all(command.name == name for name, command in main.commands.items())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_line_for_the_start_file(shell: str, invoke: Invoke) -> None:
    done = invoke("completion", shell)
    assert done.stdout.count("\n") == 1
    assert f"_EMBEDCLF_COMPLETE={shell}_source embedclf" in done.stdout
    assert done.stderr.startswith("add this line to ~/.")


def test_completion_knows_the_shell(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert "zsh_source" in invoke("completion").stdout
    monkeypatch.setenv("SHELL", "/bin/csh")
    assert "name your shell: bash, zsh or fish" in invoke("completion", status=2).stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["embedclf", "tra"], "train"),
        (["embedclf", "evaluate", "--basel"], "--baseline"),
        (["embedclf", "evaluate", "multic"], "multiclass-1"),
        (["embedclf", "predict", "--run", "binary-"], "binary-1"),
    ],
)
def test_the_line_completes_in_bash(
    typed: list[str], completed: str, runs: dict[str, Run], invoke: Invoke
) -> None:
    line = invoke("completion", "bash", "-q").stdout
    script = f"""
{line}
COMP_WORDS=({" ".join(typed)}); COMP_CWORD={len(typed) - 1}
_embedclf_completion embedclf
echo "${{COMPREPLY[@]}}"
"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-c", script],
        cwd=runs["binary"].path.parent.parent,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [completed]
