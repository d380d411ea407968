from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedclf.audit.check import audit_data
from embedclf.config.loading import load_config
from embedclf.system.progress import listening
from tests.audit.conftest import check
from tests.conftest import Invoke, write_csv
from tests.faults import LABELS, PLANTS, UNREADABLE, Tables, config_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("task", LABELS)
@pytest.mark.parametrize("validation", ["table", "fraction"])
def test_clean_tables_have_no_findings(
    task: str, validation: str, directory: Path, invoke: Invoke
) -> None:
    tables = Tables(task)
    if validation == "fraction":
        del tables.splits["validation"]
        tables.options["data.text"] = "[source, text]"
    assert check(tables, directory, invoke, "--fail-on", "warning")["findings"] == []
    shown = invoke("check", directory / "config.yaml", *tables.flags())
    assert shown.stdout.endswith("\n\nno problems found\n")
    assert shown.stderr == "config.yaml: ready to train\n"


def test_the_texts_of_each_table_are_read_once(directory: Path) -> None:
    config = load_config(Tables().write(directory))
    activities: list[str] = []
    with listening(lambda work: activities.append(work.name if work else "")):
        audit_data(config)
    # Later, the columns that hold no text are read to find groups
    before = activities[: activities.index("checking encodings")]
    found = [name for name in before if name.startswith("reading ")]
    assert found == ["reading train.csv", "reading validation.csv", "reading test.csv"]


@pytest.mark.parametrize("name", PLANTS)
def test_planted_faults_are_found_at_their_rows(name: str, directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    fault = PLANTS[name](tables)
    refused = fault.severity == "error" and fault.kind == "label-unseen"
    audit = check(tables, directory, invoke, status=int(refused))
    found = [finding for finding in audit["findings"] if finding["kind"] == fault.kind]
    assert len(found) == 1, audit["findings"]
    assert found[0]["count"] == fault.count
    assert found[0]["severity"] == fault.severity
    examples = found[0]["examples"]
    assert [example["place"] for example in examples] == list(map(tables.line, fault.rows))
    twins = [one["like"]["place"] for one in examples if one["like"]]
    assert twins == list(map(tables.line, fault.twins))
    assert audit["usable"] is not refused
    for example in examples:
        source, text, label = tables.splits[example["split"]][example["row"] - 1]
        whole = f"{source} {text}" if "data.text" in tables.options else text
        assert example["text"] == (whole if len(whole) <= 200 else f"{whole[:199]}…")
        assert example["label"] == label
    assert found[0]["why"]
    assert found[0]["fix"]
    assert bool(fault.rows) <= len(examples) <= 3


def test_flag_columns_are_checked_like_other_labels(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    rows = [
        (text, *(str(int(label == name)) for name in ("calm", "rain")))
        for _, text, label in tables.splits["train"]
    ]
    rows[5] = (rows[4][0], *rows[5][1:])
    rows[9] = (rows[9][0], "yes", "0")
    write_csv(directory / "flags.csv", ["text", "calm", "rain"], rows)
    (directory / "flags.yaml").write_text(config_text(train="flags.csv", label="[calm, rain]"))
    done = invoke("check", "flags.yaml", "--json", status=1)
    empty, conflict = json.loads(done.stdout)["findings"]
    assert (empty["kind"], empty["examples"][0]["place"]) == ("label-empty", "flags.csv:11")
    assert (conflict["kind"], conflict["count"]) == ("label-conflict", 2)
    assert [one["label"] for one in conflict["examples"]] == ["rain"]
    assert "neither 0 nor 1" in done.stderr


def test_rows_without_a_label_are_reported_and_the_others_checked(
    directory: Path, invoke: Invoke
) -> None:
    tables = Tables()
    PLANTS["duplicates"](tables)
    for row in (2, 200, 201, 399):
        tables.splits["train"][row][2] = " "
    done = invoke("check", tables.write(directory), "--json", status=1)
    empty, duplicate = json.loads(done.stdout)["findings"]
    assert (empty["kind"], empty["severity"], empty["count"]) == ("label-empty", "error", 4)
    assert [one["place"] for one in empty["examples"]] == [
        tables.line(("train", row)) for row in (2, 200, 201)
    ]
    assert [one["place"] for one in duplicate["examples"]] == [
        tables.line(("train", row)) for row in (60, 160, 260)
    ]
    assert done.stderr.startswith("embedclf: train.csv:4, 202, 203, 401: empty label")
    tables.options["data.skip_invalid"] = "true"
    audit = check(tables, directory, invoke)
    assert [one["severity"] for one in audit["findings"]] == ["note", "note"]


@pytest.mark.parametrize(
    ("name", "fail_on", "status"),
    [
        ("duplicates", None, 0),
        ("duplicates", "warning", 0),
        ("classes of one row", None, 0),
        ("classes of one row", "error", 0),
        ("classes of one row", "warning", 1),
        ("a test that is mostly training", None, 0),
        ("a test that is mostly training", "error", 1),
        ("a test that is mostly training", "warning", 1),
        ("validation labels without training rows", None, 1),
    ],
)
def test_fail_on_sets_the_exit_status(
    name: str, fail_on: str | None, status: int, directory: Path, invoke: Invoke
) -> None:
    tables = Tables()
    PLANTS[name](tables)
    flags = ["--fail-on", fail_on] if fail_on else []
    done = invoke("check", tables.write(directory), *flags, status=status)
    assert ("ready to train" in done.stderr) is (status == 0)
    assert done.stderr.count("\n") == 1
    assert done.stdout.splitlines()[-1][0].isdigit()


def test_check_ends_with_the_error_of_training(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    PLANTS["validation labels without training rows"](tables)
    config = tables.write(directory)
    error = invoke("check", config, status=1).stderr
    assert "no training row has label 'hail' (1 row here)" in error
    assert error == invoke("train", config, "-q", status=1).stderr


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("packed", [False, True])
def test_all_unreadable_rows_are_reported_with_their_lines(
    name: str, packed: bool, directory: Path, invoke: Invoke
) -> None:
    file, content, kind, places = UNREADABLE[name]
    file += ".gz" * packed
    (directory / file).write_bytes(gzip.compress(content) if packed else content)
    (directory / "config.yaml").write_text(config_text(train=file))
    done = invoke("check", "config.yaml", "--json", status=1)
    audit = json.loads(done.stdout)
    assert audit["usable"] is False
    assert [(one["kind"], one["severity"], one["count"]) for one in audit["findings"]] == [
        (kind, "error", len(places))
    ]
    examples = audit["findings"][0]["examples"]
    assert [one["place"].replace(".gz:", ":") for one in examples] == places
    assert done.stderr.startswith(f"embedclf: {file}:")
    shown = invoke("check", "config.yaml", status=1).stdout
    assert "the other checks were skipped: fix these first\n1 error\n" in shown


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty; it needs a header and rows"),
        (b"text,label\n", "no rows after the header"),
        (b"a,b\n1,2\n", "no column 'text'"),
        (b"text,label\na b,x\nc d,x\n", "the only label is 'x'"),
        (b"text,label\na b,x\nc d,\n", ":3: empty label"),
    ],
)
def test_unusable_tables_are_refused_in_one_line(
    content: bytes, fault: str, directory: Path, invoke: Invoke
) -> None:
    (directory / "t.csv").write_bytes(content)
    (directory / "config.yaml").write_text(config_text(train="t.csv"))
    done = invoke("check", "config.yaml", status=1)
    assert done.stdout == ""
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1


def test_unreadable_rows_of_all_tables_are_reported(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    config = tables.write(directory)
    (directory / "train.csv").write_bytes(b"text,label\na\nb,x\n")
    (directory / "validation.csv").write_bytes(b"other,columns\n1,2\n")
    (directory / "test.csv").write_bytes(b"text,label\nb,x\nc,y,z\n")
    found = json.loads(invoke("check", config, "--json", status=1).stdout)["findings"]
    assert [one["examples"][0]["place"] for one in found] == ["train.csv:2", "test.csv:3"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_rows_of_other_formats_have_locations_too(
    kind: str, directory: Path, invoke: Invoke
) -> None:
    rows = [{"text": text, "label": label} for _, text, label in Tables().splits["train"]]
    rows[7] = rows[2]
    if kind == "jsonl":
        (directory / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), directory / "t.parquet")
    (directory / "config.yaml").write_text(config_text(train=f"t.{kind}"))
    shown = invoke("check", "config.yaml").stdout
    place = "t.jsonl:8 = 3" if kind == "jsonl" else "t.parquet: row 8 = row 3"
    assert f"{place} {rows[2]['label']}: {rows[2]['text'][:40]}" in shown


def test_check_imports_no_heavy_library(directory: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", "check"]
    command.append(str(Tables().write(directory)))
    imports = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert re.search(r"\| +pyarrow\b", imports)
    for module in ("tensorflow", "keras", "pandas", "sklearn"):
        assert not re.search(rf"\| +{module}\b", imports), module


def test_findings_match_their_golden_files(
    directory: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    tables = Tables()
    for name in (
        "equal texts",
        "nearly equal texts",
        "one text, two labels",
        "null-like texts",
        "labels in other cases",
        "validation labels without training rows",
    ):
        PLANTS[name](tables)
    tables.splits["train"][20][1] = "\x1b[31m\n"
    done = invoke("check", tables.write(directory), status=1)
    golden("check-findings.txt", done.stdout)
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    (directory / "train.csv").write_bytes(b'text,label\na,b,c\n"d"e,f\ncaf\xe9,g\n')
    golden("check-unreadable.txt", invoke("check", "config.yaml", status=1).stdout)
