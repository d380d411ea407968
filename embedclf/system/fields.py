"""Fields: the cells of columns beside the text, written before it in the same string.

`channel=web minutes=7.5 Good product` is a text with two fields. Whatever takes texts takes their
fields with them. Every word of a field has a name, and white space in names and cells becomes `_`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import join_columns, number_column, pc, text_column, to_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHITE_SPACE = r"\x09-\x0d\x1c-\x20\x{85}\pZ"
"""White space by `str.isspace`, in a character class of RE2."""

_OUTER_SPACES = rf"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$"


@dataclass(frozen=True)
class TextColumns:
    """The columns that texts are made of, together with their fields."""

    text: Sequence[str] = ()
    """Several are joined with a space."""
    fields: Sequence[str] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    """Fields with the same cell in all rows, such as the name of a folder, which are not read."""

    @property
    def names(self) -> list[str]:
        """The columns to read, in the order that `join` takes them."""
        return [*(name for name in self.fields if name not in self.constants), *self.text]

    def join(self, columns: Sequence[pa.Array]) -> pa.Array:
        """Return the texts (n,), each with its fields before it.

        Args:
            columns: (n,) the cells of each of `names`.
        """
        first_text = len(columns) - len(self.text)
        cells = {**self.constants, **dict(zip(self.names, columns[:first_text], strict=False))}
        texts = join_columns(columns[first_text:])
        if not self.fields:
            return texts
        words = [_write_words(name, cells[name]) for name in self.fields]
        # The separator comes last.
        return pc.binary_join_element_wise(*words, texts, text_column([" "])[0])


def field_name(column: str) -> str:
    """Return the name of a column's field: without white space and `=`, which end a name."""
    return re.sub(r"[\s=\x1c-\x1f\x85]+", "_", column)


def split_fields(
    texts: pa.Array, fields: Sequence[str]
) -> tuple[list[pa.StringArray], pa.StringArray]:
    """Split off the fields that texts begin with, in the order of `fields`; each can be missing.

    Args:
        texts: (n,) strings without nulls.
        fields: Columns.

    Returns:
        For each field the words (n,), such as `channel=web`, or "" where it is missing; and the
        texts (n,) after them.
    """
    if (split := _split_complete(texts, fields)) is not None:
        return split
    names = [re.escape(field_name(column)) for column in fields]
    prefix = "^" + "".join(
        rf"(?:(?P<field{number}>{name}=[^{WHITE_SPACE}]*)(?:[{WHITE_SPACE}]|\z))?"
        for number, name in enumerate(names)
    )
    words = pc.extract_regex(texts, prefix).flatten()
    return words, pc.replace_substring_regex(texts, prefix, "", max_replacements=1)


def find_fields(text: str, fields: Sequence[str]) -> tuple[list[tuple[int, int]], int]:
    """Find the fields that a text begins with.

    Returns:
        The start and the end of each that is not missing, and where the text after them starts;
        all in code points.
    """
    spans, start = [], 0
    words, _ = split_fields(text_column([text]), fields)
    for (word,) in map(pa.Array.to_pylist, words):
        if word:
            spans.append((start, start + len(word)))
            start = min(start + len(word) + 1, len(text))  # a white space, or the end, comes next
    return spans, start


def _split_complete(
    texts: pa.Array, fields: Sequence[str]
) -> tuple[list[pa.StringArray], pa.StringArray] | None:
    """Split texts that all have all fields, as those of tables do, many times faster."""
    pieces = pc.split_pattern(texts, " ", max_splits=len(fields))
    width = len(fields) + 1
    if not (to_numpy(pc.list_value_length(pieces)) == width).all():
        return None
    words, total = pieces.flatten(), len(texts) * width
    *columns, rest = (
        words.take(number_column(np.arange(start, total, width))) for start in range(width)
    )
    for name, column in zip(map(field_name, fields), columns, strict=True):
        is_field = pc.starts_with(column, pattern=f"{name}=")
        has_space = pc.match_substring_regex(column, f"[{WHITE_SPACE}]")
        if not pc.all(pc.and_not(is_field, has_space)).as_py():
            return None
    return columns, rest


def _write_words(column: str, cells: pa.Array | str) -> pa.Array | pa.Scalar:
    """Return `name=cell` for each cell of a field; outer white space is removed."""
    cells = text_column([cells])[0] if isinstance(cells, str) else cells
    cells = pc.replace_substring_regex(cells, _OUTER_SPACES, "")
    cells = pc.replace_substring_regex(cells, f"[{WHITE_SPACE}]+", "_")
    name, nothing = text_column([f"{field_name(column)}=", ""])
    return pc.binary_join_element_wise(name, cells, nothing)
