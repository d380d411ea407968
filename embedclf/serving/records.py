"""JSON records -> rows to score, read as the lines of a JSON table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.serving.requests import RefusedRequest
from embedclf.system.arrow import NO_COLUMNS, Batch, text_column
from embedclf.tables.json_tables.records import to_json
from embedclf.tables.json_tables.values import JsonError, parse_line
from embedclf.tables.nested import find_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from embedclf.system.fields import TextColumns
    from embedclf.tables.json_tables.values import JsonRecord


def read_records(
    records: Sequence[msgspec.Raw], columns: TextColumns, reserved: Sequence[str]
) -> Batch:
    """Read the texts of records, which are kept as they are written.

    Args:
        records: JSON objects.
        columns: The text columns and the fields of the run.
        reserved: Keys that will be added.

    Raises:
        RefusedRequest: 422, if a record lacks a column, or has a reserved key.
    """
    parsed = [_parse(bytes(record), index) for index, record in enumerate(records)]
    for index, record in enumerate(parsed):
        for key in reserved:
            if key in record.values:
                fault = f"the answer adds the key {key!r}; rename it in the record"
                raise RefusedRequest(422, fault, f"records[{index}].{key}")
    cells = [
        text_column([_cell(record, name, index) for index, record in enumerate(parsed)])
        for name in columns.names
    ]
    return Batch(columns.join(cells), NO_COLUMNS, text_column([record.text for record in parsed]))


def _parse(record: bytes, index: int) -> JsonRecord:
    try:
        parsed = parse_line(index + 1, b" ".join(record.split(b"\n")))
    except JsonError as error:
        raise RefusedRequest(422, str(error), f"records[{index}]") from error
    if not isinstance(parsed.values, dict):
        raise RefusedRequest(422, "a record must be an object", f"records[{index}]")
    return parsed


def _cell(record: JsonRecord, name: str, index: int) -> str:
    """Return a cell as a table of JSON has it: null is "", a number is text as it is written."""
    value: Any = find_value(record.values, name)
    if type(value) is str:
        return value
    place = f"records[{index}].{name}"
    if value is None:
        if _has(record.values, name):
            return ""
        raise RefusedRequest(422, f"the column {name!r} is missing", place)
    if isinstance(value, list | dict):
        raise RefusedRequest(422, f"the column {name!r} must be a text", place)
    return to_json(value)


def _has(values: dict[str, Any], name: str) -> bool:
    """Whether a record has a column, or the parents of a nested one, even if it is null."""
    return name in values or ("." in name and name.partition(".")[0] in values)
