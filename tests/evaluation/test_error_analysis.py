"""Slices by column, and the worst mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_rows_are_sliced_by_columns(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=3")
    rows = [(text, label, f"shop {n % 14:02}", "") for n, (text, label) in enumerate(reviews(56))]
    wrong = [(text, "neg" if label == "pos" else "pos", "odd", "x") for text, label in reviews(8)]
    write_csv(workplace / "by.csv", ["text", "label", "shop", "note"], rows + wrong)
    flags = ("--data", "by.csv", "--by", "shop", "--by", "note", "--no-baseline")
    slices = json.loads(invoke("evaluate", *flags, "--json").stdout)["slices"]
    shops = {each["name"]: each for each in slices if each["by"] == "shop"}
    assert len(shops) == 11
    assert shops["odd"]["rows"] == 8
    assert shops["(5 others)"]["rows"] == 20
    notes = {each["name"]: each["rows"] for each in slices if each["by"] == "note"}
    assert notes == {"(empty)": 56, "x": 8}
    shown = invoke("evaluate", *flags).stdout
    assert "below overall" in next(line for line in shown.splitlines() if " odd " in line)
    message = invoke("evaluate", "--data", "by.csv", "--by", "shp", status=1).stderr
    assert "by.csv:1: no column 'shp'; did you mean 'shop'? columns: 'text', 'label'" in message


def test_the_worst_mistakes_come_first_with_their_locations(
    workplace: Path, invoke: Invoke
) -> None:
    invoke("train", "binary.yaml", "-q")
    rows: list[tuple[str, str]] = [(text, label) for text, label in reviews(40)]
    rows[7] = ("great film,\nit was great on day 3", "neg")
    rows[20] = ("awful", "pos")
    write_csv(workplace / "wrong.csv", ["text", "label"], rows)
    flags = ("--data", "wrong.csv", "--no-baseline", "--json")
    mistakes = json.loads(invoke("evaluate", *flags).stdout)["mistakes"]
    by_location = {mistake["place"]: mistake for mistake in mistakes}
    assert set(by_location) == {"wrong.csv:9", "wrong.csv:23"}
    probabilities = [mistake["probability"] for mistake in mistakes]
    assert probabilities == sorted(probabilities, reverse=True)
    first = by_location["wrong.csv:9"]
    assert (first["actual"], first["predicted"]) == (["neg"], ["pos"])
    assert first["label"] == "pos"
    assert {token for token, _ in first["tokens"]} >= {"great", "film"}
    only = json.loads(invoke("evaluate", *flags, "--mistakes", "1").stdout)["mistakes"]
    assert only == mistakes[:1]


def test_a_row_with_several_labels_can_be_a_mistake(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "multilabel.yaml", "-q")
    write_csv(workplace / "few.csv", ["text", "label"], [("a b 7", "c"), ("a 4", "a"), ("b 9", "")])
    flags = ("--data", "few.csv", "--no-baseline", "--json")
    invoke("evaluate", *flags, status=1)
    write_csv(workplace / "few.csv", ["text", "label"], [("a b 7", "c"), ("a 4", "a")])
    (worst, *_) = json.loads(invoke("evaluate", *flags).stdout)["mistakes"]
    assert worst["actual"] == ["c"]
    assert worst["label"] in {"a", "b", "c"}


def test_rows_of_unknown_labels_alone_are_scored(workplace: Path, invoke: Invoke) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    write_csv(workplace / "odd.csv", ["text", "label"], [("great", "odd"), ("awful", "odd")])
    values: Any = json.loads(invoke("evaluate", "--data", "odd.csv", "--json").stdout)
    assert values["scores"]["accuracy"] == 0.0
    assert values["scores"]["log_loss"] is None
    assert values["intervals"]["log_loss"] is None
    assert values["mistakes"] == []
    shown = invoke("evaluate", "--data", "odd.csv").stdout
    assert "labels that do not occur in training count as errors: " in shown
