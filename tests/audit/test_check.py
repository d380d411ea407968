from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Invoke, write_csv
from tests.faults import LABELS, PLANTS, UNREADABLE, WORDS, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(world: World, folder: Path, invoke: Invoke, *flags: str, status: int = 0) -> Any:
    """What `check --json` finds in a world."""
    done = invoke("check", world.write(folder), "--json", *world.flags(), *flags, status=status)
    return json.loads(done.stdout)


@pytest.mark.parametrize("task", LABELS)
@pytest.mark.parametrize("parted", ["tables", "share"])
def test_nothing_is_found_in_clean_tables(
    task: str, parted: str, folder: Path, invoke: Invoke
) -> None:
    world = World(task)
    if parted == "share":
        del world.parts["validation"]
        world.options["data.text"] = "[source, text]"
    assert check(world, folder, invoke, "--fail-on", "warning")["findings"] == []
    shown = invoke("check", folder / "config.yaml", *world.flags())
    assert shown.stdout.endswith("\n\nnothing found\n")
    assert shown.stderr == f"{folder / 'config.yaml'}: config and data can be used\n"


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found_where_it_stands(name: str, folder: Path, invoke: Invoke) -> None:
    world = World()
    planted = PLANTS[name](world)
    refused = planted.severity == "error" and planted.kind == "label-unseen"
    told = check(world, folder, invoke, status=int(refused))
    found = [finding for finding in told["findings"] if finding["kind"] == planted.kind]
    assert len(found) == 1, told["findings"]
    assert found[0]["count"] == planted.count
    assert found[0]["severity"] == planted.severity
    examples = found[0]["examples"]
    assert [example["place"] for example in examples] == list(map(world.line, planted.rows))
    twins = [one["like"]["place"] for one in examples if one["like"]]
    assert twins == list(map(world.line, planted.twins))
    assert told["usable"] is not refused
    for example in examples:
        source, text, label = world.parts[example["part"]][example["row"] - 1]
        whole = f"{source} {text}" if "data.text" in world.options else text
        assert example["text"] == (whole if len(whole) <= 200 else f"{whole[:199]}…")
        assert example["label"] == label
    assert found[0]["why"]
    assert found[0]["mend"]
    assert 1 <= len(examples) <= 3


@pytest.mark.parametrize("name", ["one text, two labels", "nearly equal texts", "duplicates"])
def test_repeated_texts_of_several_labels_are_found(
    name: str, folder: Path, invoke: Invoke
) -> None:
    world = World("multilabel")
    planted = PLANTS[name](world)
    (found,) = check(world, folder, invoke)["findings"]
    assert (found["kind"], found["count"]) == (planted.kind, planted.count)
    assert [one["place"] for one in found["examples"]] == list(map(world.line, planted.rows))


def test_the_order_of_several_labels_makes_no_conflict(folder: Path, invoke: Invoke) -> None:
    world = World("multilabel")
    rows = world.parts["train"]
    rows[0][1:], rows[1][1:] = [rows[0][1], "calm|rain"], [rows[0][1], "rain | calm"]
    assert [one["kind"] for one in check(world, folder, invoke)["findings"]] == ["duplicate"]


def test_columns_of_flags_are_examined_like_other_labels(folder: Path, invoke: Invoke) -> None:
    world = World()
    rows = [
        (text, *(str(int(label == name)) for name in ("calm", "rain")))
        for _, text, label in world.parts["train"]
    ]
    rows[5] = (rows[4][0], *rows[5][1:])
    rows[9] = (rows[9][0], "yes", "0")
    write_csv(folder / "flags.csv", ["text", "calm", "rain"], rows)
    (folder / "flags.yaml").write_text(
        "data: {train: flags.csv, label: [calm, rain]}\ntext: {sequence_length: 20}\n"
    )
    done = invoke("check", "flags.yaml", "--json", status=1)
    empty, conflict = json.loads(done.stdout)["findings"]
    assert (empty["kind"], empty["examples"][0]["place"]) == ("label-empty", "flags.csv:11")
    assert (conflict["kind"], conflict["count"]) == ("label-conflict", 2)
    assert [one["label"] for one in conflict["examples"]] == ["rain"]
    assert "neither 0 nor 1" in done.stderr


def test_a_column_of_flags_that_no_row_has_is_a_small_class(folder: Path, invoke: Invoke) -> None:
    rows = [(text, str(row % 2), "0") for row, (_, text, _) in enumerate(World().parts["train"])]
    write_csv(folder / "flags.csv", ["text", "calm", "rain"], rows)
    config = "data: {train: flags.csv, label: [calm, rain]}\ntext: {sequence_length: 20}\n"
    (folder / "flags.yaml").write_text(config)
    found = json.loads(invoke("check", "flags.yaml", "--json").stdout)["findings"]
    kinds = {one["kind"]: one["examples"] for one in found}
    assert kinds["label-small"] == []
    assert set(kinds) == {"label-small", "label-unscored", "label-imbalance"}


def test_letters_are_compared_by_three(folder: Path, invoke: Invoke) -> None:
    world = World()
    world.options |= {"text.unit": "character", "text.sequence_length": "60"}
    text = world.parts["train"][11][1]
    world.parts["test"][2][1] = text.replace(text[20], "q", 1)
    (found,) = check(world, folder, invoke)["findings"]
    assert (found["kind"], found["count"]) == ("leak-near", 1)
    assert found["examples"][0]["place"] == world.line(("test", 2))
    assert found["examples"][0]["like"]["place"] == world.line(("train", 11))


def test_texts_that_share_less_are_not_nearly_equal(folder: Path, invoke: Invoke) -> None:
    world = World()
    for row in range(100):
        words = world.parts["train"][row][1].split()
        world.parts["test"][row][1] = " ".join([*words[2:], "otherwise", words[0] * 2])
    kinds = {one["kind"] for one in check(world, folder, invoke)["findings"]}
    assert kinds <= {"token-unknown"}


def test_near_texts_of_a_share_are_found_on_both_sides(folder: Path, invoke: Invoke) -> None:
    world = World()
    del world.parts["validation"]
    rows = world.parts["train"]
    for row in range(0, 400, 2):
        words = rows[row][1].split()
        rows[row + 1][1] = " ".join([*words[:-1], "otherwise"])
    found = next(
        one for one in check(world, folder, invoke)["findings"] if one["kind"] == "leak-near"
    )
    assert found["of"] == 40
    assert found["count"] > 20
    for example in found["examples"]:
        assert {example["row"] - 1, example["like"]["row"] - 1} == {
            (example["row"] - 1) // 2 * 2,
            (example["row"] - 1) // 2 * 2 + 1,
        }
    assert "data.validation: " in found["mend"]


def test_rows_without_a_label_are_told_and_the_others_examined(
    folder: Path, invoke: Invoke
) -> None:
    world = World()
    PLANTS["duplicates"](world)
    for row in (2, 200, 201, 399):
        world.parts["train"][row][2] = " "
    done = invoke("check", world.write(folder), "--json", status=1)
    empty, duplicate = json.loads(done.stdout)["findings"]
    assert (empty["kind"], empty["severity"], empty["count"]) == ("label-empty", "error", 4)
    assert [one["place"] for one in empty["examples"]] == [
        world.line(("train", row)) for row in (2, 200, 201)
    ]
    assert [one["place"] for one in duplicate["examples"]] == [
        world.line(("train", row)) for row in (60, 160, 260)
    ]
    assert done.stderr.startswith(f"embedclf: {folder / 'train.csv'}:4, 202, 203, 401: empty label")
    world.options["data.skip_invalid"] = "true"
    told = check(world, folder, invoke)
    assert [one["severity"] for one in told["findings"]] == ["note", "note"]


def test_a_weight_for_each_class_mends_imbalance(folder: Path, invoke: Invoke) -> None:
    world = World()
    PLANTS["one label nearly nowhere"](world)
    assert check(world, folder, invoke, "-s", "training.class_weight=balanced")["findings"] == []


def test_mending_lines_mend(folder: Path, invoke: Invoke) -> None:
    world = World()
    PLANTS["cut texts"](world)
    (cut,) = check(world, folder, invoke)["findings"]
    key, value = cut["mend"].split()[:2]
    assert check(world, folder, invoke, "-s", f"{key.rstrip(':')}={value}")["findings"] == []
    world = World()
    small = ("-s", "text.vocabulary_size=48")
    unknown = check(world, folder, invoke, *small)["findings"]
    assert {one["kind"] for one in unknown} == {"token-unknown"}
    key, value = unknown[0]["mend"].rstrip(",").split()[:2]
    assert len(WORDS) < int(value.rstrip(","))
    mended = ("-s", f"{key.rstrip(':')}={value.rstrip(',')}")
    assert check(world, folder, invoke, *mended)["findings"] == []


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
        ("validation labels that training never saw", None, 1),
    ],
)
def test_the_status_is_as_grave_as_asked_for(
    name: str, fail_on: str | None, status: int, folder: Path, invoke: Invoke
) -> None:
    world = World()
    PLANTS[name](world)
    flags = ["--fail-on", fail_on] if fail_on else []
    done = invoke("check", world.write(folder), *flags, status=status)
    assert ("can be used" in done.stderr) is (status == 0)
    assert done.stderr.count("\n") == 1
    assert done.stdout.splitlines()[-1][0].isdigit()


def test_what_training_refuses_is_what_check_ends_with(folder: Path, invoke: Invoke) -> None:
    world = World()
    PLANTS["validation labels that training never saw"](world)
    config = world.write(folder)
    told = invoke("check", config, status=1).stderr
    assert "no training row has label 'hail' (rows here: " in told
    assert told == invoke("train", config, "-q", status=1).stderr


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("packed", [False, True])
def test_all_unreadable_rows_are_told_with_their_lines(
    name: str, packed: bool, folder: Path, invoke: Invoke
) -> None:
    file, content, kind, places = UNREADABLE[name]
    file += ".gz" * packed
    (folder / file).write_bytes(gzip.compress(content) if packed else content)
    (folder / "config.yaml").write_text(f"data: {{train: {file}}}\n")
    done = invoke("check", "config.yaml", "--json", status=1)
    told = json.loads(done.stdout)
    assert told["usable"] is False
    assert [(one["kind"], one["severity"], one["count"]) for one in told["findings"]] == [
        (kind, "error", len(places))
    ]
    examples = told["findings"][0]["examples"]
    assert [one["place"].replace(".gz:", ":") for one in examples] == places
    assert done.stderr.startswith(f"embedclf: {folder / file}:")
    shown = invoke("check", "config.yaml", status=1).stdout
    assert "nothing else can be examined until these rows can be read\n1 error\n" in shown


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty; it needs a header and rows"),
        (b"text,label\n", "a header and no rows"),
        (b"a,b\n1,2\n", "no column 'text'"),
        (b"text,label\na b,x\nc d,x\n", "the only label is 'x'"),
        (b"text,label\na b,x\nc d,\n", ":3: empty label"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_one_line(
    content: bytes, fault: str, folder: Path, invoke: Invoke
) -> None:
    (folder / "t.csv").write_bytes(content)
    (folder / "config.yaml").write_text("data: {train: t.csv}\n")
    done = invoke("check", "config.yaml", status=1)
    assert done.stdout == ""
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1


def test_unreadable_rows_of_all_tables_are_told(folder: Path, invoke: Invoke) -> None:
    world = World()
    config = world.write(folder)
    (folder / "train.csv").write_bytes(b"text,label\na\nb,x\n")
    (folder / "validation.csv").write_bytes(b"other,columns\n1,2\n")
    (folder / "test.csv").write_bytes(b"text,label\nb,x\nc,y,z\n")
    found = json.loads(invoke("check", config, "--json", status=1).stdout)["findings"]
    assert [one["examples"][0]["place"] for one in found] == ["train.csv:2", "test.csv:3"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_rows_of_other_tables_have_places_too(kind: str, folder: Path, invoke: Invoke) -> None:
    rows = [{"text": text, "label": label} for _, text, label in World().parts["train"]]
    rows[7] = rows[2]
    if kind == "jsonl":
        (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    config = f"data: {{train: t.{kind}}}\ntext: {{sequence_length: 20}}\n"
    (folder / "config.yaml").write_text(config)
    shown = invoke("check", "config.yaml").stdout
    place = "t.jsonl:8 = 3" if kind == "jsonl" else "t.parquet: row 8 = row 3"
    assert f"{place} {rows[2]['label']}: {rows[2]['text'][:40]}" in shown


def test_where_too_many_texts_are_alike_the_count_is_the_least(
    folder: Path, invoke: Invoke
) -> None:
    opening = "please note that your parcel number will be at the door of"
    train = [(f"{opening} a{row} b{row}", "xy"[row % 2]) for row in range(3000)]
    write_csv(folder / "train.csv", ["text", "label"], train)
    test = [(f"{opening} c{row} d{row}", "xy"[row % 2]) for row in range(20)]
    test.append((f"{opening} a7 and b7", "x"))
    write_csv(folder / "test.csv", ["text", "label"], test)
    (folder / "config.yaml").write_text("data: {train: train.csv, test: test.csv}\n")
    found = json.loads(invoke("check", "config.yaml", "--json").stdout)["findings"]
    near = next(one for one in found if one["kind"] == "leak-near" and one["of"] == 21)
    assert near["count"] == 1
    assert near["what"].startswith("at least 1 of 21 (4.8 %) test texts")
    assert near["examples"][0]["like"]["place"] == "train.csv:9"


def test_check_starts_nothing_heavy(folder: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", "check"]
    command.append(str(World().write(folder)))
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert re.search(r"\| +pyarrow\b", told)
    for module in ("tensorflow", "keras", "pandas", "sklearn"):
        assert not re.search(rf"\| +{module}\b", told), module


def test_findings_as_they_are_shown(
    folder: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    world = World()
    for name in (
        "equal texts",
        "nearly equal texts",
        "one text, two labels",
        "null-like texts",
        "labels in other cases",
        "validation labels that training never saw",
    ):
        PLANTS[name](world)
    world.parts["train"][20][1] = "\x1b[31m\n"
    done = invoke("check", world.write(folder), status=1)
    golden("check-findings.txt", done.stdout)
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    (folder / "train.csv").write_bytes(b'text,label\na,b,c\n"d"e,f\ncaf\xe9,g\n')
    golden("check-unreadable.txt", invoke("check", "config.yaml", status=1).stdout)
