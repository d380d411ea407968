"""Nested columns: `review.body` is the key `body` in `review`, `labels.0` the first of a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import mask_column, number_column, pc, to_numpy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_POSITIONS = 10
"""Positions of a list that get names."""

_MAX_NESTED = 2000
"""Names to collect; records can have any number of different nested keys."""


@dataclass
class ColumnNames:
    """Names of columns, and of what is nested in them, in order of first appearance."""

    readable: dict[str, None] = field(default_factory=dict)
    """All names; a dictionary, as it keeps the order."""
    parents: set[str] = field(default_factory=set)
    """Names of columns that other names are nested in."""
    plain: set[str] = field(default_factory=set)
    """Names of columns that have a value with nothing nested in it, at least in some records."""
    distinct: set[str] = field(default_factory=set)
    """Names that are not one of many similar ones: items of a list after the first, or of plain
    values."""

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names that nothing is nested in; of a list, only what its first item has."""
        return tuple(
            name
            for name in self.readable
            if name in self.distinct and (name not in self.parents or name in self.plain)
        )

    def add_record(
        self, record: dict[str, Any], parent: str = "", *, is_repeated: bool = False
    ) -> None:
        """Add the names of a JSON record, or of an object nested in a parent."""
        for key, value in record.items():
            # Nearly all: plain values whose names are known from an earlier record
            is_known = not parent and key in self.plain and key in self.distinct
            if not is_known or isinstance(value, dict | list):
                self._add(f"{parent}{key}", value, is_repeated)

    def add_fields(
        self, fields: Iterable[pa.Field], parent: str = "", *, is_repeated: bool = False
    ) -> None:
        """Add the names of a Parquet schema, or of a struct nested in a parent."""
        for each in fields:
            self._add_type(f"{parent}{each.name}", each.type, is_repeated)

    def _add(self, name: str, value: Any, is_repeated: bool) -> None:
        if not self._has_room(name, is_repeated):
            return
        if isinstance(value, dict):
            if value:
                self.parents.add(name)
            self.add_record(value, f"{name}.", is_repeated=is_repeated)
        elif isinstance(value, list):
            has_objects = any(isinstance(item, dict) for item in value)
            if has_objects:
                self.parents.add(name)
            for position, item in enumerate(value[:MAX_POSITIONS]):
                is_similar = is_repeated or position > 0 or not has_objects
                self._add(f"{name}.{position}", item, is_similar)
        elif value is not None:
            self.plain.add(name)

    def _add_type(self, name: str, arrow_type: pa.DataType, is_repeated: bool) -> None:
        if not self._has_room(name, is_repeated):
            return
        if pa.types.is_struct(arrow_type) and arrow_type.num_fields:
            self.parents.add(name)
            self.add_fields(arrow_type, f"{name}.", is_repeated=is_repeated)
        elif is_list(arrow_type):
            has_structs = pa.types.is_struct(arrow_type.value_type)
            if has_structs:
                self.parents.add(name)
            for position in range(MAX_POSITIONS):
                is_similar = is_repeated or position > 0 or not has_structs
                self._add_type(f"{name}.{position}", arrow_type.value_type, is_similar)

    def _has_room(self, name: str, is_repeated: bool) -> bool:
        """Add a name itself; only top-level columns are never too many."""
        if "." in name and name not in self.readable and len(self.readable) >= _MAX_NESTED:
            return False
        self.readable[name] = None
        if not is_repeated:
            self.distinct.add(name)
        return True


def find_value(record: dict[str, Any], name: str) -> Any:
    """Return the value of a name in a record; None if a part of it is missing.

    A key that has dots in it takes precedence.
    """
    value: Any = record
    parts: Sequence[str] = name.split(".")
    while parts:
        if isinstance(value, dict):
            used = _matching_key(value, parts)
            value = value[".".join(parts[:used])] if used else None
        elif isinstance(value, list) and parts[0].isdecimal():
            position, used = int(parts[0]), 1
            value = value[position] if position < len(value) else None
        else:
            return None
        parts = parts[used:] if used else ()
    return value


def find_column(rows: pa.RecordBatch, name: str) -> pa.Array:
    """Return the column of a name; cells are null where a part of it is missing."""
    parts: Sequence[str] = name.split(".")
    used = _matching_key(rows.schema.names, parts)
    column, parts = rows.column(".".join(parts[:used])), parts[used:]
    while parts:
        if pa.types.is_struct(column.type):
            used = _matching_key([each.name for each in column.type], parts)
            column = pc.struct_field(column, [".".join(parts[:used])])
        else:
            column, used = _list_items(column, int(parts[0])), 1
        parts = parts[used:]
    return column


def root_of(name: str, columns: Sequence[str]) -> str:
    """Return the column that a name is nested in, or the name itself."""
    parts = name.split(".")
    return ".".join(parts[: _matching_key(columns, parts) or len(parts)])


def describe_nested(name: str, kind: str, names: ColumnNames) -> str:
    """Say that a column is no text, and name a value in it.

    Args:
        name: The column.
        kind: What it is: `a list`.
        names: The column, and what is nested in it.
    """
    nested = next((leaf for leaf in names.leaves if leaf != name), None)
    way_out = f"name a value in it, such as {nested!r}" if nested else "write it as one string"
    return f"{name!r} is {kind}, not a text; {way_out}"


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether a type is a list of any size."""
    types = pa.types
    return bool(
        types.is_list(arrow_type)
        or types.is_large_list(arrow_type)
        or types.is_fixed_size_list(arrow_type)
    )


def _matching_key(keys: Iterable[str], parts: Sequence[str]) -> int:
    """Return how many parts of a name the longest matching key has; 0 if none matches."""
    names = keys if isinstance(keys, dict) else set(keys)
    lengths = range(len(parts), 0, -1)
    return next((length for length in lengths if ".".join(parts[:length]) in names), 0)


def _list_items(lists: pa.Array, position: int) -> pa.Array:
    """Return an item of each list (n,); null where a list is shorter."""
    none = number_column(np.array([0]))[0]
    lengths = to_numpy(pc.coalesce(pc.list_value_length(lists).cast(pa.int64()), none))
    is_long = lengths > position
    # flatten() leaves out null lists, so each list begins where those before it end.
    starts = np.cumsum(lengths) - lengths
    items = lists.flatten().take(number_column((starts + position)[is_long]))
    # Back to all rows: an index into `items`, or null.
    indices = number_column(np.cumsum(is_long) - 1)
    return items.take(pc.if_else(mask_column(is_long), indices, pa.nulls(len(lists), pa.int64())))
