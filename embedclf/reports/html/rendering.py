"""Jinja2 templates: text is escaped, and control characters are shown as pictures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import format_number, format_percent, format_score

if TYPE_CHECKING:
    from collections.abc import Iterator


def render_template(template: str, **values: Any) -> str:
    """Render a template as a whole."""
    return _environment().get_template(template).render(values)


def stream(template: str, **values: Any) -> Iterator[str]:
    """Render a template in pieces; iterators among the values are consumed as it goes."""
    # plain strings, because adding Markup to a string would escape the string
    return map(str, _environment().get_template(template).generate(values))


def to_sentence(text: str) -> str:
    """Begin a message with a capital letter, and end it with a full stop."""
    # Not `capitalize`, which would lower all other letters.
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("embedclf.reports.html"),
        autoescape=True,
        finalize=_show_controls,
        undefined=StrictUndefined,  # a misspelled name is an error, not a gap
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # installed templates don't change
    )
    environment.filters["score"] = format_score
    environment.filters["percent"] = format_percent
    environment.filters["thousands"] = format_number
    environment.filters["signed"] = "{:+.4f}".format
    environment.filters["units"] = "{:.1f}".format
    environment.filters["width"] = "{:.2%}".format
    return environment


def _show_controls(value: Any) -> Any:
    """Every value passes through here before it is escaped, so no template can forget it."""
    # Markup is finished HTML, whose line breaks must not become symbols.
    return value if isinstance(value, Markup) else escape_controls(str(value))
