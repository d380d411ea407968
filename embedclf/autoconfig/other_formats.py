"""Files that are no table and no config, but that people bring."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from embedclf.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

_FASTTEXT_LABEL = b"__label__"

_TO_CSV = (
    r"""sed -E -e 's/"/""/g' -e ':a' -e 's/^(__label__[^ ]+) __label__/\1|/' -e 'ta' """
    r"""-e 's/^__label__([^ ]+) *(.*)/"\1","\2"/'"""
)
"""Joins the labels at the beginning of a line with |, and quotes both cells."""


def check_other_format(path: Path) -> None:
    """Say what to do with a folder, or with a file of fastText.

    Raises:
        DataError: It is one of these.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a table in it")
    if path.is_file():
        with path.open("rb") as file:
            is_fasttext = file.read(len(_FASTTEXT_LABEL)) == _FASTTEXT_LABEL
        if is_fasttext:
            source, table = (shlex.quote(str(each)) for each in (path, path.with_suffix(".csv")))
            raise DataError(
                f"{path}: this is a file in fastText's format; convert it to CSV:\n"
                f"  (echo label,text; {_TO_CSV} {source}) > {table}"
            )
