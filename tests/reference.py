"""Reference pages of the docs: commands as Click knows them, keys as the schema has them."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.main import SECTIONS, main
from embedclf.config.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYWHERE = {"--quiet", "--verbose", "--help"}
"""Options of every command, which the overview describes once."""
PROGRAM = click.Context(main, info_name="embedclf", **main.context_settings)
UNBOUNDED = 2**31 - 1
"""A maximum so large that readers need not see it."""


PAGES = {
    "commands-train.md": ("Prepare", "Train", "Other"),
    "commands-use.md": ("Evaluate", "Use"),
    "commands-deploy.md": ("Deploy",),
}
"""The sections of the help that a page describes."""


def commands_of(section: str) -> Iterator[tuple[str, click.Command]]:
    """The commands of a section of the help, by what you type; those of groups one by one."""
    for command in map(main.commands.__getitem__, SECTIONS[section]):
        if isinstance(command, click.Group):
            for name, member in command.commands.items():
                yield f"{command.name} {name}", member
        else:
            yield str(command.name), command


def command_reference(page: str) -> str:
    """Describe the commands of a page, each with its usage and its options."""
    return "\n".join(
        "\n".join(_command(name, command))
        for section in PAGES[page]
        for name, command in commands_of(section)
    )


def common_options() -> str:
    """Describe the options that every command has."""
    context = click.Context(main.commands["runs"], info_name="runs", parent=PROGRAM)
    options = context.command.get_params(context)
    common = [option for option in options if EVERYWHERE & {*option.opts}]
    return "\n".join(_option(option, context) for option in common) + "\n"


def command_overview() -> str:
    """List the commands with one line each, in the order of work."""
    lines = ["| command | what it does |", "|---|---|"]
    for section in SECTIONS:
        lines += [f"| **{section}** | |"]
        [page] = [page for page, sections in PAGES.items() if section in sections]
        for name, command in commands_of(section):
            link = f"[`{name}`]({page}#{name.replace(' ', '-')})"
            lines += [f"| {link} | {command.get_short_help_str(200)} |"]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"embedclf {name}", parent=PROGRAM)
    usage = " ".join(["embedclf", name, *command.collect_usage_pieces(context)])
    yield from [f"## {name}", "", "```sh", usage, "```", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    options = [param for param in command.get_params(context) if not EVERYWHERE & {*param.opts}]
    lines = [line for option in options if (line := _option(option, context))]
    if lines:
        yield from [*lines, ""]


def _paragraph(paragraph: str) -> Iterator[str]:
    """Keep the lines of a paragraph marked with \\b, which are commands to copy."""
    if paragraph.startswith("\b"):
        lines = inspect.cleandoc(paragraph.removeprefix("\b\n")).splitlines()
        intro = [line for line in lines[:1] if line.endswith(":")]
        yield from [*intro, *([""] if intro else [])]
        yield from ["```sh", *(line.removeprefix("$ ") for line in lines[len(intro) :]), "```", ""]
    else:
        yield from [" ".join(paragraph.split()), ""]


def _option(option: click.Parameter, context: click.Context) -> str:
    """Describe an option; arguments stand in the usage, and some options are hidden."""
    if not isinstance(option, click.Option) or option.hidden:
        return ""
    record = option.get_help_record(context)
    assert record is not None
    declaration, text = record
    metavar = RANGES.sub("N", declaration).replace(" / ", "`, `")
    description, _, extra = text.partition("  [")
    facts = extra.removesuffix("]").replace("env var: ", "environment: ")
    for pattern, words in BOUNDS:
        facts = pattern.sub(words, facts)
    return f"* `{metavar}`: {description}" + (f" ({facts})" if facts else "")


RANGES = re.compile(r"(?:INTEGER|FLOAT)(?: RANGE)?\b")
BOUNDS = [
    (re.compile(r"(\d+)<=x<=(\d+)"), r"\1 to \2"),
    (re.compile(r"x>=(\d+)"), r"at least \1"),
    (re.compile(r"x>(\d+)"), r"above \1"),
]
"""Bounds as Click writes them, and in words."""


def key_reference(section: str) -> str:
    """Tabulate the keys of a section of the config, or those outside of sections for ''."""
    schema = json_schema()
    properties = schema["properties"]
    if section:
        properties = schema["$defs"][f"{section.title()}Config"]["properties"]
    lines = ["| key | default | values | meaning |", "|---|---|---|---|"]
    for name, field in properties.items():
        if section or name == "seed":
            key = f"{section}.{name}".lstrip(".")
            meaning = KEYWORDS.sub(r"`\1`", field["description"])
            described = (default_of(field), _values(field, schema["$defs"]), meaning)
            lines += [f"| `{key}` | {' | '.join(cell.replace('|', BAR) for cell in described)} |"]
    return "\n".join(lines) + "\n"


KEYWORDS = re.compile(r"\b(auto|null|true|false)\b")
BAR = "\\|"
"""A bar within a cell of a table."""


def default_of(field: dict[str, Any]) -> str:
    """The default of a key as it is written in YAML; required keys have none."""
    return f"`{_yaml(field['default'])}`" if "default" in field else "required"


def _yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _values(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Describe the values that a schema admits."""
    if "$ref" in field:
        return _values(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        return ", ".join(dict.fromkeys(_values(member, definitions) for member in field["anyOf"]))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{_yaml(value)}`" for value in field.get("enum", [field.get("const")]))
    if field["type"] in {"array", "object"}:
        return _collection(field, definitions)
    if field["type"] in {"integer", "number"}:
        return _numbers(field)
    named = {"boolean": "`true`, `false`", "null": "`null`", "string": "a string"}
    return "a file" if field.get("format") == "path" else named[field["type"]]


def _plural(values: str) -> str:
    return {"a string": "strings", "a file": "files"}.get(
        values, values.replace("a whole number", "whole numbers")
    )


def _collection(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "prefixItems" in field:
        return f"a list of {len(field['prefixItems'])} numbers"
    if field["type"] == "array":
        return f"a list of {_plural(_values(field['items'], definitions))}"
    if "properties" not in field:
        return "`{label: number}`"
    pairs = {key: _values(value, definitions) for key, value in field["properties"].items()}
    return "`{" + ", ".join(f"{key}: {_bare(value)}" for key, value in pairs.items()) + "}`"


def _bare(values: str) -> str:
    return values.strip("`") if values.startswith("`") else "number"


def _numbers(field: dict[str, Any]) -> str:
    noun = "a whole number" if field["type"] == "integer" else "a number"
    low, high = field.get("minimum"), field.get("maximum")
    above, below = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
    if above is not None and below is not None:
        return f"{noun} between {above:g} and {below:g}"
    bounds = [
        f"from {low:,g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"to {high:,}" if high is not None and high < UNBOUNDED else "",
        f"to below {below:,}" if below is not None and below < UNBOUNDED else "",
    ]
    return " ".join([noun, *filter(None, bounds)])
