"""Labels, texts, columns and files that hold escape sequences do nothing to a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_display import run_at_terminal
from tests.conftest import Invoke, reviews, write_csv
from tests.system.test_control_characters import COLOR, UNSAFE

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\x7f"
TABLE = f"t{ESCAPES}\n.csv"
TEXT, LABEL = f"text{ESCAPES}", f"label{ESCAPES}"
CONFIG = f"""
data: {{train: {json.dumps(TABLE)}, text: {json.dumps(TEXT)}, label: {json.dumps(LABEL)}}}
training: {{epochs: 2}}
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Iterator[Path]:
    """A folder with a run, all names of which hold escape sequences; the working directory."""
    folder, before = tmp_path_factory.mktemp("hostile"), Path.cwd()
    rows = [(f"{text} {ESCAPES}", f"{label}{ESCAPES}") for text, label in reviews(120)]
    write_csv(folder / TABLE, [TEXT, LABEL], rows)
    (folder / "c.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / f"{ESCAPES}.yaml").write_text(CONFIG + f"{json.dumps(ESCAPES)}: 1\n")
    os.chdir(folder)
    try:
        output = invoke("train", "c.yaml", "-o", f"runs/r{ESCAPES}", "-v", "--progress", "plain")
        assert not UNSAFE.search(output.output)
        yield folder
    finally:
        os.chdir(before)


COMMANDS: list[tuple[list[str], int]] = [
    (["init", TABLE, "-o", f"{ESCAPES}-2.yaml"], 0),
    (["check", "c.yaml"], 0),
    (["check", "c.yaml", "--json"], 0),
    (["check", f"{ESCAPES}.yaml"], 2),
    (["check", f"no{ESCAPES}\n.csv"], 1),
    (["check", "c.yaml", "-s", f"data.{ESCAPES}\n=3"], 2),
    (["check", "c.yaml", "-s", f'data.encoding="{ESCAPES}"'], 2),
    (["suspects", "c.yaml"], 0),
    (["summary", "c.yaml"], 0),
    (["summary"], 0),
    (["runs"], 0),
    (["runs", "--json"], 0),
    (["evaluate"], 0),
    (["evaluate", "--json"], 0),
    (["threshold"], 0),
    (["compare", f"runs/r{ESCAPES}", f"runs/r{ESCAPES}"], 0),
    (["report", "-o", f"{ESCAPES}.html"], 0),
    (["predict", "-t", f"great {ESCAPES}"], 0),
    (["predict", f"no{ESCAPES}\n.csv"], 1),
    (["predict", "-t", "a", "--run", f"no{ESCAPES}\n"], 1),
    (["predict", f"--{ESCAPES}"], 2),
    ([f"no{ESCAPES}"], 2),
    (["explain", f"great {ESCAPES}"], 0),
    (["embeddings", "neighbors", "great"], 0),
    (["embeddings", "neighbors", f"{ESCAPES}"], 2),
    (["embeddings", "movement"], 0),
    (["embeddings", "show", f"great {ESCAPES}"], 0),
]


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(("args", "status"), COMMANDS, ids=lambda value: str(value)[:24])
def test_no_command_prints_them(invoke: Invoke, args: list[str], status: int) -> None:
    done = invoke(*args, status=status)
    assert not UNSAFE.search(done.stdout + done.stderr), done.output
    if status:
        [*_, last] = done.stderr.splitlines()
        assert last.startswith("embedclf: ") or ": " in last


def test_no_command_prints_them_at_a_terminal(hostile: Path) -> None:
    for args in (
        ["predict", TABLE],
        ["predict", "-t", f"great {ESCAPES}", "--json"],
        ["explain", f"great {ESCAPES}"],
        ["check", "c.yaml"],
    ):
        status, shown = run_at_terminal(*args, cwd=hostile)
        assert status == 0, shown
        plain = COLOR.sub("", shown).replace("\r", "")
        assert not UNSAFE.search(plain), args
        assert "\u241b]0;title\u2407" in plain
        assert (COLOR.search(shown) is not None) == (args[0] == "explain")


def test_files_and_pipes_get_them_as_they_are(hostile: Path, invoke: Invoke) -> None:
    lines = invoke("predict", TABLE).stdout_bytes
    assert lines.splitlines()[0].startswith(f"{TEXT},{LABEL},prediction".encode())
    assert f"pos{ESCAPES}".encode() in lines
    invoke("predict", TABLE, "-o", "out.csv")
    assert (hostile / "out.csv").read_bytes() == lines
    values = json.loads(invoke("predict", "--json", "-t", f"great {ESCAPES}").stdout)
    assert values["predictions"][0]["text"] == f"great {ESCAPES}"


@pytest.mark.parametrize("command", ["{}", "completion {}"])
def test_bytes_that_are_not_utf_8_are_shown_as_ls_shows_them(command: str, invoke: Invoke) -> None:
    stderr = invoke(*command.format("b\udcff").split(), status=2).stderr
    assert r"b\xff" in stderr
    assert "udcff" not in stderr
