from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.audit.conftest import check
from tests.conftest import Invoke, write_csv
from tests.faults import PLANTS, Tables, config_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["one text, two labels", "nearly equal texts", "duplicates"])
def test_repeated_multilabel_texts_are_found(name: str, directory: Path, invoke: Invoke) -> None:
    tables = Tables("multilabel")
    fault = PLANTS[name](tables)
    (found,) = check(tables, directory, invoke)["findings"]
    assert (found["kind"], found["count"]) == (fault.kind, fault.count)
    assert [one["place"] for one in found["examples"]] == list(map(tables.line, fault.rows))


def test_similar_texts_with_other_labels_are_no_duplicates(directory: Path, invoke: Invoke) -> None:
    table = directory / "similar.csv"
    rows = [f"a w{number} for you,{number % 2}" for number in range(60)]
    # One byte apart, as their labels are.
    table.write_text("\n".join(["text,label", *rows, "a bore,0", "a core,1"]), encoding="utf-8")
    kinds = [one["kind"] for one in json.loads(invoke("check", table, "--json").stdout)["findings"]]
    assert "duplicate" not in kinds


def test_labels_in_another_order_are_no_conflict(directory: Path, invoke: Invoke) -> None:
    tables = Tables("multilabel")
    rows = tables.splits["train"]
    rows[0][1:], rows[1][1:] = [rows[0][1], "calm|rain"], [rows[0][1], "rain | calm"]
    assert [one["kind"] for one in check(tables, directory, invoke)["findings"]] == ["duplicate"]


def test_characters_are_compared_by_trigrams(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    tables.options |= {"text.unit": "character", "text.sequence_length": "60"}
    text = tables.splits["train"][11][1]
    tables.splits["test"][2][1] = text.replace(text[20], "q", 1)
    (found,) = check(tables, directory, invoke)["findings"]
    assert (found["kind"], found["count"]) == ("leak-near", 1)
    assert found["examples"][0]["place"] == tables.line(("test", 2))
    assert found["examples"][0]["like"]["place"] == tables.line(("train", 11))


def test_texts_that_share_fewer_tokens_are_no_duplicates(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    for row in range(100):
        words = tables.splits["train"][row][1].split()
        tables.splits["test"][row][1] = " ".join([*words[2:], "otherwise", words[0] * 2])
    kinds = {one["kind"] for one in check(tables, directory, invoke)["findings"]}
    assert kinds <= {"token-oov"}


def test_near_duplicates_across_a_random_split_are_found(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    del tables.splits["validation"]
    rows = tables.splits["train"]
    for row in range(0, 400, 2):
        words = rows[row][1].split()
        rows[row + 1][1] = " ".join([*words[:-1], "otherwise"])
    found = next(
        one for one in check(tables, directory, invoke)["findings"] if one["kind"] == "leak-near"
    )
    assert found["of"] == 40
    assert found["count"] > 20
    for example in found["examples"]:
        assert {example["row"] - 1, example["like"]["row"] - 1} == {
            (example["row"] - 1) // 2 * 2,
            (example["row"] - 1) // 2 * 2 + 1,
        }
    assert "data.validation: " in found["fix"]


def test_the_count_is_a_minimum_if_too_many_texts_are_similar(
    directory: Path, invoke: Invoke
) -> None:
    opening = "please note that your parcel number will be at the door of"
    train = [(f"{opening} a{row} b{row}", "xy"[row % 2]) for row in range(3000)]
    write_csv(directory / "train.csv", ["text", "label"], train)
    test = [(f"{opening} c{row} d{row}", "xy"[row % 2]) for row in range(20)]
    test.append((f"{opening} a7 and b7", "x"))
    write_csv(directory / "test.csv", ["text", "label"], test)
    (directory / "config.yaml").write_text(config_text(train="train.csv", test="test.csv"))
    found = json.loads(invoke("check", "config.yaml", "--json").stdout)["findings"]
    near = next(one for one in found if one["kind"] == "leak-near" and one["of"] == 21)
    assert near["count"] == 1
    assert near["what"].startswith("at least 1 of 21 (4.8%) test texts")
    assert near["examples"][0]["like"]["place"] == "train.csv:9"
