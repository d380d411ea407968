"""pydantic's errors as sentences for people, with suggestions for misspelled words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_TYPE_ERROR_SUFFIXES = ("_type", "_parsing", "_from_float")

_MAX_KEYS = 200
"""Characters of a key path in a message."""

_EXPECTED = {
    "bool": "must be true or false",
    "dict": "must be a mapping of keys",
    "float": "must be a number",
    "int": "must be a whole number",
    "list": "must be a list",
    "model": "must be a mapping of keys",
    "path": "must be a file path",
    "string": "must be text; put it in quotes if it looks like a number",
}
"""What to write instead, by the first word of pydantic's error types `…_type`, `…_parsing`."""


@dataclass(frozen=True)
class ConfigFault:
    """One fault of a config: the key path it concerns, and a sentence."""

    keys: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        place = shorten(".".join(self.keys), _MAX_KEYS)
        # A key or a value with a line break must not look like another fault.
        return escape_controls(f"{place}: {self.sentence}" if place else self.sentence)


def describe_errors(
    error: ValidationError, schema: type[BaseModel], *, limit: int | None = None
) -> list[ConfigFault]:
    """Turn pydantic's errors into sentences that say what to write instead.

    Args:
        error: What validation against `schema` raised.
        schema: The model of the whole config, which knows the valid keys.
        limit: How many to describe at most; None is all. Each takes a millisecond.
    """
    faults = []
    for details in error.errors(include_url=False)[:limit]:
        # A rule across sections names the key at fault itself.
        key = details.get("ctx", {}).get("key")
        keys = tuple(key.split(".")) if key else tuple(str(part) for part in details["loc"])
        faults.append(ConfigFault(keys, _sentence(keys, details, schema)))
    return list(dict.fromkeys(faults))


def closest_match(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a misspelled word most likely means, or None."""
    names = list(candidates)
    similar = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    # difflib finds `rate` too short to be similar to `learning_rate`.
    containing = [name for name in names if word.lower() in name.split("_")]
    return next(iter([*similar, *containing]), None)


def _sentence(keys: tuple[str, ...], details: ErrorDetails, schema: type[BaseModel]) -> str:
    error_type, value, message = details["type"], details["input"], details["msg"]
    if error_type == "extra_forbidden":
        return _unknown_key(keys, schema)
    if error_type == "literal_error":
        return _unknown_word(value, details["ctx"]["expected"])
    if error_type in {"missing", "both"}:
        return "missing; it is required" if error_type == "missing" else message
    expected = None
    if error_type.endswith(_TYPE_ERROR_SUFFIXES):
        expected = _EXPECTED.get(error_type.partition("_")[0])
    return f"{expected or _requirement(message)}, not {_show(value)}"


def _unknown_key(keys: tuple[str, ...], schema: type[BaseModel]) -> str:
    siblings = list(_section(schema, keys[:-1]).model_fields)
    # A key that exists in a neighboring section is misplaced rather than misspelled.
    for outer_keys in (keys[:-1], keys[:-2]):
        outer = _section(schema, outer_keys)
        for name in outer.model_fields:
            section = _section(outer, (name,))
            if section is not outer and keys[-1] in section.model_fields:
                meant = ".".join((*outer_keys, name, keys[-1]))
                return f"unknown key; did you mean '{meant}'?"
    if close := closest_match(keys[-1], siblings):
        return f"unknown key; did you mean '{close}'?"
    return f"unknown key; valid keys: {', '.join(siblings)}"


def _section(schema: type[BaseModel], keys: tuple[str, ...]) -> type[BaseModel]:
    """Return the model at a key path, or the schema itself where the path is not a section."""
    for key in keys:
        annotation = schema.model_fields[key].annotation
        if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
            schema = annotation
    return schema


def _unknown_word(value: Any, expected: str) -> str:
    # pydantic lists them as: 'a', 'b' or 'c'.
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    close = closest_match(str(value), words)
    hint = f"; did you mean '{close}'?" if close else ""
    return f"must be one of {', '.join(words)}, not {_show(value)}{hint}"


def _requirement(message: str) -> str:
    """Drop the subject of pydantic's sentence: `Input should be …` becomes `must be …`."""
    for subject in ("Input should be ", "String should ", "List should "):
        if message.startswith(subject):
            verb = "must be " if subject.startswith("Input") else "must "
            return verb + message.removeprefix(subject)
    return message[:1].lower() + message[1:]


def _show(value: Any) -> str:
    """Format a value as YAML would, truncated to fit a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
