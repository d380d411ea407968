"""What the tests of audits share: a working directory, and `check --json` as a function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke
    from tests.faults import Tables


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(tables: Tables, directory: Path, invoke: Invoke, *flags: str, status: int = 0) -> Any:
    """Run `check --json` on some tables."""
    args = ("check", tables.write(directory), "--json", *tables.flags(), *flags)
    return json.loads(invoke(*args, status=status).stdout)
