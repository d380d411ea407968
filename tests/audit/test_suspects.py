"""`suspects`: flipped labels come first, in every task, with the right lines."""

from __future__ import annotations

import csv
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.audit.suspects import COLUMNS, find_label_errors
from embedclf.config.loading import load_config
from embedclf.errors import DataError
from embedclf.runs.history import Epoch
from embedclf.tables.tables import open_table
from tests.conftest import masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.training.folds.cross_fitting import FoldEvent
    from tests.conftest import Invoke

FLIPPED = (3, 20, 57, 90, 121, 144)
"""Rows of the reviews whose label is flipped."""
OTHER = {"pos": "neg", "neg": "pos"}
EPOCHS = ("-s", "training.epochs=6")


def flip_labels(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (text, OTHER[label] if number in FLIPPED else label)
        for number, (text, label) in enumerate(rows)
    ]


@pytest.fixture
def planted(workplace: Path) -> Path:
    """The project, with a few labels of its binary table flipped."""
    write_csv(workplace / "binary.csv", ["text", "label"], flip_labels(reviews()))
    return workplace


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_flipped_rows_come_first(
    planted: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke("suspects", "binary.yaml", "-n", 6, "-o", "out.csv", "--progress", "plain")
    rows = read_csv(planted / "out.csv")
    assert tuple(rows[0]) == COLUMNS
    assert {int(row["line"]) - 2 for row in rows[:6]} == set(FLIPPED)
    for row in rows[:6]:
        text, label = reviews()[int(row["line"]) - 2]
        assert (row["text"], row["given"], row["likely"]) == (text, OTHER[label], label)
        assert float(row["probability_given"]) < 0.5 < float(row["probability_likely"])
    title, line, *others = masked(done.stdout).splitlines()  # their order depends on the machine
    golden("suspects.txt", "\n".join([title, line, *sorted(others)]) + "\n")
    facts = {"data", "format", "rows", "labels", "device", "fold", "out.csv:"}  # no activities
    words = [line.split()[0] for line in done.stderr.splitlines()]
    assert [word for word in words if word in facts] == [
        *("data", "format", "rows", "labels", "device"),
        *["fold"] * 5,
        "out.csv:",
    ]
    assert not (planted / "runs").exists()


def test_json_output_is_one_object(planted: Path, invoke: Invoke) -> None:
    done = invoke("suspects", "binary.yaml", "--json", "-q", "-n", 6)
    assert done.stderr == ""
    errors = json.loads(done.stdout)
    assert (errors["rows"], errors["folds"], errors["task"]) == (160, 5, "binary")
    assert {row["line"] - 2 for row in errors["first"]} == set(FLIPPED)
    assert errors["suspects"] >= 6
    assert 3 <= errors["mislabeled"] <= 20
    assert sum(pair["rows"] for pair in errors["noise"]) == pytest.approx(
        errors["mislabeled"], abs=1
    )
    assert not list(planted.glob(".*"))


def test_the_same_config_finds_the_same_rows(planted: Path, invoke: Invoke) -> None:
    for name in ("a.csv", "b.csv"):
        invoke("suspects", "binary.yaml", "-o", name, *EPOCHS)
    assert (planted / "a.csv").read_bytes() == (planted / "b.csv").read_bytes()


def test_wrong_classes_are_found(workplace: Path, invoke: Invoke) -> None:
    rows = read_csv(workplace / "multiclass.csv")
    wrong = {5: "heat", 40: "rain", 77: "wind"}
    for number, topic in wrong.items():
        assert rows[number]["topic"] != topic
        rows[number]["topic"] = topic
    write_csv(workplace / "multiclass.csv", list(rows[0]), [[*row.values()] for row in rows])
    errors = json.loads(invoke("suspects", "multiclass.yaml", "--json", "-n", 3).stdout)
    assert {row["line"] - 2: row["given"] for row in errors["first"]} == wrong
    assert all(f"about {row['likely']} " in row["text"] for row in errors["first"])


def test_the_suspect_label_of_several_is_shown(workplace: Path, invoke: Invoke) -> None:
    rows = read_csv(workplace / "multilabel.csv")
    assert (rows[3]["label"], rows[60]["label"]) == ("a|b", "a")
    rows[3]["label"], rows[60]["label"] = "a", "a|c"
    write_csv(workplace / "multilabel.csv", list(rows[0]), [[*row.values()] for row in rows])
    done = invoke("suspects", "multilabel.yaml", "--json", "-n", 2)
    errors = json.loads(done.stdout)
    found = {row["line"] - 2: (row["given"], row["likely"]) for row in errors["first"]}
    assert found == {3: (["a"], ["a", "b"]), 60: (["a", "c"], ["a"])}
    assert {"given": "no b", "likely": "b", "rows": 1} in errors["noise"]
    shown = invoke("suspects", "multilabel.yaml", "-n", 1).stdout
    assert re.search(r"\nestimated wrong labels: about \d+ labels?\n", shown)
    assert "\n  labeled no b, probably b: 1\n" in shown


def test_lines_are_right_with_multi_line_cells_and_skipped_rows(
    planted: Path, invoke: Invoke
) -> None:
    rows = [(f"{text}\n", label) for text, label in flip_labels(reviews())]
    rows.insert(2, ("no label", ""))
    write_csv(planted / "binary.csv", ["text", "label"], rows)
    invoke(
        *("suspects", "binary.yaml", "-s", "data.skip_invalid=true", "-o", "out.csv", "-n", 0),
    )
    found = read_csv(planted / "out.csv")[: len(FLIPPED)]
    lines = (planted / "binary.csv").read_text(encoding="utf-8").split("\n")
    for row in found:
        assert lines[int(row["line"]) - 1].lstrip('"') == row["text"].rstrip("\n")
    assert {row["text"] for row in found} == {rows[row + (row >= 2)][0] for row in FLIPPED}


@pytest.mark.parametrize("ending", ["jsonl", "tsv", "parquet", "csv.gz"])
def test_other_formats_are_written(planted: Path, invoke: Invoke, ending: str) -> None:
    out = planted / f"out.{ending}"
    invoke("suspects", "binary.yaml", "-o", out, "--folds", 2, *EPOCHS)
    table = open_table(str(out), COLUMNS).read(COLUMNS).to_pylist()
    assert len(table) >= len(FLIPPED)
    assert {row["given"] for row in table} == {"pos", "neg"}
    assert all(row["line"].isdigit() for row in table)


@pytest.mark.usefixtures("planted")
def test_a_validation_table_is_used(invoke: Invoke) -> None:
    done = invoke(
        *("suspects", "binary.yaml", "-s", "data.validation=binary-test.csv"),
        *("-s", "data.test=gone.csv", "--json", "-n", 6),
    )
    assert {row["line"] - 2 for row in json.loads(done.stdout)["first"]} == set(FLIPPED)


def test_rows_of_several_files_have_the_name_of_their_file(planted: Path, invoke: Invoke) -> None:
    rows = flip_labels(reviews())
    (planted / "parts").mkdir()
    for number in range(2):
        part = planted / "parts" / f"{number}.csv"
        write_csv(part, ["text", "label"], rows[80 * number : 80 * number + 80])
    tables = ("-s", "data.train=parts", "-n", 6)
    done = invoke("suspects", "binary.yaml", *tables, "-o", "out.csv")
    found = read_csv(planted / "out.csv")
    assert tuple(found[0]) == ("file", *COLUMNS)
    expected = {(f"parts/{row // 80}.csv", str(row % 80 + 2)) for row in FLIPPED}
    assert {(row["file"], row["line"]) for row in found[:6]} == expected
    assert all(f" {file}:{line} " in done.stdout for file, line in expected)
    errors = json.loads(invoke("suspects", "binary.yaml", *tables, "--json").stdout)
    assert {(row["file"], str(row["line"])) for row in errors["first"]} == expected
    (planted / "link.csv").symlink_to(planted / "parts" / "0.csv")
    for output in ("parts/0.csv", "link.csv"):
        error = invoke("suspects", "binary.yaml", *tables, "-o", output, status=2).stderr
        assert error == f"embedclf: -o {output}: this is the training table; choose another file\n"


def test_equal_texts_with_another_label_are_evidence(workplace: Path, invoke: Invoke) -> None:
    rows = [*reviews(), *[("Maybe so", "pos")] * 3, ("maybe so ", "neg")]
    path = write_csv(workplace / "binary.csv", ["text", "label"], rows)
    path.write_text(f"{path.read_text()}Total: 160 rows\n")
    done = invoke("suspects", "binary.yaml", "--json", "-n", 1)
    assert "ignored below the last row: 'Total: 160 rows'" in done.stderr
    errors = json.loads(done.stdout)
    assert errors["first"][0]["line"] == len(rows) + 1
    assert errors["first"][0]["probability_likely"] >= 0.75


def test_no_suspects_is_no_error(workplace: Path, invoke: Invoke) -> None:
    done = invoke("suspects", "binary.yaml", "-o", "out.csv", "-s", "training.epochs=20")
    assert (workplace / "out.csv").read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
    assert done.stdout.startswith("likely label errors: 0 of 160 rows (another label is ")


@pytest.mark.parametrize(
    ("flags", "status", "fault"),
    [
        (["-o", "out.txt"], 1, "out.txt: cannot be written in this format"),
        (["-o", "gone/out.csv"], 1, "gone/out.csv: cannot be written: No such file or directory"),
        (["-o", "binary.csv"], 2, "-o binary.csv: this is the training table; choose another"),
        (["--folds", 1], 2, "1 is not in the range"),
        (["-s", "data.train=gone.csv"], 2, "data.train: gone.csv: no such file"),
        (["-s", "data.label=gone"], 1, "binary.csv:1: no column 'gone'"),
        (["-s", "training.learning_rate=1e30"], 1, "the loss is not finite"),
    ],
)
def test_errors_are_one_line_and_leave_no_file(
    planted: Path, invoke: Invoke, flags: list[Any], status: int, fault: str
) -> None:
    before = {file: file.read_bytes() for file in planted.iterdir()}
    done = invoke("suspects", "binary.yaml", "-q", *flags, status=status)
    assert fault in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert {file: file.read_bytes() for file in planted.iterdir()} == before


def test_folds_without_rows_are_skipped(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(4))
    validation = ("-s", "data.validation=binary-test.csv")
    done = invoke("suspects", "binary.yaml", "--folds", 6, "--json", "-q", *validation)
    assert json.loads(done.stdout)["rows"] == 4
    write_csv(workplace / "binary.csv", ["text", "label"], reviews(2))
    done = invoke("suspects", "binary.yaml", "-q", status=1)
    assert "too few texts to hold out validation rows" in done.stderr


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_no_file(planted: Path) -> None:
    def on_event(event: FoldEvent) -> None:
        if isinstance(event, Epoch):
            signal.raise_signal(signal.SIGINT)

    before = sorted(planted.iterdir())
    with pytest.raises(KeyboardInterrupt, match="fold 1 of 3 was not finished"):
        find_label_errors(
            load_config(planted / "binary.yaml"),
            folds=3,
            max_rows=1,
            output=planted / "out.csv",
            on_event=on_event,
        )
    assert sorted(planted.iterdir()) == before


def test_a_table_that_changes_during_training_is_refused(planted: Path) -> None:
    def on_event(event: FoldEvent) -> None:
        if isinstance(event, Epoch):
            write_csv(planted / "binary.csv", ["text", "label"], reviews(100))

    with pytest.raises(DataError, match=r"binary\.csv: the file changed during the run"):
        find_label_errors(
            load_config(planted / "binary.yaml"), folds=2, max_rows=1, on_event=on_event
        )
