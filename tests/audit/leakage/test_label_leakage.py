"""Label leakage: the config line of a finding fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.audit.conftest import check
from tests.faults import PLANTS, Tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_the_suggested_columns_do_not_leak_the_label(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    PLANTS["a column that reveals the label"](tables)
    found = {one["kind"]: one for one in check(tables, directory, invoke)["findings"]}
    leak = found["leakage-column"]
    line, comma, condition = leak["fix"].partition(",")
    assert (line, comma) == ("data.text: text", ",")
    assert "unless 'source' is known" in condition
    key, value = line.split(": ")
    assert check(tables, directory, invoke, "-s", f"{key}={value}")["findings"] == []


def test_one_row_of_another_label_is_no_evidence(directory: Path, invoke: Invoke) -> None:
    tables = Tables("binary", options={"data.text": "[source, text]"})
    for rows in tables.splits.values():
        for row in rows:
            row[0], row[1], row[2] = "web", f"the {row[1]} rated 8/10", "calm"
    for index in (5, 50):
        tables.splits["train"][index] = ["app", "win money now, rated 1/10", "storm"]
    for name in ("validation", "test"):
        tables.splits[name][5][2] = "storm"
    kinds = {one["kind"] for one in check(tables, directory, invoke)["findings"]}
    assert not {kind for kind in kinds if kind.startswith("leakage-")}


def test_examples_of_several_leaks_are_different_rows(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    for row in tables.splits["train"]:
        if row[2] == "storm":
            row[1] = f"sudden gale {row[1]} tonight"
    findings = {one["kind"]: one for one in check(tables, directory, invoke)["findings"]}
    examples = findings["leakage-token"]["examples"]
    assert len({each["place"] for each in examples}) == 3
