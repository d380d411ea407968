"""Splits with few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import reviews, write_csv
from tests.faults import Tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_few_rows_are_noted_with_a_way_out(tmp_path: Path, invoke: Invoke) -> None:
    tables = Tables()
    del tables.splits["test"][20:]
    del tables.splits["validation"][30:]
    shown = invoke("check", tables.write(tmp_path)).stdout
    assert shown.count("[rows-few]") == 1
    assert "note            only 20 test rows; scores on fewer than 30 are uncertain" in shown
    assert "why             each row counts for 5.0% of the score\n" in shown
    assert "fix             add rows to data.test\n" in shown


@pytest.mark.parametrize(
    ("weights", "shown"),
    [
        ([1], None),  # equal weights
        ([1, 2, 5], None),
        ([0, 0, 0, 1, 1, 0, 0, 0], None),  # 40 of 160 rows count, all alike
        ([1000, *[1] * 159], ("1 row", "86.4% of the weight is on 1 row")),
        ([*[100] * 5, *[0.001] * 155], ("5 rows", "100.0% of the weight is on 5 rows")),
    ],
)
def test_weights_on_a_few_rows_are_noted(
    tmp_path: Path, invoke: Invoke, weights: list[float], shown: tuple[str, str] | None
) -> None:
    rows = [(*row, str(weights[number % len(weights)])) for number, row in enumerate(reviews(160))]
    write_csv(tmp_path / "train.csv", ["text", "label", "times"], rows)
    (tmp_path / "c.yaml").write_text(
        "data: {train: train.csv, weight: times, validation: 0.01}\ntext: {sequence_length: 12}\n"
    )
    lines = invoke("check", tmp_path / "c.yaml").stdout
    if shown is None:
        assert "by their weights" not in lines
    else:
        assert f"train rows count as {shown[0]} [rows-few]" in lines
        assert shown[1] in lines
