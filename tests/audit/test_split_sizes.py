"""Splits with few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
