from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def write_tables(folder: Path, *names: str) -> None:
    for name in names:
        write_csv(folder / name, ["text", "label"], reviews(60))


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train.csv", "validation.csv", "test.csv"),
        ("train.csv", "dev.csv", "test.csv"),
        ("Train.csv", "VAL.csv", "Test.csv"),
        ("set_train.csv", "set_valid.csv", "set_test.csv"),
    ],
)
def test_sibling_tables_are_used(
    workplace: Path, invoke: Invoke, train: str, validation: str, test: str
) -> None:
    write_tables(workplace, train, validation, test)
    settings = json.loads(invoke("init", train, "-o", "-", "-q", "--json").stdout)["settings"]
    for split, name in (("validation", validation), ("test", test)):
        assert settings[f"data.{split}"]["value"] == name
        assert settings[f"data.{split}"]["reason"].startswith("found next to the training table; ")


def test_a_table_named_for_one_split_serves_no_other(workplace: Path, invoke: Invoke) -> None:
    write_tables(workplace, "train.csv", "dev.csv", "other.csv")
    for named, other in (("test", "validation"), ("validation", "test")):
        done = invoke("init", "train.csv", f"--{named}", "./dev.csv", "-o", "-", "-q", "--json")
        settings = json.loads(done.stdout)["settings"]
        assert settings[f"data.{named}"]["value"] == "dev.csv"
        assert settings.get(f"data.{other}", {}).get("value") in (None, 0.2)


def test_tables_of_another_name_are_not_used(workplace: Path, invoke: Invoke) -> None:
    write_tables(workplace, "train.csv", "contest.csv", "a_test.csv")
    (workplace / "dev.csv").mkdir()
    config = invoke("init", "train.csv", "-o", "-", "-q").stdout
    assert "validation: 0.2\n" in config
    assert "test: null\n" in config


@pytest.mark.parametrize(
    ("header", "label", "why"),
    [
        (
            ["text", "label"],
            "-1",
            "test.csv: 1 row with labels that no training row has, such as '-1'",
        ),
        (["text", "label"], "", "test.csv: no row has a valid label"),
        (
            ["text", "mark"],
            "pos",
            "test.csv: it has no column 'label'; to predict it: `embedclf predict test.csv`",
        ),
    ],
)
def test_a_table_without_usable_labels_is_ignored_with_a_note(
    workplace: Path, invoke: Invoke, header: list[str], label: str, why: str
) -> None:
    write_tables(workplace, "train.csv")
    write_csv(workplace / "test.csv", header, [("a text", label)])
    done = invoke("init", "train.csv", "-o", "x.yaml")
    assert f"ignored {why}" in " ".join(done.stderr.split())
    config = (workplace / "x.yaml").read_text()
    assert "test: null\n" in config
    assert "ignored test.csv" in config


def test_a_named_table_must_be_usable(workplace: Path, invoke: Invoke) -> None:
    write_tables(workplace, "train.csv", "held.csv", "test.csv")
    config = invoke("init", "train.csv", "--validation", "held.csv", "-o", "-", "-q").stdout
    assert "# as requested; it chooses the best epoch" in config
    assert 'validation: "held.csv"' in config
    write_csv(workplace / "odd.csv", ["text", "label"], [("a", "pos"), ("b", "odd")])
    args = ("init", "train.csv", "-o", "x.yaml")
    error = invoke(*args, "--validation", "odd.csv", status=1).stderr
    assert "odd.csv: 1 row with labels that no training row has, such as 'odd'" in error
    assert "no such file" in invoke(*args, "--test", "none.csv", status=2).stderr
    assert not (workplace / "x.yaml").exists()


def test_rows_without_a_label_are_dropped_in_all_tables(workplace: Path, invoke: Invoke) -> None:
    write_csv(workplace / "train.csv", ["text", "label"], [*reviews(60), ("x", "")])
    write_csv(workplace / "test.csv", ["text", "label"], [*reviews(8), ("x", " "), ("y", "")])
    invoke("init", "train.csv", "-o", "x.yaml", "-q")
    assert "3 rows have no valid label and will be ignored" in (workplace / "x.yaml").read_text()
    rows = json.loads(invoke("check", "x.yaml", "--json").stdout)["data"]
    assert [rows[split]["rows_skipped"] for split in ("train", "test")] == [1, 2]
