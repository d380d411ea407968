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
    assert (line, comma) == ('data.text: "text"', ",")
    assert "unless 'source' is known" in condition
    key, value = line.split(": ")
    assert check(tables, directory, invoke, "-s", f"{key}={value}")["findings"] == []
