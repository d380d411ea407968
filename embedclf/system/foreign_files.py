"""Files that hold no table: what they are, and how to turn them into one."""

from __future__ import annotations

import re
from pathlib import PurePath

_BY_PANDAS = "save it as Parquet with pandas: {reader}({file}).to_parquet({parquet})"
_BY_HAND = "copy its table into a spreadsheet, and save it as CSV"
_UNPACK = "unpack it, and name the table"
_NO_TABLE = "name a table of texts and labels"

_BYTES: tuple[tuple[bytes, str, str], ...] = (
    (
        b"SQLite format 3\x00",
        "a SQLite database",
        "export its table: sqlite3 -header -csv {file} 'SELECT * FROM NAME' > table.csv",
    ),
    (b"ARROW1", "an Arrow (Feather) file", _BY_PANDAS.replace("{reader}", "read_feather")),
    (b"FEA1", "a Feather file", _BY_PANDAS.replace("{reader}", "read_feather")),
    (
        b"\xff\xff\xff\xff",
        "an Arrow stream of Hugging Face datasets",
        "save it as Parquet: Dataset.from_file({file}).to_parquet({parquet})",
    ),
    (b"ORC\x08", "an ORC file", _BY_PANDAS.replace("{reader}", "read_orc")),
    (b"<stata_dta>", "a Stata file", _BY_PANDAS.replace("{reader}", "read_stata")),
    (b"$FL2", "an SPSS file", _BY_PANDAS.replace("{reader}", "read_spss")),
    (b"$FL3", "an SPSS file", _BY_PANDAS.replace("{reader}", "read_spss")),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _BY_PANDAS.replace("{reader}", "read_hdf")),
    *(
        # The protocols that begin with their own number; 0 and 1 look like text.
        (
            b"\x80" + bytes([protocol]),
            "a Python pickle",
            _BY_PANDAS.replace("{reader}", "read_pickle"),
        )
        for protocol in range(2, 6)
    ),
    (b"Obj\x01", "an Avro file", "save it as Parquet or JSON Lines"),
    (b"RDX", "an R data file", "save its table in R: write.csv(NAME, 'table.csv')"),
    (b"X\n\x00\x00\x00", "an R data file", "save it in R: write.csv(readRDS({file}), 'table.csv')"),
    (b"\x93NUMPY", "a NumPy array", _NO_TABLE),
    (b"%PDF-", "a PDF document", _BY_HAND),
    (b"{\\rtf", "a rich text document", _BY_HAND),
    (b"\x89PNG\r\n", "an image (PNG)", _NO_TABLE),
    (b"\xff\xd8\xff", "an image (JPEG)", _NO_TABLE),
    (b"GIF8", "an image (GIF)", _NO_TABLE),
    (b"II*\x00", "an image (TIFF)", _NO_TABLE),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", _UNPACK),
    (b"\x1f\x9d", "compressed with compress", _UNPACK),
    (b"\x7fELF", "a program", _NO_TABLE),
)
"""How a file begins, what it is, and what to do with it."""

_TAR_MARK = slice(257, 262)

# Possessive, because comments could otherwise be split in many ways.
_HTML = r"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*+(<!doctype html|<html)"

_TEXTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"version https://git-lfs\.github\.com/spec/"),
        "a Git LFS pointer, not the file itself",
        "download the file: git lfs pull",
    ),
    (
        re.compile(_HTML + r".*<table", re.I | re.S),
        "an HTML page with a table",
        "open it in a spreadsheet, and save it as CSV; or download the file itself",
    ),
    (
        re.compile(_HTML, re.I | re.S),
        "an HTML page, such as a login page",
        "download the file itself",
    ),
    (
        re.compile(r"(<\?xml[^>]*>\s*)?<Error>"),
        "an error message of a store, not the file itself",
        "check the link and your access, and download the file again",
    ),
    (
        re.compile(r"<\?xml|<!DOCTYPE"),
        "an XML document",
        "convert its records with pandas: read_xml({file}).to_csv('table.csv', index=False)",
    ),
    (
        # Its comments begin with %.
        re.compile(r"(%[^\n]*\n\s*)*@relation\b", re.I),
        "an ARFF file of Weka",
        "convert it in Python (pip install liac-arff): import arff, pandas; "
        "d = arff.load(open({file})); pandas.DataFrame(d['data'], columns=[name for name, _ in "
        "d['attributes']]).to_csv('table.csv', index=False)",
    ),
)

_MEMBERS: tuple[tuple[str, str, str], ...] = (
    ("word/", "a Word document", _BY_HAND),
    ("ppt/", "a PowerPoint presentation", _BY_HAND),
    ("content.xml", "an OpenDocument text", _BY_HAND),
)
"""What a zip archive with some member is."""


def describe_foreign_file(head: bytes, text: str, name: str) -> str | None:
    """Describe a file that holds no table, with a way out; None if it may hold one.

    Args:
        head: Its first bytes, unpacked.
        text: The same, decoded.
        name: Its path.
    """
    if head[_TAR_MARK] == b"ustar":
        return _describe("a tar archive", _UNPACK, name)
    for magic, kind, way_out in _BYTES:
        if head.startswith(magic):
            return _describe(kind, way_out, name)
    for pattern, kind, way_out in _TEXTS:
        if pattern.match(text.lstrip("\ufeff \t\r\n")):
            return _describe(kind, way_out, name)
    return None


def describe_document(members: list[str], name: str) -> str:
    """Describe a document that is a zip archive inside, but no workbook, with a way out."""
    for start, kind, way_out in _MEMBERS:
        if any(member.startswith(start) for member in members):
            return _describe(kind, way_out, name)
    return _describe("a document", _BY_HAND, name)


def _describe(kind: str, way_out: str, name: str) -> str:
    parquet = str(PurePath(name).with_suffix(".parquet"))
    return f"this is {kind}; {way_out.format(file=repr(name), parquet=repr(parquet))}"
