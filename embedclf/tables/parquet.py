"""Parquet tables."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    Batch,
    ReadBatch,
    empty_batch,
    find_repeated,
    number_column,
    pc,
    split_batches,
    text_column,
    to_numpy,
)
from embedclf.system.storage import one_line, open_file
from embedclf.system.terminal import format_count
from embedclf.tables.nested import (
    MAX_POSITIONS,
    ColumnNames,
    describe_nested,
    find_column,
    is_list,
    root_of,
)
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat

ClassNames = tuple[str, ...]
"""The name of each class; its id is the position."""


@dataclass(frozen=True)
class ParquetReader:
    """Reads a Parquet table."""

    location: str
    name: str
    columns: tuple[str, ...]
    names: ColumnNames
    class_names: dict[str, ClassNames]
    """Columns whose ids have names."""
    notes: ReadNotes
    row_groups: tuple[int, int] | None = None
    """The first row group to read, and the one to stop at; None is all."""

    file_format: ClassVar[FileFormat] = "parquet"
    counts_rows: ClassVar[bool] = True
    description: ClassVar[str] = "Parquet"

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns as text; null and NaN become "", ids of classes their names.

        Args:
            columns: Names, also of nested columns.
            as_json: Columns whose lists and structs become JSON text.

        Raises:
            DataError: The file cannot be read, or a column cannot be text.
        """
        roots = list(dict.fromkeys(root_of(column, self.columns) for column in columns))
        for rows, fraction_read in self._read_typed(roots):
            arrays = [self._column_as_text(rows, name, as_json=name in as_json) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, [*columns]), fraction_read

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns with their types, or as text for CSV and Excel.

        Raises as `iter_batches`.
        """
        del reserved  # all rows have the same columns, which the caller has checked
        for rows, fraction_read in self._read_typed(self.columns):
            kept = rows
            if target in {"delimited", "excel"}:
                arrays = [self._column_as_text(rows, name, as_json=True) for name in self.columns]
                kept = pa.RecordBatch.from_arrays(arrays, self.columns)
            texts = text.join([self._column_as_text(rows, name) for name in text.names])
            yield Batch(texts, kept, fraction_read=fraction_read)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the row numbers, from 1; Parquet has no lines."""
        from pyarrow import parquet

        with open_file(self.location) as stored:
            metadata = parquet.read_metadata(stored)
        groups = self._groups(metadata)
        first = sum(metadata.row_group(group).num_rows for group in range(groups.start))
        rows = sum(metadata.row_group(group).num_rows for group in groups)
        yield from range(first + 1, first + rows + 1)

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield nothing: a Parquet file can be read completely or not at all."""
        del columns, as_json
        return iter(())

    def _read_typed(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read columns with their types; the first batch is empty, so every table has a batch.

        Raises:
            DataError: The file cannot be read.
        """
        from pyarrow import parquet

        rows_read = 0
        try:
            with open_file(self.location) as stored, parquet.ParquetFile(stored) as file:
                groups = self._groups(file.metadata)
                rows_in = (file.metadata.row_group(group).num_rows for group in groups)
                total = max(1, sum(rows_in))
                fields = [file.schema_arrow.field(column) for column in columns]
                empty = empty_batch(pa.schema(fields, file.schema_arrow.metadata))
                batches = file.iter_batches(BATCH_ROWS, groups, columns)
                for rows in itertools.chain([empty], batches):
                    # Reading does not check that strings are UTF-8, which later code relies on.
                    rows.validate(full=True)
                    rows_read += len(rows)
                    # An empty batch splits into no batches.
                    yield from (
                        (batch, rows_read / total) for batch in split_batches(rows) or [rows]
                    )
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.name}: damaged Parquet file: {one_line(error)}") from error

    def _groups(self, metadata: Any) -> range:
        """Return the row groups to read."""
        return range(*(self.row_groups or (0, metadata.num_row_groups)))

    def _column_as_text(
        self, rows: pa.RecordBatch, name: str, *, as_json: bool = False
    ) -> pa.Array:
        """Return a column as text (n,).

        Raises:
            DataError: It cannot be text, or an id has no name.
        """
        cells = _plain(find_column(rows, name))
        if pa.types.is_nested(cells.type) and not as_json:
            raise DataError(f"{self.name}: column {_describe_nested(name, cells.type)}")
        try:
            if (class_names := self.class_names.get(name)) is not None:
                return _name_classes(cells, class_names, f"{self.name}: column {name!r}")
            return (
                _nested_to_json(cells) if pa.types.is_nested(cells.type) else cells_to_text(cells)
            )
        except (pa.ArrowException, ValueError, OverflowError) as error:
            fault = f"cannot be text (type {cells.type}): {one_line(error)}"
            if pa.types.is_binary(cells.type):
                fault = "holds bytes that are not UTF-8; name another column"
            raise DataError(f"{self.name}: column {name!r} {fault}") from error


def open_parquet(
    location: str, name: str, row_groups: tuple[int, int] | None = None
) -> ParquetReader:
    """Open a Parquet table, or some consecutive row groups of it.

    Raises:
        DataError: It is not Parquet, or two columns have the same name.
    """
    from pyarrow import parquet

    try:
        with open_file(location) as stored:
            schema = parquet.read_schema(stored)
    except (pa.ArrowException, OSError) as error:
        fault = f"not a Parquet file, or a truncated one: {one_line(error)}"
        if "magic bytes" in str(error):
            fault = "not a Parquet file, or a truncated one; download or copy it again"
        elif "crypt" in str(error):
            fault = "encrypted; write it without encryption, as no key can be set"
        raise DataError(f"{name}: {fault}") from error
    if repeated := find_repeated(schema.names):
        raise DataError(f"{name}: two columns are named {repeated[0]!r}; rename one")
    names = ColumnNames()
    names.add_fields(schema)
    class_names = _find_class_names(schema)
    columns, notes = tuple(schema.names), ReadNotes(name)
    return ParquetReader(location, name, columns, names, class_names, notes, row_groups)


def cells_to_text(cells: pa.Array) -> pa.Array:
    """Turn cells into text; null and NaN, which is how pandas writes missing ones, become ""."""
    cells = _plain(cells)
    if pa.types.is_float16(cells.type):  # Arrow cannot compute with it
        cells = cells.cast(pa.float32())
    texts = cells.cast(pa.string())
    missing = text_column([""])[0]
    if pa.types.is_floating(cells.type):
        return pc.if_else(pc.is_null(cells, nan_is_null=True), missing, texts)
    # Without nulls, nothing is copied.
    return pc.coalesce(texts, missing) if texts.null_count else texts


def _find_class_names(schema: pa.Schema) -> dict[str, ClassNames]:
    """Return the columns whose ids Hugging Face datasets has named in the schema's metadata."""
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = metadata["info"]["features"]
    except (ValueError, KeyError, TypeError):  # written by another program
        return {}
    found: dict[str, ClassNames] = {}
    _collect_class_names(features, "", found)
    return found


def _collect_class_names(feature: Any, name: str, found: dict[str, ClassNames]) -> None:
    # A list is written as [feature], or as {"feature": feature, "_type": "Sequence"}.
    item = feature[0] if isinstance(feature, list) and feature else None
    if isinstance(feature, dict):
        if feature.get("_type") == "ClassLabel":
            if isinstance(names := feature.get("names"), list) and names:
                found[name] = tuple(map(str, names))
            return
        item = feature.get("feature") if isinstance(feature.get("_type"), str) else None
    if item is not None:
        # A sequence of structs is stored as a list of structs, or as a struct of lists.
        for nested in ("", *(f".{position}" for position in range(MAX_POSITIONS))):
            _collect_class_names(item, f"{name}{nested}", found)
    elif isinstance(feature, dict):
        for key, each in feature.items():
            _collect_class_names(each, f"{name}.{key}" if name else key, found)


def _name_classes(cells: pa.Array, names: ClassNames, place: str) -> pa.Array:
    """Replace ids by names, also in lists, which become JSON text; -1 is no label.

    Raises:
        DataError: An id has no name; the message begins with the place.
    """
    if not pa.types.is_integer(cells.type):
        if not pa.types.is_nested(cells.type):
            return cells_to_text(cells)  # already names
        return _nested_to_json(cells, lambda ids: _to_names(ids, names, place))
    ids = to_numpy(pc.coalesce(cells.cast(pa.int64()), number_column(np.array([-1]))[0]))
    wrong = ids[(ids < -1) | (ids >= len(names))]
    if len(wrong):
        raise _unnamed_class(wrong[0], names, place)
    # -1 becomes the last position.
    return text_column([*names, ""]).take(number_column(ids % (len(names) + 1)))


def _to_names(ids: Any, names: ClassNames, place: str) -> Any:
    if isinstance(ids, list):
        return [_to_names(item, names, place) for item in ids if item != -1]
    if isinstance(ids, int) and not 0 <= ids < len(names):
        raise _unnamed_class(ids, names, place)
    return names[ids] if isinstance(ids, int) else ids


def _unnamed_class(number: int, names: ClassNames, place: str) -> DataError:
    classes = format_count(len(names), "class", "classes")
    return DataError(
        f"{place}: there is no class {number}; the metadata of the file names {classes}, "
        "from 0; fix the ids or the metadata"
    )


def _plain(cells: pa.Array) -> pa.Array:
    """Return a column without dictionary and extension types."""
    if isinstance(cells, pa.ExtensionArray):
        return _plain(cells.storage)
    return _plain(cells.dictionary_decode()) if pa.types.is_dictionary(cells.type) else cells


def _nested_to_json(
    cells: pa.Array, convert: Callable[[Any], Any] = lambda value: value
) -> pa.Array:
    """Turn nested cells into JSON; null becomes ""."""
    # default=str: nested cells can contain dates and decimals, which JSON has no type for.
    return text_column(
        [
            None if cell is None else json.dumps(convert(cell), ensure_ascii=False, default=str)
            for cell in cells.to_pylist()
        ]
    )


def _describe_nested(name: str, arrow_type: pa.DataType) -> str:
    names = ColumnNames()
    names.add_fields([pa.field(name, arrow_type)])
    kind = (
        "a list" if is_list(arrow_type) else "a map" if pa.types.is_map(arrow_type) else "a struct"
    )
    return describe_nested(name, kind, names)
