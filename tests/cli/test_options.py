"""Runs are named one way by all commands."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

POSITIONAL = [
    ["evaluate", "--no-baseline"],
    ["report", "-o", "page.html", "--no-baseline"],
    ["threshold"],
    ["summary"],
    ["export", "--format", "npz", "-o", "vectors.npz"],
]
"""Commands whose only positional argument is a run."""
OPTION = [
    ["predict", "-t", "great"],
    ["explain", "great"],
    ["embeddings", "neighbors", "great"],
    ["embeddings", "analogy", "great", "awful", "lovely"],
    ["embeddings", "movement"],
    ["embeddings", "show", "great"],
    ["embeddings", "map", "-o", "map.html"],
]
"""Commands that have other positional arguments."""
SILENT = [command for command in [*POSITIONAL, *OPTION] if command[0] not in {"predict", "explain"}]


def name(command: list[str]) -> str:
    return " ".join(command[: 2 if command[0] == "embeddings" else 1])


@pytest.fixture
def here(runs: dict[str, Run], workplace: Path) -> Path:
    """A working directory with the tables and two runs of one of them."""
    for number in (1, 2):
        shutil.copytree(runs["binary"].path, workplace / "runs" / f"reviews-{number}")
    return workplace


@pytest.fixture
def tickets(runs: dict[str, Run], here: Path) -> Path:
    """A run of another table beside them."""
    return shutil.copytree(runs["multiclass"].path, here / "runs" / "tickets-1")


@pytest.mark.parametrize("command", POSITIONAL, ids=name)
@pytest.mark.parametrize("run", ["reviews-1", "runs/reviews-1", "./runs/reviews-1/"])
@pytest.mark.usefixtures("here")
def test_a_run_is_a_positional_argument_or_an_option(
    command: list[str], run: str, invoke: Invoke
) -> None:
    first, *others = command
    positional = invoke(first, run, *others)
    assert invoke(*command, "--run", run).stdout == positional.stdout
    assert "run: " not in positional.stderr


@pytest.mark.parametrize("command", OPTION, ids=name)
@pytest.mark.usefixtures("here")
def test_a_bare_name_stands_for_a_path(command: list[str], invoke: Invoke) -> None:
    bare = invoke(*command, "--run", "reviews-1")
    assert invoke(*command, "--run", "runs/reviews-1").stdout == bare.stdout
    assert "run: " not in bare.stderr


@pytest.mark.usefixtures("tickets")
def test_runs_are_compared_by_bare_names(invoke: Invoke) -> None:
    compared = invoke("compare", "reviews-1", "runs/reviews-2", "--json")
    assert json.loads(compared.stdout)["runs"] == ["runs/reviews-1", "runs/reviews-2"]


@pytest.mark.parametrize("command", POSITIONAL, ids=name)
@pytest.mark.usefixtures("here")
def test_a_run_that_is_named_twice_is_refused(command: list[str], invoke: Invoke) -> None:
    done = invoke(*command, "reviews-1", "--run", "reviews-2", status=2)
    assert done.stderr.startswith(
        "embedclf: the run is named twice: reviews-1 and --run reviews-2; see "
    )


@pytest.mark.parametrize("command", [*POSITIONAL, *OPTION], ids=name)
@pytest.mark.usefixtures("tickets")
def test_the_environment_names_a_run(
    command: list[str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDCLF_RUN", "reviews-1")
    done = invoke(*command)
    assert "run: runs/reviews-1 (EMBEDCLF_RUN)\n" in done.stderr
    assert done.stdout == invoke(*command, "--run", "reviews-1").stdout


@pytest.mark.usefixtures("here")
def test_the_command_line_wins_over_the_environment(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDCLF_RUN", "no-such-run")
    invoke("evaluate", "reviews-1", "--no-baseline")
    invoke("evaluate", "--run", "reviews-1", "--no-baseline")
    message = "embedclf: EMBEDCLF_RUN: no-such-run: no such run; `embedclf runs` lists them\n"
    assert invoke("evaluate", status=1).stderr == message


@pytest.mark.usefixtures("here")
def test_an_empty_environment_variable_names_no_run(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDCLF_RUN", "")
    assert invoke("predict", "-t", "great").stderr == "run: runs/reviews-2\n"


@pytest.mark.parametrize("command", [*POSITIONAL, *OPTION], ids=name)
@pytest.mark.usefixtures("here")
def test_the_newest_run_is_used_and_named(command: list[str], invoke: Invoke) -> None:
    done = invoke(*command)
    assert "run: runs/reviews-2\n" in done.stderr
    assert done.stdout == invoke(*command, "--run", "reviews-2").stdout


@pytest.mark.parametrize("command", OPTION[:2], ids=name)
@pytest.mark.usefixtures("here")
def test_predictions_name_their_run_even_if_quiet(
    command: list[str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke(*command, "-q").stderr == "run: runs/reviews-2\n"
    monkeypatch.setenv("EMBEDCLF_RUN", "reviews-1")
    assert invoke(*command, "-q").stderr == "run: runs/reviews-1 (EMBEDCLF_RUN)\n"
    assert invoke(*command, "-q", "--run", "reviews-1").stderr == ""


@pytest.mark.parametrize("command", SILENT, ids=name)
@pytest.mark.usefixtures("here")
def test_other_commands_are_silent_if_quiet(command: list[str], invoke: Invoke) -> None:
    assert invoke(*command, "-q").stderr == ""


@pytest.mark.parametrize("command", [["evaluate", "--no-baseline"], ["summary"], *OPTION], ids=name)
@pytest.mark.usefixtures("tickets")
def test_no_run_of_another_table_is_chosen_in_silence(command: list[str], invoke: Invoke) -> None:
    line = "run: runs/tickets-1 (newest; also here: reviews-2; choose with --run)\n"
    assert line in invoke(*command).stderr
    assert invoke(*command, "-q").stderr == line
    assert invoke(*command, "-q", "--run", "tickets-1").stderr == ""


@pytest.mark.usefixtures("tickets")
def test_a_table_to_score_does_not_hide_which_run_was_chosen(invoke: Invoke) -> None:
    done = invoke("evaluate", "-q", "--data", "multiclass.csv", "--no-baseline")
    assert done.stderr.startswith("run: runs/tickets-1 (newest; also here: reviews-2; ")
