"""Which rows a run is scored on, and what to know about them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.conftest import reviews, unwrapped, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_a_changed_training_table_has_no_validation_rows(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "multilabel.yaml", "-q", "-s", "training.epochs=1")
    with (workplace / "multilabel.csv").open("a") as file:
        file.write("more,a\n")
    message = invoke("evaluate", status=1).stderr
    assert "multilabel.csv: the file has changed since runs/multilabel-1 was trained" in message


def test_with_a_validation_table_the_training_table_may_change(
    workplace: Path, invoke: Invoke
) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "data.validation=valid.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    with (workplace / "binary.csv").open("a") as file:
        file.write("more,pos\n")
    assert " on 30 validation rows of valid.csv: " in unwrapped(invoke("evaluate").stdout)
    with valid.open("a") as file:
        file.write("more,pos\n")
    assert "valid.csv: the file has changed since" in invoke("evaluate", status=1).stderr


def test_scores_on_rows_that_the_run_has_seen_have_a_caution(
    workplace: Path, invoke: Invoke
) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "training.epochs=1", "-s", "data.validation=valid.csv")
    invoke("train", "binary.yaml", "-q", *flags)
    cautions = {
        "binary.csv": "the model saw them in training",
        "valid.csv": "training made choices on the same rows",
        "binary-test.csv": "",
    }
    for table, expected in cautions.items():
        caution = json.loads(invoke("evaluate", "--data", table, "--json").stdout)["caution"]
        assert (expected in caution) if expected else not caution
    with valid.open("a") as file:
        file.write("more,pos\n")
    assert "made choices on the same rows" not in unwrapped(
        invoke("evaluate", "--data", valid).stdout
    )


def test_a_table_that_shares_a_file_with_the_training_table_has_a_caution(
    workplace: Path, invoke: Invoke
) -> None:
    rows = reviews(60)
    for number in range(3):
        part = rows[20 * number : 20 * number + 20]
        write_csv(workplace / f"part-{number}.csv", ["text", "label"], part)
    flags = ("-s", "training.epochs=1", "-s", "data.test=null")
    invoke("train", "binary.yaml", "-q", *flags, "-s", "data.train=[part-0.csv, part-1.csv]")
    seen = {"part-1.csv": True, "part-[12].csv": True, "part-2.csv": False}
    for table, is_seen in seen.items():
        caution = json.loads(invoke("evaluate", "--data", table, "--json").stdout)["caution"]
        assert bool(caution) == is_seen
    with (workplace / "part-0.csv").open("a") as file:
        file.write("more,pos\n")
    error = invoke("evaluate", status=1).stderr
    assert "embedclf: part-0.csv and 1 more: the file has changed since" in error


def test_scores_on_a_changed_test_table_have_a_caution(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    assert "has changed" not in invoke("evaluate").stdout
    with (workplace / "binary-test.csv").open("a") as file:
        file.write("more,pos\n")
    assert "the file has changed since training" in unwrapped(invoke("evaluate").stdout)


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_reading_options_need_a_table(command: str, invoke: Invoke) -> None:
    message = invoke(command, "--encoding", "utf-8", status=2).stderr
    assert "options that say how to read a table need --data TABLE" in message


def test_skipped_rows_are_counted(workplace: Path, invoke: Invoke) -> None:
    flags = ("-s", "training.epochs=1", "-s", "data.skip_invalid=true")
    invoke("train", "binary.yaml", "-q", *flags)
    write_csv(workplace / "gaps.csv", ["text", "label"], [*reviews(10), ("x", ""), ("y", "")])
    shown = invoke("evaluate", "--data", "gaps.csv").stdout
    assert " on 10 rows of gaps.csv: " in unwrapped(shown)
    assert re.search(r"\nskipped +2 rows without a valid label\n", shown)
    values = json.loads(invoke("evaluate", "--data", "gaps.csv", "--json").stdout)
    assert values["rows_skipped"] == 2
