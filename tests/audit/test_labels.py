from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.audit.conftest import check
from tests.conftest import Invoke, write_csv
from tests.faults import PLANTS, Tables, config_text

if TYPE_CHECKING:
    from pathlib import Path


def relabeled(labels: list[str], **others: list[str]) -> Tables:
    """Tables with some labels in turn, in all splits but `others`."""
    tables = Tables("multilabel" if any("|" in label for label in labels) else "binary")
    for split, rows in tables.splits.items():
        names = others.get(split, labels)
        for row, cells in enumerate(rows):
            cells[2] = names[row % len(names)]
    return tables


def find(tables: Tables, directory: Path, invoke: Invoke, kind: str, *flags: str) -> Any:
    """Return the only finding of a kind, or None."""
    found = check(tables, directory, invoke, *flags)["findings"]
    matching = [finding for finding in found if finding["kind"] == kind]
    assert len(matching) < 2
    return matching[0] if matching else None


def flags_of(finding: Any) -> list[str]:
    """The settings of a finding as arguments of the command line."""
    pairs = finding["settings"].items()
    return [flag for key, value in pairs for flag in ("-s", f"{key}={json.dumps(value)}")]


def test_a_flag_column_that_is_always_0_is_a_small_label(directory: Path, invoke: Invoke) -> None:
    rows = [(text, str(row % 2), "0") for row, (_, text, _) in enumerate(Tables().splits["train"])]
    write_csv(directory / "flags.csv", ["text", "calm", "rain"], rows)
    config = config_text(train="flags.csv", label="[calm, rain]")
    (directory / "flags.yaml").write_text(config)
    found = json.loads(invoke("check", "flags.yaml", "--json").stdout)["findings"]
    kinds = {one["kind"]: one["examples"] for one in found}
    assert kinds["label-small"] == []
    assert set(kinds) == {"label-small", "label-unscored", "label-imbalance"}


def test_balanced_class_weights_fix_imbalance(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    PLANTS["one label in hardly any row"](tables)
    assert (
        check(tables, directory, invoke, "-s", "training.class_weight=balanced")["findings"] == []
    )


def test_labels_that_look_like_missing_ones_come_with_the_lines_that_drop_them(
    directory: Path, invoke: Invoke
) -> None:
    forms = ["calm", "storm", "none", "calm", "storm", "nan", "calm", "storm", "#N/A", "nan"]
    tables = relabeled(forms)
    finding = find(tables, directory, invoke, "label-null-like")
    assert finding["severity"] == "warning"
    assert (finding["count"], finding["of"]) == (240, 600)
    listed = "'#N/A' (60 rows), 'nan' (120 rows), 'none' (60 rows)"
    assert finding["what"].endswith(f"a label that looks like a missing one: {listed}")
    assert finding["settings"] == {
        "data.missing_labels": ["#N/A", "nan", "none"],
        "data.skip_invalid": True,
    }
    assert finding["fix"] == (
        'to skip these rows, set data.missing_labels: ["#N/A", nan, none] and '
        "data.skip_invalid: true; leave out 'none' if you use it as a label"
    )
    assert [example["place"] for example in finding["examples"]] == [
        *("train.csv:10", "train.csv:7", "train.csv:4")
    ]
    checked = check(tables, directory, invoke, *flags_of(finding))
    assert {each["kind"] for each in checked["findings"]} == {"label-empty"}
    assert checked["labels"] == ["calm", "storm"]


def test_a_label_that_may_be_a_real_one_is_only_noted(directory: Path, invoke: Invoke) -> None:
    tables = relabeled(["calm", "none"])
    finding = find(tables, directory, invoke, "label-null-like")
    assert (finding["severity"], finding["settings"]) == ("note", {})


def test_two_labels_that_differ_only_in_form_are_not_merged(
    directory: Path, invoke: Invoke
) -> None:
    finding = find(relabeled(["C", "c"]), directory, invoke, "label-forms")
    assert (finding["settings"], finding["fix"]) == (
        {},
        "check whether they mean different things; if so, rename them",
    )


@pytest.mark.parametrize(
    "cell", ["{calm,rain}", "[calm, rain]", "array(['calm', 'rain'], dtype=object)", 'c("a", "b")']
)
def test_lists_that_cannot_be_read_are_reported(directory: Path, invoke: Invoke, cell: str) -> None:
    finding = find(relabeled(["{calm}", cell]), directory, invoke, "label-list-like")
    assert finding["what"] == f"1 label that may be several: {cell!r}"
    assert (finding["count"], finding["of"], finding["severity"]) == (1, 2, "warning")


def test_forms_of_labels_come_with_a_fix_per_group(directory: Path, invoke: Invoke) -> None:
    forms = ["calm", "1", "Calm ", "1.0", "calm", "01", "storm", "1"]
    tables = relabeled(forms, test=[*forms, "CALM"])
    finding = find(tables, directory, invoke, "label-forms")
    assert finding["what"] == (
        "6 labels differ only in case, white space or Unicode form, or in how a number is written: "
        "'1' = '1.0' = '01'; 'calm' = 'Calm ' = 'CALM'"
    )
    assert finding["fix"] == (
        "write '1' for '1.0', '01'; 'calm' for 'Calm ', 'CALM'; or set data.merge_label_forms: true"
    )
    checked = check(tables, directory, invoke, *flags_of(finding))
    assert checked["labels"] == ["1", "calm", "storm"]
    assert checked["findings"] == []


def test_ways_to_write_yes_and_no_are_reported(directory: Path, invoke: Invoke) -> None:
    tables = relabeled(["TRUE", "0", "yes", "FALSE", "true", "no", "TRUE", "0"])
    finding = find(tables, directory, invoke, "label-forms")
    assert finding["what"] == (
        "6 labels differ only in how yes and no are written: 'TRUE' = 'yes' = 'true'; "
        "'0' = 'FALSE' = 'no'"
    )
    assert finding["fix"] == "write 'TRUE' for 'yes', 'true'; '0' for 'FALSE', 'no'"
    for labels in (["yes", "no"], ["1", "0"], ["yes", "no", "maybe", "1"]):
        kinds = {each["kind"] for each in check(relabeled(labels), directory, invoke)["findings"]}
        assert "label-forms" not in kinds


@pytest.mark.parametrize("split", ["validation", "test"])
def test_unseen_labels_that_are_forms_of_known_ones_are_named_so(
    directory: Path, invoke: Invoke, split: str
) -> None:
    tables = relabeled(["4.0", "5.0"], **{split: ["4", "5"]})
    status = 1 if split == "validation" else 0
    checked = check(tables, directory, invoke, status=status)
    (finding,) = (each for each in checked["findings"] if each["kind"] == "label-unseen")
    assert finding["what"].endswith(": '4', '5'; '4' is a form of '4.0', '5' is a form of '5.0'")
    assert finding["fix"] == "set data.merge_label_forms: true"
    assert check(tables, directory, invoke, *flags_of(finding))["findings"] == []


def test_other_unseen_labels_still_need_training_rows(directory: Path, invoke: Invoke) -> None:
    tables = relabeled(["calm", "storm"], test=["CALM", "storm", "stormy"])
    finding = find(tables, directory, invoke, "label-unseen")
    assert finding["fix"] == (
        "set data.merge_label_forms: true; did you mean 'storm'? If not, add training rows with "
        "other labels, or remove the rows from data.test"
    )
    remaining = find(tables, directory, invoke, "label-unseen", *flags_of(finding))
    assert remaining["count"] == 33


def test_merged_forms_of_several_labels_per_row(directory: Path, invoke: Invoke) -> None:
    forms = ["calm|rain", "Calm", "rain", "RAIN|calm"]
    tables = relabeled(forms)
    checked = check(tables, directory, invoke, "-s", "data.merge_label_forms=true")
    assert checked["labels"] == ["calm", "rain"]
    assert checked["data"]["test"]["labels"] == {"calm": 75, "rain": 75}
    assert checked["findings"] == []
