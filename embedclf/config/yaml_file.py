"""YAML 1.2 with line and column of every key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Mapping

Keys = tuple[str, ...]

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_WIDTH = 100

_INDICATORS = "|>#,&*!%@`?:-"


class YamlError(Exception):
    """Text that is not a YAML mapping of sections; line and column count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass
class Document:
    """Plain values, and where each key of them stands.

    Keys of mappings are text exactly as written, so that a label `01` stays `01`.
    """

    values: dict[str, Any]
    places: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    repeated: list[Keys] = field(default_factory=list)

    def place(self, keys: Keys) -> tuple[int, int]:
        """Line and column of a key, or of the nearest mapping around it; (1, 1) is the file."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys, (1, 1))

    def set(self, keys: Keys, value: Any) -> None:
        """Set the value at a path of keys, making mappings on the way.

        Raises:
            YamlError: A value stands where a mapping is needed.
        """
        mapping = self.values
        for position, key in enumerate(keys[:-1], start=1):
            mapping = mapping.setdefault(key, {})
            if not isinstance(mapping, dict):
                raise YamlError(f"{'.'.join(keys[:position])} holds a value, not keys")
        mapping[keys[-1]] = value


def parse(text: str) -> Document:
    """Read a YAML document whose top is a mapping.

    Raises:
        YamlError: The text is not YAML, has no mapping at its top, or an alias inside itself.
    """
    node = _compose(text)
    document = Document({})
    if node is not None and not isinstance(node, MappingNode):
        raise YamlError("not a mapping of sections; begin with `data:`", *_mark(node))
    if node is not None:
        document.values = _construct(node, (), document, ())
    return document


def parse_value(text: str) -> Any:
    """Read one YAML value, as it would stand behind a key; nothing at all is null.

    One sign that YAML keeps for itself, such as a bar, is that sign.

    Raises:
        YamlError: The text is not YAML.
    """
    if len(text) == 1 and text in _INDICATORS:
        return text
    node = _compose(text)
    return None if node is None else _construct(node, (), Document({}), ())


def write(sections: dict[str, Any], comments: Mapping[Keys, str] | None = None) -> str:
    """Write plain values as YAML that `parse` reads back exactly, a mapping in it in one line.

    Args:
        sections: The values; those of a section stand a line each.
        comments: What is told above a key, by its path; wrapped at 100 columns.
    """
    comments = comments or {}
    lines: list[str] = []
    for key, value in sections.items():
        lines += _comment(comments.get((key,)), "")
        if not isinstance(value, dict):
            lines.append(f"{key}: {_flow(value)}")
            continue
        lines.append(f"{key}:")
        for name, inner in value.items():
            lines += _comment(comments.get((key, name)), "  ")
            lines.append(f"  {name}: {_flow(inner)}")
    return "\n".join(lines) + "\n"


def _comment(text: str | None, indent: str) -> list[str]:
    opening = f"{indent}# "
    return wrap(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or ""),
        _WIDTH,
        initial_indent=opening,
        subsequent_indent=opening,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _flow(value: Any) -> str:
    """A value in one line; text that is no plain word stands in quotes, escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _WORD.fullmatch(value) and value.lower() not in {"true", "false", "null"}:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _compose(text: str) -> Node | None:
    try:
        node: Node | None = _yaml().compose(text)
    except MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or error.context
        if "quoted scalar" in str(error.context) and "end of stream" in str(problem):
            mark, problem = error.context_mark, "a quote opened here is never closed"
        if "'\\t'" in str(problem):
            problem = "a tab; indent with blanks"
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlError(f"not YAML: {problem}", *place) from error
    except YAMLError as error:
        raise YamlError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise YamlError("not YAML: nested too deep") from error
    return node


def _construct(node: Node, keys: Keys, document: Document, around: tuple[Node, ...]) -> Any:
    """Turn a node into plain values, noting places and repeated keys in the document."""
    if any(node is outer for outer in around):
        raise YamlError("an alias stands inside what it names", *_mark(node))
    around = (*around, node)
    if isinstance(node, MappingNode):
        return _construct_mapping(node, keys, document, around)
    if isinstance(node, SequenceNode):
        return [
            _construct(item, (*keys, str(index)), document, around)
            for index, item in enumerate(node.value)
        ]
    return _construct_scalar(node)


def _construct_mapping(
    node: MappingNode, keys: Keys, document: Document, around: tuple[Node, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            raise YamlError("a key must be a word", *_mark(key_node))
        path = (*keys, key_node.value)
        if key_node.value in values:
            document.repeated.append(path)
        document.places[path] = _mark(key_node)
        values[key_node.value] = _construct(value_node, path, document, around)
    return values


def _construct_scalar(node: Node) -> Any:
    try:
        return _yaml().constructor.construct_object(node)
    except (YAMLError, ValueError, LookupError) as error:
        raise YamlError(f"not YAML: cannot read {node.value!r}", *_mark(node)) from error


def _mark(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
