"""Control characters of texts, names and files have no effect on a terminal."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import embedclf
from embedclf.system.control_characters import escape_controls, escape_output, output_bytes
from embedclf.system.terminal import to_json

if TYPE_CHECKING:
    import pytest

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")

TEXTS = st.text(
    st.sampled_from("\x00\x07\x08\t\n\r\x1b[31m\x7f\x85\x9b\u202e\u2066\udcff ab") | st.characters()
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@given(TEXTS)
def test_nothing_that_is_printed_can_control_a_terminal(text: str) -> None:
    assert not UNSAFE.search(escape_output(text))
    assert not re.search(rf"{UNSAFE.pattern}|[\t\n]", escape_controls(text))
    assert not UNSAFE.search(COLOR.sub("", escape_output(text, colors=True)))


@given(TEXTS)
def test_other_characters_stay(text: str) -> None:
    plain = re.sub(rf"{UNSAFE.pattern}|[\udc80-\udcff\ufffe\uffff]", "", text)
    assert escape_output(plain) == plain
    assert escape_output(f"\x1b[1;31m{plain}\x1b[0m", colors=True) == f"\x1b[1;31m{plain}\x1b[0m"


@given(st.dictionaries(TEXTS, st.lists(TEXTS)))
def test_json_has_escapes_and_the_same_values(values: dict[str, list[str]]) -> None:
    text = to_json(values)
    assert not UNSAFE.search(text)
    assert json.loads(text) == values


def test_a_byte_of_a_name_that_is_not_utf8_is_shown_as_a_byte() -> None:
    assert escape_controls("caf\udce9.csv") == "caf\\xe9.csv"


def test_tables_are_exact_in_a_pipe_and_harmless_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = "é\x1b[2J,\u202e\r\n".encode()
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", pipe)
    output_bytes().write(line)
    assert pipe.buffer.getvalue() == line
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    output = output_bytes()
    # A character can come in two pieces.
    assert [output.write(piece) for piece in (line[:1], line[1:])] == [1, len(line) - 1]
    output.write(b"\xff\n")
    assert terminal.getvalue() == "é\u241b[2J,\ufffd\n\\xff\n"


def test_commands_print_through_one_module() -> None:
    package = Path(embedclf.__file__).parent
    printers = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node)
        in {"click.echo", "click.secho", "sys.stdout.buffer", "sys.stdout.write"}
    }
    assert printers == {"cli/console.py", "system/control_characters.py"}
