"""The section `data` of a config: where the labeled texts are, and how to read them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from embedclf.config.fields import (
    Column,
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
from embedclf.system.encodings.names import codec_name, unknown_encoding
from embedclf.system.formats import InputFormat
from embedclf.system.terminal import shorten

if TYPE_CHECKING:
    from embedclf.system.fields import TextColumns

DATA_FILES = ("train", "validation", "test", "unlabelled")
"""Keys of `data` whose string is the path of a table."""


def _check_encoding(encoding: str) -> str:
    """Return an encoding that Python can read; anything else is a fault of the config."""
    try:
        codec_name(encoding)
    except LookupError as error:
        fault = unknown_encoding(shorten(encoding, 40))
        raise PydanticCustomError("both", "{fault}", {"fault": fault}) from error
    return encoding


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
    group: Column | None = Field(
        None,
        description="Column of what rows belong to, such as a user or a thread. All rows of a "
        "group are on one side of each split and fold, and intervals resample groups.",
    )
    weight: Column | None = Field(
        None,
        description="Column of the weight of each row, a number from 0: in the loss, in scores, "
        "and in baselines. A row of weight 2 counts as two rows. Tokens are counted without it.",
    )
    time: Column | None = Field(
        None,
        description="Column of the date, the date and time, or the number of each row. If "
        "data.validation is a fraction, it holds out the latest rows, instead of random ones.",
    )
    fields: Annotated[
        tuple[Column, ...], union_error("a list of columns, such as [channel, minutes]")
    ] = Field(
        default=(),
        description="Columns beside the text whose cells are tokens of their own, before those of "
        "the text: channel=web. Numbers are divided into quarters: minutes=q3. A column is numeric "
        "if more than 10 of its numbers differ, and 90% of its cells are numbers.",
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
    split: Literal["stratified", "hash"] = Field(
        "stratified",
        description="Which rows a fraction in data.validation holds out: stratified (the same "
        "fraction of each label), or hash (by the text alone, so that machines that read different "
        "rows agree; training on a cluster always does).",
    )
    test: Tables | None = Field(
        None,
        description="Table that is scored once, after training. null: none. auto takes test.csv "
        "next to train.csv.",
        json_schema_extra=allow_auto,
    )
    unlabelled: Tables | None = Field(
        None,
        description="Table of texts without labels, with the same text columns. Words are learned "
        "from it (model.vectors: own), and a teacher can label it (training.teacher).",
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
    encoding: Annotated[str, AfterValidator(_check_encoding)] | None = Field(
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

    def row_columns(self, tables: object = None) -> dict[str, str]:
        """The columns that say what rows belong to, how much they count, and when they are from.

        Args:
            tables: The table to read; the times of other tables than that for training are not
                read. None returns all.

        Returns:
            The column of each of the keys `group`, `weight` and `time` that is set.
        """
        keys = ["group", "weight"] + (["time"] if tables in {None, self.train} else [])
        return {key: column for key in keys if (column := getattr(self, key)) is not None}

    @property
    def input_columns(self) -> TextColumns:
        """The columns that become the input of the network: fields and text."""
        from embedclf.system.fields import TextColumns

        return TextColumns(self.text_columns, self.fields)

    @property
    def text_columns(self) -> list[str]:
        """The text columns, as a list even if there is only one."""
        return [self.text] if isinstance(self.text, str) else self.text

    @property
    def label_columns(self) -> list[str]:
        """The label columns, as a list even if there is only one."""
        return [self.label] if isinstance(self.label, str) else self.label

    @model_validator(mode="after")
    def _check_fields(self) -> DataConfig:
        if not self.fields:
            return self
        from embedclf.system.fields import field_name

        roles = {self.weight: "weight"} | dict.fromkeys(self.label_columns, "label")
        roles |= dict.fromkeys(self.text_columns, "text")
        names: dict[str, str] = {}
        counts = Counter(self.fields)
        for column in self.fields:
            other = names.setdefault(field_name(column), column)
            if column in roles:
                fault = f"column {column} is data.{roles[column]}; name a column beside it"
            elif counts[column] > 1:
                fault = f"column {column} is named twice; name it once"
            elif other != column:
                fault = f"columns {other} and {column} have the same tokens; rename one of them"
            else:
                continue
            raise PydanticCustomError("both", "{fault}", {"key": "data.fields", "fault": fault})
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> DataConfig:
        if self.label_separator is not None and isinstance(self.label, list):
            raise PydanticCustomError(
                "both", "label_separator needs a single label column, not a list of columns"
            )
        columns = [*self.text_columns, *self.label_columns]
        [(duplicate, count)] = Counter(columns).most_common(1)
        if count > 1:
            raise PydanticCustomError(
                "both",
                "column {column} is named twice in text and label; name it once",
                {"column": duplicate},
            )
        for key, column in self.row_columns().items():
            if self.split == "hash" and key != "weight":
                raise PydanticCustomError(
                    "both",
                    "split: hash holds out rows by text, not by {column}; remove one of them",
                    {"key": f"data.{key}", "column": column},
                )
            if column in columns:
                raise PydanticCustomError(
                    "both",
                    "column {column} is a {role} column; name another column, or remove this key",
                    {
                        "key": f"data.{key}",
                        "column": column,
                        "role": "label" if column in self.label_columns else "text",
                    },
                )
        return self
