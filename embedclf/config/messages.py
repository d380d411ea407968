"""pydantic errors in the user's words; did you mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class ConfigFault:
    """One fault of a config: the path of keys it concerns, and a sentence."""

    keys: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{'.'.join(self.keys)}: {self.sentence}" if self.keys else self.sentence


def describe(error: ValidationError, schema: type[BaseModel]) -> list[ConfigFault]:
    """Put pydantic's errors into sentences that name the way out.

    Args:
        error: What validation against `schema` raised.
        schema: The root of the config, asked for the keys that exist.
    """
    faults = []
    for details in error.errors(include_url=False):
        keys = tuple(str(part) for part in details["loc"])
        faults.append(ConfigFault(keys, _sentence(keys, details, schema)))
    return list(dict.fromkeys(faults))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one most likely means, if any is near."""
    words = list(known)
    matches = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    holding = [one for one in words if word.lower() in one.split("_")]
    return next(iter([*matches, *holding]), None)


_WRONG_KIND = ("_type", "_parsing", "_from_float")

_EXPECTED = {
    "bool": "must be true or false",
    "dict": "must be a mapping of keys",
    "float": "must be a number",
    "int": "must be a whole number",
    "list": "must be a list",
    "model": "must be a mapping of keys",
    "path": "must be the path of a file",
    "string": "must be text, in quotes where it looks like a number",
}
"""What to write instead, by the first word of pydantic's error types `…_type`, `…_parsing`."""


def _sentence(keys: tuple[str, ...], details: ErrorDetails, schema: type[BaseModel]) -> str:
    kind, given, message = details["type"], details["input"], details["msg"]
    if kind == "extra_forbidden":
        return _unknown_key(keys, schema)
    if kind == "literal_error":
        return _unknown_word(given, details["ctx"]["expected"])
    if kind in {"missing", "both"}:
        return "missing; it has no default" if kind == "missing" else message
    expected = _EXPECTED.get(kind.partition("_")[0]) if kind.endswith(_WRONG_KIND) else None
    return f"{expected or _bound(message)}, not {_show(given)}"


def _unknown_key(keys: tuple[str, ...], schema: type[BaseModel]) -> str:
    siblings = list(_section(schema, keys[:-1]).model_fields)
    for around in (keys[:-1], keys[:-2]):
        outer = _section(schema, around)
        for name in outer.model_fields:
            section = _section(outer, (name,))
            if section is not outer and keys[-1] in section.model_fields:
                meant = ".".join((*around, name, keys[-1]))
                return f"unknown key here; did you mean '{meant}'?"
    if close := nearest(keys[-1], siblings):
        return f"unknown key; did you mean '{close}'?"
    return f"unknown key; known are {', '.join(siblings)}"


def _section(schema: type[BaseModel], keys: tuple[str, ...]) -> type[BaseModel]:
    """The model behind a path of keys; the schema itself where the path names no section."""
    for key in keys:
        annotation = schema.model_fields[key].annotation
        if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
            schema = annotation
    return schema


def _unknown_word(given: Any, expected: str) -> str:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    near = nearest(str(given), words)
    hint = f"; did you mean '{near}'?" if near else ""
    return f"must be one of {', '.join(words)}, not {_show(given)}{hint}"


def _bound(message: str) -> str:
    """Pydantic's sentence without its subject: `Input should be …` → `must be …`."""
    for opening in ("Input should be ", "String should ", "List should "):
        if message.startswith(opening):
            verb = "must be " if opening.startswith("Input") else "must "
            return verb + message.removeprefix(opening)
    return message[:1].lower() + message[1:]


def _show(given: Any) -> str:
    """A value as YAML would write it, cut to a line."""
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
