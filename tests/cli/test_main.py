"""The help of all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from embedclf import __version__
from embedclf.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
