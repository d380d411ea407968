"""Output fits the terminal from 60 columns up, and has no colors where they are not wanted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click
import pytest
from rich.cells import cell_len

from embedclf.cli.main import main
from tests.cli.test_display import run_at_terminal
from tests.cli.test_main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

WIDTHS = [60, 80, 120]
RESULTS = [
    "runs",
    "summary binary-1",
    "summary binary.yaml",
    "threshold binary-1",
    "threshold multilabel-1",
    "compare binary-1 binary-1",
    "embeddings neighbors great --run binary-1",
    "embeddings movement --run binary-1",
    *(f"evaluate {task}-1 --mistakes 0" for task in ("binary", "multiclass", "multilabel")),
]


def command_named(path: str) -> click.Command:
    command: click.Command = main
    for name in path.split():
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


@pytest.fixture
def here(runs: dict[str, Run], workplace: Path) -> Path:
    shutil.copytree(runs["binary"].path.parent, workplace / "runs")
    return workplace


def help_of(path: str, width: int) -> str:
    settings = main.context_settings
    context = click.Context(
        command_named(path),
        info_name=f"embedclf {path}".strip(),
        terminal_width=width,
        help_option_names=settings["help_option_names"],
    )
    return context.get_help()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["", *COMMANDS])
def test_help_fits_and_breaks_at_words(path: str, width: int) -> None:
    shown = help_of(path, width)
    assert all(len(line) <= width for line in shown.splitlines())
    assert set(shown.split()) == set(help_of(path, 1000).split())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("line", RESULTS)
@pytest.mark.usefixtures("here")
def test_results_fit_and_break_at_words(
    line: str, width: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = invoke(*line.split()).stdout
    monkeypatch.setenv("COLUMNS", str(width))
    shown = invoke(*line.split()).stdout
    assert all(cell_len(line) <= width for line in shown.splitlines())
    assert words(whole) <= words(shown)


def words(text: str) -> set[str]:
    """All but the lines of tables, and paths, which are shortened where there is no room."""
    return {word for word in text.split() if word[0] not in "─━┏┡├└" and len(word) < 40}


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no", "dumb"])
@pytest.mark.parametrize("line", ["runs", "explain great --run binary-1", "evaluate none"])
def test_no_colors_where_they_are_not_wanted(
    line: str, environment: dict[str, str], here: Path
) -> None:
    _, shown = run_at_terminal(*line.split(), cwd=here, environment=environment)
    assert shown
    assert "\x1b[3" not in shown


def test_messages_at_a_terminal_break_at_words(here: Path) -> None:
    environment = {"COLUMNS": "60", "NO_COLOR": "1"}
    args = ("predict", "-t", "great", "--progress", "none")
    _, shown = run_at_terminal(*args, cwd=here, environment=environment)
    lines = shown.splitlines()
    assert lines[0].startswith("run: runs/")
    assert all(len(line) <= 60 for line in lines)
    assert "choose with --run)" in " ".join(" ".join(lines).split())
