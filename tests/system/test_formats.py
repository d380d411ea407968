from __future__ import annotations

from pathlib import Path

import pytest

from embedclf.errors import DataError
from embedclf.system.formats import compression_suffix, output_format, table_suffix


@pytest.mark.parametrize(
    ("location", "suffix", "compression"),
    [
        ("a/b.CSV", ".csv", ""),
        ("b.csv.GZ", ".csv", ".gz"),
        ("b.jsonl.zst", ".jsonl", ".zst"),
        ("b.csv.zip", ".csv", ".zip"),
        ("b.bz2", "", ".bz2"),
        ("v1.2/b", "", ""),
        ("s3://bucket/b.csv.xz?endpoint_override=a.b:9000", ".csv", ".xz"),
        ("file:///a/b.parquet", ".parquet", ""),
    ],
)
def test_the_extension_of_a_table_is_found_below_that_of_a_compression(
    location: str, suffix: str, compression: str
) -> None:
    assert table_suffix(location) == suffix
    assert compression_suffix(location) == compression
    if "://" not in location:
        assert table_suffix(Path(location)) == suffix


def test_json_stays_json_lines_on_standard_output() -> None:
    assert output_format(None, "json") == "jsonl"
    assert output_format(None, "excel") == "delimited"
    assert output_format(Path("a.xlsx"), "json") == "excel"


@pytest.mark.parametrize("uri", ["s3://bucket/a.csv", "file:///tmp/a.csv"])
def test_a_uri_is_no_output(uri: str) -> None:
    with pytest.raises(DataError, match="URIs cannot be written; name a local file"):
        output_format(Path(uri), "delimited")
    assert output_format(Path("C:/a.csv"), "delimited") == "delimited"


@pytest.mark.parametrize("name", ["a.txt", "a", "a.json", "a.xlsx.gz", "a.parquet.gz", "a.csv.zip"])
def test_a_format_that_cannot_be_written_is_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: .* must end in .csv, .* or .xlsx"):
        output_format(Path(name), "delimited")
