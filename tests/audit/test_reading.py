"""What reading a table had to ignore or to assume, in one file or in several."""

from __future__ import annotations

import bz2
import json
import lzma
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.faults import config_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Invoke

WORDS = ["oak", "elm", "ash", "fir", "yew", "box", "bay"]
ROWS = [(f"{a} {b} {c}", "xy"[len({a, b, c}) % 2]) for a in WORDS for b in WORDS for c in WORDS[:2]]


def csv_text(rows: list[tuple[str, str]]) -> str:
    return "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)


def check(directory: Path, invoke: Invoke, train: str, *flags: str, status: int = 0) -> Any:
    (directory / "config.yaml").write_text(config_text(train=train))
    args = ("check", directory / "config.yaml", "--json", *flags)
    return json.loads(invoke(*args, status=status).stdout)["findings"]


def by_kind(findings: Any) -> dict[str, Any]:
    return {each["kind"]: each for each in findings}


@pytest.mark.parametrize(
    ("extension", "pack"),
    [
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda content: bytes(pa.compress(content, codec="zstd", asbytes=True))),
        ("", bytes),
    ],
)
def test_unreadable_rows_of_compressed_tables_are_found(
    extension: str, pack: Callable[[bytes], bytes], directory: Path, invoke: Invoke
) -> None:
    content = csv_text(ROWS[:9]).encode() + b"caf\xe9,x\none,two,three\n"
    (directory / f"t.csv{extension}").write_bytes(pack(content))
    found = by_kind(check(directory, invoke, f"t.csv{extension}", status=1))
    places = {kind: [each["place"] for each in one["examples"]] for kind, one in found.items()}
    assert places == {
        "bytes-unreadable": [f"t.csv{extension}:11"],
        "row-unreadable": [f"t.csv{extension}:12"],
    }


def test_unreadable_rows_follow_the_dialect_of_the_config(directory: Path, invoke: Invoke) -> None:
    lines = ["exported today", "", "oak ^ bay#x", 'a "quote#y', "elm#x#1", "fir#y", "box#x"]
    (directory / "t.dat").write_text("\n".join([*lines, *["ash#y", "bay#x"] * 9, ""]))
    flags = ["delimiter='#'", "quote=none", "skip_lines=2", "columns=[text, label]", "format=csv"]
    settings = [argument for flag in flags for argument in ("-s", f"data.{flag}")]
    (finding,) = check(directory, invoke, "t.dat", *settings, status=1)
    assert (finding["kind"], finding["count"]) == ("row-unreadable", 1)
    assert finding["examples"][0]["place"] == "t.dat:5"
    assert "data.on_bad_row: skip" in finding["fix"]


def test_unreadable_rows_of_several_files_are_found_in_each(
    directory: Path, invoke: Invoke
) -> None:
    (directory / "d").mkdir()
    (directory / "d" / "a.csv").write_text(csv_text(ROWS[:9]) + "only one cell\n")
    (directory / "d" / "b.csv").write_text(csv_text(ROWS[9:]))
    (directory / "d" / "c.jsonl").write_text('{"text": "oak", "label": "x"}\n{"text"\n')
    found = check(directory, invoke, "d", status=1)
    assert [each["examples"][0]["place"] for each in found] == ["d/a.csv:11", "d/c.jsonl:2"]


def test_examples_of_several_files_have_their_own_lines(directory: Path, invoke: Invoke) -> None:
    (directory / "a.csv").write_text(csv_text([*ROWS[:40], ("", "x")]))
    (directory / "b.csv").write_text(csv_text([ROWS[3], *ROWS[40:], ("?!", "y")]))
    found = by_kind(check(directory, invoke, "[a.csv, b.csv]", "-s", "data.validation=0.2"))
    blank = [each["place"] for each in found["text-blank"]["examples"]]
    assert sorted(blank) == ["a.csv:42", f"b.csv:{len(ROWS) - 40 + 3}"]
    (pair,) = found["duplicate"]["examples"]
    assert (pair["place"], pair["like"]["place"]) == ("b.csv:2", "a.csv:5")


def test_skipped_rows_are_reported_with_their_faults(directory: Path, invoke: Invoke) -> None:
    content = csv_text(ROWS).splitlines(keepends=True)
    content.insert(5, "one,two,three\n")
    (directory / "t.csv").write_text("".join(content))
    found = by_kind(check(directory, invoke, "t.csv", "-s", "data.on_bad_row=skip"))
    skipped = found["row-skipped"]
    assert (skipped["severity"], skipped["count"], skipped["of"]) == ("warning", 1, len(ROWS) + 1)
    (example,) = skipped["examples"]
    assert example["place"] == "t.csv:6"
    assert "3 cells" in example["text"]


def test_the_assumed_encoding_is_reported(directory: Path, invoke: Invoke) -> None:
    umlauts = str.maketrans({"a": "ä", "o": "ö", "u": "ü"})
    rows = [(text.translate(umlauts), label) for text, label in ROWS]
    (directory / "t.csv").write_bytes(csv_text(rows).encode("cp1252"))
    table = json.loads(invoke("check", directory / "t.csv", "--json").stdout)["findings"]
    for findings in (check(directory, invoke, "t.csv"), table):
        finding = by_kind(findings)["encoding-assumed"]
        assert finding["settings"] == {"data.encoding": "cp1252"}
    named = check(directory, invoke, "t.csv", "-s", "data.encoding=cp1252")
    assert "encoding-assumed" not in by_kind(named)


def test_lines_below_the_rows_are_reported_unless_they_were_named(
    directory: Path, invoke: Invoke
) -> None:
    (directory / "t.csv").write_text(f"{csv_text(ROWS)}\n(98 rows affected)\n")
    assert by_kind(check(directory, invoke, "t.csv"))["lines-ignored"]["count"] == 2
    named = check(directory, invoke, "t.csv", "-s", "data.skip_lines=[0, 2]")
    assert "lines-ignored" not in by_kind(named)


@pytest.mark.parametrize(
    ("rest", "can_skip"),
    [
        ('{"text"\n', True),
        ('{"text": ["a list"], "label": "x"}\n', False),
    ],
)
def test_ignoring_rows_is_only_advised_where_it_helps(
    rest: str, can_skip: bool, directory: Path, invoke: Invoke
) -> None:
    lines = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    (directory / "t.jsonl").write_text("\n".join([*lines, rest]))
    (finding,) = check(directory, invoke, "t.jsonl", status=1)
    assert bool(finding["settings"]) == can_skip
    assert ("on_bad_row" in finding["fix"]) == can_skip
    if can_skip:
        check(directory, invoke, "t.jsonl", "-s", "data.on_bad_row=skip")
