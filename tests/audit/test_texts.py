from __future__ import annotations

from typing import TYPE_CHECKING

from tests.audit.conftest import check
from tests.faults import PLANTS, WORDS, Tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


def test_suggested_config_lines_fix_their_findings(directory: Path, invoke: Invoke) -> None:
    tables = Tables()
    PLANTS["truncated texts"](tables)
    (truncated,) = check(tables, directory, invoke)["findings"]
    key, value = truncated["fix"].split()[:2]
    assert check(tables, directory, invoke, "-s", f"{key.rstrip(':')}={value}")["findings"] == []
    tables = Tables()
    small = ("-s", "text.vocabulary_size=48")
    unknown = check(tables, directory, invoke, *small)["findings"]
    assert {one["kind"] for one in unknown} == {"token-oov"}
    key, value = unknown[0]["fix"].split()[:2]
    assert len(WORDS) < int(value)
    fix = ("-s", f"{key.rstrip(':')}={value}")
    assert check(tables, directory, invoke, *fix)["findings"] == []
