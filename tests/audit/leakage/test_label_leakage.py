"""Label leakage: the config line of a finding fixes it."""

from __future__ import annotations

import json
from itertools import islice, product
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


def test_a_leaking_token_is_found_in_a_full_vocabulary_of_65536_ids(
    directory: Path, invoke: Invoke
) -> None:
    """These ids are stored in two bytes each, but their number needs three."""
    words = [
        "".join(letters) for letters in islice(product("bcdfghjklmnpqrstvwxz", repeat=4), 65533)
    ]
    rows = [" ".join(words[start : start + 100]) for start in range(0, len(words), 100)]
    lines = [f"leak {row},a" if number % 2 else f"{row},b" for number, row in enumerate(rows)]
    directory.joinpath("full.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    directory.joinpath("full.yaml").write_text(
        "data: {train: full.csv, text: text, label: label, validation: full.csv}\n"
        "text: {unit: word, vocabulary_size: 65536, min_count: 1}\n",
        encoding="utf-8",
    )
    audit = json.loads(invoke("check", "full.yaml", "--json").stdout)
    assert audit["vocabulary"] == 65536
    assert "leakage-token" in {finding["kind"] for finding in audit["findings"]}
