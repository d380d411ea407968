"""Work and memory grow with the size of an input, not faster; comparisons are counted."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.arrow import find_positions, find_repeated
from embedclf.system.encodings.detection import ByteSample
from embedclf.system.text_files import open_text
from embedclf.tables.tables import open_table
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


class Counted(str):
    """A name that counts how often names are compared."""

    comparisons = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)


def make_names(count: int) -> list[Counted]:
    Counted.comparisons = 0
    return [Counted(f"c{number}") for number in range(count)]


def test_repeated_names_are_found_without_comparing_all_with_all() -> None:
    names = make_names(1000)
    assert find_repeated([*names, *names[:2]]) == ["c0", "c1"]
    assert find_positions([*names, *names[:2]])["c1"] == 1
    assert Counted.comparisons < 5000


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_reading_many_columns_does_not_compare_all_with_all(tmp_path: Path, name: str) -> None:
    names = make_names(1000)
    path = tmp_path / name
    if name == "t.csv":
        write_csv(path, names, [["x"] * 1000])
    else:
        path.write_text(json.dumps(dict.fromkeys(names, "x")))
    table = open_table(str(path), names[:500])
    assert table.read(names).num_columns == 1000
    assert all(table.count_columns(column) == 1 for column in names)
    assert Counted.comparisons < 50_000


@given(st.lists(st.text(alphabet="a\u00e9\n", max_size=8), max_size=20))
def test_the_sample_for_an_encoding_has_the_lines_beyond_ascii(pieces: list[str]) -> None:
    content = "".join(pieces).encode("cp1252")
    sample = ByteSample()
    sample.add(content)
    lines = re.findall(rb"[^\n]*\n|[^\n]+$", content)
    assert sample.lines == b"".join(line for line in lines if not line.isascii())


def test_a_long_line_of_ascii_before_other_bytes_is_passed_once() -> None:
    sample = ByteSample()
    sample.add(b"a" * (1 << 21) + b"\ncaf\xe9\n")  # each byte with all others would take days
    assert sample.lines == b"caf\xe9\n"


def test_a_repeated_key_among_very_many_is_named(tmp_path: Path, invoke: Invoke) -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(50_000))
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "a", "label": "b", {keys}, "k49999": 2}}\n')
    stderr = invoke("check", path, status=1).stderr
    assert "t.jsonl:1: not JSON: key 'k49999' occurs twice; rename one" in stderr


def test_text_and_label_among_very_many_columns_must_be_named(
    tmp_path: Path, invoke: Invoke
) -> None:
    names = [f"c{number}" for number in range(20_000)]
    rows = [[*row, *["1"] * len(names)] for row in reviews(20)]
    path = write_csv(tmp_path / "t.csv", ["text", "label", *names], rows)
    stderr = invoke("check", path, status=1).stderr
    assert "20,002 columns are too many to find the text and the label; name them: --text" in stderr
    named = ("--text", "text", "--label", "label")
    assert "rows" in invoke("init", path, "-o", "-", "-q", *named).stdout


def test_very_many_keys_become_no_columns_of_a_table(
    tmp_path: Path, invoke: Invoke, runs: dict[str, Run]
) -> None:
    path, run = tmp_path / "t.jsonl", runs["binary"].path
    records = [{"text": "good", **{f"k{row}_{n}": n for n in range(11_000)}} for row in range(2)]
    path.write_text("\n".join(map(json.dumps, records)))
    stderr = invoke("predict", path, "--run", run, "-o", tmp_path / "out.csv", status=1).stderr
    assert "22,001 different keys are too many columns; write JSON Lines: -o out.jsonl" in stderr
    assert not (tmp_path / "out.csv").exists()
    invoke("predict", path, "--run", run, "-o", tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_a_line_longer_than_a_block_can_be_the_whole_table(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a text without an end " * 120_000)
    assert "t.csv: no rows after the header" in invoke("check", path, status=1).stderr
    path.write_text(f"{path.read_text()}\nx\n")
    assert open_table(str(path), []).line_numbers([0]) == [2]


def write_packed(path: Path, content: bytes) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("t.csv", content)
    elif path.suffix == ".zst":
        path.write_bytes(pa.compress(content, codec="zstd", asbytes=True))
    else:
        path.write_bytes(gzip.compress(content, 1))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.zip"])
def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    write_packed(path, b"text,label\n" + b"a,b\n" * (1 << 24))
    fault = f"{name}: unpacks to more than 200 times its size; if you trust it, unpack it: g?un"
    with pytest.raises(DataError, match=fault):
        sum(map(len, open_text(str(path), name, None).iter_stored()))


def test_a_small_file_may_unpack_to_any_part_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    write_packed(path, b"text\n" + b"a" * (1 << 20))
    assert path.stat().st_size < (1 << 20) / 200
    assert len(open_table(str(path), ["text"]).read(["text"])["text"][0].as_py()) == 1 << 20
