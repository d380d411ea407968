"""YAML 1.2: read with the line and column of every key, in a time that its length bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from embedclf.system.terminal import shorten

KeyPath = tuple[str, ...]

_INDICATORS = "|>#,&*!%@`?:-"

_MAX_DEPTH = 50
"""Levels of nesting; a config needs 5."""

_MAX_REPEATED = 500
"""Values that aliases can repeat."""

_MAX_NUMBER = 100
"""Characters of a value that is not text. Python cannot show numbers of thousands of digits."""

_SHOWN = 60
"""Characters of a value in a message."""

_TOO_DEEP = f"nested too deep: more than {_MAX_DEPTH} levels; a config needs 5"

_TEXT_TAG = "tag:yaml.org,2002:str"

_FAULTS = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, AssertionError)
"""What ruamel.yaml raises beside its own errors: for example for a date in month 13."""

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
    document = Document({})
    reader = _Reader(document)
    node = reader.compose(text)
    if node is not None and not isinstance(node, MappingNode):
        raise YamlError("not a mapping of sections; begin with `data:`", *_position(node))
    if node is not None:
        document.values = reader.construct(node, ())
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
    reader = _Reader(Document({}))
    node = reader.compose(text)
    return None if node is None else reader.construct(node, ())


def undo_escapes(text: str) -> str:
    r"""Return a text as it looks between double quotes: with `\n` for a line feed.

    A Windows path in double quotes has escapes that nobody meant.
    """
    return "".join(_ESCAPES.get(character, character) for character in text)


class _Reader:
    """Turns a text into plain values, in a time that its length bounds.

    Depth, repetition by aliases and the length of numbers are limited: a few lines can otherwise
    stand for billions of values, or exceed the recursion limit of Python.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        # One for the whole text: to make one for each value would take half of the time.
        self._yaml = YAML(typ="safe", pure=True)
        self._yaml.max_depth = _MAX_DEPTH
        self._yaml.composer.warn_double_anchors = False
        self._seen: set[int] = set()
        self._repeated = 0

    def compose(self, text: str) -> Node | None:
        """Return the root of a text, or None if it is empty.

        Raises:
            YamlError: The text is not YAML, or is nested too deep.
        """
        try:
            node: Node | None = self._yaml.compose(text)
        except MaxDepthExceededError as error:
            raise YamlError(_TOO_DEEP, *_mark_position(error.problem_mark)) from error
        except MarkedYAMLError as error:
            mark, problem = _explain_fault(error, text)
            raise YamlError(f"not YAML: {problem}", *_mark_position(mark)) from error
        except ReaderError as error:
            raise _unreadable_character(text, error.position) from error
        except (YAMLError, *_FAULTS) as error:
            raise YamlError(f"not YAML: {shorten(' '.join(str(error).split()), _SHOWN)}") from error
        return node

    def construct(self, node: Node, keys: KeyPath, ancestors: tuple[Node, ...] = ()) -> Any:
        """Turn a node into plain values; record positions and duplicate keys in the document.

        Args:
            node: The node.
            keys: Where it stands.
            ancestors: The nodes around it.

        Raises:
            YamlError: A value cannot be read, or a limit is exceeded.
        """
        # An alias is the very node it names, so identity finds a cycle.
        if any(node is ancestor for ancestor in ancestors):
            raise YamlError("an alias refers to itself", *_position(node))
        if len(ancestors) >= _MAX_DEPTH:
            raise YamlError(_TOO_DEEP, *_position(node))
        self._repeated += id(node) in self._seen
        if self._repeated > _MAX_REPEATED:
            fault = f"aliases repeat more than {_MAX_REPEATED:,} values; write the values out"
            raise YamlError(fault, *_position(node))
        self._seen.add(id(node))
        ancestors = (*ancestors, node)
        if isinstance(node, MappingNode):
            return self._construct_mapping(node, keys, ancestors)
        if isinstance(node, SequenceNode):
            items = enumerate(node.value)
            return [self.construct(item, (*keys, str(index)), ancestors) for index, item in items]
        return self._construct_scalar(node)

    def _construct_mapping(
        self, node: MappingNode, keys: KeyPath, ancestors: tuple[Node, ...]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise YamlError("a key must be a word", *_position(key_node))
            path = (*keys, key_node.value)
            if key_node.value in values:
                self._document.duplicate_keys.append(path)
            self._document.positions[path] = _position(key_node)
            values[key_node.value] = self.construct(value_node, path, ancestors)
        return values

    def _construct_scalar(self, node: Node) -> Any:
        shown = repr(shorten(node.value, _SHOWN))
        if len(node.value) > _MAX_NUMBER and node.tag != _TEXT_TAG:
            fault = f"too long for a number: {shown}; put a text in quotes"
            raise YamlError(fault, *_position(node))
        try:
            return self._yaml.constructor.construct_object(node)
        except (YAMLError, *_FAULTS) as error:
            raise YamlError(f"not YAML: cannot read {shown}", *_position(node)) from error


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


def _unreadable_character(text: str, position: int) -> YamlError:
    r"""Return the error for a character that YAML allows only as an escape, such as `\0`."""
    before, code = text[:position], ord(text[position])
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a command line
        return YamlError(f"not UTF-8: byte 0x{code - 0xDC00:02x}; write it as UTF-8", line, column)
    fix = "delete it, or write an escape in double quotes"
    return YamlError(f"not YAML: character U+{code:04X}; {fix}", line, column)


def _position(node: Node) -> tuple[int, int]:
    return _mark_position(node.start_mark)


def _mark_position(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
