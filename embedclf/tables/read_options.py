"""How to read a table, and which files each option is for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from embedclf.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.data_section import DataConfig
    from embedclf.system.formats import FileFormat, InputFormat

_FORMAT_NAMES: dict[FileFormat, str] = {
    "delimited": "CSV",
    "json": "JSON",
    "parquet": "Parquet",
    "excel": "Excel",
    "fasttext": "fastText",
    "lines": "a text per line",
    "folder": "a folder of texts",
}

_USES: dict[str, tuple[str, set[FileFormat]]] = {
    "delimiter": ("CSV", {"delimited"}),
    "encoding": ("text files", {"delimited", "json", "fasttext", "lines", "folder"}),
    "quote": ("CSV", {"delimited"}),
    "escape": ("CSV", {"delimited"}),
    "header": ("CSV and Excel", {"delimited", "excel"}),
    "columns": (
        "tables without column names",
        {"delimited", "excel", "fasttext", "lines", "folder"},
    ),
    "skip_lines": ("CSV and Excel", {"delimited", "excel"}),
}
"""What a key of `data` is for, in words and as formats; other keys are for all formats."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read a table; the fields are keys of `data`, and None is detected."""

    format: InputFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quote: Literal['"', "none"] | None = None
    escape: Literal["\\", "none"] | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    skip_lines: int | tuple[int, int] | None = None
    on_bad_row: Literal["refuse", "skip"] = "refuse"

    @classmethod
    def from_config(cls, config: DataConfig) -> ReadOptions:
        """Take them from the section `data` of a config."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})


DETECT = ReadOptions()
"""Everything is detected."""


def check_keys(keys: Iterable[str], formats: Iterable[FileFormat], name: str) -> None:
    """Check that keys of `data` are for the files of a table, at least for one of them.

    Args:
        keys: The keys that are set.
        formats: The format of each file; as many are taken as are needed.
        name: The table in messages.

    Raises:
        DataError: A key is for none of the files.
    """
    unused, found = [key for key in keys if key in _USES], list[str]()
    for file_format in formats if unused else ():
        found.append(_FORMAT_NAMES[file_format])
        unused = [key for key in unused if file_format not in _USES[key][1]]
        if not unused:
            return
    for key in unused:
        listed = " and ".join(dict.fromkeys(found))
        raise DataError(
            f"{name}: data.{key} is for {_USES[key][0]}, but this is {listed}; remove it"
        )
