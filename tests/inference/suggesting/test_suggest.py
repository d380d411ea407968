"""Which rows suggest chooses, what it writes, and that training takes it once it is filled."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.tables.tables import open_table
from tests.conftest import BAD, GOOD, THINGS, unwrapped, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke

ADDED = ["prediction", "probability", "uncertainty", "no_known_token"]


def mixed_reviews(rows: int) -> list[tuple[str, str]]:
    """Different texts that are in no table of a run; each begins with its number."""
    return [
        (f"{n}", f"{GOOD[n % 10]} {THINGS[n // 10 % 10]} but {BAD[n // 7 % 10]} at {n}")
        for n in range(rows)
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def suggest(invoke: Invoke, run: Run, *arguments: Any, text: str = "") -> list[dict[str, str]]:
    """The rows that are printed as CSV."""
    done = invoke("suggest", *arguments, "--run", run.path, "-q", text=text)
    return list(csv.DictReader(done.stdout.splitlines()))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "new.csv", ["id", "text"], mixed_reviews(60))


def test_rows_keep_their_columns_and_gain_an_empty_label(
    runs: dict[str, Run], table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    output = tmp_path / "to-label.csv"
    done = invoke("suggest", table, "-n", 7, "-o", output, "--run", runs["binary"].path)
    assert f"{output}: 7 rows to label, out of 60\n" in done.stderr
    assert done.stdout == ""
    rows = read_rows(output)
    assert list(rows[0]) == ["id", "text", "label", *ADDED]
    known = dict(mixed_reviews(60))
    assert len({row["id"] for row in rows}) == 7
    for row in rows:
        assert (row["text"], row["label"]) == (known[row["id"]], "")
        assert row["prediction"] in {"neg", "pos"}
        assert 0.0 <= float(row["uncertainty"]) <= 1.0
        assert float(row["uncertainty"]) == pytest.approx(
            2.0 - 2.0 * float(row["probability"]), abs=1e-5
        )


def test_the_same_rows_are_chosen_whatever_their_order(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    rows = mixed_reviews(300)
    one = write_csv(tmp_path / "one.csv", ["id", "text"], rows)
    other = write_csv(tmp_path / "other.csv", ["id", "text"], rows[::-1])
    by_table = [suggest(invoke, runs["binary"], each, "-n", 9) for each in (one, other)]
    assert by_table[0] == by_table[1]


def test_only_texts_that_need_a_label_are_chosen_each_once(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    learned = read_rows(runs["binary"].path.parent.parent / "binary.csv")[0]["text"]
    rows = [
        ("great soup but slow", ""),
        ("Great  soup but slow", " "),
        ("rude chair but warm", "pos"),
        ("rude chair but warm", ""),
        ("stale park", "neg"),
        (learned, ""),
        ("", ""),
        (" \t", ""),
        ("perfect dirty game", ""),
    ]
    table = write_csv(tmp_path / "partly.csv", ["text", "label"], rows)
    done = invoke("suggest", table, "--run", runs["binary"].path)
    chosen = list(csv.DictReader(done.stdout.splitlines()))
    texts = {row["text"].lower().replace("  ", " ") for row in chosen}
    assert len(chosen) == len(texts)
    assert texts == {"great soup but slow", "perfect dirty game"}
    assert (
        "2 rows to label, out of 4 (ignored: 2 with a label, 1 in the tables of the run, 2 without "
        "text)" in unwrapped(done.stderr)
    )
    assert "fewer than 50: there are no other different texts without a label" in done.stderr


def test_near_equal_texts_are_not_all_chosen(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    alike = [(f"great hotel but rude {'!' * n}",) for n in range(1, 40)]
    others = [
        (f"{good} {thing} but {bad}",) for good, thing, bad in zip(GOOD, THINGS, BAD, strict=True)
    ]
    table = write_csv(tmp_path / "alike.csv", ["text"], [*alike, *others])
    chosen = suggest(invoke, runs["multiclass"], table, "-n", 5, "--text-column", "text")
    assert sum("!" in row["text"] for row in chosen) <= 2


def test_few_rows_have_no_known_token_while_there_are_others(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    unknown = [(f"x{n}", f"zzz{n} yyy{n}") for n in range(60)]
    table = write_csv(tmp_path / "new.csv", ["id", "text"], [*unknown, *mixed_reviews(60)])
    chosen = suggest(invoke, runs["binary"], table, "-n", 20)
    assert [row["no_known_token"] for row in chosen].count("true") == 2
    every = suggest(invoke, runs["binary"], table, "-n", 110)
    assert [row["no_known_token"] for row in every].count("true") == 50


def test_json_records_stay_as_they_are(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = tmp_path / "new.jsonl"
    table.write_text(
        '{"text": "great soup but slow", "n": 1.50}\n'
        '{"text": "rude chair but warm", "label": null}\n'
        '{"text": "stale park but clean", "label": "", "tags": ["a"]}\n'
        '{"text": "perfect dirty game", "label": "pos"}\n',
        encoding="utf-8",
    )
    done = invoke("suggest", table, "-q", "--run", runs["binary"].path)
    lines = sorted(done.stdout.splitlines())
    assert [line.partition(', "prediction"')[0] for line in lines] == [
        '{"text": "great soup but slow", "n": 1.50, "label": ""',
        '{"text": "rude chair but warm", "label": null',
        '{"text": "stale park but clean", "label": "", "tags": ["a"]',
    ]
    assert [list(json.loads(line))[-4:] for line in lines] == [ADDED] * 3


@pytest.mark.parametrize("name", ["out.parquet", "out.xlsx", "out.tsv.gz", "out.jsonl"])
def test_the_extension_decides_the_format(
    name: str, runs: dict[str, Run], table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    invoke("suggest", table, "-n", 3, "-o", tmp_path / name, "-q", "--run", runs["binary"].path)
    written = open_table(str(tmp_path / name), ["text", "label"])
    assert written.columns == ("id", "text", "label", *ADDED)
    cells = written.read(["id", "label"])
    assert (len(cells), set(cells["label"].to_pylist())) == (3, {""})


def test_columns_of_parquet_keep_their_types_and_labels_of_lists_are_seen(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    texts = ["a b a", "b c b", "a c c"]
    labels = pa.array([["a"], [], None], pa.list_(pa.string()))
    table = pa.table({"text": texts, "label": labels, "n": pa.array([1, 2, 3], pa.int16())})
    parquet.write_table(table, tmp_path / "in.parquet")
    output = tmp_path / "out.parquet"
    run = runs["multilabel"].path
    invoke("suggest", tmp_path / "in.parquet", "-o", output, "-q", "--run", run)
    written = parquet.read_table(output)
    assert written.schema.field("n").type == pa.int16()
    assert sorted(written["n"].to_pylist()) == [2, 3]


def test_without_a_candidate_the_table_is_empty(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "done.csv", ["text", "label"], [("stale park", "neg")])
    for name in ("none.csv", "none.parquet"):
        output = tmp_path / name
        done = invoke("suggest", table, "-o", output, "--run", runs["binary"].path)
        assert "0 rows to label, out of 0 (ignored: 1 with a label)" in done.stderr
        assert open_table(str(output), []).columns == ("text", "label", *ADDED)


def test_lines_of_standard_input_become_a_table(runs: dict[str, Run], invoke: Invoke) -> None:
    lines = "\n".join(text for _, text in mixed_reviews(20))
    chosen = suggest(invoke, runs["binary"], "-", "-n", 4, text=lines)
    assert len(chosen) == 4
    assert list(chosen[0]) == ["text", "label", *ADDED]


def test_an_existing_file_may_hold_labels_and_is_not_replaced(
    runs: dict[str, Run], table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    output = write_csv(tmp_path / "labels.csv", ["text", "label"], [("mine", "pos")])
    done = invoke("suggest", table, "-o", output, "-q", "--run", runs["binary"].path, status=2)
    assert "already exists, and may hold your labels; choose another file" in done.stderr
    assert read_rows(output) == [{"text": "mine", "label": "pos"}]


def test_a_column_that_would_be_added_needs_a_prefix(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "new.csv", ["text", "uncertainty"], [("stale warm park", "1")])
    run = ("-q", "--run", runs["binary"].path)
    assert "--prefix new_" in invoke("suggest", table, *run, status=1).stderr
    header = invoke("suggest", table, *run, "--prefix", "new_").stdout.splitlines()[0]
    assert header == ",".join(["text,uncertainty,label", *(f"new_{name}" for name in ADDED)])


def test_without_its_training_table_a_run_says_what_it_cannot_know(
    table: Path, workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q", "--no-baseline", "-s", "training.epochs=1")
    (workplace / "binary.csv").unlink()
    done = invoke("suggest", table, "-n", 2)
    assert "binary.csv: not found; its texts may be suggested again" in unwrapped(done.stderr)
    assert len(done.stdout.splitlines()) == 3


def fill(source: Path, target: Path, labels: dict[str, Sequence[str]]) -> None:
    """Write a suggested table with labels, as a person would: each in turn."""
    rows = read_rows(source)
    for number, row in enumerate(rows):
        for column, cells in labels.items():
            assert row[column] == ""
            row[column] = cells[number % len(cells)]
    write_csv(target, list(rows[0]), [list(row.values()) for row in rows])


def test_a_filled_table_is_trained_on_and_not_suggested_again(
    workplace: Path, table: Path, runs: dict[str, Run], invoke: Invoke
) -> None:
    shutil.copytree(runs["binary"].path, workplace / "runs" / "first")
    invoke("suggest", table, "-n", 20, "-o", "to-label.csv", "-q")
    fill(workplace / "to-label.csv", workplace / "labeled.csv", {"label": ["neg", "pos"]})
    invoke("train", "labeled.csv", "--from", "first", "-o", "runs/second", "-q", "--no-baseline")
    done = invoke("suggest", table, "binary.csv", "--run", "second", "-n", 500)
    assert "40 rows to label, out of 40 (ignored:" in done.stderr
    before = {row["id"] for row in read_rows(workplace / "labeled.csv")}
    again = {row["id"] for row in csv.DictReader(done.stdout.splitlines())}
    assert len(again) == 40
    assert not before & again


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"label": ["neg", "pos"]}, "label"),
        ({"label": ["a|b", "b", "a"]}, "label"),
        ({"cold": ["0", "1", "1"], "warm": ["1", "1", "0"]}, ["cold", "warm"]),
    ],
    ids=["one", "several", "flags"],
)
def test_the_columns_of_a_filled_table_are_found(
    labels: dict[str, list[str]], expected: object, workplace: Path, invoke: Invoke
) -> None:
    rows = [
        (text, *(cells[n % len(cells)] for cells in labels.values()))
        for n, (_, text) in enumerate(mixed_reviews(60))
    ]
    write_csv(workplace / "start.csv", ["text", *labels], rows)
    quick = ("-s", "training.epochs=1", "-s", "training.epochs_by=validation")
    invoke("train", "start.csv", "-q", "--no-baseline", *quick)
    new = [(number, f"{text} again") for number, text in mixed_reviews(90)]
    write_csv(workplace / "more.csv", ["id", "text"], new)
    invoke("suggest", "more.csv", "-n", 40, "-q", "-o", "to-label.csv")
    fill(workplace / "to-label.csv", workplace / "filled.csv", dict(labels))
    settings = json.loads(invoke("init", "filled.csv", "--json").stdout)["settings"]
    assert settings["data.text"]["value"] == "text"
    assert settings["data.label"]["value"] == expected


def test_a_run_among_the_inputs_gets_its_option(
    runs: dict[str, Run], table: Path, invoke: Invoke
) -> None:
    run = runs["binary"].path
    assert f"{run} is a run: write --run {run}" in invoke("suggest", run, table, status=2).stderr
    assert "pass - alone" in invoke("suggest", "-", table, status=2).stderr
