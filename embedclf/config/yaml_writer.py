"""YAML 1.2, written with comments."""

from __future__ import annotations

import io
import re
import sys
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.config.yaml_file import KeyPath

_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WIDTH = 100


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
    yaml.composer.warn_double_anchors = False  # it would print a part of the file
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
