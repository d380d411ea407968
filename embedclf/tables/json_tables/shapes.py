"""How the records of a JSON file are arranged."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from embedclf.tables.json_tables.values import NOT_AN_OBJECT, JsonError, JsonText

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_EMPTY = 'the file is empty; it needs records such as {"text": "...", "label": "..."}'

_PANDAS_COLUMNS = (
    "one object of columns, as pandas writes by default; write records: "
    "df.to_json('table.jsonl', orient='records', lines=True)"
)


@dataclass(frozen=True)
class JsonShape:
    """How the records of a file are arranged."""

    layout: Literal["lines", "values", "array"]
    """One a line; one after another, each on any number of lines; in an array."""
    key: str | None = None
    """Key of the array, if it is part of an object."""
    counts_rows: bool = False
    """Whether records are located by their number, because several are on one line."""

    def __str__(self) -> str:
        if self.key is not None:
            return f"JSON array {self.key!r}"
        return {"lines": "JSON Lines", "values": "JSON records", "array": "JSON array"}[self.layout]


@dataclass(frozen=True)
class _Member:
    """What the value of a key is."""

    content: Literal["value", "list", "rows", "records", "object", "column"]
    length: int = 0
    keys: Collection[str] = ()
    """Of the first record."""
    nested: str = ""
    """Path of an array of records in an object."""


def detect_shape(stream: Any, required: Sequence[str]) -> JsonShape:
    """Detect the arrangement of a file, which is read at least to the end of its first value.

    A single object that holds one array of records is a table of these records, unless it has the
    required columns itself.

    Args:
        stream: UTF-8 bytes.
        required: Names of columns.

    Raises:
        JsonError: It is not JSON, or has no records.
        UnicodeDecodeError: It is not UTF-8.
    """
    text = JsonText(stream)
    first = text.peek()
    if not first:
        raise JsonError(0, _EMPTY)
    if first == "[":
        return JsonShape("array")
    lines = text.first_lines()
    if first != "{":
        raise JsonError(text.line, NOT_AN_OBJECT)
    if len(lines) > 1 and _is_object(lines[0]):
        return JsonShape("lines")
    try:
        line = text.line
        members = _read_members(text)
        is_single = not text.peek()
    except JsonError:
        # A fault in the first of many lines concerns that line only.
        if len(lines) > 1 and _is_object(lines[1]):
            return JsonShape("lines")
        raise
    if not is_single:
        return JsonShape("values")
    return _shape_of_object(members, line, required, is_line=len(lines) == 1)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _read_members(text: JsonText) -> dict[str, _Member]:
    members = {}
    for key in text.read_keys():
        if text.peek() == "[":
            members[key] = _read_list(text)
        else:
            members[key] = _describe_value(key, text.read().values)
    return members


def _describe_value(key: str, value: Any) -> _Member:
    if not isinstance(value, dict):
        return _Member("value")
    if _are_row_numbers(value):
        return _Member("column")
    return _Member("object", nested=_find_records(value, key))


def _find_records(value: Mapping[str, Any], path: str) -> str:
    """Return the path of the first array of records in an object, at any depth, or ""."""
    for key, item in value.items():
        if isinstance(item, list) and len(item) > 1 and {*map(type, item)} == {dict}:
            return f"{path}.{key}"
    objects = ((key, item) for key, item in value.items() if isinstance(item, dict))
    return next(filter(None, (_find_records(item, f"{path}.{key}") for key, item in objects)), "")


def _read_list(text: JsonText) -> _Member:
    """Count the elements without keeping them: an array can be larger than the memory."""
    types, keys = Counter[type[Any]](), ()
    for element in text.read_array():
        if isinstance(element.values, dict) and not types:
            keys = tuple(element.values)
        types[type(element.values)] += 1
    return _Member(_content_of(types), types.total(), keys)


def _content_of(types: Collection[type[Any]]) -> Literal["list", "rows", "records"]:
    if set(types) == {dict}:
        return "records"
    return "rows" if set(types) == {list} else "list"


def _are_row_numbers(keys: Collection[str]) -> bool:
    return bool(keys) and all(key.isdecimal() for key in keys)


def _shape_of_object(
    members: Mapping[str, _Member], line: int, required: Sequence[str], *, is_line: bool
) -> JsonShape:
    """Decide what the only object of a file is: columns, one record, or a wrapped table."""
    if _are_columns(members):
        raise JsonError(line, _PANDAS_COLUMNS)
    record = JsonShape("lines" if is_line else "values")
    if required and _has_all(members, required):
        return record
    arrays = [key for key, member in members.items() if member.content == "records"]
    fitting = [key for key in arrays if required and _has_all(members[key].keys, required)]
    is_table = len(members) == 1 or any(members[key].length > 1 for key in arrays)
    tables = fitting or (arrays if is_table else [])
    if len(tables) > 1:
        longest = max(tables, key=lambda key: members[key].length)
        raise JsonError(
            line,
            f"{len(tables)} arrays of records ({', '.join(map(repr, tables))}); save one of them "
            f"as a file: jq -c '.[\"{longest}\"][]' FILE > {longest}.jsonl",
        )
    if not tables and (nested := max((member.nested for member in members.values()), default="")):
        raise JsonError(
            line, f"the records are in {nested!r}; save them: jq -c '.{nested}[]' FILE > t.jsonl"
        )
    return JsonShape("array", tables[0]) if tables else record


def _has_all(keys: Collection[str], required: Sequence[str]) -> bool:
    """Whether an object has some columns, or the keys that they are nested in."""
    return all(name in keys or name.partition(".")[0] in keys for name in required)


def _are_columns(members: Mapping[str, _Member]) -> bool:
    """Whether an object holds a table by columns, or by row numbers, as pandas writes them."""
    contents = {member.content for member in members.values()}
    if contents == {"column"} or (contents == {"object"} and _are_row_numbers(members)):
        return True
    if contents == {"list"}:
        lengths = {member.length for member in members.values()}
        return len(lengths) == 1 and len(members) > 1 and lengths != {0, 1}
    split = ("columns", "list"), ("data", "rows")
    return all(key in members and members[key].content == content for key, content in split)
