"""`suspects`: planted flips come first, in every task, with the right places."""

from __future__ import annotations

import csv
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.audit.suspects import COLUMNS, find_label_errors
from embedclf.config.loading import load_config
from embedclf.data.tables import open_table
from embedclf.errors import DataError
from embedclf.runs.history import Epoch
from tests.conftest import masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.training.cross_fitting import Told
    from tests.conftest import Invoke

FLIPPED = (3, 20, 57, 90, 121, 144)
"""Rows of the reviews whose label is turned round."""
OTHER = {"pos": "neg", "neg": "pos"}
EPOCHS = ("-s", "training.epochs=6")


def flipped(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (text, OTHER[label] if number in FLIPPED else label)
        for number, (text, label) in enumerate(rows)
    ]


@pytest.fixture
def planted(workplace: Path) -> Path:
    """The project, a few labels of its binary table turned round."""
    write_csv(workplace / "binary.csv", ["text", "label"], flipped(reviews()))
    return workplace


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_planted_rows_come_first(
    planted: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke("suspects", "binary.yaml", "-n", 6, "-o", "out.csv", "--progress", "plain")
    rows = read(planted / "out.csv")
    assert tuple(rows[0]) == COLUMNS
    assert {int(row["line"]) - 2 for row in rows[:6]} == set(FLIPPED)
    for row in rows[:6]:
        text, label = reviews()[int(row["line"]) - 2]
        assert (row["text"], row["given"], row["likely"]) == (text, OTHER[label], label)
        assert float(row["probability_given"]) < 0.5 < float(row["probability_likely"])
    title, line, *others = masked(done.stdout).splitlines()  # whose order machines differ in
    golden("suspects.txt", "\n".join([title, line, *sorted(others)]) + "\n")
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        *("data", "read", "rows", "labels", "device"),
        *["fold"] * 5,
        "out.csv:",
    ]
    assert not (planted / "runs").exists()


def test_programs_get_one_object(planted: Path, invoke: Invoke) -> None:
    done = invoke("suspects", "binary.yaml", "--json", "-q", "-n", 6)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert (told["rows"], told["folds"], told["task"]) == (160, 5, "binary")
    assert {row["line"] - 2 for row in told["first"]} == set(FLIPPED)
    assert told["suspects"] >= 6
    assert 3 <= told["mislabelled"] <= 20
    assert sum(pair["rows"] for pair in told["noise"]) == pytest.approx(told["mislabelled"], abs=1)
    assert not list(planted.glob(".*"))


def test_the_same_config_finds_the_same(planted: Path, invoke: Invoke) -> None:
    for name in ("a.csv", "b.csv"):
        invoke("suspects", "binary.yaml", "-o", name, *EPOCHS)
    assert (planted / "a.csv").read_bytes() == (planted / "b.csv").read_bytes()


def test_one_of_several_classes(workplace: Path, invoke: Invoke) -> None:
    rows = read(workplace / "multiclass.csv")
    wrong = {5: "heat", 40: "rain", 77: "wind"}
    for number, topic in wrong.items():
        assert rows[number]["topic"] != topic
        rows[number]["topic"] = topic
    write_csv(workplace / "multiclass.csv", list(rows[0]), [[*row.values()] for row in rows])
    told = json.loads(invoke("suspects", "multiclass.yaml", "--json", "-n", 3).stdout)
    assert {row["line"] - 2: row["given"] for row in told["first"]} == wrong
    assert all(f"about {row['likely']} " in row["text"] for row in told["first"])


def test_of_several_labels_the_one_in_question_is_told(workplace: Path, invoke: Invoke) -> None:
    rows = read(workplace / "multilabel.csv")
    assert (rows[3]["label"], rows[60]["label"]) == ("a|b", "a")
    rows[3]["label"], rows[60]["label"] = "a", "a|c"
    write_csv(workplace / "multilabel.csv", list(rows[0]), [[*row.values()] for row in rows])
    done = invoke("suspects", "multilabel.yaml", "--json", "-n", 2)
    told = json.loads(done.stdout)
    found = {row["line"] - 2: (row["given"], row["likely"]) for row in told["first"]}
    assert found == {3: ("a", "a|b"), 60: ("a|c", "a")}
    assert {"given": "no b", "likely": "b", "rows": 1} in told["noise"]
    shown = invoke("suspects", "multilabel.yaml", "-n", 1).stdout
    assert "labels are estimated to be mislabelled" in shown
    assert "b given as no b: 1" in shown


def test_lines_are_right_where_cells_have_several_and_rows_are_skipped(
    planted: Path, invoke: Invoke
) -> None:
    rows = [(f"{text}\n", label) for text, label in flipped(reviews())]
    rows.insert(2, ("no label", ""))
    write_csv(planted / "binary.csv", ["text", "label"], rows)
    invoke(
        *("suspects", "binary.yaml", "-s", "data.skip_invalid=true", "-o", "out.csv", "-n", 0),
    )
    found = read(planted / "out.csv")[: len(FLIPPED)]
    lines = (planted / "binary.csv").read_text(encoding="utf-8").split("\n")
    for row in found:
        assert lines[int(row["line"]) - 1].lstrip('"') == row["text"].rstrip("\n")
    assert {row["text"] for row in found} == {rows[row + (row >= 2)][0] for row in FLIPPED}


@pytest.mark.parametrize("ending", ["jsonl", "tsv", "parquet", "csv.gz"])
def test_other_kinds_of_tables_are_written(planted: Path, invoke: Invoke, ending: str) -> None:
    out = planted / f"out.{ending}"
    invoke("suspects", "binary.yaml", "-o", out, "--folds", 2, *EPOCHS)
    table = open_table(out, COLUMNS).read(COLUMNS).to_pylist()
    assert len(table) >= len(FLIPPED)
    assert {row["given"] for row in table} == {"pos", "neg"}
    assert all(row["line"].isdigit() for row in table)


@pytest.mark.usefixtures("planted")
def test_a_table_of_its_own_validates(invoke: Invoke) -> None:
    told = invoke(
        *("suspects", "binary.yaml", "-s", "data.validation=binary-test.csv"),
        *("-s", "data.test=gone.csv", "--json", "-n", 6),
    )
    assert {row["line"] - 2 for row in json.loads(told.stdout)["first"]} == set(FLIPPED)


def test_an_equal_text_under_another_label_is_evidence(workplace: Path, invoke: Invoke) -> None:
    rows = [*reviews(), *[("Maybe so", "pos")] * 3, ("maybe so ", "neg")]
    write_csv(workplace / "binary.csv", ["text", "label"], rows)
    told = json.loads(invoke("suspects", "binary.yaml", "--json", "-n", 1).stdout)
    assert told["first"][0]["line"] == len(rows) + 1
    assert told["first"][0]["probability_likely"] >= 0.75


def test_no_suspects_is_no_fault(workplace: Path, invoke: Invoke) -> None:
    done = invoke("suspects", "binary.yaml", "-o", "out.csv", "-s", "training.epochs=20")
    assert (workplace / "out.csv").read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
    assert done.stdout.startswith("0 of 160 rows have a likelier label than their own; about 0 ")


@pytest.mark.parametrize(
    ("flags", "status", "fault"),
    [
        (["-o", "out.txt"], 1, "out.txt: unknown kind of table"),
        (["-o", "gone/out.csv"], 1, "gone/out.csv: cannot be written: No such file or directory"),
        (["-o", "binary.csv"], 2, "-o binary.csv: is the training table itself; name another"),
        (["--folds", 1], 2, "1 is not in the range"),
        (["-s", "data.train=gone.csv"], 2, "data.train: gone.csv: no such file"),
        (["-s", "data.train=/"], 2, "data.train: /: is a folder; name a table"),
        (["-s", "data.label=gone"], 1, "binary.csv:1: no column 'gone'"),
        (["-s", "training.learning_rate=1e30"], 1, "the loss is no longer a number"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    planted: Path, invoke: Invoke, flags: list[Any], status: int, fault: str
) -> None:
    before = {file: file.read_bytes() for file in planted.iterdir()}
    told = invoke("suspects", "binary.yaml", "-q", *flags, status=status)
    assert fault in told.stderr
    assert told.stderr.count("\n") == 1
    assert told.stdout == ""
    assert {file: file.read_bytes() for file in planted.iterdir()} == before


def test_few_rows_leave_folds_without_any(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(4))
    beside = ("-s", "data.validation=binary-test.csv")
    told = invoke("suspects", "binary.yaml", "--folds", 6, "--json", "-q", *beside)
    assert json.loads(told.stdout)["rows"] == 4
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(2))
    told = invoke("suspects", "binary.yaml", "-q", status=1)
    assert "leave none to validate on" in told.stderr


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_is_one_line_and_leaves_nothing(planted: Path) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, Epoch):
            signal.raise_signal(signal.SIGINT)

    before = sorted(planted.iterdir())
    with pytest.raises(KeyboardInterrupt, match="fold 1 of 3 was not finished"):
        find_label_errors(
            load_config(planted / "binary.yaml"),
            folds=3,
            shown=1,
            output=planted / "out.csv",
            on_event=on_event,
        )
    assert sorted(planted.iterdir()) == before


def test_a_table_that_changes_meanwhile_is_refused(planted: Path) -> None:
    def on_event(told: Told) -> None:
        if isinstance(told, Epoch):
            write_csv(planted / "binary.csv", ["text", "label"], reviews(100))

    with pytest.raises(DataError, match=r"binary\.csv: has changed meanwhile"):
        find_label_errors(load_config(planted / "binary.yaml"), folds=2, shown=1, on_event=on_event)
