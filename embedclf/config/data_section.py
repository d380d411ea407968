"""The section `data` of a config: where the labeled texts are, and how to read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from embedclf.config.fields import (
    ColumnNames,
    Columns,
    Fraction,
    LabelColumns,
    Section,
    SkippedLines,
    Tables,
    allow_auto,
    union_error,
)
from embedclf.system.formats import InputFormat

DATA_FILES = ("train", "validation", "test")
"""Keys of `data` whose string is the path of a table."""


class DataConfig(Section):
    """The labeled texts, and how to read them."""

    train: Tables = Field(
        description="Table of training rows: a file, a folder, a pattern such as data/*.csv, a URI "
        "such as s3://bucket/reviews.csv, or a list of these."
    )
    text: Columns = Field(
        "text",
        description="Column of the text. A list of columns is joined with spaces. auto finds it by "
        "the cells and by the column's name.",
        json_schema_extra=allow_auto,
    )
    label: LabelColumns = Field(
        "label",
        description="Column of the label, or a list of 0/1 columns, one per label. auto finds it "
        "by the cells and by the column's name.",
        json_schema_extra=allow_auto,
    )
    label_separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Character between several labels in one cell (multi-label). null: one label "
        "per cell. auto looks for |, ;, a comma and #.",
        json_schema_extra=allow_auto,
    )
    missing_labels: list[str] = Field(
        default=[],
        description="Cells of the label column that mean that there is no label, such as nan.",
    )
    merge_label_forms: bool = Field(
        False,
        description="Treat labels that differ only in case, white space, Unicode form or the form "
        "of a number (1, 1.0, 01) as one label. The most frequent form names it.",
    )
    validation: Annotated[Fraction | Tables, union_error("a fraction from 0 to 1, or a table")] = (
        Field(
            0.1,
            description="Fraction of the training rows to hold out for choosing the best epoch "
            "(stratified; duplicates stay on one side), or a table. auto takes dev.csv or "
            "validation.csv next to train.csv, else 1% to 20%, depending on the number of rows.",
            json_schema_extra=allow_auto,
        )
    )
    test: Tables | None = Field(
        None,
        description="Table that is scored once, after training. null: none. auto takes test.csv "
        "next to train.csv.",
        json_schema_extra=allow_auto,
    )
    skip_invalid: bool = Field(
        False,
        description="Ignore rows without a valid label instead of refusing the table. auto is true "
        "if there are such rows.",
        json_schema_extra=allow_auto,
    )
    format: InputFormat | None = Field(
        None, description="File format. null: by the content, else by the extension."
    )
    # Two characters, for a tab written as \t.
    delimiter: Annotated[str, Field(min_length=1, max_length=2)] | None = Field(
        None, description="Column delimiter of a text table. null detects it."
    )
    encoding: str | None = Field(
        None,
        description="Encoding of a text table, such as cp1252. null: UTF-8, or the encoding of a "
        "byte-order mark; cp1252 if no other makes sense.",
    )
    quote: Literal['"', "none"] | None = Field(
        None,
        description="What encloses cells of a text table: a double quote, or none if quotes are "
        "ordinary characters. null detects it.",
    )
    escape: Literal["\\", "none"] | None = Field(
        None,
        description="Character before a quote inside a cell, as MySQL writes it. none: quotes are "
        "doubled. null detects it.",
    )
    header: bool | None = Field(
        None,
        description="Whether the first row holds the names of the columns. null detects it.",
    )
    columns: ColumnNames | None = Field(
        None,
        description="Names of all columns of a table without a header. null: those in its header.",
    )
    skip_lines: SkippedLines | None = Field(
        None,
        description="Lines above the header to ignore, or [above, below]: also lines below the "
        "last row. null detects both; a number leaves those below to detection.",
    )
    on_bad_row: Literal["refuse", "skip"] = Field(
        "refuse",
        description="What to do with rows that cannot be read, such as those with too many cells.",
    )

    @property
    def text_columns(self) -> list[str]:
        """The text columns, as a list even if there is only one."""
        return [self.text] if isinstance(self.text, str) else self.text

    @property
    def label_columns(self) -> list[str]:
        """The label columns, as a list even if there is only one."""
        return [self.label] if isinstance(self.label, str) else self.label

    @model_validator(mode="after")
    def _check_columns(self) -> DataConfig:
        if self.label_separator is not None and isinstance(self.label, list):
            raise PydanticCustomError(
                "both", "label_separator needs a single label column, not a list of columns"
            )
        columns = [*self.text_columns, *self.label_columns]
        duplicate = next((column for column in columns if columns.count(column) > 1), None)
        if duplicate is not None:
            raise PydanticCustomError(
                "both",
                "column {column} is named twice in text and label; name it once",
                {"column": duplicate},
            )
        return self
