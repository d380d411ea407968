"""Templates escape what they show, and nothing in Python writes HTML."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

import embedclf
from embedclf.reports.html import rendering
from embedclf.reports.html.rendering import render_template, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES = Path(rendering.__file__).parent / "templates"
MODULES = sorted(Path(embedclf.__file__).parent.rglob("*.py"))
TAGS = (
    "a article b bdi body br circle code dd details div dl dt figcaption figure g h1 h2 h3 head "
    "html i li mark meta p path pre rect section small span style summary svg table tbody td text "
    "th thead title tr ul wbr"
).split()


def key(color: str, label: str) -> str:
    values = {"title": "t", "caption": "c", "legend": [(label, color)], "svg": ""}
    return render_template("word_map.html.j2", **values)


@given(st.text())
def test_a_text_adds_no_markup_and_no_control_character(text: str) -> None:
    page = key("red", text)
    assert page.count("<") == key("red", "").count("<")
    assert not [character for character in page if ord(character) < 32 and character != "\n"]


def test_control_characters_are_shown_as_pictures() -> None:
    assert "</i>␛[31m&amp;␀</li>" in key("red", "\x1b[31m&\0")


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'caption' is undefined"):
        render_template("word_map.html.j2", title="t", legend=[], svg="")


def test_a_stream_consumes_its_values_on_the_way() -> None:
    consumed = []

    def legend() -> Iterator[tuple[str, str]]:
        for label in "abc":
            consumed.append(label)
            yield label, "red"

    pieces = stream("word_map.html.j2", title="t", caption="c", legend=legend(), svg="")
    for piece in pieces:
        if piece == "a":
            break
    assert consumed == ["a"]
    assert "".join(pieces).endswith("</html>\n")
    assert consumed == ["a", "b", "c"]


def test_every_template_belongs_to_a_page_or_a_macro() -> None:
    sources = [module.read_text(encoding="utf-8") for module in MODULES]
    sources += [template.read_text(encoding="utf-8") for template in TEMPLATES.iterdir()]
    for template in TEMPLATES.iterdir():
        assert any(f'"{template.name}"' in source for source in sources), template


def test_no_string_in_python_has_an_html_tag() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                tags = [tag for tag in TAGS if f"<{tag}>" in node.value or f"<{tag} " in node.value]
                assert not tags, (module, node.lineno)
