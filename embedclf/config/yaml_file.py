"""YAML 1.2: read with the line and column of every key, written with comments."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Mapping

KeyPath = tuple[str, ...]

_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WIDTH = 100
_INDICATORS = "|>#,&*!%@`?:-"

_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    "\x85": "\\N",
    "\u2028": "\\L",
    "\u2029": "\\P",
}
"""Characters that are in no path, and the escapes by which double quotes contain them."""


class YamlError(Exception):
    """Text that is not a YAML mapping of sections; line and column count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass
class Document:
    """Plain values, and where each of their keys stands in the file.

    Keys of mappings are text exactly as written, so a label `01` stays `01`.
    """

    values: dict[str, Any]
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    duplicate_keys: list[KeyPath] = field(default_factory=list)

    def position(self, keys: KeyPath) -> tuple[int, int]:
        """Return line and column of a key, or of the closest mapping around it, or (1, 1)."""
        while keys and keys not in self.positions:
            keys = keys[:-1]
        return self.positions.get(keys, (1, 1))

    def set(self, keys: KeyPath, value: Any) -> None:
        """Set the value at a path of keys, creating mappings where they are missing.

        Raises:
            YamlError: The path leads through something that is not a mapping.
        """
        mapping = self.values
        for depth, key in enumerate(keys[:-1], start=1):
            mapping = mapping.setdefault(key, {})
            if not isinstance(mapping, dict):
                raise YamlError(f"{'.'.join(keys[:depth])} is a value, not a section")
        mapping[keys[-1]] = value


def parse_yaml(text: str) -> Document:
    """Parse a YAML document whose root is a mapping.

    Raises:
        YamlError: The text is not YAML, its root is not a mapping, or an alias refers to itself.
    """
    node = _compose(text)
    document = Document({})
    if node is not None and not isinstance(node, MappingNode):
        raise YamlError("not a mapping of sections; begin with `data:`", *_position(node))
    if node is not None:
        document.values = _construct(node, (), document, ())
    return document


def parse_value(text: str) -> Any:
    """Parse one YAML value, as it would stand after a key; an empty text is null.

    A single character that YAML reserves, such as `|`, stands for itself. So does a pattern such
    as `*.csv`: a single value has no anchor that an alias could refer to.

    Raises:
        YamlError: The text is not YAML.
    """
    if (len(text) == 1 and text in _INDICATORS) or text.startswith("*"):
        return text
    node = _compose(text)
    return None if node is None else _construct(node, (), Document({}), ())


def undo_escapes(text: str) -> str:
    r"""Return a text as it looks between double quotes: with `\n` for a line feed.

    A Windows path in double quotes has escapes that nobody meant.
    """
    return "".join(_ESCAPES.get(character, character) for character in text)


def dump_yaml(sections: dict[str, Any], comments: Mapping[KeyPath, str] | None = None) -> str:
    """Write plain values as YAML that `parse_yaml` reads back unchanged.

    Args:
        sections: The values. Each value of a section takes one line, whatever its length.
        comments: Comment above a key, by its path; wrapped at 100 columns.
    """
    comments = comments or {}
    document = CommentedMap()
    for key, value in sections.items():
        if isinstance(value, dict):
            document[key] = CommentedMap((name, _inline(inner)) for name, inner in value.items())
            for name in value:
                _comment(document[key], name, comments.get((key, name)), indent=2)
        else:
            document[key] = _inline(value)
        _comment(document, key, comments.get((key,)), indent=0)
    return dump_document(document, width=sys.maxsize)


def round_trip_yaml() -> YAML:
    """Return a reader and writer that keeps comments, order and quotes."""
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.Representer = _Representer
    return yaml


def dump_document(document: Any, *, width: int = _WIDTH) -> str:
    """Write a document of `round_trip_yaml`, its lines wrapped at a width."""
    yaml = round_trip_yaml()
    yaml.width = width
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


class _Representer(RoundTripRepresenter):
    """Writes null as a word; ruamel.yaml writes nothing, which looks like an omission."""


# On a subclass, so other users of ruamel.yaml in the process are not affected.
_Representer.add_representer(
    type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _comment(mapping: CommentedMap, key: str, text: str | None, *, indent: int) -> None:
    """Put a comment above a key."""
    # A line break would end the comment, and YAML allows no control characters in one.
    lines = wrap(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or ""),
        _WIDTH - len("# ") - indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    if lines:
        mapping.yaml_set_comment_before_after_key(key, before="\n".join(lines), indent=indent)


def _inline(value: Any) -> Any:
    """Prepare a value for one line; text other than a plain word is quoted."""
    if isinstance(value, str):
        # Unlike YAML 1.1, 1.2 reads yes, no, on and off as text: no quotes needed.
        word = _PLAIN_WORD.fullmatch(value) and value.lower() not in {"true", "false", "null"}
        return value if word else DoubleQuotedScalarString(value)
    node: CommentedMap | CommentedSeq
    if isinstance(value, dict):
        node = CommentedMap((_inline(key), _inline(inner)) for key, inner in value.items())
    elif isinstance(value, list):
        node = CommentedSeq(map(_inline, value))
    else:
        return value
    node.fa.set_flow_style()
    return node


def _safe_yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _compose(text: str) -> Node | None:
    try:
        node: Node | None = _safe_yaml().compose(text)
    except MarkedYAMLError as error:
        mark, problem = _explain_fault(error, text)
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlError(f"not YAML: {problem}", *position) from error
    except YAMLError as error:
        raise YamlError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise YamlError("not YAML: nested too deep") from error
    return node


def _explain_fault(error: MarkedYAMLError, text: str) -> tuple[Any, str]:
    """Return where a text is not YAML, and why."""
    mark, problem = error.problem_mark or error.context_mark, str(error.problem or error.context)
    # The parser points to the end of the file, far from the quote at fault.
    if "quoted scalar" in str(error.context) and "end of stream" in problem:
        mark, problem = error.context_mark, "this quote is never closed"
    if "<document start>" in problem or "but found '<scalar>'" in problem:
        problem = "a value ends here, but the line continues; put all of it in single quotes"
    if "cannot start any token" in problem:
        problem = f"{problem}; put the value in single quotes"
    if "alias" in f"{error.context} {problem}":
        problem = f"{problem}; put a pattern in quotes, such as '*.csv'"
    if "'\\t'" in problem:
        problem = "a tab; indent with spaces"
    if "escape" in problem:
        problem = _explain_escape(text, mark)
    return mark, problem


def _explain_escape(text: str, mark: Any) -> str:
    """Explain a backslash that begins no escape, with the corrected line."""
    line = text.split("\n")[mark.line].rstrip("\r")
    # What the quotes enclose, if no quote is inside.
    enclosed = re.compile(r'"([^"]*)"').finditer(line)
    match = next((each for each in enclosed if each.start() < mark.column <= each.end()), None)
    fix = "use / or two backslashes"
    if match and "'" not in match[1]:
        fixed = f"{line[: match.start()]}'{match[1]}'{line[match.end() :]}".strip()
        fix = f"write {fixed} with single quotes, or use /"
    return f"a backslash between double quotes begins an escape; {fix}"


def _construct(node: Node, keys: KeyPath, document: Document, ancestors: tuple[Node, ...]) -> Any:
    """Turn a node into plain values; record positions and duplicate keys in the document."""
    # An alias is the very node it names, so identity finds a cycle.
    if any(node is ancestor for ancestor in ancestors):
        raise YamlError("an alias refers to itself", *_position(node))
    ancestors = (*ancestors, node)
    if isinstance(node, MappingNode):
        return _construct_mapping(node, keys, document, ancestors)
    if isinstance(node, SequenceNode):
        return [
            _construct(item, (*keys, str(index)), document, ancestors)
            for index, item in enumerate(node.value)
        ]
    return _construct_scalar(node)


def _construct_mapping(
    node: MappingNode, keys: KeyPath, document: Document, ancestors: tuple[Node, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            raise YamlError("a key must be a word", *_position(key_node))
        path = (*keys, key_node.value)
        if key_node.value in values:
            document.duplicate_keys.append(path)
        document.positions[path] = _position(key_node)
        values[key_node.value] = _construct(value_node, path, document, ancestors)
    return values


def _construct_scalar(node: Node) -> Any:
    try:
        return _safe_yaml().constructor.construct_object(node)
    # ValueError: for example a date in month 13.
    except (YAMLError, ValueError, LookupError) as error:
        raise YamlError(f"not YAML: cannot read {node.value!r}", *_position(node)) from error


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
